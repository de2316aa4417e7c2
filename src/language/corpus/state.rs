//! Draws what an agent may see, without a habitat.
//!
//! Every form that perception by scent or by sight can give is drawn. Rare ones that matter (food here, home here) are
//! drawn more often than an agent meets them, and where home lies does not depend on the position: so that a model reads
//! the arrows and does not guess.

use std::ops::RangeInclusive;

use rand::{Rng, RngExt};

use super::shuffled;
use crate::protocol::{Bearing, Cell, Direction, Observation, Thing};

/// Cells along each side of the habitats that are thought of.
pub(super) const SIZES: RangeInclusive<u16> = 14..=35;
/// Points of energy.
const ENERGY: RangeInclusive<u16> = 0..=100;

/// Chances, in percent.
const LOADED: u32 = 50;
/// That a neighbouring cell is a wall, or else has another agent in it.
const WALLED: u32 = 12;
const CROWDED: u32 = 8;
/// That the agent is at home; that it stands on food, or else smells none.
const HOME_HERE: u32 = 12;
const FOOD_HERE: u32 = 20;
const NO_FOOD: u32 = 12;
/// That arrows are straight, as sight gives them, and so may point at walls.
const STRAIGHT: u32 = 10;
/// That there is a second arrow.
const TWO_ARROWS: u32 = 45;
/// That two shortest paths home that start in opposite directions are let be: they lead round a wall, which is rare.
const HOME_BOTH_WAYS: u32 = 10;

/// Draws a state, in a habitat of any of [`SIZES`].
pub(super) fn draw(draws: &mut impl Rng) -> Observation {
    let size = draws.random_range(SIZES);
    let at = cell(size, draws);
    let load = happens(LOADED, draws).then_some(Thing::Food);
    let mut observation = Observation::new(at, draws.random_range(ENERGY), load);
    look_beside(&mut observation, size, draws);
    let straight = happens(STRAIGHT, draws);
    let home = if happens(HOME_HERE, draws) {
        Bearing::HERE
    } else {
        let both_ways = !straight && happens(HOME_BOTH_WAYS, draws);
        arrows(&observation, straight, both_ways, draws)
    };
    let food = if !home.is_here() && happens(FOOD_HERE, draws) {
        Bearing::HERE // Food neither lies nor grows at home.
    } else if happens(NO_FOOD, draws) {
        Bearing::NONE
    } else {
        arrows(&observation, straight, !straight, draws)
    };
    observation.with(Thing::Home, home).with(Thing::Food, food)
}

/// Draws a cell of a habitat of `size` × `size` cells.
pub(super) fn cell(size: u16, draws: &mut impl Rng) -> Cell {
    Cell::new(draws.random_range(0..size), draws.random_range(0..size))
}

fn happens(percent: u32, draws: &mut impl Rng) -> bool {
    draws.random_ratio(percent, 100)
}

/// Edges where the habitat ends, then walls and agents. One way at least stays open, as on every map.
fn look_beside(observation: &mut Observation, size: u16, draws: &mut impl Rng) {
    let at = observation.at;
    let mut beside = |thing, direction| observation.see(thing, observation.bearing(thing).with(direction));
    let (inside, outside): (Vec<_>, Vec<_>) =
        shuffled(Direction::ALL, draws).into_iter().partition(|d| at.neighbour(*d, size).is_some());
    outside.into_iter().for_each(|direction| beside(Thing::Edge, direction));
    let mut open = inside.len();
    for direction in inside {
        if open > 1 && happens(WALLED, draws) {
            beside(Thing::Wall, direction);
            open -= 1;
        } else if happens(CROWDED, draws) {
            beside(Thing::Agent, direction);
        }
    }
}

/// One or two arrows, none at an edge, and at a wall only where they are `straight`. Opposite ones if `both_ways`.
fn arrows(observation: &Observation, straight: bool, both_ways: bool, draws: &mut impl Rng) -> Bearing {
    let leads = |d: &Direction| {
        !observation.bearing(Thing::Edge).has(*d) && (straight || !observation.bearing(Thing::Wall).has(*d))
    };
    let ways = shuffled(Direction::ALL.into_iter().filter(leads), draws);
    let wanted = if happens(TWO_ARROWS, draws) { 2 } else { 1 };
    let (first, rest) = ways.split_at(ways.len().min(1));
    let fits = |d: &&Direction| both_ways || first.iter().all(|f| opposite(*f) != **d);
    rest.iter().filter(fits).take(wanted - 1).fold(Bearing::toward(first), |bearing, d| bearing.with(*d))
}

/// The direction that leads back.
pub(super) const fn opposite(direction: Direction) -> Direction {
    match direction {
        Direction::North => Direction::South,
        Direction::South => Direction::North,
        Direction::East => Direction::West,
        Direction::West => Direction::East,
    }
}
