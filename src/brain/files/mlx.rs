//! A folder that MLX has quantised: safetensors in which a matrix is three tensors, `weight` (packed), `scales`, `biases`.
//!
//! This module does *not* know the families of models.

use candle_core::{Device, Tensor};
use safetensors::Dtype;

use super::{Keep, TensorInfo, Tensors, folder::SafetensorsFolder, hf_config::MlxQuantisation};
use crate::brain::{
    error::{BrainError, Result},
    model::{Affine, Matrix},
};

/// The tensors of a folder that MLX has quantised.
#[derive(Debug)]
pub struct MlxFolder {
    files: SafetensorsFolder,
    quantised: MlxQuantisation,
}

impl MlxFolder {
    /// The same files, read as MLX means them.
    pub const fn new(files: SafetensorsFolder, quantised: MlxQuantisation) -> Self {
        Self { files, quantised }
    }

    /// Every tensor, sorted by name: a packed matrix with the weights that are packed into it.
    pub fn table(&self) -> Vec<TensorInfo> {
        let mut all = self.files.table();
        for tensor in &mut all {
            let (Some(stem), Some(words)) = (tensor.name.strip_suffix(".weight"), tensor.shape.last_mut()) else {
                continue;
            };
            if tensor.kind == "U32" && self.files.has(&format!("{stem}.scales")) {
                // Impossible bits are refused when the matrix is loaded.
                *words = words.saturating_mul(32).checked_div(self.quantised.bits).unwrap_or(*words);
                tensor.kind = format!("MLX {}-bit", self.quantised.bits);
            }
        }
        all
    }
}

impl Tensors for MlxFolder {
    fn has(&self, name: &str) -> bool {
        self.files.has(name)
    }

    fn matrix(&mut self, name: &str, [out, inner]: [usize; 2], keep: &Keep) -> Result<Matrix> {
        let stem = name.trim_end_matches(".weight");
        let (scales, biases) = (format!("{stem}.scales"), format!("{stem}.biases"));
        if !self.files.has(&scales) {
            // MLX leaves some matrices as they were.
            return self.files.matrix(name, [out, inner], keep);
        }
        let MlxQuantisation { group_size, bits } = self.quantised;
        let wrong = |what: String| BrainError::Setting(format!("The MLX matrix {name} cannot be used: {what}"));
        if group_size == 0 || !(1..=32).contains(&bits) {
            return Err(wrong(format!("groups of {group_size} weights with {bits} bits are impossible")));
        }
        let (dtype, bytes) = self.files.bytes(name, &[out, inner * bits / 32])?;
        if dtype != Dtype::U32 {
            return Err(wrong(format!("its packed numbers are of the type {dtype:?}")));
        }
        let words =
            bytes.chunks_exact(4).map(|four| u32::from_le_bytes([four[0], four[1], four[2], four[3]])).collect();
        let shape = [out, inner / group_size];
        let numbers = |tensor: Tensor| tensor.flatten_all().and_then(|flat| flat.to_vec1::<f32>());
        let (scales, biases) =
            (numbers(self.files.real(&scales, &shape)?)?, numbers(self.files.real(&biases, &shape)?)?);
        let affine =
            Affine::new(bits, group_size, inner, words, scales.into_iter().zip(biases).collect()).map_err(wrong)?;
        let matrix = Matrix::affine(affine);
        if keep.device.is_cpu() { Ok(matrix) } else { Matrix::dense(matrix.whole()?.to_device(&keep.device)?) }
    }

    fn vector(&mut self, name: &str, len: usize, keep: &Keep) -> Result<Tensor> {
        Ok(self.files.real(name, &[len])?.to_device(if keep.device.is_cpu() { &Device::Cpu } else { &keep.device })?)
    }
}
