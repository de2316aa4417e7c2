//! `evolora bench turn`: what whole turns cost.

use clap::{Arg, Args};

use super::{
    bench::{is_among, parse_seconds, reached},
    bench_shape::ShapeArgs,
    output::say,
    settings::SettingsArgs,
};
use crate::{
    app::AppError,
    lab::bench_turn::{TurnPlan, TurnRow, bench_turn},
};

/// Flags that change nothing here: how many habitats there are follows from the number of agents, and generations end as they do.
const USELESS: [&str; 2] = ["--generations", "--habitats"];

/// A flag as `--help` shows it.
fn of_turns(flag: Arg) -> Arg {
    if is_among(&flag, &USELESS) {
        return flag.hide(true);
    }
    match flag.get_id().as_str() {
        "first_habitat" => flag.hide(true),
        "agents" => flag.help("Agents in all habitats together, as many to each as the settings say; several numbers separated by commas [default: 20]"),
        "threads" => flag.help("Threads for the habitats and the model, 0 for one per core"),
        _ => flag,
    }
}

/// Flags of `evolora bench turn`. `--agents` takes several numbers, separated by commas: agents of all habitats together.
#[derive(Debug, Args)]
#[command(mut_args(of_turns))]
pub(super) struct TurnArgs {
    #[command(flatten)]
    pub(super) shape: ShapeArgs,
    /// Measure without learning only, with it only, or both.
    #[arg(long, value_name = "WHEN", default_value = "both", value_parser = ["off", "on", "both"])]
    learning: String,
    /// Seconds to measure each row for.
    #[arg(long, value_name = "S", default_value_t = 5.0, value_parser = parse_seconds, allow_hyphen_values = true)]
    seconds: f64,
    /// Print the measurements as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

pub(super) fn run(args: &TurnArgs) -> Result<(), AppError> {
    let (loaded, sizes) = args.settings.load_with_sizes()?;
    args.settings.note_idle(&USELESS);
    let learning = match args.learning.as_str() {
        "off" => vec![false],
        "on" => vec![true],
        _ => vec![false, true],
    };
    let agents = sizes.unwrap_or_else(|| vec![20]);
    let plan = TurnPlan { config: loaded.config, agents, learning, seconds: args.seconds };
    if !args.json {
        say("agents  habitats  learning  turns/s  decisions/s  µs per agent  ms per turn (median)     p95  \
             deciding  training  habitat  rest  GFLOP/s  of the limit  peak memory");
    }
    let report = bench_turn(&plan, |row| {
        if !args.json {
            say(&line(row));
            if let Some(kept) = row.hidden_kept {
                let share = kept * 100.0;
                say(&format!(
                    "        what the layers below the adapters make of a prompt was kept for {share:.0} % of those learned from"
                ));
            }
        }
    })?;
    if args.json {
        say(&serde_json::to_string_pretty(&report).unwrap_or_default());
    } else {
        say(&format!("\n{}; nobody dies here, and nothing is written to files", report.mind));
        report.machine.iter().for_each(|machine| say(&machine.say()));
    }
    Ok(())
}

fn line(row: &TurnRow) -> String {
    let TurnRow { timing, shares, .. } = row;
    let [deciding, training, habitat, rest] =
        [shares.deciding, shares.training, shares.habitat, shares.rest].map(|share| format!("{:.0} %", share * 100.0));
    format!(
        "{:>6}  {:>8}  {:>8}  {:>7.1}  {:>11.0}  {:>12.1}  {:>20.3}  {:>6.3}  \
         {deciding:>8}  {training:>8}  {habitat:>7}  {rest:>4}  {}  {:>11}",
        row.agents,
        row.habitats,
        if row.learns { "on" } else { "off" },
        row.turns_per_s,
        row.decisions_per_s,
        row.agent_us,
        timing.median_ms,
        timing.p95_ms,
        row.reached.as_ref().map_or_else(|| format!("{:>7}  {:>12}", "–", "–"), reached),
        timing.peak()
    )
}
