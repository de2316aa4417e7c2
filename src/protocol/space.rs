//! Cells, the four directions, and bearings: where something lies as seen from a cell.

use serde::{Deserialize, Serialize};

/// A cell of a habitat: `x` grows to the east, `y` to the north, both from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Cell {
    /// Cells from the western edge.
    pub x: u16,
    /// Cells from the southern edge.
    pub y: u16,
}

impl Cell {
    /// The cell at `x`, `y`.
    pub const fn new(x: u16, y: u16) -> Self {
        Self { x, y }
    }

    /// The neighbour in `direction`, or `None` beyond the edge of a habitat of `size` × `size` cells.
    pub fn neighbour(self, direction: Direction, size: u16) -> Option<Self> {
        let (dx, dy) = direction.step();
        let x = self.x.checked_add_signed(dx).filter(|x| *x < size)?;
        let y = self.y.checked_add_signed(dy).filter(|y| *y < size)?;
        Some(Self { x, y })
    }

    /// The number of this cell in row-major order of a habitat of `size` × `size` cells.
    pub const fn index(self, size: u16) -> usize {
        self.y as usize * size as usize + self.x as usize
    }

    /// The cell with this number, the inverse of [`Cell::index`].
    pub const fn from_index(index: usize, size: u16) -> Self {
        Self { x: (index % size as usize) as u16, y: (index / size as usize) as u16 }
    }
}

/// One of the four directions in which an agent may move or see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Towards larger `y`, drawn as ↑.
    North,
    /// Towards smaller `y`, drawn as ↓.
    South,
    /// Towards larger `x`, drawn as →.
    East,
    /// Towards smaller `x`, drawn as ←.
    West,
}

impl Direction {
    /// All directions, in the order of the grammar.
    pub const ALL: [Self; 4] = [Self::North, Self::South, Self::East, Self::West];

    /// The change of `x` and `y` of one step.
    pub const fn step(self) -> (i16, i16) {
        match self {
            Self::North => (0, 1),
            Self::South => (0, -1),
            Self::East => (1, 0),
            Self::West => (-1, 0),
        }
    }
}

/// Where a thing lies as seen from an agent's cell: any of the four directions, or here.
///
/// The empty bearing means that the thing is not in view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Bearing(u8);

impl Bearing {
    /// Not in view.
    pub const NONE: Self = Self(0);
    /// In the agent's own cell.
    pub const HERE: Self = Self(1 << 4);

    /// The bearing that names `directions`, and no more.
    pub fn toward(directions: &[Direction]) -> Self {
        directions.iter().fold(Self::NONE, |bearing, d| bearing.with(*d))
    }

    /// This bearing with `direction` added.
    #[must_use]
    pub const fn with(self, direction: Direction) -> Self {
        Self(self.0 | 1 << direction as u8)
    }

    /// This bearing with the agent's own cell added.
    #[must_use]
    pub const fn with_here(self) -> Self {
        Self(self.0 | Self::HERE.0)
    }

    /// Whether it names `direction`.
    pub const fn has(self, direction: Direction) -> bool {
        self.0 & (1 << direction as u8) != 0
    }

    /// Whether the thing is in the agent's own cell.
    pub const fn is_here(self) -> bool {
        self.0 & Self::HERE.0 != 0
    }

    /// Whether the thing is not in view at all.
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// The directions it names, in the order of [`Direction::ALL`].
    pub fn directions(self) -> impl Iterator<Item = Direction> {
        Direction::ALL.into_iter().filter(move |d| self.has(*d))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn north_is_up_and_the_edge_ends_the_world() {
        let corner = Cell::new(0, 4);
        assert_eq!(corner.neighbour(Direction::North, 5), None);
        assert_eq!(corner.neighbour(Direction::West, 5), None);
        assert_eq!(corner.neighbour(Direction::East, 5), Some(Cell::new(1, 4)));
        assert_eq!(corner.neighbour(Direction::South, 5), Some(Cell::new(0, 3)));
        assert_eq!(Cell::new(3, 2).index(5), 13);
        assert_eq!(Cell::from_index(13, 5), Cell::new(3, 2));
    }

    #[test]
    fn a_bearing_names_what_was_put_in() {
        let bearing = Bearing::toward(&[Direction::East, Direction::South]);
        assert_eq!(bearing.directions().collect::<Vec<_>>(), [Direction::South, Direction::East]);
        assert!(!bearing.is_here() && !bearing.is_none());
        assert!(Bearing::HERE.is_here() && Bearing::HERE.directions().next().is_none());
    }
}
