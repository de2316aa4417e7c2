//! The models that are there, and what a person's word for one means.
//!
//! This module does *not* know whether a model works; only that its files are there.

use std::path::{Path, PathBuf};

use super::{Format, Hub, KNOWN, KnownModel, Wanted, find::seen_formats, find_files, find_known, hub::repository_of};
use crate::{
    brain::{
        error::{BrainError, Result},
        load::SHIPPED_NAME,
    },
    config::ModelSettings,
};

/// The folder that models are looked for in, beside the Hugging Face cache.
const FOLDER: &str = "models";

/// A model that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What `--model` may call it.
    pub name: String,
    /// Its file or folder.
    pub path: PathBuf,
    /// What kind of files hold it.
    pub format: Format,
    /// Bytes of its file, or of its folder's files.
    pub bytes: u64,
}

/// Every model in `models/` below `folder` and in the Hugging Face cache, sorted by place; the one that ships is not
/// among them.
pub fn list_models(folder: &Path, hub: &Hub) -> Vec<Found> {
    let models = folder.join(FOLDER);
    let entries = std::fs::read_dir(&models).into_iter().flatten().filter_map(std::result::Result::ok);
    let mut own: Vec<_> = entries.map(|entry| entry.path()).collect();
    own.sort();
    let mut all = Vec::new();
    for path in own {
        let is_shipped = path.file_name() == Path::new(SHIPPED_NAME).file_name();
        if is_shipped || (path.is_file() && path.extension().is_none_or(|end| !end.eq_ignore_ascii_case("gguf"))) {
            continue;
        }
        for (path, format) in seen_formats(&path).unwrap_or_default() {
            all.push(found(path.to_string_lossy().into_owned(), path, format));
        }
    }
    for (repository, snapshot) in hub.snapshots() {
        for (path, format) in seen_formats(&snapshot).unwrap_or_default() {
            all.push(found(hub_name(&repository, &path, format), path, format));
        }
    }
    all
}

fn found(name: String, path: PathBuf, format: Format) -> Found {
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |data| if data.is_file() { data.len() } else { 0 });
    let bytes = if path.is_dir() {
        let entries = std::fs::read_dir(&path).into_iter().flatten().filter_map(std::result::Result::ok);
        entries.map(|entry| size(&entry.path())).sum()
    } else {
        size(&path)
    };
    Found { name, path, format, bytes }
}

/// What a model is called whose files do not say so: the name of its repository if it lies in a Hugging Face cache, else of
/// its file or folder.
pub(in crate::brain) fn name_of(path: &Path, format: Format) -> String {
    // A folder may be named by its place alone, as `.` is; a file's place must not be followed, since those of the cache
    // lead to nameless bytes.
    let folder = if format == Format::Gguf { path.parent().map(Path::to_owned) } else { path.canonicalize().ok() };
    let repository = folder.as_deref().and_then(repository_of);
    let plain = || plain_name(path).or_else(|| folder.as_deref().and_then(plain_name));
    repository
        .map(|repository| hub_name(&repository, path, format))
        .or_else(plain)
        .unwrap_or_else(|| "model".to_owned())
}

/// The name of a file or folder; a dot in it begins no ending, unless that is GGUF's.
fn plain_name(path: &Path) -> Option<String> {
    let is_gguf = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("gguf"));
    let name = if is_gguf { path.file_stem() } else { path.file_name() };
    name.map(|name| name.to_string_lossy().into_owned())
}

/// The short name of a model in the cache, or else its repository's.
fn hub_name(repository: &str, path: &Path, format: Format) -> String {
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let fits = |known: &&KnownModel| known.repository == repository && is_wanted(known.wanted, &file, format);
    let gguf = || format!("{repository}/{file}");
    KNOWN.iter().find(fits).map_or_else(
        || if format == Format::Gguf { gguf() } else { repository.to_owned() },
        |known| known.name.to_owned(),
    )
}

fn is_wanted(wanted: Wanted, file: &str, format: Format) -> bool {
    match wanted {
        Wanted::Gguf(word) => format == Format::Gguf && file.to_ascii_lowercase().contains(word),
        Wanted::Folder => format != Format::Gguf,
    }
}

/// The path that a person's word for a model means: a path, a short name, or a repository in the Hugging Face cache.
///
/// # Errors
/// There is nothing of that name; the error says what there is and how to fetch more.
pub fn resolve(word: &str, hub: &Hub) -> Result<PathBuf> {
    if Path::new(word).exists() {
        return Ok(PathBuf::from(word));
    }
    let all = list_models(Path::new("."), hub);
    let plain = |found: &&Found| plain_name(&found.path).is_some_and(|name| name.eq_ignore_ascii_case(word));
    let named = all.iter().find(|found| found.name.eq_ignore_ascii_case(word)).or_else(|| all.iter().find(plain));
    if let Some(found) = named {
        return Ok(found.path.clone());
    }
    if let Some(folder) = hub.snapshot(word) {
        return Ok(folder);
    }
    Err(BrainError::Missing { path: PathBuf::from(word), hint: hint(word, &all) })
}

/// Reads the model that the settings name; an error about its files says which other models there are.
///
/// # Errors
/// There is nothing of that name, nothing of the kind that was told, or `read` fails.
pub(in crate::brain) fn read_named<T>(
    settings: &ModelSettings,
    read: impl FnOnce(&Path, Format) -> Result<T>,
) -> Result<T> {
    let (word, hub) = (settings.path.trim(), Hub::from_env());
    let place = resolve(word, &hub)?;
    let broken = |error| {
        let own = place.canonicalize().ok();
        let is_other = |found: &Found| found.path.canonicalize().ok() != own;
        let others: Vec<_> = list_models(Path::new("."), &hub).into_iter().filter(is_other).collect();
        BrainError::Broken { error: Box::new(error), hint: hint(word, &others) }
    };
    match find_files(&place, settings.kind) {
        Ok((path, format)) => read(&path, format).map_err(broken),
        Err(error @ BrainError::Setting(_)) => Err(error),
        Err(error) => Err(broken(error)),
    }
}

/// What there is in place of `word`, and the command that fetches a model.
fn hint(word: &str, all: &[Found]) -> String {
    let mut names: Vec<_> = all.iter().map(|found| found.name.as_str()).collect();
    names.insert(0, SHIPPED_NAME);
    let there = format!(" There {} {}.", if names.len() == 1 { "is" } else { "are" }, names.join(", "));
    let known = KNOWN.iter().map(|known| (strsim::jaro_winkler(&word.to_ascii_lowercase(), known.name), known));
    let nearest = known.max_by(|a, b| a.0.total_cmp(&b.0)).filter(|(likeness, _)| *likeness > 0.85);
    let name = find_known(word).or_else(|| nearest.map(|(_, known)| known)).map_or(KNOWN[0].name, |known| known.name);
    format!("{there} `evolora model download {name}` fetches {name}; `evolora model list` shows all")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(root: &Path, file: &str, bytes: &[u8]) -> PathBuf {
        let path = root.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    #[test]
    fn models_are_found_by_path_by_name_and_in_the_cache() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path();
        let variable = |name: &str| (name == "HF_HUB_CACHE").then(|| root.join("hub").to_string_lossy().into_owned());
        let hub = Hub::from_variables(variable);
        let own = place(root, "models/tiny.gguf", b"GGUF....");
        place(root, "models/README.md", b"no model");
        place(root, "models/evolora-206k.gguf", b"GGUF");
        let repository = "hub/models--QuantFactory--SmolLM-135M-Instruct-GGUF";
        place(root, &format!("{repository}/refs/main"), b"c0");
        let q4 = place(root, &format!("{repository}/snapshots/c0/SmolLM-135M-Instruct.Q4_K_M.gguf"), b"GGUF...");
        let q2 = place(root, &format!("{repository}/snapshots/c0/SmolLM-135M-Instruct.Q2_K.gguf"), b"GGUF");
        let all = list_models(root, &hub);
        let listed: Vec<_> = all.iter().map(|found| (found.name.as_str(), found.path.clone(), found.bytes)).collect();
        let expected = [
            (own.to_str().unwrap(), own.clone(), 8),
            ("QuantFactory/SmolLM-135M-Instruct-GGUF/SmolLM-135M-Instruct.Q2_K.gguf", q2, 4),
            ("smollm-135m-instruct", q4.clone(), 7),
        ];
        assert_eq!(listed, expected);
        assert_eq!(resolve(own.to_str().unwrap(), &hub).unwrap(), own);
        assert_eq!(resolve("SmolLM-135M-Instruct", &hub).unwrap(), q4);
        assert_eq!(resolve("smollm-135m-instruct.q4_k_m", &hub).unwrap(), q4);
        assert!(resolve("QuantFactory/SmolLM-135M-Instruct-GGUF", &hub).unwrap().ends_with("snapshots/c0"));
        let sentence = resolve("tinystory-33m", &hub).unwrap_err().to_string();
        assert!(sentence.starts_with("There is no model at tinystory-33m. There are models/evolora-206k.gguf, "));
        assert!(sentence.contains("`evolora model download tinystories-33m`"), "{sentence}");
    }
    #[test]
    fn a_model_without_a_name_of_its_own_is_called_after_its_place() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path();
        let of = |place: &str, format| {
            let path = root.join(place);
            if format == Format::Gguf {
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            } else {
                std::fs::create_dir_all(&path).unwrap();
            }
            name_of(&path, format)
        };
        assert_eq!(of("SmolLM2-1.7B", Format::Safetensors), "SmolLM2-1.7B");
        assert_eq!(of("SmolLM2-1.7B/x/..", Format::Mlx), "SmolLM2-1.7B");
        assert_eq!(of("SmolLM2-1.7B.Q8_0.GGUF", Format::Gguf), "SmolLM2-1.7B.Q8_0");
        assert_eq!(of("SmolLM2-1.7B-bare", Format::Gguf), "SmolLM2-1.7B-bare");
        assert_eq!(of("hub/models--HuggingFaceTB--SmolLM-135M/snapshots/1c2d", Format::Safetensors), "smollm-135m");
        assert_eq!(of("hub/models--a--b-1.5/snapshots/1c2d", Format::Pytorch), "a/b-1.5");
        assert_eq!(of("hub/models--a--b-1.5/snapshots/1c2d/x.gguf", Format::Gguf), "a/b-1.5/x.gguf");
    }
}
