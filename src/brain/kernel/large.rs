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

use super::{
    outer::{Ahead, HALF, LANES, Outer, PANEL, parts},
    product::{Factor, GAP, Target, WeightRows, in_blocks, is_worth_dividing, with_part},
    team::{in_parts, with_each},
};

/// Weights from which a matrix is large.
const LARGE: usize = 1 << 16;
/// Columns of the result of [`products_turned`] that one block computes.
const COLUMNS: usize = 48;
/// The same of [`products_back`]; the grain of weights, where that is more.
const BACK_COLUMNS: usize = 96;
/// Numbers of a row that are turned at a time.
const TURNED: usize = 64;
/// Rows of the weights that a block of [`products_back`] sums over at a time: with as many columns as these they are 144 KiB, which stay in
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
        with_each(cut, |(panel, own)| turn(rows, inner, own, panel));
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

/// One of several products with the same rows.
pub(in crate::brain) struct Product<'a> {
    /// The weights `[width, inner]`.
    pub weights: &'a dyn WeightRows,
    /// What comes of them: `[rows, width]`.
    pub out: &'a mut [f32],
}

/// [`product`](super::product()) with large matrices `[width, x.inner()]`, whose parts are dealt with side by side.
///
/// # Panics
/// If the shapes do not fit.
pub(in crate::brain) fn products_turned(x: &Turned, products: &mut [Product], adds: bool) {
    let (rows, inner) = (x.rows, x.inner);
    if rows == 0 {
        return;
    }
    let (mut blocks, mut work) = (Vec::new(), 0);
    for Product { weights, out } in products {
        let width = out.len() / rows;
        assert!(out.len() == rows * width, "shapes of a product");
        assert!(weights.ready().is_none_or(|all| all.len() == width * inner), "shape of the weights");
        let target = Target::of(out, width);
        let ranges = (0..width).step_by(COLUMNS).map(|from| from..(from + COLUMNS).min(width));
        blocks.extend(ranges.map(|range| (*weights, target, range)));
        work += rows * inner * width;
    }
    // SAFETY: a target is [rows, width]; each block alone has its columns.
    let block = |(weights, target, range): &(&dyn WeightRows, _, Range<usize>)| unsafe {
        block_turned(x, *weights, *target, range.clone(), adds);
    };
    if is_worth_dividing(work) {
        in_parts(blocks.len(), |at| block(&blocks[at]));
    } else {
        blocks.iter().for_each(block);
    }
}

/// Columns `range` of a product.
///
/// # Safety
/// What the target was made of must live, and nobody else may read or write those columns meanwhile.
unsafe fn block_turned(x: &Turned, weights: &dyn WeightRows, target: Target, range: Range<usize>, adds: bool) {
    let ahead = if weights.ready().is_some() { Ahead::Rows } else { Ahead::Nothing };
    let mut sums = [0.0; COLUMNS * PANEL];
    let mut line = [0.0; COLUMNS];
    with_part(weights, x.inner, range.clone(), 0..x.inner, GAP, |w| {
        for (panel, a) in x.panels() {
            let step = panel.len();
            let ahead = if panel.start == 0 { ahead } else { Ahead::Nothing };
            // SAFETY: there are as many sums as columns of a block, times the widest panel.
            unsafe { Outer { a, b: w, c: sums.as_mut_ptr(), c_step: step, adds: false, ahead }.make() }
            for row in panel.start..panel.end.min(x.rows) {
                let line = &mut line[..range.len()];
                let of = sums[row - panel.start..].iter().step_by(step);
                line.iter_mut().zip(of).for_each(|(to, sum)| *to = *sum);
                // SAFETY: the columns are the caller's alone.
                unsafe { target.put(row, range.clone(), line, adds) }
            }
        }
    });
}

/// One of several ways back to the same rows.
#[derive(Clone, Copy)]
pub(in crate::brain) struct Back<'a> {
    /// The gradient of the result: `[rows, width]`.
    pub dy: &'a [f32],
    /// The weights `[width, inner]`.
    pub weights: &'a dyn WeightRows,
}

/// [`product_back`](super::product_back()) with large matrices: dx `[rows, inner]` becomes, or grows by where `adds`, the sum of what comes
/// back through them.
///
/// # Panics
/// If the shapes do not fit.
pub(in crate::brain) fn products_back(ways: &[Back], dx: &mut [f32], inner: usize, adds: bool) {
    let rows = dx.len() / inner;
    if rows == 0 {
        return;
    }
    let (target, mut work, mut grain) = (Target::of(dx, inner), 0, 1);
    for Back { dy, weights } in ways {
        assert!(dy.len().is_multiple_of(rows), "shapes of a product");
        let width = dy.len() / rows;
        assert!(weights.ready().is_none_or(|all| all.len() == width * inner), "shape of the weights");
        (work, grain) = (work + rows * inner * width, weights.grain().max(grain));
    }
    let block = |columns: Range<usize>| {
        let mut adds = adds;
        for Back { dy, weights } in ways {
            let width = dy.len() / rows;
            let ahead = if weights.ready().is_some() { Ahead::Columns } else { Ahead::Nothing };
            for summed in (0..width).step_by(BACK_ROWS).map(|from| from..(from + BACK_ROWS).min(width)) {
                let dy = Factor::part(&dy[summed.start..], rows, summed.len(), width);
                with_part(*weights, inner, summed.clone(), columns.clone(), 0, |w| {
                    // SAFETY: the target is [rows, inner]; this block alone has its columns `columns`.
                    unsafe { Outer { a: w, b: dy, c: target.at(0, columns.start), c_step: inner, adds, ahead }.make() }
                });
                adds = true;
            }
        }
    };
    in_blocks(work, false, inner, BACK_COLUMNS.div_ceil(grain) * grain, block);
}

#[cfg(test)]
mod tests;
