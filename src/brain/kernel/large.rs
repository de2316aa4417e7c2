//! Products with large matrices, in tiles of our own: f32 weights are taken as they lie, and fetched from memory while the tile before is
//! made; quantised ones become f32 a block at a time. On the way back f32 weights that lie row by row are copied a block at a time, too: its
//! columns lie far apart, each on another page, and every tile would go to all of them again. Those in [`Tiles`] are not.
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
    factor::{Factor, Target},
    outer::{Ahead, HALF, LANES, Outer, PANEL, panel, parts},
    product::{GAP, WeightRows, in_blocks, is_of_shape, is_worth_dividing, make_room, with_copy, with_part},
    team::{in_parts, with_each},
    tiles::{self, Tiles},
    turn::{SIDE, turn},
};

/// Weights from which a matrix is large.
const LARGE: usize = 1 << 16;
/// Columns of the result of [`products_turned`] that one block computes.
const COLUMNS: usize = 48;
/// The same of [`products_back`]; the grain of weights, where that is more.
const BACK_COLUMNS: usize = 96;
/// Blocks of [`products_back`] below which threads would wait for each other's last ones: they are as narrow as tiles then, where weights lie in
/// these.
const FEW: usize = 8;
/// Numbers of a row that are turned at a time.
const TURNED: usize = 64;
/// Rows of the weights that a block of [`products_back`] sums over at a time: with as many columns as these they are 144 KiB, which stay in
/// the second-level cache.
const BACK_ROWS: usize = 384;
// A block of the way forward lies in one row of tiles, and one of the way back begins with a row of tiles.
const _: () = assert!(tiles::SIDE.is_multiple_of(COLUMNS) && BACK_ROWS.is_multiple_of(tiles::SIDE));

/// Whether a matrix `[width, inner]` is large.
pub(in crate::brain) const fn is_large(inner: usize, width: usize) -> bool {
    inner * width >= LARGE && inner.is_multiple_of(LANES)
}

/// Rows of numbers as columns, in panels of up to 48 of them (see [`panel`]): `[inner, columns]` one after the other. Missing ones
/// are zero.
#[derive(Debug, Default)]
pub(in crate::brain) struct Turned {
    rows: usize,
    inner: usize,
    /// Where the first panel begins.
    begin: usize,
    numbers: Vec<f32>,
}

impl Turned {
    /// Takes up rows of `inner` numbers, in place of those before.
    pub(in crate::brain) fn fill(&mut self, rows: &[f32], inner: usize) {
        (self.rows, self.inner) = (rows.len() / inner.max(1), inner);
        let all = self.rows.next_multiple_of(HALF) * inner;
        self.begin = make_room(&mut self.numbers, all);
        let mut rest = &mut self.numbers[self.begin..][..all];
        let mut cut = Vec::new();
        for panel in panels(self.rows) {
            let (own, after) = rest.split_at_mut(panel.len() * inner);
            // A few columns at a time, so that their lines stay in the cache until all rows are there.
            let chunks = own.chunks_mut((panel.len() * TURNED).max(1)).enumerate();
            cut.extend(chunks.map(|(at, own)| (panel.clone(), at * TURNED, own)));
            rest = after;
        }
        let part = |(panel, column, own): (_, _, &mut [f32])| turn_part(rows, inner, own, panel, column);
        with_each(rows.len(), cut.into_iter(), part);
    }

    /// The length of a row.
    pub(in crate::brain) const fn inner(&self) -> usize {
        self.inner
    }

    /// Panels, each with the rows that it has room for.
    fn panels(&self) -> impl Iterator<Item = (Range<usize>, Factor<'_>)> {
        panels(self.rows).map(|panel| {
            let own = &self.numbers[self.begin..][panel.start * self.inner..panel.end * self.inner];
            let columns = panel.len();
            (panel, Factor::new(own, self.inner, columns))
        })
    }
}

/// Cuts rows into panels, the last of which may be half a register wide, and have room for more.
fn panels(rows: usize) -> impl Iterator<Item = Range<usize>> {
    let halves = rows.div_ceil(HALF);
    let wide = parts(halves / 2, panel() / LANES).map(|part| part.start * LANES..part.end * LANES);
    wide.chain((halves % 2 == 1).then(|| (halves - 1) * HALF..halves * HALF))
}

/// Rows `panel` of rows of `inner` numbers as columns, from column `column` on: `[columns, panel.len()]`.
fn turn_part(rows: &[f32], inner: usize, out: &mut [f32], panel: Range<usize>, column: usize) {
    let (count, width) = (rows.len() / inner.max(1), panel.len());
    for first in panel.clone().step_by(SIDE) {
        let from = &rows[(first * inner + column).min(rows.len())..];
        let (there, columns) = (count.saturating_sub(first).min(SIDE), out.len() / width);
        turn(from, inner, &mut out[first - panel.start..], width, there, columns);
    }
}

/// What several large matrices `[width, x.inner()]` make of the same rows, side by side: `[rows, width]` of each; see
/// [`product`](super::product()).
///
/// # Panics
/// If the shapes do not fit.
pub(in crate::brain) fn products_turned(x: &Turned, weights: &[(&dyn WeightRows, usize)]) -> Vec<Vec<f32>> {
    let mut made: Vec<_> = weights.iter().map(|(_, width)| Vec::with_capacity(x.rows * width)).collect();
    let targets = weights.iter().zip(&mut made);
    let targets: Vec<_> =
        targets.map(|((weights, width), made)| (*weights, Target::to_be(made, x.rows, *width))).collect();
    // SAFETY: the targets are not yet numbers; all of them are written, and nothing is read.
    unsafe {
        turned_into(x, &targets, false);
        made.iter_mut().zip(weights).for_each(|(made, (_, width))| made.set_len(x.rows * width));
    }
    made
}

/// The same of one, to where there are numbers already, which grow where `adds`.
///
/// # Panics
/// If the shapes do not fit.
pub(in crate::brain) fn product_turned(
    x: &Turned,
    weights: &dyn WeightRows,
    out: &mut [f32],
    width: usize,
    adds: bool,
) {
    assert!(out.len() == x.rows * width, "shapes of a product");
    // SAFETY: the target is borrowed.
    unsafe { turned_into(x, &[(weights, Target::of(out, width))], adds) }
}

/// Makes products where they belong, or adds them.
///
/// # Safety
/// What the targets were made of must live, and nobody else may read or write it meanwhile; where `adds`, there must be numbers.
unsafe fn turned_into(x: &Turned, targets: &[(&dyn WeightRows, Target)], adds: bool) {
    let (mut blocks, mut work) = (Vec::new(), 0);
    for (weights, target) in targets {
        let width = target.width();
        assert!(is_of_shape(*weights, width, x.inner), "shape of the weights");
        let ranges = (0..width).step_by(COLUMNS).map(|from| from..(from + COLUMNS).min(width));
        blocks.extend(ranges.map(|range| (*weights, *target, range)));
        work += x.rows * x.inner * width;
    }
    if x.rows == 0 {
        return;
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
    // SAFETY: as the caller says.
    let with = |w: Factor, ahead| unsafe { with_weights(x, w, target, range.clone(), adds, ahead) };
    if let Some(tiles) = weights.tiles() {
        return with(tiles.rows(range.clone()), Ahead::Rows(tiles.at(range.end, 0)));
    }
    let after = weights.ready().map(|all| Ahead::Rows(all.as_ptr().wrapping_add(range.end * x.inner)));
    with_part(weights, x.inner, range.clone(), 0..x.inner, GAP, |w| with(w, after.unwrap_or(Ahead::Nothing)));
}

/// The same, with the weights `[range.len(), inner]` of these columns.
///
/// # Safety
/// As above.
unsafe fn with_weights(x: &Turned, w: Factor, target: Target, range: Range<usize>, adds: bool, ahead: Ahead) {
    let mut sums = [0.0; COLUMNS * PANEL];
    let mut lines = [0.0; PANEL * COLUMNS];
    for (panel, a) in x.panels() {
        let step = panel.len();
        let ahead = if panel.start == 0 { ahead } else { Ahead::Nothing };
        // SAFETY: there are as many sums as columns of a block, times the widest panel.
        unsafe { Outer { a, b: w, c: sums.as_mut_ptr(), c_step: step, adds: false, ahead }.make() }
        let whole = range.len() - range.len() % SIDE;
        for at in (0..whole).step_by(SIDE) {
            turn(&sums[at * step..], step, &mut lines[at..], COLUMNS, SIDE, step);
        }
        for (row, line) in (panel.start..x.rows).zip(lines.chunks_exact_mut(COLUMNS)).take(step) {
            for at in whole..range.len() {
                line[at] = sums[at * step + row - panel.start];
            }
            // SAFETY: the columns are the caller's alone.
            unsafe { target.put(row, range.clone(), &line[..range.len()], adds) }
        }
    }
}

/// One of several ways back to the same rows.
#[derive(Clone, Copy)]
pub(in crate::brain) struct Back<'a> {
    /// The gradient of the result: `[rows, width]`.
    pub dy: &'a [f32],
    /// The weights `[width, inner]`.
    pub weights: &'a dyn WeightRows,
}

/// The sum of what comes back through several large matrices to `rows` rows of `inner` numbers: `[rows, inner]`; see
/// [`product_back`](super::product_back()).
///
/// # Panics
/// If the shapes do not fit, or there is none.
pub(in crate::brain) fn products_back(ways: &[Back], rows: usize, inner: usize) -> Vec<f32> {
    assert!(ways.iter().any(|way| !way.dy.is_empty()) || rows == 0, "an empty sum");
    // SAFETY: the target is not yet numbers; all of it is written, and nothing is read before.
    unsafe { Target::filled(rows, inner, |target| back_into(ways, target, false)) }
}

/// The same of one, to where there are numbers already, which grow where `adds`.
///
/// # Panics
/// If the shapes do not fit.
pub(super) fn back_of_large(way: Back, dx: &mut [f32], inner: usize, adds: bool) {
    // SAFETY: the target is borrowed.
    unsafe { back_into(&[way], Target::of(dx, inner), adds) }
}

/// Makes the sum of ways back where it belongs, or adds it.
///
/// # Safety
/// What the target was made of must live, and nobody else may read or write it meanwhile; where `adds`, there must be numbers.
unsafe fn back_into(ways: &[Back], target: Target, adds: bool) {
    let (rows, inner) = (target.rows(), target.width());
    if rows == 0 {
        return;
    }
    let (mut work, mut grain) = (0, 1);
    for Back { dy, weights } in ways {
        assert!(dy.len().is_multiple_of(rows), "shapes of a product");
        let width = dy.len() / rows;
        assert!(is_of_shape(*weights, width, inner), "shape of the weights");
        (work, grain) = (work + rows * inner * width, weights.grain().max(grain));
    }
    let block = |columns: Range<usize>| {
        let mut adds = adds;
        for Back { dy, weights } in ways {
            let width = dy.len() / rows;
            for summed in (0..width).step_by(BACK_ROWS).map(|from| from..(from + BACK_ROWS).min(width)) {
                let dy = Factor::part(&dy[summed.start..], rows, summed.len(), width);
                // SAFETY: the target is [rows, inner]; this block alone has its columns `columns`.
                let with = |w: Factor, from: usize, ahead| unsafe {
                    Outer { a: w, b: dy, c: target.at(0, from), c_step: inner, adds, ahead }.make();
                };
                match weights.tiles() {
                    Some(tiles) => columns_of_tiles(tiles, &summed, &columns, with),
                    None => with_copy(*weights, summed.clone(), columns.clone(), 0, |w| {
                        with(w, columns.start, Ahead::Nothing);
                    }),
                }
                adds = true;
            }
        }
    };
    let in_tiles = ways.iter().all(|way| way.weights.tiles().is_some());
    let each = if in_tiles && inner < FEW * BACK_COLUMNS { tiles::SIDE } else { BACK_COLUMNS };
    in_blocks(work, false, inner, each.next_multiple_of(grain), block);
}

/// Calls `with` for each column of tiles with its weights, where its columns begin, and what will be needed next: the tiles beside them, and
/// after the last ones the rows below or, where there are none, other columns.
fn columns_of_tiles(tiles: &Tiles, rows: &Range<usize>, columns: &Range<usize>, with: impl Fn(Factor, usize, Ahead)) {
    let mut from = columns.start;
    while from < columns.end {
        // Where other weights beside these come in larger grains, a block may begin within a tile.
        let to = (from + 1).next_multiple_of(tiles::SIDE).min(columns.end);
        let next = match (to < columns.end, rows.end < tiles.out()) {
            (true, _) => tiles.at(rows.start, to),
            (_, true) => tiles.at(rows.end, columns.start),
            _ => tiles.at(0, columns.end),
        };
        with(tiles.columns(rows.clone(), from..to), from, Ahead::Columns(next));
        from = to;
    }
}

#[cfg(test)]
mod tests;
