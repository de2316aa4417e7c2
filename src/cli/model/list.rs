//! `evolora model list`.

use std::{path::Path, process::ExitCode};

use clap::Args;
use serde_json::json;

use super::{size, table};
use crate::{
    app::AppError,
    brain::{
        SHIPPED_NAME,
        catalog::{Hub, KNOWN, inspect, list_models},
    },
    cli::output::say,
    config::ModelSettings,
};

/// Flags of `evolora model list`.
#[derive(Debug, Args)]
pub(in crate::cli) struct ListArgs {
    /// Print the list as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &ListArgs) -> Result<ExitCode, AppError> {
    let hub = Hub::from_env();
    let here = list_models(Path::new("."), &hub);
    let shipped = inspect(&ModelSettings::default())?.file_bytes();
    if args.json {
        let here: Vec<_> = here
            .iter()
            .map(|found| json!({"name": found.name, "format": found.format.to_string(), "bytes": found.bytes, "path": found.path}))
            .collect();
        let known: Vec<_> =
            KNOWN.iter().map(|known| json!({"name": known.name, "repository": known.repository})).collect();
        let cache = &hub.cache;
        say(&format!("{:#}", json!({"default": SHIPPED_NAME, "here": here, "known": known, "cache": cache})));
        return Ok(ExitCode::SUCCESS);
    }
    say("here, for --model NAME:");
    let mut rows = table(&["name", "format", "size", "where"], &[2]);
    rows.add_row([SHIPPED_NAME, "GGUF", &size(shipped), "within the program; the default"]);
    for found in &here {
        rows.add_row([&found.name, &found.format.to_string(), &size(found.bytes), &found.path.display().to_string()]);
    }
    say(&rows.trim_fmt());
    say("\nto fetch, by `evolora model download NAME` (or OWNER/REPOSITORY of the Hugging Face hub):");
    let mut rows = table(&["name", "what", "repository"], &[]);
    for known in KNOWN.iter().filter(|known| here.iter().all(|found| found.name != known.name)) {
        rows.add_row([known.name, known.words, known.repository]);
    }
    say(&rows.trim_fmt());
    say(&format!("\nlooked in models/ here, and in the Hugging Face cache {}", hub.cache.display()));
    Ok(ExitCode::SUCCESS)
}
