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
                sights.push(Sight { trunk: begin..begin + at + 1, branch: 0..0 });
                batch.positions.push(at as u32);
            }
            batch.tokens.extend_from_slice(tokens);
            let rows = first..batch.tokens.len();
            batch.sequences.push(Placed { last: rows.end.saturating_sub(1), rows, branches: Vec::new() });
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
        let width = k.dim(1)?;
        let rows = self.lengths.len() * self.capacity;
        let kept = &mut self.layers[layer];
        kept.width = width;
        for (all, new) in [(&mut kept.k, k), (&mut kept.v, v)] {
            all.resize(rows * width, 0.0);
            let new = new.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
            for (sight, row) in batch.sights.iter().zip(new.chunks_exact(width)) {
                let at = (sight.trunk.end - 1) * width;
                all[at..at + width].copy_from_slice(row);
            }
        }
        Ok(kept)
    }
}
