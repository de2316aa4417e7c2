//! Products by hand and against slow sums.

use super::*;
use crate::brain::kernel::multiply;

fn numbers(len: usize, step: f32) -> Vec<f32> {
    (0..len).map(|i| ((i as f32 * step).sin() * 8.0).round() / 8.0).collect()
}

fn slow(x: &[f32], w: &[f32], rows: usize, inner: usize, width: usize) -> Vec<f32> {
    let cell =
        |r: usize, n: usize| (0..inner).map(|k| f64::from(x[r * inner + k]) * f64::from(w[n * inner + k])).sum::<f64>();
    (0..rows * width).map(|at| cell(at / width, at % width) as f32).collect()
}

#[test]
fn a_product_by_hand() {
    let (x, w) = ([1.0, 2.0, 3.0, 4.0], [1.0, 0.0, 0.0, 1.0, 1.0, -1.0]);
    let mut out = [0.0; 6];
    product(&x, &Rows { weights: &w, inner: 2 }, &mut out, 2, 3, false);
    assert_eq!(out, [1.0, 2.0, -1.0, 3.0, 4.0, -1.0]);
    multiply(Factor::new(&x, 2, 2), Factor::new(&w, 3, 2).t(), &mut out, Some(10.0));
    assert_eq!(out, [11.0, 22.0, -11.0, 33.0, 44.0, -11.0]);
    // Transposed, x is (1 3 / 2 4): with the identity it gives itself.
    let mut turned = [0.0; 4];
    multiply(Factor::new(&x, 2, 2).t(), Factor::new(&[1.0, 0.0, 0.0, 1.0], 2, 2), &mut turned, None);
    assert_eq!(turned, [1.0, 3.0, 2.0, 4.0]);
    let mut back = [0.0; 4];
    product_back(&[1.0, 2.0, 3.0, 0.0, 0.0, 1.0], &Rows { weights: &w, inner: 2 }, &mut back, 2, 3, false);
    assert_eq!(back, [4.0, -1.0, 1.0, -1.0]);
}

#[test]
fn blocks_on_many_threads_equal_the_slow_sum() {
    // Above the size that is divided, with a last block that is not full.
    let (rows, inner, width) = (70, 300, 230);
    assert!(rows * inner * width > SMALL);
    let (x, w) = (numbers(rows * inner, 0.37), numbers(width * inner, 0.91));
    let mut out = vec![f32::NAN; rows * width];
    product(&x, &Rows { weights: &w, inner }, &mut out, inner, width, false);
    // Eighths sum exactly in f32, so that equality may be asked for.
    assert_eq!(out, slow(&x, &w, rows, inner, width));
    product(&x, &Made(Rows { weights: &w, inner }), &mut out, inner, width, true);
    let twice: Vec<f32> = slow(&x, &w, rows, inner, width).iter().map(|once| 2.0 * once).collect();
    assert_eq!(out, twice, "weights that are made, and it adds");
}

/// Weights that are made when they are asked for, as dequantised ones are.
struct Made<'a>(Rows<'a>);

impl WeightRows for Made<'_> {
    fn fill(&self, rows: Range<usize>, columns: Range<usize>, out: &mut [f32], step: usize) {
        assert!(columns.start.is_multiple_of(2) && columns.end.is_multiple_of(2), "a cut within a grain");
        self.0.fill(rows, columns, out, step);
    }

    fn grain(&self) -> usize {
        2
    }
}

#[test]
fn the_way_back_on_many_threads_equals_the_slow_sum() {
    // Longer sums than one block makes at a time.
    let (rows, inner, width) = (30, 230, BACK_ROWS + 70);
    assert!(rows * inner * width > SMALL);
    let (dy, w) = (numbers(rows * width, 0.37), numbers(width * inner, 0.91));
    let turned: Vec<f32> = (0..inner * width).map(|at| w[at % width * inner + at / width]).collect();
    let expected = slow(&dy, &turned, rows, width, inner);
    let weights = Rows { weights: &w, inner };
    let mut dx = vec![f32::NAN; rows * inner];
    product_back(&dy, &weights, &mut dx, inner, width, false);
    assert_eq!(dx, expected);
    product_back(&dy, &Made(weights), &mut dx, inner, width, false);
    assert_eq!(dx, expected);
    product_back(&dy, &Made(Rows { weights: &w, inner }), &mut dx, inner, width, true);
    assert!(dx.iter().zip(&expected).all(|(dx, once)| *dx == 2.0 * once), "it adds");
}

#[test]
fn a_row_has_the_same_bits_whatever_is_beside_it() {
    // Widths with narrow last blocks; products small and large enough to be divided.
    for (inner, width) in [(13, 5), (64, 64), (32, 97), (1300, 40), (576, 1536), (1536, 577)] {
        // No round numbers: sums of these depend on their order.
        let waves = |len: usize, step: f32| (0..len).map(|at| (at as f32 * step).sin()).collect::<Vec<_>>();
        let (x, w) = (waves(92 * inner, 0.37), waves(width * inner, 0.61));
        let weights = Rows { weights: &w, inner };
        let apply = |rows: usize| {
            let mut out = numbers(rows * width, 0.2);
            product(&x[..rows * inner], &weights, &mut out, inner, width, true);
            out
        };
        let all = apply(92);
        for rows in [1, 2, 3, 5, 23, 46, 69] {
            assert!(apply(rows) == all[..rows * width], "{rows} rows of {inner}, {width} columns");
        }
    }
}

#[test]
fn nothing_in_nothing_out() {
    product(&[], &Rows { weights: &[], inner: 4 }, &mut [], 4, 0, false);
    product(&[], &Rows { weights: &[1.0; 8], inner: 4 }, &mut [], 4, 2, false);
}

#[test]
#[should_panic(expected = "shapes of a product")]
fn a_wrong_shape_is_refused() {
    product(&[1.0; 5], &Rows { weights: &[1.0; 8], inner: 4 }, &mut [0.0; 2], 4, 2, false);
}
