//! `evolora headless`: a run without a window, with a row per generation and a folder of results.

use std::{
    io::IsTerminal,
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use clap::Args;
use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use super::{
    keeper::Keeper,
    output::{complain, complain_after, say},
    settings::SettingsArgs,
};
use crate::{
    app::{AppError, Ended, RunReport, Simulation, UNSETTLED},
    config::RunConfig,
    protocol::MindFacts,
    record::{Checkpoints, GenerationRow, RunFiles},
};

/// The exit code of a program that Ctrl-C has stopped.
pub(super) const STOPPED: u8 = 130;

/// Flags of `evolora headless`.
#[derive(Debug, Args)]
pub(super) struct HeadlessArgs {
    /// Write the results into this folder, and checkpoints from which the run can go on.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write over a run that is in the folder already.
    #[arg(long, requires = "out")]
    overwrite: bool,
    /// Go on with the run in this folder from its last checkpoint, with the settings that it began with; of the flags only
    /// --generations, --threads and --model are heard.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["out", "overwrite"])]
    resume: Option<PathBuf>,
    #[command(flatten)]
    settings: SettingsArgs,
}

pub(super) fn run(args: &HeadlessArgs) -> Result<ExitCode, AppError> {
    let stop = stop_on_signal(if args.out.is_some() || args.resume.is_some() {
        "Stopping: what the minds have begun is finished and saved first; Ctrl-C again ends at once."
    } else {
        "Stopping: what the minds have begun is finished first; Ctrl-C again ends at once."
    });
    let (simulation, files) = match &args.resume {
        Some(folder) => resume(folder, &args.settings)?,
        None => begin(args)?,
    };
    let mut simulation = simulation.until(Arc::clone(&stop));
    let (config, facts) = (simulation.config().clone(), simulation.facts().cloned());
    let over = simulation.is_finished();
    if over && files.as_ref().is_some_and(RunFiles::is_complete) {
        say(&nothing_left(&config));
        return Ok(ExitCode::SUCCESS);
    }
    let (before, already) = (simulation.turns(), simulation.rows().len());
    let mut keeper = Keeper::new(files, &config, facts.clone(), before);
    keeper.write_run(None)?;
    keeper.write_rows(&simulation.rows())?;
    let bar = progress_bar(&config, before);
    let (mut printed, mut complained) = (already, None);
    print_header(&config, facts.as_ref(), before);
    let report = simulation.run_watched(|simulation| {
        bar.inc(1);
        let rows = simulation.new_rows(printed);
        bar.suspend(|| rows.iter().for_each(|row| print_row(row, &config)));
        printed += rows.len();
        let stopped = stop.load(Ordering::Relaxed);
        let must = stopped || simulation.is_finished();
        if let Some(complaint) = keeper.keep(simulation, !rows.is_empty(), must)? {
            bar.suspend(|| complain(&complaint));
        }
        let complaint = simulation.complaint();
        if complaint != complained {
            bar.suspend(|| complaint.iter().for_each(|complaint| complain(complaint)));
            complained = complaint;
        }
        // Where the last turn is over, nothing is left to stop.
        let ends = stopped && !simulation.is_finished();
        Ok(if ends { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    bar.finish_and_clear();
    keeper.write_report(&report)?;
    // The last lessons' answers came after the last turn.
    let late = report.complaint.as_deref().filter(|complaint| complained.as_deref() != Some(complaint));
    let unsettled = Some(UNSETTLED).filter(|sentence| !report.settled && late != Some(sentence));
    late.into_iter().chain(unsettled).for_each(complain);
    if over {
        // It was killed between its last checkpoint and its results.
        say(&nothing_left(&config));
    } else {
        print_summary(&report, (before, printed), args.out.as_ref().or(args.resume.as_ref()));
    }
    if let Some(trouble) = keeper.trouble() {
        complain(&format!("The end of the run is in no checkpoint. {trouble}"));
        return Ok(ExitCode::FAILURE);
    }
    if !report.settled {
        return Ok(ExitCode::FAILURE);
    }
    Ok(if report.ended == Ended::Complete { ExitCode::SUCCESS } else { ExitCode::from(STOPPED) })
}

fn nothing_left(config: &RunConfig) -> String {
    let lived = config.run.generations;
    format!("All {lived} generations of this run have lived; --generations with more than that goes on.")
}

/// A run from its beginning, and the folder that it is written to.
fn begin(args: &HeadlessArgs) -> Result<(Simulation, Option<RunFiles>), AppError> {
    let config = args.settings.load()?.config;
    let simulation = Simulation::new(config)?;
    let files = args.out.as_ref().map(|folder| RunFiles::create(folder, args.overwrite)).transpose()?;
    Ok((simulation, files))
}

/// A run that goes on from its last checkpoint.
fn resume(folder: &Path, settings: &SettingsArgs) -> Result<(Simulation, Option<RunFiles>), AppError> {
    let changes = settings.changes()?;
    let checkpoints = Checkpoints::of(folder);
    // Nobody else may write while it is read; where there is no folder none is made.
    let files = folder.is_dir().then(|| RunFiles::open(folder)).transpose()?;
    let checkpoint = checkpoints.newest()?;
    checkpoint.troubles.iter().for_each(|trouble| complain(trouble));
    let turns = checkpoint.state.turns;
    let simulation = Simulation::resume(checkpoint, &changes)?;
    checkpoints.go_on_from(turns)?;
    Ok((simulation, files))
}

/// True once the person or the system has asked the run to end, which is answered with a line; a second time ends the program at once.
pub(super) fn stop_on_signal(answer: &'static str) -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let watching = ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(STOPPED));
        }
        // It may stand beside a progress bar, and its reader may have stopped reading: the second time must be heard all the same.
        let line = if std::io::stderr().is_terminal() { "\n" } else { "" };
        std::thread::spawn(move || complain_after(line, answer));
    });
    if let Err(error) = watching {
        complain(&format!("Ctrl-C will end the run at once, without saving its last turns ({error})."));
    }
    stop
}

fn progress_bar(config: &RunConfig, before: u64) -> ProgressBar {
    let turns = u64::from(config.run.generations) * u64::from(config.run.turns);
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} turns · {rate} · {eta} left");
    let style = style.map(|style| {
        style.with_key("rate", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            // Nothing can be done about a terminal that does not take it.
            let _ = write!(out, "{}", pace(state.per_sec()));
        })
    });
    let bar = ProgressBar::new(turns).with_position(before);
    bar.reset_eta();
    style.map_or(bar.clone(), |style| bar.clone().with_style(style))
}

/// Turns per second in words; seconds per turn where a turn takes longer than one.
fn pace(turns_per_s: f64) -> String {
    match turns_per_s {
        slow if slow > 0.0 && slow < 1.0 => format!("{:.1} seconds per turn", slow.recip()),
        some if some < 10.0 => format!("{some:.1} turns per second"),
        many => format!("{many:.0} turns per second"),
    }
}

fn print_header(config: &RunConfig, facts: Option<&MindFacts>, before: u64) {
    let habitat = if config.run.habitats > 1 { "habitat " } else { "" };
    let goes_on = if before > 0 { format!(" · goes on after {before} turns") } else { String::new() };
    say(&format!(
        "{}{} · {} agents · {}×{} cells · seed {}{goes_on}\n",
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

/// Says how the run went: what it played after the turns `before`, and in which time. `ended` generations are over.
fn print_summary(report: &RunReport, (before, ended): (u64, usize), folder: Option<&PathBuf>) {
    let seconds = report.elapsed.as_secs_f64();
    let turns = report.turns - before;
    let pace = pace(turns as f64 / seconds.max(1e-9));
    let how = match report.ended {
        Ended::Complete => "complete",
        Ended::Interrupted if report.rows.len() > ended => {
            "stopped by Ctrl-C; the living generation is counted as far as it got"
        }
        Ended::Interrupted => "stopped by Ctrl-C",
    };
    say(&format!("\n{how}: {turns} turns in {seconds:.2} s, {pace}"));
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
    if let Some(folder) = folder {
        say(&format!("written to {}", folder.display()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_never_none() {
        let said = [0.0, 0.125, 1.0, 9.94, 514.4].map(pace);
        let turns = |pace: &str| format!("{pace} turns per second");
        assert_eq!(said, [turns("0.0"), "8.0 seconds per turn".to_owned(), turns("1.0"), turns("9.9"), turns("514")]);
    }
}
