//! In which settings two runs differ.

use serde_json::Value;

use crate::config::{RunConfig, specs};

/// A setting that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Its key.
    pub key: &'static str,
    /// Its value in the first settings, as `--set` takes it.
    pub old: String,
    /// Its value in the second.
    pub new: String,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}={}", self.key, self.new)
    }
}

/// The settings in which these two differ, by key. How many threads a run has changes nothing in it, and is passed over.
pub fn differences(old: &RunConfig, new: &RunConfig) -> Vec<Difference> {
    let [old, new] = [old, new].map(|config| serde_json::to_value(config).unwrap_or_default());
    let differs = |spec: &'static crate::config::Spec| {
        let (section, name) = spec.key.split_once('.')?;
        let [old, new] = [&old, &new].map(|config| written(&config[section][name]));
        (old != new && spec.key != "run.threads").then_some(Difference { key: spec.key, old, new })
    };
    let mut found: Vec<_> = specs().filter_map(differs).collect();
    found.sort_by_key(|difference| difference.key);
    found
}

/// A value as a person would write it.
fn written(value: &Value) -> String {
    match value {
        Value::String(word) => word.clone(),
        Value::Array(words) => words.iter().map(written).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}
