//! What each action does. One file an action; a new one is a file and a row in [`perform`].

mod drop;
mod eat;
mod pick_up;
mod step;
mod wait;

use bevy::prelude::Entity;

use super::{ground::Ground, habitat::Ledger};
use crate::{
    config::RunConfig,
    protocol::{Action, Cell, LifeRecord, Outcome, Thing},
};

/// All that an act may look at and change: the agent's body and the ground of its habitat.
#[derive(Debug)]
pub struct Acting<'a> {
    /// The habitat's settings.
    pub config: &'a RunConfig,
    /// What lies where.
    pub ground: &'a mut Ground,
    /// The habitat's books.
    pub ledger: &'a mut Ledger,
    /// Food taken off the ground in this turn: the entity, and where it lay.
    pub taken: &'a mut Vec<(Entity, Cell)>,
    /// Where the agent stands.
    pub cell: &'a mut Cell,
    /// Its energy.
    pub energy: &'a mut f64,
    /// What it carries.
    pub load: &'a mut Option<Thing>,
    /// What it has achieved.
    pub life: &'a mut LifeRecord,
    /// How much nearer this act has brought it to where it should go, in cells.
    pub nearer: f64,
}

impl Acting<'_> {
    /// Adds energy, up to the most that an agent can have.
    pub fn gain_energy(&mut self, points: f64) {
        *self.energy = (*self.energy + points).min(self.config.energy.max);
    }

    /// Takes the food in the agent's cell off the ground, if there is any.
    pub fn take_food(&mut self) -> bool {
        let taken = self.ground.take(Thing::Food, *self.cell);
        self.taken.extend(taken.map(|food| (food, *self.cell)));
        taken.is_some()
    }
}

/// Carries out `action` and says what came of it.
pub fn perform(action: Action, acting: &mut Acting) -> Outcome {
    match action {
        Action::Move(direction) => step::act(direction, acting),
        Action::PickUp => pick_up::act(acting),
        Action::Drop => drop::act(acting),
        Action::Eat => eat::act(acting),
        Action::Wait => wait::act(acting),
    }
}

#[cfg(test)]
mod tests;
