//! Distance maps that are kept up as things come and go, in place of being made anew.
//!
//! A map holds, for every cell, the length of the shortest open path to the nearest source. Adding a source or
//! opening a cell sends a *lowering* wave from it; taking one away first *raises* the cells that depended on it
//! and then lowers them again from their surroundings. Either touches the changed cells and their rim alone.
//! Method: Ramalingam & Reps, "An incremental algorithm for a generalization of the shortest-path problem"
//! (J. Algorithms 21, 1996), for unit steps, where a queue per distance is a plain bucket list.

use crate::protocol::{Bearing, Cell, Direction};

/// The distance of a cell from which no source can be reached, or none within the reach.
pub const FAR: u16 = u16::MAX;

/// Distances to the nearest of a set of sources on a grid with blocked cells.
#[derive(Debug, Clone)]
pub struct DistanceMap {
    size: u16,
    reach: u16,
    distance: Vec<u16>,
    source: Vec<bool>,
    blocked: Vec<bool>,
    /// Work space: cells to visit, by distance. Empty between calls, kept for its memory.
    buckets: Vec<Vec<u32>>,
}

impl DistanceMap {
    /// A map of `size` × `size` open cells without sources; distances above `reach` count as [`FAR`].
    pub fn new(size: u16, reach: u16) -> Self {
        let cells = size as usize * size as usize;
        Self {
            size,
            reach: reach.min(FAR - 1),
            distance: vec![FAR; cells],
            source: vec![false; cells],
            blocked: vec![false; cells],
            buckets: Vec::new(),
        }
    }

    /// Steps from `cell` to the nearest source, or [`FAR`].
    pub fn distance(&self, cell: Cell) -> u16 {
        self.distance[cell.index(self.size)]
    }

    /// The directions in which a step comes nearer to a source, at most two of them; here, if `cell` is one.
    pub fn bearing(&self, cell: Cell) -> Bearing {
        let here = self.distance(cell);
        if here == 0 {
            return Bearing::HERE;
        }
        if here == FAR {
            return Bearing::NONE;
        }
        let nearer = |d: &Direction| cell.neighbour(*d, self.size).is_some_and(|next| self.distance(next) < here);
        Direction::ALL.into_iter().filter(nearer).take(2).fold(Bearing::NONE, Bearing::with)
    }

    /// Makes `cell` a source.
    pub fn add_source(&mut self, cell: Cell) {
        let index = cell.index(self.size);
        self.source[index] = true;
        if !self.blocked[index] {
            self.propose(index, 0);
            self.lower();
        }
    }

    /// Makes `cell` a source no more.
    pub fn remove_source(&mut self, cell: Cell) {
        let index = cell.index(self.size);
        if std::mem::take(&mut self.source[index]) {
            self.raise(index);
        }
    }

    /// Closes `cell`: no path leads through it.
    pub fn block(&mut self, cell: Cell) {
        let index = cell.index(self.size);
        if !std::mem::replace(&mut self.blocked[index], true) {
            self.raise(index);
        }
    }

    /// Opens `cell` again.
    pub fn unblock(&mut self, cell: Cell) {
        let index = cell.index(self.size);
        if std::mem::take(&mut self.blocked[index]) {
            let best = self.best_from_around(index);
            self.propose(index, best);
            self.lower();
        }
    }

    fn neighbours(&self, index: usize) -> impl Iterator<Item = usize> + use<> {
        let size = self.size;
        let cell = Cell::from_index(index, size);
        Direction::ALL.into_iter().filter_map(move |d| Some(cell.neighbour(d, size)?.index(size)))
    }

    /// The distance that the surroundings give to an open cell.
    fn best_from_around(&self, index: usize) -> u16 {
        if self.source[index] {
            return 0;
        }
        self.neighbours(index).map(|n| self.distance[n]).min().unwrap_or(FAR).saturating_add(1)
    }

    fn push(&mut self, index: usize, distance: u16) {
        let bucket = usize::from(distance);
        if self.buckets.len() <= bucket {
            self.buckets.resize_with(bucket + 1, Vec::new);
        }
        self.buckets[bucket].push(index as u32);
    }

    /// Puts a cell on the lowering wave, if `distance` is better than what it has.
    fn propose(&mut self, index: usize, distance: u16) {
        if distance <= self.reach && distance < self.distance[index] && !self.blocked[index] {
            self.distance[index] = distance;
            self.push(index, distance);
        }
    }

    /// Spreads better distances outwards, nearest first.
    fn lower(&mut self) {
        let mut at = 0;
        while at < self.buckets.len() {
            while let Some(index) = self.buckets[at].pop() {
                let index = index as usize;
                if usize::from(self.distance[index]) != at {
                    continue;
                }
                for next in self.neighbours(index) {
                    self.propose(next, at as u16 + 1);
                }
            }
            at += 1;
        }
    }

    /// Forgets the distance of `start` and of every cell that has lost its way to a source, then finds new ones.
    fn raise(&mut self, start: usize) {
        if self.distance[start] == FAR {
            return;
        }
        let mut lost = Vec::new();
        self.push(start, self.distance[start]);
        let mut at = 0;
        while at < self.buckets.len() {
            while let Some(index) = self.buckets[at].pop() {
                let index = index as usize;
                if usize::from(self.distance[index]) != at || self.is_supported(index) {
                    continue;
                }
                self.distance[index] = FAR;
                lost.push(index);
                for next in self.neighbours(index) {
                    if usize::from(self.distance[next]) == at + 1 {
                        self.push(next, at as u16 + 1);
                    }
                }
            }
            at += 1;
        }
        for index in lost {
            let best = self.best_from_around(index);
            self.propose(index, best);
        }
        self.lower();
    }

    /// Whether an open cell is a source or has a neighbour one step nearer to one.
    fn is_supported(&self, index: usize) -> bool {
        let own = self.distance[index];
        let nearer = || self.neighbours(index).any(|n| self.distance[n] != FAR && self.distance[n] + 1 == own);
        !self.blocked[index] && (self.source[index] || nearer())
    }
}

#[cfg(test)]
mod tests {
    use pathfinding::directed::bfs::bfs_reach;
    use proptest::prelude::*;

    use super::*;

    /// The distances by a breadth-first search of another's making, from every source.
    fn from_scratch(map: &DistanceMap) -> Vec<u16> {
        let mut best = vec![FAR; map.distance.len()];
        for source in (0..best.len()).filter(|i| map.source[*i] && !map.blocked[*i]) {
            let steps = |&(cell, d): &(usize, u16)| {
                map.neighbours(cell).filter(|n| !map.blocked[*n]).map(|n| (n, d + 1)).collect::<Vec<_>>()
            };
            let near =
                |node: &(usize, u16)| steps(node).into_iter().filter(|(_, d)| *d <= map.reach).collect::<Vec<_>>();
            for (cell, d) in bfs_reach((source, 0), near) {
                best[cell] = best[cell].min(d);
            }
        }
        best
    }

    #[test]
    fn arrows_lead_round_a_wall() {
        let mut map = DistanceMap::new(5, 100);
        map.add_source(Cell::new(4, 2));
        for y in 0..4 {
            map.block(Cell::new(3, y));
        }
        let start = Cell::new(2, 2);
        assert_eq!(map.distance(start), 6);
        assert_eq!(map.bearing(start), Bearing::toward(&[Direction::North]));
        assert_eq!(map.bearing(Cell::new(4, 2)), Bearing::HERE);
        map.unblock(Cell::new(3, 2));
        assert_eq!(map.distance(start), 2);
        assert_eq!(map.bearing(start), Bearing::toward(&[Direction::East]));
    }

    #[test]
    fn beyond_the_reach_nothing_is_known() {
        let mut map = DistanceMap::new(9, 3);
        map.add_source(Cell::new(0, 0));
        assert_eq!((map.distance(Cell::new(3, 0)), map.distance(Cell::new(4, 0))), (3, FAR));
        assert!(map.bearing(Cell::new(4, 0)).is_none(), "one step beyond, too");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn upkeep_equals_a_search_from_scratch(
            size in 2_u16..7,
            reach in 1_u16..20,
            changes in proptest::collection::vec((0_u8..4, any::<u16>()), 1..40),
        ) {
            let mut map = DistanceMap::new(size, reach);
            for (change, place) in changes {
                let cell = Cell::from_index(usize::from(place) % (size as usize * size as usize), size);
                match change {
                    0 => map.add_source(cell),
                    1 => map.remove_source(cell),
                    2 => map.block(cell),
                    _ => map.unblock(cell),
                }
                prop_assert!(map.buckets.iter().all(Vec::is_empty));
                prop_assert_eq!(&map.distance, &from_scratch(&map));
            }
        }
    }
}
