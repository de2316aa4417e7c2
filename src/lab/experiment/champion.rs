//! Champions: of the fittest of a last generation the one that does best by itself on maps which are neither those that it
//! lived on nor those that it is measured on, and how it does there: alone, frozen, beside `rules`.

use std::ops::ControlFlow;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use serde::{Deserialize, Serialize};

use crate::{
    app::{AppError, Ended, HabitatPlan, Simulation},
    brain::Mind,
    config::{MindKind, RunConfig},
    protocol::{CreatureId, HabitatId, Streams},
    record::GenerationRow,
};

/// The number of the first validation map; test maps are numbered from 0, as in an evaluation.
const VALIDATION: u32 = 1000;

/// How champions are found and played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChampionPlan {
    /// How many of the fittest are tried.
    pub candidates: u32,
    /// On how many maps each of them is tried.
    pub validation_maps: u32,
    /// On how many maps the best is measured: those of `evolora eval --alone`.
    pub maps: u32,
    /// Turns on each map.
    pub turns: u32,
}

impl Default for ChampionPlan {
    fn default() -> Self {
        Self { candidates: 10, validation_maps: 30, maps: 20, turns: 500 }
    }
}

impl ChampionPlan {
    /// What differs, as the flag that says it, what it was, and what it is.
    pub(super) fn differences(&self, other: &Self) -> impl Iterator<Item = (String, String, String)> {
        let rows = [
            ("--candidates", self.candidates, other.candidates),
            ("--validation-maps", self.validation_maps, other.validation_maps),
            ("--maps", self.maps, other.maps),
            ("--champion-turns", self.turns, other.turns),
        ];
        let differ = rows.into_iter().filter(|(_, old, new)| old != new);
        differ.map(|(flag, old, new)| (flag.to_owned(), old.to_string(), new.to_string()))
    }
}

/// What a champion reached on one map, alone and frozen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MapResult {
    /// The map's number.
    pub map: u32,
    /// Its fitness.
    pub fitness: f64,
    /// The fitness of `rules` alone on the same map.
    pub rules_fitness: f64,
    /// Pieces of food delivered.
    pub delivered: u64,
    /// The same of `rules`.
    pub rules_delivered: u64,
    /// Whether it died.
    pub died: bool,
    /// Decisions that `rules` made because the model did not answer; 0, or it is no result of the model.
    pub fallback_turns: u64,
}

/// The best of a last generation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Champion {
    /// Who it is.
    pub creature: CreatureId,
    /// Its fitness in the last generation, among the others.
    pub lived_fitness: f64,
    /// Its fitness on the validation maps, divided by that of `rules`: sums over maps.
    pub validation_ratio: Option<f64>,
    /// The maps that it was measured on.
    pub maps: Vec<MapResult>,
}

/// One that may be a champion.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub creature: CreatureId,
    pub fitness: f64,
    pub mind: Mind,
}

/// A stage of the search.
pub(super) struct Trial<'a> {
    /// The settings of the arm.
    pub arm: &'a RunConfig,
    pub plan: &'a ChampionPlan,
    pub stop: &'a Arc<AtomicBool>,
}

impl Trial<'_> {
    /// The champion of every seed, from its candidates, fittest first; `None` where the person has stopped it. `watch` is told
    /// the turns that have been played: of validation, and then of the test.
    pub(super) fn champions(
        &self,
        seeds: &[(u64, Vec<Candidate>)],
        watch: &mut dyn FnMut(u64),
    ) -> Result<Option<Vec<Option<Champion>>>, AppError> {
        let maps: Vec<u32> = (VALIDATION..VALIDATION + self.plan.validation_maps).collect();
        let all: Vec<_> =
            seeds.iter().flat_map(|(seed, some)| some.iter().map(move |one| (*seed, &one.mind))).collect();
        let Some(tried) = self.alone(MindKind::Llm, &all, &maps, &mut *watch)? else { return Ok(None) };
        let Some(rules) = self.rules(seeds, &maps)? else { return Ok(None) };
        let sum = |rows: &Vec<GenerationRow>| rows.iter().map(|row| row.mean_fitness).sum::<f64>();
        let mut tried = tried.iter().map(sum);
        let mut best = Vec::new();
        for ((_, candidates), rules) in seeds.iter().zip(&rules) {
            let scored = candidates.iter().zip(&mut tried);
            // Of equals the one that lived better, which stands first.
            let first = scored.reduce(|best, next| if next.1 > best.1 { next } else { best });
            let rules = sum(rules);
            best.push(first.map(|(one, sum)| (one, (rules > 0.0).then(|| sum / rules))));
        }
        let chosen: Vec<_> =
            seeds.iter().zip(&best).filter_map(|((seed, _), one)| Some((*seed, &one.as_ref()?.0.mind))).collect();
        let maps: Vec<u32> = (0..self.plan.maps).collect();
        let before = u64::from(self.plan.turns);
        let Some(played) = self.alone(MindKind::Llm, &chosen, &maps, &mut |turns| watch(before + turns))? else {
            return Ok(None);
        };
        let Some(rules) = self.rules(seeds, &maps)? else { return Ok(None) };
        let mut played = played.into_iter();
        let champion = |(best, rules): (Option<(&Candidate, Option<f64>)>, Vec<GenerationRow>)| {
            let (one, validation_ratio) = best?;
            let pairs = maps.iter().zip(played.next()?).zip(rules);
            let maps = pairs.map(|((map, mine), rules)| map_result(*map, &mine, &rules)).collect();
            Some(Champion { creature: one.creature, lived_fitness: one.fitness, validation_ratio, maps })
        };
        Ok(Some(best.into_iter().zip(rules).map(champion).collect()))
    }

    fn rules(
        &self,
        seeds: &[(u64, Vec<Candidate>)],
        maps: &[u32],
    ) -> Result<Option<Vec<Vec<GenerationRow>>>, AppError> {
        let seeds: Vec<_> = seeds.iter().map(|(seed, _)| (*seed, ())).collect();
        self.play(MindKind::Rules, &seeds, maps, |()| Vec::new(), &mut |_| {})
    }

    fn alone(
        &self,
        kind: MindKind,
        players: &[(u64, &Mind)],
        maps: &[u32],
        watch: &mut dyn FnMut(u64),
    ) -> Result<Option<Vec<Vec<GenerationRow>>>, AppError> {
        self.play(kind, players, maps, |mind| vec![mind.clone()], watch)
    }

    /// Lets every player live alone on every map of its seed, frozen; gives a row per player and map.
    fn play<T: Copy>(
        &self,
        kind: MindKind,
        players: &[(u64, T)],
        maps: &[u32],
        mind: impl Fn(T) -> Vec<Mind>,
        watch: &mut dyn FnMut(u64),
    ) -> Result<Option<Vec<Vec<GenerationRow>>>, AppError> {
        if players.is_empty() || maps.is_empty() {
            return Ok(Some(vec![Vec::new(); players.len()]));
        }
        let mut config = self.arm.clone().frozen();
        config.mind.kind = kind;
        (config.habitat.agents, config.run.generations, config.run.turns) = (1, 1, self.plan.turns);
        let mut plans = Vec::with_capacity(players.len() * maps.len());
        for (seed, player) in players {
            config.run.seed = *seed;
            let shared = Arc::new(config.clone());
            for map in maps {
                plans.push(HabitatPlan {
                    id: HabitatId(plans.len() as u32),
                    streams: Streams { seed: *seed, habitat: HabitatId(*map), unseen: true },
                    config: Arc::clone(&shared),
                    minds: mind(*player),
                });
            }
        }
        let simulation = Simulation::of_habitats(config, plans)?.until(Arc::clone(self.stop));
        let report = simulation.run_watched(|simulation| {
            watch(simulation.turns());
            Ok(if self.stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        let rows = report.rows.chunks(maps.len()).map(<[_]>::to_vec).collect();
        Ok((report.ended == Ended::Complete).then_some(rows))
    }
}

fn map_result(map: u32, mine: &GenerationRow, rules: &GenerationRow) -> MapResult {
    MapResult {
        map,
        fitness: mine.mean_fitness,
        rules_fitness: rules.mean_fitness,
        delivered: mine.delivered,
        rules_delivered: rules.delivered,
        died: mine.deaths > 0,
        fallback_turns: mine.fallback_turns,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Adapters of agents that have learned for a while, by seed.
    fn candidates(config: &RunConfig) -> Vec<Candidate> {
        let mut config = config.clone();
        (config.habitat.agents, config.run.turns, config.run.generations) = (4, 80, 1);
        config.learning.learning_rate = 0.02;
        let simulation = Simulation::new(config).unwrap();
        let shelf = simulation.shelf().unwrap().clone();
        simulation.run().unwrap();
        let minds = shelf.open().minds.clone();
        minds.into_iter().map(|((_, creature), mind)| Candidate { creature, fitness: 0.0, mind }).collect()
    }

    /// What one reaches alone on an unseen map of its seed in 40 turns, where nobody learns, breeds or explores.
    fn frozen(config: &RunConfig, seed: u64, map: u32, mind: &Mind) -> f64 {
        let mut config = config.clone();
        (config.run.seed, config.run.turns, config.run.generations, config.habitat.agents) = (seed, 40, 1, 1);
        (config.learning.enabled, config.evolution.enabled, config.mind.exploration) = (false, false, 0.0);
        let plan = HabitatPlan {
            id: HabitatId(9),
            streams: Streams { seed, habitat: HabitatId(map), unseen: true },
            config: Arc::new(config.clone()),
            minds: vec![mind.clone()],
        };
        Simulation::of_habitats(config, vec![plan]).unwrap().run().unwrap().rows[0].mean_fitness
    }

    #[test]
    fn the_one_that_does_best_on_the_validation_maps_is_measured_on_the_others() {
        let mut config = RunConfig::default();
        config.habitat.size = 10;
        let plan = ChampionPlan { candidates: 4, validation_maps: 3, maps: 2, turns: 40 };
        let stop = Arc::new(AtomicBool::new(false));
        let mut seeds = Vec::new();
        for seed in [5, 6] {
            config.run.seed = seed;
            seeds.push((seed, candidates(&config)));
        }
        let trial = Trial { arm: &config, plan: &plan, stop: &stop };
        let champions = trial.champions(&seeds, &mut |_| {}).unwrap().unwrap();
        for ((seed, candidates), champion) in seeds.iter().zip(champions) {
            let champion = champion.unwrap();
            // Each by itself, in a run of its own.
            let alone = |mind: &Mind, maps: &[u32]| {
                let rows = trial.alone(MindKind::Llm, &[(*seed, mind)], maps, &mut |_| {}).unwrap().unwrap();
                rows[0].iter().map(|row| row.mean_fitness).collect::<Vec<_>>()
            };
            let sums: Vec<f64> =
                candidates.iter().map(|one| alone(&one.mind, &[1000, 1001, 1002]).iter().sum()).collect();
            let best = sums.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let chosen = sums.iter().position(|sum| *sum == best).unwrap();
            assert!(sums.iter().any(|sum| *sum != best), "they differ: {sums:?}");
            assert_eq!(champion.creature, candidates[chosen].creature, "{sums:?}");
            let measured: Vec<f64> = champion.maps.iter().map(|map| map.fitness).collect();
            assert_eq!(measured, [0, 1].map(|map| frozen(&config, *seed, map, &candidates[chosen].mind)));
        }
        stop.store(true, Ordering::Relaxed);
        assert_eq!(trial.champions(&seeds, &mut |_| {}).unwrap(), None, "stopped");
    }
}
