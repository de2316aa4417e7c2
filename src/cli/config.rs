//! `evolora config`: every setting, its value, and where it came from.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use comfy_table::{Table, presets};

use super::{output::say, settings::SettingsArgs};
use crate::{
    app::AppError,
    config::{env_template, specs, toml_template},
};

/// Flags of `evolora config`.
#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    /// Print a commented file with all defaults, in place of the table.
    #[arg(long)]
    template: Option<Template>,
    #[command(flatten)]
    settings: SettingsArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Template {
    // evolora.toml
    Toml,
    // .env.example
    Env,
}

pub(super) fn run(args: &ConfigArgs) -> Result<ExitCode, AppError> {
    match args.template {
        Some(Template::Toml) => say(toml_template().trim_end()),
        Some(Template::Env) => say(env_template().trim_end()),
        None => print_table(args)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn print_table(args: &ConfigArgs) -> Result<(), AppError> {
    let loaded = args.settings.load()?;
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["setting", "value", "unit", "came from", "in .env"]);
    for spec in specs() {
        let value = loaded.value(spec.key);
        table.add_row([spec.key, &value, spec.unit, &loaded.origin(spec.key), spec.env]);
    }
    say(&table.trim_fmt());
    Ok(())
}
