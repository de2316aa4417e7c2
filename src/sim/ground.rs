//! What lies where: the habitat's index by cell, and its distance maps.

use bevy::prelude::*;

use super::distance::DistanceMap;
use crate::protocol::{Cell, Thing};

/// The kinds of things that lie in cells.
const FIXTURES: usize = 3;

/// The index of a habitat: which thing lies in which cell, how many living agents stand there, and how far it is to
/// home and to food. Derived from the entities and kept up as they come and go; it is never the truth itself.
#[derive(Component, Debug, Clone)]
pub struct Ground {
    size: u16,
    /// A bit per kind of thing that lies in the cell: what is asked most often, in one byte.
    kinds: Vec<u8>,
    layers: [Vec<Option<Entity>>; FIXTURES],
    counts: [u32; FIXTURES],
    crowd: Vec<u16>,
    to_home: DistanceMap,
    to_food: DistanceMap,
}

impl Ground {
    /// Bare ground of `size` × `size` cells, on which food is smelt from `scent_range` steps away.
    pub fn new(size: u16, scent_range: u16) -> Self {
        let cells = size as usize * size as usize;
        Self {
            size,
            kinds: vec![0; cells],
            layers: std::array::from_fn(|_| vec![None; cells]),
            counts: [0; FIXTURES],
            crowd: vec![0; cells],
            to_home: DistanceMap::new(size, u16::MAX),
            to_food: DistanceMap::new(size, scent_range),
        }
    }

    /// Cells along each side.
    pub const fn size(&self) -> u16 {
        self.size
    }

    /// Steps to home, along the shortest path.
    pub const fn to_home(&self) -> &DistanceMap {
        &self.to_home
    }

    /// Steps to food, along the shortest path, as far as it is smelt.
    pub const fn to_food(&self) -> &DistanceMap {
        &self.to_food
    }

    /// The thing of this kind in `cell`.
    pub fn at(&self, thing: Thing, cell: Cell) -> Option<Entity> {
        layer(thing).and_then(|layer| self.layers[layer][cell.index(self.size)])
    }

    /// Whether a thing of this kind lies in `cell`.
    pub fn has(&self, thing: Thing, cell: Cell) -> bool {
        layer(thing).is_some_and(|layer| self.kinds[cell.index(self.size)] & (1 << layer) != 0)
    }

    /// How many things of this kind there are.
    pub fn count(&self, thing: Thing) -> u32 {
        layer(thing).map_or(0, |layer| self.counts[layer])
    }

    /// All things of one kind with their cells, in the order of the cells.
    pub fn all(&self, thing: Thing) -> impl Iterator<Item = (Cell, Entity)> {
        let cells = layer(thing).map_or(&[][..], |layer| &self.layers[layer][..]);
        cells.iter().enumerate().filter_map(|(i, entity)| Some((Cell::from_index(i, self.size), (*entity)?)))
    }

    /// Notes that `entity` lies in `cell`.
    pub fn place(&mut self, thing: Thing, cell: Cell, entity: Entity) {
        let Some(layer) = layer(thing) else { return };
        if self.layers[layer][cell.index(self.size)].replace(entity).is_some() {
            return;
        }
        self.kinds[cell.index(self.size)] |= 1 << layer;
        self.counts[layer] += 1;
        match thing {
            Thing::Home => self.to_home.add_source(cell),
            Thing::Food => self.to_food.add_source(cell),
            _ => {
                self.to_home.block(cell);
                self.to_food.block(cell);
            }
        }
    }

    /// Takes the thing of this kind out of `cell`, and says which it was.
    pub fn take(&mut self, thing: Thing, cell: Cell) -> Option<Entity> {
        let layer = layer(thing)?;
        let taken = self.layers[layer][cell.index(self.size)].take()?;
        self.kinds[cell.index(self.size)] &= !(1 << layer);
        self.counts[layer] -= 1;
        match thing {
            Thing::Home => self.to_home.remove_source(cell),
            Thing::Food => self.to_food.remove_source(cell),
            _ => {
                self.to_home.unblock(cell);
                self.to_food.unblock(cell);
            }
        }
        Some(taken)
    }

    /// Living agents in `cell`.
    pub fn crowd(&self, cell: Cell) -> u16 {
        self.crowd[cell.index(self.size)]
    }

    /// Notes that a living agent has come to `cell`.
    pub fn enter(&mut self, cell: Cell) {
        let crowd = &mut self.crowd[cell.index(self.size)];
        *crowd = crowd.saturating_add(1);
    }

    /// Notes that a living agent has left `cell`, or died there.
    pub fn leave(&mut self, cell: Cell) {
        let crowd = &mut self.crowd[cell.index(self.size)];
        *crowd = crowd.saturating_sub(1);
    }
}

/// The layer for a kind of thing that lies in cells.
const fn layer(thing: Thing) -> Option<usize> {
    match thing {
        Thing::Home => Some(0),
        Thing::Food => Some(1),
        Thing::Wall => Some(2),
        Thing::Edge | Thing::Agent => None,
    }
}
