//! What the cache has of a model, where the network may not be used.
//!
//! Nothing can be held against a digest here: that was done when it was fetched.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{DownloadError, Source, borrow_tokenizer, choose_files, lacking_tokenizer};
use crate::brain::{catalog::Hub, files::SafetensorsFolder};

/// The path that `--model` takes for a model whose files lie in the cache.
///
/// # Errors
/// They do not, or not all of them.
pub(super) fn find(source: &Source, hub: &Hub) -> Result<PathBuf, DownloadError> {
    let lacks = |repository: &str, what: &str| DownloadError::Offline {
        repository: repository.to_owned(),
        what: what.to_owned(),
        cache: hub.cache.clone(),
    };
    let nothing = "holds nothing";
    let folder = hub.snapshot(&source.repository).ok_or_else(|| lacks(&source.repository, nothing))?;
    let part = |what: &str| lacks(&source.repository, &format!("holds a part only ({})", what.trim_end_matches('.')));
    let names = choose_files(source, &names_below(&folder, "")).map_err(|what| part(&what))?;
    if let [name] = names.as_slice()
        && source.is_gguf()
    {
        return Ok(folder.join(name));
    }
    if names.iter().any(|name| name.ends_with(".safetensors")) {
        // An index may name shards that were not fetched.
        SafetensorsFolder::open(&folder).map_err(|error| part(&error.to_string()))?;
    }
    if let Some(other) = lacking_tokenizer(source, &folder) {
        let tokenizer = hub.snapshot(other).map(|folder| folder.join("tokenizer.json")).filter(|file| file.is_file());
        borrow_tokenizer(&tokenizer.ok_or_else(|| lacks(other, nothing))?, &folder)?;
    }
    Ok(folder)
}

/// The names of the files in a snapshot, as the hub has them: with their folders, by `/`.
fn names_below(folder: &Path, above: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let names = entries.flat_map(|entry| {
        let name = format!("{above}{}", entry.file_name().to_string_lossy());
        // Files are links into the cache's store, folders are none; a link that leads nowhere is no file.
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => names_below(&entry.path(), &format!("{name}/")),
            _ if entry.path().is_file() => vec![name],
            _ => Vec::new(),
        }
    });
    let mut all: Vec<_> = names.collect();
    all.sort();
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::download::parse_source;

    #[test]
    fn a_folder_must_have_every_shard_that_its_index_names() {
        let home = tempfile::tempdir().unwrap();
        let variable = |name: &str| (name == "HF_HUB_CACHE").then(|| home.path().to_string_lossy().into_owned());
        let hub = Hub::from_variables(variable);
        let snapshot = home.path().join("models--a--b/snapshots/c0");
        fs::create_dir_all(&snapshot).unwrap();
        fs::create_dir_all(home.path().join("models--a--b/refs")).unwrap();
        fs::write(home.path().join("models--a--b/refs/main"), "c0").unwrap();
        let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/llama-sharded");
        for entry in fs::read_dir(reference).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, snapshot.join(path.file_name().unwrap())).unwrap();
        }
        let found = || find(&parse_source("a/b", None).unwrap(), &hub).map_err(|error| error.to_string());
        assert_eq!(found(), Ok(snapshot.clone()));
        fs::remove_file(snapshot.join("model-00002-of-00003.safetensors")).unwrap();
        let sentence = found().unwrap_err();
        assert!(sentence.contains("holds a part only (") && sentence.contains("model-00002-of-00003"), "{sentence}");
    }
}
