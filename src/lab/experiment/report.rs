//! The files that a person reads: tables as CSV, a summary as Markdown, curves as SVG. They are made from the cells anew
//! each time, and nothing in the CSV files depends on when or how fast anything was lived.

use std::{
    fmt::{Display, Write as _},
    io::Write as _,
};

use serde::Serialize;

use super::{
    arms::Arm,
    differences::differences,
    error::ExperimentError,
    folder::{Cell, ExperimentFolder},
    plan::ExperimentPlan,
    plot::{draw_curves, draw_diversity},
    tables::{ArmSummary, ChampionResult, Results},
};
use crate::{
    config::RunConfig,
    lab::statistics::Estimate,
    record::{replace_file, write_csv},
};

/// A row of `summary.csv`: means over seeds and half the width of their 95 % intervals.
#[derive(Debug, Serialize)]
struct SummaryRow {
    arm: &'static str,
    seeds: usize,
    mean_fitness: f64,
    mean_fitness_ci95: Option<f64>,
    ratio_to_rules: Option<f64>,
    ratio_to_rules_ci95: Option<f64>,
    best_ratio_to_rules: Option<f64>,
    best_ratio_to_rules_ci95: Option<f64>,
    delivered: f64,
    delivered_ci95: Option<f64>,
    lines: Option<f64>,
    lines_ci95: Option<f64>,
    diversity: Option<f64>,
    diversity_ci95: Option<f64>,
    champion_ratio_of_sums: Option<f64>,
    champion_ratio_of_sums_ci95: Option<f64>,
    champion_mean_ratio: Option<f64>,
    champion_mean_ratio_ci95: Option<f64>,
    fallback_turns: u64,
}

/// Half the width of the interval, where there is one.
fn margin(estimate: &Estimate) -> Option<f64> {
    estimate.margin.is_finite().then_some(estimate.margin)
}

impl From<&ArmSummary> for SummaryRow {
    fn from(of: &ArmSummary) -> Self {
        let mean = |estimate: &Option<Estimate>| estimate.as_ref().map(|estimate| estimate.mean);
        let wide = |estimate: &Option<Estimate>| estimate.as_ref().and_then(margin);
        Self {
            arm: of.arm.name,
            seeds: of.seeds,
            mean_fitness: of.fitness.mean,
            mean_fitness_ci95: margin(&of.fitness),
            ratio_to_rules: mean(&of.ratio),
            ratio_to_rules_ci95: wide(&of.ratio),
            best_ratio_to_rules: mean(&of.best_ratio),
            best_ratio_to_rules_ci95: wide(&of.best_ratio),
            delivered: of.delivered.mean,
            delivered_ci95: margin(&of.delivered),
            lines: mean(&of.lines),
            lines_ci95: wide(&of.lines),
            diversity: mean(&of.diversity),
            diversity_ci95: wide(&of.diversity),
            champion_ratio_of_sums: mean(&of.champion_ratio),
            champion_ratio_of_sums_ci95: wide(&of.champion_ratio),
            champion_mean_ratio: mean(&of.champion_map_ratio),
            champion_mean_ratio_ci95: wide(&of.champion_map_ratio),
            fallback_turns: of.fallback_turns,
        }
    }
}

/// A row of `champions.csv`: one champion on one map.
#[derive(Debug, Serialize)]
struct ChampionRow {
    arm: &'static str,
    seed: u64,
    creature: u32,
    map: u32,
    fitness: f64,
    rules_fitness: f64,
    delivered: u64,
    rules_delivered: u64,
    died: bool,
    fallback_turns: u64,
}

fn champion_rows(one: &ChampionResult) -> impl Iterator<Item = ChampionRow> {
    one.champion.maps.iter().map(|map| ChampionRow {
        arm: one.arm,
        seed: one.seed,
        creature: one.champion.creature.0,
        map: map.map,
        fitness: map.fitness,
        rules_fitness: map.rules_fitness,
        delivered: map.delivered,
        rules_delivered: map.rules_delivered,
        died: map.died,
        fallback_turns: map.fallback_turns,
    })
}

/// Makes every table and plot from what was lived.
pub(super) fn write_results(
    plan: &ExperimentPlan,
    folder: &ExperimentFolder,
    cells: &[Cell],
) -> Result<Results, ExperimentError> {
    let results = Results::of(plan, cells);
    let place = |name: &str| folder.path().join(name);
    write_csv(&place("generations.csv"), &results.generations)?;
    write_csv(&place("summary.csv"), &results.arms.iter().map(SummaryRow::from).collect::<Vec<_>>())?;
    write_csv(&place("champions.csv"), &results.champions.iter().flat_map(champion_rows).collect::<Vec<_>>())?;
    let page = summary_page(plan, cells, &results);
    replace_file(&place("summary.md"), |file| file.write_all(page.as_bytes()))?;
    draw_curves(&place("curves.svg"), &results)?;
    draw_diversity(&place("diversity.svg"), &results)?;
    Ok(results)
}

/// A mean with its interval, or a dash.
fn shown(estimate: Option<&Estimate>, digits: usize) -> String {
    estimate.map_or_else(|| "–".to_owned(), |estimate| format!("{estimate:.digits$}"))
}

/// Every distinct value, in the order in which they come.
fn distinct<T: Display>(values: impl Iterator<Item = T>) -> String {
    let mut known: Vec<String> = Vec::new();
    for value in values.map(|value| value.to_string()) {
        if !known.contains(&value) {
            known.push(value);
        }
    }
    known.join(", ")
}

/// `summary.md`.
fn summary_page(plan: &ExperimentPlan, cells: &[Cell], results: &Results) -> String {
    let mut page = heading(plan, cells);
    if let Some(missing) = missing(plan, cells) {
        let _ =
            writeln!(page, "\n**This is not complete:** {missing}. The same command on this folder goes on with them.");
    }
    page += "\n| arm | mean fitness | ratio to `rules` | best agent's ratio | delivered | founders' lines | mean pairwise KL | \
             champion's ratio, of sums | champion's ratio, mean | fallback turns |\n\
             |---|---|---|---|---|---|---|---|---|---|\n";
    for arm in &results.arms {
        let mark = if arm.fallback_turns > 0 { " (**no result of the model**)" } else { "" };
        let _ = writeln!(
            page,
            "| `{}`{mark} | {:.1} | {} | {} | {:.1} | {} | {} | {} | {} | {} |",
            arm.arm.name,
            arm.fitness,
            shown(arm.ratio.as_ref(), 3),
            shown(arm.best_ratio.as_ref(), 3),
            arm.delivered,
            shown(arm.lines.as_ref(), 1),
            shown(arm.diversity.as_ref(), 3),
            shown(arm.champion_ratio.as_ref(), 3),
            shown(arm.champion_map_ratio.as_ref(), 3),
            arm.fallback_turns,
        );
    }
    page += "\n![Mean fitness divided by that of rules, by generation](curves.svg)\n\n\
             ![Founders' lines alive and mean pairwise KL, by generation](diversity.svg)\n";
    champion_table(plan, results, &mut page);
    page += "\n## Arms\n\n| arm | what it is | what it changes |\n|---|---|---|\n";
    for arm in &plan.arms {
        let changed = arm.settings(&plan.config, plan.config.run.seed).map(|config| differences(&plan.config, &config));
        let changed = changed.unwrap_or_default().iter().map(|one| format!("`{one}`")).collect::<Vec<_>>().join(", ");
        let _ = writeln!(
            page,
            "| `{}` | {} | {} |",
            arm.name,
            arm.help,
            if changed.is_empty() { "nothing" } else { &changed }
        );
    }
    if !results.complaints.is_empty() {
        page += "\n## What went wrong\n\n";
        results.complaints.iter().for_each(|complaint| page += &format!("- {complaint}\n"));
    }
    page
}

/// What has not been lived yet, arm by arm with its seeds; `None` where everything has.
fn missing(plan: &ExperimentPlan, cells: &[Cell]) -> Option<String> {
    let is_there = |arm: &str, seed: u64| cells.iter().any(|cell| cell.arm == arm && cell.seed == seed);
    let of_arm = |arm: &&Arm| {
        let seeds = distinct(plan.seeds.iter().filter(|seed| !is_there(arm.name, **seed)));
        (!seeds.is_empty()).then(|| format!("`{}` with the seeds {seeds}", arm.name))
    };
    let missing: Vec<_> = plan.arms.iter().filter_map(of_arm).collect();
    (!missing.is_empty()).then(|| format!("still to be lived are {}", missing.join("; ")))
}

fn heading(plan: &ExperimentPlan, cells: &[Cell]) -> String {
    let run = &plan.config.run;
    let changed = differences(&RunConfig::default(), &plan.config);
    let changed = changed.iter().map(|one| format!("`{one}`")).collect::<Vec<_>>().join(", ");
    let models = cells.iter().filter_map(|cell| cell.model.as_ref());
    let models = distinct(models.map(|model| format!("{}, SHA-256 `{}`", model.name, model.sha256)));
    let seeds = plan.seeds.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    format!(
        "# Experiment\n\n\
         - Program: evolora {}, commit {}\n\
         - Model: {}\n\
         - {} generations of {} turns, {} agents, seeds {seeds}\n\
         - Settings that differ from the defaults: {}\n\
         - Made again by: `{}`\n\n\
         Mean ± half the width of the 95 % interval over seeds (Student's t), of the last generation. A ratio is fitness divided by \
         the mean fitness of `rules` on the same map and the same food. `fallback turns` are decisions that `rules` made because \
         the model did not answer. Every generation is in `generations.csv`.\n",
        distinct(cells.iter().map(|cell| &cell.version)),
        distinct(cells.iter().map(|cell| &cell.commit)),
        if models.is_empty() { "none" } else { &models },
        run.generations,
        run.turns,
        plan.config.habitat.agents,
        if changed.is_empty() { "none" } else { &changed },
        plan.command(),
    )
}

fn champion_table(plan: &ExperimentPlan, results: &Results, page: &mut String) {
    if results.champions.is_empty() {
        return;
    }
    let champions = &plan.champions;
    let _ = write!(
        page,
        "\n## Champions\n\n\
         Of the {} fittest of the last generation the one that does best on {} validation maps; then frozen (nobody learns or \
         explores) and alone on each of {} unseen maps for {} turns, beside `rules` alone on them. The maps are those of \
         `evolora eval --alone` with the same seed; intervals are over maps. `champions.csv` has every map.\n\n\
         | arm | seed | creature | ratio on the validation maps | sum of fitness / that of `rules` | mean ratio | fewest delivered | maps on which it died |\n\
         |---|---|---|---|---|---|---|---|\n",
        champions.candidates, champions.validation_maps, champions.maps, champions.turns,
    );
    for one in &results.champions {
        let number = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.3}"));
        let maps = &one.champion.maps;
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} | {} | {} | {} | {} |",
            one.arm,
            one.seed,
            one.champion.creature,
            number(one.champion.validation_ratio),
            number(one.ratio()),
            shown(one.map_ratio().as_ref(), 3),
            maps.iter().map(|map| map.delivered).min().unwrap_or_default(),
            maps.iter().filter(|map| map.died).count(),
        );
    }
}
