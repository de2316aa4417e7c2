//! The KV cache: keys and values of the tokens that each sequence has read so far, so that the next token costs one row.
//!
//! Every sequence has a fixed share of one buffer per layer, `[sequences · capacity, kv_width]`. Inference only.
//!
//! This module does *not* know heads or positions.

use std::sync::Arc;

use candle_core::{DType, Tensor};

use super::{Batch, Sight, batch::Placed};
use crate::brain::error::{BrainError, Result};

/// Keys and values of one layer.
#[derive(Debug, Default)]
pub struct LayerCache {
    /// `[sequences · capacity, kv_width]`.
    pub k: Vec<f32>,
    /// The same for values.
    pub v: Vec<f32>,
    /// Entries of a row.
    pub width: usize,
}

/// The beginning of a sequence that has been read: its tokens, and their keys and values in every layer. It holds only for
/// the weights and the adapter that it was read with.
#[derive(Debug, Clone, Default)]
pub struct Prefix {
    /// The tokens.
    pub tokens: Vec<u32>,
    /// Keys and values per layer, `[tokens, kv_width]` each.
    layers: Vec<(Vec<f32>, Vec<f32>)>,
}

impl Prefix {
    /// How many tokens it has in common with a sequence, from the beginning.
    pub fn common(&self, tokens: &[u32]) -> usize {
        self.tokens.iter().zip(tokens).take_while(|(a, b)| a == b).count()
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        self.layers.iter().map(|(k, v)| (k.len() + v.len()) * size_of::<f32>()).sum()
    }
}

/// The KV cache of some sequences.
#[derive(Debug)]
pub struct Cache {
    capacity: usize,
    lengths: Vec<usize>,
    layers: Vec<LayerCache>,
}

impl Cache {
    /// An empty cache for `sequences` sequences of at most `capacity` tokens, for a model with `layers` layers.
    pub fn new(sequences: usize, capacity: usize, layers: usize) -> Self {
        let layers = (0..layers).map(|_| LayerCache::default()).collect();
        Self { capacity, lengths: vec![0; sequences], layers }
    }

    /// Tokens that each sequence has read.
    pub fn lengths(&self) -> &[usize] {
        &self.lengths
    }

    /// Begins an empty sequence with the first `count` tokens of a prefix, as if they had been read.
    pub fn begin_with(&mut self, sequence: usize, prefix: &Prefix, count: usize) {
        let (all, begin) = (self.lengths.len() * self.capacity, sequence * self.capacity);
        for (layer, (k, v)) in self.layers.iter_mut().zip(&prefix.layers) {
            layer.width = k.len() / prefix.tokens.len().max(1);
            let (from, count) = (begin * layer.width, count * layer.width);
            for (kept, read) in [(&mut layer.k, k), (&mut layer.v, v)] {
                kept.resize(all * layer.width, 0.0);
                kept[from..from + count].copy_from_slice(&read[..count]);
            }
        }
        self.lengths[sequence] = count;
    }

    /// The keys and values of the first tokens of a sequence, which were `tokens`.
    pub fn prefix(&self, sequence: usize, tokens: &[u32]) -> Prefix {
        let begin = sequence * self.capacity;
        let part =
            |layer: &LayerCache, all: &[f32]| all[begin * layer.width..(begin + tokens.len()) * layer.width].to_vec();
        let layers = self.layers.iter().map(|layer| (part(layer, &layer.k), part(layer, &layer.v))).collect();
        Prefix { tokens: tokens.to_vec(), layers }
    }

    /// The batch that goes on with some sequences: pairs of a sequence's number, ascending, and its next tokens, at least
    /// one. The tokens count as read.
    ///
    /// # Errors
    /// A sequence would grow beyond the capacity.
    pub fn go_on(&mut self, next: &[(usize, &[u32])]) -> Result<Batch> {
        let mut batch = Batch::default();
        let mut sights = Vec::new();
        for (sequence, tokens) in next {
            let read = self.lengths[*sequence];
            if read + tokens.len() > self.capacity {
                return Err(BrainError::Setting(format!(
                    "A reply grew beyond the {} tokens kept for it",
                    self.capacity
                )));
            }
            let (begin, first) = (sequence * self.capacity, batch.tokens.len());
            for at in read..read + tokens.len() {
                sights.push(Sight { before: None, trunk: begin..begin + at + 1, branch: 0..0 });
                batch.positions.push(at as u32);
            }
            batch.tokens.extend_from_slice(tokens);
            let rows = first..batch.tokens.len();
            let last = rows.end.saturating_sub(1);
            batch.sequences.push(Placed { before: None, rows, last, branches: Vec::new() });
            self.lengths[*sequence] += tokens.len();
        }
        batch.sights = Arc::new(sights);
        Ok(batch)
    }

    /// Keeps a layer's keys and values, `[rows, kv_width]` each, of a batch from [`Cache::go_on`]; gives the whole layer.
    ///
    /// # Errors
    /// The tensors cannot be read.
    pub fn keep(&mut self, layer: usize, batch: &Batch, k: &Tensor, v: &Tensor) -> Result<&LayerCache> {
        let flat = |x: &Tensor| x.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>();
        Ok(self.keep_rows(layer, batch, &flat(k)?, &flat(v)?, k.dim(1)?))
    }

    /// The same with numbers, whose rows have `width` entries.
    pub(super) fn keep_rows(&mut self, layer: usize, batch: &Batch, k: &[f32], v: &[f32], width: usize) -> &LayerCache {
        let rows = self.lengths.len() * self.capacity;
        let kept = &mut self.layers[layer];
        kept.width = width;
        for (all, new) in [(&mut kept.k, k), (&mut kept.v, v)] {
            all.resize(rows * width, 0.0);
            for (sight, row) in batch.sights.iter().zip(new.chunks_exact(width)) {
                let at = (sight.trunk.end - 1) * width;
                all[at..at + width].copy_from_slice(row);
            }
        }
        kept
    }
}
