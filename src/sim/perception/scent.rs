//! Perception by scent: arrows along the shortest paths, from the distance maps.

use crate::{
    protocol::{Cell, Observation, Thing},
    sim::ground::Ground,
};

/// Points to home and food along the shortest path: at most two arrows each, food as far as it is smelt.
pub(super) fn sense(ground: &Ground, cell: Cell, observation: &mut Observation) {
    observation.see(Thing::Home, ground.to_home().bearing(cell));
    observation.see(Thing::Food, ground.to_food().bearing(cell));
}
