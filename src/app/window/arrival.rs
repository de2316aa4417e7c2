//! Makes the run ready that is to take the place of the one on show: no frame waits for a folder or a model.
//!
//! Another thread reads the folder, then asks for the minds that are there, since two models at once may not fit into memory;
//! when these have gone it loads the new ones. The run on show stays to be looked at until the other is here.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use bevy::prelude::*;
use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded, unbounded};

use super::{playback::Playback, run};
use crate::{
    app::{
        Changes,
        checkpoint::OpenedRun,
        minds::{Minds, hand_minds_over, spawn_worker_with},
    },
    brain::Shelf,
    config::{MindKind, RunConfig},
    mind::{WorkerLink, WorkerState, is_between_turns, wait_for_errands},
    record::{RunFiles, RunState},
};

/// What is here sooner is not announced.
const AT_ONCE: Duration = Duration::from_millis(150);

/// The run that is to come.
#[derive(Resource, Default)]
pub(super) struct Arrival(Option<Coming>);

struct Coming {
    news: Receiver<News>,
    /// Where the minds go that are to make room, until they have gone.
    old: Option<Sender<WorkerLink>>,
    /// Whether they are asked for.
    needs_room: bool,
    /// Whether no turn may begin.
    holds: bool,
    since: Instant,
    what: String,
}

enum News {
    /// The folder has been read: the minds on show may go.
    Room,
    Here(Box<Newcomer>),
    /// Why there will be no other run.
    Failed(String),
}

/// A run that may take its place.
pub(super) struct Newcomer {
    pub config: RunConfig,
    /// Its minds, or why there are none.
    pub minds: Result<Minds, String>,
    /// The population, where it has one even without minds.
    pub shelf: Option<Shelf>,
    /// What it goes on from.
    pub past: Option<Past>,
}

/// What a run goes on from.
pub(super) struct Past {
    pub files: RunFiles,
    pub state: RunState,
    /// A sentence for every newer checkpoint that could not be used.
    pub troubles: Vec<String>,
}

impl Arrival {
    /// Whether no turn may begin.
    pub(super) fn holds_turns(&self) -> bool {
        self.0.as_ref().is_some_and(|coming| coming.holds)
    }

    /// Whether a run is to come.
    pub(super) const fn is_awaited(&self) -> bool {
        self.0.is_some()
    }

    /// What the person waits for, once that takes a while.
    pub(super) fn awaited(&self) -> Option<&str> {
        self.0.as_ref().filter(|coming| coming.since.elapsed() >= AT_ONCE).map(|coming| coming.what.as_str())
    }

    /// A run that begins anew with these settings.
    ///
    /// # Errors
    /// A sentence: another run is still to come.
    pub(super) fn begin(&mut self, config: RunConfig) -> Result<(), String> {
        let what = match config.mind.kind {
            MindKind::Llm => "The model is being loaded",
            MindKind::Rules | MindKind::Random => "A new run begins",
        };
        self.await_run(what.to_owned(), move || Ok((config, Shelf::default(), None)))
    }

    /// The run in this folder, from its newest checkpoint. Where it is the run on show, `own` is that run's hold on the folder;
    /// no turn begins then, so that none is lost that is thought to be kept.
    ///
    /// # Errors
    /// As [`Arrival::begin`].
    pub(super) fn open(&mut self, folder: PathBuf, own: Option<RunFiles>) -> Result<(), String> {
        let (what, is_own) = (format!("{} is being opened", folder.display()), own.is_some());
        self.await_run(what, move || read(folder, own))?;
        if let Some(coming) = &mut self.0 {
            coming.holds = is_own;
        }
        Ok(())
    }

    fn await_run(
        &mut self,
        what: String,
        read: impl FnOnce() -> Result<(RunConfig, Shelf, Option<Past>), String> + Send + 'static,
    ) -> Result<(), String> {
        if self.0.is_some() {
            return Err("Another run is still on its way.".to_owned());
        }
        let ((tell, news), (old, going)) = (unbounded(), bounded(1));
        std::thread::Builder::new()
            .name("evolora-arrival".to_owned())
            .spawn(move || make_ready(read, &tell, &going))
            .map_err(|error| format!("The system has no thread to load with ({error})."))?;
        self.0 = Some(Coming { news, old: Some(old), needs_room: false, holds: false, since: Instant::now(), what });
        Ok(())
    }
}

/// Reads a run's folder.
fn read(folder: PathBuf, own: Option<RunFiles>) -> Result<(RunConfig, Shelf, Option<Past>), String> {
    let say = |error: &dyn std::fmt::Display| error.to_string();
    if !folder.is_dir() {
        return Err(format!("There is no folder {}.", folder.display()));
    }
    let files = own.map_or_else(|| RunFiles::open(folder), Ok).map_err(|error| say(&error))?;
    let checkpoint = files.checkpoints().newest().map_err(|error| say(&error))?;
    let troubles = checkpoint.troubles.clone();
    let OpenedRun { config, population, state } =
        OpenedRun::of(checkpoint, &Changes::default()).map_err(|error| say(&error))?;
    files.checkpoints().go_on_from(state.turns).map_err(|error| say(&error))?;
    Ok((config, Shelf::new(population), Some(Past { files, state, troubles })))
}

/// What the other thread does.
fn make_ready(
    read: impl FnOnce() -> Result<(RunConfig, Shelf, Option<Past>), String>,
    tell: &Sender<News>,
    going: &Receiver<WorkerLink>,
) {
    // Nobody hears any of it if the window has been closed meanwhile.
    let (config, shelf, past) = match read() {
        Ok(read) => read,
        Err(sentence) => return drop(tell.send(News::Failed(sentence))),
    };
    let _ = tell.send(News::Room);
    let Ok(old) = going.recv() else { return };
    drop(old);
    let minds = spawn_worker_with(&config, shelf.clone()).map_err(|error| error.to_string());
    let has_shelf = config.mind.kind == MindKind::Llm && (past.is_some() || minds.is_ok());
    let shelf = has_shelf.then_some(shelf);
    let _ = tell.send(News::Here(Box::new(Newcomer { config, minds, shelf, past })));
}

/// Hears how far the other run is, lets the minds on show go when they are asked to, and puts it in its place.
pub(super) fn receive_run(world: &mut World) {
    world.resource_scope(|world, mut arrival: Mut<Arrival>| {
        let Some(coming) = &mut arrival.0 else { return };
        match coming.news.try_recv() {
            Ok(News::Room) => (coming.needs_room, coming.holds) = (true, true),
            Ok(News::Here(newcomer)) => {
                arrival.0 = None;
                if let Err(sentence) = run::put(world, *newcomer) {
                    world.resource_mut::<run::Run>().warn(sentence);
                }
                return;
            }
            Ok(News::Failed(sentence)) => {
                arrival.0 = None;
                world.resource_mut::<run::Run>().warn(sentence);
                return;
            }
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => {
                arrival.0 = None;
                world
                    .resource_mut::<run::Run>()
                    .warn("The run could not be made ready: its thread stopped.".to_owned());
                return;
            }
        }
        if coming.needs_room && coming.old.is_some() && is_at_rest(world) {
            let old = coming.old.take();
            match (hand_minds_over(world), old) {
                (Ok(minds), Some(old)) => drop(old.send(minds)),
                (Err(error), _) => {
                    arrival.0 = None;
                    world.resource_mut::<run::Run>().warn(error.to_string());
                }
                (Ok(_), None) => {}
            }
        }
    });
}

/// Whether nothing is under way that the minds on show are still to answer.
fn is_at_rest(world: &mut World) -> bool {
    let is_between = is_between_turns(world) && world.resource::<Playback>().is_between_turns();
    is_between && (!world.resource::<WorkerState>().is_up() || wait_for_errands(world, Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::{super::keep::Keeping, super::run::Run, *};
    use crate::{
        app::{
            Simulation,
            habitats::{plan_habitats, spawn_habitats},
            headless::add_turn,
        },
        mind::spawn_slow_worker,
        record::{Retention, WatchPlugin},
        sim::{Clock, Habitat},
    };

    fn config(seed: u64) -> RunConfig {
        let mut config = RunConfig::default();
        (config.mind.kind, config.run.turns, config.run.generations) = (MindKind::Rules, 5, 3);
        (config.run.seed, config.habitat.agents) = (seed, 4);
        config
    }

    /// An app with a run on show whose minds think this long.
    fn app(thinks: Duration) -> App {
        let mut app = App::new();
        app.add_plugins((MinimalPlugins, WatchPlugin));
        add_turn(&mut app, spawn_slow_worker(thinks).unwrap());
        app.insert_resource(Retention::with_archive(None))
            .insert_resource(Run::new(config(1), None, None))
            .init_resource::<Arrival>()
            .init_resource::<Keeping>()
            .init_resource::<Playback>()
            .init_resource::<super::super::edit::Edits>()
            .init_resource::<super::super::models::Panels>()
            .add_systems(Update, (super::super::playback::play_turns, receive_run).chain());
        spawn_habitats(app.world_mut(), plan_habitats(&config(1), false));
        app
    }

    /// Frames until no run is awaited; ten thousand are enough for anybody.
    fn until_here(app: &mut App) -> u32 {
        for frame in 0..10_000 {
            if !app.world().resource::<Arrival>().is_awaited() {
                return frame;
            }
            app.update();
            std::thread::sleep(Duration::from_millis(1));
        }
        panic!("it does not come");
    }

    fn seed(app: &mut App) -> u64 {
        let world = app.world_mut();
        world.query::<&Habitat>().single(world).unwrap().streams.seed
    }

    fn clock(app: &mut App) -> Clock {
        let world = app.world_mut();
        *world.query::<&Clock>().single(world).unwrap()
    }

    fn banner(app: &App) -> Option<String> {
        app.world().resource::<Run>().banners.back().map(|banner| banner.text.clone())
    }

    #[test]
    fn frames_go_on_until_slow_minds_have_made_room_for_another_run() {
        let mut app = app(Duration::from_millis(200));
        app.update();
        app.world_mut().resource_mut::<Playback>().steps = 1;
        app.update();
        assert!(!app.world().resource::<Playback>().is_between_turns(), "a turn is under way");
        run::start_again(app.world_mut(), 7).unwrap();
        assert_eq!(seed(&mut app), 1, "the run on show stays until the other is here");
        let refused = run::start_again(app.world_mut(), 8).unwrap_err();
        assert_eq!(refused, "Another run is still on its way.");
        assert!(until_here(&mut app) >= 10, "frames went on");
        assert_eq!((seed(&mut app), clock(&mut app).turn), (7, 0));
        assert_eq!((app.world().resource::<Run>().living.run.seed, banner(&app)), (7, None));
        assert!(!app.world().resource::<Arrival>().holds_turns());
    }

    #[test]
    fn a_run_is_opened_and_opened_again_while_its_folder_is_held() {
        let folder = tempfile::tempdir().unwrap();
        let files = RunFiles::create(folder.path(), true).unwrap();
        let mut simulation = Simulation::new(config(3)).unwrap();
        (0..7).for_each(|_| simulation.step());
        simulation.save(&files.checkpoints()).unwrap();
        drop((simulation, files));
        let mut app = app(Duration::ZERO);
        app.world_mut().resource_mut::<Playback>().playing = false;
        for _ in 0..2 {
            run::open(app.world_mut(), folder.path().to_owned()).unwrap();
            until_here(&mut app);
            assert_eq!(banner(&app), None);
            assert_eq!((seed(&mut app), app.world().resource::<Playback>().turns), (3, 7));
            let Clock { generation, turn, .. } = clock(&mut app);
            assert_eq!((generation, turn), (1, 2));
        }
    }

    #[test]
    fn where_there_is_no_run_to_open_the_one_on_show_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("nowhere");
        let mut app = app(Duration::ZERO);
        run::open(app.world_mut(), missing.clone()).unwrap();
        until_here(&mut app);
        assert_eq!(banner(&app), Some(format!("There is no folder {}.", missing.display())));
        assert_eq!(seed(&mut app), 1);
        app.world_mut().resource_mut::<Playback>().steps = 2;
        for _ in 0..100 {
            app.update();
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(app.world().resource::<Playback>().steps, 0, "turns are played");
    }
}
