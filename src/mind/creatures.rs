//! Who the agents of a habitat are: places are filled anew each generation, individuals may live on.

use bevy::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    protocol::{AgentId, CreatureId},
    sim::{Finished, Roster},
};

/// The individuals in a habitat's places.
#[derive(Component, Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Creatures {
    /// By [`AgentId`].
    pub living: Vec<CreatureId>,
    /// The number of the next to be born.
    pub next: u32,
}

impl Creatures {
    /// Fills places that nobody has with founders, and empties those that are no more.
    pub fn settle(&mut self, places: usize) {
        while self.living.len() < places {
            self.living.push(CreatureId(self.next));
            self.next += 1;
        }
        self.living.truncate(places);
    }

    /// Who has this place.
    pub fn at(&self, agent: AgentId) -> CreatureId {
        self.living.get(agent.0 as usize).copied().unwrap_or_default()
    }
}

/// Gives every agent an individual.
pub(super) fn settle_creatures(mut habitats: Query<(&Roster, &mut Creatures), Without<Finished>>) {
    for (roster, mut creatures) in &mut habitats {
        if creatures.living.len() != roster.len() {
            creatures.settle(roster.len());
        }
    }
}
