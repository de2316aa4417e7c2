//! What a header says of each tensor, and the memory that it will take once loaded.
//!
//! This module does *not* know what a tensor is for.

use candle_core::quantized::GgmlDType;
use serde::Serialize;

/// A tensor as a file's header lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TensorInfo {
    /// Its name in the file.
    pub name: String,
    /// The type of its numbers, as llama.cpp or safetensors name it: `Q4_K`, `F16`; `MLX 4-bit` where those are packed.
    pub kind: String,
    /// Its shape, the rows of a matrix first.
    pub shape: Vec<usize>,
    /// Bytes that it takes in the file.
    pub bytes: u64,
}

impl TensorInfo {
    /// A tensor in blocks of a GGML type.
    pub fn blocks(name: &str, dtype: GgmlDType, shape: &[usize]) -> Self {
        let bytes = quantised_bytes(shape, dtype);
        Self { name: name.to_owned(), kind: type_name(dtype), shape: shape.to_vec(), bytes }
    }

    /// A tensor whose numbers stand one after the other.
    pub fn dense(name: &str, kind: &str, shape: &[usize], bytes: u64) -> Self {
        Self { name: name.to_owned(), kind: kind.to_owned(), shape: shape.to_vec(), bytes }
    }

    /// Its numbers.
    pub fn elements(&self) -> u64 {
        self.shape.iter().map(|dim| *dim as u64).product()
    }

    /// Bytes that it takes in memory, where dense matrices are quantised to `quantise` as they load.
    pub fn kept_bytes(&self, quantise: Option<GgmlDType>) -> u64 {
        let as_f32 = self.elements() * size_of::<f32>() as u64;
        // MLX's scales and biases become f32, as vectors do.
        let is_scale = self.name.ends_with(".scales") || self.name.ends_with(".biases");
        if self.shape.len() < 2 || is_scale {
            return as_f32;
        }
        let fits = |dtype: &GgmlDType| self.shape.last().is_some_and(|inner| inner.is_multiple_of(dtype.block_size()));
        match (self.kind.as_str(), quantise) {
            (kind, Some(dtype)) if is_dense(kind) && fits(&dtype) => quantised_bytes(&self.shape, dtype),
            ("F32" | "F64", _) | ("F16" | "BF16", Some(_)) => as_f32,
            _ => self.bytes,
        }
    }
}

/// Whether numbers of this type stand one by one, so that they can be quantised as they load.
pub fn is_dense(kind: &str) -> bool {
    ["F32", "F64", "F16", "BF16"].contains(&kind)
}

fn quantised_bytes(shape: &[usize], dtype: GgmlDType) -> u64 {
    let elements: u64 = shape.iter().map(|dim| *dim as u64).product();
    elements / dtype.block_size() as u64 * dtype.type_size() as u64
}

/// llama.cpp's name for a type: `Q4_K` where candle writes `Q4K`.
pub fn type_name(dtype: GgmlDType) -> String {
    let name = format!("{dtype:?}").to_uppercase();
    match name.strip_suffix('K') {
        Some(stem) if stem.starts_with('Q') && !stem.ends_with('_') => format!("{stem}_K"),
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_llama_cpps() {
        let names = [GgmlDType::F32, GgmlDType::BF16, GgmlDType::Q4_0, GgmlDType::Q4K, GgmlDType::Q6K].map(type_name);
        assert_eq!(names, ["F32", "BF16", "Q4_0", "Q4_K", "Q6_K"]);
    }

    #[test]
    fn memory_is_the_files_unless_it_is_quantised_or_widened() {
        let q4 = TensorInfo::blocks("w", GgmlDType::Q4_0, &[10, 64]);
        assert_eq!((q4.bytes, q4.kept_bytes(None), q4.kept_bytes(Some(GgmlDType::Q8_0))), (360, 360, 360));
        let halves = TensorInfo::dense("w", "F16", &[10, 64], 1280);
        assert_eq!((halves.kept_bytes(None), halves.kept_bytes(Some(GgmlDType::Q8_0))), (1280, 680));
        let odd = TensorInfo::dense("w", "F32", &[10, 33], 1320);
        assert_eq!(odd.kept_bytes(Some(GgmlDType::Q4_0)), 1320);
        assert_eq!(TensorInfo::dense("norm", "F16", &[64], 128).kept_bytes(None), 256);
        assert_eq!(TensorInfo::dense("w.scales", "BF16", &[10, 2], 40).kept_bytes(None), 80);
    }
}
