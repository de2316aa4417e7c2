//! Checkpoints: a run between two turns, kept so that nothing can destroy it.
//!
//! A checkpoint is a folder named after the turns played. It is made under another name, each file flushed to the disk, with
//! `SHA256SUMS` last, and renamed in one step: a process that is killed leaves the checkpoints before it. Whoever reads one
//! holds every byte against the sums, whose last line is the sum of those above it; a checkpoint that is torn or altered is
//! left aside and the one before it is used.
//!
//! This module does *not* know what adapters are: a file of them is written and read by others.

use std::{
    fs::{self, File},
    io::{self, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
};

use bevy::prelude::*;
use serde::{Deserialize, Serialize};

use super::{
    files::{RecordError, readable_by_all, sync_folder},
    history::History,
    lineage::Lineage,
};
use crate::{
    checksum::{sha256, sha256_of_file},
    config::RunConfig,
    mind::Snapshot,
    protocol::MindFacts,
};

/// Checkpoints that are kept: the newest.
const KEPT: usize = 3;
/// The version of the files; others are refused.
const FORMAT: u32 = 1;

const FOLDER: &str = "checkpoints";
const STATE: &str = "state.cbor";
const MINDS: &str = "minds.safetensors";
const SUMS: &str = "SHA256SUMS";

/// The language model that a run was played with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelMark {
    /// What it is called.
    pub name: String,
    /// SHA-256 of its files, in hexadecimal.
    pub sha256: String,
}

impl ModelMark {
    /// That of a model that has been loaded.
    pub fn of(facts: &MindFacts) -> Self {
        Self { name: facts.name.clone(), sha256: facts.sha256.clone() }
    }
}

/// A run between two turns, without its adapters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunState {
    format: u32,
    /// The settings that it began with.
    pub config: RunConfig,
    /// The language model, where one decides.
    pub model: Option<ModelMark>,
    /// Turns played, each in all habitats at once.
    pub turns: u64,
    /// The habitats, by number.
    pub habitats: Vec<Snapshot>,
    /// Generations that have ended.
    pub history: History,
    /// Everybody who has ever lived.
    pub lineage: Lineage,
}

impl RunState {
    /// A run as the world has it.
    pub fn of(world: &World, habitats: Vec<Snapshot>, config: RunConfig, model: Option<ModelMark>, turns: u64) -> Self {
        let (history, lineage) = (world.resource::<History>().clone(), world.resource::<Lineage>().clone());
        Self { format: FORMAT, config, model, turns, habitats, history, lineage }
    }
}

/// A checkpoint that has been read and is whole.
#[derive(Debug)]
pub struct Checkpoint {
    /// The run.
    pub state: RunState,
    /// The file of its adapters, where a language model decides.
    pub minds: Option<PathBuf>,
    /// A sentence for every newer one that could not be used.
    pub troubles: Vec<String>,
}

/// The checkpoints of one run.
#[derive(Debug, Clone)]
pub struct Checkpoints {
    folder: PathBuf,
}

impl Checkpoints {
    /// Those in the folder of a run.
    pub fn of(run: &Path) -> Self {
        Self { folder: run.join(FOLDER) }
    }

    /// Forgets all of them: another run begins in this folder.
    ///
    /// # Errors
    /// They cannot be removed.
    pub fn clear(&self) -> Result<(), RecordError> {
        match fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.unwritten(error)),
            _ => Ok(()),
        }
    }

    /// Keeps a run as it is now; `minds` writes its adapters into the file that it is given. Older ones than the newest
    /// three are removed.
    ///
    /// # Errors
    /// It cannot be written; those before it are still there.
    pub fn save<E: From<RecordError>>(
        &self,
        state: &RunState,
        minds: Option<impl FnOnce(&Path) -> Result<(), E>>,
    ) -> Result<(), E> {
        let place = self.folder.join(format!("{:012}", state.turns));
        let begin = || {
            fs::create_dir_all(&self.folder)?;
            tempfile::Builder::new().prefix(".new-").tempdir_in(&self.folder)
        };
        let new = begin().map_err(|error| self.unwritten(error))?;
        if let Some(minds) = minds {
            minds(&new.path().join(MINDS))?;
        }
        let finish = || -> io::Result<()> {
            let mut file = BufWriter::new(File::create(new.path().join(STATE))?);
            ciborium::into_writer(state, &mut file).map_err(|error| match error {
                ciborium::ser::Error::Io(error) => error,
                other => io::Error::other(other.to_string()),
            })?;
            file.flush()?;
            seal(new.path())?;
            if place.exists() {
                // Saved twice after the same turn: what is there is not put at risk.
                if read(&place).is_ok_and(|(known, _)| known == *state) {
                    return Ok(());
                }
                fs::remove_dir_all(&place)?;
            }
            fs::rename(new.path(), &place)?;
            sync_folder(&self.folder)?;
            let all = self.all()?;
            all[..all.len().saturating_sub(KEPT)].iter().try_for_each(fs::remove_dir_all)
        };
        Ok(finish().map_err(|error| self.unwritten(error))?)
    }

    /// The newest one that is whole.
    ///
    /// # Errors
    /// There is none.
    pub fn newest(&self) -> Result<Checkpoint, RecordError> {
        let mut troubles = Vec::new();
        for path in self.all().unwrap_or_default().iter().rev() {
            match read(path) {
                Ok((state, minds)) => return Ok(Checkpoint { state, minds, troubles }),
                Err(what) => troubles.push(format!(
                    "The checkpoint {} cannot be used ({what}); the one before it is used, if there is one.",
                    path.display()
                )),
            }
        }
        let run = self.folder.parent().unwrap_or(&self.folder).to_owned();
        if !run.is_dir() {
            return Err(RecordError::NoRun(run));
        }
        Err(RecordError::NoCheckpoint { run, broken: troubles.len() })
    }

    /// Takes those away that are newer than `turns` or were never finished: a run goes on from there and will make them anew.
    /// They keep their contents under another name, if they had any.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub fn go_on_from(&self, turns: u64) -> Result<(), RecordError> {
        let clean = || -> io::Result<()> {
            for entry in fs::read_dir(&self.folder)? {
                let (path, name) =
                    (entry.as_ref().map(fs::DirEntry::path), entry.as_ref().map(fs::DirEntry::file_name));
                let (Ok(path), Ok(name)) = (path, name) else { continue };
                let name = name.to_string_lossy().into_owned();
                if name.starts_with(".new-") {
                    fs::remove_dir_all(path)?;
                } else if name.parse::<u64>().is_ok_and(|number| number > turns) {
                    let aside = self.folder.join(format!("{name}.broken"));
                    if aside.exists() {
                        fs::remove_dir_all(&aside)?;
                    }
                    fs::rename(path, aside)?;
                }
            }
            Ok(())
        };
        clean().map_err(|error| self.unwritten(error))
    }

    /// All that are finished, oldest first.
    fn all(&self) -> io::Result<Vec<PathBuf>> {
        let entries = fs::read_dir(&self.folder)?.filter_map(Result::ok);
        let number = |entry: fs::DirEntry| Some((entry.file_name().to_str()?.parse::<u64>().ok()?, entry.path()));
        let mut all: Vec<_> = entries.filter_map(number).collect();
        all.sort_unstable();
        Ok(all.into_iter().map(|(_, path)| path).collect())
    }

    fn unwritten(&self, source: io::Error) -> RecordError {
        RecordError::Write { path: self.folder.clone(), source }
    }
}

/// Flushes every file of a folder, writes their sums, and flushes the folder.
fn seal(folder: &Path) -> io::Result<()> {
    let mut lines = String::new();
    for name in [MINDS, STATE] {
        let path = folder.join(name);
        if path.exists() {
            let file = File::open(&path)?;
            readable_by_all(&file)?;
            file.sync_all()?;
            lines.push_str(&format!("{}  {name}\n", sha256_of_file(&path)?));
        }
    }
    lines.push_str(&format!("# {}\n", sha256(lines.as_bytes())));
    let mut file = File::create(folder.join(SUMS))?;
    file.write_all(lines.as_bytes())?;
    file.sync_all()?;
    sync_folder(folder)
}

/// Reads a checkpoint and holds it against its sums; or says, in a clause, what is wrong with it.
fn read(folder: &Path) -> Result<(RunState, Option<PathBuf>), String> {
    let failed = |name: &str, error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => format!("{name} is missing"),
        _ => format!("{name} cannot be read: {error}"),
    };
    let sums = fs::read_to_string(folder.join(SUMS)).map_err(|error| failed(SUMS, error))?;
    let own = sums.trim_end_matches('\n').rfind('\n').map_or(0, |at| at + 1);
    let (lines, last) = sums.split_at(own);
    if last != format!("# {}\n", sha256(lines.as_bytes())) {
        return Err(format!("{SUMS} was altered or is torn"));
    }
    let mut minds = None;
    let listed: Vec<(&str, &str)> = lines.lines().filter_map(|line| line.split_once("  ")).collect();
    if !listed.iter().any(|(_, name)| *name == STATE) {
        return Err(format!("{SUMS} does not list {STATE}"));
    }
    for (sum, name) in listed.into_iter().filter(|(_, name)| [MINDS, STATE].contains(name)) {
        let path = folder.join(name);
        if sha256_of_file(&path).map_err(|error| failed(name, error))? != sum {
            return Err(format!("{name} was altered or is torn"));
        }
        minds = minds.or((name == MINDS).then_some(path));
    }
    let file = File::open(folder.join(STATE)).map_err(|error| failed(STATE, error))?;
    let state: RunState = ciborium::from_reader(BufReader::new(file))
        .map_err(|_| format!("{STATE} was written by another version of the program"))?;
    if state.format != FORMAT {
        return Err(format!("its format is {} and this version reads {FORMAT}", state.format));
    }
    Ok((state, minds))
}
