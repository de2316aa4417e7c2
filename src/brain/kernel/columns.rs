//! Products of some rows with large weights, by way of the transpose: weights are taken as they lie.
//!
//! This module does *not* know when a product is small, or how weights are kept.

use std::{
    cell::{Cell, RefCell},
    ops::Range,
};

use super::product::{BLOCK, Factor, GAP, Target, WeightRows, in_blocks, multiply, with_part};

/// Numbers of the widest register: as many rows are turned together.
const LANES: usize = 16;
/// Weights of a matrix from which it may be worth to turn rows and results.
const LARGE: usize = 1 << 16;

thread_local! {
    /// Room for a block of results, column after column, and a row of them.
    static SUMS: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
    /// Room for rows as columns.
    static TURNED: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// Whether a product is faster with rows and columns exchanged. The crate gemm takes the one factor as it lies and copies the other in
/// another order: as a rule that is the weights. Exchanged, it takes weights as they lie, and rows and results must be turned.
pub(super) fn is_better_in_columns(rows: usize, inner: usize, width: usize) -> bool {
    let room = rows.next_multiple_of(LANES);
    let is_full = 8 * (room - rows) <= rows;
    is_full && inner * width >= LARGE && rows * (inner + width) <= inner * width
}

/// [`product`](super::product()) by way of its transpose, `outᵀ = w·xᵀ`, to the same bits.
pub(super) fn product_in_columns(
    x: &[f32],
    weights: &(impl WeightRows + ?Sized),
    out: &mut [f32],
    inner: usize,
    width: usize,
    adds: bool,
) {
    let rows = out.len() / width;
    let room = rows.next_multiple_of(LANES);
    let mut turned = TURNED.take();
    turned.resize(inner * room, 0.0);
    turn(x, inner, &mut turned, room);
    let (columns, target) = (Factor::new(&turned, inner, room), Target::of(out, width));
    let block = |range: Range<usize>| {
        with_part(weights, inner, range.clone(), 0..inner, GAP, |w| {
            SUMS.with_borrow_mut(|sums| {
                sums.resize(range.len() * (room + 1), 0.0);
                let (sums, line) = sums.split_at_mut(range.len() * room);
                if adds {
                    // SAFETY: the target is [rows, width]; this block alone has its columns `range`.
                    (0..rows).for_each(|row| unsafe { target.take(row, range.start, &mut sums[row..], room) });
                }
                multiply(w, columns, sums, adds.then_some(1.0));
                for row in 0..rows {
                    line.iter_mut().zip(sums[row..].iter().step_by(room)).for_each(|(to, from)| *to = *from);
                    // SAFETY: as above.
                    unsafe { target.put(row, range.clone(), line, false) };
                }
            });
        });
    };
    in_blocks(rows * inner * width, weights.ready().is_some(), width, BLOCK, block);
    TURNED.set(turned);
}

/// Rows of `inner` numbers as columns, `room` of them side by side: `[inner, room]`. Those that are missing are zero.
fn turn(rows: &[f32], inner: usize, out: &mut [f32], room: usize) {
    let count = rows.len() / inner.max(1);
    for first in (0..room).step_by(LANES) {
        let empty: &[f32] = &[];
        let of: [&[f32]; LANES] =
            std::array::from_fn(|at| if first + at < count { &rows[(first + at) * inner..][..inner] } else { empty });
        let is_full = first + LANES <= count;
        for (column, out) in out.chunks_exact_mut(room).enumerate() {
            let to = &mut out[first..first + LANES];
            if is_full {
                to.copy_from_slice(&std::array::from_fn::<f32, LANES, _>(|at| of[at][column]));
            } else {
                to.iter_mut().zip(of).for_each(|(to, row)| *to = row.get(column).copied().unwrap_or(0.0));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_columns_and_the_missing_ones_are_zero() {
        for count in [1, 15, 16, 17, 40] {
            let room = usize::next_multiple_of(count, LANES);
            let rows: Vec<f32> = (0..count * 3).map(|at| at as f32 + 1.0).collect();
            let mut out = vec![-7.0; 3 * room];
            turn(&rows, 3, &mut out, room);
            for (at, number) in out.iter().enumerate() {
                let (column, row) = (at / room, at % room);
                let expected = if row < count { rows[row * 3 + column] } else { 0.0 };
                assert_eq!(*number, expected, "{count} rows: row {row}, column {column}");
            }
        }
    }

    #[test]
    fn products_that_are_turned_are_those_of_many_weights_and_few_rows() {
        // A training step's; two agents', which would be a third empty; twenty agents'; a small model's.
        let all = [(92, 576, 1536), (23, 576, 1536), (480, 576, 1536), (92, 64, 168)];
        let turned = all.map(|(rows, inner, width)| is_better_in_columns(rows, inner, width));
        assert_eq!(turned, [true, false, false, false]);
    }
}
