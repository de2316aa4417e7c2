//! Pairs out of a file of any kind, in which every tensor must be named, shaped and finite; and into safetensors.
//!
//! This module does *not* know how a file names its tensors.

use std::{
    collections::{BTreeSet, HashMap},
    path::{Path, PathBuf},
    sync::Arc,
};

use safetensors::{Dtype, tensor::TensorView};

use super::{Adapter, AdapterLayout, Pair, RowOrder, Site};
use crate::brain::{
    error::{BrainError, Result},
    files::{GgufFile, SafetensorsFolder},
    model::ModelShape,
};

/// The highest rank that is read.
pub(super) const MAX_RANK: usize = 4096;

/// A file that holds tensors.
pub(super) trait Source {
    /// The file.
    fn path(&self) -> &Path;

    /// The names of all its tensors, sorted.
    fn names(&self) -> Vec<String>;

    /// A matrix as f32.
    ///
    /// # Errors
    /// It is not there, has another shape, or cannot be read.
    fn numbers(&mut self, name: &str, shape: [usize; 2]) -> Result<Vec<f32>>;
}

/// One safetensors file.
pub(super) struct SafetensorsFile {
    /// The file.
    pub path: PathBuf,
    /// What its header says.
    pub tensors: SafetensorsFolder,
}

impl SafetensorsFile {
    /// Reads the header of a file.
    ///
    /// # Errors
    /// It cannot be read, or contradicts itself.
    pub(super) fn open(path: &Path) -> Result<Self> {
        Ok(Self { path: path.to_owned(), tensors: SafetensorsFolder::of(vec![path.to_owned()])? })
    }
}

impl Source for SafetensorsFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn names(&self) -> Vec<String> {
        self.tensors.places().keys().cloned().collect()
    }

    fn numbers(&mut self, name: &str, shape: [usize; 2]) -> Result<Vec<f32>> {
        Ok(self.tensors.real(name, &shape)?.flatten_all()?.to_vec1()?)
    }
}

impl Source for GgufFile {
    fn path(&self) -> &Path {
        self.path()
    }

    fn names(&self) -> Vec<String> {
        self.table().into_iter().map(|info| info.name).collect()
    }

    fn numbers(&mut self, name: &str, [rows, columns]: [usize; 2]) -> Result<Vec<f32>> {
        self.raw_numbers(name, &[rows, columns])
    }
}

/// How a kind of file keeps an adapter.
pub(super) struct Kept<'a> {
    /// The model that it is read for.
    pub shape: &'a ModelShape,
    /// Its rank.
    pub rank: usize,
    /// Its alpha.
    pub alpha: f32,
    /// The order of its rows.
    pub rows: RowOrder,
    /// The names of A and B of a site.
    pub names: &'a dyn Fn(&Site) -> [String; 2],
}

/// Reads every pair that a file holds, B's rows in the order of the model.
///
/// # Errors
/// A half is missing, of another shape or not finite, a tensor is left over, or there is none at all.
pub(super) fn read_pairs(source: &mut dyn Source, kept: &Kept) -> Result<(AdapterLayout, Adapter)> {
    let refuse = |source: &dyn Source, what: String| Err(BrainError::file(source.path(), what));
    let &Kept { rank, alpha, .. } = kept;
    if rank == 0 || rank > MAX_RANK || !alpha.is_finite() {
        return refuse(source, format!("its rank is {rank} and its alpha {alpha}, which no adapter has"));
    }
    let mut left: BTreeSet<_> = source.names().into_iter().collect();
    let all = left.len();
    let (mut sites, mut pairs) = (Vec::new(), Vec::new());
    for site in kept.shape.sites() {
        let [a_name, b_name] = (kept.names)(&site);
        // Not lazily: both are taken out.
        if !(left.remove(&a_name) | left.remove(&b_name)) {
            continue;
        }
        let (a, b) = (source.numbers(&a_name, [rank, site.inner])?, source.numbers(&b_name, [site.out, rank])?);
        for (name, numbers) in [(&a_name, &a), (&b_name, &b)] {
            if !numbers.iter().all(|number| number.is_finite()) {
                return refuse(source, format!("{name} holds numbers that are not finite"));
            }
        }
        let b = kept.rows.turn(RowOrder::of(kept.shape), kept.shape, &site, &b, rank);
        sites.push(site);
        pairs.push(Pair { a: Arc::new(a), b: Arc::new(b) });
    }
    match left.first() {
        Some(name) => {
            let fit = all - left.len();
            refuse(source, format!("of its {all} tensors {fit} fit this model, and {} does not", shown(name)))
        }
        None if sites.is_empty() => refuse(source, "it holds no tensors".to_owned()),
        None => Ok((AdapterLayout { rank, alpha, sites }, Adapter { pairs })),
    }
}

/// A text out of a file that anybody may have written, as it can be shown: no longer than a line, and nothing that steers
/// the terminal.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(60).flat_map(char::escape_debug).collect()
}

/// The bytes of f32 numbers.
pub(super) fn to_bytes(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// A safetensors file of f32 matrices, with one entry of metadata: of several the library would not keep the order.
///
/// # Errors
/// It would have more bytes than the format can hold.
pub(super) fn write_safetensors(tensors: &[(String, [usize; 2], Vec<u8>)], key: &str, value: &str) -> Result<Vec<u8>> {
    let failed = |error| BrainError::Setting(format!("The adapter cannot be written as safetensors ({error})"));
    let mut views = Vec::with_capacity(tensors.len());
    for (name, shape, bytes) in tensors {
        views.push((name, TensorView::new(Dtype::F32, shape.to_vec(), bytes).map_err(failed)?));
    }
    let note = HashMap::from([(key.to_owned(), value.to_owned())]);
    safetensors::serialize(views, Some(note)).map_err(failed)
}
