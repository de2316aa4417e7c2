//! The product of rows rounded to int8 with weights that are whole numbers: llama.cpp's arithmetic with activations in Q8_0.
//!
//! ```text
//! x = dx·qx                    dx for each 32 numbers of a row
//! w = dw·(qw − zero) − m       dw for each 32 or 16 weights of a row, m for each 32
//! Σ x·w = Σ over blocks        (Σ qx·qw − zero·Σ qx)·(dw·dx) − m·(dx·Σ qx)
//! ```
//!
//! The sums within a block are whole numbers below 2²⁴, which f32 holds exactly. The blocks' are added in their order, with a
//! rounding after each operation: every set of instructions and any number of threads give the same bits.
//!
//! This module does *not* know how weights lie in memory.

use std::{cell::Cell, ops::Range};

use super::{
    factor::Target,
    instructions::Instructions,
    panel::{BLOCK, LINE, Panel, WholeRows},
    portable,
    product::in_blocks,
    rounded::Rounded,
};

thread_local! {
    /// Room for the weights that a thread unpacks, kept from product to product.
    static PANEL: Cell<Panel> = Cell::default();
}

/// Some columns of a product.
pub(super) struct Job<'a, W> {
    /// w.
    pub(super) weights: &'a W,
    /// x.
    pub(super) x: &'a Rounded,
    /// The columns.
    pub(super) columns: Range<usize>,
    /// The result, of which whoever has the job may write those columns.
    pub(super) target: Target,
    /// Whether the result grows by the product.
    pub(super) adds: bool,
}

/// `out[r, n] = Σₖ x[r, k] · w[n, k]`, or `+=` where `adds`, in the arithmetic of this module: x `[rows, inner]`, w `[width, inner]`,
/// out `[rows, width]`.
///
/// # Panics
/// If out does not have this shape. Weights of another shape are whoever unpacks them to refuse.
pub(in crate::brain) fn product_rounded<W: WholeRows>(
    x: &mut Rounded,
    weights: &W,
    out: &mut [f32],
    width: usize,
    adds: bool,
) {
    assert!(out.len() == x.rows * width, "shapes of a product");
    // SAFETY: the target is borrowed.
    unsafe { rounded_into(x, weights, Target::of(out, width), adds) }
}

/// The same, `[rows, width]`, in memory that is not set before.
pub(in crate::brain) fn rounded_product<W: WholeRows>(x: &mut Rounded, weights: &W, width: usize) -> Vec<f32> {
    // SAFETY: the target is not yet numbers; all of it is written, and nothing is read.
    unsafe { Target::filled(x.rows, width, |target| rounded_into(x, weights, target, false)) }
}

/// Makes the product where it belongs, or adds it.
///
/// # Safety
/// What the target was made of must live, and nobody else may read or write it meanwhile; where `adds`, there must be numbers.
unsafe fn rounded_into<W: WholeRows>(x: &mut Rounded, weights: &W, target: Target, adds: bool) {
    x.begin(weights.code());
    let (x, width) = (&*x, target.width());
    let block = |columns: Range<usize>| {
        let mut panel = PANEL.take();
        let job = Job { weights, x, columns, target, adds };
        // SAFETY: the target is [rows, width]; this block alone writes its columns.
        unsafe { run(&job, &mut panel) };
        PANEL.set(panel);
    };
    in_blocks(x.rows * x.inner * width, false, width, x.with.lines() * LINE, block);
}

/// Makes the job's columns of the product, with the instructions that its rows are laid out for.
///
/// # Safety
/// As [`Job`].
unsafe fn run<W: WholeRows>(job: &Job<W>, panel: &mut Panel) {
    debug_assert!(job.x.inner.is_multiple_of(BLOCK));
    // SAFETY: whoever laid the rows out has asked whether the processor has the instructions.
    unsafe {
        match job.x.with {
            Instructions::Portable => portable::run(job, panel),
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2 => super::x86::avx2(job, panel),
            #[cfg(target_arch = "x86_64")]
            Instructions::AvxVnni => super::x86::avx_vnni(job, panel),
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512Vnni => super::x86::avx512_vnni(job, panel),
            #[cfg(target_arch = "aarch64")]
            Instructions::NeonDot => super::arm::neon_dot(job, panel),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::brain::kernel::panel::Code;

    const CODES: [(Code, u8); 6] = [
        (Code::Four, 15),
        (Code::FourLess, 15),
        (Code::Five, 31),
        (Code::FiveLess, 31),
        (Code::Six, 63),
        (Code::Eight, 255),
    ];

    /// Weights that lie about in the open.
    struct Plain {
        code: Code,
        inner: usize,
        numbers: Vec<u8>,
        scales: Vec<f32>,
        less: Vec<f32>,
    }

    impl Plain {
        /// Weights that take every value up to `most`.
        fn new(code: Code, most: u8, width: usize, inner: usize) -> Self {
            let numbers = (0..width * inner).map(|i| (i * 37 % (usize::from(most) + 1)) as u8).collect();
            let blocks = width * inner / BLOCK;
            let scales = (0..blocks * code.scales()).map(|i| (i % 23) as f32 * 0.01 - 0.1).collect();
            Self { code, inner, numbers, scales, less: (0..blocks).map(|i| (i % 7) as f32 * 0.1).collect() }
        }

        /// w.
        fn weight(&self, row: usize, k: usize) -> f64 {
            let (at, groups) = (row * self.inner + k, self.code.scales());
            let whole = f64::from(self.numbers[at]) - f64::from(self.code.zero());
            let less = if self.code.is_less() { self.less[at / BLOCK] } else { 0.0 };
            whole * f64::from(self.scales[at / (BLOCK / groups)]) - f64::from(less)
        }
    }

    impl WholeRows for Plain {
        fn code(&self) -> Code {
            self.code
        }

        fn unpack(&self, row: usize, numbers: &mut [u8], scales: &mut [f32], less: &mut [f32]) {
            numbers.copy_from_slice(&self.numbers[row * self.inner..][..self.inner]);
            scales.copy_from_slice(&self.scales[row * scales.len()..][..scales.len()]);
            less.copy_from_slice(&self.less[row * less.len()..][..less.len()]);
        }
    }

    fn multiply(with: Instructions, x: &[f32], weights: &Plain, width: usize) -> Vec<f32> {
        let mut rounded = Rounded::laid_out_for(with);
        rounded.fill(x, weights.inner);
        let mut out = vec![f32::NAN; x.len() / weights.inner * width];
        product_rounded(&mut rounded, weights, &mut out, width, false);
        let own = rounded_product(&mut rounded, weights, width);
        assert!(own.iter().map(|own| own.to_bits()).eq(out.iter().map(|out| out.to_bits())), "in memory of its own");
        out
    }

    #[test]
    fn one_block_by_hand() {
        // x: 127, 1 and 2 at a scale of 1. w: (20 − 16)·½, (0 − 16)·½ and (31 − 16)·½; all others are (16 − 16)·½.
        let mut x = vec![0.0; BLOCK];
        (x[0], x[5], x[31]) = (127.0, 1.0, -2.0);
        let mut weights = Plain::new(Code::Five, 31, 1, BLOCK);
        weights.numbers.fill(16);
        (weights.numbers[0], weights.numbers[5], weights.numbers[31], weights.scales[0]) = (20, 0, 31, 0.5);
        for with in Instructions::here() {
            assert_eq!(multiply(with, &x, &weights, 1), [0.5 * (127.0 * 4.0 - 16.0 - 2.0 * 15.0)], "{with:?}");
        }
        // The same numbers with ¼ subtracted from each weight: Σ x is 126.
        weights.code = Code::FiveLess;
        weights.less[0] = 0.25;
        let expected = 0.5 * (127.0 * 20.0 - 2.0 * 31.0) - 0.25 * 126.0;
        for with in Instructions::here() {
            assert_eq!(multiply(with, &x, &weights, 1), [expected], "{with:?}");
        }
    }

    #[test]
    fn every_instruction_gives_the_same_bits_and_nearly_the_slow_sum() {
        // Rows and columns that fill no tile; products small and large enough to be divided.
        for (rows, inner, width) in [(1, 32, 1), (13, 96, 71), (61, 576, 130)] {
            let x: Vec<f32> = (0..rows * inner).map(|i| (i as f32 * 0.37).sin() * (1 + i % 31) as f32).collect();
            for (code, most) in CODES {
                let weights = Plain::new(code, most, width, inner);
                let first = multiply(Instructions::Portable, &x, &weights, width);
                for with in Instructions::here() {
                    assert!(multiply(with, &x, &weights, width) == first, "{code:?} with {with:?}");
                }
                let mut own = Rounded::laid_out_for(Instructions::Portable);
                own.fill(&x, inner);
                let rounded = |at: usize| f64::from(own.numbers.as_flattened()[at]) * f64::from(own.scales[at / BLOCK]);
                for (at, out) in first.iter().enumerate() {
                    let (row, column) = (at / width, at % width);
                    let term = |k| rounded(row * inner + k) * weights.weight(column, k);
                    let (sum, size) = (0..inner).map(term).fold((0.0, 1e-3), |(s, z), t| (s + t, z + f64::abs(t)));
                    assert!((f64::from(*out) - sum).abs() < 1e-5 * size, "{code:?}: {out} and {sum}");
                }
            }
        }
    }

    #[test]
    fn the_largest_numbers_do_not_overflow() {
        for (code, most) in CODES {
            let mut weights = Plain::new(code, most, 3, 2 * BLOCK);
            weights.numbers.fill(most);
            weights.scales.fill(1.0);
            weights.less.fill(0.0);
            for sign in [1.0, -1.0] {
                let x = vec![127.0 * sign; 2 * BLOCK];
                let expected = sign * 127.0 * f32::from(most - code.zero()) * (2 * BLOCK) as f32;
                for with in Instructions::here() {
                    assert_eq!(multiply(with, &x, &weights, 3), [expected; 3], "{code:?} with {with:?}");
                }
            }
        }
    }

    #[test]
    fn it_adds_and_what_is_no_number_stays_so() {
        let weights = Plain::new(Code::Four, 15, 20, BLOCK);
        let mut x: Vec<f32> = (0..3 * BLOCK).map(|i| (i % 9) as f32 - 4.0).collect();
        x[BLOCK + 3] = f32::NAN;
        for with in Instructions::here() {
            let once = multiply(with, &x, &weights, 20);
            let mut rounded = Rounded::laid_out_for(with);
            rounded.fill(&x, BLOCK);
            let mut out = vec![100.0; 60];
            product_rounded(&mut rounded, &weights, &mut out, 20, true);
            let is_sum = |(out, once): (&f32, &f32)| *out == 100.0 + once;
            assert!(out[..20].iter().zip(&once).all(is_sum) && out[40..].iter().zip(&once[40..]).all(is_sum));
            assert!(out[20..40].iter().all(|out| out.is_nan()), "{with:?}");
        }
    }

    #[test]
    #[should_panic(expected = "shapes of a product")]
    fn a_wrong_shape_is_refused() {
        let mut x = Rounded::default();
        x.fill(&[1.0; 2 * BLOCK], BLOCK);
        product_rounded(&mut x, &Plain::new(Code::Four, 15, 3, BLOCK), &mut [0.0; 5], 3, false);
    }
}
