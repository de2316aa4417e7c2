//! The run on show: its settings, its population, its folder; and how another takes its place.

use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use bevy::prelude::*;

use super::{
    arrival::{Arrival, Newcomer, Past},
    edit::Edits,
    keep::Keeping,
    models::Panels,
    playback::Playback,
};
use crate::{
    app::{
        checkpoint::put_state,
        habitats::{plan_habitats, spawn_habitats},
        minds::put_minds,
        references::References,
    },
    brain::Shelf,
    config::RunConfig,
    mind::Consulted,
    protocol::{CreatureName, HabitatId},
    record::{History, Lineage, Retention, RunFiles, forget_watched},
    sim::{Habitat, HabitatConfig, despawn_habitat},
    ui::{Banner, Severity},
};

/// The run on show.
#[derive(Resource)]
pub(super) struct Run {
    /// Its settings, with changes that wait until it starts again.
    pub next: RunConfig,
    /// The settings that it lives by now.
    pub living: Arc<RunConfig>,
    /// The population, where a language model decides.
    pub shelf: Option<Shelf>,
    /// The folder that it is kept in.
    pub files: Option<RunFiles>,
    /// The settings that it began with.
    pub begun: RunConfig,
    /// Whose mind is looked into.
    pub selected: Option<CreatureName>,
    /// The habitat that is shown alone.
    pub entered: Option<HabitatId>,
    /// What the person must know, the first first, until it is dismissed.
    pub banners: VecDeque<Banner>,
    /// Since when the first of them has been on show.
    shown: Option<Instant>,
    /// The same for the log, until it has been written there.
    pub said: Vec<Banner>,
}

/// Banners that wait at the most; the log has all of them.
const BANNERS: usize = 8;
/// How long a note is on show, and how long where others wait behind it.
const NOTE_STAYS: [Duration; 2] = [Duration::from_secs(6), Duration::from_millis(2500)];
/// A banner that has been there for less has been seen by nobody.
const SEEN: Duration = Duration::from_millis(300);

impl Run {
    /// A run that begins.
    pub(super) fn new(config: RunConfig, shelf: Option<Shelf>, files: Option<RunFiles>) -> Self {
        Self {
            living: Arc::new(config.clone()),
            begun: config.clone(),
            next: config,
            shelf,
            files,
            selected: None,
            entered: None,
            banners: VecDeque::new(),
            shown: None,
            said: Vec::new(),
        }
    }

    /// Tells the person something that is good to know.
    pub(super) fn say(&mut self, text: String) {
        self.tell(Banner { severity: Severity::Note, text });
    }

    /// Tells the person that something is not as it should be.
    pub(super) fn warn(&mut self, text: String) {
        self.tell(Banner { severity: Severity::Warning, text });
    }

    fn tell(&mut self, banner: Banner) {
        if self.banners.back() == Some(&banner) {
            return;
        }
        self.said.push(banner.clone());
        self.banners.push_back(banner);
        if self.banners.len() > BANNERS {
            self.dismiss();
        }
    }
}

impl Run {
    /// Takes the first banner away as the person wants, unless it came so lately that the click was meant for the one before.
    pub(super) fn dismiss_by_hand(&mut self, now: Instant) {
        if self.shown.is_some_and(|since| now.duration_since(since) >= SEEN) {
            self.dismiss();
        }
    }

    fn dismiss(&mut self) {
        self.banners.pop_front();
        self.shown = None;
    }

    /// Takes a note away that has been there long enough by `now`; what is more than a note stays until the person dismisses it.
    pub(super) fn turn_over(&mut self, now: Instant) {
        let Some(first) = self.banners.front() else { return };
        let is_note = first.severity == Severity::Note;
        let since = *self.shown.get_or_insert(now);
        if is_note && now.duration_since(since) >= NOTE_STAYS[usize::from(self.banners.len() > 1)] {
            self.dismiss();
        }
    }
}

/// All habitats, in the order of their numbers.
pub(super) fn habitats(world: &mut World) -> Vec<Entity> {
    let mut query = world.query::<(Entity, &Habitat)>();
    let mut sorted: Vec<_> = query.iter(world).map(|(entity, habitat)| (habitat.id, entity)).collect();
    sorted.sort_unstable();
    sorted.into_iter().map(|(_, entity)| entity).collect()
}

/// Has a run made ready that begins anew from generation 0, with the settings as the person has left them and this seed. A
/// worker that had gone comes back, too. The folder stays with the run that was written to it.
///
/// # Errors
/// A sentence: the settings cannot be used, or another run is still to come.
pub(super) fn start_again(world: &mut World, seed: u64) -> Result<(), String> {
    let mut config = world.resource::<Run>().next.clone();
    config.run.seed = seed;
    config.check().map_err(|error| error.to_string())?;
    world.resource_mut::<Arrival>().begin(config)
}

/// Has the run in this folder made ready, to go on from its newest checkpoint.
///
/// # Errors
/// A sentence: another run is still to come.
pub(super) fn open(world: &mut World, folder: PathBuf) -> Result<(), String> {
    // The run on show may be the one in that folder, which is locked then.
    let is_same = |files: &&RunFiles| files.folder().canonicalize().ok() == folder.canonicalize().ok();
    let own = world.resource::<Run>().files.as_ref().filter(is_same).cloned();
    world.resource_mut::<Arrival>().open(folder, own)
}

/// Puts a run that is ready in the place of the one on show.
///
/// # Errors
/// A sentence: it cannot be gone on with, and there is no run on show any more; or there are no minds, not even scripted ones.
pub(super) fn put(world: &mut World, newcomer: Newcomer) -> Result<(), String> {
    let Newcomer { config, minds, shelf, past } = newcomer;
    clear(world);
    put_minds(world, minds);
    let Some(Past { files, state, troubles }) = past else {
        let plans = plan_habitats(&config, false);
        begin(world, Run::new(config, shelf, None));
        spawn_habitats(world, plans);
        return Ok(());
    };
    let (turns, mut run) = (state.turns, Run::new(config, shelf, Some(files)));
    put_state(world, state).map_err(|error| error.to_string())?;
    if let Some(living) = habitats(world).first().and_then(|first| world.get::<HabitatConfig>(*first)) {
        // They may have changed while it lived.
        run.living = Arc::clone(&living.0);
        run.next = living.0.as_ref().clone();
    }
    troubles.into_iter().for_each(|trouble| run.warn(trouble));
    begin(world, run);
    world.resource_mut::<Playback>().turns = turns;
    Ok(())
}

/// Puts a run in the place of the one that was.
fn begin(world: &mut World, run: Run) {
    world.insert_resource(Retention::with_archive(run.files.clone()));
    world.insert_resource(Edits::default());
    world.resource_mut::<Keeping>().begin_anew();
    world.insert_resource(run);
    world.resource_mut::<Panels>().forget();
    match References::start() {
        Ok(references) => world.insert_resource(references),
        // Without a thread there is nothing to compare with.
        Err(_) => drop(world.remove_resource::<References>()),
    }
}

/// Takes everything out of the world that belongs to the run.
fn clear(world: &mut World) {
    for habitat in habitats(world) {
        despawn_habitat(world, habitat);
    }
    world.insert_resource(History::default());
    world.insert_resource(Lineage::default());
    world.insert_resource(Consulted::default());
    forget_watched(world);
    world.resource_mut::<Playback>().forget();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_go_by_themselves_and_warnings_when_they_are_dismissed() {
        let mut run = Run::new(RunConfig::default(), None, None);
        let begun = Instant::now();
        let at = |tenths: u64| begun + Duration::from_millis(100 * tenths);
        let first = |run: &Run| run.banners.front().map(|banner| banner.text.clone());
        run.say("a".to_owned());
        run.say("b".to_owned());
        run.warn("c".to_owned());
        run.say("d".to_owned());
        for (tenths, shown) in [(0, "a"), (24, "a"), (25, "b"), (26, "b"), (50, "b"), (51, "c"), (52, "c"), (999, "c")]
        {
            run.turn_over(at(tenths));
            assert_eq!(first(&run).as_deref(), Some(shown), "after {tenths} tenths of a second");
        }
        run.dismiss_by_hand(at(999));
        run.dismiss_by_hand(at(999));
        run.turn_over(at(1000));
        run.dismiss_by_hand(at(1002));
        run.turn_over(at(1059));
        assert_eq!(first(&run).as_deref(), Some("d"), "nothing waits behind it: it has longer");
        run.turn_over(at(1060));
        assert_eq!((first(&run), run.said.len()), (None, 4));
    }
}
