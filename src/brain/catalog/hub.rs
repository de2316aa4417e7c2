//! The Hugging Face cache on this machine, and the variables that steer it.
//!
//! Layout (huggingface.co/docs/huggingface_hub, "Understand caching"): `models--OWNER--NAME/refs/main` holds a commit,
//! `models--OWNER--NAME/snapshots/COMMIT/` its files.
//!
//! This module does *not* know the network.

use std::path::{Path, PathBuf};

/// The hub, as this machine's variables describe it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hub {
    /// The cache folder.
    pub cache: PathBuf,
    /// Where it is asked, if not at its usual address.
    pub endpoint: Option<String>,
    /// Who asks.
    pub token: Option<String>,
    /// Whether nothing may be asked over the network.
    pub offline: bool,
}

impl Hub {
    /// As the environment says, and for variables that it lacks the file `.env` here.
    pub fn from_env() -> Self {
        let file: Vec<_> = dotenvy::from_path_iter(".env").into_iter().flatten().filter_map(Result::ok).collect();
        let in_file = |name: &str| file.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        Self::from_variables(|name| std::env::var(name).ok().or_else(|| in_file(name)))
    }

    /// As some variables say: the cache is `HF_HUB_CACHE`, else `HUGGINGFACE_HUB_CACHE`, else `$HF_HOME/hub`, else
    /// `$XDG_CACHE_HOME/huggingface/hub`, else `~/.cache/huggingface/hub`.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let folder = |name: &str| set(name).map(PathBuf::from);
        let home = folder("HF_HOME").or_else(|| {
            let caches = folder("XDG_CACHE_HOME")
                .or_else(|| folder("HOME").or_else(|| folder("USERPROFILE")).map(|home| home.join(".cache")));
            caches.map(|caches| caches.join("huggingface"))
        });
        let home = home.unwrap_or_else(|| PathBuf::from(".cache/huggingface"));
        let cache = folder("HF_HUB_CACHE").or_else(|| folder("HUGGINGFACE_HUB_CACHE"));
        let token_file = folder("HF_TOKEN_PATH").unwrap_or_else(|| home.join("token"));
        let token = set("HF_TOKEN").or_else(|| std::fs::read_to_string(token_file).ok());
        Self {
            cache: cache.unwrap_or_else(|| home.join("hub")),
            endpoint: set("HF_ENDPOINT").map(|endpoint| endpoint.trim_end_matches('/').to_owned()),
            token: token.map(|token| token.trim().to_owned()).filter(|token| !token.is_empty()),
            offline: set("HF_HUB_OFFLINE")
                .is_some_and(|value| matches!(value.to_ascii_lowercase().as_str(), "1" | "true" | "yes" | "on")),
        }
    }

    /// The folder with the files of a repository's main revision, if some of them have been fetched.
    pub fn snapshot(&self, repository: &str) -> Option<PathBuf> {
        snapshot_of(&self.cache.join(format!("models--{}", repository.replace('/', "--"))))
    }

    /// Every repository that has been fetched from, with that folder, sorted by name.
    pub fn snapshots(&self) -> Vec<(String, PathBuf)> {
        let entries = std::fs::read_dir(&self.cache).into_iter().flatten().filter_map(Result::ok);
        let fetched = entries.filter_map(|entry| Some((repository_name(&entry.path())?, snapshot_of(&entry.path())?)));
        let mut all: Vec<_> = fetched.collect();
        all.sort();
        all
    }
}

/// The repository whose files lie in a folder, if it is one of a Hugging Face cache's snapshots.
pub(in crate::brain) fn repository_of(snapshot: &Path) -> Option<String> {
    let all = snapshot.parent().filter(|all| all.file_name().is_some_and(|name| name == "snapshots"))?;
    repository_name(all.parent()?)
}

/// The repository that a folder of the cache belongs to.
fn repository_name(folder: &Path) -> Option<String> {
    Some(folder.file_name()?.to_str()?.strip_prefix("models--")?.replacen("--", "/", 1))
}

fn snapshot_of(repository: &Path) -> Option<PathBuf> {
    let commit = std::fs::read_to_string(repository.join("refs/main")).ok()?;
    // A commit is a plain name: what leads elsewhere is none.
    let commit = Path::new(commit.trim()).file_name()?.to_owned();
    Some(repository.join("snapshots").join(commit)).filter(|folder| folder.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub(variables: &[(&str, &str)]) -> Hub {
        Hub::from_variables(|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn the_cache_lies_where_hugging_faces_own_tools_look_for_it() {
        let cache = |variables: &[(&str, &str)]| hub(variables).cache;
        let mut all = vec![("HOME", "/home/a")];
        assert_eq!(cache(&all), Path::new("/home/a/.cache/huggingface/hub"));
        for (name, expected) in [
            ("XDG_CACHE_HOME", "/xdg/huggingface/hub"),
            ("HF_HOME", "/home/hf/hub"),
            ("HUGGINGFACE_HUB_CACHE", "/older"),
            ("HF_HUB_CACHE", "/newer"),
        ] {
            all.push((
                name,
                match name {
                    "XDG_CACHE_HOME" => "/xdg",
                    "HF_HOME" => "/home/hf",
                    _ => expected,
                },
            ));
            assert_eq!(cache(&all), Path::new(expected), "{name}");
        }
    }

    #[test]
    fn variables_say_where_to_ask_who_asks_and_whether() {
        let plain = hub(&[("HOME", "/nowhere")]);
        assert_eq!((plain.endpoint, plain.token, plain.offline), (None, None, false));
        let steered = hub(&[("HF_ENDPOINT", "http://here:1/"), ("HF_TOKEN", " secret\n"), ("HF_HUB_OFFLINE", "1")]);
        assert_eq!(steered.endpoint.as_deref(), Some("http://here:1"));
        assert_eq!((steered.token.as_deref(), steered.offline), (Some("secret"), true));
        assert!(!hub(&[("HF_HUB_OFFLINE", "0")]).offline);
    }

    #[test]
    fn a_fetched_repository_is_found_by_its_name() {
        let home = tempfile::tempdir().unwrap();
        let hub = hub(&[("HF_HUB_CACHE", home.path().to_str().unwrap())]);
        assert_eq!((hub.snapshot("a/b"), hub.snapshots()), (None, vec![]));
        let repository = home.path().join("models--a--b-c");
        let files = repository.join("snapshots/123abc");
        std::fs::create_dir_all(&files).unwrap();
        std::fs::create_dir_all(repository.join("refs")).unwrap();
        std::fs::write(repository.join("refs/main"), "123abc\n").unwrap();
        assert_eq!(hub.snapshot("a/b-c"), Some(files.clone()));
        assert_eq!(repository_of(&files).as_deref(), Some("a/b-c"));
        assert_eq!(repository_of(&repository), None);
        assert_eq!(hub.snapshots(), [("a/b-c".to_owned(), files)]);
        std::fs::write(repository.join("refs/main"), "..").unwrap();
        assert_eq!(hub.snapshot("a/b-c"), None);
    }
}
