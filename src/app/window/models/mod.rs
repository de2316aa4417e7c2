//! What the panels show, read from the world between two frames.

mod curves;
mod family;
mod machine;
mod minds;
mod words;

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use bevy::prelude::*;

pub(super) use words::note_losses;

use super::{
    dock::Pane,
    edit::Edits,
    library::Library,
    memory::States,
    playback::{Playback, is_finished},
    recording::Recording,
    run::{Run, habitats},
};
use crate::{
    app::mind_facts::MemoryReport,
    config::RunConfig,
    mind::{Creatures, GenerationEnded, WorkerState, sum_up},
    protocol::{CreatureId, CreatureName, HabitatId},
    record::GenerationRow,
    sim::{Clock, GenerationConfig, Habitat, Roster, Vitality},
    ui::{
        AgentModel, ControlsModel, FitnessModel, GenerationsModel, KeptLines, LibraryModel, LineageModel, LogModel,
        MachineModel, StageModel, TopBarModel, WhatIfModel,
    },
    view::{ViewOptions, Whose},
};

/// How often what is shown is read anew while turns follow each other.
const READ_EVERY: Duration = Duration::from_millis(100);

/// What the panels show.
#[derive(Resource, Default)]
pub(super) struct Panels {
    /// Whether it has been read at all.
    pub is_read: bool,
    /// When it was read, and the turn then.
    read: Option<(Instant, u64)>,
    /// The bar at the top.
    pub top_bar: TopBarModel,
    /// The column on the left.
    pub controls: ControlsModel,
    /// Over the habitats.
    pub stage: StageModel,
    /// Rows of the generations.
    pub generations: GenerationsModel,
    /// Curves of fitness.
    pub fitness: FitnessModel,
    /// Everybody, and the mind that is open.
    pub agent: AgentModel,
    /// What minds would do.
    pub what_if: WhatIfModel,
    /// Everybody's turns.
    pub lines: KeptLines,
    /// The family tree.
    pub lineage: LineageModel,
    /// What decisions cost.
    pub machine: MachineModel,
    /// Models, runs, cards.
    pub library: LibraryModel,
    /// What was said.
    pub log: LogModel,
    /// The living, the fittest first.
    pub fittest: Vec<CreatureName>,
    /// What has been read already of what only grows.
    seen: Seen,
}

/// What has been read already.
#[derive(Default)]
struct Seen {
    /// Generations whose values the curves have, by habitat.
    generations: BTreeMap<HabitatId, u32>,
    /// Lines of the transcript, notices.
    lines: u64,
    notices: u64,
    /// Creatures and generation of the family tree.
    family: (HabitatId, usize, u32, Option<CreatureId>),
    /// Bytes of the parts, and when they were counted.
    memory: MemoryReport,
    weighed: Option<Instant>,
    /// Turns at the last look at the clock.
    pace: Option<(Instant, u64)>,
    /// Loss of everybody's last lesson.
    losses: BTreeMap<CreatureName, f64>,
}

impl Panels {
    /// Nothing of an earlier run is left.
    pub(super) fn forget(&mut self) {
        *self = Self { log: std::mem::take(&mut self.log), ..Self::default() };
    }

    /// What is shown is read anew before the next frame.
    pub(super) const fn refresh(&mut self) {
        self.read = None;
    }
}

/// One habitat as the panels want it.
struct Living {
    entity: Entity,
    id: HabitatId,
    ended: GenerationEnded,
    roster: Vec<Entity>,
}

/// Reads what the panels show.
pub(super) fn read_models(world: &mut World) {
    world.resource_scope(|world, mut panels: Mut<Panels>| {
        let turn = world.resource::<Playback>().turns;
        let habitats = habitats(world);
        let Some(first) = habitats.first().copied() else { return };
        panels.controls = read_controls(world, &panels.controls);
        let is_fresh = panels.read.is_some_and(|(at, _)| at.elapsed() < READ_EVERY);
        if is_fresh {
            read_top_bar(world, first, &mut panels);
            return;
        }
        let living: Vec<_> = habitats.iter().filter_map(|entity| look_at(world, *entity)).collect();
        read_generations(world, &living, &mut panels);
        read_top_bar(world, first, &mut panels);
        read_stage(world, &living, &mut panels);
        panels.fittest = fittest(world, &living);
        curves::read(world, &living, &mut panels);
        minds::read(world, &living, &mut panels);
        words::read(world, &mut panels);
        family::read(world, &living, &mut panels);
        machine::read(world, &mut panels);
        read_library(world, &mut panels);
        family::read_best(world, &mut panels);
        panels.read = Some((Instant::now(), turn));
        panels.is_read = true;
    });
}

fn look_at(world: &World, entity: Entity) -> Option<Living> {
    let id = world.get::<Habitat>(entity)?.id;
    let roster = world.get::<Roster>(entity).map(|roster| roster.0.clone()).unwrap_or_default();
    Some(Living { entity, id, ended: sum_up(world, entity)?, roster })
}

fn read_library(world: &mut World, panels: &mut Panels) {
    let mut library = world.resource_mut::<Library>();
    panels.library = library.model();
    let said = library.take_said();
    let mut run = world.resource_mut::<Run>();
    for said in said {
        match said {
            Ok(done) => run.say(done),
            Err(trouble) => run.warn(trouble),
        }
    }
}

fn read_top_bar(world: &mut World, first: Entity, panels: &mut Panels) {
    let finished = is_finished(world);
    let clock = world.get::<Clock>(first).copied().unwrap_or_default();
    let turns = world.get::<GenerationConfig>(first).map_or(0, |config| config.run.turns);
    let (states, run) = (world.resource::<States>(), world.resource::<Run>());
    let shown = Pane::ALL.iter().map(|pane| (pane.name().to_owned(), states.dock.shows(*pane))).collect();
    panels.top_bar = TopBarModel {
        generation: (clock.generation, run.living.run.generations.saturating_sub(1)),
        turn: (clock.turn, turns),
        finished,
        alive: (panels.generations.alive, panels.generations.born),
        mind: panels.generations.mind.clone(),
        recording: world.get_resource::<Recording>().map(|recording| recording.left),
        dark: states.dark,
        scale: states.scale,
        panels: shown,
    };
}

fn read_controls(world: &mut World, before: &ControlsModel) -> ControlsModel {
    let finished = is_finished(world);
    let (run, playback) = (world.resource_ref::<Run>(), world.resource::<Playback>());
    let mut model = ControlsModel {
        playing: playback.playing || playback.to_generations_end,
        finished,
        speed: playback.speed,
        seed: run.living.run.seed,
        ..before.clone()
    };
    // Settings change seldom; laying them out by their keys takes a while.
    if run.is_changed() || model.defaults.get("run.seed").is_none() {
        model.settings = Arc::new(run.next.values());
        model.living = Arc::new(run.living.values());
        model.defaults = Arc::new(RunConfig::default().values());
    }
    model
}

fn read_generations(world: &World, living: &[Living], panels: &mut Panels) {
    let mut model = GenerationsModel::default();
    let history = &world.resource::<crate::record::History>().rows;
    model.rows = history[history.len().saturating_sub(200)..].to_vec();
    for one in living {
        model.living.push(GenerationRow::from(&one.ended));
        let lives = |agent: &&Entity| world.get::<Vitality>(**agent).is_some_and(|vitality| vitality.is_alive());
        model.alive += one.roster.iter().filter(lives).count() as u32;
        model.born += one.roster.len() as u32;
    }
    let (run, state) = (world.resource::<Run>(), world.resource::<WorkerState>());
    model.mind = match &state.facts {
        _ if !state.is_up() => format!("rules, for {}", run.living.mind.kind),
        Some(facts) => facts.name.clone(),
        None => run.living.mind.kind.to_string(),
    };
    model.seed = run.living.run.seed;
    panels.generations = model;
}

fn read_stage(world: &World, living: &[Living], panels: &mut Panels) {
    let (run, options, edits) = (world.resource::<Run>(), world.resource::<ViewOptions>(), world.resource::<Edits>());
    panels.stage = StageModel {
        habitats: living.len() as u32,
        entered: run.entered,
        selected: run.selected.is_some(),
        follows: options.follow,
        overlays: [options.trails == Whose::Everybody, options.visits, options.speech == Whose::Everybody],
        can_undo: edits.can(),
    };
}

/// The living creatures, the fittest first.
fn fittest(world: &World, living: &[Living]) -> Vec<CreatureName> {
    let mut all: Vec<_> = living
        .iter()
        .filter(|one| world.get::<Creatures>(one.entity).is_some())
        .flat_map(|one| one.ended.lives.iter().map(|life| (life.fitness, (one.id, life.creature))))
        .collect();
    all.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    all.into_iter().map(|(_, name)| name).collect()
}
