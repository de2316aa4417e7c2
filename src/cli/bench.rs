//! `evolora bench`: what decisions cost, on this machine.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{output::say, settings::SettingsArgs};
use crate::{
    app::AppError,
    brain::files::Mix,
    lab::bench::{BenchPlan, SMOLLM_135M, bench_decide},
};

/// What is measured.
#[derive(Debug, Subcommand)]
pub(super) enum BenchCommand {
    /// Decisions: every agent with an adapter of its own, all of them in one question.
    Decide(DecideArgs),
}

/// Flags of `evolora bench decide`.
#[derive(Debug, Args)]
pub(super) struct DecideArgs {
    #[command(flatten)]
    settings: SettingsArgs,
    /// Random weights of a known shape, in place of a model: smollm-135m.
    #[arg(long, value_name = "NAME", value_parser = ["smollm-135m"], conflicts_with = "model")]
    shape: Option<String>,
    /// How the random weights are quantised: f32, f16, q8_0, q4_0 or q4_k_m.
    #[arg(long, value_name = "TYPE", default_value = "q4_0", value_parser = parse_mix, requires = "shape")]
    quant: Mix,
    /// Numbers of agents to measure.
    #[arg(long = "for", value_name = "N", value_delimiter = ',', default_values_t = [1, 20, 200])]
    sizes: Vec<u32>,
    /// Seconds to measure each number of agents for.
    #[arg(long, value_name = "S", default_value_t = 5.0)]
    seconds: f64,
    /// Print the measurements as JSON.
    #[arg(long)]
    json: bool,
}

fn parse_mix(word: &str) -> Result<Mix, String> {
    let known = Mix::WORDS.iter().find(|(name, _)| *name == word).map(|(_, mix)| *mix);
    known.ok_or_else(|| "write f32, f16, q8_0, q4_0 or q4_k_m".to_owned())
}

pub(super) fn run(command: &BenchCommand) -> Result<ExitCode, AppError> {
    let BenchCommand::Decide(args) = command;
    let plan = BenchPlan {
        config: args.settings.load()?.config,
        shape: args.shape.as_ref().map(|_| (SMOLLM_135M, args.quant)),
        agents: args.sizes.iter().copied().filter(|agents| *agents > 0).collect(),
        seconds: args.seconds,
    };
    if !args.json {
        say("agents  rounds  ms per decision (median)     p95  decisions/s  tokens/s  peak memory");
    }
    let report = bench_decide(&plan, |row| {
        if !args.json {
            let peak = row.peak_mib.map_or_else(|| "–".to_owned(), |peak| format!("{peak:.0} MiB"));
            say(&format!(
                "{:>6}  {:>6}  {:>24.3}  {:>6.3}  {:>11.0}  {:>8.0}  {peak:>11}",
                row.agents, row.rounds, row.median_ms, row.p95_ms, row.decisions_per_s, row.tokens_per_s
            ));
        }
    })?;
    if args.json {
        say(&serde_json::to_string_pretty(&report).unwrap_or_default());
    } else {
        say(&format!(
            "\n{}: {} parameters, {:.1} MiB; an adapter {:.1} KiB; {:.1} tokens a decision; {} threads",
            report.model, report.parameters, report.model_mib, report.adapter_kib, report.tokens, report.threads
        ));
    }
    Ok(ExitCode::SUCCESS)
}
