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
        files::{GgufFile, PickleFile, SafetensorsFolder, TensorInfo, read_hf_config, read_llama_config},
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
    if settings.path.trim().is_empty() {
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
    let tensors = match format {
        Format::Pytorch => PickleFile::open(&path.join("pytorch_model.bin"))?.table(),
        _ => SafetensorsFolder::open(path)?.table(),
    };
    let (shape, _) = read_hf_config(path)?;
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
