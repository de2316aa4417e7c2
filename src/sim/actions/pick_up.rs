//! Picking up: takes the food in the agent's cell, with empty hands.

use super::Acting;
use crate::protocol::{Outcome, Thing};

pub(super) fn act(acting: &mut Acting) -> Outcome {
    if acting.load.is_some() || !acting.take_food() {
        return Outcome::Invalid;
    }
    *acting.load = Some(Thing::Food);
    acting.life.food_collected += 1;
    acting.ledger.picked_up += 1;
    acting.gain_energy(acting.config.energy.pick_up);
    Outcome::PickedUp
}
