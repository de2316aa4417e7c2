//! Causal multi-head attention (Vaswani et al. 2017, arXiv:1706.03762) over packed rows, with grouped key/value heads
//! (Ainslie et al. 2023, arXiv:2305.13245), a tree mask, and a window where the model has one.
//!
//! For each head h of row i, over the rows j that i sees:  `o = Σⱼ softmaxⱼ(scale · q·kⱼ) · vⱼ`.
//!
//! This module does *not* know positions, weights or layers.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp3, DType, Layout, Result as CandleResult, Shape, Tensor};

use super::{
    batch::Sight,
    cache::LayerCache,
    lanes::{add_scaled, dot, exp, most, sum, wide},
    product::slice_of,
};
use crate::brain::{
    error::{BrainError, Result},
    kernel::with_each,
};

mod back;
mod forward;

/// Rows that a thread takes at a time.
pub(super) const ROWS: usize = 8;

/// Attention of one layer.
#[derive(Debug, Clone)]
pub struct Attention {
    /// Query heads.
    pub heads: usize,
    /// Key and value heads, which divide the query heads.
    pub kv_heads: usize,
    /// Entries of a head.
    pub head: usize,
    /// Factor on the scores: 1/√head, or 1 for GPT-Neo.
    pub scale: f32,
    /// How many of the last rows are seen, for local layers.
    pub window: Option<usize>,
}

impl Attention {
    /// q `[rows, heads · head]`, k and v `[keys, kv_heads · head]`, `sights[row]` = the key rows that it sees → `[rows, heads · head]`.
    /// Differentiable.
    ///
    /// # Errors
    /// The shapes do not fit.
    pub fn attend(&self, q: &Tensor, k: &Tensor, v: &Tensor, sights: &Arc<Vec<Sight>>) -> Result<Tensor> {
        if q.device().is_cpu() {
            let op = Attend { layer: self.clone(), sights: Arc::clone(sights) };
            return Ok(q.contiguous()?.apply_op3(&k.contiguous()?, &v.contiguous()?, op)?);
        }
        self.attend_on_any_device(q, k, v, sights)
    }

    /// The same over a cache's keys and values, whose rows the batch's sights name. Not differentiable.
    ///
    /// # Errors
    /// The shapes do not fit.
    pub fn attend_cached(&self, q: &Tensor, cached: &LayerCache, sights: &Arc<Vec<Sight>>) -> Result<Tensor> {
        let flat = q.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
        Ok(Tensor::from_vec(self.attend_rows(&flat, &cached.k, &cached.v, sights, None)?, q.shape(), q.device())?)
    }

    /// The same with numbers in place of tensors: q `[rows, heads · head]`, k and v `[keys, kv_heads · head]`. Where some rows alone see,
    /// which are named in their order, q is of these, and there are as many keys as rows.
    ///
    /// # Errors
    /// The shapes do not fit.
    pub(super) fn attend_rows(
        &self,
        q: &[f32],
        k: &[f32],
        v: &[f32],
        sights: &Arc<Vec<Sight>>,
        only: Option<&[u32]>,
    ) -> Result<Vec<f32>> {
        let op = Attend { layer: self.clone(), sights: Arc::clone(sights) };
        op.made(&op.inputs(q, k, v, only.map_or(sights.len(), <[u32]>::len))?, only)
    }

    /// The gradients of q, k and v of [`Attention::attend_rows`] for the gradient of its result, where a row sees none of a
    /// later row.
    ///
    /// # Errors
    /// The shapes do not fit.
    pub(super) fn back_rows(
        &self,
        [q, k, v]: [&[f32]; 3],
        grad: &[f32],
        sights: &Arc<Vec<Sight>>,
    ) -> Result<[Vec<f32>; 3]> {
        let op = Attend { layer: self.clone(), sights: Arc::clone(sights) };
        let inputs = op.inputs(q, k, v, sights.len())?;
        Ok(op.gradients(&inputs, grad, sights.len()))
    }

    /// The same in candle's own operations: one large masked softmax.
    fn attend_on_any_device(&self, q: &Tensor, k: &Tensor, v: &Tensor, sights: &[Sight]) -> Result<Tensor> {
        let (rows, keys) = (q.dim(0)?, k.dim(0)?);
        let split = |x: &Tensor, heads| x.reshape((x.dim(0)?, heads, self.head))?.transpose(0, 1)?.contiguous();
        let group = self.heads / self.kv_heads;
        let repeat = |x: Tensor| {
            let wide = x.unsqueeze(1)?.broadcast_as((self.kv_heads, group, keys, self.head))?;
            wide.reshape((self.heads, keys, self.head))
        };
        let (q, k, v) = (split(q, self.heads)?, repeat(split(k, self.kv_heads)?)?, repeat(split(v, self.kv_heads)?)?);
        let mut mask = vec![f32::NEG_INFINITY; rows * keys];
        for (row, sight) in sights.iter().enumerate() {
            sight.rows(self.window).for_each(|key| mask[row * keys + key] = 0.0);
        }
        let mask = Tensor::from_vec(mask, (1, rows, keys), q.device())?;
        let scores = (q.matmul(&k.t()?)? * f64::from(self.scale))?.broadcast_add(&mask)?;
        let weights = candle_nn::ops::softmax(&scores, candle_core::D::Minus1)?;
        Ok(weights.matmul(&v)?.transpose(0, 1)?.reshape((rows, self.heads * self.head))?)
    }
}

/// Scores become weights whose sum is 1.
#[inline(always)]
fn softmax(scores: &mut [f32]) {
    let most = most(scores);
    scores.iter_mut().for_each(|score| *score = exp(*score - most));
    let all = sum(scores);
    scores.iter_mut().for_each(|score| *score /= all);
}

struct Attend {
    layer: Attention,
    sights: Arc<Vec<Sight>>,
}

/// q, k and v as numbers, with their widths.
struct Inputs<'a> {
    q: &'a [f32],
    k: &'a [f32],
    v: &'a [f32],
    width: usize,
    kv_width: usize,
}

impl Attend {
    /// Softmax weights of one row and head over the keys that it sees, into `weights`.
    #[inline(always)]
    fn weigh(&self, x: &Inputs, row: usize, h: usize, head: usize, keys: &[usize], weights: &mut Vec<f32>) {
        let scale = self.layer.scale;
        let q = &x.q[row * x.width + h * head..][..head];
        let at = self.kv_offset(h);
        // Loops, and no iterators of the standard library's that might not be inlined: those would be narrow.
        weights.resize(keys.len(), 0.0);
        for (weight, key) in weights.iter_mut().zip(keys) {
            *weight = scale * dot(q, &x.k[key * x.kv_width + at..][..head]);
        }
        softmax(weights);
    }

    /// Where the key and value head of query head `h` begins.
    #[inline(always)]
    const fn kv_offset(&self, h: usize) -> usize {
        h / (self.layer.heads / self.layer.kv_heads) * self.layer.head
    }

    /// One row of the result; `keys` and `weights` are room to work in.
    #[inline(always)]
    fn row(&self, x: &Inputs, row: usize, out: &mut [f32], (keys, weights): &mut (Vec<usize>, Vec<f32>)) {
        keys.clear();
        keys.extend(self.sights[row].rows(self.layer.window));
        // The usual length is known when this is compiled.
        match self.layer.head {
            64 => self.heads_of_row(x, row, 64, keys, weights, out),
            head => self.heads_of_row(x, row, head, keys, weights, out),
        }
    }

    /// The same, of the keys that it sees, for heads of `head` entries.
    #[inline(always)]
    fn heads_of_row(
        &self,
        x: &Inputs,
        row: usize,
        head: usize,
        keys: &[usize],
        weights: &mut Vec<f32>,
        out: &mut [f32],
    ) {
        for h in 0..self.layer.heads {
            self.weigh(x, row, h, head, keys, weights);
            let (at, out) = (self.kv_offset(h), &mut out[h * head..(h + 1) * head]);
            for (key, weight) in keys.iter().zip(&*weights) {
                add_scaled(out, &x.v[key * x.kv_width + at..][..head], *weight);
            }
        }
    }

    fn all_rows(&self, x: &Inputs, rows: usize) -> Vec<f32> {
        let mut out = vec![0.0; rows * x.width];
        with_each(out.len(), out.chunks_mut(x.width * ROWS).enumerate(), |(at, out)| {
            let mut room = Default::default();
            for (row, out) in out.chunks_mut(x.width).enumerate() {
                wide(
                    #[inline(always)]
                    || self.row(x, at * ROWS + row, out, &mut room),
                );
            }
        });
        out
    }

    /// The result: where there are keys of other rows, too, as in a cache, row by row.
    fn made(&self, x: &Inputs, only: Option<&[u32]>) -> Result<Vec<f32>> {
        let has_all = x.k.len() == self.sights.len() * x.kv_width;
        if only.is_some() && !has_all {
            return Err(BrainError::Setting("Some rows alone see where every row has a key".to_owned()));
        }
        Ok(if has_all { self.by_stretches(x, only) } else { self.all_rows(x, self.sights.len()) })
    }

    /// The inputs, with as many queries as are said; their shapes must fit.
    fn inputs<'a>(&self, q: &'a [f32], k: &'a [f32], v: &'a [f32], queries: usize) -> Result<Inputs<'a>> {
        let Attention { heads, kv_heads, head, .. } = self.layer;
        let (width, kv_width) = (heads * head, kv_heads * head);
        let sees = self.sights.iter().map(|sight| sight.trunk.end.max(sight.branch.end)).max().unwrap_or(0);
        if q.len() != queries * width || k.len() != v.len() || sees * kv_width > k.len() {
            let (q, k, v) = (q.len(), k.len(), v.len());
            let what = format!("Queries, keys and values of {q}, {k} and {v} entries do not fit heads of {head}");
            return Err(BrainError::Setting(what));
        }
        Ok(Inputs { q, k, v, width, kv_width })
    }

    fn check(&self, q: &Layout, k: &Layout, v: &Layout) -> CandleResult<(usize, usize, usize)> {
        let Attention { heads, kv_heads, head, .. } = self.layer;
        let ((rows, width), (keys, kv_width)) = (q.shape().dims2()?, k.shape().dims2()?);
        let sees = self.sights.iter().map(|sight| sight.trunk.end.max(sight.branch.end)).max().unwrap_or(0);
        let fits = width == heads * head && kv_width == kv_heads * head && k.shape() == v.shape();
        if !fits || self.sights.len() != rows || sees > keys {
            candle_core::bail!("attention of {rows} rows over {keys} keys does not fit its shapes");
        }
        Ok((rows, width, kv_width))
    }
}

impl CustomOp3 for Attend {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(
        &self,
        q: &CpuStorage,
        q_layout: &Layout,
        k: &CpuStorage,
        k_layout: &Layout,
        v: &CpuStorage,
        v_layout: &Layout,
    ) -> CandleResult<(CpuStorage, Shape)> {
        let (rows, width, kv_width) = self.check(q_layout, k_layout, v_layout)?;
        let (q, k, v) = (slice_of(q, q_layout)?, slice_of(k, k_layout)?, slice_of(v, v_layout)?);
        let inputs = Inputs { q, k, v, width, kv_width };
        let out = self.made(&inputs, None).map_err(candle_core::Error::wrap)?;
        Ok((CpuStorage::F32(out), Shape::from((rows, width))))
    }

    fn bwd(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> CandleResult<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (rows, width) = q.dims2()?;
        let kv_width = k.dim(1)?;
        let flat = |x: &Tensor| x.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>();
        let (q_all, k_all, v_all) = (flat(q)?, flat(k)?, flat(v)?);
        let inputs = Inputs { q: &q_all, k: &k_all, v: &v_all, width, kv_width };
        let [dq, dk, dv] = self.gradients(&inputs, &flat(grad)?, rows);
        let tensor = |numbers, like: &Tensor| Tensor::from_vec(numbers, like.shape(), like.device());
        Ok((Some(tensor(dq, q)?), Some(tensor(dk, k)?), Some(tensor(dv, v)?)))
    }
}

#[cfg(test)]
mod tests;
