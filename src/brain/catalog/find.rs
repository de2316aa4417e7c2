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
    let files: Vec<_> = seen.iter().filter(|(_, format)| *format == Format::Gguf).collect();
    if found.is_some_and(|(_, format)| *format == Format::Gguf) && files.len() > 1 {
        let name = |(file, _): &&(PathBuf, Format)| file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let names: Vec<_> = files.iter().map(name).collect();
        return Err(BrainError::file(
            path,
            format!("it holds several GGUF files, of which one must be named: {}", names.join(", ")),
        ));
    }
    found.cloned().ok_or_else(|| {
        let mut formats: Vec<_> = seen.iter().map(|(_, format)| format.to_string()).collect();
        formats.dedup();
        if formats.is_empty() {
            let what =
                "it is no GGUF file, and no folder with a config.json and model.safetensors or pytorch_model.bin";
            return BrainError::file(path, what);
        }
        let (path, formats) = (path.display(), formats.join(" and "));
        BrainError::Setting(format!("MODEL_TYPE is {kind}, and {path} holds {formats}: auto takes what is there"))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{brain::load_model, config::ModelSettings};

    const GGUF: &str = "llama-q8_0.gguf";

    #[test]
    fn one_of_several_gguf_files_must_be_named() {
        let folder = tempfile::tempdir().unwrap();
        let copy = |name: &str| std::fs::copy(reference(GGUF), folder.path().join(name)).unwrap();
        copy("one.gguf");
        assert_eq!(find_files(folder.path(), ModelType::Auto).unwrap().0, folder.path().join("one.gguf"));
        copy("two.gguf");
        let refused = find_files(folder.path(), ModelType::Auto).unwrap_err().to_string();
        assert!(refused.contains("one must be named: one.gguf, two.gguf"), "{refused}");
    }

    fn reference(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference").join(name)
    }

    #[test]
    fn each_word_takes_the_files_that_it_means() {
        use ModelType::{Auto, Gguf, Mlx, Pytorch, Safetensors};
        for (name, kind, expected) in [
            (GGUF, Auto, Format::Gguf),
            (GGUF, Gguf, Format::Gguf),
            ("llama-mlx-4bit", Auto, Format::Mlx),
            ("llama-mlx-4bit", Mlx, Format::Mlx),
            ("gpt-neo-bin", Auto, Format::Pytorch),
            ("gpt-neo-bin", Pytorch, Format::Pytorch),
            ("gpt-neo-bin", Safetensors, Format::Pytorch),
            ("gpt-neo-hf", Auto, Format::Safetensors),
            ("gpt-neo-hf", Pytorch, Format::Safetensors),
            ("llama-sharded", Safetensors, Format::Safetensors),
        ] {
            let path = reference(name);
            assert_eq!(find_files(&path, kind).unwrap(), (path.clone(), expected), "{name} as {kind}");
            let settings =
                ModelSettings { path: path.to_string_lossy().into_owned(), kind, ..ModelSettings::default() };
            assert!(load_model(&settings).is_ok_and(|loaded| loaded.path == path), "{name} as {kind}");
        }
    }

    #[test]
    fn a_word_that_the_files_are_not_is_refused() {
        use ModelType::{Gguf, Mlx, Pytorch, Safetensors};
        for (name, kinds, holds) in [
            (GGUF, [Mlx, Pytorch, Safetensors], "GGUF"),
            ("llama-mlx-4bit", [Gguf, Pytorch, Safetensors], "MLX"),
            ("gpt-neo-hf", [Gguf, Mlx, Mlx], "safetensors"),
            ("gpt-neo-bin", [Gguf, Mlx, Mlx], "PyTorch"),
        ] {
            let path = reference(name);
            for kind in kinds {
                let expected =
                    format!("MODEL_TYPE is {kind}, and {} holds {holds}: auto takes what is there.", path.display());
                assert_eq!(find_files(&path, kind).unwrap_err().to_string(), expected);
                let settings =
                    ModelSettings { path: path.to_string_lossy().into_owned(), kind, ..ModelSettings::default() };
                assert_eq!(load_model(&settings).map(|_| ()).unwrap_err().to_string(), expected);
            }
        }
        let nothing = find_files(&reference(""), ModelType::Pytorch).map(|(path, _)| path);
        // A folder of GGUF files alone is one of GGUF files.
        assert!(nothing.unwrap_err().to_string().ends_with("holds GGUF: auto takes what is there."));
        let empty = tempfile::tempdir().unwrap();
        let sentence = find_files(empty.path(), ModelType::Auto).unwrap_err().to_string();
        assert!(sentence.contains("it is no GGUF file, and no folder with a config.json"), "{sentence}");
    }

    #[test]
    fn where_several_lie_together_the_word_chooses() {
        let folder = tempfile::tempdir().unwrap();
        for (from, file) in [
            ("gpt-neo-hf/config.json", "config.json"),
            ("gpt-neo-hf/model.safetensors", "model.safetensors"),
            ("gpt-neo-bin/pytorch_model.bin", "pytorch_model.bin"),
            (GGUF, "x.gguf"),
        ] {
            std::fs::copy(reference(from), folder.path().join(file)).unwrap();
        }
        let found = |kind| find_files(folder.path(), kind).map(|(_, format)| format).map_err(|error| error.to_string());
        assert_eq!(found(ModelType::Auto), Ok(Format::Safetensors));
        assert_eq!(found(ModelType::Pytorch), Ok(Format::Pytorch));
        assert_eq!(found(ModelType::Safetensors), Ok(Format::Safetensors));
        assert_eq!(found(ModelType::Gguf), Ok(Format::Gguf));
        assert!(found(ModelType::Mlx).unwrap_err().contains("holds safetensors and PyTorch and GGUF"));
    }
}
