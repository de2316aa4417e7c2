//! One repository of the hub, through the hf-hub crate.

use std::path::PathBuf;

use hf_hub::{
    Cache, Repo,
    api::{
        Progress,
        sync::{Api, ApiBuilder, ApiError, ApiRepo},
    },
};

use super::{DownloadError, Step, check::check};
use crate::brain::catalog::Hub;

/// How often a file is tried, each time from where the last try was cut off.
const TRIES: u32 = 4;
/// Where the hub is unless `HF_ENDPOINT` says otherwise.
const ENDPOINT: &str = "https://huggingface.co";

/// Passes the bytes of one file on.
struct Watched<'a>(&'a mut dyn FnMut(Step));

impl Progress for Watched<'_> {
    fn init(&mut self, size: usize, filename: &str) {
        (self.0)(Step::Begin { file: filename.to_owned(), bytes: size as u64 });
    }

    fn update(&mut self, size: usize) {
        (self.0)(Step::Bytes(size as u64));
    }

    fn finish(&mut self) {}
}

/// One repository of the hub.
pub(super) struct Fetch<'a> {
    hub: &'a Hub,
    repository: String,
    endpoint: String,
    api: Api,
    files: ApiRepo,
}

impl<'a> Fetch<'a> {
    pub(super) fn of(repository: &str, hub: &'a Hub) -> Result<Self, DownloadError> {
        let endpoint = hub.endpoint.clone().unwrap_or_else(|| ENDPOINT.to_owned());
        let api = ApiBuilder::from_cache(Cache::new(hub.cache.clone()))
            .with_endpoint(endpoint.clone())
            .with_token(hub.token.clone())
            .with_user_agent("evolora", env!("CARGO_PKG_VERSION"))
            .build();
        let api = api.map_err(|error| hub_error(repository, &endpoint, &error))?;
        let files = api.repo(Repo::model(repository.to_owned()));
        Ok(Self { hub, repository: repository.to_owned(), endpoint, api, files })
    }

    /// The names of the repository's files.
    pub(super) fn names(&self) -> Result<Vec<String>, DownloadError> {
        let info = self.files.info().map_err(|error| hub_error(&self.repository, &self.endpoint, &error))?;
        Ok(info.siblings.into_iter().map(|sibling| sibling.rfilename).collect())
    }

    /// Fetches one file, or what is missing of it, and checks it; gives its path in the cache.
    pub(super) fn file(&self, name: &str, watch: &mut dyn FnMut(Step)) -> Result<PathBuf, DownloadError> {
        let wrong = |error: &ApiError| hub_error(&format!("{}/{name}", self.repository), &self.endpoint, error);
        let metadata = self.api.metadata(&self.files.url(name)).map_err(|error| wrong(&error))?;
        let (etag, bytes) = (metadata.etag().to_owned(), metadata.size() as u64);
        let cached = Cache::new(self.hub.cache.clone()).repo(Repo::model(self.repository.clone()));
        let pointer = cached.pointer_path(metadata.commit_hash()).join(name);
        let path = if pointer.exists() {
            pointer
        } else {
            let part = cached.blob_path(&etag).with_extension("part");
            // A part as long as the whole was never put in its place: nothing can be asked for behind its end.
            if std::fs::metadata(&part).is_ok_and(|data| data.len() >= bytes) {
                std::fs::remove_file(&part).map_err(|source| DownloadError::File { file: part, source })?;
            }
            self.download(name, watch).map_err(|error| wrong(&error))?
        };
        let digest = check(&path, &etag, bytes)?;
        watch(Step::Checked { file: name.to_owned(), bytes, digest });
        Ok(path)
    }

    fn download(&self, name: &str, watch: &mut dyn FnMut(Step)) -> Result<PathBuf, ApiError> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.files.download_with_progress(name, Watched(watch)) {
                // A connection that broke off may hold the next time; an answer that says no will say it again.
                Err(error @ ApiError::IoError(_)) if tries < TRIES => watch(Step::Again(error.to_string())),
                other => return other,
            }
        }
    }
}

/// An error of the hub, with what to do about it.
fn hub_error(what: &str, endpoint: &str, error: &ApiError) -> DownloadError {
    let reason = error.to_string().lines().next().unwrap_or_default().to_owned();
    let says = |codes: &[&str]| codes.iter().any(|code| reason.ends_with(code));
    let advice = if says(&[" 401", " 403"]) {
        "it needs an account that may read it: put its token into HF_TOKEN"
    } else if says(&[" 404"]) {
        "there is no such repository or file; `evolora model list` shows names that are known"
    } else if matches!(error, ApiError::LockAcquisition(_)) {
        "another program is fetching it; wait for it and run the command again"
    } else if matches!(error, ApiError::IoError(_)) {
        "run the command again, it goes on where it was cut off"
    } else {
        "check the network, or HF_ENDPOINT if it is set; a file that was fetched elsewhere serves too: --model PATH"
    };
    DownloadError::Hub { what: what.to_owned(), endpoint: endpoint.to_owned(), reason, advice }
}
