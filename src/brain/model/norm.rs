//! Normalisation of rows: RMSNorm (Zhang and Sennrich 2019, arXiv:1910.07467) and LayerNorm (Ba et al. 2016, arXiv:1607.06450).
//!
//! candle-nn's fused kernels have no backward pass and say nothing about it, so that they serve only where nothing is
//! followed for gradients.

use candle_core::{CpuStorage, CustomOp1, Layout, Result as CandleResult, Shape, Tensor};

use super::{
    lanes::{dot, wide},
    product::{on_slice, slice_of},
};
use crate::brain::{error::Result, kernel::with_each};

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
        let is_frozen = !w.track_op() && x.device().is_cpu();
        Ok(match (&self.bias, followed) {
            (None, false) => candle_nn::ops::rms_norm(&x.contiguous()?, w, eps)?,
            (None, true) if is_frozen => x.contiguous()?.apply_op1(FrozenRms { weight: w.clone(), eps })?,
            (None, true) => candle_nn::ops::rms_norm_slow(x, w, eps)?,
            (Some(bias), false) => candle_nn::ops::layer_norm(&x.contiguous()?, w, bias, eps)?,
            (Some(bias), true) => candle_nn::ops::layer_norm_slow(x, w, bias, eps)?,
        })
    }

    /// The RMSNorm of rows of numbers, where it is one, candle does not follow its weight and this lies on the processor.
    pub(super) fn frozen_rms(&self) -> Option<FrozenRms> {
        let is_frozen = !self.weight.track_op() && self.weight.device().is_cpu() && self.bias.is_none();
        is_frozen.then(|| FrozenRms { weight: self.weight.clone(), eps: self.eps })
    }

    /// Numbers that it holds.
    pub fn elements(&self) -> usize {
        self.weight.elem_count() + self.bias.as_ref().map_or(0, Tensor::elem_count)
    }
}

/// RMSNorm with a weight that is not trained, in one pass over each row, and its backward pass in another.
pub(super) struct FrozenRms {
    weight: Tensor,
    eps: f32,
}

/// Rows that a thread takes at a time.
const ROWS: usize = 16;

/// `1 / √(mean x² + ε)`.
#[inline(always)]
fn inverse_rms(row: &[f32], eps: f32) -> f32 {
    (dot(row, row) / row.len() as f32 + eps).sqrt().recip()
}

impl FrozenRms {
    /// `x / √(mean x² + ε) · w` for every row of x `[rows, d]`.
    pub(super) fn rows(&self, x: &[f32]) -> CandleResult<Vec<f32>> {
        on_slice(&self.weight, |w| {
            let mut out = x.to_vec();
            let normalise = |row: &mut [f32]| {
                let inverse = inverse_rms(row, self.eps);
                row.iter_mut().zip(w).for_each(|(x, w)| *x = *x * inverse * w);
            };
            with_each(x.len(), out.chunks_mut(w.len() * ROWS), |rows| {
                wide(
                    #[inline(always)]
                    || rows.chunks_exact_mut(w.len()).for_each(normalise),
                );
            });
            Ok(out)
        })
    }

    /// Adds the gradient of x to `dx`: with n = 1/rms, `dx += n·(w⊙dy − x · n²·mean(x⊙w⊙dy))`; all `[rows, d]`.
    pub(super) fn add_back(&self, x: &[f32], dy: &[f32], dx: &mut [f32]) -> CandleResult<()> {
        on_slice(&self.weight, |w| {
            let d = w.len();
            let some = |((x, dy), dx): ((&[f32], &[f32]), &mut [f32])| {
                let mut scaled = vec![0.0; d];
                wide(
                    #[inline(always)]
                    || {
                        for ((row, dy), dx) in x.chunks_exact(d).zip(dy.chunks_exact(d)).zip(dx.chunks_exact_mut(d)) {
                            let inverse = inverse_rms(row, self.eps);
                            scaled.iter_mut().zip(w.iter().zip(dy)).for_each(|(scaled, (w, dy))| *scaled = w * dy);
                            let factor = inverse * inverse * dot(row, &scaled) / d as f32;
                            let terms = row.iter().zip(&scaled).map(|(x, scaled)| inverse * (scaled - x * factor));
                            dx.iter_mut().zip(terms).for_each(|(dx, term)| *dx += term);
                        }
                    },
                );
            };
            let each = d * ROWS;
            with_each(x.len(), x.chunks(each).zip(dy.chunks(each)).zip(dx.chunks_mut(each)), some);
            Ok(())
        })
    }
}

impl CustomOp1 for FrozenRms {
    fn name(&self) -> &'static str {
        "frozen-rms-norm"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> CandleResult<(CpuStorage, Shape)> {
        let out = self.rows(slice_of(storage, layout)?)?;
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> CandleResult<Option<Tensor>> {
        let grad = grad.contiguous()?;
        let mut dx = vec![0.0; x.elem_count()];
        on_slice(x, |x| on_slice(&grad, |dy| self.add_back(x, dy, &mut dx)))?;
        Tensor::from_vec(dx, x.shape(), x.device()).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;

    #[test]
    fn the_frozen_norm_and_its_gradient_equal_candles_own_operations() {
        let numbers: Vec<f32> = (0..24).map(|i| (i as f32 * 0.7).sin() * 3.0).collect();
        let x = Var::from_slice(&numbers, (3, 8), &Device::Cpu).unwrap();
        let w = Tensor::from_slice(&numbers[..8], 8, &Device::Cpu).unwrap();
        let dy = Tensor::arange(0_f32, 24.0, &Device::Cpu).unwrap().reshape((3, 8)).unwrap();
        let both =
            [Norm::rms(w.clone(), 1e-3).apply(&x).unwrap(), candle_nn::ops::rms_norm_slow(&x, &w, 1e-3).unwrap()];
        let flat = |x: &Tensor| x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let gradient = |y: &Tensor| flat((y * &dy).unwrap().sum_all().unwrap().backward().unwrap().get(&x).unwrap());
        let far = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(far(&flat(&both[0]), &flat(&both[1])) < 1e-5);
        let (fast, slow) = (gradient(&both[0]), gradient(&both[1]));
        assert!(far(&fast, &slow) < 1e-4, "{fast:?}\n{slow:?}");
        assert!(slow.iter().any(|x| x.abs() > 0.1), "something to compare");
    }
}
