//! Moving: a step into the neighbouring cell, unless a wall or the edge is there.

use super::Acting;
use crate::{
    protocol::{Direction, Outcome, Thing},
    sim::distance::FAR,
};

pub(super) fn act(direction: Direction, acting: &mut Acting) -> Outcome {
    let Some(next) = acting.cell.neighbour(direction, acting.ground.size()) else {
        return Outcome::Bumped;
    };
    if acting.ground.has(Thing::Wall, next) {
        return Outcome::Bumped;
    }
    // Both ends on the map of this moment, so that going to and fro adds up to nothing
    // (potential-based shaping: Ng, Harada & Russell, ICML 1999).
    let goal = if acting.load.is_some() { acting.ground.to_home() } else { acting.ground.to_food() };
    let (before, after) = (goal.distance(*acting.cell), goal.distance(next));
    if before != FAR && after != FAR {
        acting.nearer = f64::from(before) - f64::from(after);
    }
    acting.ground.leave(*acting.cell);
    acting.ground.enter(next);
    *acting.cell = next;
    Outcome::Moved
}
