//! What the files of a model say of it, read from their headers alone.
//!
//! This module does *not* read weights.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use candle_core::quantized::GgmlDType;
use serde::Serialize;

use super::{Format, name_of, read_named};
use crate::{
    brain::{
        error::Result,
        files::{GgufFile, MlxFolder, PickleFile, SafetensorsFolder, TensorInfo, read_hf_config, read_llama_config},
        load,
        model::ModelShape,
    },
    config::ModelSettings,
};

/// What the files of a model say of it.
#[derive(Debug, Clone)]
pub struct ModelInfo {
    /// What it is called.
    pub name: String,
    /// Its file or folder.
    pub path: PathBuf,
    /// What kind of files hold it.
    pub format: Format,
    /// Its shape.
    pub shape: ModelShape,
    /// Its tensors, sorted by name.
    pub tensors: Vec<TensorInfo>,
}

/// The tensors of one type, together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KindShare {
    /// The type.
    pub kind: String,
    /// How many tensors are of it.
    pub tensors: usize,
    /// Their numbers.
    pub elements: u64,
    /// Bytes that they take in the file.
    pub bytes: u64,
}

impl ModelInfo {
    /// The tensors by type, the type with the most bytes first.
    pub fn kinds(&self) -> Vec<KindShare> {
        let mut kinds: BTreeMap<&str, KindShare> = BTreeMap::new();
        for tensor in &self.tensors {
            let kind = tensor.kind.clone();
            let share = kinds.entry(&tensor.kind).or_insert(KindShare { kind, tensors: 0, elements: 0, bytes: 0 });
            share.tensors += 1;
            share.elements += tensor.elements();
            share.bytes += tensor.bytes;
        }
        let mut all: Vec<_> = kinds.into_values().collect();
        all.sort_by_key(|share| std::cmp::Reverse(share.bytes));
        all
    }

    /// Bytes that its tensors take in the files.
    pub fn file_bytes(&self) -> u64 {
        self.tensors.iter().map(|tensor| tensor.bytes).sum()
    }

    /// Bytes that its tensors take in memory, where dense ones are quantised to `quantise` as they load.
    pub fn weights_bytes(&self, quantise: Option<GgmlDType>) -> u64 {
        // Masks that some files hold have more than two dimensions, and are not loaded.
        let loaded = self.tensors.iter().filter(|tensor| tensor.shape.len() <= 2);
        loaded.map(|tensor| tensor.kept_bytes(quantise)).sum()
    }
}

/// Reads the headers of the model that the settings name; of the one that ships where they name none.
///
/// # Errors
/// There is none, its headers are broken, or it is of a kind that is not known.
pub fn inspect(settings: &ModelSettings) -> Result<ModelInfo> {
    if load::is_shipped(settings) {
        return of_gguf(&load::shipped()?);
    }
    read_named(settings, inspect_files)
}

/// Reads the headers of a model whose place and format are known.
///
/// # Errors
/// As [`inspect`].
fn inspect_files(path: &Path, format: Format) -> Result<ModelInfo> {
    if format == Format::Gguf {
        return of_gguf(&GgufFile::open(path)?);
    }
    let (shape, quantised) = read_hf_config(path)?;
    let tensors = match (format, quantised) {
        (Format::Pytorch, _) => PickleFile::open(&path.join("pytorch_model.bin"))?.table(),
        (_, Some(quantised)) => MlxFolder::new(SafetensorsFolder::open(path)?, quantised).table(),
        (_, None) => SafetensorsFolder::open(path)?.table(),
    };
    Ok(ModelInfo { name: name_of(path, format), path: path.to_owned(), format, shape, tensors })
}

fn of_gguf(file: &GgufFile) -> Result<ModelInfo> {
    Ok(ModelInfo {
        name: file.text("general.name").map_or_else(|| name_of(file.path(), Format::Gguf), str::to_owned),
        path: file.path().to_owned(),
        format: Format::Gguf,
        shape: ModelShape::Llama(read_llama_config(file)?),
        tensors: file.table(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        brain::{
            catalog::{check_memory, memory_need},
            load_model,
        },
        config::LoraSettings,
    };

    #[test]
    fn an_mlx_folder_has_the_weights_that_are_packed_into_it() {
        for (name, bits, quantised) in [("llama-mlx-4bit", 4, "MLX 4-bit"), ("llama-mlx-8bit", 8, "MLX 8-bit")] {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference").join(name);
            let settings = ModelSettings { path: path.to_string_lossy().into_owned(), ..ModelSettings::default() };
            let info = inspect(&settings).unwrap();
            let share = &info.kinds()[0];
            // All but the norms: two in each of two layers, and the last.
            let matrices = info.shape.parameters() as u64 - 5 * 64;
            assert_eq!((share.kind.as_str(), share.elements), (quantised, matrices));
            assert_eq!(share.bytes * 8, matrices * bits);
            let embedding = info.tensors.iter().find(|tensor| tensor.name == "model.embed_tokens.weight").unwrap();
            assert_eq!(embedding.shape, [400, 64]);
            // In memory as the loaded model has it, and the norms in f32.
            assert_eq!(info.weights_bytes(None), load_model(&settings).unwrap().model.bytes() as u64 + 5 * 64 * 4);
            let need = memory_need(&info, None, &LoraSettings { rank: 1, ..LoraSettings::default() }, 1).unwrap();
            let advice = check_memory(&info, &need, Some(0), true).unwrap_err().to_string();
            assert!(!advice.contains("QUANT") && advice.contains("quantised to fewer bits"), "{advice}");
        }
    }
}
