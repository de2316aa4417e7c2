//! Which instructions the processor has, asked when the program runs.
//!
//! This module does *not* know what is reckoned with them.

use std::sync::OnceLock;

use super::panel::{Code, Form};

/// A set of instructions that products in int8 can be made with. All give the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Instructions {
    /// What every processor has.
    Portable,
    /// AVX2: products of bytes, added in pairs.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-VNNI: products of bytes, added in fours, in registers of 256 bits.
    #[cfg(target_arch = "x86_64")]
    AvxVnni,
    /// AVX-512 VNNI: the same in registers of 512 bits.
    #[cfg(target_arch = "x86_64")]
    Avx512Vnni,
    /// NEON with products of signed bytes, added in fours.
    #[cfg(target_arch = "aarch64")]
    NeonDot,
}

impl Instructions {
    /// All that this processor has, the best last.
    pub(super) fn here() -> Vec<Self> {
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2");
            let avx512 = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512vnni");
            let known = [
                (Self::Portable, true),
                (Self::Avx2, avx2),
                (Self::AvxVnni, avx2 && is_x86_feature_detected!("avxvnni")),
                (Self::Avx512Vnni, avx512),
            ];
            known.into_iter().filter(|(_, has)| *has).map(|(with, _)| with).collect()
        }
        #[cfg(target_arch = "aarch64")]
        {
            let dot = std::arch::is_aarch64_feature_detected!("dotprod");
            let known = [(Self::Portable, true), (Self::NeonDot, dot)];
            known.into_iter().filter(|(_, has)| *has).map(|(with, _)| with).collect()
        }
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        vec![Self::Portable]
    }

    /// The best that this processor has.
    pub(super) fn best() -> Self {
        static BEST: OnceLock<Instructions> = OnceLock::new();
        *BEST.get_or_init(|| Self::here().pop().unwrap_or(Self::Portable))
    }

    /// Their name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Portable => "no vector instructions",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => "AVX2",
            #[cfg(target_arch = "x86_64")]
            Self::AvxVnni => "AVX-VNNI",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => "AVX-512 VNNI",
            #[cfg(target_arch = "aarch64")]
            Self::NeonDot => "NEON",
        }
    }

    /// Lines of sixteen columns that a panel has.
    pub(super) const fn lines(self) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => 2,
            _ => 1,
        }
    }

    /// Rows that a tile has.
    pub(super) const fn rows(self) -> usize {
        match self {
            Self::Portable => 1,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => 3,
            #[cfg(target_arch = "x86_64")]
            Self::AvxVnni => 4,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => 6,
            #[cfg(target_arch = "aarch64")]
            Self::NeonDot => 3,
        }
    }

    /// How whole numbers of this code are laid out.
    pub(super) const fn form(self, code: Code) -> Form {
        match (self, code) {
            #[cfg(target_arch = "x86_64")]
            (Self::Avx2, Code::Eight) => Form::Signed,
            #[cfg(target_arch = "aarch64")]
            (Self::NeonDot, Code::Eight) => Form::Halves,
            _ => Form::Plain,
        }
    }
}
