//! Measures a mind on maps that no run ever lives on, beside `rules` and `random` on the very same maps.

use serde::Serialize;

use super::statistics::Estimate;
use crate::{
    app::{AppError, Simulation},
    config::{MindKind, RunConfig},
    record::GenerationRow,
};

/// What to measure.
#[derive(Debug, Clone)]
pub struct EvalPlan {
    /// The settings; `mind.kind` is the mind that is measured, `run.seed` chooses the maps.
    pub config: RunConfig,
    /// How many maps.
    pub maps: u32,
    /// One agent alone on each map, in place of the settings' number.
    pub alone: bool,
}

/// What one mind reached on one map.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Score {
    /// Mean fitness of the agents.
    pub fitness: f64,
    /// Pieces of food delivered, by all agents together.
    pub delivered: u64,
    /// Agents that died.
    pub deaths: u64,
    /// Decisions that `rules` made because the mind did not answer.
    pub fallback_turns: u64,
}

/// One map, and what each mind reached on it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MapScores {
    /// The map's number.
    pub map: u32,
    /// The mind that is measured.
    pub mind: Score,
    /// `rules` on the same map.
    pub rules: Score,
    /// `random` on the same map.
    pub random: Score,
}

impl MapScores {
    /// Fitness of the mind, divided by that of `rules`; `None` where `rules` has none.
    pub fn ratio(&self) -> Option<f64> {
        (self.rules.fitness != 0.0).then(|| self.mind.fitness / self.rules.fitness)
    }
}

/// Means over maps, with their 95 % confidence intervals.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Summary {
    /// Fitness of the mind.
    pub mind: Estimate,
    /// Fitness of `rules`.
    pub rules: Estimate,
    /// Fitness of `random`.
    pub random: Estimate,
    /// The mind less `rules`, map by map.
    pub difference_to_rules: Estimate,
    /// The mind less `random`, map by map.
    pub difference_to_random: Estimate,
    /// The mind divided by `rules`, map by map, where `rules` is not 0.
    pub ratio_to_rules: Estimate,
    /// The fewest pieces that the mind delivered on a map.
    pub fewest_delivered: u64,
    /// Decisions that `rules` made because the mind did not answer.
    pub fallback_turns: u64,
}

/// A mind's scores on all maps.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// The mind.
    pub mind: MindKind,
    /// Agents on each map.
    pub agents: u32,
    /// Turns on each map.
    pub turns: u32,
    /// The maps.
    pub maps: Vec<MapScores>,
}

impl Evaluation {
    /// The means over all maps.
    pub fn summary(&self) -> Summary {
        let mean = |value: fn(&MapScores) -> Option<f64>| {
            Estimate::of(&self.maps.iter().filter_map(value).collect::<Vec<_>>())
        };
        Summary {
            mind: mean(|map| Some(map.mind.fitness)),
            rules: mean(|map| Some(map.rules.fitness)),
            random: mean(|map| Some(map.random.fitness)),
            difference_to_rules: mean(|map| Some(map.mind.fitness - map.rules.fitness)),
            difference_to_random: mean(|map| Some(map.mind.fitness - map.random.fitness)),
            ratio_to_rules: mean(MapScores::ratio),
            fewest_delivered: self.maps.iter().map(|map| map.mind.delivered).min().unwrap_or_default(),
            fallback_turns: self.maps.iter().map(|map| map.mind.fallback_turns).sum(),
        }
    }
}

/// Lets the mind, `rules` and `random` live one generation on each of the maps.
///
/// Maps, food, starting cells and everybody's random streams are the same for each mind.
///
/// # Errors
/// The settings cannot be used, or a mind cannot be started.
pub fn evaluate(plan: &EvalPlan) -> Result<Evaluation, AppError> {
    let mut config = plan.config.clone().frozen();
    config.run.habitats = plan.maps;
    config.run.first_habitat = 0;
    config.run.generations = 1;
    if plan.alone {
        config.habitat.agents = 1;
    }
    config.check()?;
    let mind = config.mind.kind;
    let rules = live(&config, MindKind::Rules)?;
    let random = live(&config, MindKind::Random)?;
    let measured = match mind {
        MindKind::Rules => rules.clone(),
        MindKind::Random => random.clone(),
        MindKind::Llm => live(&config, mind)?,
    };
    let scores = measured.iter().zip(&rules).zip(&random);
    let maps = scores.enumerate().map(|(map, ((mind, rules), random))| MapScores {
        map: map as u32,
        mind: *mind,
        rules: *rules,
        random: *random,
    });
    Ok(Evaluation { mind, agents: config.habitat.agents, turns: config.run.turns, maps: maps.collect() })
}

fn live(config: &RunConfig, kind: MindKind) -> Result<Vec<Score>, AppError> {
    let mut config = config.clone();
    config.mind.kind = kind;
    let report = Simulation::on_unseen_maps(config)?.run()?;
    if let Some(complaint) = report.complaint {
        // What `rules` did in a mind's stead is no measure of that mind.
        return Err(AppError::Mind(complaint));
    }
    let score = |row: &GenerationRow| Score {
        fitness: row.mean_fitness,
        delivered: row.delivered,
        deaths: row.deaths,
        fallback_turns: row.fallback_turns,
    };
    Ok(report.rows.iter().map(score).collect())
}
