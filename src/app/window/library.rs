//! Models that are here or can be fetched, and runs that can be gone on with.

use std::{
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use bevy::prelude::*;
use crossbeam_channel::{Receiver, Sender, unbounded};

use super::keep::last_run;
use crate::{
    brain::{
        SHIPPED_NAME,
        catalog::{Hub, KNOWN, list_models},
    },
    ui::{Download, LibraryModel, ModelChoice, RunChoice},
};

/// Runs that are listed.
const RUNS: usize = 12;

/// What another thread has to say.
enum News {
    Listed(Vec<ModelChoice>, Vec<RunChoice>),
    Fetching(Download),
    Done(String),
    Failed(String),
}

/// What is known of models and runs, looked up by other threads.
#[derive(Resource)]
pub(super) struct Library {
    tell: Sender<News>,
    news: Receiver<News>,
    model: LibraryModel,
    said: Vec<Result<String, String>>,
}

impl Default for Library {
    fn default() -> Self {
        let (tell, news) = unbounded();
        let library = Self { tell, news, model: LibraryModel::default(), said: Vec::new() };
        library.look_around();
        library
    }
}

impl Library {
    /// Looks anew what is here.
    pub(super) fn look_around(&self) {
        let tell = self.tell.clone();
        std::thread::spawn(move || {
            // Nobody hears it if the window has been closed meanwhile.
            let _ = tell.send(News::Listed(models(), runs()));
        });
    }

    /// What the panel shows.
    pub(super) fn model(&mut self) -> LibraryModel {
        for news in self.news.try_iter().collect::<Vec<_>>() {
            match news {
                News::Listed(models, runs) => (self.model.models, self.model.runs) = (models, runs),
                News::Fetching(download) => self.model.download = Some(download),
                News::Done(done) => {
                    self.model.download = None;
                    self.note(Ok(done));
                    self.look_around();
                }
                News::Failed(trouble) => {
                    self.model.download = None;
                    self.note(Err(trouble));
                }
            }
        }
        self.model.clone()
    }

    /// Something has been done, or could not be.
    pub(super) fn note(&mut self, result: Result<String, String>) {
        match result.clone() {
            Ok(done) => (self.model.trouble, self.model.done) = (None, Some(done)),
            Err(trouble) => self.model.trouble = Some(trouble),
        }
        self.said.push(result);
    }

    /// What has been done, and what could not be, since this was asked last: whoever asked for it may look at another panel.
    pub(super) fn take_said(&mut self) -> Vec<Result<String, String>> {
        std::mem::take(&mut self.said)
    }

    /// Does something on another thread and tells how it ended.
    pub(super) fn work(&self, work: impl FnOnce() -> Result<String, String> + Send + 'static) {
        let tell = self.tell.clone();
        std::thread::spawn(move || {
            let _ = tell.send(work().map_or_else(News::Failed, News::Done));
        });
    }

    /// Fetches a model from the hub.
    #[cfg(feature = "download")]
    pub(super) fn fetch(&self, word: String) {
        use crate::download::{Step, download};
        let tell = self.tell.clone();
        std::thread::spawn(move || {
            let mut now = Download { name: word.clone(), ..Download::default() };
            let mut watch = |step| {
                match step {
                    Step::Begin { file, bytes } => now = Download { name: file, done: 0, total: Some(bytes) },
                    Step::Bytes(bytes) => now.done += bytes,
                    Step::Again(_) | Step::Checked { .. } => {}
                }
                let _ = tell.send(News::Fetching(now.clone()));
            };
            let done = download(&word, None, &Hub::from_env(), &mut watch);
            let _ = tell.send(match done {
                Ok(path) => News::Done(format!("{word} lies in {}.", path.display())),
                Err(error) => News::Failed(error.to_string()),
            });
        });
    }

    /// This program cannot fetch models.
    #[cfg(not(feature = "download"))]
    pub(super) fn fetch(&self, word: String) {
        self.work(move || Err(format!("This program was built without downloads: fetch {word} by hand.")));
    }
}

fn models() -> Vec<ModelChoice> {
    let word = SHIPPED_NAME.to_owned();
    let shipped = ModelChoice { name: word.clone(), word, bytes: None, is_here: true, is_used: false };
    let here = list_models(Path::new("."), &Hub::from_env());
    let found = here.iter().map(|found| ModelChoice {
        name: found.name.clone(),
        word: found.name.clone(),
        bytes: Some(found.bytes),
        is_here: true,
        is_used: false,
    });
    let known = KNOWN.iter().filter(|known| here.iter().all(|found| found.name != known.name));
    let known = known.map(|known| ModelChoice {
        name: known.name.to_owned(),
        word: known.name.to_owned(),
        ..ModelChoice::default()
    });
    std::iter::once(shipped).chain(found).chain(known).collect()
}

/// Runs in `runs/`, and the one that was watched last, the newest first.
fn runs() -> Vec<RunChoice> {
    let folders = fs::read_dir("runs").into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let mut found: Vec<(SystemTime, PathBuf)> = folders
        .chain(last_run())
        .filter_map(|folder| Some((fs::metadata(folder.join("checkpoints")).ok()?.modified().ok()?, folder)))
        .collect();
    found.sort();
    let is_last = |folder: &Path| last_run().is_some_and(|last| last == folder);
    let choice = |(_, folder): (SystemTime, PathBuf)| {
        let note = note_of(&folder).unwrap_or_default();
        let note = if is_last(&folder) { format!("the last that was watched; {note}") } else { note };
        RunChoice { folder, note }
    };
    found.into_iter().rev().take(RUNS).map(choice).collect()
}

/// What a run is, in few words.
fn note_of(folder: &Path) -> Option<String> {
    let text = fs::read_to_string(folder.join("run.json")).ok()?;
    let run: serde_json::Value = serde_json::from_str(&text).ok()?;
    let generations = run.pointer("/settings/run/generations")?;
    Some(format!("{}, seed {}, {generations} generations", run["ended"].as_str()?, run["seed"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_is_said_once_and_stays_in_the_panel() {
        let mut library = Library::default();
        library.work(|| Ok("Creature 7 is in a.card.".to_owned()));
        library.work(|| Err("There is no b.card.".to_owned()));
        let mut said = Vec::new();
        for _ in 0..2000 {
            let model = library.model();
            said.extend(library.take_said());
            if said.len() == 2 {
                assert_eq!(model.done.as_deref(), Some("Creature 7 is in a.card."));
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        said.sort();
        assert_eq!(said, [Ok("Creature 7 is in a.card.".to_owned()), Err("There is no b.card.".to_owned())]);
        assert_eq!(library.take_said(), []);
    }
}
