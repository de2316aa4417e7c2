//! Makes habitats, and fills them with a new map and new agents at the beginning of every generation.

use std::sync::Arc;

use bevy::prelude::*;

use super::{
    agent::{Agent, Energy},
    ground::Ground,
    habitat::{Clock, GenerationConfig, Habitat, HabitatConfig, Ledger, Roster},
    map::plan_map,
    regrowth::Regrowth,
    things::{Food, GridPos, Home, InHabitat, Wall},
};
use crate::{
    config::RunConfig,
    protocol::{AgentId, HabitatId, Moment, StreamName, Streams, Thing},
};

/// Makes the habitat called `id` with its first generation, and gives its entity. What is drawn in it depends on `streams`
/// alone, which usually have the same number.
pub fn spawn_habitat(world: &mut World, id: HabitatId, streams: Streams, config: Arc<RunConfig>) -> Entity {
    let ground = Ground::new(config.habitat.size, config.habitat.scent_range);
    let parts = (Clock::default(), Roster::default(), Ledger::default(), Regrowth::default());
    let habitat = Habitat { id, streams };
    let entity = world.spawn((habitat, HabitatConfig(config), ground, parts)).id();
    populate(world, entity);
    entity
}

/// Clears a habitat and begins its next generation, on a new map.
pub fn repopulate(world: &mut World, habitat: Entity) {
    clear(world, habitat);
    if let Some(mut clock) = world.get_mut::<Clock>(habitat) {
        *clock = Clock { generation: clock.generation + 1, turn: 0 };
    }
    populate(world, habitat);
}

/// Takes a habitat out of the world, with everything in it.
pub fn despawn_habitat(world: &mut World, habitat: Entity) {
    clear(world, habitat);
    world.despawn(habitat);
}

/// Takes everything out of a habitat.
fn clear(world: &mut World, habitat: Entity) {
    let Some(config) = world.get::<HabitatConfig>(habitat).map(|config| Arc::clone(&config.0)) else { return };
    let bare = Ground::new(config.habitat.size, config.habitat.scent_range);
    // Bare ground first: then the observers find nothing to take back while things go.
    let Some(old) = world.get_mut::<Ground>(habitat).map(|mut ground| std::mem::replace(&mut *ground, bare)) else {
        return;
    };
    let agents = world.get_mut::<Roster>(habitat).map(|mut roster| std::mem::take(&mut roster.0)).unwrap_or_default();
    let fixtures =
        Thing::ALL.into_iter().flat_map(|thing| old.all(thing).map(|(_, entity)| entity).collect::<Vec<_>>());
    for entity in fixtures.chain(agents) {
        world.despawn(entity);
    }
}

/// Draws the generation's map and puts everything and everybody on it.
fn populate(world: &mut World, habitat: Entity) {
    let Some((Habitat { streams, .. }, clock)) =
        world.get::<Habitat>(habitat).copied().zip(world.get::<Clock>(habitat).copied())
    else {
        return;
    };
    let Some(config) = world.get::<HabitatConfig>(habitat).map(|config| Arc::clone(&config.0)) else { return };
    let moment = Moment::new(clock.generation, 0);
    let plan = plan_map(&config.habitat, &mut streams.key(StreamName::Map).at(moment));
    let place = |cell| (GridPos(cell), InHabitat(habitat));
    // Walls before sources: so the distance maps spread once.
    world.spawn_batch(plan.walls.iter().map(|cell| (Wall, place(*cell))).collect::<Vec<_>>());
    world.spawn_batch(plan.home.iter().map(|cell| (Home, place(*cell))).collect::<Vec<_>>());
    world.spawn_batch(plan.food.iter().map(|cell| (Food, place(*cell))).collect::<Vec<_>>());

    let agents = (0..config.habitat.agents).map(AgentId).map(|id| {
        let cell = plan.draw_start(&mut streams.agent_key(StreamName::Spawn, id).at(moment));
        (Agent { id }, place(cell), Energy(config.energy.start))
    });
    let agents: Vec<_> = agents.collect();
    let cells: Vec<_> = agents.iter().map(|(_, (place, _), _)| place.0).collect();
    let roster = world.spawn_batch(agents).collect();
    let Ok(mut entity) = world.get_entity_mut(habitat) else { return };
    entity.insert((
        GenerationConfig(config),
        Roster(roster),
        Regrowth::default(),
        Ledger { placed: plan.food.len() as u64, ..Ledger::default() },
    ));
    if let Some(mut ground) = entity.get_mut::<Ground>() {
        cells.into_iter().for_each(|cell| ground.enter(cell));
    }
}
