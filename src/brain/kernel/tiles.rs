//! f32 weights that lie in square tiles, one after the other: so products find a tile's numbers side by side in both directions, and nothing
//! is copied on the way back.
//!
//! This module does *not* know what is multiplied with them.

use std::ops::Range;

use super::{
    factor::{Factor, Pieces},
    product::{WeightRows, make_room},
    team::with_each,
};

/// Rows and columns of a tile: as many columns as the widest tile of a product has, and rows as a block of the way forward.
pub(super) const SIDE: usize = 48;
/// Numbers of a tile.
const AREA: usize = SIDE * SIDE;
/// What is added at the edges is at most this part of the weights.
const SPARE: usize = 16;

/// Weights `[out, in]`, in tiles `[out / 48, in / 48, 48, 48]`. Those at the lower and right edge have room for rows and columns that are not
/// there.
#[derive(Debug)]
pub(in crate::brain) struct Tiles {
    out: usize,
    inner: usize,
    /// Where the first tile begins.
    begin: usize,
    numbers: Vec<f32>,
}

impl Tiles {
    /// Takes up weights with `out` rows of `inner` numbers; none where too much of the room would stay empty.
    pub(in crate::brain) fn of(weights: &dyn WeightRows, out: usize, inner: usize) -> Option<Self> {
        let (down, across) = (out.div_ceil(SIDE), inner.div_ceil(SIDE));
        let all = down * across * AREA;
        if !inner.is_multiple_of(weights.grain()) || all - out * inner > out * inner / SPARE {
            return None;
        }
        let mut numbers = Vec::new();
        let begin = make_room(&mut numbers, all);
        let tiles = numbers[begin..][..all].chunks_exact_mut(AREA).enumerate();
        with_each(all, tiles, |(at, tile)| {
            let (row, column) = (at / across * SIDE, at % across * SIDE);
            weights.fill(row..(row + SIDE).min(out), column..(column + SIDE).min(inner), tile, SIDE);
        });
        Some(Self { out, inner, begin, numbers })
    }

    /// Rows.
    pub(in crate::brain) const fn out(&self) -> usize {
        self.out
    }

    /// Their length.
    pub(in crate::brain) const fn inner(&self) -> usize {
        self.inner
    }

    /// Bytes that they take in memory.
    pub(in crate::brain) const fn bytes(&self) -> usize {
        self.numbers.len() * size_of::<f32>()
    }

    /// Numbers from the beginning of a row of tiles to that of the next.
    const fn tiles_step(&self) -> usize {
        self.inner.div_ceil(SIDE) * AREA
    }

    /// Where in the numbers one is.
    const fn place(&self, row: usize, column: usize) -> usize {
        self.begin + row / SIDE * self.tiles_step() + column / SIDE * AREA + row % SIDE * SIDE + column % SIDE
    }

    /// Where a number is, or would be, to have it fetched.
    pub(super) fn at(&self, row: usize, column: usize) -> *const f32 {
        self.numbers.as_ptr().wrapping_add(self.place(row, column))
    }

    /// Rows that are all in one row of tiles, with all columns.
    ///
    /// # Panics
    /// If they are not.
    pub(super) fn rows(&self, rows: Range<usize>) -> Factor<'_> {
        assert!(rows.start / SIDE == rows.end.saturating_sub(1) / SIDE && rows.end <= self.out, "rows of one tile");
        let numbers = &self.numbers[self.place(rows.start, 0)..];
        Factor::of_pieces(numbers, rows.len(), self.inner, SIDE, Pieces::columns(SIDE, AREA))
    }

    /// Columns that are all in one column of tiles, with some rows, of which the first begins a tile.
    ///
    /// # Panics
    /// If they are not, or it does not.
    pub(super) fn columns(&self, rows: Range<usize>, columns: Range<usize>) -> Factor<'_> {
        let is_one = columns.start / SIDE == columns.end.saturating_sub(1) / SIDE && columns.end <= self.inner;
        assert!(is_one && rows.start.is_multiple_of(SIDE) && rows.end <= self.out, "columns of one tile");
        let numbers = &self.numbers[self.place(rows.start, columns.start)..];
        Factor::of_pieces(numbers, rows.len(), columns.len(), SIDE, Pieces::rows(SIDE, self.tiles_step()))
    }
}

impl WeightRows for Tiles {
    fn fill(&self, rows: Range<usize>, columns: Range<usize>, out: &mut [f32], step: usize) {
        for (row, out) in rows.zip(out.chunks_mut(step.max(1))) {
            let mut column = columns.start;
            while column < columns.end {
                let end = (column + 1).next_multiple_of(SIDE).min(columns.end);
                let from = &self.numbers[self.place(row, column)..][..end - column];
                out[column - columns.start..][..from.len()].copy_from_slice(from);
                column = end;
            }
        }
    }

    fn tiles(&self) -> Option<&Tiles> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::brain::kernel::Rows;

    #[test]
    fn any_rows_and_columns_come_back_from_tiles() {
        // Edges in both directions.
        let (out, inner) = (48 * 20 + 40, 48 * 16 + 32);
        let weights: Vec<f32> = (0..out * inner).map(|at| at as f32).collect();
        let tiles = Tiles::of(&Rows { weights: &weights, inner }, out, inner).unwrap();
        assert_eq!((tiles.out(), tiles.inner(), tiles.bytes()), (out, inner, (21 * 17 * AREA + 16) * 4));
        assert!(tiles.at(0, 0).addr().is_multiple_of(64), "they begin with a line of the cache");
        for (rows, columns) in [(0..out, 0..inner), (47..49, 3..200), (990..1000, 790..800), (5..6, 48..96)] {
            let step = columns.len() + 5;
            let mut part = vec![-1.0; rows.len() * step];
            tiles.fill(rows.clone(), columns.clone(), &mut part, step);
            for (row, part) in rows.zip(part.chunks(step)) {
                assert_eq!(part[..columns.len()], weights[row * inner..][columns.clone()]);
                assert!(part[columns.len()..].iter().all(|gap| *gap == -1.0), "written beyond the part");
            }
        }
    }

    #[test]
    fn weights_that_would_leave_much_of_the_room_empty_stay_as_they_are() {
        let weights = vec![1.0; 1024 * 64];
        let rows = Rows { weights: &weights, inner: 64 };
        assert!(Tiles::of(&rows, 1024, 64).is_none(), "a third is empty");
        assert!(Tiles::of(&Rows { weights: &weights, inner: 48 }, 1008, 48).is_some());
    }
}
