//! Factors of products, and where results go; and the product of any two of them, by the crate gemm.
//!
//! This module does *not* know which factor is the weights, or how work is divided.

use std::ops::Range;

use gemm::{Parallelism, gemm};

/// How a factor goes on elsewhere after so many of its rows, or of its columns.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Pieces {
    /// Rows of a piece.
    pub(super) rows: usize,
    /// Columns of a piece.
    pub(super) columns: usize,
    /// Numbers from the beginning of a piece to that of the next.
    pub(super) step: usize,
}

impl Pieces {
    /// One piece.
    pub(super) const ONE: Self = Self { rows: usize::MAX, columns: usize::MAX, step: 0 };

    /// Pieces of so many rows that begin `step` numbers apart.
    pub(super) const fn rows(rows: usize, step: usize) -> Self {
        Self { rows, step, ..Self::ONE }
    }

    /// Pieces of so many columns that begin `step` numbers apart.
    pub(super) const fn columns(columns: usize, step: usize) -> Self {
        Self { columns, step, ..Self::ONE }
    }
}

/// A factor of a product: rows of numbers, taken as they lie or transposed.
#[derive(Clone, Copy)]
pub(in crate::brain) struct Factor<'a> {
    numbers: &'a [f32],
    rows: usize,
    columns: usize,
    /// Numbers from the beginning of a row to that of the next, in one piece.
    step: usize,
    transposed: bool,
    pieces: Pieces,
}

impl<'a> Factor<'a> {
    /// A matrix `[rows, columns]`.
    ///
    /// # Panics
    /// If there are not as many numbers.
    pub(in crate::brain) fn new(numbers: &'a [f32], rows: usize, columns: usize) -> Self {
        assert_eq!(numbers.len(), rows * columns, "shape of a factor");
        Self { numbers, rows, columns, step: columns, transposed: false, pieces: Pieces::ONE }
    }

    /// A matrix `[rows, columns]` whose rows begin `step` numbers apart.
    ///
    /// # Panics
    /// If the last row would not end within the numbers.
    pub(in crate::brain) fn part(numbers: &'a [f32], rows: usize, columns: usize, step: usize) -> Self {
        let is_empty = rows == 0 || columns == 0;
        assert!(columns <= step && (is_empty || (rows - 1) * step + columns <= numbers.len()), "shape of a factor");
        Self { numbers, rows, columns, step, transposed: false, pieces: Pieces::ONE }
    }

    /// A matrix `[rows, columns]` that comes in pieces, whose rows begin `step` numbers apart.
    ///
    /// # Panics
    /// If a piece would not end within the numbers.
    pub(super) fn of_pieces(numbers: &'a [f32], rows: usize, columns: usize, step: usize, pieces: Pieces) -> Self {
        if rows > 0 && columns > 0 {
            // Where the last number is; the last of an earlier piece is before it, as pieces do not overlap.
            let (row, column) = (rows - 1, columns - 1);
            let before = row / pieces.rows + column / pieces.columns;
            let last = before * pieces.step + row % pieces.rows * step + column % pieces.columns;
            let of_piece = (rows.min(pieces.rows) - 1) * step + columns.min(pieces.columns);
            let is_apart = before == 0 || of_piece <= pieces.step;
            assert!(columns.min(pieces.columns) <= step && is_apart && last < numbers.len(), "shape of a factor");
        }
        Self { numbers, rows, columns, step, transposed: false, pieces }
    }

    /// The same, transposed.
    pub(in crate::brain) const fn t(self) -> Self {
        Self { transposed: !self.transposed, ..self }
    }

    /// Columns and rows of a factor that is not transposed.
    ///
    /// # Panics
    /// If it is.
    pub(super) const fn lying(&self) -> (usize, usize) {
        assert!(!self.transposed, "a factor as it lies");
        (self.columns, self.rows)
    }

    /// Where it begins, and the numbers from the beginning of a row to that of the next.
    pub(super) const fn begin(&self) -> (*const f32, usize) {
        (self.numbers.as_ptr(), self.step)
    }

    /// Its pieces.
    pub(super) const fn pieces(&self) -> Pieces {
        self.pieces
    }

    const fn shape(&self) -> (usize, usize) {
        if self.transposed { (self.columns, self.rows) } else { (self.rows, self.columns) }
    }

    /// Steps from one column to the next, and from one row to the next.
    ///
    /// # Panics
    /// If it comes in pieces.
    fn strides(&self) -> (isize, isize) {
        assert!(self.pieces == Pieces::ONE, "a factor in one piece");
        if self.transposed { (self.step as isize, 1) } else { (1, self.step as isize) }
    }
}

/// Where results go: `[rows, width]`. It may cross threads: each writes columns that are its own.
#[derive(Clone, Copy)]
pub(super) struct Target {
    numbers: *mut f32,
    rows: usize,
    width: usize,
}
// SAFETY: a target is a pointer and two numbers; those who write through it promise that nobody else does so at that place.
unsafe impl Send for Target {}
// SAFETY: as above.
unsafe impl Sync for Target {}

impl Target {
    /// All of `out`, whose rows are `width` long.
    pub(super) fn of(out: &mut [f32], width: usize) -> Self {
        let rows = out.len().checked_div(width).unwrap_or(0);
        Self { numbers: out.as_mut_ptr(), rows, width }
    }

    /// The capacity of `out`, of which rows of `width` numbers are to be made.
    ///
    /// # Panics
    /// If it is not enough.
    pub(super) fn to_be(out: &mut Vec<f32>, rows: usize, width: usize) -> Self {
        assert!(out.capacity() >= rows * width, "room for a product");
        Self { numbers: out.as_mut_ptr(), rows, width }
    }

    /// Rows of `width` numbers that `fill` makes, in memory that is not set before.
    ///
    /// # Safety
    /// All of the target must be written, and nothing of it read before.
    pub(super) unsafe fn filled(rows: usize, width: usize, fill: impl FnOnce(Self)) -> Vec<f32> {
        let mut out = Vec::with_capacity(rows * width);
        fill(Self::to_be(&mut out, rows, width));
        // SAFETY: as the caller says, these are numbers now.
        unsafe { out.set_len(rows * width) };
        out
    }

    /// Its rows.
    pub(super) const fn rows(self) -> usize {
        self.rows
    }

    /// Their length.
    pub(super) const fn width(self) -> usize {
        self.width
    }

    /// Where a number is.
    ///
    /// # Panics
    /// If there is no such number.
    pub(super) fn at(self, row: usize, column: usize) -> *mut f32 {
        assert!(row < self.rows && column < self.width, "shapes of a product");
        self.numbers.wrapping_add(row * self.width + column)
    }

    /// Columns `columns` of one row become, or grow by where `adds`, the first numbers of `sums`.
    ///
    /// # Panics
    /// If there is no such row, there are no such columns, or too few sums.
    ///
    /// # Safety
    /// What this was made of must live, and nobody else may read or write those columns meanwhile; where `adds`, there must be numbers.
    pub(super) unsafe fn put(self, row: usize, columns: Range<usize>, sums: &[f32], adds: bool) {
        assert!(row < self.rows && columns.start <= columns.end && columns.end <= self.width, "shapes of a product");
        let sums = &sums[..columns.len()];
        // SAFETY: the assertion keeps this within the numbers, which are the caller's alone.
        unsafe {
            let out = self.numbers.add(row * self.width + columns.start);
            if adds {
                let out = std::slice::from_raw_parts_mut(out, columns.len());
                out.iter_mut().zip(sums).for_each(|(out, sum)| *out += sum);
            } else {
                // A line of the cache at a time: a call for so few numbers would take longer.
                let (lines, rest) = sums.as_chunks::<16>();
                lines
                    .iter()
                    .enumerate()
                    .for_each(|(at, line)| out.add(16 * at).cast::<[f32; 16]>().write_unaligned(*line));
                out.add(sums.len() - rest.len()).copy_from_nonoverlapping(rest.as_ptr(), rest.len());
            }
        }
    }

    /// Columns `columns` become a·b, or grow by scale · a·b where a scale is given: a `[rows, k]`, b `[k, columns.len()]`. On the
    /// caller's thread.
    ///
    /// # Panics
    /// If the shapes do not fit.
    ///
    /// # Safety
    /// What this was made of must live, and nobody else may read or write those columns meanwhile.
    pub(super) unsafe fn write(self, columns: Range<usize>, a: Factor, b: Factor, scale: Option<f32>) {
        let ((m, k), (also_k, n)) = (a.shape(), b.shape());
        let fits = m == self.rows && n == columns.len() && columns.end <= self.width;
        assert!(k == also_k && fits, "shapes of a product");
        if m == 0 || n == 0 {
            return;
        }
        let ((a_column, a_row), (b_column, b_row)) = (a.strides(), b.strides());
        // SAFETY: `Factor`'s constructors and the assertion above give every pointer its shape.
        unsafe {
            gemm(
                m,
                n,
                k,
                self.numbers.add(columns.start),
                1,
                self.width as isize,
                scale.is_some(),
                a.numbers.as_ptr(),
                a_column,
                a_row,
                b.numbers.as_ptr(),
                b_column,
                b_row,
                1.0,
                scale.unwrap_or(1.0),
                false,
                false,
                false,
                Parallelism::None,
            );
        }
    }
}

/// `out = a·b`, or `out += scale · a·b` where a scale is given; on the caller's thread. a `[m, k]`, b `[k, n]`, out `[m, n]`.
///
/// # Panics
/// If the shapes do not fit.
pub(in crate::brain) fn multiply(a: Factor, b: Factor, out: &mut [f32], scale: Option<f32>) {
    let (rows, width) = (a.shape().0, b.shape().1);
    assert_eq!(out.len(), rows * width, "shapes of a product");
    // SAFETY: the target is all of `out`, which is borrowed.
    unsafe { Target { numbers: out.as_mut_ptr(), rows, width }.write(0..width, a, b, scale) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_any_number_are_put_where_they_belong() {
        for count in [0, 1, 15, 16, 17, 40, 48] {
            let (width, sums) = (count + 3, (1..=count + 5).map(|at| at as f32).collect::<Vec<_>>());
            let mut out = vec![-1.0; 3 * width];
            // SAFETY: the target is borrowed.
            unsafe { Target::of(&mut out, width).put(1, 2..2 + count, &sums, false) };
            let expected = |at: usize| {
                let (row, column) = (at / width, at % width);
                if row == 1 && (2..2 + count).contains(&column) { column as f32 - 1.0 } else { -1.0 }
            };
            assert!(out.iter().enumerate().all(|(at, out)| *out == expected(at)), "{count}: {out:?}");
            // SAFETY: as above.
            unsafe { Target::of(&mut out, width).put(1, 2..2 + count, &sums, true) };
            assert!((0..count).all(|at| out[width + 2 + at] == 2.0 * sums[at]), "{count}, added: {out:?}");
        }
    }
}
