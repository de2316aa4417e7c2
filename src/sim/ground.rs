//! What lies where: the habitat's index by cell, and its distance maps.

use bevy::prelude::*;

use super::distance::DistanceMap;
use crate::protocol::{Cell, Thing};

/// What a kind of thing is to the ground it lies on. A new kind of thing needs a row in [`nature`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nature {
    /// Lies in cells, and agents find their way to it.
    Goal(Goal),
    /// Lies in cells, and nobody can enter or see through it.
    Obstacle,
    /// Does not lie in cells.
    Elsewhere,
}

/// A kind of thing with a distance map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goal {
    Home,
    Food,
}

const fn nature(thing: Thing) -> Nature {
    match thing {
        Thing::Home => Nature::Goal(Goal::Home),
        Thing::Food => Nature::Goal(Goal::Food),
        Thing::Wall => Nature::Obstacle,
        Thing::Edge | Thing::Agent => Nature::Elsewhere,
    }
}

/// The index of a habitat: which thing lies in which cell, how many living agents stand there, and how far it is to
/// home and to food. Derived from the entities and kept up as they come and go; it is never the truth itself.
#[derive(Component, Debug, Clone)]
pub struct Ground {
    size: u16,
    /// A bit per kind of thing that lies in the cell: what is asked most often, in one byte.
    kinds: Vec<u8>,
    layers: [Vec<Option<Entity>>; Thing::COUNT],
    counts: [u32; Thing::COUNT],
    home: Vec<Cell>,
    crowd: Vec<u32>,
    /// By [`Goal`].
    maps: [DistanceMap; 2],
}

impl Ground {
    /// Bare ground of `size` × `size` cells, on which food is smelt from `scent_range` steps away.
    pub fn new(size: u16, scent_range: u16) -> Self {
        let cells = size as usize * size as usize;
        let layer = |thing: usize| match nature(Thing::ALL[thing]) {
            Nature::Elsewhere => Vec::new(),
            Nature::Goal(_) | Nature::Obstacle => vec![None; cells],
        };
        Self {
            size,
            kinds: vec![0; cells],
            layers: std::array::from_fn(layer),
            counts: [0; Thing::COUNT],
            home: Vec::new(),
            crowd: vec![0; cells],
            maps: [DistanceMap::new(size, u16::MAX), DistanceMap::new(size, scent_range)],
        }
    }

    /// Cells along each side.
    pub const fn size(&self) -> u16 {
        self.size
    }

    /// Steps to home, along the shortest path.
    pub const fn to_home(&self) -> &DistanceMap {
        &self.maps[Goal::Home as usize]
    }

    /// Steps to food, along the shortest path, as far as it is smelt.
    pub const fn to_food(&self) -> &DistanceMap {
        &self.maps[Goal::Food as usize]
    }

    /// The cells of home, in the order in which they were placed.
    pub fn home(&self) -> &[Cell] {
        &self.home
    }

    /// The thing of this kind in `cell`.
    pub fn at(&self, thing: Thing, cell: Cell) -> Option<Entity> {
        self.layers[thing as usize].get(cell.index(self.size)).copied().flatten()
    }

    /// Whether a thing of this kind lies in `cell`.
    pub fn has(&self, thing: Thing, cell: Cell) -> bool {
        self.kinds[cell.index(self.size)] & (1 << thing as u8) != 0
    }

    /// Whether nothing at all lies in `cell`; agents may stand there.
    pub fn is_bare(&self, cell: Cell) -> bool {
        self.kinds[cell.index(self.size)] == 0
    }

    /// How many things of this kind there are.
    pub const fn count(&self, thing: Thing) -> u32 {
        self.counts[thing as usize]
    }

    /// All things of one kind with their cells, in the order of the cells.
    pub fn all(&self, thing: Thing) -> impl Iterator<Item = (Cell, Entity)> {
        let cells = self.layers[thing as usize].iter().enumerate();
        cells.filter_map(|(i, entity)| Some((Cell::from_index(i, self.size), (*entity)?)))
    }

    /// Notes that `entity` lies in `cell`. False, and nothing noted, if another of its kind lies there already.
    pub fn place(&mut self, thing: Thing, cell: Cell, entity: Entity) -> bool {
        let index = cell.index(self.size);
        let Some(slot) = self.layers[thing as usize].get_mut(index) else { return true };
        match slot {
            Some(other) => return *other == entity,
            None => *slot = Some(entity),
        }
        self.kinds[index] |= 1 << thing as u8;
        self.counts[thing as usize] += 1;
        match nature(thing) {
            Nature::Goal(goal) => self.maps[goal as usize].add_source(cell),
            Nature::Obstacle => self.maps.iter_mut().for_each(|map| map.block(cell)),
            Nature::Elsewhere => {}
        }
        if thing == Thing::Home {
            self.home.push(cell);
        }
        true
    }

    /// Takes the thing of this kind out of `cell`, and says which it was.
    pub fn take(&mut self, thing: Thing, cell: Cell) -> Option<Entity> {
        let index = cell.index(self.size);
        let taken = self.layers[thing as usize].get_mut(index)?.take()?;
        self.kinds[index] &= !(1 << thing as u8);
        self.counts[thing as usize] -= 1;
        match nature(thing) {
            Nature::Goal(goal) => self.maps[goal as usize].remove_source(cell),
            Nature::Obstacle => self.maps.iter_mut().for_each(|map| map.unblock(cell)),
            Nature::Elsewhere => {}
        }
        self.home.retain(|home| thing != Thing::Home || *home != cell);
        Some(taken)
    }

    /// Living agents in `cell`.
    pub fn crowd(&self, cell: Cell) -> u32 {
        self.crowd[cell.index(self.size)]
    }

    /// Notes that a living agent has come to `cell`.
    pub fn enter(&mut self, cell: Cell) {
        self.crowd[cell.index(self.size)] += 1;
    }

    /// Notes that a living agent has left `cell`, or died there.
    pub fn leave(&mut self, cell: Cell) {
        let crowd = &mut self.crowd[cell.index(self.size)];
        *crowd = crowd.saturating_sub(1);
    }
}
