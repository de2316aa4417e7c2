//! Fetches a model from the Hugging Face hub into its cache on this machine: the files that are needed, each resumed
//! where an earlier try was cut off, and held against the digest that the hub names. Where the network may not be used, the
//! cache must have them.
//!
//! This module does *not* know the command line, nor what is in the files.

mod check;
mod choose;
mod error;
mod fetch;
mod offline;

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

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

/// Fetches the files of a model, or finds them in the cache where the network may not be used; gives the path that `--model`
/// takes.
///
/// # Errors
/// The word is not known, the hub does not answer, a file is damaged or cannot be written, or the cache lacks one that may
/// not be fetched.
pub fn download(
    word: &str,
    file: Option<&str>,
    hub: &Hub,
    watch: &mut dyn FnMut(Step),
) -> Result<PathBuf, DownloadError> {
    let source = parse_source(word, file)?;
    if hub.offline {
        return offline::find(&source, hub);
    }
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
    if let Some(other) = lacking_tokenizer(&source, &folder) {
        borrow_tokenizer(&Fetch::of(other, hub)?.file("tokenizer.json", watch)?, &folder)?;
    }
    Ok(folder)
}

/// The repository whose tokenizer a folder needs, if it has none.
fn lacking_tokenizer<'a>(source: &'a Source, folder: &Path) -> Option<&'a str> {
    source.tokenizer.as_deref().filter(|_| !folder.join("tokenizer.json").exists())
}

/// Copies another repository's tokenizer into a folder.
fn borrow_tokenizer(tokenizer: &Path, folder: &Path) -> Result<(), DownloadError> {
    let to = folder.join("tokenizer.json");
    let copied = File::open(tokenizer).and_then(|from| place(from, &to));
    copied.map_err(|source| DownloadError::File { file: to, source })
}

/// Writes a file beside its place, where it is put once it is whole: a part of one would be taken for it ever after.
fn place(mut from: impl io::Read, to: &Path) -> io::Result<()> {
    let part = to.with_extension("part");
    let written = File::create(&part).and_then(|mut file| {
        io::copy(&mut from, &mut file)?;
        file.sync_all()
    });
    written.and_then(|()| fs::rename(&part, to)).inspect_err(|_| drop(fs::remove_file(&part)))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    /// A connection that breaks off.
    struct Broken;

    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("cut off"))
        }
    }

    #[test]
    fn a_file_is_put_in_its_place_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("tokenizer.json");
        let names = || fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
        assert_eq!(place(b"half of it".chain(Broken), &to).unwrap_err().to_string(), "cut off");
        assert!(names().is_empty(), "{:?}", names());
        place(&b"all of it"[..], &to).unwrap();
        assert_eq!((fs::read(&to).unwrap(), names().len()), (b"all of it".to_vec(), 1));
    }
}
