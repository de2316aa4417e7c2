//! Creatures out of the program and into it: files are written whole, and nothing is written over by mistake.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    str::FromStr,
};

use super::error::AppError;
use crate::{
    brain::{
        load_model,
        lora::{AdapterFormat, Base, Creature, Exported, adapter_format, export, read_creature},
    },
    config::{ModelSettings, RunConfig},
    protocol::CreatureId,
    record::replace_file,
};

/// Which creature of a run is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chosen {
    /// The one of the highest fitness.
    Best,
    /// The one of this number.
    Creature(CreatureId),
}

impl FromStr for Chosen {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        if word == "best" {
            return Ok(Self::Best);
        }
        let number = word.parse().map_err(|_| "write `best`, or a creature's number as lineage.csv has it".to_owned());
        number.map(|number| Self::Creature(CreatureId(number)))
    }
}

/// A creature as a run has kept it.
#[derive(Debug, Clone)]
pub struct CreatureRecord {
    /// What the run's model was called.
    pub model_name: String,
    /// SHA-256 of its files.
    pub model_sha256: String,
    /// The creature.
    pub creature: Creature,
}

/// Writes a creature of a run in a format; gives the bytes written.
///
/// # Errors
/// The run's model is not there or not the same, the format cannot hold the adapter, or something lies at `out` already.
pub fn export_record(
    config: &RunConfig,
    record: &CreatureRecord,
    format: AdapterFormat,
    out: &Path,
    overwrite: bool,
) -> Result<u64, AppError> {
    let base = Base::of(&load_model(&config.model)?);
    if record.model_sha256 != base.sha256 {
        return Err(AppError::OtherModel { theirs: record.model_name.clone(), ours: base.name });
    }
    export_creature(&base, &record.creature, format, out, overwrite)
}

/// Writes a creature of the model `base` in a format; gives the bytes written.
///
/// # Errors
/// The format cannot hold the adapter, or something lies at `out` already and `overwrite` is false.
pub fn export_creature(
    base: &Base,
    creature: &Creature,
    format: AdapterFormat,
    out: &Path,
    overwrite: bool,
) -> Result<u64, AppError> {
    let files = match export(format, base, creature)? {
        Exported::File(bytes) => vec![(out.to_owned(), bytes)],
        Exported::Folder(files) => files.into_iter().map(|(name, bytes)| (out.join(name), bytes)).collect(),
    };
    let taken = files.iter().map(|(path, _)| path).find(|path| path.exists());
    if let Some(path) = taken.filter(|_| !overwrite) {
        return Err(AppError::Occupied(path.clone()));
    }
    let mut written = 0;
    for (path, bytes) in files {
        replace_file(&path, |file| file.write_all(&bytes))?;
        written += bytes.len() as u64;
    }
    Ok(written)
}

/// Which adapters become cards, and where.
#[derive(Debug, Clone)]
pub struct ImportPlan {
    /// The adapters.
    pub files: Vec<PathBuf>,
    /// The folder that the cards go to.
    pub folder: PathBuf,
    /// Whether cards that were made on another model may be tried.
    pub any_model: bool,
    /// Whether cards that are there may be written over.
    pub overwrite: bool,
}

/// An adapter that has become a card.
#[derive(Debug, Clone)]
pub struct Imported {
    /// What was read.
    pub from: PathBuf,
    /// What it was.
    pub format: AdapterFormat,
    /// The card.
    pub card: PathBuf,
    /// Its bytes.
    pub bytes: u64,
    /// What it holds.
    pub creature: Creature,
}

/// Makes a card for the model that the settings name of every adapter. All are read and checked before the first is written.
///
/// # Errors
/// The model or an adapter cannot be used, or a card lies there already.
pub fn import_adapters(model: &ModelSettings, plan: &ImportPlan) -> Result<Vec<Imported>, AppError> {
    let base = Base::of(&load_model(model)?);
    let mut all: Vec<Imported> = Vec::with_capacity(plan.files.len());
    for from in &plan.files {
        let format = adapter_format(from)?;
        let mut creature = read_creature(from, &base, plan.any_model)?;
        let name = name_of(from, format);
        if format != AdapterFormat::Card {
            creature.made_from = Some(format!("the {format} {name}"));
        }
        let card = plan.folder.join(format!("{name}.card"));
        if let Some(other) = all.iter().find(|other| other.card == card) {
            return Err(AppError::SameCard { first: other.from.clone(), second: from.clone(), card });
        }
        if card.exists() && !plan.overwrite {
            return Err(AppError::Occupied(card));
        }
        all.push(Imported { from: from.clone(), format, card, bytes: 0, creature });
    }
    for one in &mut all {
        one.bytes = export_creature(&base, &one.creature, AdapterFormat::Card, &one.card, plan.overwrite)?;
    }
    Ok(all)
}

/// What a card is called: as the file or the folder that it was made of. A comma would part it in two where settings name
/// it, and a space in the shell.
fn name_of(from: &Path, format: AdapterFormat) -> String {
    let whole = fs::canonicalize(from).unwrap_or_else(|_| from.to_owned());
    let is_file = whole.is_file();
    let name = match format {
        AdapterFormat::Peft if is_file => whole.parent().and_then(Path::file_name),
        AdapterFormat::Peft => whole.file_name(),
        AdapterFormat::Gguf | AdapterFormat::Card => whole.file_stem(),
    };
    let name = name.unwrap_or_default().to_string_lossy();
    name.chars().map(|c| if c == ',' || c.is_whitespace() || c.is_control() { '-' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn creatures_are_chosen_by_a_word_or_a_number() {
        assert_eq!("best".parse(), Ok(Chosen::Best));
        assert_eq!("17".parse(), Ok(Chosen::Creature(CreatureId(17))));
        assert!("worst".parse::<Chosen>().unwrap_err().contains("lineage.csv"));
    }

    #[test]
    fn cards_are_called_as_what_they_were_made_of() {
        let folder = tempfile::tempdir().unwrap();
        let peft = folder.path().join("v1.5, mine");
        fs::create_dir(&peft).unwrap();
        fs::write(peft.join("adapter_config.json"), "{}").unwrap();
        fs::write(folder.path().join("x.y.gguf"), "GGUF").unwrap();
        assert_eq!(name_of(&peft, AdapterFormat::Peft), "v1.5--mine");
        assert_eq!(name_of(&peft.join("adapter_config.json"), AdapterFormat::Peft), "v1.5--mine");
        assert_eq!(name_of(&folder.path().join("x.y.gguf"), AdapterFormat::Gguf), "x.y");
    }
}
