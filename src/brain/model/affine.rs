//! Weights as MLX quantises them: groups of a row share a scale and a bias, `w = scale · q + bias`, with q of 4 or 8 bits
//! packed into 32-bit words, the little end first.
//!
//! This module does *not* know files.

use std::{borrow::Cow, ops::Range};

use crate::brain::kernel::WeightRows;

/// A matrix `[out, in]` in groups.
#[derive(Debug)]
pub struct Affine {
    /// Bits of a weight: 4 or 8.
    bits: usize,
    /// Weights of a group.
    group: usize,
    inner: usize,
    /// q: `[out, in · bits / 32]`.
    words: Vec<u32>,
    /// Scale and bias: `[out, in / group]`.
    groups: Vec<(f32, f32)>,
}

impl Affine {
    /// A matrix with rows of `inner` weights.
    ///
    /// # Errors
    /// A clause that says which numbers do not fit together.
    pub fn new(
        bits: usize,
        group: usize,
        inner: usize,
        words: Vec<u32>,
        groups: Vec<(f32, f32)>,
    ) -> Result<Self, String> {
        if ![4, 8].contains(&bits) {
            return Err(format!("its weights have {bits} bits, and 4 and 8 are known"));
        }
        let words_fit = inner > 0 && (inner * bits).is_multiple_of(32) && words.len().is_multiple_of(inner * bits / 32);
        if group == 0 || !inner.is_multiple_of(group) || !words_fit {
            return Err(format!("rows of {inner} weights do not fit groups of {group}"));
        }
        let rows = words.len() / (inner * bits / 32);
        if groups.len() != rows * (inner / group) {
            return Err(format!("{} groups do not fit {rows} rows of {inner} weights", groups.len()));
        }
        Ok(Self { bits, group, inner, words, groups })
    }

    /// Bits of a weight.
    pub const fn bits(&self) -> usize {
        self.bits
    }

    /// Number of rows.
    pub const fn out(&self) -> usize {
        self.words.len() / (self.inner * self.bits / 32)
    }

    /// Length of a row.
    pub const fn inner(&self) -> usize {
        self.inner
    }

    /// Bytes that it takes.
    pub const fn bytes(&self) -> usize {
        self.words.len() * 4 + self.groups.len() * 8
    }
}

impl WeightRows for Affine {
    fn rows(&self, range: Range<usize>) -> Cow<'_, [f32]> {
        let (row_words, row_groups) = (self.inner * self.bits / 32, self.inner / self.group);
        let words = &self.words[range.start * row_words..range.end * row_words];
        let groups = &self.groups[range.start * row_groups..range.end * row_groups];
        let mask = (1_u32 << self.bits) - 1;
        let per_word = 32 / self.bits;
        let q = |word: &u32| {
            let (word, bits) = (*word, self.bits);
            (0..per_word).map(move |i| word >> (i * bits) & mask)
        };
        let all = words.iter().flat_map(q).zip(groups.iter().flat_map(|pair| std::iter::repeat_n(pair, self.group)));
        Cow::Owned(all.map(|(q, (scale, bias))| scale * q as f32 + bias).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nibbles_and_bytes_by_hand() {
        // Two rows of eight, groups of four: 4 bits, the lowest first.
        let words = vec![0x7654_3210, 0xfedc_ba98];
        let groups = vec![(1.0, 0.0), (0.5, -1.0), (2.0, 0.0), (1.0, 10.0)];
        let matrix = Affine::new(4, 4, 8, words, groups).unwrap();
        assert_eq!(matrix.out(), 2);
        assert_eq!(matrix.rows(0..1).to_vec(), [0.0, 1.0, 2.0, 3.0, 1.0, 1.5, 2.0, 2.5]);
        assert_eq!(matrix.rows(1..2).to_vec(), [16.0, 18.0, 20.0, 22.0, 22.0, 23.0, 24.0, 25.0]);
        let bytes = Affine::new(8, 4, 4, vec![0xff02_0100], vec![(1.0, 0.5)]).unwrap();
        assert_eq!(bytes.rows(0..1).to_vec(), [0.5, 1.5, 2.5, 255.5]);
    }

    #[test]
    fn numbers_that_do_not_fit_are_refused() {
        assert!(Affine::new(3, 4, 8, vec![0], vec![(1.0, 0.0); 2]).is_err());
        assert!(Affine::new(4, 3, 8, vec![0], vec![(1.0, 0.0); 2]).is_err());
        assert!(Affine::new(4, 4, 8, vec![0], vec![(1.0, 0.0); 3]).is_err());
        assert!(Affine::new(4, 0, 0, vec![], vec![]).is_err());
    }
}
