//! A file against the digest that the hub names for it.
//!
//! The hub's `etag` of a large file is its SHA-256; that of a small one, which lies in git itself, is git's: the SHA-1 of
//! `blob LENGTH\0` and the bytes.

use std::{fmt, path::Path};

use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use super::DownloadError;
use crate::checksum::digest_of_file;

/// What a file was held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Digest {
    /// SHA-256.
    Sha256,
    /// Git's SHA-1.
    GitSha1,
    /// Its length alone: the hub named no digest that is known.
    Length,
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Sha256 => "SHA-256",
            Self::GitSha1 => "git's SHA-1",
            Self::Length => "length",
        })
    }
}

/// Holds a file against its `etag` and length; one that is damaged is removed, so that it can be fetched anew.
pub(super) fn check(path: &Path, etag: &str, bytes: u64) -> Result<Digest, DownloadError> {
    let broken = |source| DownloadError::File { file: path.to_owned(), source };
    let is_hex = etag.bytes().all(|byte| byte.is_ascii_hexdigit());
    let length = std::fs::metadata(path).map_err(broken)?.len();
    let (digest, expected, found) = match etag.len() {
        _ if length != bytes => (Digest::Length, bytes.to_string(), length.to_string()),
        64 if is_hex => {
            (Digest::Sha256, etag.to_ascii_lowercase(), digest_of_file(Sha256::new(), path).map_err(broken)?)
        }
        40 if is_hex => {
            let git = Sha1::new_with_prefix(format!("blob {length}\0"));
            (Digest::GitSha1, etag.to_ascii_lowercase(), digest_of_file(git, path).map_err(broken)?)
        }
        _ => (Digest::Length, bytes.to_string(), length.to_string()),
    };
    if expected == found {
        return Ok(digest);
    }
    // The cache's pointer leads to the bytes themselves; both go.
    let blob = std::fs::canonicalize(path).map_err(broken)?;
    std::fs::remove_file(path).map_err(broken)?;
    if blob != path && blob.exists() {
        std::fs::remove_file(&blob).map_err(broken)?;
    }
    Err(DownloadError::Damaged { file: path.to_owned(), digest, expected })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_sha256_and_gits() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hello");
        std::fs::write(&path, "hello\n").unwrap();
        // Known from `sha256sum` and `git hash-object`.
        let sha256 = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
        assert_eq!(check(&path, sha256, 6).unwrap(), Digest::Sha256);
        assert_eq!(check(&path, "ce013625030ba8dba906f756967f9e9ca394464a", 6).unwrap(), Digest::GitSha1);
        assert_eq!(check(&path, "W/abc", 6).unwrap(), Digest::Length);
    }

    #[test]
    fn a_damaged_file_is_removed_with_the_bytes_that_it_points_to() {
        let folder = tempfile::tempdir().unwrap();
        let (blob, pointer) = (folder.path().join("blob"), folder.path().join("pointer"));
        std::fs::write(&blob, "hellO\n").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(&blob, &pointer).unwrap();
        #[cfg(not(unix))]
        std::fs::copy(&blob, &pointer).unwrap();
        let error = check(&pointer, "ce013625030ba8dba906f756967f9e9ca394464a", 6).unwrap_err().to_string();
        assert!(error.contains("came damaged: its git's SHA-1") && error.contains("run the command again"), "{error}");
        assert!(!pointer.exists());
        #[cfg(unix)]
        assert!(!blob.exists());
    }
}
