//! The order in which a model keeps the rows of its queries and keys, and with them those of an adapter's B.
//!
//! A rotary embedding turns entries in pairs. Hugging Face's Llama pairs the first half of a head with the second; llama.cpp
//! pairs neighbours, and its GGUF files hold the rows reordered for that: `gguf[h·d + 2i + s] = hf[h·d + (d/2)·s + i]` for heads of
//! `d` rows. An adapter that is carried from one to the other must be reordered too: forgotten, it loads, and is another.
//!
//! This module does *not* know files.

use serde::{Deserialize, Serialize};

use super::Site;
use crate::{
    brain::model::{ModelShape, RopeStyle},
    config::LoraTarget,
};

/// The order of the rows of queries and keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RowOrder {
    /// Each head's first half, then its second, as Hugging Face has them; that of all models whose positions are learned.
    HuggingFace,
    /// Rotary pairs side by side, as llama.cpp has them.
    Gguf,
}

impl RowOrder {
    /// That of a model.
    pub fn of(shape: &ModelShape) -> Self {
        match shape {
            ModelShape::Llama(config) if config.rope_style == RopeStyle::Interleaved => Self::Gguf,
            ModelShape::Llama(_) | ModelShape::GptNeo(_) => Self::HuggingFace,
        }
    }

    /// B `[out, rank]` of a site, from this order into another; what is no query or key of a Llama stays as it is.
    pub(super) fn turn(self, into: Self, shape: &ModelShape, site: &Site, b: &[f32], rank: usize) -> Vec<f32> {
        let ModelShape::Llama(config) = shape else { return b.to_vec() };
        let is_turned = matches!(site.target, LoraTarget::Q | LoraTarget::K);
        match (self, into) {
            (Self::HuggingFace, Self::Gguf) if is_turned => interleave_rows(b, config.head, rank),
            (Self::Gguf, Self::HuggingFace) if is_turned => separate_rows(b, config.head, rank),
            _ => b.to_vec(),
        }
    }
}

/// Rows in the order of Hugging Face → the order of GGUF, for heads of `head` rows of `width` numbers.
pub fn interleave_rows(rows: &[f32], head: usize, width: usize) -> Vec<f32> {
    let half = head / 2;
    let mut out = Vec::with_capacity(rows.len());
    for head in rows.chunks_exact(head * width) {
        for i in 0..half {
            for s in 0..2 {
                out.extend_from_slice(&head[(half * s + i) * width..][..width]);
            }
        }
    }
    out
}

/// Rows in the order of GGUF → the order of Hugging Face: the inverse of [`interleave_rows`].
pub fn separate_rows(rows: &[f32], head: usize, width: usize) -> Vec<f32> {
    let half = head / 2;
    let mut out = Vec::with_capacity(rows.len());
    for head in rows.chunks_exact(head * width) {
        for s in 0..2 {
            for i in 0..half {
                out.extend_from_slice(&head[(2 * i + s) * width..][..width]);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_become_pairs_and_pairs_halves() {
        // Two heads of four rows of two numbers.
        let rows: Vec<f32> = (0..16).map(|n| n as f32).collect();
        let rows_of =
            |order: [usize; 8]| order.iter().flat_map(|row| [rows[2 * row], rows[2 * row + 1]]).collect::<Vec<_>>();
        let pairs = interleave_rows(&rows, 4, 2);
        assert_eq!(pairs, rows_of([0, 2, 1, 3, 4, 6, 5, 7]));
        assert_eq!(separate_rows(&pairs, 4, 2), rows);
        // With heads of four the way there is the way back; with six it is not.
        let rows: Vec<f32> = (0..6).map(|n| n as f32).collect();
        assert_eq!(interleave_rows(&rows, 6, 1), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        assert_eq!(separate_rows(&rows, 6, 1), [0.0, 2.0, 4.0, 1.0, 3.0, 5.0]);
    }
}
