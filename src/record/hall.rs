//! The hall of fame as a table.

use bevy::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    mind::HallOfFame,
    protocol::{CreatureId, HabitatId},
    sim::Habitat,
};

/// One of the best that ever lived. The columns of `hall.csv`, in order.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct HallRow {
    /// The habitat.
    pub habitat: HabitatId,
    /// Its place there, 1 for the best.
    pub rank: u32,
    /// Its number.
    pub creature: CreatureId,
    /// The generation in which it did best.
    pub generation: u32,
    /// Its fitness then.
    pub fitness: f64,
    /// Mean fitness of everybody on the same map, then.
    pub mean_fitness: f64,
    /// Pieces of food that it took up.
    pub collected: u32,
    /// Pieces that it delivered.
    pub delivered: u32,
    /// Turns that it was alive.
    pub turns_alive: u32,
}

/// Everybody in the halls of fame of all habitats, by habitat and place.
pub fn hall_rows(world: &mut World) -> Vec<HallRow> {
    let mut habitats = world.query::<(&Habitat, &HallOfFame)>();
    let mut halls: Vec<_> = habitats.iter(world).map(|(habitat, hall)| (habitat.id, hall)).collect();
    halls.sort_by_key(|(habitat, _)| *habitat);
    let rows = halls.into_iter().flat_map(|(habitat, hall)| {
        (1..).zip(&hall.0).map(move |(rank, one)| HallRow {
            habitat,
            rank,
            creature: one.creature,
            generation: one.generation,
            fitness: one.fitness,
            mean_fitness: one.mean_fitness,
            collected: one.record.food_collected,
            delivered: one.record.food_delivered,
            turns_alive: one.record.turns_alive,
        })
    });
    rows.collect()
}
