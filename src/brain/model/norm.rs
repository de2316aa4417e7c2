//! Normalisation of rows: RMSNorm (Zhang and Sennrich 2019, arXiv:1910.07467) and LayerNorm (Ba et al. 2016, arXiv:1607.06450).
//!
//! candle-nn's fused kernels have no backward pass and say nothing about it, so that they serve only where nothing is
//! followed for gradients.

use candle_core::Tensor;

use crate::brain::error::Result;

/// How rows are normalised.
#[derive(Debug, Clone)]
pub struct Norm {
    weight: Tensor,
    /// LayerNorm has one, RMSNorm has none.
    bias: Option<Tensor>,
    eps: f32,
}

impl Norm {
    /// `x / √(mean x² + ε) · w`, with w `[d]`.
    pub const fn rms(weight: Tensor, eps: f32) -> Self {
        Self { weight, bias: None, eps }
    }

    /// `(x − mean x) / √(var x + ε) · w + b`, with w and b `[d]`.
    pub const fn layer(weight: Tensor, bias: Tensor, eps: f32) -> Self {
        Self { weight, bias: Some(bias), eps }
    }

    /// Normalises every row of x `[rows, d]`. Differentiable.
    ///
    /// # Errors
    /// The shapes do not fit.
    pub fn apply(&self, x: &Tensor) -> Result<Tensor> {
        let followed = x.track_op() || self.weight.track_op();
        let (w, eps) = (&self.weight, self.eps);
        Ok(match (&self.bias, followed) {
            (None, false) => candle_nn::ops::rms_norm(&x.contiguous()?, w, eps)?,
            (None, true) => candle_nn::ops::rms_norm_slow(x, w, eps)?,
            (Some(bias), false) => candle_nn::ops::layer_norm(&x.contiguous()?, w, bias, eps)?,
            (Some(bias), true) => candle_nn::ops::layer_norm_slow(x, w, bias, eps)?,
        })
    }

    /// Numbers that it holds.
    pub fn elements(&self) -> usize {
        self.weight.elem_count() + self.bias.as_ref().map_or(0, Tensor::elem_count)
    }
}
