//! Arithmetic on rows of numbers, eight at a time, compiled for every set of vector instructions that a processor may have.
//!
//! Sums are made in one fixed order, and nothing is contracted, so that the bits do not depend on which of them is chosen.
//!
//! This module does *not* know what the numbers are.

pub(super) use crate::brain::kernel::wide;

/// Numbers that are dealt with together.
const LANES: usize = 8;

/// The sum of eight, two and two.
#[inline(always)]
fn together(s: [f32; LANES]) -> f32 {
    ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]))
}

/// Numbers from which it is worth to keep the eight sums of [`dot`] in one register until the end.
const LONG: usize = 32;

/// Σ aᵢ·bᵢ.
#[inline(always)]
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    if a.len() < LONG {
        let (sums, rest) = products(a, b);
        return together(sums) + rest;
    }
    let (sums, rest) = products(a, b);
    // The compiler must not see what becomes of them: it would make them in pairs.
    together(std::hint::black_box(sums)) + rest
}

/// The sums of every eighth aᵢ·bᵢ, and that of what is left over.
#[inline(always)]
fn products(a: &[f32], b: &[f32]) -> ([f32; LANES], f32) {
    let mut sums = [0.0_f32; LANES];
    let (a_lanes, b_lanes) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f32 = a_lanes.remainder().iter().zip(b_lanes.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a_lanes.zip(b_lanes) {
        for i in 0..LANES {
            sums[i] += a[i] * b[i];
        }
    }
    (sums, rest)
}

/// Σ xᵢ.
#[inline(always)]
pub(super) fn sum(x: &[f32]) -> f32 {
    let mut sums = [0.0_f32; LANES];
    let lanes = x.chunks_exact(LANES);
    let rest: f32 = lanes.remainder().iter().sum();
    for x in lanes {
        for i in 0..LANES {
            sums[i] += x[i];
        }
    }
    together(sums) + rest
}

/// The largest number, of which none is NaN; −∞ of none.
#[inline(always)]
pub(super) fn most(x: &[f32]) -> f32 {
    let more = |a: f32, b: f32| if a > b { a } else { b };
    let mut found = [f32::NEG_INFINITY; LANES];
    let lanes = x.chunks_exact(LANES);
    let rest = lanes.remainder().iter().copied().fold(f32::NEG_INFINITY, more);
    for x in lanes {
        for i in 0..LANES {
            found[i] = more(x[i], found[i]);
        }
    }
    found.into_iter().fold(rest, more)
}

/// y += factor · x.
#[inline(always)]
pub(super) fn add_scaled(y: &mut [f32], x: &[f32], factor: f32) {
    y.iter_mut().zip(x).for_each(|(y, x)| *y += factor * x);
}

/// eˣ to within two units of the last place between −87 and 88, and as at the nearer of these beyond; NaN stays NaN.
///
/// x = n·ln 2 + r with |r| ≤ ½ ln 2, and eˣ = 2ⁿ·eʳ, eʳ by the polynomial of Cephes' `expf` (Moshier 1992). It has no branches and
/// calls nothing, so that a loop over it is done eight or sixteen numbers at a time.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    // Added to a small number, it leaves the nearest whole number in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts, the first of which has few bits, so that n times it is exact.
    const LN2: [f32; 2] = [355.0 / 512.0, -2.121_944_4e-4];
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * LN2[0]) - n * LN2[1];
    let mut p = 1.987_569_1e-4;
    for factor in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        p = p * r + factor;
    }
    let power = (shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127)) << 23;
    (p * (r * r) + r + 1.0) * f32::from_bits(power)
}

/// σ(x) = 1 / (1 + e⁻ˣ).
#[inline(always)]
pub(super) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_e_are_right_to_the_last_places() {
        let xs: Vec<f32> = (-87_000..=88_000).step_by(7).map(|at| at as f32 / 1000.0).collect();
        let mut found = xs.clone();
        wide(
            #[inline(always)]
            || found.iter_mut().for_each(|x| *x = exp(*x)),
        );
        for (x, found) in xs.iter().zip(&found) {
            let right = f64::from(*x).exp();
            assert!((f64::from(*found) / right - 1.0).abs() < 2.4e-7, "e^{x} is {right}, and not {found}");
            assert_eq!(found.to_bits(), exp(*x).to_bits(), "one by one the same bits");
        }
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(f32::NAN).is_nan() && exp(f32::NEG_INFINITY) < 1e-37 && exp(1e9) > 1e38);
        assert_eq!((sigmoid(0.0), sigmoid(100.0)), (0.5, 1.0));
    }

    #[test]
    fn sums_and_the_largest_by_hand() {
        // Whole numbers below 2²⁴ sum exactly, in whatever order.
        let x: Vec<f32> = (1..=19).map(|n| n as f32).collect();
        assert_eq!((sum(&x), dot(&x, &x), most(&x)), (190.0, 2470.0, 19.0));
        let turned: Vec<f32> = x.iter().rev().map(|n| -n).collect();
        assert_eq!((sum(&turned), most(&turned), most(&turned[..3])), (-190.0, -1.0, -17.0));
        assert_eq!((sum(&[]), dot(&[], &[]), most(&[])), (0.0, 0.0, f32::NEG_INFINITY));
        let mut y = x.clone();
        add_scaled(&mut y, &x, 2.0);
        assert!(y.iter().zip(&x).all(|(y, x)| *y == 3.0 * x));
    }
}
