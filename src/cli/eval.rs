//! `evolora eval`: a mind on unseen maps.

use std::process::ExitCode;

use clap::Args;
use comfy_table::{CellAlignment, Table, presets};
use serde_json::json;

use super::{output::say, settings::SettingsArgs};
use crate::{
    app::AppError,
    lab::eval::{EvalPlan, Evaluation, evaluate},
};

/// Flags of `evolora eval`.
#[derive(Debug, Args)]
pub(super) struct EvalArgs {
    /// How many maps.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    maps: u32,
    /// One agent alone on each map.
    #[arg(long)]
    alone: bool,
    /// Print the whole evaluation as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

pub(super) fn run(args: &EvalArgs) -> Result<ExitCode, AppError> {
    let alone: &[&str] = if args.alone { &["--agents"] } else { &[] };
    args.settings.note_idle(&[&["--habitats", "--first-habitat", "--generations"], alone].concat());
    let plan = EvalPlan { config: args.settings.load()?.config, maps: args.maps, alone: args.alone };
    let evaluation = evaluate(&plan)?;
    if args.json {
        let whole = json!({ "evaluation": evaluation, "summary": evaluation.summary() });
        say(&format!("{whole:#}"));
    } else {
        print_table(&evaluation, plan.config.run.seed);
    }
    Ok(ExitCode::SUCCESS)
}

fn print_table(evaluation: &Evaluation, seed: u64) {
    let mind = evaluation.mind.word();
    let Evaluation { agents, turns, maps, .. } = evaluation;
    let each = if *agents == 1 { "one agent".to_owned() } else { format!("{agents} agents") };
    say(&format!("{mind} on {} unseen maps of seed {seed}: {each} a map, {turns} turns\n", maps.len()));
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
            map.ratio().map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.3}")),
            map.mind.delivered.to_string(),
            map.mind.deaths.to_string(),
        ]);
    }
    table.column_iter_mut().for_each(|column| column.set_cell_alignment(CellAlignment::Right));
    say(&table.trim_fmt());
    let summary = evaluation.summary();
    say("\nmean fitness, with 95 % confidence interval over maps");
    for (name, estimate, digits) in [
        (mind, summary.mind, 1),
        ("rules", summary.rules, 1),
        ("random", summary.random, 1),
        ("difference to rules", summary.difference_to_rules, 1),
        ("difference to random", summary.difference_to_random, 1),
        ("ratio to rules, map by map", summary.ratio_to_rules, 3),
    ] {
        say(&format!("{name:<28}{:>20}", format!("{estimate:.digits$}")));
    }
    say(&format!("fewest deliveries on a map: {}", summary.fewest_delivered));
    say(&format!("fallback turns: {}", summary.fallback_turns));
}
