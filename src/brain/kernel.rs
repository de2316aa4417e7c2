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

    /// All of them, where they are f32 already.
    fn ready(&self) -> Option<&[f32]> {
        None
    }
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

    fn ready(&self) -> Option<&[f32]> {
        Some(self.weights)
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
        return multiply(Factor::new(x, rows, inner), Factor::new(&w, width, inner).t(), out, None);
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

/// Columns of `dx` that one block of [`product_back`] computes.
const BACK_BLOCK: usize = 64;

/// `dx[r, k] = Σₙ dy[r, n] · w[n, k]`, the gradient of [`product`]'s x: dy `[rows, width]`, w `[width, inner]`, dx
/// `[rows, inner]`. The weights become f32 for as long as this takes.
///
/// As in [`product`], any number of threads gives the same bits.
///
/// # Panics
/// If the slices do not have these shapes.
pub(super) fn product_back(
    dy: &[f32],
    weights: &(impl WeightRows + ?Sized),
    dx: &mut [f32],
    inner: usize,
    width: usize,
) {
    let rows = dx.len().checked_div(inner).unwrap_or(0);
    assert!(dy.len() == rows * width && dx.len() == rows * inner, "shapes of a product");
    if rows * inner * width <= SMALL {
        let w = weights.rows(0..width);
        multiply(Factor::new(dy, rows, width), Factor::new(&w, width, inner), dx, None);
        return;
    }
    let w = whole(weights, inner, width);
    assert_eq!(w.len(), width * inner, "shape of the weights");
    let target = Target(dx.as_mut_ptr());
    (0..inner.div_ceil(BACK_BLOCK)).into_par_iter().for_each(|block| {
        let range = block * BACK_BLOCK..((block + 1) * BACK_BLOCK).min(inner);
        // SAFETY: dy is [rows, width] and w [width, inner] by the assertions above; this block alone writes the columns
        // `range` of dx, which is [rows, inner] and outlives the loop.
        unsafe {
            gemm(
                rows,
                range.len(),
                width,
                target.pointer().add(range.start),
                1,
                inner as isize,
                false,
                dy.as_ptr(),
                1,
                width as isize,
                w.as_ptr().add(range.start),
                1,
                inner as isize,
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

/// All rows of the weights at once, made on all threads where they must be made.
fn whole(weights: &(impl WeightRows + ?Sized), inner: usize, width: usize) -> Cow<'_, [f32]> {
    if let Some(w) = weights.ready() {
        return Cow::Borrowed(w);
    }
    let mut w = vec![0.0; width * inner];
    w.par_chunks_mut(BLOCK * inner).enumerate().for_each(|(block, out)| {
        let from = block * BLOCK;
        out.copy_from_slice(&weights.rows(from..from + out.len() / inner));
    });
    Cow::Owned(w)
}

/// A factor of [`multiply`]: numbers row by row, taken as they lie or transposed.
#[derive(Clone, Copy)]
pub(super) struct Factor<'a> {
    numbers: &'a [f32],
    rows: usize,
    columns: usize,
    transposed: bool,
}

impl<'a> Factor<'a> {
    /// A matrix `[rows, columns]`.
    ///
    /// # Panics
    /// If there are not as many numbers.
    pub(super) fn new(numbers: &'a [f32], rows: usize, columns: usize) -> Self {
        assert_eq!(numbers.len(), rows * columns, "shape of a factor");
        Self { numbers, rows, columns, transposed: false }
    }

    /// The same, transposed.
    pub(super) const fn t(self) -> Self {
        Self { transposed: !self.transposed, ..self }
    }

    const fn shape(&self) -> (usize, usize) {
        if self.transposed { (self.columns, self.rows) } else { (self.rows, self.columns) }
    }

    /// Steps from one column to the next, and from one row to the next.
    const fn strides(&self) -> (isize, isize) {
        if self.transposed { (self.columns as isize, 1) } else { (1, self.columns as isize) }
    }
}

/// `out = a·b`, or `out += scale · a·b` where a scale is given; on the caller's thread. a `[m, k]`, b `[k, n]`, out `[m, n]`.
///
/// # Panics
/// If the shapes do not fit.
pub(super) fn multiply(a: Factor, b: Factor, out: &mut [f32], scale: Option<f32>) {
    let ((m, k), (also_k, n)) = (a.shape(), b.shape());
    assert!(k == also_k && out.len() == m * n, "shapes of a product");
    let ((a_column, a_row), (b_column, b_row)) = (a.strides(), b.strides());
    // SAFETY: Factor::new and the assertion above give every pointer its shape.
    unsafe {
        gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            n as isize,
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
        multiply(Factor::new(&x, 2, 2), Factor::new(&w, 3, 2).t(), &mut out, Some(10.0));
        assert_eq!(out, [11.0, 22.0, -11.0, 33.0, 44.0, -11.0]);
        // Transposed, x is (1 3 / 2 4): with the identity it gives itself.
        let mut turned = [0.0; 4];
        multiply(Factor::new(&x, 2, 2).t(), Factor::new(&[1.0, 0.0, 0.0, 1.0], 2, 2), &mut turned, None);
        assert_eq!(turned, [1.0, 3.0, 2.0, 4.0]);
        let mut back = [0.0; 4];
        product_back(&[1.0, 2.0, 3.0, 0.0, 0.0, 1.0], &Rows { weights: &w, inner: 2 }, &mut back, 2, 3);
        assert_eq!(back, [4.0, -1.0, 1.0, -1.0]);
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

    /// Weights that are made when they are asked for, as dequantised ones are.
    struct Made<'a>(Rows<'a>);

    impl WeightRows for Made<'_> {
        fn rows(&self, range: Range<usize>) -> Cow<'_, [f32]> {
            Cow::Owned(self.0.rows(range).into_owned())
        }
    }

    #[test]
    fn the_way_back_on_many_threads_equals_the_slow_sum() {
        let (rows, inner, width) = (70, 230, 300);
        let (dy, w) = (numbers(rows * width, 0.37), numbers(width * inner, 0.91));
        let turned: Vec<f32> = (0..inner * width).map(|at| w[at % width * inner + at / width]).collect();
        let expected = slow(&dy, &turned, rows, width, inner);
        let weights = Rows { weights: &w, inner };
        let mut dx = vec![f32::NAN; rows * inner];
        product_back(&dy, &weights, &mut dx, inner, width);
        assert_eq!(dx, expected);
        product_back(&dy, &Made(weights), &mut dx, inner, width);
        assert_eq!(dx, expected);
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
