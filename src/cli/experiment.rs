//! `evolora experiment`: arms × seeds, with tables and curves.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use comfy_table::{CellAlignment, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};

use super::{
    headless::{STOPPED, stop_on_signal},
    output::{complain, say},
    settings::SettingsArgs,
};
use crate::{
    app::{AppError, Ended},
    brain::model_sha256,
    config::RunConfig,
    lab::{
        experiment::{
            ARMS, Arm, ChampionPlan, ExperimentError, ExperimentFolder, ExperimentPlan, Results, Stage, Step,
            choose_arms, read_seeds, run_experiment,
        },
        statistics::Estimate,
    },
};

/// Flags of `evolora experiment`.
#[derive(Debug, Args)]
pub(super) struct ExperimentArgs {
    /// The arms, separated by commas, or `all`; `rules` always lives beside them. --list-arms says what there is.
    #[arg(long, value_name = "NAMES", default_value = "random,base,learning,evolution,both")]
    arms: String,
    /// The seeds: 42-46, or 42,43.
    #[arg(long, value_name = "SEEDS", default_value = "42-46")]
    seeds: String,
    /// The folder for results. The same command on the same folder goes on where it was stopped.
    #[arg(long, value_name = "DIR", required_unless_present = "list_arms")]
    out: Option<PathBuf>,
    /// Begin anew in a folder that holds an experiment already.
    #[arg(long, requires = "out")]
    overwrite: bool,
    /// Print the arms, and what each changes, and end.
    #[arg(long)]
    list_arms: bool,
    /// The arms whose champions are played: names, `none`, or `learners`, which is every arm in which agents learn.
    #[arg(long, value_name = "NAMES", default_value = LEARNERS)]
    champions: String,
    /// How many of the fittest of a last generation may become its champion.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    candidates: u32,
    /// Maps on which the champion is chosen.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=1000))]
    validation_maps: u32,
    /// Unseen maps on which the champion is measured.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    maps: u32,
    /// Turns that a champion lives on each map.
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    champion_turns: u32,
    #[command(flatten)]
    settings: SettingsArgs,
}

/// The word for every arm in which agents learn.
const LEARNERS: &str = "learners";

impl ExperimentArgs {
    fn plan(&self) -> Result<ExperimentPlan, ExperimentError> {
        let config = self.settings.load()?.config;
        let arms = choose_arms(&self.arms)?;
        let with_champions = self.with_champions(&config, &arms)?;
        let champions = ChampionPlan {
            candidates: self.candidates,
            validation_maps: self.validation_maps,
            maps: self.maps,
            turns: self.champion_turns,
        };
        let plan = ExperimentPlan { config, arms, seeds: read_seeds(&self.seeds)?, champions, with_champions };
        plan.check()?;
        Ok(plan)
    }

    fn with_champions(&self, config: &RunConfig, arms: &[&'static Arm]) -> Result<Vec<&'static str>, ExperimentError> {
        let mut names = Vec::new();
        match self.champions.trim() {
            "none" => {}
            LEARNERS => {
                for arm in arms {
                    names.extend(arm.learns(config)?.then_some(arm.name));
                }
            }
            text => {
                for arm in choose_arms(text)? {
                    let (lives, has_adapters) = (arms.contains(&arm), arm.has_adapters(config));
                    if text.split(',').any(|name| name.trim() == arm.name) {
                        match (lives, has_adapters) {
                            (false, _) => return Err(ExperimentError::NotAmongArms(arm.name)),
                            (_, false) => return Err(ExperimentError::NoAdapters(arm.name)),
                            _ => {}
                        }
                    }
                    // Of `all`, and of `rules`, which is always there, those that can have a champion.
                    names.extend((lives && has_adapters).then_some(arm.name));
                }
            }
        }
        Ok(names)
    }
}

pub(super) fn run(args: &ExperimentArgs) -> Result<ExitCode, ExperimentError> {
    if args.list_arms {
        ARMS.iter().for_each(|arm| say(&format!("{:<20}  {}", arm.name, arm.help)));
        return Ok(ExitCode::SUCCESS);
    }
    let plan = args.plan()?;
    if plan.arms.iter().any(|arm| arm.has_adapters(&plan.config)) {
        // Found out before the folder is made.
        model_sha256(&plan.config.model).map_err(AppError::from)?;
    }
    let place = args.out.clone().unwrap_or_default();
    let folder = ExperimentFolder::open(place, &plan.config, &plan.champions, args.overwrite)?;
    let stop = stop_on_signal("Stopping after this turn; Ctrl-C again ends at once.");
    let bar = ProgressBar::new(1);
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {msg} · {eta} left") {
        bar.set_style(style);
    }
    let mut told = None;
    let done = run_experiment(&plan, &folder, &stop, &mut |step| {
        if told.is_none() {
            // What is there already took no time now.
            bar.set_length(step.work);
            bar.set_position(step.done);
            bar.reset_eta();
        }
        if told != Some((step.at, step.stage)) {
            bar.set_message(message(&plan, step));
            told = Some((step.at, step.stage));
        }
        bar.set_position(step.done);
    });
    bar.finish_and_clear();
    let (results, ended) = done?;
    print_results(&results);
    results.complaints.iter().for_each(|complaint| complain(complaint));
    say(&format!("\nwritten to {}: summary.md has everything", folder.path().display()));
    if ended == Ended::Interrupted {
        say("stopped by Ctrl-C: the arms above are complete; the same command goes on with the others");
        return Ok(ExitCode::from(STOPPED));
    }
    Ok(ExitCode::SUCCESS)
}

fn message(plan: &ExperimentPlan, step: &Step) -> String {
    let seeds = match plan.seeds.as_slice() {
        [one] => format!("seed {one}"),
        seeds => format!("{} seeds", seeds.len()),
    };
    let stage = match step.stage {
        Stage::Living(generation) => format!("generation {generation} of {}", plan.config.run.generations),
        Stage::Champions => "champions".to_owned(),
    };
    format!("{} ({} of {} arms) · {seeds} · {stage}", step.arm.name, step.at + 1, plan.arms.len())
}

fn print_results(results: &Results) {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header([
        "arm",
        "seeds",
        "mean fitness",
        "ratio to rules",
        "best agent's",
        "champion's",
        "delivered",
        "lines",
        "mean KL",
        "fallback turns",
    ]);
    let shown = |estimate: &Option<Estimate>, digits: usize| {
        estimate.map_or_else(|| "–".to_owned(), |estimate| format!("{estimate:.digits$}"))
    };
    for arm in &results.arms {
        table.add_row([
            arm.arm.name.to_owned(),
            arm.seeds.to_string(),
            format!("{:.1}", arm.fitness),
            shown(&arm.ratio, 3),
            shown(&arm.best_ratio, 3),
            shown(&arm.champion_ratio, 3),
            format!("{:.1}", arm.delivered),
            shown(&arm.lines, 1),
            shown(&arm.diversity, 3),
            arm.fallback_turns.to_string(),
        ]);
    }
    table.column_iter_mut().skip(1).for_each(|column| column.set_cell_alignment(CellAlignment::Right));
    say("last generation, mean ± 95 % over seeds\n");
    say(&table.trim_fmt());
}
