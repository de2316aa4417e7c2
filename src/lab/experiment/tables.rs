//! The numbers of an experiment: everything beside `rules` on the same maps, and means over seeds with their intervals.

use serde::Serialize;

use super::{
    arms::{Arm, RULES},
    champion::Champion,
    folder::Cell,
    plan::ExperimentPlan,
};
use crate::{lab::statistics::Estimate, record::GenerationRow};

/// One generation of one arm and seed. The columns of an experiment's `generations.csv`, in order.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GenerationResult {
    /// The arm.
    pub arm: &'static str,
    /// The seed.
    pub seed: u64,
    /// The generation, from 0.
    pub generation: u32,
    /// Turns that it lasted.
    pub turns: u32,
    /// Mean fitness of its agents.
    pub mean_fitness: f64,
    /// Median fitness.
    pub median_fitness: f64,
    /// Fitness of the best agent.
    pub best_fitness: f64,
    /// Fitness of the worst agent.
    pub worst_fitness: f64,
    /// Mean fitness of `rules` on the same map.
    pub rules_mean_fitness: Option<f64>,
    /// Mean fitness divided by that; empty where `rules` has none above 0.
    pub ratio_to_rules: Option<f64>,
    /// The best agent's fitness divided by the mean of `rules`.
    pub best_ratio_to_rules: Option<f64>,
    /// Pieces of food delivered, by all agents together.
    pub delivered: u64,
    /// Agents that died.
    pub deaths: u64,
    /// Decisions that `rules` made because the model did not answer; 0, or it is no result of the model.
    pub fallback_turns: u64,
    /// Founders' lines among those who lived.
    pub lines: u32,
    /// Mean KL between what any two would do in the same situations, in nats; empty without a model.
    pub diversity: Option<f64>,
    /// Lessons from which agents learned.
    pub lessons: u64,
    /// Lessons that were refused, because a number was not finite.
    pub refused_lessons: u64,
    /// Mean loss of the lessons.
    pub loss: Option<f64>,
    /// Mean entropy of what was learned from, in nats.
    pub entropy: Option<f64>,
}

/// What an arm came to: means over seeds of its last generation.
#[derive(Debug, Clone, PartialEq)]
pub struct ArmSummary {
    /// The arm.
    pub arm: &'static Arm,
    /// Seeds that it has lived with.
    pub seeds: usize,
    /// Mean fitness.
    pub fitness: Estimate,
    /// Mean fitness divided by that of `rules` on the same map.
    pub ratio: Option<Estimate>,
    /// The best agent's fitness divided by the mean of `rules`.
    pub best_ratio: Option<Estimate>,
    /// Pieces of food delivered by all agents together.
    pub delivered: Estimate,
    /// Founders' lines alive; `None` for scripted minds.
    pub lines: Option<Estimate>,
    /// Mean pairwise KL.
    pub diversity: Option<Estimate>,
    /// Decisions of all generations, and of the champions, that `rules` made in the model's stead.
    pub fallback_turns: u64,
    /// Of the champions: fitness divided by that of `rules`, as the ratio of the sums over maps.
    pub champion_ratio: Option<Estimate>,
    /// The same as the mean over maps of the ratio on each.
    pub champion_map_ratio: Option<Estimate>,
}

/// One seed's champion.
#[derive(Debug, Clone, PartialEq)]
pub struct ChampionResult {
    /// The arm.
    pub arm: &'static str,
    /// The seed.
    pub seed: u64,
    /// The champion.
    pub champion: Champion,
}

impl ChampionResult {
    /// Fitness summed over maps, divided by that of `rules`.
    pub fn ratio(&self) -> Option<f64> {
        let sum = |value: fn(&super::MapResult) -> f64| self.champion.maps.iter().map(value).sum::<f64>();
        ratio(sum(|map| map.fitness), sum(|map| map.rules_fitness))
    }

    /// The mean over maps of the ratio on each, with the interval over maps.
    pub fn map_ratio(&self) -> Option<Estimate> {
        estimate(self.champion.maps.iter().map(|map| ratio(map.fitness, map.rules_fitness)))
    }

    fn fallback_turns(&self) -> u64 {
        self.champion.maps.iter().map(|map| map.fallback_turns).sum()
    }
}

/// What an experiment has come to so far.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Results {
    /// By arm, seed and generation.
    pub generations: Vec<GenerationResult>,
    /// By arm, those that have lived with a seed at least.
    pub arms: Vec<ArmSummary>,
    /// By arm and seed.
    pub champions: Vec<ChampionResult>,
    /// What went wrong, by arm and seed.
    pub complaints: Vec<String>,
}

/// A quotient that says something only where it is of two sums of food brought home.
fn ratio(of: f64, rules: f64) -> Option<f64> {
    (rules > 0.0).then(|| of / rules)
}

/// The mean of values that are all there.
fn estimate(values: impl Iterator<Item = Option<f64>>) -> Option<Estimate> {
    let values: Vec<f64> = values.collect::<Option<_>>()?;
    (!values.is_empty()).then(|| Estimate::of(&values))
}

impl Results {
    /// Makes all numbers from what was lived.
    pub fn of(plan: &ExperimentPlan, cells: &[Cell]) -> Self {
        let mut results = Self::default();
        for arm in &plan.arms {
            let of_arm = |seed: &u64| cells.iter().find(|cell| cell.arm == arm.name && cell.seed == *seed);
            let lived: Vec<_> = plan.seeds.iter().filter_map(of_arm).collect();
            let begins = results.champions.len();
            for cell in &lived {
                let rules = cells.iter().find(|other| other.arm == RULES && other.seed == cell.seed);
                let rows = cell.rows.iter().map(|row| generation(arm.name, cell.seed, row, rules));
                results.generations.extend(rows);
                let champion = cell.champion.clone().filter(|_| plan.with_champions.contains(&arm.name));
                let champion = champion.map(|champion| ChampionResult { arm: arm.name, seed: cell.seed, champion });
                results.champions.extend(champion);
                let complaint = cell.complaint.iter();
                results.complaints.extend(complaint.map(|what| format!("{}, seed {}: {what}", arm.name, cell.seed)));
            }
            if !lived.is_empty() {
                let summary = results.summary(arm, lived.len(), begins);
                results.arms.push(summary);
            }
        }
        results
    }

    fn summary(&self, arm: &'static Arm, seeds: usize, begins: usize) -> ArmSummary {
        let of_arm = || self.generations.iter().filter(|row| row.arm == arm.name);
        let last_of = |seed: u64| of_arm().rfind(move |row| row.seed == seed);
        let mut distinct: Vec<u64> = of_arm().map(|row| row.seed).collect();
        distinct.dedup();
        let last: Vec<_> = distinct.into_iter().filter_map(last_of).collect();
        let mean = |value: fn(&GenerationResult) -> Option<f64>| estimate(last.iter().map(|row| value(row)));
        let number =
            |value: fn(&GenerationResult) -> f64| Estimate::of(&last.iter().map(|row| value(row)).collect::<Vec<_>>());
        let champions = &self.champions[begins..];
        let diversity = mean(|row| row.diversity);
        ArmSummary {
            arm,
            seeds,
            fitness: number(|row| row.mean_fitness),
            ratio: mean(|row| row.ratio_to_rules),
            best_ratio: mean(|row| row.best_ratio_to_rules),
            delivered: number(|row| row.delivered as f64),
            lines: diversity.and_then(|_| mean(|row| Some(f64::from(row.lines)))),
            diversity,
            fallback_turns: of_arm().map(|row| row.fallback_turns).sum::<u64>()
                + champions.iter().map(ChampionResult::fallback_turns).sum::<u64>(),
            champion_ratio: estimate(champions.iter().map(ChampionResult::ratio)),
            champion_map_ratio: estimate(champions.iter().map(|one| Some(one.map_ratio()?.mean))),
        }
    }
}

fn generation(arm: &'static str, seed: u64, row: &GenerationRow, rules: Option<&Cell>) -> GenerationResult {
    let same = |other: &&GenerationRow| other.generation == row.generation;
    let rules = rules.and_then(|cell| cell.rows.iter().find(same)).map(|row| row.mean_fitness);
    GenerationResult {
        arm,
        seed,
        generation: row.generation,
        turns: row.turns,
        mean_fitness: row.mean_fitness,
        median_fitness: row.median_fitness,
        best_fitness: row.best_fitness,
        worst_fitness: row.worst_fitness,
        rules_mean_fitness: rules,
        ratio_to_rules: rules.and_then(|rules| ratio(row.mean_fitness, rules)),
        best_ratio_to_rules: rules.and_then(|rules| ratio(row.best_fitness, rules)),
        delivered: row.delivered,
        deaths: row.deaths,
        fallback_turns: row.fallback_turns,
        lines: row.lines,
        diversity: row.diversity,
        lessons: row.lessons,
        refused_lessons: row.refused_lessons,
        loss: row.loss,
        entropy: row.entropy,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::RunConfig,
        lab::experiment::{ChampionPlan, MapResult, choose_arms},
        protocol::CreatureId,
    };

    /// One generation that counts, after one that does not.
    fn cell(arm: &str, seed: u64, fitness: f64, fallback_turns: u64) -> Cell {
        let row = |generation, mean_fitness| GenerationRow {
            generation,
            mean_fitness,
            best_fitness: 2.0 * fitness,
            fallback_turns,
            delivered: seed,
            ..GenerationRow::default()
        };
        let map = |map, fitness| MapResult {
            map,
            fitness,
            rules_fitness: 100.0 * f64::from(map + 1),
            delivered: 0,
            rules_delivered: 0,
            died: false,
            fallback_turns: 0,
        };
        let champion = Champion {
            creature: CreatureId(7),
            lived_fitness: 0.0,
            validation_ratio: None,
            maps: vec![map(0, 50.0 * seed as f64), map(1, 200.0)],
        };
        Cell {
            arm: arm.to_owned(),
            seed,
            version: String::new(),
            commit: String::new(),
            model: None,
            complaint: None,
            rows: vec![row(0, -5.0), row(1, fitness)],
            champion: (arm == "both").then_some(champion),
            settings: RunConfig::default(),
        }
    }

    /// By hand: ratios 0.5, 0.75 and 1 have the mean 0.75 and the standard deviation 0.25; t(0.975, 2) = 4.302653.
    #[test]
    fn means_are_over_seeds_beside_rules_on_the_same_maps() {
        let rules = [(1, 100.0), (2, 200.0), (3, 50.0)].map(|(seed, fitness)| cell("rules", seed, fitness, 0));
        let both = [(1, 50.0), (2, 150.0), (3, 50.0)].map(|(seed, fitness)| cell("both", seed, fitness, 4));
        let plan = ExperimentPlan {
            config: RunConfig::default(),
            arms: choose_arms("both,base").unwrap(),
            seeds: vec![1, 2, 3],
            champions: ChampionPlan::default(),
            with_champions: vec!["both"],
        };
        let results = Results::of(&plan, &[both, rules].concat());
        assert_eq!(
            results.arms.iter().map(|arm| arm.arm.name).collect::<Vec<_>>(),
            ["rules", "both"],
            "base has not lived"
        );
        let both = &results.arms[1];
        let close = |estimate: Option<Estimate>, mean: f64, margin: f64| {
            let estimate = estimate.unwrap();
            let close = (estimate.mean - mean).abs() < 1e-12 && (estimate.margin - margin).abs() < 1e-5;
            assert!(close, "{estimate:?} should be {mean} ± {margin}");
        };
        let t = 4.302_653 / 3.0_f64.sqrt();
        close(both.ratio, 0.75, 0.25 * t);
        close(both.best_ratio, 1.5, 0.5 * t);
        close(Some(both.fitness), 250.0 / 3.0, 57.735_027 * t);
        close(Some(both.delivered), 2.0, t);
        // Sums (50 s + 200) / 300, and means of (50 s / 100, 200 / 200).
        close(both.champion_ratio, 1.0, t * 50.0 / 300.0);
        close(both.champion_map_ratio, 1.0, t * 0.25);
        assert_eq!((both.seeds, both.fallback_turns, both.lines, both.diversity), (3, 24, None, None));
        let rows: Vec<_> =
            results.generations.iter().map(|row| (row.arm, row.seed, row.generation, row.ratio_to_rules)).collect();
        assert_eq!(rows[6..8], [("both", 1, 0, None), ("both", 1, 1, Some(0.5))], "rules has -5 in generation 0");
        assert_eq!(rows.len(), 12);
    }
}
