//! What one forward pass is about: the batch, whose adapters it has, and what is kept of it.
//!
//! This module does *not* know the layers that it passes.

use candle_core::Tensor;

use super::{Attention, Batch, Cache, Rope};
use crate::brain::{error::Result, lora::ActiveAdapters};

/// What one forward pass is about.
pub struct Pass<'a> {
    /// The rows.
    pub batch: &'a Batch,
    /// Their angles, for families that turn queries and keys.
    pub rope: Option<Rope>,
    /// Their adapters.
    pub lora: &'a ActiveAdapters,
    /// Where keys and values are kept, for a batch of [`Cache::go_on`].
    pub cache: Option<&'a mut Cache>,
}

impl Pass<'_> {
    /// Turns queries or keys `[rows, heads · head]` by their positions, where the family does so.
    ///
    /// # Errors
    /// The shape does not fit.
    pub(super) fn turn(&self, x: Tensor) -> Result<Tensor> {
        self.rope.as_ref().map_or(Ok(x.clone()), |rope| rope.turn(&x))
    }

    /// Attention of one layer, over what the batch sees of itself and of the cache.
    ///
    /// # Errors
    /// The shapes do not fit.
    pub(super) fn attend(
        &mut self,
        heads: &Attention,
        layer: usize,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
    ) -> Result<Tensor> {
        let batch = self.batch;
        match &mut self.cache {
            None => heads.attend(q, k, v, &batch.sights),
            Some(cache) => heads.attend_cached(q, cache.keep(layer, batch, k, v)?, &batch.sights),
        }
    }

    /// The same on numbers: q `[rows, heads · head]`, k and v `[rows, kv_heads · head]`.
    ///
    /// # Errors
    /// The shapes do not fit.
    pub(super) fn attend_rows(
        &mut self,
        heads: &Attention,
        layer: usize,
        q: &[f32],
        k: &[f32],
        v: &[f32],
    ) -> Result<Vec<f32>> {
        let (batch, width) = (self.batch, heads.kv_heads * heads.head);
        match &mut self.cache {
            None => heads.attend_rows(q, k, v, &batch.sights),
            Some(cache) => {
                let kept = cache.keep_rows(layer, batch, k, v, width);
                heads.attend_rows(q, &kept.k, &kept.v, &batch.sights)
            }
        }
    }
}
