//! `pytorch_model.bin`: a zip archive with a pickle of tensors' places and one entry per storage.
//!
//! candle's unpickler runs no code, but believes what it reads and knows no boolean tensors. So the pickle is vetted before
//! candle reads it, and its tensors are then placed here, with checks.
//!
//! This module does *not* know the families of models.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufReader, Cursor, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use candle_core::{
    DType, Device, Tensor,
    pickle::{Object, Stack},
    quantized::{GgmlDType, QStorage, QTensor},
};
use zip::ZipArchive;

use super::{Keep, TensorInfo, Tensors, vet_pickle::vet_pickle};
use crate::brain::{
    error::{BrainError, Result},
    model::Matrix,
};

/// Longest pickle: it holds names and shapes only, about 250 bytes for a tensor.
const MAX_PICKLE: u64 = 4 << 20;

/// Where a tensor lies.
#[derive(Debug, Clone)]
struct Place {
    entry: String,
    dtype: DType,
    shape: Vec<usize>,
    /// Bytes before it in the entry.
    offset: u64,
}

/// The tensors of a `pytorch_model.bin`.
#[derive(Debug)]
pub struct PickleFile {
    path: PathBuf,
    places: BTreeMap<String, Place>,
}

type Archive = ZipArchive<BufReader<File>>;

impl PickleFile {
    /// Opens a file and reads where its tensors lie.
    ///
    /// # Errors
    /// It is no zip archive with a pickle of tensors, or is broken.
    pub fn open(path: &Path) -> Result<Self> {
        let mut archive = open(path)?;
        let name = archive.file_names().filter_map(std::result::Result::ok).find(|name| name.ends_with("data.pkl"));
        let name = name.map(|name| name.into_owned()).ok_or_else(|| BrainError::file(path, "it holds no data.pkl"))?;
        let folder = name.trim_end_matches("data.pkl").to_owned();
        let entry = archive.by_name(&name).map_err(|error| BrainError::file(path, error))?;
        let mut pickle = Vec::new();
        entry.take(MAX_PICKLE + 1).read_to_end(&mut pickle).map_err(|error| BrainError::read(path, error))?;
        let places = place_tensors(&pickle, &folder).map_err(|what| BrainError::file(path, what))?;
        Ok(Self { path: path.to_owned(), places })
    }

    fn error(&self, what: impl ToString) -> BrainError {
        BrainError::file(&self.path, what)
    }

    /// Every tensor, sorted by name.
    pub fn table(&self) -> Vec<TensorInfo> {
        let info = |(name, place): (&String, &Place)| {
            let bytes = place.shape.iter().product::<usize>() * place.dtype.size_in_bytes();
            TensorInfo::dense(name, &format!("{:?}", place.dtype), &place.shape, bytes as u64)
        };
        self.places.iter().map(info).collect()
    }

    fn bytes(&self, name: &str, shape: &[usize]) -> Result<(DType, Vec<u8>)> {
        let place = self.places.get(name).ok_or_else(|| self.error(format!("it has no tensor {name}")))?;
        if place.shape != shape {
            return Err(self.error(format!("{name} has the shape {:?}, and {shape:?} was expected", place.shape)));
        }
        let need = (shape.iter().product::<usize>() * place.dtype.size_in_bytes()) as u64;
        let mut archive = open(&self.path)?;
        let mut entry = archive.by_name(&place.entry).map_err(|error| self.error(error))?;
        if place.offset.checked_add(need).is_none_or(|end| end > entry.size()) || entry.compressed_size() < entry.size()
        {
            return Err(self.error(format!("its entry {} is shorter than {name}, or compressed", place.entry)));
        }
        let read = |error| BrainError::read(&self.path, error);
        std::io::copy(&mut entry.by_ref().take(place.offset), &mut std::io::sink()).map_err(read)?;
        let mut bytes = Vec::new();
        entry.take(need).read_to_end(&mut bytes).map_err(read)?;
        if bytes.len() as u64 != need {
            return Err(self.error(format!("it ends before {name} does")));
        }
        Ok((place.dtype, bytes))
    }

    fn real(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        let (dtype, bytes) = self.bytes(name, shape)?;
        Ok(Tensor::from_raw_buffer(&bytes, dtype, shape, &Device::Cpu)?.to_dtype(DType::F32)?)
    }
}

impl Tensors for PickleFile {
    fn has(&self, name: &str) -> bool {
        self.places.contains_key(name)
    }

    fn matrix(&mut self, name: &str, shape: [usize; 2], keep: &Keep) -> Result<Matrix> {
        let halves = match self.places.get(name).map(|place| place.dtype) {
            Some(DType::F16) => GgmlDType::F16,
            Some(DType::BF16) => GgmlDType::BF16,
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

fn open(path: &Path) -> Result<Archive> {
    let file = File::open(path).map_err(|error| BrainError::read(path, error))?;
    ZipArchive::new(BufReader::new(file)).map_err(|error| BrainError::file(path, error))
}

/// Reads a pickle and finds its tensors; those of types that no weight has (masks) are passed over.
fn place_tensors(pickle: &[u8], folder: &str) -> std::result::Result<BTreeMap<String, Place>, String> {
    if pickle.len() as u64 > MAX_PICKLE {
        return Err("its pickle is too long to hold names and shapes only".to_owned());
    }
    vet_pickle(pickle)?;
    let mut stack = Stack::empty();
    stack.read_loop(&mut Cursor::new(pickle)).map_err(|error| error.to_string())?;
    let Object::Dict(entries) = stack.finalize().map_err(|error| error.to_string())? else {
        return Err("its pickle holds no dictionary of tensors".to_owned());
    };
    let mut places = BTreeMap::new();
    for (key, value) in entries {
        let Object::Unicode(name) = key else { continue };
        match place_of(value, folder) {
            Ok(Some(place)) => drop(places.insert(name, place)),
            Ok(None) => {}
            Err(what) => return Err(format!("its tensor {name} {what}")),
        }
    }
    Ok(places)
}

/// The place of a tensor: `_rebuild_tensor_v2(storage, offset, size, stride, …)`, bare or as a parameter.
fn place_of(value: Object, folder: &str) -> std::result::Result<Option<Place>, &'static str> {
    let Object::Reduce { callable, args } = value else { return Ok(None) };
    let (Object::Class { class_name, .. }, Object::Tuple(mut args)) = (*callable, *args) else { return Ok(None) };
    match class_name.as_str() {
        "_rebuild_parameter" if !args.is_empty() => return place_of(args.swap_remove(0), folder),
        "_rebuild_tensor_v2" => {}
        _ => return Ok(None),
    }
    let [Object::PersistentLoad(storage), offset, Object::Tuple(size), Object::Tuple(stride), ..] = args.as_slice()
    else {
        return Err("is not placed as PyTorch places tensors");
    };
    let Object::Tuple(storage) = &**storage else { return Err("has no storage") };
    let [_, Object::Class { class_name, .. }, Object::Unicode(entry), ..] = storage.as_slice() else {
        return Err("has no storage");
    };
    let dtype = match class_name.as_str() {
        "FloatStorage" => DType::F32,
        "DoubleStorage" => DType::F64,
        "HalfStorage" => DType::F16,
        "BFloat16Storage" => DType::BF16,
        _ => return Ok(None),
    };
    let numbers = |all: &[Object]| all.iter().map(whole).collect::<Option<Vec<usize>>>();
    let (Some(shape), Some(stride), Some(offset)) = (numbers(size), numbers(stride), whole(offset)) else {
        return Err("has an impossible shape");
    };
    let mut expected = 1_usize;
    for (dim, step) in shape.iter().zip(&stride).rev() {
        if *step != expected && *dim != 1 {
            return Err("does not lie row by row");
        }
        expected = expected.checked_mul(*dim).ok_or("has an impossible shape")?;
    }
    if shape.len() != stride.len() || expected.checked_mul(8).is_none() {
        return Err("has an impossible shape");
    }
    let offset = (offset as u64).checked_mul(dtype.size_in_bytes() as u64).ok_or("has an impossible offset")?;
    Ok(Some(Place { entry: format!("{folder}data/{entry}"), dtype, shape, offset }))
}

fn whole(object: &Object) -> Option<usize> {
    match object {
        Object::Int(number) => usize::try_from(*number).ok(),
        Object::Long(number) => usize::try_from(*number).ok(),
        _ => None,
    }
}
