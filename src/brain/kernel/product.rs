//! Matrix products in f32 that write straight into columns of their result.
//!
//! This module does *not* know quantised types: weights arrive as f32, some rows and columns at a time.

use std::{cell::RefCell, ops::Range, sync::Once};

use super::{
    factor::{Factor, Target},
    large::{Back, Turned, back_of_large, is_large, product_turned},
    team::in_parts,
    tiles::Tiles,
};

/// Columns of the result that one block computes: its weights, dequantised, stay in the second-level cache. A multiple of
/// 32 numbers, which are two registers of AVX-512 and a block of the usual quantised types.
pub(super) const BLOCK: usize = 96;
/// Rows of the weights that a block of [`product_back`] sums over at a time.
const BACK_ROWS: usize = 768;
/// Products with fewer multiplications than this are done at once, on the caller's thread.
const SMALL: usize = 1 << 22;
/// Numbers by which rows of dequantised weights lie further apart than they are long: a line of the cache, so that one column's
/// numbers do not all compete for the same few places in it.
pub(super) const GAP: usize = 16;

/// Groups of columns of a result, as many as a tile has, up to which the crate gemm takes weights as they lie: the most that it allows.
const MOST_DIRECT: usize = 256;

/// Results with at most so many numbers the crate gemm sums in another order.
const FLAT: usize = 16 * 16;
/// Results that have at most so many rows and columns it sums so many products at a time as [`DEEP`] says, and others otherwise.
const SMALL_SIDE: usize = 64;
const DEEP: usize = 512;

thread_local! {
    /// Room for the weights that a thread dequantises, kept from product to product.
    static SCRATCH: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Weights `[out, in]` that can be had as f32, some rows and columns at a time.
pub(in crate::brain) trait WeightRows: Sync {
    /// Writes the numbers of some rows and columns to `out`, row by row, the beginning of each `step` after that of the one
    /// before. `columns` begins and ends at multiples of [`WeightRows::grain`].
    fn fill(&self, rows: Range<usize>, columns: Range<usize>, out: &mut [f32], step: usize);

    /// Columns that only come together; it divides the length of a row.
    fn grain(&self) -> usize {
        1
    }

    /// All of them, row by row, where they lie so.
    fn ready(&self) -> Option<&[f32]> {
        None
    }

    /// All of them in tiles, where they lie so.
    fn tiles(&self) -> Option<&Tiles> {
        None
    }
}

impl<T: WeightRows + ?Sized> WeightRows for &T {
    fn fill(&self, rows: Range<usize>, columns: Range<usize>, out: &mut [f32], step: usize) {
        (**self).fill(rows, columns, out, step);
    }

    fn grain(&self) -> usize {
        (**self).grain()
    }

    fn ready(&self) -> Option<&[f32]> {
        (**self).ready()
    }

    fn tiles(&self) -> Option<&Tiles> {
        (**self).tiles()
    }
}

/// f32 weights with a known row length.
pub(in crate::brain) struct Rows<'a> {
    /// The weights `[out, in]`, row by row.
    pub weights: &'a [f32],
    /// Length of a row.
    pub inner: usize,
}

impl WeightRows for Rows<'_> {
    fn fill(&self, rows: Range<usize>, columns: Range<usize>, out: &mut [f32], step: usize) {
        for (row, out) in rows.zip(out.chunks_mut(step.max(1))) {
            out[..columns.len()].copy_from_slice(&self.weights[row * self.inner..][columns.clone()]);
        }
    }

    fn ready(&self) -> Option<&[f32]> {
        Some(self.weights)
    }
}

/// Has the crate gemm, for the whole program, take weights where they lie well for it: they are in the cache, and that it copies them first
/// costs more than it gains. Results are the same bits.
fn take_weights_as_they_lie() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| gemm::set_lhs_packing_threshold_single_thread(MOST_DIRECT));
}

/// Calls `then` with rows `rows` and columns `columns` of weights with rows of `inner` numbers, as a factor.
pub(super) fn with_part<T>(
    weights: &(impl WeightRows + ?Sized),
    inner: usize,
    rows: Range<usize>,
    columns: Range<usize>,
    gap: usize,
    then: impl FnOnce(Factor) -> T,
) -> T {
    if let Some(all) = weights.ready() {
        let there = &all[rows.start * inner + columns.start..rows.end * inner];
        return then(Factor::part(there, rows.len(), columns.len(), inner));
    }
    with_copy(weights, rows, columns, gap, then)
}

/// The same with a copy of the weights, each row of which is `gap` numbers apart from the next.
pub(super) fn with_copy<T>(
    weights: &(impl WeightRows + ?Sized),
    rows: Range<usize>,
    columns: Range<usize>,
    gap: usize,
    then: impl FnOnce(Factor) -> T,
) -> T {
    let (height, width) = (rows.len(), columns.len());
    SCRATCH.with_borrow_mut(|scratch| {
        let step = width + gap;
        let begin = make_room(scratch, height * step);
        let out = &mut scratch[begin..][..height * step];
        weights.fill(rows, columns, out, step);
        then(Factor::part(out, height, width, step))
    })
}

/// Grows `numbers` where they have no room for `count` ones that begin with a line of the cache, and says where such a line begins.
/// A register's numbers would lie in two lines otherwise.
pub(super) fn make_room(numbers: &mut Vec<f32>, count: usize) -> usize {
    if numbers.len() < count + GAP {
        numbers.resize(count + GAP, 0.0);
    }
    numbers.as_ptr().align_offset(GAP * size_of::<f32>()).min(GAP)
}

/// `out[r, n] = Σₖ x[r, k] · w[n, k]`, or `+=` where `adds`: x `[rows, inner]`, w `[width, inner]`, out `[rows, width]`.
///
/// How the work is divided depends on the shapes alone, and each sum is made by one thread: any number of threads
/// gives the same bits. So do any rows that are beside a row.
///
/// # Panics
/// If the slices do not have these shapes.
pub(in crate::brain) fn product(
    x: &[f32],
    weights: &(impl WeightRows + ?Sized),
    out: &mut [f32],
    inner: usize,
    width: usize,
    adds: bool,
) {
    take_weights_as_they_lie();
    let rows = out.len().checked_div(width).unwrap_or(0);
    assert!(x.len() == rows * inner && out.len() == rows * width, "shapes of a product");
    assert!(is_of_shape(weights, width, inner), "shape of the weights");
    if is_large(inner, width) {
        let mut turned = Turned::default();
        turned.fill(x, inner);
        return product_turned(&turned, &weights, out, width, adds);
    }
    let narrowest = if width.is_multiple_of(BLOCK) { BLOCK.min(width) } else { width % BLOCK };
    let few = (FLAT / narrowest.max(1)).max(if narrowest <= SMALL_SIDE && inner > DEEP { SMALL_SIDE } else { 0 });
    if rows > 0 && width > 0 && rows <= few {
        return product_of_few(x, weights, out, inner, width, adds, few + 1);
    }
    let (x, target, scale) = (Factor::new(x, rows, inner), Target::of(out, width), adds.then_some(1.0));
    let block = |range: Range<usize>| {
        with_part(weights, inner, range.clone(), 0..inner, GAP, |w| {
            // SAFETY: the target is [rows, width]; this block alone writes its columns `range`.
            unsafe { target.write(range, x, w.t(), scale) }
        });
    };
    in_blocks(rows * inner * width, weights.ready().is_some(), width, BLOCK, block);
}

/// [`product`] with as many rows as make `rows`, of which those that are added are zero.
fn product_of_few(
    x: &[f32],
    weights: &(impl WeightRows + ?Sized),
    out: &mut [f32],
    inner: usize,
    width: usize,
    adds: bool,
    rows: usize,
) {
    let (mut more, mut results) = (x.to_vec(), out.to_vec());
    more.resize(rows * inner, 0.0);
    results.resize(rows * width, 0.0);
    product(&more, weights, &mut results, inner, width, adds);
    out.copy_from_slice(&results[..out.len()]);
}

/// `dx[r, k] = Σₙ dy[r, n] · w[n, k]`, or `+=` where `adds`, the gradient of [`product`]'s x: dy `[rows, width]`, w
/// `[width, inner]`, dx `[rows, inner]`.
///
/// As in [`product`], any number of threads gives the same bits.
///
/// # Panics
/// If the slices do not have these shapes.
pub(in crate::brain) fn product_back(
    dy: &[f32],
    weights: &(impl WeightRows + ?Sized),
    dx: &mut [f32],
    inner: usize,
    width: usize,
    adds: bool,
) {
    take_weights_as_they_lie();
    let rows = dx.len().checked_div(inner).unwrap_or(0);
    assert!(dy.len() == rows * width && dx.len() == rows * inner, "shapes of a product");
    assert!(is_of_shape(weights, width, inner), "shape of the weights");
    if is_large(inner, width) {
        return back_of_large(Back { dy, weights: &weights }, dx, inner, adds);
    }
    let target = Target::of(dx, inner);
    let block = |columns: Range<usize>| {
        // At least once: an empty sum is zero.
        for from in (0..width.max(1)).step_by(BACK_ROWS) {
            let summed = from..(from + BACK_ROWS).min(width);
            let dy = Factor::part(&dy[from.min(dy.len())..], rows, summed.len(), width);
            with_part(weights, inner, summed, columns.clone(), 0, |w| {
                let scale = (adds || from > 0).then_some(1.0);
                // SAFETY: the target is [rows, inner]; this block alone writes its columns `columns`.
                unsafe { target.write(columns.clone(), dy, w, scale) }
            });
        }
    };
    let grain = weights.grain();
    in_blocks(rows * inner * width, weights.ready().is_some(), inner, BLOCK.div_ceil(grain) * grain, block);
}

/// Whether weights have `width` rows of `inner` numbers, as far as they tell.
pub(super) fn is_of_shape(weights: &(impl WeightRows + ?Sized), width: usize, inner: usize) -> bool {
    weights.ready().is_none_or(|all| all.len() == width * inner)
        && weights.tiles().is_none_or(|tiles| (tiles.out(), tiles.inner()) == (width, inner))
}

/// Whether so many multiplications are worth to be divided among threads.
pub(super) const fn is_worth_dividing(work: usize) -> bool {
    work > SMALL
}

/// Calls `block` for `each` columns after `each` of `columns`, by all threads where the product takes so many multiplications
/// that it is worth it, and for all columns at once where it does not and weights need no room.
pub(super) fn in_blocks(work: usize, is_ready: bool, columns: usize, each: usize, block: impl Fn(Range<usize>) + Sync) {
    let of = |at: usize| at * each..((at + 1) * each).min(columns);
    if is_worth_dividing(work) {
        in_parts(columns.div_ceil(each), |at| block(of(at)));
    } else if is_ready {
        block(0..columns);
    } else {
        (0..columns.div_ceil(each)).for_each(|at| block(of(at)));
    }
}

#[cfg(test)]
mod tests;
