//! A frozen or trainable weight matrix `W [out, in]`, and `y = x·Wᵀ (+ the adapters' part)`.
//!
//! Quantised weights stay quantised: a block of rows at a time becomes f32 while it is multiplied.
//!
//! This module does *not* know which layer a matrix belongs to.

use std::sync::Arc;

use candle_core::{DType, Device, Result as CandleResult, Storage, Tensor, quantized::QTensor};

use super::{
    affine::Affine,
    blocks::Blocks,
    product::{FrozenProduct, slice_of},
    stored::StoredRows,
    whole::{self, Whole},
};
use crate::brain::{
    error::{BrainError, Result},
    kernel::{BLOCK, Rows, Tiles, WeightRows, is_large},
    lora::Grouped,
};

#[cfg(test)]
thread_local! {
    /// Whether products with quantised weights are candle's own on this thread, to show in a test what these leave out.
    pub(crate) static PLAIN_PRODUCTS: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// A weight matrix `[out, in]`.
#[derive(Debug, Clone)]
pub struct Matrix {
    out: usize,
    inner: usize,
    kept: Kept,
}

#[derive(Debug, Clone)]
enum Kept {
    /// f32 `[out, in]`; while it is trained, candle follows it.
    Dense(Tensor),
    /// f32 on the processor, as products go through them.
    Tiles(Arc<Tiles>),
    /// In blocks of a GGML type.
    Blocks(Arc<QTensor>),
    /// In MLX's groups, on the processor.
    Affine(Arc<Affine>),
    /// In blocks of a GGML type, in a file, of which rows are read, and all is loaded once it is needed.
    Stored(Arc<StoredRows>),
    /// In blocks of a GGML type, in a file that is read for each product.
    Streamed(Arc<StoredRows>),
}

impl Matrix {
    /// Keeps f32 weights `[out, in]`, which may be a variable in training.
    ///
    /// # Errors
    /// It is no matrix.
    pub fn dense(weight: Tensor) -> Result<Self> {
        let (out, inner) = weight.dims2()?;
        Ok(Self { out, inner, kept: Kept::Dense(weight.contiguous()?) })
    }

    /// Keeps f32 weights `[out, in]` that are not trained; large ones on the processor in tiles, where that takes little more room.
    ///
    /// # Errors
    /// It is no matrix.
    pub fn frozen(weight: Tensor) -> Result<Self> {
        let dense = Self::dense(weight)?;
        if !(dense.is_large() && dense.is_frozen() && dense.device().is_cpu()) {
            return Ok(dense);
        }
        let Self { out, inner, .. } = dense;
        let tiles = dense.with_rows(|rows| Tiles::of(rows, out, inner))?;
        Ok(tiles.map_or(dense, |tiles| Self { out, inner, kept: Kept::Tiles(Arc::new(tiles)) }))
    }

    /// Keeps weights `[out, in]` in blocks of a GGML type.
    ///
    /// # Errors
    /// It is no matrix.
    pub fn blocks(weight: Arc<QTensor>) -> Result<Self> {
        let (out, inner) = weight.shape().dims2()?;
        Ok(Self { out, inner, kept: Kept::Blocks(weight) })
    }

    /// Keeps weights in MLX's groups.
    pub fn affine(weight: Affine) -> Self {
        Self { out: weight.out(), inner: weight.inner(), kept: Kept::Affine(Arc::new(weight)) }
    }

    /// Leaves weights in their file, of which rows are read.
    pub fn stored(weight: StoredRows) -> Self {
        Self { out: weight.out(), inner: weight.inner(), kept: Kept::Stored(Arc::new(weight)) }
    }

    /// Leaves weights in their file, which is read for each product.
    pub fn streamed(weight: StoredRows) -> Self {
        Self { out: weight.out(), inner: weight.inner(), kept: Kept::Streamed(Arc::new(weight)) }
    }

    /// The same with all weights in memory, where they are in a file.
    fn in_memory(&self) -> Result<Self> {
        match &self.kept {
            Kept::Stored(stored) => Self::blocks(stored.all()?),
            _ => Ok(self.clone()),
        }
    }

    /// Rows of the matrix: entries of the result.
    pub const fn out(&self) -> usize {
        self.out
    }

    /// Columns of the matrix: entries of the input.
    pub const fn inner(&self) -> usize {
        self.inner
    }

    /// Whether products with it are worth to be divided among threads.
    pub(super) const fn is_large(&self) -> bool {
        is_large(self.inner, self.out)
    }

    /// Where it is.
    pub fn device(&self) -> Device {
        match &self.kept {
            Kept::Dense(weight) => weight.device().clone(),
            Kept::Blocks(blocks) => blocks.device(),
            Kept::Tiles(_) | Kept::Affine(_) | Kept::Stored(_) | Kept::Streamed(_) => Device::Cpu,
        }
    }

    /// How it is kept, in a word.
    pub fn kind(&self) -> String {
        match &self.kept {
            Kept::Dense(_) | Kept::Tiles(_) => "F32".to_owned(),
            Kept::Blocks(blocks) => format!("{:?}", blocks.dtype()),
            Kept::Affine(weight) => format!("MLX {}-bit", weight.bits()),
            Kept::Stored(stored) | Kept::Streamed(stored) => format!("{:?}", stored.dtype()),
        }
    }

    /// Bytes that it takes in memory.
    pub fn bytes(&self) -> usize {
        match &self.kept {
            Kept::Dense(weight) => weight.elem_count() * DType::F32.size_in_bytes(),
            Kept::Tiles(tiles) => tiles.bytes(),
            Kept::Blocks(blocks) => blocks.storage_size_in_bytes(),
            Kept::Affine(weight) => weight.bytes(),
            Kept::Stored(stored) | Kept::Streamed(stored) => stored.bytes(),
        }
    }

    /// Bytes that are read from its file for each product.
    pub fn streamed_bytes(&self) -> usize {
        match &self.kept {
            Kept::Streamed(stored) => stored.file_bytes(),
            _ => 0,
        }
    }

    /// Bytes in its file of which rows are read, as long as it has not been loaded.
    pub fn stored_bytes(&self) -> usize {
        match &self.kept {
            Kept::Stored(stored) if stored.bytes() == 0 => stored.file_bytes(),
            _ => 0,
        }
    }

    /// The whole matrix as f32 `[out, in]`.
    ///
    /// # Errors
    /// There is no room.
    pub fn whole(&self) -> Result<Tensor> {
        Ok(match &self.kept {
            Kept::Dense(weight) => weight.clone(),
            Kept::Blocks(blocks) => blocks.dequantize(&blocks.device())?,
            Kept::Stored(stored) => stored.all()?.dequantize(&Device::Cpu)?,
            Kept::Streamed(stored) => stored.with_blocks(|blocks| self.filled(blocks))??,
            Kept::Tiles(tiles) => self.filled(&**tiles)?,
            Kept::Affine(weight) => self.filled(&**weight)?,
        })
    }

    /// Rows `ids [n]` as f32 `[n, in]`: an embedding. Only these rows are dequantised.
    ///
    /// # Errors
    /// There is no such row.
    pub fn rows(&self, ids: &[u32]) -> Result<Tensor> {
        Ok(match &self.kept {
            Kept::Dense(weight) => weight.index_select(&Tensor::new(ids, weight.device())?, 0)?,
            Kept::Blocks(blocks) => blocks.embedding(&Tensor::new(ids, &blocks.device())?)?,
            Kept::Stored(stored) | Kept::Streamed(stored) => stored.rows(ids)?,
            Kept::Tiles(tiles) => self.filled_rows(&**tiles, ids)?,
            Kept::Affine(weight) => self.filled_rows(&**weight, ids)?,
        })
    }

    /// All of some weights as f32 `[out, in]`.
    fn filled(&self, weights: &dyn WeightRows) -> Result<Tensor> {
        let mut all = vec![0.0; self.out * self.inner];
        weights.fill(0..self.out, 0..self.inner, &mut all, self.inner);
        Ok(Tensor::from_vec(all, (self.out, self.inner), &Device::Cpu)?)
    }

    /// Rows of some weights as f32 `[n, in]`.
    fn filled_rows(&self, weights: &dyn WeightRows, ids: &[u32]) -> Result<Tensor> {
        let mut rows = vec![0.0; ids.len() * self.inner];
        for (id, out) in ids.iter().zip(rows.chunks_exact_mut(self.inner.max(1))) {
            let id = *id as usize;
            if id >= self.out {
                return Err(BrainError::Setting(format!("Row {id} of a table with {} was asked for", self.out)));
            }
            weights.fill(id..id + 1, 0..self.inner, out, self.inner);
        }
        Ok(Tensor::from_vec(rows, (ids.len(), self.inner), &Device::Cpu)?)
    }

    /// `y = x·Wᵀ + scale·(x·Aᵀ)·Bᵀ`, where each group of rows may have its own A and B: x `[rows, in]` → y `[rows, out]`.
    ///
    /// # Errors
    /// The shapes do not fit.
    pub fn apply(&self, x: &Tensor, adapters: Option<&Arc<Grouped>>) -> Result<Tensor> {
        #[cfg(test)]
        if let (true, Kept::Blocks(blocks)) = (PLAIN_PRODUCTS.get(), &self.kept) {
            use candle_core::{Module, quantized::QMatMul};
            let base = QMatMul::from_arc(Arc::clone(blocks))?.forward(x)?;
            let adapted = adapters.map(|grouped| grouped.on_any_device(x, self.out)).transpose()?;
            return Ok(adapted.map_or(Ok(base.clone()), |adapted| base + adapted)?);
        }
        if let Kept::Stored(_) = &self.kept {
            return self.in_memory()?.apply(x, adapters);
        }
        if self.is_frozen() && x.device().is_cpu() {
            let op = FrozenProduct { matrix: self.clone(), adapters: adapters.cloned() };
            let x = x.contiguous()?;
            return Ok(match adapters.map(|grouped| grouped.variable()).transpose()?.flatten() {
                Some(variable) => x.apply_op2(variable, op)?,
                None => x.apply_op1(op)?,
            });
        }
        let base = x.matmul(&self.whole()?.t()?)?;
        Ok(match adapters {
            Some(grouped) => (base + grouped.on_any_device(x, self.out)?)?,
            None => base,
        })
    }

    /// Whether candle does not follow it.
    pub(super) fn is_frozen(&self) -> bool {
        match &self.kept {
            Kept::Dense(weight) => !weight.track_op(),
            Kept::Tiles(_) | Kept::Blocks(_) | Kept::Affine(_) | Kept::Stored(_) | Kept::Streamed(_) => true,
        }
    }

    /// Calls `then` with the weights as rows of f32, on the processor.
    pub(super) fn with_rows<T>(&self, then: impl FnOnce(&dyn WeightRows) -> T) -> CandleResult<T> {
        Ok(match &self.kept {
            Kept::Dense(weight) => {
                let (guard, layout) = weight.storage_and_layout();
                let Storage::Cpu(storage) = &*guard else { candle_core::bail!("weights are not on the processor") };
                then(&Rows { weights: slice_of(storage, layout)?, inner: self.inner })
            }
            Kept::Tiles(tiles) => then(&**tiles),
            Kept::Blocks(blocks) => then(&Blocks::new(blocks)?),
            Kept::Affine(weight) => then(&**weight),
            Kept::Stored(stored) => {
                let all = stored.all().map_err(told)?;
                then(&Blocks::new(&all)?)
            }
            Kept::Streamed(stored) => stored.with_blocks(|blocks| then(blocks)).map_err(told)?,
        })
    }

    /// Calls `then` with the weights as whole numbers, on the processor, if they are; and says whether they are.
    pub(super) fn with_whole_rows(&self, then: impl FnOnce(&Whole)) -> CandleResult<bool> {
        let whole = |blocks: &Blocks| Whole::of(blocks).map(|weights| then(&weights)).is_some();
        match &self.kept {
            _ if !self.inner.is_multiple_of(BLOCK) => Ok(false),
            Kept::Blocks(blocks) if blocks.device().is_cpu() => Ok(whole(&Blocks::new(blocks)?)),
            // Nothing is read in vain.
            Kept::Streamed(stored) if whole::code(stored.dtype()).is_some() => stored.with_blocks(whole).map_err(told),
            _ => Ok(false),
        }
    }
}

/// An error of ours as one of candle's.
fn told(error: BrainError) -> candle_core::Error {
    candle_core::Error::Msg(error.to_string())
}

/// A matrix on the processor from a slice, for tests and small tables.
///
/// # Errors
/// The slice does not have that shape.
pub fn matrix_from(weights: &[f32], out: usize, inner: usize) -> Result<Matrix> {
    Matrix::dense(Tensor::from_slice(weights, (out, inner), &Device::Cpu)?)
}

#[cfg(test)]
mod tests {
    use candle_core::Var;

    use super::*;

    #[test]
    fn a_frozen_matrix_has_the_bits_of_a_dense_one() {
        // Edges in both directions, and more rows than the way back sums at a time.
        let (out, inner, rows) = (421, 752, 5);
        let numbers = |len: usize, step: f32| (0..len).map(|at| (at as f32 * step).sin()).collect::<Vec<_>>();
        let weight = Tensor::from_vec(numbers(out * inner, 0.37), (out, inner), &Device::Cpu).unwrap();
        let (dense, frozen) = (Matrix::dense(weight.clone()).unwrap(), Matrix::frozen(weight.clone()).unwrap());
        assert!(matches!(frozen.kept, Kept::Tiles(_)) && frozen.is_frozen() && frozen.device().is_cpu());
        assert_eq!((frozen.kind(), frozen.out(), frozen.inner()), (dense.kind(), out, inner));
        let flat = |tensor: Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert!(flat(frozen.whole().unwrap()) == flat(dense.whole().unwrap()));
        assert!(flat(frozen.rows(&[420, 0, 47]).unwrap()) == flat(dense.rows(&[420, 0, 47]).unwrap()));
        let error = frozen.rows(&[421]).unwrap_err().to_string();
        assert!(error.contains("Row 421 of a table with 421"), "{error}");
        let (x, dy) = (numbers(rows * inner, 0.91), numbers(rows * out, 0.53));
        let both = |matrix: &Matrix| {
            let (mut y, mut dx) = (vec![0.0; rows * out], vec![0.0; rows * inner]);
            matrix.apply_to_rows(&x, &mut y, None, false).unwrap();
            matrix.back_to_rows(&dy, &mut dx, None, false).unwrap();
            (y, dx)
        };
        assert!(both(&frozen) == both(&dense));

        let trained = Var::from_tensor(&weight).unwrap();
        let followed = Matrix::frozen(trained.as_tensor().clone()).unwrap();
        assert!(matches!(followed.kept, Kept::Dense(_)), "candle follows it");
        let small = Matrix::frozen(weight.narrow(0, 0, 8).unwrap()).unwrap();
        assert!(matches!(small.kept, Kept::Dense(_)), "it is not large");
    }
}
