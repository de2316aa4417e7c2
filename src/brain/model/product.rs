//! The product with a frozen matrix on the processor, with a backward pass: candle's own product with quantised weights has
//! none, and drops the gradient in silence.
//!
//! ```text
//! y  = x·Wᵀ + s·(x·Aᵀ)·Bᵀ
//! dx = dy·W + s·(dy·B)·A          W never has a gradient
//! dB = s·dyᵀ·(x·Aᵀ),  dA = s·(dy·B)ᵀ·x   where they are trained
//! ```
//!
//! This module does *not* know how weights are kept, or whose adapters these are.

use std::{cell::Cell, sync::Arc};

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result as CandleResult, Shape, Storage, Tensor};

use super::Matrix;
use crate::{
    brain::{
        kernel::{
            Back, Rounded, Turned, WeightRows, product, product_back, product_rounded, product_turned, products_back,
            products_turned, rounded_product,
        },
        lora::Grouped,
    },
    config::Arithmetic,
};

thread_local! {
    /// Room for rows that a thread rounds, kept from block to block.
    static ROUNDED: Cell<Option<Rounded>> = const { Cell::new(None) };
    /// The same for rows that it turns.
    static TURNED: Cell<Option<Turned>> = const { Cell::new(None) };
}

/// Rows of numbers that one or several matrices are multiplied with. Where they may be rounded, they are, once for all; and where
/// matrices are large, they become columns once for all.
pub(super) struct Inputs<'a> {
    numbers: &'a [f32],
    arithmetic: Arithmetic,
    rounded: Option<Rounded>,
    turned: Option<Turned>,
}

impl<'a> Inputs<'a> {
    /// Rows `[rows, in]`, and how they may be multiplied with quantised weights.
    pub(super) const fn new(numbers: &'a [f32], arithmetic: Arithmetic) -> Self {
        Self { numbers, arithmetic, rounded: None, turned: None }
    }

    /// How many numbers they are.
    pub(super) const fn len(&self) -> usize {
        self.numbers.len()
    }

    /// They, rounded.
    ///
    /// # Panics
    /// If they were rounded for a matrix with rows of another length.
    fn rounded(&mut self, inner: usize) -> &mut Rounded {
        let rounded = self.rounded.get_or_insert_with(|| {
            let mut rounded = ROUNDED.take().unwrap_or_default();
            rounded.fill(self.numbers, inner);
            rounded
        });
        assert_eq!(rounded.inner(), inner, "shapes of a product");
        rounded
    }

    /// They as columns.
    ///
    /// # Panics
    /// If they were turned for a matrix with rows of another length.
    fn turned(&mut self, inner: usize) -> &Turned {
        let turned = self.turned.get_or_insert_with(|| {
            let mut turned = TURNED.take().unwrap_or_default();
            turned.fill(self.numbers, inner);
            turned
        });
        assert_eq!(turned.inner(), inner, "shapes of a product");
        turned
    }
}

impl Drop for Inputs<'_> {
    fn drop(&mut self) {
        if self.rounded.is_some() {
            ROUNDED.set(self.rounded.take());
        }
        if self.turned.is_some() {
            TURNED.set(self.turned.take());
        }
    }
}

/// The product with a matrix and, group by group of rows, with adapters. With one argument it follows x alone; the second
/// argument is what is trained of the adapters.
pub(super) struct FrozenProduct {
    /// W `[out, in]`.
    pub matrix: Matrix,
    /// The adapters.
    pub adapters: Option<Arc<Grouped>>,
}

impl Matrix {
    /// The product of rows of numbers on the processor: out `[rows, out]` becomes, or grows by where `adds`, what
    /// [`Matrix::apply`] gives for x `[rows, in]`.
    ///
    /// # Panics
    /// If the slices do not have these shapes.
    pub(super) fn apply_to_rows(
        &self,
        x: &[f32],
        out: &mut [f32],
        adapters: Option<&Grouped>,
        adds: bool,
    ) -> CandleResult<()> {
        self.apply_to_inputs(&mut Inputs::new(x, Arithmetic::F32), out, adapters, adds)
    }

    /// The same in the arithmetic that the rows allow: rounded to int8 where these weights are whole numbers. The adapters' part is
    /// made of the rows as they are.
    ///
    /// # Panics
    /// If the slices do not have these shapes.
    pub(super) fn apply_to_inputs(
        &self,
        x: &mut Inputs,
        out: &mut [f32],
        adapters: Option<&Grouped>,
        adds: bool,
    ) -> CandleResult<()> {
        let (inner, width) = (self.inner(), self.out());
        let is_done = x.arithmetic == Arithmetic::Int8
            && self.with_whole_rows(|weights| product_rounded(x.rounded(inner), weights, out, width, adds))?;
        if !is_done && self.is_large() {
            let turned = x.turned(inner);
            self.with_rows(|weights| product_turned(turned, weights, out, width, adds))?;
        } else if !is_done {
            self.with_rows(|weights| product(x.numbers, weights, out, inner, width, adds))?;
        }
        if let Some(grouped) = adapters {
            grouped.add_to(x.numbers, out, inner, width);
        }
        Ok(())
    }

    /// What several matrices make of the same rows, each with its own adapters: `[rows, out]` of each. Large ones in f32 are dealt with
    /// side by side.
    pub(super) fn apply_each<const N: usize>(
        x: &mut Inputs,
        matrices: [(&Self, Option<Arc<Grouped>>); N],
    ) -> CandleResult<[Vec<f32>; N]> {
        if x.arithmetic == Arithmetic::F32 && matrices.iter().all(|(matrix, _)| matrix.is_large()) {
            let inner = matrices.first().map_or(0, |(matrix, _)| matrix.inner());
            let (turned, mut made) = (x.turned(inner), Vec::new());
            Self::with_rows_of_each(&matrices.each_ref().map(|(matrix, _)| *matrix), Vec::new(), &mut |weights| {
                let weights = weights.iter().zip(&matrices).map(|(weights, (matrix, _))| (*weights, matrix.out()));
                made = products_turned(turned, &weights.collect::<Vec<_>>());
            })?;
            for ((matrix, adapters), out) in matrices.iter().zip(&mut made) {
                adapters.iter().for_each(|grouped| grouped.add_to(x.numbers, out, inner, matrix.out()));
            }
            let mut made = made.into_iter();
            return Ok(matrices.map(|_| made.next().unwrap_or_default()));
        }
        let mut made = matrices.each_ref().map(|_| Vec::new());
        for ((matrix, adapters), out) in matrices.iter().zip(&mut made) {
            *out = matrix.apply_to_new(x, adapters.as_deref())?;
        }
        Ok(made)
    }

    /// What [`Matrix::apply_to_inputs`] makes, `[rows, out]`.
    fn apply_to_new(&self, x: &mut Inputs, adapters: Option<&Grouped>) -> CandleResult<Vec<f32>> {
        let (inner, width) = (self.inner(), self.out());
        let mut out = Vec::new();
        let is_done = x.arithmetic == Arithmetic::Int8
            && self.with_whole_rows(|weights| out = rounded_product(x.rounded(inner), weights, width))?;
        if is_done {
            adapters.iter().for_each(|grouped| grouped.add_to(x.numbers, &mut out, inner, width));
        } else {
            out.resize(x.len() / inner.max(1) * width, 0.0);
            self.apply_to_inputs(x, &mut out, adapters, false)?;
        }
        Ok(out)
    }

    /// Calls `then` with the weights of all matrices after those that are there already.
    fn with_rows_of_each(
        matrices: &[&Self],
        there: Vec<&dyn WeightRows>,
        then: &mut dyn FnMut(&[&dyn WeightRows]),
    ) -> CandleResult<()> {
        let Some((first, others)) = matrices.split_first() else {
            then(&there);
            return Ok(());
        };
        first.with_rows(|weights| {
            let mut there: Vec<&dyn WeightRows> = there.clone();
            there.push(weights);
            Self::with_rows_of_each(others, there, then)
        })?
    }

    /// The sum of the ways back of several matrices to the same `rows` rows, for each one's dy `[rows, out]`: `[rows, in]`.
    ///
    /// # Panics
    /// If the slices do not have these shapes.
    pub(super) fn back_each<const N: usize>(
        rows: usize,
        matrices: [(&Self, Option<Arc<Grouped>>, &[f32]); N],
    ) -> CandleResult<Vec<f32>> {
        let inner = matrices.first().map_or(0, |(matrix, ..)| matrix.inner());
        let mut dx = Vec::new();
        if matrices.iter().all(|(matrix, ..)| matrix.is_large()) {
            Self::with_rows_of_each(&matrices.each_ref().map(|(matrix, ..)| *matrix), Vec::new(), &mut |weights| {
                let ways = weights.iter().zip(&matrices).map(|(weights, (.., dy))| Back { dy, weights: *weights });
                dx = products_back(&ways.collect::<Vec<_>>(), rows, inner);
            })?;
            for (matrix, adapters, dy) in &matrices {
                adapters.iter().for_each(|grouped| grouped.add_back(dy, &mut dx, inner, matrix.out()));
            }
        } else {
            dx.resize(rows * inner, 0.0);
            for (at, (matrix, adapters, dy)) in matrices.iter().enumerate() {
                matrix.back_to_rows(dy, &mut dx, adapters.as_deref(), at > 0)?;
            }
        }
        Ok(dx)
    }

    /// Its way back: dx `[rows, in]` becomes, or grows by where `adds`, the gradient of x for dy `[rows, out]`.
    ///
    /// # Panics
    /// If the slices do not have these shapes.
    pub(super) fn back_to_rows(
        &self,
        dy: &[f32],
        dx: &mut [f32],
        adapters: Option<&Grouped>,
        adds: bool,
    ) -> CandleResult<()> {
        let (inner, width) = (self.inner(), self.out());
        self.with_rows(|weights| product_back(dy, weights, dx, inner, width, adds))?;
        if let Some(grouped) = adapters {
            grouped.add_back(dy, dx, inner, width);
        }
        Ok(())
    }
}

impl FrozenProduct {
    fn forward(&self, storage: &CpuStorage, layout: &Layout) -> CandleResult<(CpuStorage, Shape)> {
        let (rows, inner) = layout.shape().dims2()?;
        if inner != self.matrix.inner() {
            candle_core::bail!("a row of {inner} entries meets a matrix with {} columns", self.matrix.inner());
        }
        let (x, width) = (slice_of(storage, layout)?, self.matrix.out());
        let mut out = vec![0.0; rows * width];
        self.matrix.apply_to_rows(x, &mut out, self.adapters.as_deref(), false)?;
        Ok((CpuStorage::F32(out), Shape::from((rows, width))))
    }

    /// dx for dy `[rows, out]`, where anybody asks for it.
    fn back(&self, x: &Tensor, dy: &Tensor) -> CandleResult<Option<Tensor>> {
        if !x.track_op() {
            return Ok(None);
        }
        let mut dx = vec![0.0; x.elem_count()];
        on_slice(dy, |dy| self.matrix.back_to_rows(dy, &mut dx, self.adapters.as_deref(), false))?;
        Tensor::from_vec(dx, x.shape(), x.device()).map(Some)
    }
}

impl CustomOp1 for FrozenProduct {
    fn name(&self) -> &'static str {
        "frozen-product"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> CandleResult<(CpuStorage, Shape)> {
        self.forward(x, layout)
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> CandleResult<Option<Tensor>> {
        self.back(x, &grad.contiguous()?)
    }
}

impl CustomOp2 for FrozenProduct {
    fn name(&self) -> &'static str {
        "adapted-product"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> CandleResult<(CpuStorage, Shape)> {
        self.forward(x, layout)
    }

    fn bwd(
        &self,
        x: &Tensor,
        trained: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> CandleResult<(Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let dx = self.back(x, &grad)?;
        let Some((grouped, with_a)) =
            self.adapters.as_ref().and_then(|grouped| Some((grouped, grouped.trained()?.with_a)))
        else {
            return Ok((dx, None));
        };
        let (inner, width) = (self.matrix.inner(), self.matrix.out());
        let numbers = on_slice(x, |x| on_slice(&grad, |dy| Ok(grouped.gradient(x, dy, inner, width, with_a))))?;
        Ok((dx, Some(Tensor::from_vec(numbers, trained.shape(), trained.device())?)))
    }
}

/// The numbers of a contiguous f32 tensor.
pub(super) fn slice_of<'a>(storage: &'a CpuStorage, layout: &Layout) -> CandleResult<&'a [f32]> {
    let all = storage.as_slice::<f32>()?;
    match layout.contiguous_offsets() {
        Some((begin, end)) => Ok(&all[begin..end]),
        None => candle_core::bail!("the tensor is not contiguous"),
    }
}

/// Calls `then` with the numbers of a contiguous f32 tensor on the processor.
pub(super) fn on_slice<T>(tensor: &Tensor, then: impl FnOnce(&[f32]) -> CandleResult<T>) -> CandleResult<T> {
    let (guard, layout) = tensor.storage_and_layout();
    match &*guard {
        Storage::Cpu(storage) => then(slice_of(storage, layout)?),
        _ => candle_core::bail!("the tensor is not on the processor"),
    }
}
