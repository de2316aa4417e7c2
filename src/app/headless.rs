//! A run without a window.

use std::{
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use bevy::{
    app::TaskPoolThreadAssignmentPolicy,
    ecs::message::{MessageCursor, message_update_system},
    prelude::*,
};

use super::{
    error::AppError,
    habitats::{HabitatPlan, plan_habitats, spawn_habitats},
    minds::{Minds, spawn_worker},
};
use crate::{
    brain::{Shelf, catalog::free_memory},
    config::RunConfig,
    mind::{
        AgentsLearned, Ask, AskSystems, Asked, MindPlugin, Resolve, WorkerLink, WorkerState, give_minds_up, patience,
        sum_up, wait_for_errands, wait_for_thoughts,
    },
    protocol::MindFacts,
    record::{Ancestry, GenerationRow, HallRow, History, Lineage, RecordPlugin, WatchPlugin, hall_rows},
    sim::{Clock, Finished, Habitat, SimPlugin},
};

/// How long a run that was told to stop waits for what the minds still have to answer.
const FAREWELL: Duration = Duration::from_secs(30);

/// How often a run that waits for the minds looks whether it is to stop.
const GLANCE: Duration = Duration::from_millis(50);

/// A run without a window: habitats, the minds, and the record of what happens.
///
/// ```
/// use evolora::{config::{MindKind, RunConfig}, Simulation};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut config = RunConfig::default();
/// config.mind.kind = MindKind::Rules;
/// config.run.generations = 2;
/// config.run.turns = 50;
/// let report = Simulation::new(config)?.run()?;
///
/// assert_eq!(report.rows.len(), 2);
/// assert!(report.rows[0].delivered > 0, "the rule-based agents bring food home");
/// # Ok(())
/// # }
/// ```
pub struct Simulation {
    app: App,
    living: QueryState<(), (With<Habitat>, Without<Finished>)>,
    turns: u64,
    patience: Option<Duration>,
    stop: Arc<AtomicBool>,
    config: RunConfig,
    shelf: Option<Shelf>,
    spent: Spent,
    lessons: MessageCursor<AgentsLearned>,
}

/// Where the time of the turns so far went, and for how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    /// The worker's, deciding.
    pub deciding: Duration,
    /// The worker's, training.
    pub training: Duration,
    /// The habitats' and the records': both halves of the turns.
    pub habitat: Duration,
    /// Waiting for the worker: its deciding, what was left of its training, and the way there and back.
    pub waiting: Duration,
    /// Tokens that were read, or written, to decide.
    pub tokens: u64,
    /// Samples that were learned from.
    pub samples: u64,
}

impl Spent {
    /// What was spent since it was `before`.
    #[must_use]
    pub const fn since(&self, before: &Self) -> Self {
        Self {
            deciding: self.deciding.saturating_sub(before.deciding),
            training: self.training.saturating_sub(before.training),
            habitat: self.habitat.saturating_sub(before.habitat),
            waiting: self.waiting.saturating_sub(before.waiting),
            tokens: self.tokens.saturating_sub(before.tokens),
            samples: self.samples.saturating_sub(before.samples),
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// All its generations have lived.
    Complete,
    /// It was told to stop.
    Interrupted,
}

/// What a run came to.
#[derive(Debug, Clone)]
pub struct RunReport {
    /// A row per habitat and generation, sorted. After an interruption the generations that were living stand
    /// last, with the turns they had.
    pub rows: Vec<GenerationRow>,
    /// Everybody who has lived, where there was a model; sorted by habitat and number.
    pub lineage: Vec<Ancestry>,
    /// The best that ever lived, where there was a model; by habitat and place.
    pub hall: Vec<HallRow>,
    /// How it ended.
    pub ended: Ended,
    /// Turns that were played, each in all habitats at once.
    pub turns: u64,
    /// Time it took.
    pub elapsed: Duration,
    /// Why the minds stopped answering, if they did.
    pub complaint: Option<String>,
    /// Whether the minds have answered all that they were asked, or cannot any more; else [`UNSETTLED`].
    pub settled: bool,
}

/// What is wrong with a report that is not settled.
pub const UNSETTLED: &str =
    "The minds have not answered all that they were asked: the last rows, lineage and hall lack it.";

impl Simulation {
    /// Makes the habitats that the settings ask for.
    ///
    /// # Errors
    /// The settings cannot be used, or the minds cannot be started.
    pub fn new(config: RunConfig) -> Result<Self, AppError> {
        Self::with_minds(config, false)
    }

    /// The same, on maps that no ordinary run ever sees.
    ///
    /// # Errors
    /// As [`Simulation::new`].
    pub fn on_unseen_maps(config: RunConfig) -> Result<Self, AppError> {
        Self::with_minds(config, true)
    }

    fn with_minds(config: RunConfig, unseen: bool) -> Result<Self, AppError> {
        config.check()?;
        let (minds, plans) = (spawn_worker(&config)?, plan_habitats(&config, unseen));
        Self::with_habitats(&config, plans, minds)
    }

    /// The same with these habitats, and with minds that have been started.
    pub(super) fn with_habitats(config: &RunConfig, plans: Vec<HabitatPlan>, minds: Minds) -> Result<Self, AppError> {
        let mut simulation = Self::empty(config.clone(), minds)?;
        spawn_habitats(simulation.world_mut(), plans);
        Ok(simulation)
    }

    /// The same, with whatever is at the other end of `link` as the minds.
    ///
    /// # Errors
    /// The settings cannot be used.
    pub fn with_link(config: RunConfig, link: WorkerLink, unseen: bool) -> Result<Self, AppError> {
        let plans = plan_habitats(&config, unseen);
        Self::with_habitats(&config, plans, (link, WorkerState::default(), None))
    }

    /// Minds without habitats.
    pub(super) fn empty(config: RunConfig, (link, state, shelf): Minds) -> Result<Self, AppError> {
        config.check()?;
        check_memory(&config)?;
        let mut app = App::new();
        app.add_plugins(TaskPoolPlugin { task_pool_options: task_pools(config.run.threads) });
        add_turn(&mut app, link);
        app.insert_resource(state);
        // The turn's messages live for one turn here; the window's main schedule does this by itself.
        app.add_systems(Ask, message_update_system.before(AskSystems::Observe));
        let living = app.world_mut().query_filtered();
        let (spent, lessons) = (Spent::default(), MessageCursor::default());
        Ok(Self { app, living, turns: 0, patience: None, stop: Arc::default(), config, shelf, spent, lessons })
    }

    /// The population, where a language model decides.
    pub const fn shelf(&self) -> Option<&Shelf> {
        self.shelf.as_ref()
    }

    /// The settings that the run began with.
    pub const fn config(&self) -> &RunConfig {
        &self.config
    }

    /// Counts turns from here on.
    pub(super) const fn set_turns(&mut self, turns: u64) {
        self.turns = turns;
    }

    /// Waits until everything has been answered that was asked beside the turns' questions. False if something has not come.
    pub(super) fn settle(&mut self) -> bool {
        let is_stopping = self.stop.load(Ordering::Relaxed);
        let world = self.app.world_mut();
        let patience = self.patience.unwrap_or_else(|| patience(world));
        wait_for_errands(world, if is_stopping { patience.min(FAREWELL) } else { patience })
    }

    /// The same, giving minds up that do not answer within `patience`, in place of the time that the number of agents and
    /// the last answer suggest: two minutes at least.
    #[must_use]
    pub const fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = Some(patience);
        self
    }

    /// The same, not waiting for the minds any longer once `stop` is true.
    #[must_use]
    pub fn until(mut self, stop: Arc<AtomicBool>) -> Self {
        self.stop = stop;
        self
    }

    /// Also notes what a window would show of the run while it goes on: see [`WatchPlugin`].
    pub fn watch(&mut self) {
        self.app.add_plugins(WatchPlugin);
    }

    /// Plays one turn in every habitat that is not finished.
    pub fn step(&mut self) {
        let world = self.app.world_mut();
        let begun = Instant::now();
        world.run_schedule(Ask);
        let asked = Instant::now();
        let patience = self.patience.unwrap_or_else(|| patience(world));
        while !wait_for_thoughts(world, GLANCE.min(patience)) {
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            if asked.elapsed() >= patience {
                give_minds_up(world, patience);
            }
        }
        let answered = Instant::now();
        world.run_schedule(Resolve);
        self.turns += 1;
        self.spent.waiting += answered - asked;
        self.spent.habitat += (asked - begun) + answered.elapsed();
        let asked = world.resource::<Asked>();
        if !asked.stood_in {
            self.spent.deciding += asked.took.unwrap_or_default();
            self.spent.tokens += asked.tokens;
        }
        for lessons in self.lessons.read(world.resource()) {
            self.spent.training += Duration::from_secs_f64(lessons.ms / 1e3);
            self.spent.samples += lessons.learned.iter().map(|one| u64::from(one.samples)).sum::<u64>();
        }
    }

    /// Where the time of the turns so far went.
    pub const fn spent(&self) -> Spent {
        self.spent
    }

    /// Whether every habitat's last generation is over.
    pub fn is_finished(&mut self) -> bool {
        self.living.iter(self.app.world()).next().is_none()
    }

    /// Turns played so far.
    pub const fn turns(&self) -> u64 {
        self.turns
    }

    /// The ECS world, to look at or to change between two turns.
    pub fn world_mut(&mut self) -> &mut World {
        self.app.world_mut()
    }

    /// Why the minds stopped answering, if they did.
    pub fn complaint(&self) -> Option<String> {
        self.app.world().resource::<WorkerState>().complaint().map(ToString::to_string)
    }

    /// What there is to know of the language model, where one decides.
    pub fn facts(&self) -> Option<&MindFacts> {
        self.app.world().resource::<WorkerState>().facts.as_ref()
    }

    /// The generations that have ended, sorted by habitat.
    pub fn rows(&self) -> Vec<GenerationRow> {
        self.app.world().resource::<History>().sorted()
    }

    /// The generations that have ended after the first `known` ones, in the order in which they did.
    pub fn new_rows(&self, known: usize) -> Vec<GenerationRow> {
        self.app.world().resource::<History>().rows.get(known..).unwrap_or_default().to_vec()
    }

    /// Plays all generations.
    ///
    /// # Errors
    /// None today: what can fail while a run goes on is in the report. Runs that write files use
    /// [`Simulation::run_watched`].
    pub fn run(self) -> Result<RunReport, AppError> {
        self.run_watched(|_| Ok(ControlFlow::Continue(())))
    }

    /// Plays all generations; after every turn `watch` may look, and stop the run.
    ///
    /// # Errors
    /// What `watch` gives.
    pub fn run_watched(
        mut self,
        mut watch: impl FnMut(&mut Self) -> Result<ControlFlow<()>, AppError>,
    ) -> Result<RunReport, AppError> {
        let begun = Instant::now();
        let mut ended = Ended::Complete;
        while !self.is_finished() {
            self.step();
            if watch(&mut self)?.is_break() {
                ended = Ended::Interrupted;
                break;
            }
        }
        let is_stopped = ended == Ended::Interrupted && self.stop.load(Ordering::Relaxed);
        // Minds that have gone for good have nothing left to answer, and it has been said that they have.
        let settled = is_stopped || self.settle() || !self.app.world().resource::<WorkerState>().is_up();
        let mut report = RunReport::of(self.app.world_mut(), ended, self.turns, begun.elapsed());
        report.settled = settled;
        report.complaint = report.complaint.or_else(|| (!settled).then(|| UNSETTLED.to_owned()));
        Ok(report)
    }
}

impl RunReport {
    /// What the world has come to.
    pub(super) fn of(world: &mut World, ended: Ended, turns: u64, elapsed: Duration) -> Self {
        let mut rows = world.resource::<History>().sorted();
        rows.extend(unfinished_rows(world));
        rows.sort_by_key(|row| (row.habitat, row.generation));
        let lineage = world.resource::<Lineage>().creatures.values().cloned().collect();
        let complaint = world.resource::<WorkerState>().complaint().map(ToString::to_string);
        let hall = hall_rows(world);
        Self { rows, lineage, hall, ended, turns, elapsed, complaint, settled: true }
    }
}

/// The generations that have begun and not ended, with the turns that they have had.
fn unfinished_rows(world: &mut World) -> Vec<GenerationRow> {
    let mut living = world.query_filtered::<(Entity, &Clock), (With<Habitat>, Without<Finished>)>();
    let world = &*world;
    let begun = living.iter(world).filter(|(_, clock)| clock.turn > 0);
    let (history, lineage) = (world.resource::<History>(), world.resource::<Lineage>());
    begun.filter_map(|(entity, _)| sum_up(world, entity)).map(|ended| history.unfinished(&ended, lineage)).collect()
}

/// Adds everything that a turn needs, with or without a window.
pub(super) fn add_turn(app: &mut App, link: WorkerLink) {
    app.add_plugins((SimPlugin, MindPlugin, RecordPlugin)).insert_resource(link);
}

/// Bytes that a cell takes: its index and distance maps, and the entities in it on average.
const CELL_BYTES: u64 = 128;
/// Bytes that an agent takes, with its question and its answer.
const AGENT_BYTES: u64 = 1024;

/// Refuses habitats that would not fit into memory, before any is made.
pub(super) fn check_memory(config: &RunConfig) -> Result<(), AppError> {
    let cells = u64::from(config.habitat.size).pow(2) * CELL_BYTES;
    let agents = u64::from(config.habitat.agents) * AGENT_BYTES;
    let need = ((cells + agents) * u64::from(config.run.habitats)) >> 20;
    match free_memory().map(|free| free >> 20) {
        Some(free) if need > free => Err(AppError::Memory { need, free }),
        _ => Ok(()),
    }
}

/// Task pools with `threads` compute threads, 0 for one per core. A process has these pools once: where several
/// simulations share it, the first one's number holds.
pub(super) fn task_pools(threads: u32) -> TaskPoolOptions {
    let exactly = |n| TaskPoolThreadAssignmentPolicy {
        min_threads: n,
        max_threads: n,
        percent: 1.0,
        on_thread_spawn: None,
        on_thread_destroy: None,
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = if threads == 0 { cores } else { threads as usize };
    let small = exactly(1);
    TaskPoolOptions { io: small.clone(), async_compute: small, compute: exactly(threads), ..default() }
}
