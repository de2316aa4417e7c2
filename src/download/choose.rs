//! Which files of a repository make a model.

use super::DownloadError;
use crate::brain::catalog::{Wanted, find_known};

/// What shall be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Owner and name of the repository.
    pub repository: String,
    /// What of it; `None` where that is seen from its files.
    pub wanted: Option<Wanted>,
    /// This file and no other.
    pub file: Option<String>,
    /// Where its tokenizer is found if its own repository has none.
    pub tokenizer: Option<String>,
}

impl Source {
    /// Whether one GGUF file is the model.
    pub fn is_gguf(&self) -> bool {
        matches!(self.wanted, Some(Wanted::Gguf(_))) || self.file.as_deref().is_none_or(is_gguf)
    }
}

fn is_gguf(name: &str) -> bool {
    name.to_ascii_lowercase().ends_with(".gguf")
}

/// What a word means: a known short name, `OWNER/REPOSITORY`, or `OWNER/REPOSITORY/FILE.gguf`.
///
/// # Errors
/// None of them.
pub fn parse_source(word: &str, file: Option<&str>) -> Result<Source, DownloadError> {
    let word = word.trim().trim_end_matches('/');
    let file = file.map(str::to_owned);
    if let Some(known) = find_known(word) {
        let wanted = if file.is_some() { None } else { Some(known.wanted) };
        let tokenizer = known.tokenizer.map(str::to_owned);
        return Ok(Source { repository: known.repository.to_owned(), wanted, file, tokenizer });
    }
    let plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    let parts: Vec<_> = word.split('/').collect();
    let unknown = || DownloadError::Unknown { word: word.to_owned() };
    if parts.len() < 2 || !parts.iter().all(|part| plain(part)) {
        return Err(unknown());
    }
    let repository = parts[..2].join("/");
    let inner = parts[2..].join("/");
    if !inner.is_empty() && !is_gguf(&inner) {
        return Err(unknown());
    }
    let file = file.or(Some(inner).filter(|inner| !inner.is_empty()));
    Ok(Source { repository, wanted: None, file, tokenizer: None })
}

/// The files to fetch of those that a repository has, weights last but for GGUF, which is one file.
///
/// # Errors
/// A clause that says what is missing, or between which files to choose.
pub fn choose_files(source: &Source, names: &[String]) -> Result<Vec<String>, String> {
    if let Some(file) = &source.file {
        let there = names.iter().any(|name| name == file);
        return if there { Ok(vec![file.clone()]) } else { Err(format!("it holds no {file}")) };
    }
    let ggufs: Vec<_> = names.iter().filter(|name| is_gguf(name)).collect();
    match source.wanted {
        Some(Wanted::Gguf(word)) => one_gguf(&ggufs, word),
        Some(Wanted::Folder) => folder_files(names),
        None if names.iter().any(|name| name == "config.json") && folder_files(names).is_ok() => folder_files(names),
        None if ggufs.len() == 1 => Ok(vec![ggufs[0].clone()]),
        None if ggufs.is_empty() => folder_files(names),
        None => one_gguf(&ggufs, "q4_k_m"),
    }
}

fn one_gguf(ggufs: &[&String], word: &str) -> Result<Vec<String>, String> {
    let fits = |name: &&&String| name.to_ascii_lowercase().contains(word);
    let found: Vec<_> = ggufs.iter().filter(fits).collect();
    match found.as_slice() {
        [one] => Ok(vec![(**one).clone()]),
        _ => {
            let names: Vec<_> = ggufs.iter().map(|name| name.as_str()).collect();
            Err(format!("choose one of its GGUF files with --file: {}", names.join(", ")))
        }
    }
}

/// Config, tokenizer, and the weights in one of the formats that can be read.
fn folder_files(names: &[String]) -> Result<Vec<String>, String> {
    let has = |name: &str| names.iter().any(|other| other == name);
    if !has("config.json") {
        return Err("it holds neither a GGUF file nor a config.json".to_owned());
    }
    let small = ["config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"];
    let mut files: Vec<String> = small.into_iter().filter(|name| has(name)).map(str::to_owned).collect();
    let index = "model.safetensors.index.json";
    let is_shard = |name: &&String| name.starts_with("model-") && name.ends_with(".safetensors");
    if has("model.safetensors") {
        files.push("model.safetensors".to_owned());
    } else if has(index) {
        files.push(index.to_owned());
        files.extend(names.iter().filter(is_shard).cloned());
    } else if has("pytorch_model.bin") {
        files.push("pytorch_model.bin".to_owned());
    } else {
        return Err("it holds neither model.safetensors nor pytorch_model.bin".to_owned());
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(all: &[&str]) -> Vec<String> {
        all.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn words_mean_repositories_and_files() {
        let parse = |word| parse_source(word, None).map(|source| (source.repository, source.file));
        assert_eq!(parse("SmolLM-135M-Instruct").unwrap(), ("QuantFactory/SmolLM-135M-Instruct-GGUF".to_owned(), None));
        assert_eq!(parse("a/b").unwrap(), ("a/b".to_owned(), None));
        assert_eq!(parse("a/b/c.Q8_0.gguf").unwrap(), ("a/b".to_owned(), Some("c.Q8_0.gguf".to_owned())));
        for word in ["", "smollm", "a/b/c.txt", "../etc", "a/../b", "a/b?c", "http://x/y"] {
            assert!(matches!(parse(word), Err(DownloadError::Unknown { .. })), "{word}");
        }
    }

    #[test]
    fn the_file_with_the_wanted_quantisation_is_taken() {
        let files = names(&["README.md", "M.Q2_K.gguf", "M.Q4_K_M.gguf", "M.Q4_K_S.gguf", "M.Q8_0.gguf"]);
        let choose = |word: &str, file| choose_files(&parse_source(word, file).unwrap(), &files);
        assert_eq!(choose("smollm-135m-instruct", None).unwrap(), ["M.Q4_K_M.gguf"]);
        assert_eq!(choose("smollm-135m-instruct-q8", None).unwrap(), ["M.Q8_0.gguf"]);
        assert_eq!(choose("a/b", None).unwrap(), ["M.Q4_K_M.gguf"]);
        assert_eq!(choose("a/b", Some("M.Q2_K.gguf")).unwrap(), ["M.Q2_K.gguf"]);
        assert!(choose("a/b", Some("M.Q3_K.gguf")).unwrap_err().contains("M.Q3_K.gguf"));
        let two = choose_files(&parse_source("a/b", None).unwrap(), &names(&["x.gguf", "y.gguf"])).unwrap_err();
        assert_eq!(two, "choose one of its GGUF files with --file: x.gguf, y.gguf");
    }

    #[test]
    fn a_folder_needs_its_config_and_its_weights_in_one_format() {
        let choose = |all: &[&str]| choose_files(&parse_source("a/b", None).unwrap(), &names(all));
        let whole = ["pytorch_model.bin", "model.safetensors", "tokenizer.json", "config.json", "logo.png"];
        assert_eq!(choose(&whole).unwrap(), ["config.json", "tokenizer.json", "model.safetensors"]);
        let shards = [
            "model-00002-of-2.safetensors",
            "model.safetensors.index.json",
            "config.json",
            "model-00001-of-2.safetensors",
        ];
        assert_eq!(choose(&shards).unwrap().len(), 4);
        assert_eq!(choose(&["config.json", "pytorch_model.bin"]).unwrap(), ["config.json", "pytorch_model.bin"]);
        assert!(choose(&["config.json", "tf_model.h5"]).unwrap_err().contains("neither"));
        assert!(choose(&["README.md"]).unwrap_err().contains("config.json"));
    }
}
