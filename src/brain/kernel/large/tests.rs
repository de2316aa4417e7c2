//! Products with large matrices against slow sums.

use super::*;
use crate::brain::kernel::{Rows, factor::Pieces, product, product_back};

/// Eighths, whose sums of products are exact in f32.
fn numbers(len: usize, step: f32) -> Vec<f32> {
    (0..len).map(|i| ((i as f32 * step).sin() * 8.0).round() / 8.0).collect()
}

/// Σₖ a[r, k] · b[n, k].
fn slow(a: &[f32], b: &[f32], depth: usize) -> Vec<f32> {
    let cell = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>() as f32;
    a.chunks(depth).flat_map(|a| b.chunks(depth).map(move |b| cell(a, b))).collect()
}

fn transposed(matrix: &[f32], columns: usize) -> Vec<f32> {
    (0..columns).flat_map(|column| matrix[column..].iter().step_by(columns).copied()).collect()
}

/// Weights that are made when they are asked for, some columns at a time, as dequantised ones are.
struct Made<'a>(Rows<'a>, usize);

impl WeightRows for Made<'_> {
    fn fill(&self, rows: Range<usize>, columns: Range<usize>, out: &mut [f32], step: usize) {
        assert!(columns.start.is_multiple_of(self.1) && columns.end.is_multiple_of(self.1), "a cut within a grain");
        self.0.fill(rows, columns, out, step);
    }

    fn grain(&self) -> usize {
        self.1
    }
}

#[test]
fn products_and_their_ways_back_equal_slow_sums_for_any_number_of_rows() {
    // Widths that no block divides, columns that no panel does, and more than is summed at a time.
    for (inner, width, grain) in [(256, 300, 32), (576, 192, 32), (768, 401, 256), (752, 421, 16), (336, 235, 16)] {
        assert!(is_large(inner, width));
        let w = numbers(width * inner, 0.91);
        let turned = transposed(&w, inner);
        let tiles = Tiles::of(&Rows { weights: &w, inner }, width, inner);
        assert!(tiles.is_some() || [300, 401].contains(&width));
        for rows in [0, 1, 3, 16, 23, 33, 84, 97] {
            let (x, dy) = (numbers(rows * inner, 0.37), numbers(rows * width, 0.53));
            let (expected, back) = (slow(&x, &w, inner), slow(&dy, &turned, width));
            let twice = |once: &[f32]| once.iter().map(|one| 2.0 * one).collect::<Vec<f32>>();
            let ready = Rows { weights: &w, inner };
            let (mut out, mut dx) = (vec![f32::NAN; rows * width], vec![f32::NAN; rows * inner]);
            product(&x, &ready, &mut out, inner, width, false);
            product_back(&dy, &ready, &mut dx, inner, width, false);
            assert_eq!(out, expected, "{rows} rows of {inner} to {width}");
            assert_eq!(dx, back, "{rows} rows of {inner} to {width}, back");
            let made = Made(ready, grain);
            product(&x, &made, &mut out, inner, width, true);
            product_back(&dy, &made, &mut dx, inner, width, true);
            assert_eq!(out, twice(&expected), "{rows} rows of {inner} to {width}: made, and it adds");
            assert_eq!(dx, twice(&back), "{rows} rows of {inner} to {width}, back: made, and it adds");
            if let Some(tiles) = &tiles {
                product(&x, tiles, &mut out, inner, width, false);
                product_back(&dy, tiles, &mut dx, inner, width, false);
                assert_eq!(out, expected, "{rows} rows of {inner} to {width}: in tiles");
                assert_eq!(dx, back, "{rows} rows of {inner} to {width}, back: in tiles");
            }
        }
    }
}

#[test]
fn a_row_is_the_same_bits_whatever_is_beside_it() {
    let (rows, inner, width) = (101, 576, 192);
    let numbers = |len: usize, step: f32| (0..len).map(|i| (i as f32 * step).sin()).collect::<Vec<f32>>();
    let (w, x, dy) = (numbers(width * inner, 0.91), numbers(rows * inner, 0.37), numbers(rows * width, 0.53));
    let w = Rows { weights: &w, inner };
    let both = |from: usize, to: usize| {
        let (mut out, mut dx) = (vec![0.0; (to - from) * width], vec![0.0; (to - from) * inner]);
        product(&x[from * inner..to * inner], &w, &mut out, inner, width, false);
        product_back(&dy[from * width..to * width], &w, &mut dx, inner, width, false);
        (out, dx)
    };
    let (out, dx) = both(0, rows);
    for (from, to) in [(0, 1), (5, 28), (48, 101), (100, 101)] {
        let (some, back) = both(from, to);
        assert!(some == out[from * width..to * width], "rows {from} to {to}");
        assert!(back == dx[from * inner..to * inner], "rows {from} to {to}, back");
    }
}

#[test]
fn ways_back_through_tiles_and_other_weights_are_summed_for_every_grain() {
    let (inner, width, rows) = (768, 384, 9);
    let (w, dy) = (numbers(width * inner, 0.91), numbers(rows * width, 0.53));
    let ready = || Rows { weights: &w, inner };
    let tiles = Tiles::of(&ready(), width, inner).unwrap();
    let once = slow(&dy, &transposed(&w, inner), width);
    let expected: Vec<f32> = once.iter().map(|once| 2.0 * once).collect();
    for grain in [1, 16, 32, 64, 128, 256] {
        let made = Made(ready(), grain);
        let ways: [&dyn WeightRows; 2] = [&tiles, &made];
        let ways = ways.map(|weights| Back { dy: &dy, weights });
        assert_eq!(products_back(&ways, rows, inner), expected, "a grain of {grain}");
    }
    let ways = [&tiles, &tiles].map(|weights| Back { dy: &dy, weights });
    assert_eq!(products_back(&ways, rows, inner), expected, "tiles alone");
}

/// Registers of every width that this processor has, one number at a time, and what is chosen give the same numbers.
#[test]
fn tiles_of_every_width_give_the_same() {
    #[cfg(target_arch = "x86_64")]
    use pulp::Simd;
    use pulp::WithSimd;
    let (rows, depth, lanes) = (13, 21, 80);
    let (a, b) = (numbers(depth * lanes, 0.91), numbers(rows * depth, 0.37));
    let expected = slow(&b, &transposed(&a, lanes), depth);
    // The same in pieces of four steps, with room between.
    let gap = |numbers: Vec<f32>| numbers.into_iter().chain([f32::NAN; 7]);
    let a_apart: Vec<_> = a.chunks(4 * lanes).flat_map(|piece| gap(piece.to_vec())).collect();
    let b_piece = |from: usize| {
        let row =
            move |row: &[f32]| (from..from + 4).map(|at| row.get(at).copied().unwrap_or(f32::NAN)).collect::<Vec<_>>();
        gap(b.chunks(depth).flat_map(row).collect())
    };
    let b_apart: Vec<_> = (0..depth).step_by(4).flat_map(b_piece).collect();
    let whole = (Factor::new(&a, depth, lanes), Factor::new(&b, rows, depth));
    let a_pieces = Factor::of_pieces(&a_apart, depth, lanes, lanes, Pieces::rows(4, 4 * lanes + 7));
    let b_pieces = Factor::of_pieces(&b_apart, rows, depth, 4, Pieces::columns(4, 4 * rows + 7));
    let make = |with: fn(Outer)| {
        let made = [whole, (a_pieces, whole.1), (whole.0, b_pieces)].map(|(a, b)| {
            let mut c = vec![1.0; rows * lanes];
            let ahead = if a.pieces() == Pieces::ONE { Ahead::Rows(a.begin().0) } else { Ahead::Columns(a.begin().0) };
            with(Outer { a, b, c: c.as_mut_ptr(), c_step: lanes, adds: true, ahead });
            c.iter().map(|c| c - 1.0).collect::<Vec<_>>()
        });
        assert!(made.iter().all(|one| *one == made[0]), "in pieces");
        made[0].clone()
    };
    // SAFETY: c has as many rows and columns as the product, and is nobody else's.
    assert_eq!(make(|outer| unsafe { outer.make() }), expected);
    assert_eq!(make(|outer| outer.with_simd(pulp::Scalar)), expected);
    #[cfg(target_arch = "x86_64")]
    if pulp::x86::V3::try_new().is_some() {
        assert_eq!(make(|outer| Simd::vectorize(pulp::x86::V3::try_new().unwrap(), outer)), expected);
    }
}

#[test]
fn rows_become_columns_and_the_missing_ones_are_zero() {
    // More than is turned at a time.
    const INNER: usize = TURNED + LANES;
    for count in [1, 15, 16, 17, 40, 49, 100] {
        let rows: Vec<f32> = (0..count * INNER).map(|at| at as f32 + 1.0).collect();
        let mut turned = Turned { numbers: vec![-7.0; 12], ..Turned::default() };
        turned.fill(&rows, INNER);
        let begun = &turned.numbers[turned.begin..];
        assert!(
            begun.as_ptr().cast::<[f32; 16]>().addr().is_multiple_of(64),
            "a panel begins with a line of the cache"
        );
        let mut next = 0;
        for panel in panels(count) {
            let fits = panel.len() == HALF || panel.len().is_multiple_of(LANES);
            assert!(panel.start == next && panel.len() <= PANEL && fits, "{panel:?}");
            for (at, number) in begun[panel.start * INNER..panel.end * INNER].iter().enumerate() {
                let (column, row) = (at / panel.len(), panel.start + at % panel.len());
                let expected = if row < count { rows[row * INNER + column] } else { 0.0 };
                assert_eq!(*number, expected, "{count} rows: row {row}, column {column}");
            }
            next = panel.end;
        }
        assert_eq!(next, usize::next_multiple_of(count, HALF));
    }
}

#[test]
fn parts_are_few_and_even() {
    let all = |all, most| parts(all, most).map(|part| part.len()).collect::<Vec<_>>();
    assert_eq!(all(6, 3), [3, 3]);
    assert_eq!(all(7, 3), [2, 2, 3]);
    assert_eq!(all(4, 3), [2, 2]);
    assert_eq!(all(84, 8), [7, 8, 7, 8, 8, 7, 8, 8, 7, 8, 8]);
    assert_eq!(all(1, 8), [1]);
    assert!(all(0, 8).is_empty());
}
