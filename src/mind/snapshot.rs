//! A habitat with what its minds remember, as plain data, and back.
//!
//! This module does *not* know adapters: those are the worker's. Nor files.

use std::collections::BTreeMap;

use bevy::prelude::*;
use serde::{Deserialize, Serialize};

use super::{
    creatures::Creatures,
    hall::HallOfFame,
    memory::{Memories, Memory},
    resolve::Fallback,
};
use crate::{
    protocol::CreatureId,
    sim::{Habitat, HabitatState, restore_habitat, save_habitat},
};

/// A habitat and what its agents' minds remember, between two turns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The habitat.
    pub habitat: HabitatState,
    /// What `rules` had to stand in for.
    pub fallback: Fallback,
    /// The individuals in its places.
    pub creatures: Creatures,
    /// What they remember.
    pub memories: BTreeMap<CreatureId, Memory>,
    /// The best that ever lived in it.
    pub hall: HallOfFame,
}

/// All habitats as they are now, by number. Everything that the worker was asked beside the turns' questions must have been
/// answered: see [`wait_for_errands`](super::wait_for_errands).
pub fn save_habitats(world: &mut World) -> Vec<Snapshot> {
    let mut habitats = world.query::<(Entity, &Habitat)>();
    let mut sorted: Vec<_> = habitats.iter(world).map(|(entity, habitat)| (habitat.id, entity)).collect();
    sorted.sort_unstable();
    let world = &*world;
    let save = |(_, entity)| {
        Some(Snapshot {
            habitat: save_habitat(world, entity)?,
            fallback: world.get::<Fallback>(entity).copied().unwrap_or_default(),
            creatures: world.get::<Creatures>(entity).cloned().unwrap_or_default(),
            memories: world.get::<Memories>(entity).cloned().unwrap_or_default().0,
            hall: world.get::<HallOfFame>(entity).cloned().unwrap_or_default(),
        })
    };
    sorted.into_iter().filter_map(save).collect()
}

/// Makes a habitat as it was.
///
/// # Errors
/// A clause that says what of it cannot be.
pub fn restore_snapshot(world: &mut World, snapshot: &Snapshot) -> Result<Entity, String> {
    let entity = restore_habitat(world, &snapshot.habitat)?;
    let Snapshot { fallback, creatures, memories, hall, .. } = snapshot.clone();
    world.entity_mut(entity).insert((fallback, creatures, Memories(memories), hall));
    Ok(entity)
}
