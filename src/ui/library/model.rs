//! What the panel *Model & runs* shows, and what it remembers by itself.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What the panel shows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LibraryModel {
    /// Models that are here or can be fetched by name.
    pub models: Vec<ModelChoice>,
    /// The download that goes on.
    pub download: Option<Download>,
    /// Runs that can be gone on with, the newest first.
    pub runs: Vec<RunChoice>,
    /// The folder in which the run on show is kept; `None` while it is not.
    pub kept_in: Option<PathBuf>,
    /// Where a run is kept if the person does not say otherwise: `runs/` and a date or the seed.
    pub suggested_run: PathBuf,
    /// The best creature that ever lived in this run.
    pub best: Option<BestShown>,
    /// What everybody of the next generation 0 begins with, if a card was imported.
    pub imported: Option<String>,
    /// What is going on, in a sentence: a run is being read.
    pub progress: Option<String>,
    /// What has been done last, in a sentence.
    pub done: Option<String>,
    /// What could not be done, in a sentence.
    pub trouble: Option<String>,
}

/// A model that can be chosen.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ModelChoice {
    /// What the person calls it.
    pub name: String,
    /// What `UseModel` and `DownloadModel` are told: a path or a name.
    pub word: String,
    /// Bytes of its files, where that is known.
    pub bytes: Option<u64>,
    /// Whether its files are here.
    pub is_here: bool,
    /// Whether it thinks now.
    pub is_used: bool,
}

/// A download that goes on.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Download {
    /// What is fetched.
    pub name: String,
    /// Bytes that have come.
    pub done: u64,
    /// Bytes that there are, where that is known.
    pub total: Option<u64>,
}

/// A run in a folder.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RunChoice {
    /// Its folder.
    pub folder: PathBuf,
    /// What it is, in few words: `generation 7 of 10, seed 42`.
    pub note: String,
}

/// The best creature that ever lived.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BestShown {
    /// Who it is, as `Ada (17)`.
    pub name: String,
    /// Its fitness.
    pub fitness: f64,
    /// Where its card goes if the person does not say otherwise.
    pub suggested: PathBuf,
}

/// What waits for a yes.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Pending {
    /// Another model.
    UseModel(String),
    /// A model from the hub.
    Download(String),
    /// Another run.
    OpenRun(PathBuf),
}

/// What the panel remembers by itself.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LibraryState {
    /// The path or name of a model, as it is being written.
    pub(super) model: String,
    /// The folder of a run to go on with.
    pub(super) open: String,
    /// The folder in which to keep the run; empty for the suggestion.
    #[serde(skip)]
    pub(super) save: Option<String>,
    /// The card to take in.
    pub(super) import: String,
    /// Where the best goes; empty for the suggestion.
    #[serde(skip)]
    pub(super) export: Option<String>,
    /// What waits for a yes.
    #[serde(skip)]
    pub(super) pending: Option<Pending>,
}
