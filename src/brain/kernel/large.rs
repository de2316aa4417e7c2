//! Products with large matrices, in tiles of our own: f32 weights are taken as they lie, and fetched from memory while the tile before is
//! made; quantised ones become f32 a block at a time.
//!
//! ```text
//! product        outᵀ[n, r] = Σₖ w[n, k] · xᵀ[k, r]      rows of x become columns, and columns of the result rows
//! product_back   dx[r, k]   = Σₙ dy[r, n] · w[n, k]
//! ```
//!
//! Whether a matrix is large depends on its shape alone, so that a row's numbers are the same bits whatever is beside it.
//!
//! This module does *not* know how weights are kept.

use std::ops::Range;

use rayon::prelude::*;

use super::{
    outer::{Ahead, HALF, LANES, Outer, PANEL, parts},
    product::{Factor, GAP, Target, WeightRows, in_blocks, with_part},
};

/// Weights from which a matrix is large.
const LARGE: usize = 1 << 16;
/// Columns of the result of [`product_turned`] that one block computes.
const COLUMNS: usize = 48;
/// The same of [`back_of_large`]; the grain of weights, where that is more.
const BACK_COLUMNS: usize = 96;
/// Numbers of a row that are turned at a time.
const TURNED: usize = 64;
/// Rows of the weights that a block of [`back_of_large`] sums over at a time: with as many columns as these they are 144 KiB, which stay in
/// the second-level cache.
const BACK_ROWS: usize = 384;

/// Whether a matrix `[width, inner]` is large.
pub(in crate::brain) const fn is_large(inner: usize, width: usize) -> bool {
    inner * width >= LARGE && inner.is_multiple_of(LANES)
}

/// Rows of numbers as columns, in panels of up to 48 of them: `[inner, columns]` one after the other. Missing ones are zero.
#[derive(Debug, Default)]
pub(in crate::brain) struct Turned {
    rows: usize,
    inner: usize,
    numbers: Vec<f32>,
}

impl Turned {
    /// Takes up rows of `inner` numbers, in place of those before.
    pub(in crate::brain) fn fill(&mut self, rows: &[f32], inner: usize) {
        (self.rows, self.inner) = (rows.len() / inner.max(1), inner);
        self.numbers.resize(self.rows.next_multiple_of(HALF) * inner, 0.0);
        let mut rest = &mut self.numbers[..];
        let mut cut = Vec::new();
        for panel in panels(self.rows) {
            let (own, after) = rest.split_at_mut(panel.len() * inner);
            cut.push((panel, own));
            rest = after;
        }
        cut.into_par_iter().for_each(|(panel, own)| turn(rows, inner, own, panel));
    }

    /// The length of a row.
    pub(in crate::brain) const fn inner(&self) -> usize {
        self.inner
    }

    /// Panels, each with the rows that it has room for.
    fn panels(&self) -> impl Iterator<Item = (Range<usize>, Factor<'_>)> {
        panels(self.rows).map(|panel| {
            let own = &self.numbers[panel.start * self.inner..panel.end * self.inner];
            let columns = panel.len();
            (panel, Factor::new(own, self.inner, columns))
        })
    }
}

/// Cuts rows into panels, the last of which may be half a register wide, and have room for more.
fn panels(rows: usize) -> impl Iterator<Item = Range<usize>> {
    let halves = rows.div_ceil(HALF);
    let wide = parts(halves / 2, PANEL / LANES).map(|part| part.start * LANES..part.end * LANES);
    wide.chain((halves % 2 == 1).then(|| (halves - 1) * HALF..halves * HALF))
}

/// Rows `panel` of rows of `inner` numbers as columns: `[inner, panel.len()]`.
fn turn(rows: &[f32], inner: usize, out: &mut [f32], panel: Range<usize>) {
    let (count, width) = (rows.len() / inner.max(1), panel.len());
    for first in panel.clone().step_by(HALF) {
        // A few columns at a time, so that their lines stay in the cache until all rows are there.
        for (chunk, out) in out.chunks_mut(width * TURNED).enumerate() {
            let columns = chunk * TURNED..(chunk * TURNED + out.len() / width);
            for row in first..first + HALF {
                let to = out[row - panel.start..].iter_mut().step_by(width);
                if row < count {
                    to.zip(&rows[row * inner..][columns.clone()]).for_each(|(to, number)| *to = *number);
                } else {
                    to.for_each(|to| *to = 0.0);
                }
            }
        }
    }
}

/// [`product`](super::product()) with a large matrix `[width, x.inner()]`.
///
/// # Panics
/// If the shapes do not fit.
pub(in crate::brain) fn product_turned(
    x: &Turned,
    weights: &(impl WeightRows + ?Sized),
    out: &mut [f32],
    width: usize,
    adds: bool,
) {
    let (rows, inner) = (x.rows, x.inner);
    let is_ready = weights.ready().is_some();
    if rows == 0 {
        return;
    }
    assert!(out.len() == rows * width, "shapes of a product");
    assert!(weights.ready().is_none_or(|all| all.len() == width * inner), "shape of the weights");
    let (target, ahead) = (Target::of(out, width), if is_ready { Ahead::Rows } else { Ahead::Nothing });
    let block = |range: Range<usize>| {
        let mut sums = [0.0; COLUMNS * PANEL];
        let mut line = [0.0; COLUMNS];
        with_part(weights, inner, range.clone(), 0..inner, GAP, |w| {
            for (panel, x) in x.panels() {
                let step = panel.len();
                let ahead = if panel.start == 0 { ahead } else { Ahead::Nothing };
                // SAFETY: there are as many sums as columns of a block, times the widest panel.
                unsafe { Outer { a: x, b: w, c: sums.as_mut_ptr(), c_step: step, adds: false, ahead }.make() }
                for row in panel.start..panel.end.min(rows) {
                    let line = &mut line[..range.len()];
                    let of = sums[row - panel.start..].iter().step_by(step);
                    line.iter_mut().zip(of).for_each(|(to, sum)| *to = *sum);
                    // SAFETY: the target is [rows, width]; this block alone has its columns `range`.
                    unsafe { target.put(row, range.clone(), line, adds) }
                }
            }
        });
    };
    in_blocks(rows * inner * width, false, width, COLUMNS, block);
}

/// [`product_back`](super::product_back()) with a large matrix.
pub(super) fn back_of_large(
    dy: &[f32],
    weights: &(impl WeightRows + ?Sized),
    dx: &mut [f32],
    inner: usize,
    width: usize,
    adds: bool,
) {
    let rows = dy.len() / width;
    if rows == 0 {
        return;
    }
    let (target, ahead) =
        (Target::of(dx, inner), if weights.ready().is_some() { Ahead::Columns } else { Ahead::Nothing });
    let block = |columns: Range<usize>| {
        for summed in (0..width).step_by(BACK_ROWS).map(|from| from..(from + BACK_ROWS).min(width)) {
            let dy = Factor::part(&dy[summed.start..], rows, summed.len(), width);
            with_part(weights, inner, summed.clone(), columns.clone(), 0, |w| {
                let adds = adds || summed.start > 0;
                // SAFETY: the target is [rows, inner]; this block alone has its columns `columns`.
                unsafe { Outer { a: w, b: dy, c: target.at(0, columns.start), c_step: inner, adds, ahead }.make() }
            });
        }
    };
    let grain = weights.grain();
    in_blocks(rows * inner * width, false, inner, BACK_COLUMNS.div_ceil(grain) * grain, block);
}

#[cfg(test)]
mod tests;
