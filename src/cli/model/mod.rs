//! `evolora model`: which models there are, what one holds, and how to get more.

mod download;
mod info;
mod list;

use std::process::ExitCode;

use clap::Subcommand;
use comfy_table::{CellAlignment, Table, presets};

use crate::app::AppError;

/// What is done with models.
#[derive(Debug, Subcommand)]
pub(super) enum ModelCommand {
    /// List the models that are here, and those that can be fetched by name.
    List(list::ListArgs),
    /// Say what the files of a model hold, and the memory that it will need with its minds.
    Info(Box<info::InfoArgs>),
    /// Fetch a model from the Hugging Face hub into its cache on this machine.
    Download(download::DownloadArgs),
}

pub(super) fn run(command: &ModelCommand) -> Result<ExitCode, AppError> {
    match command {
        ModelCommand::List(args) => list::run(args),
        ModelCommand::Info(args) => info::run(args),
        ModelCommand::Download(args) => download::run(args),
    }
}

/// Bytes in the unit that a person reads with ease.
fn size(bytes: u64) -> String {
    let bytes = bytes as f64;
    if bytes < 1e6 { format!("{:.0} KB", bytes / 1e3) } else { format!("{:.1} MB", bytes / 1e6) }
}

/// A table without lines; the named columns stand to the right.
fn table(header: &[&str], right: &[usize]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    for column in right {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}
