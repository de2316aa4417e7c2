//! `evolora bench`: what decisions, lessons and turns cost on this machine, and how near they come to what it can do.

use std::process::ExitCode;

use clap::{Arg, Args, Subcommand};

use super::{
    bench_memory::{self, MemoryArgs},
    bench_shape::ShapeArgs,
    bench_turn::{self, TurnArgs},
    bench_window::{self, WindowBenchArgs},
    output::say,
    settings::{SettingsArgs, most_agents},
};
use crate::{
    app::AppError,
    brain::learn::Uses,
    lab::{
        bench::{BenchPlan, bench_decide},
        bench_arithmetic::{ArithmeticReport, bench_arithmetic},
        bench_train::bench_train,
        machine::{Reached, in_threads},
    },
};

/// What is measured.
#[derive(Debug, Subcommand)]
pub(super) enum BenchCommand {
    /// Decisions: every agent with an adapter of its own, all of them in one question.
    Decide(DecideArgs),
    /// What rounding activations to int8 changes: decisions in f32 and in int8 on the same prompts.
    Arithmetic(ArithmeticArgs),
    /// Training steps: every agent with an adapter of its own, all of them in one request.
    Train(TrainArgs),
    /// Whole turns of a run without a window, without learning and with it.
    Turn(TurnArgs),
    /// What a run without a window takes of memory, by part.
    Memory(MemoryArgs),
    /// Frames of the window, drawn without one.
    Window(WindowBenchArgs),
}

impl BenchCommand {
    /// The flags that name a shape in place of a model, where there are such.
    const fn shape(&self) -> Option<&ShapeArgs> {
        match self {
            Self::Decide(args) => Some(&args.common.shape),
            Self::Arithmetic(args) => Some(&args.common.shape),
            Self::Train(args) => Some(&args.common.shape),
            Self::Turn(args) => Some(&args.shape),
            Self::Memory(args) => Some(&args.shape),
            Self::Window(_) => None,
        }
    }
}

/// Flags that change nothing in a bench without turns.
const USELESS: [&str; 7] =
    ["--mind", "--generations", "--turns", "--habitats", "--first-habitat", "--size", "--perception"];

/// Whether a flag is among some, which are written as a person writes them.
pub(super) fn is_among(flag: &Arg, some: &[&str]) -> bool {
    flag.get_long().is_some_and(|long| some.iter().any(|one| one.trim_start_matches('-') == long))
}

/// A flag of a bench without turns, as `--help` shows it: the ones that change nothing there are left out.
fn without_turns(flag: Arg) -> Arg {
    if is_among(&flag, &USELESS) {
        return flag.hide(true);
    }
    match flag.get_id().as_str() {
        // Free replies alone take another time at another one.
        "temperature" => flag.hide(true),
        "threads" => flag.help("Threads for the model, 0 for one per core"),
        "agents" => {
            flag.help("Agents that are asked together; several numbers separated by commas [default: 1,20,200]")
        }
        _ => flag,
    }
}

/// Seconds to measure for.
pub(super) fn parse_seconds(word: &str) -> Result<f64, String> {
    let seconds = word.parse().ok().filter(|seconds| (0.0..=86_400.0).contains(seconds));
    seconds.ok_or_else(|| "write a number of seconds from 0 to 86400".to_owned())
}

/// A number of things, of which there is one at least.
pub(super) fn parse_count(word: &str) -> Result<u32, String> {
    word.parse().ok().filter(|count| *count > 0).ok_or_else(|| "write a whole number from 1".to_owned())
}

/// A number of samples in a step.
fn parse_batch(word: &str) -> Result<u32, String> {
    /// More than any step can use; its prompts must have room.
    const MOST: u32 = 4096;
    let count = word.parse().ok().filter(|count| (1..=MOST).contains(count));
    count.ok_or_else(|| format!("write a whole number from 1 to {MOST}"))
}

/// Flags of every bench without turns.
#[derive(Debug, Args)]
#[command(mut_args(without_turns))]
struct CommonArgs {
    #[command(flatten)]
    shape: ShapeArgs,
    /// Print the measurements as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

impl CommonArgs {
    /// What is measured for so many seconds each, for the numbers of agents that `--agents` names, else those of the older `--for`.
    fn plan(&self, sizes: &[u32], seconds: f64) -> Result<BenchPlan, AppError> {
        let (loaded, named) = self.settings.load_with_sizes()?;
        self.settings.note_idle(&USELESS);
        Ok(BenchPlan { config: loaded.config, agents: named.unwrap_or_else(|| sizes.to_vec()), seconds })
    }
}

/// Flags of `evolora bench decide`.
#[derive(Debug, Args)]
pub(super) struct DecideArgs {
    /// The same as --agents.
    #[arg(long = "for", hide = true, value_name = "N", value_delimiter = ',', default_values_t = [1, 20, 200], value_parser = clap::value_parser!(u32).range(1..))]
    sizes: Vec<u32>,
    /// Seconds to measure each row for.
    #[arg(long, value_name = "S", default_value_t = 5.0, value_parser = parse_seconds, allow_hyphen_values = true)]
    seconds: f64,
    #[command(flatten)]
    common: CommonArgs,
}

/// Flags of `evolora bench arithmetic`.
#[derive(Debug, Args)]
#[command(mut_arg("agents", |flag| flag.help("Agents that are asked together: one number [default: 20]")))]
pub(super) struct ArithmeticArgs {
    /// Prompts to decide both ways.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = parse_count)]
    prompts: u32,
    #[command(flatten)]
    common: CommonArgs,
}

/// Flags of `evolora bench train`.
#[derive(Debug, Args)]
#[command(mut_arg("agents", |flag| flag.help("Agents that learn together; several numbers separated by commas [default: 1,20]")))]
pub(super) struct TrainArgs {
    /// The same as --agents.
    #[arg(long = "for", hide = true, value_name = "N", value_delimiter = ',', default_values_t = [1, 20], value_parser = clap::value_parser!(u32).range(1..))]
    sizes: Vec<u32>,
    /// Samples of a step, several sizes separated by commas.
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "4,8,16", value_parser = parse_batch)]
    batch: Vec<u32>,
    /// Seconds to measure each row for.
    #[arg(long, value_name = "S", default_value_t = 5.0, value_parser = parse_seconds, allow_hyphen_values = true)]
    seconds: f64,
    /// Learn from the same experiences in every round, so that what is kept of their prompts can be used (`HIDDEN_CACHE`): where
    /// adapters begin above the lowest layer (`--set lora.layers=10`).
    #[arg(long)]
    again: bool,
    #[command(flatten)]
    common: CommonArgs,
}

pub(super) fn run(command: &BenchCommand) -> Result<ExitCode, AppError> {
    if let Some(measured) = command.shape().and_then(ShapeArgs::measured_elsewhere) {
        return measured;
    }
    match command {
        BenchCommand::Decide(args) => decide(args)?,
        BenchCommand::Arithmetic(args) => arithmetic(args)?,
        BenchCommand::Train(args) => train(args)?,
        BenchCommand::Turn(args) => bench_turn::run(args)?,
        BenchCommand::Memory(args) => bench_memory::run(args)?,
        BenchCommand::Window(args) => bench_window::run(args)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Two columns: what was reached, and what part of the machine's limit that is.
pub(super) fn reached(reached: &Reached) -> String {
    format!("{:>7.1}  {:>10.0} %", reached.gflops, reached.share_of_limit * 100.0)
}

fn decide(args: &DecideArgs) -> Result<(), AppError> {
    let plan = args.common.plan(&args.sizes, args.seconds)?;
    let mut title = Some(
        "agents  rounds  ms per decision (median)     p95  decisions/s  tokens/s  GFLOP/s  of the limit  peak memory",
    );
    let report = bench_decide(&plan, |row| {
        if !args.common.json {
            title.take().into_iter().for_each(say);
            let (peak, timing) = (row.timing.peak(), &row.timing);
            say(&format!(
                "{:>6}  {:>6}  {:>24.3}  {:>6.3}  {:>11.0}  {:>8.0}  {}  {peak:>11}",
                row.agents,
                timing.rounds,
                timing.median_ms,
                timing.p95_ms,
                row.decisions_per_s,
                row.tokens_per_s,
                reached(&row.reached)
            ));
        }
    })?;
    if args.common.json {
        say(&serde_json::to_string_pretty(&report).unwrap_or_default());
    } else {
        say(&format!(
            "\n{}: {} parameters, {:.1} MiB; an adapter {:.1} KiB; {:.1} tokens a decision; {}",
            report.model,
            report.parameters,
            report.model_mib,
            report.adapter_kib,
            report.tokens,
            in_threads(report.threads)
        ));
        say(&report.machine.say());
    }
    Ok(())
}

fn train(args: &TrainArgs) -> Result<(), AppError> {
    let plan = args.common.plan(&args.sizes, args.seconds)?;
    let mut title =
        Some("agents  batch  rounds  ms per step (median)      p95  steps/s  GFLOP/s  of the limit  peak memory");
    let report = bench_train(&plan, &args.batch, args.again, |row| {
        if !args.common.json {
            title.take().into_iter().for_each(say);
            let (peak, timing) = (row.timing.peak(), &row.timing);
            say(&format!(
                "{:>6}  {:>5}  {:>6}  {:>20.3}  {:>7.3}  {:>7.0}  {}  {peak:>11}",
                row.agents,
                row.batch,
                timing.rounds,
                timing.median_ms,
                timing.p95_ms,
                row.steps_per_s,
                reached(&row.reached)
            ));
        }
    })?;
    if args.common.json {
        say(&serde_json::to_string_pretty(&report).unwrap_or_default());
    } else {
        say(&format!(
            "\n{}: {} parameters; an adapter {:.1} KiB; {:.1} tokens a sample; {}",
            report.model,
            report.parameters,
            report.adapter_kib,
            report.tokens,
            in_threads(report.threads)
        ));
        match report.hidden {
            Some(Uses { found, missed }) => {
                let all = found + missed;
                say(&format!("what the layers below the adapters make of a prompt was kept {found} of {all} times"));
            }
            None if args.again => {
                say("nothing could be kept of the prompts: adapters begin in the lowest layer, or HIDDEN_CACHE is 0")
            }
            None => {}
        }
        say(&report.machine.say());
    }
    Ok(())
}

fn arithmetic(args: &ArithmeticArgs) -> Result<(), AppError> {
    let plan = args.common.plan(&[20], 0.0)?;
    if plan.agents.len() > 1 {
        let value = plan.agents.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        return Err(AppError::Sizes { what: "one whole number", most: most_agents(), value });
    }
    let report = bench_arithmetic(&plan, args.prompts as usize)?;
    if args.common.json {
        say(&serde_json::to_string_pretty(&report).unwrap_or_default());
    } else {
        say(&arithmetic_in_words(&report));
    }
    Ok(())
}

fn arithmetic_in_words(report: &ArithmeticReport) -> String {
    let ArithmeticReport { model, prompts, mean_kl, most_kl, most_log, f32_ms, int8_ms, .. } = report;
    let threads = in_threads(report.threads);
    if report.is_same {
        return format!(
            "{model}: {prompts} prompts, decided the same in f32 and in int8, to the last bit: its matrices are not quantised, or not in a way \
             that int8 is for; {f32_ms:.3} ms per decision; {threads}"
        );
    }
    let (likeliest, times) = (100.0 * report.same_likeliest, f32_ms / int8_ms);
    format!(
        "{model}: {prompts} prompts; KL(f32 ‖ int8) {mean_kl:.2e} on average, {most_kl:.2e} at most; log π differs by {most_log:.3} at most, \
         the likeliest action is the same in {likeliest:.1} %\n\
         f32 {f32_ms:.3} ms per decision, int8 {int8_ms:.3} ms: {times:.2} times as fast; {threads}"
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Bench {
        #[command(subcommand)]
        command: BenchCommand,
    }

    #[test]
    fn help_shows_a_benchs_own_flags_first_and_none_that_change_nothing() {
        let help = |of: &str| Bench::try_parse_from(["bench", of, "--help"]).unwrap_err().to_string();
        for (of, own, hidden) in [
            ("decide", "--seconds", "--turns"),
            ("train", "--again", "--habitats"),
            ("arithmetic", "--prompts", "--mind"),
            ("turn", "--learning", "--generations"),
            ("memory", "--span", "--turns"),
        ] {
            let text = help(of);
            let (options, settings) = text.split_once("Settings:").unwrap();
            assert!(options.contains(own) && settings.contains("--threads"), "{text}");
            assert!(!text.contains(&format!("{hidden} ")), "{text}");
        }
        // What is hidden is taken all the same: scripts of before go on.
        assert!(Bench::try_parse_from(["bench", "decide", "--turns", "5"]).is_ok());
        // What would be of no use from the beginning is not.
        for wrong in [&["arithmetic", "--seconds", "1"], &["train", "--batch", "4097"]] {
            assert!(Bench::try_parse_from([&["bench"], &wrong[..]].concat()).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn seconds_are_a_number_of_them() {
        assert_eq!(parse_seconds("0.5"), Ok(0.5));
        for wrong in ["nan", "-1", "inf", "1e9", "soon", ""] {
            assert!(parse_seconds(wrong).is_err(), "{wrong}");
        }
        assert!(parse_count("3") == Ok(3) && ["0", "-1", "4 8", "x"].iter().all(|wrong| parse_count(wrong).is_err()));
    }
}
