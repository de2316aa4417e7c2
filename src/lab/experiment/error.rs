//! What can go wrong with an experiment, each said in one sentence.

use std::path::PathBuf;

use super::arms::ARMS;
use crate::{app::AppError, config::ConfigError, record::RecordError};

/// Why an experiment cannot begin or go on.
#[derive(Debug, thiserror::Error)]
pub enum ExperimentError {
    /// A run cannot begin or go on.
    #[error(transparent)]
    App(#[from] AppError),
    /// There is no such arm.
    #[error("There is no arm `{0}`; there are {known}, and `all`.", known = names())]
    UnknownArm(String),
    /// Champions are asked of an arm that does not live.
    #[error("--champions names `{0}`, which is not among --arms: name it there, too.")]
    NotAmongArms(&'static str),
    /// Champions are asked of an arm that has no adapters.
    #[error("--champions names `{0}`, whose agents have no adapters to choose a champion by: leave it out.")]
    NoAdapters(&'static str),
    /// Seeds that cannot be read.
    #[error("--seeds {0}: write seeds like 42-46, or 42,43,50: up to 1,000 whole numbers, each once.")]
    Seeds(String),
    /// Champions on too many maps.
    #[error(
        "Seeds × --candidates × --validation-maps are {0} habitats side by side, and 10000 are the most: turn one of them down."
    )]
    Champions(u64),
    /// A setting that every arm or seed sets by itself.
    #[error(
        "`{key}` is {value} in the settings, but in an experiment that is what {flag} says: leave it at its default."
    )]
    Taken {
        /// The setting.
        key: &'static str,
        /// Its value.
        value: String,
        /// What says it in its stead.
        flag: &'static str,
    },
    /// The folder holds something, and no experiment.
    #[error("{} holds something that is no experiment; name another folder for --out.", .0.display())]
    Foreign(PathBuf),
    /// The folder's experiment has other settings.
    #[error(
        "{}: its `{key}` is {old}, and now it is {new}; name another folder for --out, or add --overwrite.",
        path.display()
    )]
    Differs {
        /// What was lived with other settings.
        path: PathBuf,
        /// The first setting that differs.
        key: String,
        /// What it was.
        old: String,
        /// What it is now.
        new: String,
    },
    /// A file of the folder is no longer what was written.
    #[error("{} cannot be read ({reason}); {cure}.", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
        /// What to do about it.
        cure: &'static str,
    },
    /// A plot cannot be drawn.
    #[error("The plot {} cannot be drawn ({reason}).", path.display())]
    Plot {
        /// The plot.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
}

impl From<ConfigError> for ExperimentError {
    fn from(error: ConfigError) -> Self {
        Self::App(error.into())
    }
}

impl From<RecordError> for ExperimentError {
    fn from(error: RecordError) -> Self {
        Self::App(error.into())
    }
}

fn names() -> String {
    ARMS.iter().map(|arm| arm.name).collect::<Vec<_>>().join(", ")
}
