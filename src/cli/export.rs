//! `evolora export`: a creature of a run, for other programs or for the next run.

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, ValueEnum};

use super::output::{complain, say};
use crate::{
    app::{AppError, Chosen, export_record, find_creature},
    brain::lora::AdapterFormat,
    protocol::HabitatId,
};

/// Flags of `evolora export`.
#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// The folder of the run.
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// Which creature: best, or its number as lineage.csv has it.
    #[arg(long, value_name = "best|ID", default_value = "best")]
    agent: Chosen,
    /// The habitat that it lives in; of several the best of all; a number alone names nobody where there are several.
    #[arg(long, value_name = "N")]
    habitat: Option<u32>,
    /// What it becomes.
    #[arg(long)]
    format: Format,
    /// Where it goes: a folder for peft, else a file.
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
    /// Write over what is there already.
    #[arg(long)]
    overwrite: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// A folder for peft and transformers.
    Peft,
    /// One file for llama.cpp's --lora.
    Gguf,
    /// A creature card, with its lineage and scores.
    Card,
}

impl From<Format> for AdapterFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Peft => Self::Peft,
            Format::Gguf => Self::Gguf,
            Format::Card => Self::Card,
        }
    }
}

pub(super) fn run(args: &ExportArgs) -> Result<ExitCode, AppError> {
    let found = find_creature(&args.run, args.agent, args.habitat.map(HabitatId))?;
    found.troubles.iter().for_each(|trouble| complain(trouble));
    let record = found.record()?;
    let bytes = export_record(&found.config, &record, args.format.into(), &args.out, args.overwrite)?;
    let format = AdapterFormat::from(args.format);
    let (out, layout, kilobytes) = (args.out.display(), &record.creature.layout, bytes as f64 / 1e3);
    say(&format!("{out} ({kilobytes:.0} KB): a {format} for the model {}, {layout}", record.model_name));
    if matches!(args.format, Format::Card) {
        say(&format!("  as a founder: evolora --set lora.adapter={out}"));
    }
    Ok(ExitCode::SUCCESS)
}
