//! The hall of fame: who did best of all that ever lived in a habitat.
//!
//! This module does *not* know adapters: the worker keeps a copy of each one's, as it was at that generation's end.

use bevy::prelude::*;
use serde::{Deserialize, Serialize};

use super::resolve::Lived;
use crate::protocol::{CreatureId, LifeRecord};

/// One of the best that ever lived.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Honoured {
    /// Who.
    pub creature: CreatureId,
    /// The generation in which it did best.
    pub generation: u32,
    /// Its fitness then.
    pub fitness: f64,
    /// What it did then.
    pub record: LifeRecord,
    /// Mean fitness of everybody on the same map, then.
    pub mean_fitness: f64,
}

/// The best that ever lived in a habitat, best first; each with the best of its generations.
#[derive(Component, Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct HallOfFame(pub Vec<Honoured>);

impl HallOfFame {
    /// Lets those in who have done better than someone in it, or for whom there is room among `most`; gives who they are.
    /// On a tie the older creature stands first.
    pub fn admit(&mut self, generation: u32, lives: &[Lived], most: usize) -> Vec<CreatureId> {
        let mean_fitness = lives.iter().map(|life| life.fitness).sum::<f64>() / lives.len().max(1) as f64;
        for life in lives {
            let Lived { creature, fitness, record, .. } = *life;
            let known = self.0.iter().position(|one| one.creature == creature);
            if known.is_some_and(|at| self.0[at].fitness >= fitness) {
                continue;
            }
            self.0.retain(|one| one.creature != creature);
            self.0.push(Honoured { creature, generation, fitness, record, mean_fitness });
        }
        self.0.sort_by(|a, b| b.fitness.total_cmp(&a.fitness).then(a.creature.cmp(&b.creature)));
        self.0.truncate(most);
        self.0.iter().filter(|one| one.generation == generation).map(|one| one.creature).collect()
    }

    /// Everybody in it.
    pub fn standing(&self) -> Vec<CreatureId> {
        self.0.iter().map(|one| one.creature).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::AgentId;

    fn lives(fitness: &[(u32, f64)]) -> Vec<Lived> {
        let life = |(creature, fitness): &(u32, f64)| Lived {
            agent: AgentId(0),
            creature: CreatureId(*creature),
            record: LifeRecord::default(),
            fitness: *fitness,
        };
        fitness.iter().map(life).collect()
    }

    #[test]
    fn the_best_stay_whatever_becomes_of_them() {
        let mut hall = HallOfFame::default();
        let standing = |hall: &HallOfFame| {
            hall.0.iter().map(|one| (one.creature.0, one.generation, one.fitness)).collect::<Vec<_>>()
        };
        let entered = hall.admit(0, &lives(&[(0, 5.0), (1, 9.0), (2, 9.0), (3, -1.0)]), 3);
        assert_eq!(entered, [1, 2, 0].map(CreatureId));
        assert_eq!(hall.0[0].mean_fitness, 5.5);
        // 1 has died; 2 does worse, 0 better than before; 4 is new, and 5 not good enough.
        let entered = hall.admit(1, &lives(&[(2, 1.0), (0, 7.0), (4, 20.0), (5, 6.0)]), 3);
        assert_eq!(entered, [CreatureId(4)]);
        assert_eq!(standing(&hall), [(4, 1, 20.0), (1, 0, 9.0), (2, 0, 9.0)]);
        assert_eq!(hall.standing(), [4, 1, 2].map(CreatureId));
        assert_eq!(hall.admit(2, &lives(&[(2, 10.0)]), 3), [CreatureId(2)]);
        assert_eq!(standing(&hall), [(4, 1, 20.0), (2, 2, 10.0), (1, 0, 9.0)]);
        assert!(hall.admit(3, &lives(&[(7, 99.0)]), 0).is_empty() && hall.0.is_empty(), "no hall");
    }
}
