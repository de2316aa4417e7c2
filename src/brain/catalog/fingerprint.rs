//! Which model it is, whatever it is called and wherever it lies: the SHA-256 of its files.
//!
//! This module does *not* read what the files mean.

use std::path::Path;

use super::Format;
use crate::{
    brain::error::{BrainError, Result},
    checksum::{sha256, sha256_of_file},
};

/// SHA-256 of a model's files, in hexadecimal: of a GGUF file its own; of a folder that of the list of its weights,
/// shape and tokenizer, in which each has a line as `sha256sum` writes it, sorted by name.
///
/// # Errors
/// A file cannot be read.
pub fn fingerprint(path: &Path, format: Format) -> Result<String> {
    if format == Format::Gguf {
        return digest(path);
    }
    let counts = |name: &str| {
        name.ends_with(".safetensors") || ["pytorch_model.bin", "config.json", "tokenizer.json"].contains(&name)
    };
    let entries = path.read_dir().map_err(|error| BrainError::read(path, error))?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<_> = names.filter(|name| counts(name)).collect();
    names.sort_unstable();
    let line = |name: &String| Ok(format!("{}  {name}\n", digest(&path.join(name))?));
    let list: String = names.iter().map(line).collect::<Result<_>>()?;
    Ok(sha256(list.as_bytes()))
}

fn digest(path: &Path) -> Result<String> {
    sha256_of_file(path).map_err(|error| BrainError::read(path, error))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_model_is_known_by_its_files() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        let of_folder = || fingerprint(folder.path(), Format::Safetensors).unwrap();
        put("model.safetensors", "abc");
        put("config.json", "abc");
        assert_eq!(fingerprint(&folder.path().join("config.json"), Format::Gguf).unwrap(), abc);
        let whole = of_folder();
        assert_eq!(whole, sha256(format!("{abc}  config.json\n{abc}  model.safetensors\n").as_bytes()));
        put("README.md", "nothing that the model is made of");
        assert_eq!(of_folder(), whole);
        put("model.safetensors", "abd");
        assert_ne!(of_folder(), whole);
    }
}
