//! Fetches a model from the Hugging Face hub into its cache on this machine: the files that are needed, each resumed
//! where an earlier try was cut off, and held against the digest that the hub names.
//!
//! This module does *not* know the command line, nor what is in the files.

mod check;
mod choose;
mod error;
mod fetch;

use std::path::{Path, PathBuf};

use crate::brain::catalog::Hub;
pub use check::Digest;
pub use choose::{Source, choose_files, parse_source};
pub use error::DownloadError;
use fetch::Fetch;

/// What happens during a download.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A file of so many bytes begins, or begins again.
    Begin {
        /// Its name.
        file: String,
        /// Its bytes.
        bytes: u64,
    },
    /// So many more bytes of it are here, those of an earlier try among them.
    Bytes(u64),
    /// It is complete, and was held against this digest.
    Checked {
        /// Its name.
        file: String,
        /// Its bytes.
        bytes: u64,
        /// The kind of digest that the hub names for it.
        digest: Digest,
    },
    /// A try was cut off for this reason; another begins.
    Again(String),
}

/// Fetches the files of a model; gives the path that `--model` takes.
///
/// # Errors
/// The word is not known, the hub does not answer, a file is damaged or cannot be written.
pub fn download(
    word: &str,
    file: Option<&str>,
    hub: &Hub,
    watch: &mut dyn FnMut(Step),
) -> Result<PathBuf, DownloadError> {
    let source = parse_source(word, file)?;
    let fetch = Fetch::of(&source.repository, hub)?;
    let names = choose_files(&source, &fetch.names()?)
        .map_err(|what| DownloadError::Files { repository: source.repository.clone(), what })?;
    let mut first = None;
    for name in &names {
        let path = fetch.file(name, watch)?;
        first.get_or_insert(path);
    }
    let Some(first) = first else { return Err(DownloadError::Unknown { word: word.to_owned() }) };
    if names.len() == 1 && source.is_gguf() {
        return Ok(first);
    }
    let folder = first.parent().map(Path::to_owned).unwrap_or_default();
    if let Some(other) = source.tokenizer.as_deref().filter(|_| !folder.join("tokenizer.json").exists()) {
        let tokenizer = Fetch::of(other, hub)?.file("tokenizer.json", watch)?;
        let to = folder.join("tokenizer.json");
        std::fs::copy(tokenizer, &to).map_err(|source| DownloadError::File { file: to, source })?;
    }
    Ok(folder)
}
