//! A Hugging Face folder: `config.json`, `tokenizer.json`, and safetensors, in one file or in shards.
//!
//! Tensors are read one by one from their places in the files; no file is read whole, and none is mapped.
//!
//! This module does *not* know the families of models.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::Arc,
};

use candle_core::{
    DType, Device, Tensor,
    quantized::{GgmlDType, QStorage, QTensor},
};
use safetensors::{Dtype, tensor::Metadata};

use super::{Keep, TensorInfo, Tensors};
use crate::brain::{
    error::{BrainError, Result},
    model::Matrix,
};

/// Longest header of a safetensors file: the format's own limit.
const MAX_HEADER: u64 = 100_000_000;

/// Where a tensor lies.
#[derive(Debug, Clone)]
pub struct Place {
    file: usize,
    /// How its numbers are written.
    pub dtype: Dtype,
    /// Its shape.
    pub shape: Vec<usize>,
    begin: u64,
    bytes: usize,
}

/// The safetensors files of a folder.
#[derive(Debug)]
pub struct SafetensorsFolder {
    files: Vec<PathBuf>,
    places: BTreeMap<String, Place>,
    notes: BTreeMap<String, String>,
}

impl SafetensorsFolder {
    /// Finds the files of a folder and reads their headers.
    ///
    /// # Errors
    /// There are none, one that the index names is missing, or a header contradicts its file.
    pub fn open(folder: &Path) -> Result<Self> {
        Self::of(shards(folder)?)
    }

    /// Reads the headers of some files.
    ///
    /// # Errors
    /// As [`SafetensorsFolder::open`].
    pub fn of(files: Vec<PathBuf>) -> Result<Self> {
        let (mut places, mut notes) = (BTreeMap::new(), BTreeMap::new());
        for (file, path) in files.iter().enumerate() {
            let header = read_header(path, file, &mut places)?;
            notes.extend(header.metadata().clone().unwrap_or_default());
        }
        Ok(Self { files, places, notes })
    }

    /// What the headers say beside the tensors: safetensors' `__metadata__`.
    pub const fn notes(&self) -> &BTreeMap<String, String> {
        &self.notes
    }

    /// Every tensor, by name.
    pub const fn places(&self) -> &BTreeMap<String, Place> {
        &self.places
    }

    /// Every tensor, sorted by name.
    pub fn table(&self) -> Vec<TensorInfo> {
        let info = |(name, place): (&String, &Place)| {
            let kind = format!("{:?}", place.dtype);
            TensorInfo::dense(name, &kind, &place.shape, place.bytes as u64)
        };
        self.places.iter().map(info).collect()
    }

    /// The numbers of a tensor as the file has them.
    ///
    /// # Errors
    /// There is no such tensor, it has another shape, or it cannot be read.
    pub fn bytes(&self, name: &str, shape: &[usize]) -> Result<(Dtype, Vec<u8>)> {
        let first = self.files.first().map_or(Path::new("?"), PathBuf::as_path);
        let place = self.places.get(name).ok_or_else(|| BrainError::file(first, format!("it has no tensor {name}")))?;
        let path = &self.files[place.file];
        if place.shape != shape {
            let what = format!("{name} has the shape {:?}, and {shape:?} was expected", place.shape);
            return Err(BrainError::file(path, what));
        }
        let mut file = File::open(path).map_err(|error| BrainError::read(path, error))?;
        let mut bytes = vec![0; place.bytes];
        let read = file.seek(SeekFrom::Start(place.begin)).and_then(|_| file.read_exact(&mut bytes));
        read.map_err(|error| BrainError::read(path, error))?;
        Ok((place.dtype, bytes))
    }

    /// A tensor as f32, on the processor.
    ///
    /// # Errors
    /// As [`SafetensorsFolder::bytes`], or it does not hold real numbers.
    pub fn real(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        let (dtype, bytes) = self.bytes(name, shape)?;
        let dtype = match dtype {
            Dtype::F32 => DType::F32,
            Dtype::F16 => DType::F16,
            Dtype::BF16 => DType::BF16,
            Dtype::F64 => DType::F64,
            other => {
                let path = &self.files[self.places[name].file];
                return Err(BrainError::file(path, format!("{name} holds numbers of the type {other:?}")));
            }
        };
        Ok(Tensor::from_raw_buffer(&bytes, dtype, shape, &Device::Cpu)?.to_dtype(DType::F32)?)
    }
}

impl Tensors for SafetensorsFolder {
    fn has(&self, name: &str) -> bool {
        self.places.contains_key(name)
    }

    fn matrix(&mut self, name: &str, shape: [usize; 2], keep: &Keep) -> Result<Matrix> {
        let halves = match self.places.get(name).map(|place| place.dtype) {
            Some(Dtype::F16) => GgmlDType::F16,
            Some(Dtype::BF16) => GgmlDType::BF16,
            _ => return keep.dense(&self.real(name, &shape)?),
        };
        let (_, bytes) = self.bytes(name, &shape)?;
        let storage = QStorage::from_data(bytes.into(), &Device::Cpu, halves)?;
        keep.blocks(Arc::new(QTensor::new(storage, (shape[0], shape[1]))?))
    }

    fn vector(&mut self, name: &str, len: usize, keep: &Keep) -> Result<Tensor> {
        Ok(self.real(name, &[len])?.to_device(&keep.device)?)
    }
}

/// The files that the index names, or the one file.
fn shards(folder: &Path) -> Result<Vec<PathBuf>> {
    let index = folder.join("model.safetensors.index.json");
    if !index.exists() {
        let one = folder.join("model.safetensors");
        return if one.exists() {
            Ok(vec![one])
        } else {
            Err(BrainError::file(folder, "it holds no model.safetensors"))
        };
    }
    let json = read_json(&index)?;
    let map = json["weight_map"].as_object().ok_or_else(|| BrainError::file(&index, "it has no weight_map"))?;
    let mut names: Vec<_> = map.values().filter_map(serde_json::Value::as_str).collect();
    names.sort_unstable();
    names.dedup();
    let mut files = Vec::with_capacity(names.len());
    for name in names {
        // A name that leads out of the folder is no shard.
        let plain = Path::new(name).file_name().is_some_and(|only| only == name);
        let path = folder.join(name);
        if !plain || !path.exists() {
            return Err(BrainError::file(&index, format!("it names the file {name:?}, which is not there")));
        }
        files.push(path);
    }
    Ok(files)
}

/// Reads a JSON file.
///
/// # Errors
/// It cannot be read, or is no JSON.
pub fn read_json(path: &Path) -> Result<serde_json::Value> {
    let bytes = std::fs::read(path).map_err(|error| BrainError::read(path, error))?;
    serde_json::from_slice(&bytes).map_err(|error| BrainError::file(path, error))
}

fn read_header(path: &Path, at: usize, places: &mut BTreeMap<String, Place>) -> Result<Metadata> {
    let read = |error| BrainError::read(path, error);
    let mut file = File::open(path).map_err(read)?;
    let size = file.metadata().map_err(read)?.len();
    let mut prefix = [0; 8];
    file.read_exact(&mut prefix).map_err(|_| BrainError::file(path, "it is shorter than a header"))?;
    let length = u64::from_le_bytes(prefix);
    if length > MAX_HEADER || length + 8 > size {
        return Err(BrainError::file(path, "its header is longer than the file"));
    }
    let mut header = Vec::new();
    file.take(length).read_to_end(&mut header).map_err(read)?;
    // The library's own reader wants the whole file; its type checks shapes and that tensors lie one after the other.
    let metadata: Metadata = serde_json::from_slice(&header).map_err(|error| BrainError::file(path, error))?;
    let sorted: BTreeMap<_, _> = metadata.tensors().into_iter().collect();
    for (name, info) in sorted {
        let (begin, end) = info.data_offsets;
        let in_file =
            length.checked_add(8).and_then(|data| data.checked_add(end as u64)).is_some_and(|end| end <= size);
        if !in_file || begin > end {
            return Err(BrainError::file(path, format!("it ends before {name} does")));
        }
        let begin_in_file = 8 + length + begin as u64;
        let place =
            Place { file: at, dtype: info.dtype, shape: info.shape.clone(), begin: begin_in_file, bytes: end - begin };
        places.insert(name, place);
    }
    Ok(metadata)
}
