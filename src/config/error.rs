//! What can be wrong with settings, each said in one sentence.

use std::path::PathBuf;

use super::spec::Spec;

/// A setting that cannot be used. Nothing has been started or written when it is raised.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// No setting has this name.
    #[error("{origin}: there is no setting `{key}`{}; `evolora config` lists them all.", hint(suggestion.as_deref()))]
    UnknownKey {
        /// The name as written.
        key: String,
        /// Where it was written.
        origin: String,
        /// The setting that was probably meant.
        suggestion: Option<String>,
    },
    /// The value is of another kind than the setting.
    #[error("{origin}: `{key}` is {found}, but must be {}{}.", spec.range, also(key, spec))]
    WrongType {
        /// The name as written.
        key: String,
        /// Where it was written.
        origin: String,
        /// The value as written.
        found: String,
        /// The setting.
        spec: &'static Spec,
    },
    /// The value is of the right kind but outside what is allowed.
    #[error("{origin}: `{key}` = {found} is out of range: it must be {}{}.", spec.range, also(key, spec))]
    OutOfRange {
        /// The name as written.
        key: String,
        /// Where it was written.
        origin: String,
        /// The value as written.
        found: String,
        /// The setting.
        spec: &'static Spec,
    },
    /// Two settings contradict each other.
    #[error("{origin}: `{key}` = {value} does not go with the rest: {why}.")]
    Conflict {
        /// One of the two.
        key: &'static str,
        /// Its value.
        value: String,
        /// Where it was set.
        origin: String,
        /// The contradiction.
        why: String,
    },
    /// The file is not TOML, or `.env` has a line that is not `NAME=value`.
    #[error("{origin} cannot be read: {message}.")]
    Syntax {
        /// The file.
        origin: String,
        /// What the parser says, with the line.
        message: String,
    },
    /// The file that was asked for cannot be opened.
    #[error("The settings file {} cannot be opened ({source}); check the path or leave --config away.", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// `--set` without an equals sign.
    #[error("--set {argument}: write it as section.name=value, for example --set reward.delivery=30.")]
    NotAnAssignment {
        /// The argument as written.
        argument: String,
    },
    /// There is no such preset.
    #[error("{origin}: there is no preset `{name}`; there are {}.", super::Preset::WORDS.join(" and "))]
    UnknownPreset {
        /// The name as written.
        name: String,
        /// Where it was written.
        origin: String,
    },
}

fn hint(suggestion: Option<&str>) -> String {
    suggestion.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

/// The setting's key, where another name for it was written.
fn also(written: &str, spec: &Spec) -> String {
    if written == spec.key { String::new() } else { format!(" (setting {})", spec.key) }
}
