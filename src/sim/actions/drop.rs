//! Dropping: delivers the load at home. Elsewhere it is invalid and changes nothing, or agents would live on
//! picking up and dropping.

use super::Acting;
use crate::protocol::{Outcome, Thing};

pub(super) fn act(acting: &mut Acting) -> Outcome {
    if *acting.load != Some(Thing::Food) || !acting.ground.has(Thing::Home, *acting.cell) {
        return Outcome::Invalid;
    }
    *acting.load = None;
    acting.life.food_delivered += 1;
    acting.ledger.delivered += 1;
    acting.gain_energy(acting.config.energy.delivery);
    Outcome::Delivered
}
