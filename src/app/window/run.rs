//! The run on show: its settings, its population, its folder; and how another takes its place.

use std::{collections::VecDeque, path::Path, sync::Arc};

use bevy::prelude::*;

use super::{edit::Edits, keep::Keeping, models::Panels, playback::Playback};
use crate::{
    app::{
        Changes,
        checkpoint::{OpenedRun, put_state},
        habitats::{plan_habitats, spawn_habitats},
        minds::{exchange_minds, spawn_minds_or_rules, spawn_worker_with},
        references::References,
    },
    brain::Shelf,
    config::{MindKind, RunConfig},
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
    /// The same for the log, until it has been written there.
    pub said: Vec<Banner>,
}

/// Banners that wait at the most; the log has all of them.
const BANNERS: usize = 8;

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
            self.banners.pop_front();
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

/// Begins anew from generation 0, with the settings as the person has left them and this seed. A worker that had gone comes
/// back, too. The folder stays with the run that was written to it.
pub(super) fn start_again(world: &mut World, seed: u64) -> Result<(), String> {
    let mut config = world.resource::<Run>().next.clone();
    config.run.seed = seed;
    config.check().map_err(|error| error.to_string())?;
    clear(world);
    let mut shelf = None;
    exchange_minds(world, || {
        let (link, state, own) = spawn_minds_or_rules(&config)?;
        shelf = own;
        Ok((link, state))
    });
    let plans = plan_habitats(&config, false);
    begin(world, Run::new(config, shelf, None));
    spawn_habitats(world, plans);
    Ok(())
}

/// Goes on with the run in this folder, from its newest checkpoint.
///
/// # Errors
/// A sentence: why it cannot be gone on with. The run on show stays then, unless its minds have had to go.
pub(super) fn open(world: &mut World, folder: &Path) -> Result<(), String> {
    let say = |error: &dyn std::fmt::Display| error.to_string();
    if !folder.is_dir() {
        return Err(format!("There is no folder {}.", folder.display()));
    }
    // The run on show may be the one in that folder: let go of it first.
    world.resource_mut::<Run>().files = None;
    let files = RunFiles::open(folder).map_err(|error| say(&error))?;
    let checkpoint = files.checkpoints().newest().map_err(|error| say(&error))?;
    let troubles = checkpoint.troubles.clone();
    let opened = OpenedRun::of(checkpoint, &Changes::default()).map_err(|error| say(&error))?;
    let (turns, config) = (opened.state.turns, opened.config);
    files.checkpoints().go_on_from(turns).map_err(|error| say(&error))?;
    clear(world);
    let (shelf, has_minds) = (Shelf::new(opened.population), config.mind.kind == MindKind::Llm);
    let own = shelf.clone();
    exchange_minds(world, || {
        let (link, state, _) = spawn_worker_with(&config, own)?;
        Ok((link, state))
    });
    let mut run = Run::new(config, has_minds.then_some(shelf), Some(files));
    put_state(world, opened.state).map_err(|error| say(&error))?;
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
