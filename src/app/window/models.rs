//! What the panels show, read from the world between two frames.

use std::sync::Arc;

use bevy::prelude::*;

use super::{
    dock::Pane,
    memory::States,
    playback::{Playback, is_finished},
    run::{Run, habitats},
};
use crate::{
    config::RunConfig,
    mind::{Creatures, WorkerState, sum_up},
    protocol::CreatureName,
    record::{GenerationRow, History},
    sim::{Clock, Habitat, Roster, Vitality},
    ui::{ControlsModel, GenerationsModel, StageModel, TopBarModel},
};

/// Generations that the table shows, the latest ones.
const SHOWN: usize = 200;

/// What the panels show.
#[derive(Resource, Debug, Default)]
pub(super) struct Panels {
    /// Whether it has been read at all.
    pub is_read: bool,
    /// The bar at the top.
    pub top_bar: TopBarModel,
    /// The column on the left.
    pub controls: ControlsModel,
    /// Over the habitats.
    pub stage: StageModel,
    /// Rows of the generations.
    pub generations: GenerationsModel,
    /// The living, the fittest first.
    pub fittest: Vec<CreatureName>,
}

/// Reads what the panels show.
pub(super) fn read_models(world: &mut World) {
    let habitats = habitats(world);
    let Some(first) = habitats.first().copied() else { return };
    world.resource_scope(|world, mut panels: Mut<Panels>| {
        let generations = read_generations(world, &habitats);
        let clock = world.get::<Clock>(first).copied().unwrap_or_default();
        panels.top_bar = read_top_bar(world, clock, &generations);
        panels.controls = read_controls(world, &panels.controls);
        panels.fittest = read_fittest(world, &habitats);
        panels.generations = generations;
        panels.is_read = true;
    });
}

fn read_top_bar(world: &mut World, clock: Clock, generations: &GenerationsModel) -> TopBarModel {
    let finished = is_finished(world);
    let (states, run) = (world.resource::<States>(), world.resource::<Run>());
    let panels = Pane::ALL.iter().map(|pane| (pane.name().to_owned(), states.dock.shows(*pane))).collect();
    TopBarModel {
        generation: (clock.generation, run.living.run.generations.saturating_sub(1)),
        turn: (clock.turn, run.living.run.turns),
        finished,
        alive: (generations.alive, generations.born),
        mind: generations.mind.clone(),
        recording: None,
        dark: states.dark,
        scale: states.scale,
        panels,
    }
}

fn read_controls(world: &mut World, before: &ControlsModel) -> ControlsModel {
    let finished = is_finished(world);
    let (run, playback) = (world.resource_ref::<Run>(), world.resource::<Playback>());
    let mut model = ControlsModel {
        playing: playback.playing,
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

fn read_generations(world: &mut World, habitats: &[Entity]) -> GenerationsModel {
    let history = &world.resource::<History>().rows;
    let latest = history[history.len().saturating_sub(SHOWN)..].to_vec();
    let mut model = GenerationsModel { rows: latest, ..GenerationsModel::default() };
    for habitat in habitats {
        model.living.extend(sum_up(world, *habitat).map(|ended| GenerationRow::from(&ended)));
        let roster = world.get::<Roster>(*habitat).map(|roster| roster.0.clone()).unwrap_or_default();
        let lives = |agent: &&Entity| world.get::<Vitality>(**agent).is_some_and(|vitality| vitality.is_alive());
        model.alive += roster.iter().filter(lives).count() as u32;
        model.born += roster.len() as u32;
    }
    let (run, state) = (world.resource::<Run>(), world.resource::<WorkerState>());
    model.mind = match &state.facts {
        _ if !state.is_up() => format!("rules, for {}", run.living.mind.kind),
        Some(facts) => facts.name.clone(),
        None => run.living.mind.kind.to_string(),
    };
    model.seed = run.living.run.seed;
    model
}

/// The living creatures, the fittest first.
fn read_fittest(world: &World, habitats: &[Entity]) -> Vec<CreatureName> {
    let mut all = Vec::new();
    for habitat in habitats {
        let Some((id, creatures)) = world.get::<Habitat>(*habitat).zip(world.get::<Creatures>(*habitat)) else {
            continue;
        };
        for life in sum_up(world, *habitat).map(|ended| ended.lives).unwrap_or_default() {
            all.push((life.fitness, (id.id, creatures.at(life.agent))));
        }
    }
    all.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    all.into_iter().map(|(_, name)| name).collect()
}
