//! The folder of an experiment: what was lived, a file per arm and seed, each put there in one step when it is complete. An
//! experiment that goes on lives only what is not there yet.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    champion::{Champion, ChampionPlan},
    differences::differences,
    error::ExperimentError,
};
use crate::{
    config::RunConfig,
    record::{GenerationRow, ModelMark, RecordError, lock_folder, replace_file},
};

/// The file that tells an experiment's folder from any other.
const MARK: &str = "experiment.json";
/// The folder of the cells.
const CELLS: &str = "cells";
/// The folder of the champions' cards.
pub(super) const CHAMPIONS: &str = "champions";

/// What one arm lived with one seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// The arm.
    pub arm: String,
    /// The seed.
    pub seed: u64,
    /// The program's version.
    pub version: String,
    /// The commit of the source when it was lived.
    pub commit: String,
    /// The model; `None` where a scripted mind decided.
    pub model: Option<ModelMark>,
    /// What went wrong, if anything did.
    pub complaint: Option<String>,
    /// The generations, in order.
    pub rows: Vec<GenerationRow>,
    /// The champion, where one was played.
    pub champion: Option<Champion>,
    /// All settings that it was lived with.
    pub settings: RunConfig,
}

/// What stands in `experiment.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Mark {
    program: String,
    champions: ChampionPlan,
    settings: RunConfig,
}

/// The folder of an experiment, which no other experiment can write to while it is held.
#[derive(Debug)]
pub struct ExperimentFolder {
    path: PathBuf,
    _lock: File,
}

impl ExperimentFolder {
    /// Makes the folder, or opens that of an experiment which has the same settings. With `overwrite` that begins anew.
    ///
    /// # Errors
    /// It holds something else, or an experiment with other settings; or it is in use, or cannot be written.
    pub fn open(
        path: impl Into<PathBuf>,
        config: &RunConfig,
        champions: &ChampionPlan,
        overwrite: bool,
    ) -> Result<Self, ExperimentError> {
        let path = path.into();
        let place = path.join(MARK);
        let cure = "add --overwrite to begin anew";
        let known = if overwrite { None } else { read_json::<Mark>(&place, cure)? };
        if let Some(known) = known {
            let settings = differences(&known.settings, config);
            let settings = settings.into_iter().map(|one| (one.key.to_owned(), one.old, one.new));
            let differs = settings.chain(known.champions.differences(champions)).next();
            return match differs {
                Some((key, old, new)) => Err(ExperimentError::Differs { path, key, old, new }),
                None => Self::hold(path),
            };
        }
        if !place.exists() && holds_something(&path)? {
            return Err(ExperimentError::Foreign(path));
        }
        fs::create_dir_all(&path).map_err(|source| RecordError::Write { path: path.clone(), source })?;
        let folder = Self::hold(path)?;
        for path in [CELLS, CHAMPIONS].map(|name| folder.path.join(name)) {
            match fs::remove_dir_all(&path) {
                Err(source) if source.kind() != ErrorKind::NotFound => {
                    return Err(RecordError::Write { path, source }.into());
                }
                _ => {}
            }
        }
        let mark = Mark { program: "evolora".to_owned(), champions: *champions, settings: config.clone() };
        write_json(&place, &mark)?;
        Ok(folder)
    }

    fn hold(path: PathBuf) -> Result<Self, ExperimentError> {
        let lock = lock_folder(&path)?;
        Ok(Self { path, _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn cell_path(&self, arm: &str, seed: u64) -> PathBuf {
        self.path.join(CELLS).join(arm).join(format!("{seed}.json"))
    }

    /// What this arm lived with this seed, if it is there. It must have been lived with `settings`.
    ///
    /// # Errors
    /// The file is not what was written, or its settings are others.
    pub fn load(&self, arm: &str, seed: u64, settings: &RunConfig) -> Result<Option<Cell>, ExperimentError> {
        let path = self.cell_path(arm, seed);
        let cure = "delete it, and what it held is lived again";
        let Some(cell) = read_json::<Cell>(&path, cure)? else { return Ok(None) };
        match differences(&cell.settings, settings).into_iter().next() {
            Some(one) => Err(ExperimentError::Differs { path, key: one.key.to_owned(), old: one.old, new: one.new }),
            None => Ok(Some(cell)),
        }
    }

    /// Keeps what an arm lived with a seed.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn save(&self, cell: &Cell) -> Result<(), ExperimentError> {
        write_json(&self.cell_path(&cell.arm, cell.seed), cell)
    }

    /// Holds that the model is the one that all cells were lived with.
    ///
    /// # Errors
    /// It is another.
    pub fn check_model(&self, cells: &[Cell], model: &ModelMark) -> Result<(), ExperimentError> {
        let mut known = cells.iter().filter_map(|cell| Some((cell, cell.model.as_ref()?)));
        let Some((cell, known)) = known.find(|(_, known)| known.sha256 != model.sha256) else { return Ok(()) };
        let path = self.cell_path(&cell.arm, cell.seed);
        let key = "SHA-256 of the model".to_owned();
        Err(ExperimentError::Differs { path, key, old: known.sha256.clone(), new: model.sha256.clone() })
    }
}

/// Whether there is anything in a folder. Hidden files do not count: systems leave them everywhere.
fn holds_something(path: &Path) -> Result<bool, ExperimentError> {
    let failed = |source| RecordError::Write { path: path.to_owned(), source };
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(failed(error).into()),
    };
    for entry in entries {
        if !entry.map_err(failed)?.file_name().to_string_lossy().starts_with('.') {
            return Ok(true);
        }
    }
    Ok(false)
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<(), ExperimentError> {
    let written = replace_file(path, |file| {
        let mut out = std::io::BufWriter::new(file);
        serde_json::to_writer_pretty(&mut out, value)?;
        out.write_all(b"\n")?;
        out.flush()
    });
    Ok(written?)
}

/// Reads a file; `None` where there is none.
fn read_json<T: DeserializeOwned>(path: &Path, cure: &'static str) -> Result<Option<T>, ExperimentError> {
    let unreadable = |reason: String| ExperimentError::Unreadable { path: path.to_owned(), reason, cure };
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| unreadable(error.to_string())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(config: &RunConfig) -> Cell {
        let row = GenerationRow { mean_fitness: 0.1 + 0.2, diversity: Some(1.0 / 3.0), ..GenerationRow::default() };
        Cell {
            arm: "both".to_owned(),
            seed: 3,
            version: "1".to_owned(),
            commit: "c".to_owned(),
            model: Some(ModelMark { name: "m".to_owned(), sha256: "ab".to_owned() }),
            complaint: None,
            rows: vec![row],
            champion: None,
            settings: config.clone(),
        }
    }

    #[test]
    fn a_cell_comes_back_bit_by_bit_and_only_for_its_own_settings() {
        let (at, mut config, plan) = (tempfile::tempdir().unwrap(), RunConfig::default(), ChampionPlan::default());
        let folder = ExperimentFolder::open(at.path(), &config, &plan, false).unwrap();
        assert_eq!(folder.load("both", 3, &config).unwrap(), None);
        folder.save(&cell(&config)).unwrap();
        let known = folder.load("both", 3, &config).unwrap().unwrap();
        assert_eq!(known, cell(&config));
        folder.check_model(std::slice::from_ref(&known), &known.model.clone().unwrap()).unwrap();
        let other = ModelMark { name: "m".to_owned(), sha256: "cd".to_owned() };
        let refused = folder.check_model(&[known], &other).unwrap_err().to_string();
        assert!(refused.contains("SHA-256 of the model` is ab, and now it is cd"), "{refused}");
        config.run.threads = 7;
        assert!(folder.load("both", 3, &config).unwrap().is_some(), "threads change nothing");
        config.run.turns = 9;
        let refused = folder.load("both", 3, &config).unwrap_err().to_string();
        assert!(refused.contains("`run.turns` is 500, and now it is 9"), "{refused}");
        fs::write(at.path().join("cells/both/3.json"), "{").unwrap();
        let refused = folder.load("both", 3, &config).unwrap_err().to_string();
        assert!(refused.contains("3.json cannot be read") && refused.contains("delete it"), "{refused}");
    }

    #[test]
    fn a_folder_is_an_experiments_or_empty() {
        let (at, config, plan) = (tempfile::tempdir().unwrap(), RunConfig::default(), ChampionPlan::default());
        let open = |name: &str, config: &RunConfig, plan: &ChampionPlan, overwrite| {
            ExperimentFolder::open(at.path().join(name), config, plan, overwrite).map_err(|error| error.to_string())
        };
        fs::create_dir(at.path().join("other")).unwrap();
        fs::write(at.path().join("other/.hidden"), "").unwrap();
        open("other", &config, &plan, false).unwrap();
        fs::create_dir(at.path().join("mine")).unwrap();
        fs::write(at.path().join("mine/thesis.txt"), "").unwrap();
        for overwrite in [false, true] {
            let refused = open("mine", &config, &plan, overwrite).unwrap_err();
            assert!(refused.contains("holds something that is no experiment"), "{refused}");
        }
        let folder = open("a/b", &config, &plan, false).unwrap();
        folder.save(&cell(&config)).unwrap();
        let refused = open("a/b", &config, &plan, true).unwrap_err();
        assert!(refused.contains("is in use"), "{refused}");
        drop(folder);
        let folder = open("a/b", &config, &plan, false).unwrap();
        let mut changed = config.clone();
        changed.habitat.food = 0.2;
        let refused = open("a/b", &changed, &plan, false).unwrap_err();
        assert!(refused.contains("`habitat.food` is 0.15, and now it is 0.2"), "{refused}");
        let refused = open("a/b", &config, &ChampionPlan { maps: 3, ..plan }, false).unwrap_err();
        assert!(refused.contains("`--maps` is 20, and now it is 3"), "{refused}");
        assert!(folder.load("both", 3, &config).unwrap().is_some());
        drop(folder);
        let folder = open("a/b", &changed, &plan, true).unwrap();
        assert_eq!(folder.load("both", 3, &changed).unwrap(), None, "begun anew");
    }
}
