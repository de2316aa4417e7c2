//! Eating: the food in the agent's cell, else what it carries.

use super::Acting;
use crate::protocol::{Outcome, Thing};

pub(super) fn act(acting: &mut Acting) -> Outcome {
    if acting.take_food() {
        acting.ledger.eaten_off_ground += 1;
    } else if *acting.load == Some(Thing::Food) {
        *acting.load = None;
        acting.ledger.eaten_from_hand += 1;
    } else {
        return Outcome::Invalid;
    }
    let hungry = *acting.energy < acting.config.energy.hungry;
    acting.gain_energy(acting.config.energy.eating);
    if hungry { Outcome::AteHungry } else { Outcome::AteSated }
}
