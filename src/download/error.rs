//! What can go wrong with a download, in one sentence each.

use std::path::PathBuf;

use super::Digest;

/// Why a model cannot be fetched.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The word is neither a known model nor a repository.
    #[error(
        "There is no model \"{word}\" to download: write a name that `evolora model list` shows, or OWNER/REPOSITORY as the Hugging Face hub has it."
    )]
    Unknown {
        /// What was asked for.
        word: String,
    },
    /// The repository does not hold what is needed.
    #[error("{repository} cannot be used: {what}.")]
    Files {
        /// The repository.
        repository: String,
        /// What is missing, and what is there.
        what: String,
    },
    /// The network may not be used, and the cache does not have it all.
    #[error("HF_HUB_OFFLINE forbids to fetch {repository}, of which {} {what}: unset it, or copy the files there.", cache.display())]
    Offline {
        /// The repository.
        repository: String,
        /// What the cache has of it: a clause that follows the cache's name.
        what: String,
        /// The cache folder.
        cache: PathBuf,
    },
    /// The hub did not answer as it should.
    #[error("{what} cannot be fetched from {endpoint} ({reason}): {advice}.")]
    Hub {
        /// What was asked for.
        what: String,
        /// Where.
        endpoint: String,
        /// What went wrong.
        reason: String,
        /// What to do.
        advice: &'static str,
    },
    /// What came is not what the hub has.
    #[error("{} came damaged: its {digest} is not {expected}; it has been removed, run the command again.", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// The kind of digest.
        digest: Digest,
        /// The digest that the hub names.
        expected: String,
    },
    /// A file cannot be written or read.
    #[error("{} cannot be read or written: {source}.", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}
