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

/// The best creature that ever lived, of all habitats, if anybody is in a hall of fame.
pub fn best_of_halls(world: &mut World) -> Option<HallRow> {
    hall_rows(world).into_iter().max_by(|a, b| a.fitness.total_cmp(&b.fitness))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        mind::Honoured,
        protocol::{LifeRecord, Streams},
    };

    #[test]
    fn the_best_that_ever_lived_may_be_of_any_habitat() {
        let mut world = World::new();
        assert_eq!(best_of_halls(&mut world), None);
        let one = |creature: u32, fitness: f64| Honoured {
            creature: CreatureId(creature),
            generation: creature,
            fitness,
            record: LifeRecord { food_delivered: 7, ..LifeRecord::default() },
            mean_fitness: -1.0,
        };
        let mut spawn = |number: u32, hall: Vec<Honoured>| {
            let id = HabitatId(number);
            let habitat = Habitat { id, streams: Streams { seed: 1, habitat: id, unseen: false } };
            world.spawn((habitat, HallOfFame(hall)));
        };
        spawn(2, vec![one(5, 20.5), one(1, 20.0)]);
        spawn(0, vec![one(8, 30.5), one(2, -3.0)]);
        spawn(1, Vec::new());
        let best = best_of_halls(&mut world).unwrap();
        assert_eq!((best.habitat, best.rank, best.creature, best.generation), (HabitatId(0), 1, CreatureId(8), 8));
        assert_eq!((best.fitness, best.delivered), (30.5, 7));
        let all: Vec<_> = hall_rows(&mut world).iter().map(|row| (row.habitat.0, row.rank, row.creature.0)).collect();
        assert_eq!(all, [(0, 1, 8), (0, 2, 2), (2, 1, 5), (2, 2, 1)]);
    }
}
