//! What can go wrong with a model, in one sentence each.

use std::path::{Path, PathBuf};

/// What can go wrong with a model and its files.
#[derive(Debug, thiserror::Error)]
pub enum BrainError {
    /// There is nothing at the path.
    #[error("There is no model at {path}.{hint}.")]
    Missing {
        /// The path looked for.
        path: PathBuf,
        /// What is there instead, and how to get a model; begins with a space, or is empty.
        hint: String,
    },
    /// A file cannot be written.
    #[error("{path} cannot be written ({source}); check the path, the rights and the space left.")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is there and cannot be read.
    #[error("{path} cannot be read: {source}.")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A model's file is no longer the one that was opened.
    #[error(
        "{path} was changed while the model was being read from it; start again, and leave the file alone for as long as the program runs."
    )]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// A file can be read and is not what it should be.
    #[error("{path} cannot be used: {what}.")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A file can be read and is not what an adapter should be, or not one for this model.
    #[error("{path} cannot be used as an adapter: {what}.")]
    Adapter {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The files of a model are broken, or of a kind that is not known.
    #[error("{error}{hint}.")]
    Broken {
        /// What is wrong with them.
        error: Box<Self>,
        /// Which other models there are, and how to get one; begins with a space.
        hint: String,
    },
    /// It would not fit into memory.
    #[error(
        "{path} needs about {need} MiB of memory ({weights} MiB of weights, {adapters} MiB of adapters), and {free} MiB are free: {advice}."
    )]
    Memory {
        /// The model.
        path: PathBuf,
        /// MiB that it needs with all its minds.
        need: u64,
        /// MiB of weights.
        weights: u64,
        /// MiB of adapters.
        adapters: u64,
        /// MiB that are free.
        free: u64,
        /// What to turn down.
        advice: &'static str,
    },
    /// The settings ask for what the model or the machine does not have.
    #[error("{0}.")]
    Setting(String),
    /// The tokenizer failed.
    #[error("The tokenizer failed: {0}.")]
    Tokenizer(String),
    /// What was put aside in the temporary file cannot be read back.
    #[error("What was put aside in the temporary file cannot be read ({0}): check the disk, or set OFFLOAD=false.")]
    Offloaded(std::io::Error),
    /// A tensor operation failed.
    #[error("The model's arithmetic failed: {0}.")]
    Arithmetic(#[from] candle_core::Error),
}

impl BrainError {
    /// The file at `path` is not what it should be.
    pub fn file(path: &Path, what: impl ToString) -> Self {
        // Some libraries put a backtrace or a second line behind their sentence.
        let what = what.to_string();
        let first = what.lines().next().unwrap_or_default().trim_end_matches('.').to_owned();
        Self::File { path: path.to_owned(), what: first }
    }

    /// The same error, where the file was to be an adapter.
    pub fn of_adapter(self) -> Self {
        match self {
            Self::File { path, what } => Self::Adapter { path, what },
            other => other,
        }
    }

    /// The file at `path` could not be written.
    pub fn write(path: &Path, source: std::io::Error) -> Self {
        Self::Write { path: path.to_owned(), source }
    }

    /// The file at `path` could not be read.
    pub fn read(path: &Path, source: std::io::Error) -> Self {
        Self::Read { path: path.to_owned(), source }
    }
}

/// What the brain's functions give.
pub type Result<T> = std::result::Result<T, BrainError>;
