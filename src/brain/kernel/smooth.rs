//! What an MLP does to each number between its products, in operations that the compiler takes many at a time.
//!
//! There is no fused operation here, and no function of the system's library: every processor gives the same bits.

use super::instructions::Instructions;

/// `eˣ`, within 2 units in the last place of it from −87 to 88, and its value there beyond: `eˣ = 2ⁿ·eʳ` with |r| ≤ ½·ln 2 and the
/// polynomial of Cephes (Moshier 1989) for eʳ.
#[inline(always)]
fn exp(x: f32) -> f32 {
    /// 1.5·2²³: a small number that is added to it stands in the lowest bits, rounded.
    const MAGIC: f32 = 12_582_912.0;
    /// ln 2 in two parts, of which the first times a small whole number is exact.
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    const SERIES: [f32; 6] = [1.987_569_1e-4, 1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_66, 0.5];
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + MAGIC;
    let n = shifted - MAGIC;
    let r = (x - n * LN_2[0]) - n * LN_2[1];
    let series = SERIES.iter().fold(0.0, |sum, term| sum * r + term);
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(1.0_f32.to_bits()));
    (series * (r * r) + r + 1.0) * power
}

/// σ(x).
#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// `gate = silu(gate)⊙up`.
#[inline(always)]
pub(super) fn gate(gate: &mut [f32], up: &[f32]) {
    gate.iter_mut().zip(up).for_each(|(g, u)| *g *= sigmoid(*g) * u);
}

/// For ds, the gradient of s = silu(g)⊙u: gate and up become their gradients, and ds becomes s.
#[inline(always)]
pub(super) fn gate_back(gate: &mut [f32], up: &mut [f32], ds: &mut [f32]) {
    for ((gate, up), ds) in gate.iter_mut().zip(up).zip(ds) {
        let (g, u, d, sigma) = (*gate, *up, *ds, sigmoid(*gate));
        *ds = g * sigma * u;
        *gate = d * u * sigma * (1.0 + g * (1.0 - sigma));
        *up = d * g * sigma;
    }
}

/// `gate = silu(gate)⊙up`.
pub(in crate::brain) fn swiglu(gate_of: &mut [f32], up: &[f32]) {
    match Instructions::best() {
        // SAFETY: the processor has been asked.
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx2 | Instructions::AvxVnni => unsafe { super::x86::gate_avx2(gate_of, up) },
        // SAFETY: the processor has been asked.
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx512Vnni => unsafe { super::x86::gate_avx512(gate_of, up) },
        Instructions::Portable => gate(gate_of, up),
    }
}

/// For ds, the gradient of s = silu(g)⊙u: gate and up become their gradients, and ds becomes s.
pub(in crate::brain) fn swiglu_back(gate: &mut [f32], up: &mut [f32], ds: &mut [f32]) {
    match Instructions::best() {
        // SAFETY: the processor has been asked.
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx2 | Instructions::AvxVnni => unsafe { super::x86::gate_back_avx2(gate, up, ds) },
        // SAFETY: the processor has been asked.
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx512Vnni => unsafe { super::x86::gate_back_avx512(gate, up, ds) },
        Instructions::Portable => gate_back(gate, up, ds),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_nearly_the_true_one() {
        let far = |x: f32| ((f64::from(exp(x)) - f64::from(x).exp()) / f64::from(x).exp()).abs();
        let most = (-8700..=8800).map(|i| far(i as f32 * 0.01)).fold(0.0, f64::max);
        assert!(most < 2.0 * f64::from(f32::EPSILON), "{most}");
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(-1000.0) == exp(-87.0) && exp(f32::INFINITY) == exp(88.0) && exp(f32::NAN).is_nan());
    }

    #[test]
    fn every_instruction_gives_the_same_bits() {
        let waves = |step: f32| (0..203).map(|i| (i as f32 * step).sin() * 9.0).collect::<Vec<f32>>();
        let (mut g, u) = (waves(0.7), waves(0.3));
        let mut plain = g.clone();
        gate(&mut plain, &u);
        swiglu(&mut g, &u);
        assert_eq!(g, plain);
        let [mut own, mut plain] = [0; 2].map(|_| [waves(0.7), waves(0.3), waves(0.11)]);
        let [g, u, d] = &mut plain;
        gate_back(g, u, d);
        let [g, u, d] = &mut own;
        swiglu_back(g, u, d);
        assert_eq!(own, plain);
    }

    #[test]
    fn what_is_no_number_or_large_stays_so() {
        let mut gates = [f32::NAN, 200.0, -200.0, f32::INFINITY];
        swiglu(&mut gates, &[1.0, 2.0, 2.0, 1.0]);
        assert!(
            gates[0].is_nan() && gates[1] == 400.0 && gates[2].abs() < 1e-30 && gates[3] == f32::INFINITY,
            "{gates:?}"
        );
    }
}
