//! The command line: flags, subcommands, exit codes, and what is printed.
//!
//! Exit codes: 0 done, 1 it could not be done (one sentence on stderr says why), 2 wrong usage, 130 stopped by Ctrl-C.

mod agent;
mod bench;
mod bench_memory;
mod bench_shape;
mod bench_turn;
mod bench_window;
mod config;
mod eval;
mod experiment;
mod export;
mod headless;
mod import;
mod inspect;
mod keeper;
mod model;
mod output;
mod pretrain;
mod screenshot;
mod settings;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::app::AppError;
use settings::SettingsArgs;

/// A desktop world in which language-model minds are born, learn, breed and die before your eyes. Without a command it opens the window.
#[derive(Debug, Parser)]
#[command(name = "evolora", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    window: WindowArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run without a window and print a row per generation.
    Headless(headless::HeadlessArgs),
    /// Play one agent turn by turn in the terminal, or ask its mind one question.
    Agent(agent::AgentArgs),
    /// Look into a run's folder: who is alive, the hall of fame, and what one creature remembers.
    Inspect(inspect::InspectArgs),
    /// Measure a mind on unseen maps, beside `rules` and `random` on the same maps.
    Eval(eval::EvalArgs),
    /// Let the same habitats be lived by different minds, with several seeds: tables, intervals and curves.
    Experiment(experiment::ExperimentArgs),
    /// Measure speed and memory on this machine: decisions, lessons, turns, frames.
    #[command(subcommand)]
    Bench(bench::BenchCommand),
    /// List models, look into one, or fetch one.
    #[command(subcommand)]
    Model(model::ModelCommand),
    /// Take a creature out of a run: for peft, for llama.cpp, or as a card for the next run.
    Export(export::ExportArgs),
    /// Make creature cards of adapters: PEFT folders, GGUF adapters, or cards.
    Import(Box<import::ImportArgs>),
    /// Make the default model from nothing: corpus, tokenizer, training, probe questions, one GGUF file.
    Pretrain(pretrain::PretrainArgs),
    /// Draw a picture of the window, without one.
    Screenshot(Box<screenshot::ScreenshotArgs>),
    /// Print every setting, its value, and where it came from.
    Config(config::ConfigArgs),
}

/// Flags of the window.
#[derive(Debug, clap::Args)]
struct WindowArgs {
    /// Keep the run in this folder, as `evolora headless` does.
    #[arg(long, value_name = "DIR")]
    out: Option<std::path::PathBuf>,
    /// Write over a run that is in the folder already.
    #[arg(long, requires = "out")]
    overwrite: bool,
    /// Save a picture of the window to this PNG file after --screenshot-turns turns, and close it.
    #[arg(long, value_name = "FILE")]
    screenshot: Option<std::path::PathBuf>,
    /// Turns to play before the picture is taken.
    #[arg(long, value_name = "N", default_value_t = 60, requires = "screenshot")]
    screenshot_turns: u32,
    /// Size of the window, in pixels.
    #[arg(long, value_name = "WIDTHxHEIGHT", default_value = "1280x800", value_parser = parse_size)]
    window_size: (u32, u32),
    #[command(flatten)]
    settings: SettingsArgs,
}

fn parse_size(text: &str) -> Result<(u32, u32), String> {
    let parts = text.split_once('x').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    let fits = |(w, h): &(u32, u32)| (960..=7680).contains(w) && (600..=4320).contains(h);
    parts
        .filter(fits)
        .ok_or_else(|| "write it as WIDTHxHEIGHT from 960x600 to 7680x4320, for example 1280x800".to_owned())
}

/// Reads the arguments, does what they say, and gives the exit code.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Some(Command::Headless(args)) => headless::run(&args),
        Some(Command::Agent(args)) => agent::run(&args),
        Some(Command::Inspect(args)) => inspect::run(&args),
        Some(Command::Eval(args)) => eval::run(&args),
        Some(Command::Experiment(args)) => return finish(experiment::run(&args)),
        Some(Command::Bench(command)) => bench::run(&command),
        Some(Command::Model(command)) => model::run(&command),
        Some(Command::Export(args)) => export::run(&args),
        Some(Command::Import(args)) => import::run(&args),
        Some(Command::Pretrain(args)) => pretrain::run(&args),
        Some(Command::Screenshot(args)) => screenshot::run(&args),
        Some(Command::Config(args)) => config::run(&args),
        None => open_window(&cli.window),
    };
    finish(done)
}

/// The exit code; where it could not be done, the person is told why.
fn finish(done: Result<ExitCode, impl std::fmt::Display>) -> ExitCode {
    done.unwrap_or_else(|error| {
        output::complain(&error.to_string());
        ExitCode::FAILURE
    })
}

#[cfg(feature = "desktop")]
fn open_window(args: &WindowArgs) -> Result<ExitCode, AppError> {
    let config = args.settings.load()?.config;
    let screenshot = args.screenshot.clone().map(|file| crate::app::Screenshot {
        file,
        turns: args.screenshot_turns,
        scene: "start".to_owned(),
        dark: true,
    });
    // A picture is left alone at once.
    let answer = "Closing the window, which keeps the run; Ctrl-C again ends at once.";
    let stop = screenshot.is_none().then(|| headless::stop_on_signal(answer));
    let plan = crate::app::WindowPlan {
        size: args.window_size,
        screenshot,
        out: args.out.clone(),
        overwrite: args.overwrite,
        offscreen: false,
        stop,
    };
    crate::app::open_window(config, plan).map(ExitCode::from)
}

#[cfg(not(feature = "desktop"))]
fn open_window(_: &WindowArgs) -> Result<ExitCode, AppError> {
    Err(AppError::NoWindow("this program was built without the desktop feature".to_owned()))
}
