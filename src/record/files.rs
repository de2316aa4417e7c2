//! The folder that a run leaves: `generations.csv` and `run.json`. Each is written beside its place and then put
//! there in one step, so that nobody ever finds half a file.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Serialize;
use tempfile::NamedTempFile;

use super::{checkpoint::Checkpoints, hall::HallRow, history::GenerationRow, lineage::Ancestry};

/// What can go wrong with a run's folder.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// There is a run in it already.
    #[error("{} already holds a run; name another folder for --out, or add --overwrite.", .0.display())]
    Occupied(PathBuf),
    /// The folder belongs to something else.
    #[error("{} holds an experiment; name another folder.", .0.display())]
    Foreign(PathBuf),
    /// Another process writes to the folder.
    #[error("{} is in use: another run is writing to it; wait for that, or name another folder.", .0.display())]
    InUse(PathBuf),
    /// There is no such folder.
    #[error("There is no folder {}; name one that `evolora headless --out` has written.", .0.display())]
    NoRun(PathBuf),
    /// No checkpoint of a run can be used.
    #[error(
        "{} holds no checkpoint from which a run could go on{}; begin anew with `--out {} --overwrite`.", run.display(),
        match *broken { 0 => " (it was stopped before the first)".to_owned(), n => format!(" ({n} are broken)") },
        run.display()
    )]
    NoCheckpoint {
        /// The folder of the run.
        run: PathBuf,
        /// How many are there and are torn or altered.
        broken: usize,
    },
    /// A file or the folder could not be written.
    #[error("{} cannot be written ({source}); check the path, the rights and the space left.", path.display())]
    Write {
        /// What could not be written.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// What a run leaves in its folder.
const LEFT: [&str; 5] = ["run.json", "generations.csv", "lineage.csv", "hall.csv", "checkpoints"];

/// The folder of a run. While it is held no other process can hold it.
#[derive(Debug, Clone)]
pub struct RunFiles {
    folder: PathBuf,
    _lock: Arc<File>,
}

impl RunFiles {
    /// Makes the folder, with those above it. With `overwrite` what another run has left in it is taken away.
    ///
    /// # Errors
    /// It holds a run already and `overwrite` is false, it holds an experiment, it is in use, or it cannot be written.
    pub fn create(folder: impl Into<PathBuf>, overwrite: bool) -> Result<Self, RecordError> {
        let folder = folder.into();
        if folder.join("experiment.json").exists() {
            return Err(RecordError::Foreign(folder));
        }
        if !overwrite && LEFT.iter().any(|name| folder.join(name).exists()) {
            return Err(RecordError::Occupied(folder));
        }
        let files = Self::open(folder)?;
        files.checkpoints().clear()?;
        for path in LEFT.iter().map(|name| files.folder.join(name)).filter(|path| path.is_file()) {
            fs::remove_file(&path).map_err(|source| RecordError::Write { path, source })?;
        }
        Ok(files)
    }

    /// The folder of a run that is there already.
    ///
    /// # Errors
    /// It cannot be written to, or is in use.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, RecordError> {
        let folder = folder.into();
        let failed = |source| RecordError::Write { path: folder.clone(), source };
        check_folder(&folder).map_err(failed)?;
        let lock = lock_folder(&folder)?;
        Ok(Self { folder, _lock: Arc::new(lock) })
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether the results of a run that is over are all there: `run.json`, which is written last, says so.
    pub fn is_complete(&self) -> bool {
        let text = fs::read_to_string(self.folder.join("run.json")).unwrap_or_default();
        serde_json::from_str::<serde_json::Value>(&text).is_ok_and(|run| run["ended"] == "complete")
    }

    /// Writes `generations.csv` anew.
    ///
    /// # Errors
    /// It cannot be written; the old one, if any, is still there.
    pub fn write_generations(&self, rows: &[GenerationRow]) -> Result<(), RecordError> {
        self.write_table("generations.csv", rows)
    }

    /// Writes `lineage.csv` anew.
    ///
    /// # Errors
    /// As [`RunFiles::write_generations`].
    pub fn write_lineage(&self, creatures: &[Ancestry]) -> Result<(), RecordError> {
        self.write_table("lineage.csv", creatures)
    }

    /// Writes `hall.csv` anew.
    ///
    /// # Errors
    /// As [`RunFiles::write_generations`].
    pub fn write_hall(&self, hall: &[HallRow]) -> Result<(), RecordError> {
        self.write_table("hall.csv", hall)
    }

    /// The run's checkpoints.
    pub fn checkpoints(&self) -> Checkpoints {
        Checkpoints::of(&self.folder)
    }

    /// Writes `run.json` anew.
    ///
    /// # Errors
    /// As [`RunFiles::write_generations`].
    pub fn write_run(&self, run: &impl Serialize) -> Result<(), RecordError> {
        self.replace("run.json", |mut file| {
            serde_json::to_writer_pretty(&mut file, run)?;
            file.write_all(b"\n")
        })
    }

    /// Writes a table; one without rows has its columns.
    fn write_table<T: Serialize + Default>(&self, name: &str, rows: &[T]) -> Result<(), RecordError> {
        if rows.is_empty() {
            return self.replace(name, |file| file.write_all(header::<T>()?.as_bytes()));
        }
        write_csv(&self.folder.join(name), rows)
    }

    fn replace(&self, name: &str, write: impl FnOnce(&mut File) -> io::Result<()>) -> Result<(), RecordError> {
        replace_file(&self.folder.join(name), write)
    }
}

/// Keeps other processes out of a folder for as long as the file is open; the system lets go when this process ends, however
/// that comes about.
///
/// # Errors
/// Another process holds it, or it cannot be written to.
pub fn lock_folder(folder: &Path) -> Result<File, RecordError> {
    let path = folder.join(".lock");
    let file = File::create(&path).map_err(|source| RecordError::Write { path, source })?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(RecordError::InUse(folder.to_owned())),
        // Where the system knows no locks there is none.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(file),
    }
}

/// Makes a folder, with those above it, and holds that files can be written into it: found out now, not after an hour.
fn check_folder(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    NamedTempFile::new_in(folder).map(drop)
}

/// Refuses a place that [`replace_file`] could not write to, before the work is done whose result is to go there. Makes
/// its folder.
///
/// # Errors
/// The folder cannot be made or written to, or there is a folder where the file shall be.
pub fn check_place(path: &Path) -> Result<(), RecordError> {
    let checked = if path.is_dir() { Err(io::ErrorKind::IsADirectory.into()) } else { check_folder(folder_of(path)) };
    checked.map_err(|source| RecordError::Write { path: path.to_owned(), source })
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Writes a file whole or not at all: beside its place → flush to the disk → rename → flush the folder, which is made if
/// it is not there.
///
/// # Errors
/// It cannot be written; the old one, if any, is still there.
pub fn replace_file(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> Result<(), RecordError> {
    let folder = folder_of(path);
    let put = || {
        fs::create_dir_all(folder)?;
        let mut file = NamedTempFile::new_in(folder)?;
        write(file.as_file_mut())?;
        file.as_file().sync_all()?;
        readable_by_all(file.as_file())?;
        file.persist(path).map_err(|error| error.error)?;
        sync_folder(folder)
    };
    put().map_err(|source| RecordError::Write { path: path.to_owned(), source })
}

/// Writes rows as a CSV file, with a line of their names above.
///
/// # Errors
/// As [`replace_file`].
pub fn write_csv<T: Serialize>(path: &Path, rows: &[T]) -> Result<(), RecordError> {
    replace_file(path, |file| {
        let mut csv = csv::Writer::from_writer(file);
        rows.iter().try_for_each(|row| csv.serialize(row)).map_err(io::Error::other)?;
        csv.flush()
    })
}

/// The first line of a table, which the csv crate writes with the first row only.
fn header<T: Serialize + Default>() -> io::Result<String> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.serialize(T::default()).map_err(io::Error::other)?;
    let text = csv.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
    let line = text.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(String::from_utf8_lossy(line).into_owned())
}

/// A temporary file is its owner's alone; a result is an ordinary file.
#[cfg(unix)]
pub(super) fn readable_by_all(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
pub(super) fn readable_by_all(_: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
pub(super) fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_not_written_over_by_mistake() {
        let folder = tempfile::tempdir().unwrap();
        let files = RunFiles::create(folder.path().join("a/b"), false).unwrap();
        files.write_run(&serde_json::json!({"seed": 1})).unwrap();
        let again = RunFiles::create(folder.path().join("a/b"), false).unwrap_err().to_string();
        assert!(again.contains("already holds a run"), "{again}");
        let both = RunFiles::create(folder.path().join("a/b"), true).unwrap_err().to_string();
        assert!(both.contains("is in use"), "{both}");
        drop(files);
        fs::write(folder.path().join("a/b/hall.csv"), "old").unwrap();
        assert!(RunFiles::create(folder.path().join("a/b"), true).is_ok());
        assert!(!folder.path().join("a/b/hall.csv").exists(), "nothing of another run is left");
        fs::write(folder.path().join("a/experiment.json"), "{}").unwrap();
        let foreign = RunFiles::create(folder.path().join("a"), true).unwrap_err().to_string();
        assert!(foreign.contains("holds an experiment"), "{foreign}");
    }

    #[test]
    fn a_run_without_rows_has_its_columns() {
        let folder = tempfile::tempdir().unwrap();
        let files = RunFiles::create(folder.path(), false).unwrap();
        let read = || fs::read_to_string(folder.path().join("generations.csv")).unwrap();
        files.write_generations(&[]).unwrap();
        let empty = read();
        assert!(empty.starts_with("habitat,generation,turns,agents,mean_fitness,") && empty.lines().count() == 1);
        files.write_generations(&[GenerationRow::default()]).unwrap();
        assert_eq!(read().lines().next(), empty.lines().next());
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_whole() {
        let folder = tempfile::tempdir().unwrap();
        let files = RunFiles::create(folder.path(), false).unwrap();
        files.write_run(&"old").unwrap();
        let failed = files.replace("run.json", |file| {
            file.write_all(b"half")?;
            Err(io::Error::other("the disk is full"))
        });
        assert!(failed.unwrap_err().to_string().contains("the disk is full"));
        assert_eq!(fs::read_to_string(folder.path().join("run.json")).unwrap(), "\"old\"\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "the lock, and nothing else, is left behind");
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        let error = RunFiles::create(folder.path().join("file/run"), false).unwrap_err().to_string();
        assert!(error.contains("file/run cannot be written"), "{error}");
    }
}
