//! What can go wrong with a run.

#[cfg(feature = "download")]
use crate::download::DownloadError;
use crate::{brain::BrainError, config::ConfigError, record::RecordError};

/// Why a run cannot begin or go on.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The settings cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The results cannot be written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The language model cannot be used.
    #[error(transparent)]
    Brain(#[from] BrainError),
    /// A model cannot be fetched.
    #[cfg(feature = "download")]
    #[error(transparent)]
    Download(#[from] DownloadError),
    /// Something lies where an adapter shall go.
    #[error("{} is there already; name another place for --out, or add --overwrite.", .0.display())]
    Occupied(std::path::PathBuf),
    /// Two adapters would become one file.
    #[error("{} and {} would both become {}; import them apart, with another --out.", first.display(), second.display(), card.display())]
    SameCard {
        /// One of them.
        first: std::path::PathBuf,
        /// The other.
        second: std::path::PathBuf,
        /// The file.
        card: std::path::PathBuf,
    },
    /// The model is not the one that a run was made with.
    #[error(
        "The run was made with the model {theirs}, and the files of {ours} are others now (SHA-256 differs): put its own back, or name it with --model."
    )]
    OtherModel {
        /// The run's model.
        theirs: String,
        /// The model that is there.
        ours: String,
    },
    /// The program was built without downloads.
    #[error("This program was built without the download feature: {0}.")]
    NoDownload(String),
    /// The worker thread cannot be started.
    #[error("The minds' worker thread cannot be started ({0}); close other programs and try again.")]
    Worker(std::io::Error),
    /// The mind cannot be used.
    #[error("{0}")]
    Mind(String),
    /// A run's folder does not hold the creature.
    #[error("The run in {} {what}.", run.display())]
    NoCreature {
        /// The folder.
        run: std::path::PathBuf,
        /// What is there instead, as a clause.
        what: String,
    },
    /// Creatures of a scripted mind have no adapters.
    #[error("In this run {0} decides, and its agents have no adapters to export.")]
    NoAdapter(crate::config::MindKind),
    /// A run that goes on keeps its settings.
    #[error(
        "A run that goes on keeps its settings: leave {0} out; only --generations, --threads and --model may change."
    )]
    KeptSetting(&'static str),
    /// A run has lived longer than it is asked to.
    #[error("--generations {asked} is too few: generation {} of the run has begun; ask for {lived} or more.", lived - 1)]
    Lived {
        /// Generations that are asked for.
        asked: u32,
        /// Generations that have begun.
        lived: u32,
    },
    /// A flag's value cannot be read.
    #[error("{flag} takes a whole number, and \"{value}\" is none.")]
    NoNumber {
        /// The flag.
        flag: &'static str,
        /// What it was given.
        value: String,
    },
    /// The numbers of agents that a bench is to measure cannot be read.
    #[error("--agents takes {what} from 1 to {most} here, and \"{value}\" is none.")]
    Sizes {
        /// What it takes.
        what: &'static str,
        /// The largest.
        most: u32,
        /// What it was given.
        value: String,
    },
    /// There is no such scene.
    #[error("There is no scene {scene}; name one of {scenes}.")]
    Scene {
        /// What was asked for.
        scene: String,
        /// What there is.
        scenes: String,
    },
    /// The picture of the window cannot be written.
    #[error("The picture {} cannot be written: {reason}.", file.display())]
    Screenshot {
        /// The file.
        file: std::path::PathBuf,
        /// Why not.
        reason: String,
    },
    /// The habitats would not fit into memory.
    #[error(
        "The habitats need about {need} MiB of memory and {free} MiB are free: turn habitat.size, run.habitats or habitat.agents down."
    )]
    Memory {
        /// MiB that they need.
        need: u64,
        /// MiB that are free.
        free: u64,
    },
    /// The window closed by itself.
    #[error("The window closed with an error, which stands above; `evolora headless` runs without one.")]
    WindowFailed,
    /// The window cannot be opened.
    #[error("No window can be opened here ({0}); `evolora headless` runs without one.")]
    NoWindow(String),
}
