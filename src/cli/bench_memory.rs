//! `evolora bench memory`: what a run without a window takes, by part.

use clap::{Arg, Args};

use super::{
    bench::{is_among, parse_count},
    bench_shape::ShapeArgs,
    output::say,
    settings::SettingsArgs,
};
use crate::{
    app::AppError,
    lab::bench_memory::{MemoryBench, MemoryPlan, bench_memory},
};

/// Flags that change nothing here: how long is played says `--span`.
const USELESS: [&str; 2] = ["--generations", "--turns"];

/// A flag as `--help` shows it.
fn of_memory(flag: Arg) -> Arg {
    if is_among(&flag, &USELESS) { flag.hide(true) } else { flag }
}

/// Flags of `evolora bench memory`.
#[derive(Debug, Args)]
#[command(mut_args(of_memory))]
pub(super) struct MemoryArgs {
    #[command(flatten)]
    pub(super) shape: ShapeArgs,
    /// Turns of each of the two generations that are played.
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = parse_count)]
    span: u32,
    /// Print the measurements as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

pub(super) fn run(args: &MemoryArgs) -> Result<(), AppError> {
    args.settings.note_idle(&USELESS);
    let report = bench_memory(&MemoryPlan { config: args.settings.load()?.config, turns: args.span })?;
    if args.json {
        say(&serde_json::to_string_pretty(&report).unwrap_or_default());
        return Ok(());
    }
    for part in &report.parts {
        say(&format!("{:>8.1} MB  {}", megabytes(part.bytes), part.name));
    }
    say(&summary(&report));
    for part in &report.in_files {
        say(&format!("{:>8.1} MB  not counted: {}", megabytes(part.bytes), part.name));
    }
    if !report.in_files.is_empty() {
        say(
            "             of files the system keeps in memory what it has room for, and takes that back when it is needed",
        );
    }
    Ok(())
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn summary(report: &MemoryBench) -> String {
    let MemoryBench { model, agents, turns, peak, line, .. } = report;
    let (most, line, is_met) = (megabytes(*peak), megabytes(*line), peak <= line);
    let verdict = if is_met { "within" } else { "beyond" };
    format!("{most:>8.1} MB  at the peak, {verdict} the line of {line:.0} MB; {model}, {agents} agents, {turns} turns")
}
