//! One GGUF file: its metadata and tensors, vetted before they are believed.

use std::{
    fs::File,
    io::{BufReader, Cursor, Read, Seek},
    path::{Path, PathBuf},
    sync::Arc,
};

use candle_core::{
    Device, Tensor,
    quantized::{
        GgmlDType, QTensor,
        gguf_file::{Content, Value},
    },
};

use super::{Keep, TensorInfo, Tensors, is_dense, type_name, vet::vet_gguf};
use crate::brain::{
    error::{BrainError, Result},
    model::{Matrix, StoredFile, StoredRows},
};

/// A file on disk, or one within the program.
trait Source: Read + Seek + Send {}
impl<T: Read + Seek + Send> Source for T {}

/// An open GGUF file.
pub struct GgufFile {
    path: PathBuf,
    file: BufReader<Box<dyn Source>>,
    content: Content,
    /// The same file, for what stays in it, as it was before anything was read; where it is on disk.
    disk: Option<Arc<StoredFile>>,
    /// GGUF's names for the tensors that the models ask for by Hugging Face's.
    rename: fn(&str) -> String,
}

impl GgufFile {
    /// Opens a file and reads its header; tensors stay on disk.
    ///
    /// # Errors
    /// It cannot be read, or its header contradicts itself or the file's size.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|error| BrainError::read(path, error))?;
        let again = file.try_clone().map_err(|error| BrainError::read(path, error))?;
        let disk = Some(Arc::new(StoredFile::new(path.to_owned(), again)?));
        Ok(Self { disk, ..Self::read(path, Box::new(file))? })
    }

    /// Reads a file that is in memory; `path` is its name in messages.
    ///
    /// # Errors
    /// As [`GgufFile::open`].
    pub fn from_bytes(path: &Path, bytes: &'static [u8]) -> Result<Self> {
        Self::read(path, Box::new(Cursor::new(bytes)))
    }

    fn read(path: &Path, source: Box<dyn Source>) -> Result<Self> {
        let mut file = BufReader::new(source);
        vet_gguf(&mut file).map_err(|what| BrainError::file(path, what))?;
        file.rewind().map_err(|error| BrainError::read(path, error))?;
        let content = Content::read(&mut file).map_err(|error| BrainError::file(path, error))?;
        Ok(Self { path: path.to_owned(), file, content, disk: None, rename: llama_name })
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The header as candle read it.
    pub const fn content(&self) -> &Content {
        &self.content
    }

    /// Forgets the lists of the metadata, which are the tokenizer's words and merges: what comes after takes their place in memory.
    pub fn forget_lists(&mut self) {
        self.content.metadata.retain(|_, value| !matches!(value, Value::Array(_)));
    }

    /// A text of the metadata.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.content.metadata.get(key)?.to_string().ok().map(String::as_str)
    }

    /// A whole number of the metadata.
    pub fn whole(&self, key: &str) -> Option<u64> {
        let value = self.content.metadata.get(key)?;
        let signed = match value {
            Value::I8(v) => Some(i64::from(*v)),
            Value::I16(v) => Some(i64::from(*v)),
            Value::I32(v) => Some(i64::from(*v)),
            Value::I64(v) => Some(*v),
            _ => None,
        };
        signed.map_or_else(|| value.to_u64().ok(), |v| u64::try_from(v).ok())
    }

    /// A real number of the metadata.
    pub fn real(&self, key: &str) -> Option<f64> {
        let value = self.content.metadata.get(key)?;
        value.to_f32().map(f64::from).or_else(|_| value.to_f64()).ok()
    }

    /// Whether there is a tensor of this name, as the file itself names it.
    pub fn has_raw(&self, name: &str) -> bool {
        self.content.tensor_infos.contains_key(name)
    }

    /// An error about this file.
    pub fn error(&self, what: impl ToString) -> BrainError {
        BrainError::file(&self.path, what)
    }

    /// Every tensor, sorted by name.
    pub fn table(&self) -> Vec<TensorInfo> {
        let infos = self.content.tensor_infos.iter();
        let mut all: Vec<_> =
            infos.map(|(name, info)| TensorInfo::blocks(name, info.ggml_dtype, info.shape.dims())).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// The numbers of a tensor as f32, by the file's own name for it.
    ///
    /// # Errors
    /// It is not there, has another shape, or cannot be read.
    pub fn raw_numbers(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let read = self.load_raw(name, shape)?;
        Ok(read.dequantize(&Device::Cpu)?.flatten_all()?.to_vec1()?)
    }

    fn load(&mut self, name: &str, shape: &[usize]) -> Result<QTensor> {
        self.load_raw(&(self.rename)(name), shape)
    }

    /// A matrix as it lies in the file, if that is on disk and the matrix can be used as it is.
    fn stored(&mut self, name: &str, shape: [usize; 2], keep: &Keep) -> Result<Option<StoredRows>> {
        let (Some(info), Some(disk)) = (self.content.tensor_infos.get(&(self.rename)(name)), &self.disk) else {
            return Ok(None);
        };
        if info.shape.dims() != shape
            || !keep.device.is_cpu()
            || (is_dense(&type_name(info.ggml_dtype)) && keep.quantise.is_some())
        {
            return Ok(None);
        }
        let (dtype, begin) = (info.ggml_dtype, self.content.tensor_data_offset + info.offset);
        Ok(Some(StoredRows::new(Arc::clone(disk), begin, dtype, shape)))
    }

    /// The same of a matrix that shall be read for each product, if it is quantised.
    fn streamed(&mut self, name: &str, shape: [usize; 2], keep: &Keep) -> Result<Option<StoredRows>> {
        let raw = (self.rename)(name);
        let is_quantised =
            self.content.tensor_infos.get(&raw).is_some_and(|info| !is_dense(&type_name(info.ggml_dtype)));
        if keep.streams && is_quantised { self.stored(name, shape, keep) } else { Ok(None) }
    }

    fn load_raw(&mut self, name: &str, shape: &[usize]) -> Result<QTensor> {
        let info = self.content.tensor_infos.get(name).ok_or_else(|| self.error(format!("it has no tensor {name}")))?;
        if info.shape.dims() != shape {
            return Err(self.error(format!("{name} has the shape {:?}, and {shape:?} was expected", info.shape.dims())));
        }
        let read = self.content.tensor(&mut self.file, name, &Device::Cpu);
        read.map_err(|error| self.error(error))
    }
}

impl Tensors for GgufFile {
    fn has(&self, name: &str) -> bool {
        self.content.tensor_infos.contains_key(&(self.rename)(name))
    }

    fn matrix(&mut self, name: &str, [out, inner]: [usize; 2], keep: &Keep) -> Result<Matrix> {
        if let Some(stored) = self.streamed(name, [out, inner], keep)? {
            return Ok(Matrix::streamed(stored));
        }
        let read = self.load(name, &[out, inner])?;
        if read.dtype() == GgmlDType::F32 {
            keep.dense(&read.dequantize(&Device::Cpu)?)
        } else {
            keep.blocks(Arc::new(read))
        }
    }

    fn table(&mut self, name: &str, shape: [usize; 2], keep: &Keep) -> Result<Matrix> {
        match self.stored(name, shape, keep)? {
            Some(stored) => Ok(Matrix::stored(stored)),
            None => self.matrix(name, shape, keep),
        }
    }

    fn vector(&mut self, name: &str, len: usize, keep: &Keep) -> Result<Tensor> {
        Ok(self.load(name, &[len])?.dequantize(&keep.device)?)
    }
}

/// llama.cpp's name for a tensor of the Llama family (`gguf-py`, `tensor_mapping.py`).
pub fn llama_name(name: &str) -> String {
    const PARTS: &[(&str, &str)] = &[
        ("model.embed_tokens.", "token_embd."),
        ("model.norm.", "output_norm."),
        ("lm_head.", "output."),
        ("model.layers.", "blk."),
        ("self_attn.q_proj", "attn_q"),
        ("self_attn.k_proj", "attn_k"),
        ("self_attn.v_proj", "attn_v"),
        ("self_attn.o_proj", "attn_output"),
        ("mlp.gate_proj", "ffn_gate"),
        ("mlp.up_proj", "ffn_up"),
        ("mlp.down_proj", "ffn_down"),
        ("post_attention_layernorm", "ffn_norm"),
        ("input_layernorm", "attn_norm"),
    ];
    PARTS.iter().fold(name.to_owned(), |name, (theirs, ours)| name.replace(theirs, ours))
}

#[cfg(test)]
mod tests {
    use super::llama_name;

    #[test]
    fn names_are_llama_cpps() {
        let pairs = [
            ("model.embed_tokens.weight", "token_embd.weight"),
            ("model.layers.12.self_attn.o_proj.weight", "blk.12.attn_output.weight"),
            ("model.layers.0.mlp.down_proj.weight", "blk.0.ffn_down.weight"),
            ("model.layers.3.input_layernorm.weight", "blk.3.attn_norm.weight"),
            ("model.layers.3.post_attention_layernorm.weight", "blk.3.ffn_norm.weight"),
            ("model.norm.weight", "output_norm.weight"),
            ("lm_head.weight", "output.weight"),
        ];
        for (theirs, ours) in pairs {
            assert_eq!(llama_name(theirs), ours);
        }
    }
}
