//! `evolora eval`: a mind on unseen maps.

use std::process::ExitCode;

use clap::Args;
use comfy_table::{CellAlignment, Table, presets};

use super::{output::say, settings::SettingsArgs};
use crate::{
    app::AppError,
    lab::eval::{EvalPlan, Evaluation, MapScores, evaluate},
};

/// Flags of `evolora eval`.
#[derive(Debug, Args)]
pub(super) struct EvalArgs {
    #[command(flatten)]
    settings: SettingsArgs,
    /// How many maps.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    maps: u32,
    /// One agent alone on each map.
    #[arg(long)]
    alone: bool,
    /// Print the whole evaluation as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &EvalArgs) -> Result<ExitCode, AppError> {
    let plan = EvalPlan { config: args.settings.load()?.config, maps: args.maps, alone: args.alone };
    let evaluation = evaluate(&plan)?;
    if args.json {
        say(&serde_json::to_string_pretty(&evaluation).unwrap_or_default());
    } else {
        print_table(&evaluation, plan.config.run.seed);
    }
    Ok(ExitCode::SUCCESS)
}

fn print_table(evaluation: &Evaluation, seed: u64) {
    let mind = evaluation.mind.word();
    let Evaluation { agents, turns, maps, .. } = evaluation;
    say(&format!("{mind} on {} unseen maps of seed {seed}: {agents} agents a map, {turns} turns\n", maps.len()));
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header([
        "map",
        mind,
        "rules",
        "random",
        "ratio to rules",
        "delivered",
        "deaths",
    ]);
    for map in maps {
        table.add_row([
            map.map.to_string(),
            format!("{:.1}", map.mind.fitness),
            format!("{:.1}", map.rules.fitness),
            format!("{:.1}", map.random.fitness),
            format!("{:.3}", map.ratio()),
            map.mind.delivered.to_string(),
            map.mind.deaths.to_string(),
        ]);
    }
    table.column_iter_mut().for_each(|column| column.set_cell_alignment(CellAlignment::Right));
    say(&table.trim_fmt());
    let line = |name: &str, value: &dyn Fn(&MapScores) -> f64, digits: usize| {
        say(&format!("{name:<28}{:>22.digits$}", evaluation.mean(value)));
    };
    say("\nmean fitness, with 95 % confidence interval over maps");
    line(mind, &|map| map.mind.fitness, 1);
    line("rules", &|map| map.rules.fitness, 1);
    line("random", &|map| map.random.fitness, 1);
    line("difference to rules", &|map| map.mind.fitness - map.rules.fitness, 1);
    line("difference to random", &|map| map.mind.fitness - map.random.fitness, 1);
    line("ratio to rules, map by map", &MapScores::ratio, 3);
    let fewest = maps.iter().map(|map| map.mind.delivered).min().unwrap_or_default();
    say(&format!("fewest deliveries on a map: {fewest}"));
    let fallback: u32 = maps.iter().map(|map| map.mind.fallback_turns).sum();
    say(&format!("fallback turns: {fallback}"));
}
