//! Plain code, compiled for every set of vector instructions that a processor may have.
//!
//! This module does *not* know what is reckoned.

use pulp::{Arch, Simd, WithSimd};

/// Does some work with the widest vector instructions that this processor has. That counts for what is inlined into here alone, so
/// that the closure is to be marked `#[inline(always)]`, and what it calls, too.
#[inline]
pub(in crate::brain) fn wide<T>(work: impl FnOnce() -> T) -> T {
    Arch::new().dispatch(work)
}

/// The name of these instructions.
pub(in crate::brain) fn widest() -> &'static str {
    match Arch::new().dispatch(Lanes) {
        16 => "AVX-512",
        8 => "AVX2",
        4 => "vectors of four numbers",
        _ => "no vector instructions",
    }
}

/// How many numbers a register holds.
struct Lanes;

impl WithSimd for Lanes {
    type Output = usize;

    fn with_simd<S: Simd>(self, _: S) -> usize {
        S::F32_LANES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_widest_registers_that_the_processor_has_are_taken() {
        #[cfg(target_arch = "x86_64")]
        let expected = {
            // Whether the program knows these at all, features of pulp say, whatever processor is at hand.
            let _: (fn(_) -> Arch, fn(_) -> Arch) = (Arch::V3, Arch::V4);
            let has_256 = is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("fma")
                && is_x86_feature_detected!("bmi1")
                && is_x86_feature_detected!("bmi2")
                && is_x86_feature_detected!("lzcnt");
            let has_512 = has_256
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512cd")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl");
            if has_512 {
                16
            } else if has_256 {
                8
            } else {
                1
            }
        };
        #[cfg(not(target_arch = "x86_64"))]
        let expected = 1;
        let lanes = Arch::new().dispatch(Lanes);
        assert!(lanes >= expected, "registers of {lanes} numbers, where the processor has some of {expected}");
    }
}
