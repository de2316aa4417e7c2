//! Model files of all kinds, behind one way to ask for a tensor by Hugging Face's name for it.
//!
//! This module does *not* know what a forward pass does with the tensors.

mod folder;
mod gguf;
mod hf_config;
mod llama_gguf;
mod mlx;
mod pickle;
mod random;
mod table;
mod vet;
mod vet_pickle;

use std::sync::Arc;

use candle_core::{
    Device, Tensor,
    quantized::{GgmlDType, QTensor},
};

pub use folder::{SafetensorsFolder, read_json};
pub use gguf::{GgufFile, llama_name};
pub use hf_config::{MlxQuantisation, read_hf_config};
pub use llama_gguf::read_llama_config;
pub use mlx::MlxFolder;
pub use pickle::PickleFile;
pub use random::{Mix, RandomTensors};
pub use table::{TensorInfo, is_dense, type_name};

use super::{error::Result, model::Matrix};

/// Where weights are kept, and how dense ones are quantised as they load.
#[derive(Debug, Clone)]
pub struct Keep {
    /// Whether quantised matrices of GGUF files stay there and are read for each product, on the processor.
    pub streams: bool,
    /// The device that holds them.
    pub device: Device,
    /// The type that dense matrices are quantised to, `None` to keep them as the file has them.
    pub quantise: Option<GgmlDType>,
}

impl Keep {
    /// On the processor, as the file has them.
    pub const fn as_is() -> Self {
        Self { streams: false, device: Device::Cpu, quantise: None }
    }

    /// A matrix that the file has as f32 `[out, in]`, on the processor.
    ///
    /// # Errors
    /// The device has no room.
    pub fn dense(&self, weight: &Tensor) -> Result<Matrix> {
        let inner = weight.dim(candle_core::D::Minus1)?;
        match self.quantise.filter(|dtype| inner.is_multiple_of(dtype.block_size())) {
            Some(dtype) => Matrix::blocks(Arc::new(QTensor::quantize_onto(weight, dtype, &self.device)?)),
            None => Matrix::frozen(weight.to_device(&self.device)?),
        }
    }

    /// A matrix that the file has in 16 bits or fewer, on the processor.
    ///
    /// # Errors
    /// The device has no room.
    pub fn blocks(&self, weight: Arc<QTensor>) -> Result<Matrix> {
        let halves = matches!(weight.dtype(), GgmlDType::F16 | GgmlDType::BF16);
        if halves && self.quantise.is_some() {
            return self.dense(&weight.dequantize(&Device::Cpu)?);
        }
        if self.device.is_cpu() {
            return Matrix::blocks(weight);
        }
        let data = weight.data()?;
        let storage = candle_core::quantized::QStorage::from_data(data, &self.device, weight.dtype())?;
        Matrix::blocks(Arc::new(QTensor::new(storage, weight.shape().clone())?))
    }
}

/// Something that holds a model's tensors, by Hugging Face's names for them.
pub trait Tensors {
    /// Whether there is a tensor of that name.
    fn has(&self, name: &str) -> bool;

    /// A matrix `[out, in]`.
    ///
    /// # Errors
    /// It is not there, has another shape, or cannot be read.
    fn matrix(&mut self, name: &str, shape: [usize; 2], keep: &Keep) -> Result<Matrix>;

    /// A matrix `[out, in]` of which a few rows are needed, for the most part: it may stay in the file.
    ///
    /// # Errors
    /// As for matrices.
    fn table(&mut self, name: &str, shape: [usize; 2], keep: &Keep) -> Result<Matrix> {
        self.matrix(name, shape, keep)
    }

    /// A vector `[len]`, in f32.
    ///
    /// # Errors
    /// As for matrices.
    fn vector(&mut self, name: &str, len: usize, keep: &Keep) -> Result<Tensor>;
}
