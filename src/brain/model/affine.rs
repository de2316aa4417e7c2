//! Weights as MLX quantises them: groups of a row share a scale and a bias, `w = scale · q + bias`, with q of 4 or 8 bits
//! packed into 32-bit words, the little end first.
//!
//! This module does *not* know files.

use std::ops::Range;

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
    fn fill(&self, rows: Range<usize>, columns: Range<usize>, out: &mut [f32], step: usize) {
        let (row_words, row_groups) = (self.inner * self.bits / 32, self.inner / self.group);
        let (mask, per_word) = ((1_u32 << self.bits) - 1, 32 / self.bits);
        for (row, out) in rows.zip(out.chunks_mut(step.max(1))) {
            let words = &self.words[row * row_words..][columns.start / per_word..columns.end / per_word];
            let groups = &self.groups[row * row_groups..][columns.start / self.group..columns.end / self.group];
            let q = words.iter().flat_map(|word| (0..per_word).map(move |i| *word >> (i * self.bits) & mask));
            let groups = groups.iter().flat_map(|pair| std::iter::repeat_n(pair, self.group));
            out.iter_mut().zip(q.zip(groups)).for_each(|(w, (q, (scale, bias)))| *w = scale * q as f32 + bias);
        }
    }

    fn grain(&self) -> usize {
        // Whole groups of whole words, if the row can be cut at all.
        let per_word = 32 / self.bits;
        if self.group.is_multiple_of(per_word) { self.group } else { self.inner }
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
        let mut all = [0.0; 17];
        matrix.fill(0..2, 0..8, &mut all, 9);
        assert_eq!(all[..8], [0.0, 1.0, 2.0, 3.0, 1.0, 1.5, 2.0, 2.5]);
        assert_eq!(all[9..], [16.0, 18.0, 20.0, 22.0, 22.0, 23.0, 24.0, 25.0]);
        let bytes = Affine::new(8, 4, 4, vec![0xff02_0100], vec![(1.0, 0.5)]).unwrap();
        bytes.fill(0..1, 0..4, &mut all, 4);
        assert_eq!(all[..4], [0.5, 1.5, 2.5, 255.5]);
        // The second group of four of both rows, in bytes that end with it.
        let words = vec![0x0302_0100, 0x0706_0504, 0x0b0a_0908, 0x0f0e_0d0c];
        let matrix = Affine::new(8, 4, 8, words, vec![(1.0, 0.0), (2.0, 0.0), (1.0, 0.5), (2.0, 0.5)]).unwrap();
        matrix.fill(0..2, 4..8, &mut all, 4);
        assert_eq!((matrix.grain(), &all[..8]), (4, &[8.0, 10.0, 12.0, 14.0, 24.5, 26.5, 28.5, 30.5][..]));
    }

    #[test]
    fn numbers_that_do_not_fit_are_refused() {
        assert!(Affine::new(3, 4, 8, vec![0], vec![(1.0, 0.0); 2]).is_err());
        assert!(Affine::new(4, 3, 8, vec![0], vec![(1.0, 0.0); 2]).is_err());
        assert!(Affine::new(4, 4, 8, vec![0], vec![(1.0, 0.0); 3]).is_err());
        assert!(Affine::new(4, 0, 0, vec![], vec![]).is_err());
    }
}
