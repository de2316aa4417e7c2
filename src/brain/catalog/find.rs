//! What kind of model lies at a path, told from its files.
//!
//! This module does *not* read headers beyond a file's mark.

use std::{
    fmt,
    io::Read,
    path::{Path, PathBuf},
};

use crate::{
    brain::{
        error::{BrainError, Result},
        files::read_hf_config,
    },
    config::ModelType,
};

/// What kind of files hold a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One GGUF file.
    Gguf,
    /// A folder with safetensors.
    Safetensors,
    /// A folder with `pytorch_model.bin`.
    Pytorch,
    /// A folder with safetensors that MLX has quantised.
    Mlx,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Gguf => "GGUF",
            Self::Safetensors => "safetensors",
            Self::Pytorch => "PyTorch",
            Self::Mlx => "MLX",
        })
    }
}

/// The file or folder that a path means, and what kind of files hold the model: as told, or as seen.
///
/// # Errors
/// There is nothing, or nothing of the kind that was told.
pub fn find_files(path: &Path, kind: ModelType) -> Result<(PathBuf, Format)> {
    let seen = seen_formats(path)?;
    let wanted = match kind {
        ModelType::Auto => None,
        ModelType::Gguf => Some(Format::Gguf),
        ModelType::Mlx => Some(Format::Mlx),
        ModelType::Pytorch => Some(Format::Pytorch),
        ModelType::Safetensors => Some(Format::Safetensors),
    };
    let fits = |format: &Format| match wanted {
        None => true,
        // Both words mean a Hugging Face folder; which file it holds is seen.
        Some(Format::Pytorch | Format::Safetensors) => matches!(format, Format::Pytorch | Format::Safetensors),
        Some(wanted) => *format == wanted,
    };
    let found = seen.iter().find(|(_, format)| wanted == Some(*format)).or_else(|| seen.iter().find(|(_, f)| fits(f)));
    found.cloned().ok_or_else(|| {
        let what = if seen.is_empty() {
            "it is no GGUF file, and no folder with a config.json and model.safetensors or pytorch_model.bin".to_owned()
        } else {
            format!("MODEL_TYPE is {kind}, and it holds {}", seen[0].1)
        };
        BrainError::file(path, what)
    })
}

/// Everything at a path that could be a model, the likeliest first.
pub(super) fn seen_formats(path: &Path) -> Result<Vec<(PathBuf, Format)>> {
    let begins = |path: &Path| {
        let mut mark = [0; 4];
        std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut mark)).is_ok_and(|()| &mark == b"GGUF")
    };
    if path.is_file() {
        let named = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("gguf"));
        return Ok(if named || begins(path) { vec![(path.to_owned(), Format::Gguf)] } else { Vec::new() });
    }
    let mut seen = Vec::new();
    let has = |name: &str| path.join(name).is_file();
    if has("config.json") {
        let mlx = || Ok::<_, BrainError>(read_hf_config(path)?.1.is_some());
        if has("model.safetensors") || has("model.safetensors.index.json") {
            seen.push((path.to_owned(), if mlx()? { Format::Mlx } else { Format::Safetensors }));
        }
        if has("pytorch_model.bin") {
            seen.push((path.to_owned(), Format::Pytorch));
        }
    }
    let entries = std::fs::read_dir(path).map_err(|error| BrainError::read(path, error))?;
    let mut files: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    seen.extend(files.into_iter().filter(|file| file.is_file() && begins(file)).map(|file| (file, Format::Gguf)));
    Ok(seen)
}
