//! A habitat as plain data, and back: what must be known of it between two turns to go on as if nothing had been.
//!
//! Random streams are counted, not kept: the clock and the seed are all that they need. Distance maps follow from what lies
//! where. What agents saw and did last is seen and done anew in the next turn.
//!
//! This module does *not* know minds, files, or when a habitat is saved.

use std::sync::Arc;

use bevy::prelude::*;
use serde::{Deserialize, Serialize};

use super::{
    agent::{Agent, Energy, Life, Load, Vitality},
    ground::Ground,
    habitat::{Clock, Finished, GenerationConfig, Habitat, HabitatConfig, Ledger, Roster},
    regrowth::Regrowth,
    things::{Food, GridPos, Home, InHabitat, Wall},
};
use crate::{
    config::RunConfig,
    protocol::{AgentId, Cell, HabitatId, LifeRecord, Streams, Thing},
};

/// One agent's body.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AgentState {
    /// Where it is.
    pub cell: Cell,
    /// Energy left.
    pub energy: f64,
    /// What it carries.
    pub load: Option<Thing>,
    /// Whether it lives.
    pub alive: bool,
    /// What it has achieved.
    pub life: LifeRecord,
}

/// One habitat, between two turns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HabitatState {
    /// Its number.
    pub id: HabitatId,
    /// Its random streams.
    pub streams: Streams,
    /// Its settings.
    pub config: RunConfig,
    /// The settings with which the present generation began, where the habitat's have changed since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun_with: Option<RunConfig>,
    /// How far its life has come.
    pub clock: Clock,
    /// The generation's books.
    pub ledger: Ledger,
    /// Food that is to grow back.
    pub regrowth: Regrowth,
    /// The cells of home, in the order in which they were placed.
    pub home: Vec<Cell>,
    /// The cells that are walls.
    pub walls: Vec<Cell>,
    /// The cells that hold food.
    pub food: Vec<Cell>,
    /// The agents, by place.
    pub agents: Vec<AgentState>,
    /// Whether its last generation is over.
    pub finished: bool,
}

/// A habitat as it is now; `None` if there is none.
pub fn save_habitat(world: &World, entity: Entity) -> Option<HabitatState> {
    let Habitat { id, streams } = *world.get::<Habitat>(entity)?;
    let (ground, config) = (world.get::<Ground>(entity)?, world.get::<HabitatConfig>(entity)?);
    let cells = |thing| ground.all(thing).map(|(cell, _)| cell).collect();
    let agent = |entity: &Entity| {
        Some(AgentState {
            cell: world.get::<GridPos>(*entity)?.0,
            energy: world.get::<Energy>(*entity)?.0,
            load: world.get::<Load>(*entity)?.0,
            alive: world.get::<Vitality>(*entity)?.is_alive(),
            life: world.get::<Life>(*entity)?.0,
        })
    };
    Some(HabitatState {
        id,
        streams,
        config: RunConfig::clone(config),
        begun_with: world
            .get::<GenerationConfig>(entity)
            .filter(|begun| !Arc::ptr_eq(&begun.0, &config.0) && begun.0 != config.0)
            .map(|begun| RunConfig::clone(begun)),
        clock: *world.get::<Clock>(entity)?,
        ledger: *world.get::<Ledger>(entity)?,
        regrowth: world.get::<Regrowth>(entity)?.clone(),
        home: ground.home().to_vec(),
        walls: cells(Thing::Wall),
        food: cells(Thing::Food),
        agents: world.get::<Roster>(entity)?.iter().filter_map(agent).collect(),
        finished: world.get::<Finished>(entity).is_some(),
    })
}

/// Makes a habitat as it was.
///
/// # Errors
/// A clause that says what of it cannot be: something lies outside.
pub fn restore_habitat(world: &mut World, state: &HabitatState) -> Result<Entity, String> {
    let (size, id) = (state.config.habitat.size, state.id);
    let places = [&state.home, &state.walls, &state.food].into_iter().flatten();
    let waiting = state.regrowth.waiting.iter().map(|(_, cell)| cell);
    let all = places.chain(waiting).copied().chain(state.agents.iter().map(|agent| agent.cell));
    if let Some(cell) = all.into_iter().find(|cell| cell.x >= size || cell.y >= size) {
        return Err(format!("in habitat {id} something lies at ({},{}), outside of its {size} cells", cell.x, cell.y));
    }
    let config = Arc::new(state.config.clone());
    let begun_with = state.begun_with.clone().map_or_else(|| Arc::clone(&config), Arc::new);
    let mut ground = Ground::new(size, begun_with.habitat.scent_range);
    state.agents.iter().filter(|agent| agent.alive).for_each(|agent| ground.enter(agent.cell));
    let habitat = Habitat { id, streams: state.streams };
    let config = (HabitatConfig(config), GenerationConfig(begun_with));
    let entity = world.spawn((habitat, config, ground, state.clock, state.ledger, state.regrowth.clone())).id();
    let place = |cell: &Cell| (GridPos(*cell), InHabitat(entity));
    world.spawn_batch(state.walls.iter().map(|cell| (Wall, place(cell))).collect::<Vec<_>>());
    world.spawn_batch(state.home.iter().map(|cell| (Home, place(cell))).collect::<Vec<_>>());
    world.spawn_batch(state.food.iter().map(|cell| (Food, place(cell))).collect::<Vec<_>>());
    let body = |(id, agent): (usize, &AgentState)| {
        let vitality = if agent.alive { Vitality::Alive } else { Vitality::Dead };
        let parts = (Energy(agent.energy), Load(agent.load), vitality, Life(agent.life));
        (Agent { id: AgentId(id as u32) }, place(&agent.cell), parts)
    };
    let roster = world.spawn_batch(state.agents.iter().enumerate().map(body).collect::<Vec<_>>()).collect();
    world.entity_mut(entity).insert(Roster(roster));
    if state.finished {
        world.entity_mut(entity).insert(Finished);
    }
    Ok(entity)
}
