//! `evolora headless`: a run without a window, with a row per generation and a folder of results.

use std::{
    ops::ControlFlow,
    path::PathBuf,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use clap::Args;
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use serde_json::json;

use super::{
    output::{complain, say},
    settings::SettingsArgs,
};
use crate::{
    app::{AppError, Ended, RunReport, Simulation},
    config::{LoadedConfig, RunConfig},
    protocol::MindFacts,
    record::{GenerationRow, RunFiles},
};

/// The exit code of a program that Ctrl-C has stopped.
pub(super) const STOPPED: u8 = 130;

/// How often the rows so far are saved, at the most.
const SAVE_EVERY: Duration = Duration::from_millis(500);

/// Flags of `evolora headless`.
#[derive(Debug, Args)]
pub(super) struct HeadlessArgs {
    #[command(flatten)]
    settings: SettingsArgs,
    /// Write generations.csv and run.json into this folder.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write over a run that is in the folder already.
    #[arg(long, requires = "out")]
    overwrite: bool,
}

pub(super) fn run(args: &HeadlessArgs) -> Result<ExitCode, AppError> {
    let loaded = args.settings.load()?;
    let config = loaded.config.clone();
    let stop = stop_on_signal();
    let simulation = Simulation::new(config.clone())?.until(Arc::clone(&stop));
    let facts = simulation.facts().cloned();
    let files = args.out.as_ref().map(|folder| RunFiles::create(folder, args.overwrite)).transpose()?;
    let started = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    if let Some(files) = &files {
        files.write_run(&run_json(&loaded, started, facts.as_ref(), None))?;
        files.write_generations(&[])?;
    }
    let bar = progress_bar(&config);
    let (mut printed, mut saved, mut complained) = (0, Instant::now(), None);
    print_header(&config, facts.as_ref());
    let report = simulation.run_watched(|simulation| {
        bar.inc(1);
        let rows = simulation.new_rows(printed);
        if !rows.is_empty() {
            bar.suspend(|| rows.iter().for_each(|row| print_row(row, &config)));
            printed += rows.len();
            if let Some(files) = files.as_ref().filter(|_| saved.elapsed() >= SAVE_EVERY) {
                files.write_generations(&simulation.rows())?;
                saved = Instant::now();
            }
        }
        let complaint = simulation.complaint();
        if complaint != complained {
            bar.suspend(|| complaint.iter().for_each(|complaint| complain(complaint)));
            complained = complaint;
        }
        Ok(if stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    bar.finish_and_clear();
    if let Some(files) = &files {
        files.write_generations(&report.rows)?;
        if facts.is_some() {
            files.write_lineage(&report.lineage)?;
        }
        files.write_run(&run_json(&loaded, started, facts.as_ref(), Some(&report)))?;
    }
    print_summary(&report, args);
    Ok(if report.ended == Ended::Complete { ExitCode::SUCCESS } else { ExitCode::from(STOPPED) })
}

/// True once the person or the system has asked the run to end; a second time ends the program at once.
pub(super) fn stop_on_signal() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let watching = ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(STOPPED));
        }
    });
    if let Err(error) = watching {
        complain(&format!("Ctrl-C will end the run at once, without saving its last turns ({error})."));
    }
    stop
}

fn progress_bar(config: &RunConfig) -> ProgressBar {
    let turns = u64::from(config.run.generations) * u64::from(config.run.turns);
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} turns · {rate} · {eta} left");
    let style = style.map(|style| {
        style.with_key("rate", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            // Nothing can be done about a terminal that does not take it.
            let _ = write!(out, "{:.0} turns/s", state.per_sec());
        })
    });
    let bar = ProgressBar::new(turns);
    style.map_or(bar.clone(), |style| bar.clone().with_style(style))
}

fn print_header(config: &RunConfig, facts: Option<&MindFacts>) {
    let habitat = if config.run.habitats > 1 { "habitat " } else { "" };
    say(&format!(
        "{}{} · {} agents · {}×{} cells · seed {}\n",
        config.mind.kind,
        facts.map(|facts| format!(" {}", facts.name)).unwrap_or_default(),
        config.habitat.agents,
        config.habitat.size,
        config.habitat.size,
        config.run.seed
    ));
    say(&format!("{habitat}generation  turns  mean fitness  best fitness  collected  delivered  deaths"));
}

fn print_row(row: &GenerationRow, config: &RunConfig) {
    let habitat = if config.run.habitats > 1 { format!("{:>7} ", row.habitat.0) } else { String::new() };
    say(&format!(
        "{habitat}{:>10}  {:>5}  {:>12.1}  {:>12.1}  {:>9}  {:>9}  {:>6}",
        row.generation, row.turns, row.mean_fitness, row.best_fitness, row.collected, row.delivered, row.deaths
    ));
}

fn print_summary(report: &RunReport, args: &HeadlessArgs) {
    let seconds = report.elapsed.as_secs_f64();
    let rate = report.turns as f64 / seconds.max(1e-9);
    let how = match report.ended {
        Ended::Complete => "complete",
        Ended::Interrupted => "stopped by Ctrl-C; the living generation is counted as far as it got",
    };
    say(&format!("\n{how}: {} turns in {seconds:.2} s, {rate:.0} turns per second", report.turns));
    let best = report.rows.iter().max_by(|a, b| a.best_fitness.total_cmp(&b.best_fitness));
    if let Some(best) = best {
        let count = report.rows.len() as f64;
        let mean = report.rows.iter().map(|row| row.mean_fitness).sum::<f64>() / count;
        let delivered: u64 = report.rows.iter().map(|row| row.delivered).sum();
        say(&format!(
            "mean fitness {mean:.1}, best agent {:.1} in generation {} of habitat {}, {delivered} pieces delivered",
            best.best_fitness, best.generation, best.habitat
        ));
    }
    let fallback: u64 = report.rows.iter().map(|row| row.fallback_turns).sum();
    if fallback > 0 {
        say(&format!("fallback turns: {fallback} decisions were made by `rules` because the mind did not answer"));
    }
    if let Some(folder) = &args.out {
        say(&format!("written to {}", folder.display()));
    }
}

/// What `run.json` says: settings, seed, version, host, the language model if one decides, and how the run ended.
fn run_json(
    loaded: &LoadedConfig,
    started: u64,
    facts: Option<&MindFacts>,
    report: Option<&RunReport>,
) -> serde_json::Value {
    let mut system = sysinfo::System::new();
    system.refresh_memory();
    system.refresh_cpu_all();
    json!({
        "program": "evolora",
        "version": env!("CARGO_PKG_VERSION"),
        "seed": loaded.config.run.seed,
        "started_unix_s": started,
        "ended": report.map_or("running", |report| match report.ended {
            Ended::Complete => "complete",
            Ended::Interrupted => "interrupted",
        }),
        "turns": report.map(|report| report.turns),
        "elapsed_s": report.map(|report| report.elapsed.as_secs_f64()),
        "fallback_turns": report.map(|report| report.rows.iter().map(|row| row.fallback_turns).sum::<u64>()),
        "complaint": report.and_then(|report| report.complaint.clone()),
        "host": {
            "system": std::env::consts::OS,
            "architecture": std::env::consts::ARCH,
            "cpu": system.cpus().first().map(|cpu| cpu.brand().trim().to_owned()),
            "cores": system.cpus().len(),
            "memory_bytes": system.total_memory(),
        },
        "model": facts.map(|facts| json!({
            "name": facts.name,
            "path": facts.path,
            "sha256": facts.sha256,
            "parameters": facts.parameters,
            "model_bytes": facts.model_bytes,
            "adapter_bytes": facts.adapter_bytes,
        })),
        "settings": loaded.config,
    })
}
