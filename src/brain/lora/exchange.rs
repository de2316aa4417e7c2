//! Adapters out of the program and into it, in every format.
//!
//! This module does *not* know where files are kept: what leaves is handed out as bytes.

use std::{io::Read, path::Path};

use super::{
    Adapter, AdapterLayout, Base, Creature,
    card::{read_card, write_card},
    gguf::{read_gguf_adapter, write_gguf_adapter},
    peft::{CONFIG, WEIGHTS, read_peft, write_peft},
};
use crate::brain::{
    error::{BrainError, Result},
    load::LoadedModel,
};

/// How an adapter is kept outside the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdapterFormat {
    /// A folder for peft and transformers.
    Peft,
    /// One file for llama.cpp.
    Gguf,
    /// One file with all that is known of the creature.
    Card,
}

impl std::fmt::Display for AdapterFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Peft => "PEFT folder",
            Self::Gguf => "GGUF adapter",
            Self::Card => "creature card",
        })
    }
}

/// What an adapter becomes outside the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exported {
    /// One file.
    File(Vec<u8>),
    /// The files of a folder, by name, in the order in which they should be written.
    Folder(Vec<(&'static str, Vec<u8>)>),
}

/// A creature of the model `base` in a format, its rows in the order that the format wants.
///
/// # Errors
/// The adapter is none of that model, holds numbers that are not finite, or the format cannot hold it.
pub fn export(format: AdapterFormat, base: &Base, creature: &Creature) -> Result<Exported> {
    creature.check(base)?;
    match format {
        AdapterFormat::Peft => write_peft(base, creature).map(Exported::Folder),
        AdapterFormat::Gguf => write_gguf_adapter(base, creature).map(Exported::File),
        AdapterFormat::Card => write_card(base, creature).map(Exported::File),
    }
}

/// What kind of adapter lies at a path, told from what is there: a PEFT folder (or a file of one), a GGUF adapter, or a card.
///
/// # Errors
/// There is nothing, or none of these.
pub fn adapter_format(path: &Path) -> Result<AdapterFormat> {
    if path.is_dir() {
        return if path.join(CONFIG).is_file() {
            Ok(AdapterFormat::Peft)
        } else {
            Err(BrainError::file(path, format!("it is a folder without {CONFIG}")).of_adapter())
        };
    }
    if !path.exists() {
        let what = "there is nothing; name a creature card, a PEFT folder or a GGUF adapter";
        return Err(BrainError::file(path, what).of_adapter());
    }
    let named = |name: &str| path.file_name().is_some_and(|file| file == name);
    if (named(CONFIG) || named(WEIGHTS)) && path.with_file_name(CONFIG).is_file() {
        return Ok(AdapterFormat::Peft);
    }
    let mut mark = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(4).read_to_end(&mut mark));
    read.map_err(|error| BrainError::read(path, error))?;
    Ok(if mark == b"GGUF" { AdapterFormat::Gguf } else { AdapterFormat::Card })
}

/// Reads an adapter of any kind for a model, with what is known of it. A card that was made on another model is refused,
/// unless `any_model` says that it may be tried; the other kinds do not say what they were made on.
///
/// # Errors
/// It is none, is broken, or does not fit the model.
pub fn read_creature(path: &Path, base: &Base, any_model: bool) -> Result<Creature> {
    let read = match adapter_format(path)? {
        AdapterFormat::Card => read_card(path, base, any_model),
        AdapterFormat::Gguf => {
            read_gguf_adapter(path, &base.shape).map(|(layout, adapter)| Creature::unknown(layout, adapter))
        }
        AdapterFormat::Peft => {
            let folder = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
            read_peft(folder, &base.shape).map(|(layout, adapter)| Creature::unknown(layout, adapter))
        }
    };
    read.map_err(BrainError::of_adapter)
}

/// The adapter at a path, for the model that has been loaded.
///
/// # Errors
/// As [`read_creature`].
pub fn load_adapter(path: &Path, loaded: &LoadedModel) -> Result<(AdapterLayout, Adapter)> {
    read_creature(path, &Base::of(loaded), false).map(|creature| (creature.layout, creature.adapter))
}
