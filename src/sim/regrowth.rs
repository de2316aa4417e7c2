//! Food that was taken grows back on another cell.

use std::collections::VecDeque;

use bevy::{ecs::query::QueryData, prelude::*};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::{
    ground::Ground,
    habitat::{Clock, Finished, Habitat, HabitatConfig, Ledger},
    things::{Food, GridPos, InHabitat},
};
use crate::protocol::{Cell, Moment, StreamName, Thing};

/// How often a cell is drawn blindly before the free cells are listed.
const BLIND_DRAWS: usize = 32;

/// Pieces of food that are to grow back.
#[derive(Component, Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Regrowth {
    /// The turn in which each was taken, and where it lay; oldest first.
    pub waiting: VecDeque<(u32, Cell)>,
    /// Pieces that have grown back: the place in the random stream.
    pub grown: u32,
}

/// What of a habitat regrowth reads and changes.
#[derive(QueryData)]
#[query_data(mutable)]
pub struct Soil {
    entity: Entity,
    habitat: &'static Habitat,
    config: &'static HabitatConfig,
    clock: &'static Clock,
    ground: &'static mut Ground,
    regrowth: &'static mut Regrowth,
    ledger: &'static mut Ledger,
}

/// Lets food grow back whose time has come. Where no cell is free it waits.
pub fn regrow_food(mut habitats: Query<Soil, Without<Finished>>, mut commands: Commands) {
    for soil in &mut habitats {
        let SoilItem { entity, habitat, config, clock, mut ground, mut regrowth, mut ledger } = soil;
        let key = habitat.streams.key(StreamName::Regrowth);
        while let Some((taken, from)) = regrowth.waiting.front().copied() {
            if clock.turn - taken < config.habitat.regrow_turns {
                break;
            }
            let mut draws = key.at(Moment::new(clock.generation, regrowth.grown));
            let Some(cell) = draw_free_cell(&ground, from, &mut draws) else { break };
            regrowth.waiting.pop_front();
            regrowth.grown += 1;
            ledger.regrown += 1;
            let food = commands.spawn((Food, GridPos(cell), InHabitat(entity))).id();
            // At once, so that the next piece does not take the same cell.
            ground.place(Thing::Food, cell, food);
        }
    }
}

/// A free cell other than `from`, each as likely as the next, or `None` where there is none.
fn draw_free_cell(ground: &Ground, from: Cell, draws: &mut impl rand::Rng) -> Option<Cell> {
    let cells = usize::from(ground.size()).pow(2);
    let is_free = |cell: &Cell| *cell != from && ground.is_bare(*cell);
    let mut draw = |n: usize| draws.random_range(0..n);
    for _ in 0..BLIND_DRAWS {
        let cell = Cell::from_index(draw(cells), ground.size());
        if is_free(&cell) {
            return Some(cell);
        }
    }
    let free: Vec<Cell> = (0..cells).map(|i| Cell::from_index(i, ground.size())).filter(is_free).collect();
    if free.is_empty() { None } else { Some(free[draw(free.len())]) }
}
