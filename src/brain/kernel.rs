//! The one place with unsafe code: matrix products that write straight into columns of their result.
//!
//! This module does *not* know tensors, models or quantised types; weights arrive as f32 rows, block by block.
#![allow(unsafe_code, reason = "the crate gemm takes pointers; every public function here checks its slices first")]

use std::{borrow::Cow, ops::Range};

use gemm::{Parallelism, gemm};
use rayon::prelude::*;

/// Columns of the result that one block computes: its weights, dequantised, stay in the second-level cache.
const BLOCK: usize = 64;
/// Products with fewer multiplications than this are done at once, on the caller's thread.
const SMALL: usize = 1 << 22;

/// Weights `[out, in]` that can be had as f32, some rows at a time.
pub(super) trait WeightRows: Sync {
    /// Rows `range`, side by side: `range.len() · in` numbers.
    fn rows(&self, range: Range<usize>) -> Cow<'_, [f32]>;
}

/// f32 weights with a known row length.
pub(super) struct Rows<'a> {
    /// The weights `[out, in]`, row by row.
    pub weights: &'a [f32],
    /// Length of a row.
    pub inner: usize,
}

impl WeightRows for Rows<'_> {
    fn rows(&self, range: Range<usize>) -> Cow<'_, [f32]> {
        Cow::Borrowed(&self.weights[range.start * self.inner..range.end * self.inner])
    }
}

/// A pointer that may cross threads: each block writes columns that are its own.
#[derive(Clone, Copy)]
struct Target(*mut f32);
unsafe impl Send for Target {}
unsafe impl Sync for Target {}

impl Target {
    /// The pointer itself; a method, so that a closure takes the whole struct and not its field.
    const fn pointer(self) -> *mut f32 {
        self.0
    }
}

/// `out[r, n] = Σₖ x[r, k] · w[n, k]`: x `[rows, inner]`, w `[width, inner]`, out `[rows, width]`.
///
/// How the work is divided depends on the shapes alone, and each sum is made by one thread: any number of threads
/// gives the same bits.
///
/// # Panics
/// If the slices do not have these shapes.
pub(super) fn product(x: &[f32], weights: &(impl WeightRows + ?Sized), out: &mut [f32], inner: usize, width: usize) {
    let rows = out.len().checked_div(width).unwrap_or(0);
    assert!(x.len() == rows * inner && out.len() == rows * width, "shapes of a product");
    if rows * inner * width <= SMALL {
        let w = weights.rows(0..width);
        assert_eq!(w.len(), width * inner, "shape of the weights");
        return accumulate(x, &w, out, inner, width, None);
    }
    let target = Target(out.as_mut_ptr());
    (0..width.div_ceil(BLOCK)).into_par_iter().for_each(|block| {
        let range = block * BLOCK..((block + 1) * BLOCK).min(width);
        let w = weights.rows(range.clone());
        assert_eq!(w.len(), range.len() * inner, "shape of the weights");
        // SAFETY: x is [rows, inner] and w [range, inner] by the assertions above; this block alone writes the columns
        // `range` of out, which is [rows, width] and outlives the loop.
        unsafe {
            gemm(
                rows,
                range.len(),
                inner,
                target.pointer().add(range.start),
                1,
                width as isize,
                false,
                x.as_ptr(),
                1,
                inner as isize,
                w.as_ptr(),
                inner as isize,
                1,
                0.0,
                1.0,
                false,
                false,
                false,
                Parallelism::None,
            );
        }
    });
}

/// `out[r, n] = Σₖ x[r, k] · w[n, k]`, or `out[r, n] += scale · Σₖ …` where a scale is given; on the caller's thread.
///
/// # Panics
/// If the slices are not x `[rows, inner]`, w `[width, inner]`, out `[rows, width]`.
pub(super) fn accumulate(x: &[f32], w: &[f32], out: &mut [f32], inner: usize, width: usize, scale: Option<f32>) {
    let rows = out.len().checked_div(width).unwrap_or(0);
    assert!(x.len() == rows * inner && w.len() == width * inner && out.len() == rows * width, "shapes of a product");
    // SAFETY: the assertion above gives every pointer its shape.
    unsafe {
        gemm(
            rows,
            width,
            inner,
            out.as_mut_ptr(),
            1,
            width as isize,
            scale.is_some(),
            x.as_ptr(),
            1,
            inner as isize,
            w.as_ptr(),
            inner as isize,
            1,
            1.0,
            scale.unwrap_or(1.0),
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(len: usize, step: f32) -> Vec<f32> {
        (0..len).map(|i| ((i as f32 * step).sin() * 8.0).round() / 8.0).collect()
    }

    fn slow(x: &[f32], w: &[f32], rows: usize, inner: usize, width: usize) -> Vec<f32> {
        let cell = |r: usize, n: usize| {
            (0..inner).map(|k| f64::from(x[r * inner + k]) * f64::from(w[n * inner + k])).sum::<f64>()
        };
        (0..rows * width).map(|at| cell(at / width, at % width) as f32).collect()
    }

    #[test]
    fn a_product_by_hand() {
        let (x, w) = ([1.0, 2.0, 3.0, 4.0], [1.0, 0.0, 0.0, 1.0, 1.0, -1.0]);
        let mut out = [0.0; 6];
        product(&x, &Rows { weights: &w, inner: 2 }, &mut out, 2, 3);
        assert_eq!(out, [1.0, 2.0, -1.0, 3.0, 4.0, -1.0]);
        accumulate(&x, &w, &mut out, 2, 3, Some(10.0));
        assert_eq!(out, [11.0, 22.0, -11.0, 33.0, 44.0, -11.0]);
    }

    #[test]
    fn blocks_on_many_threads_equal_the_slow_sum() {
        // Above the size that is divided, with a last block that is not full.
        let (rows, inner, width) = (70, 300, 230);
        assert!(rows * inner * width > SMALL);
        let (x, w) = (numbers(rows * inner, 0.37), numbers(width * inner, 0.91));
        let mut out = vec![f32::NAN; rows * width];
        product(&x, &Rows { weights: &w, inner }, &mut out, inner, width);
        // Eighths sum exactly in f32, so that equality may be asked for.
        assert_eq!(out, slow(&x, &w, rows, inner, width));
    }

    #[test]
    fn nothing_in_nothing_out() {
        product(&[], &Rows { weights: &[], inner: 4 }, &mut [], 4, 0);
        product(&[], &Rows { weights: &[1.0; 8], inner: 4 }, &mut [], 4, 2);
    }

    #[test]
    #[should_panic(expected = "shapes of a product")]
    fn a_wrong_shape_is_refused() {
        product(&[1.0; 5], &Rows { weights: &[1.0; 8], inner: 4 }, &mut [0.0; 2], 4, 2);
    }
}
