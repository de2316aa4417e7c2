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
    /// The last layer, and the rows that are read of what it makes, in their order; all where there are none.
    pub(super) wanted: Option<(usize, &'a [u32])>,
}

impl<'a> Pass<'a> {
    /// The same, where some rows alone are read of what the last of `layers` layers makes; they are in their order.
    #[must_use]
    pub fn reading(self, rows: &'a [u32], layers: usize) -> Self {
        debug_assert!(rows.is_sorted(), "rows in their order");
        Self { wanted: layers.checked_sub(1).map(|last| (last, rows)), ..self }
    }

    /// The rows that are read of what a layer makes, if these are not all: what its attention mixes is of use to them alone.
    pub(super) fn only(&self, layer: usize) -> Option<&'a [u32]> {
        self.wanted.filter(|(last, _)| *last == layer).map(|(_, rows)| rows)
    }

    /// Those rows of what a layer has made.
    ///
    /// # Errors
    /// There are no such rows.
    pub(super) fn pick(&self, layer: usize, made: Tensor) -> Result<Tensor> {
        match self.only(layer) {
            Some(rows) => Ok(made.index_select(&Tensor::new(rows, made.device())?, 0)?),
            None => Ok(made),
        }
    }

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

    /// The same on numbers: q `[rows, heads · head]`, of the rows alone that are read of the layer, k and v
    /// `[rows, kv_heads · head]`.
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
        let only = self.only(layer);
        match &mut self.cache {
            None => heads.attend_rows(q, k, v, &batch.sights, only),
            Some(cache) => {
                let kept = cache.keep_rows(layer, batch, k, v, width);
                heads.attend_rows(q, &kept.k, &kept.v, &batch.sights, only)
            }
        }
    }
}
