//! Lives what is not in the folder yet, arm by arm, and then writes the tables and plots.

use std::{
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{
    arms::Arm,
    cards::save_champion,
    champion::{Candidate, Champion, Trial},
    error::ExperimentError,
    folder::{Cell, ExperimentFolder},
    origin::commit,
    plan::ExperimentPlan,
    report::write_results,
    tables::Results,
};
use crate::{
    app::{AppError, Ended, HabitatPlan, RunReport, Simulation},
    brain::{Shelf, load_model, lora::Base},
    config::{MindKind, RunConfig},
    protocol::{HabitatId, Streams},
    record::ModelMark,
};

/// What an arm is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It lives: the generation, from 0.
    Living(u32),
    /// Its champions are sought and played.
    Champions,
}

/// How far an experiment is.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// The arm.
    pub arm: &'static Arm,
    /// Its place among the experiment's, from 0.
    pub at: usize,
    /// What it is about.
    pub stage: Stage,
    /// Work that is done, in a unit of its own.
    pub done: u64,
    /// Work of the whole experiment, what was done before included.
    pub work: u64,
}

/// About how many units of work one agent's turn is: for progress alone.
const SCRIPTED: u64 = 1;
const DECIDING: u64 = 200;
const LEARNING: u64 = 1000;
/// Batches are of one habitat's agents, and whoever is alone shares none.
const ALONE: u64 = 500;

/// Lives what is not in `folder` yet. `watch` is told how far it is after every turn; once `stop` is true the experiment ends
/// after the turn, and what the arms before have lived is kept. Gives what is in the folder, and whether that is all.
///
/// # Errors
/// Settings, minds or files cannot be used.
pub fn run_experiment(
    plan: &ExperimentPlan,
    folder: &ExperimentFolder,
    stop: &Arc<AtomicBool>,
    watch: &mut dyn FnMut(&Step),
) -> Result<(Results, Ended), ExperimentError> {
    plan.check()?;
    let mut cells = Vec::new();
    let mut missing = Vec::new();
    for arm in &plan.arms {
        missing.push(load_arm(plan, folder, arm, &mut cells)?);
    }
    let work: Vec<u64> = plan.arms.iter().map(|arm| work_of(plan, arm)).collect::<Result<_, _>>()?;
    let total = work.iter().map(|work| work * plan.seeds.len() as u64).sum();
    let (mut done, mut ended) = (0, Ended::Complete);
    for ((at, arm), seeds) in plan.arms.iter().enumerate().zip(&missing) {
        done += work[at] * (plan.seeds.len() - seeds.len()) as u64;
        if !seeds.is_empty() {
            let begun = done;
            let mut tell = |stage, part: u64| {
                let done = begun + part.min(work[at] * seeds.len() as u64);
                watch(&Step { arm, at, stage, done, work: total });
            };
            let life = ArmLife { plan, folder, arm, seeds, stop };
            let Some(new) = life.live(&cells, &mut tell)? else {
                ended = Ended::Interrupted;
                break;
            };
            new.iter().try_for_each(|cell| folder.save(cell))?;
            cells.extend(new);
            write_results(plan, folder, &cells)?;
        }
        done += work[at] * seeds.len() as u64;
    }
    let results = write_results(plan, folder, &cells)?;
    Ok((results, ended))
}

/// Reads what the folder has of an arm; gives the seeds that are missing.
fn load_arm(
    plan: &ExperimentPlan,
    folder: &ExperimentFolder,
    arm: &'static Arm,
    cells: &mut Vec<Cell>,
) -> Result<Vec<u64>, ExperimentError> {
    let mut missing = Vec::new();
    for seed in &plan.seeds {
        let known = folder.load(arm.name, *seed, &arm.settings(&plan.config, *seed)?)?;
        match known.filter(|cell| cell.champion.is_some() || !wants_champion(plan, arm)) {
            Some(cell) => cells.push(cell),
            None => missing.push(*seed),
        }
    }
    Ok(missing)
}

fn wants_champion(plan: &ExperimentPlan, arm: &Arm) -> bool {
    plan.with_champions.contains(&arm.name)
}

/// Work of one seed of an arm.
fn work_of(plan: &ExperimentPlan, arm: &Arm) -> Result<u64, ExperimentError> {
    let config = arm.settings(&plan.config, 0)?;
    let pace = match config.mind.kind {
        MindKind::Random | MindKind::Rules => SCRIPTED,
        MindKind::Llm if arm.learns(&plan.config)? => LEARNING,
        MindKind::Llm => DECIDING,
    };
    let turns = u64::from(config.run.generations) * u64::from(config.run.turns);
    Ok(turns * u64::from(config.habitat.agents) * pace
        + if wants_champion(plan, arm) { champion_work(plan) } else { 0 })
}

/// Work of one seed's champion.
fn champion_work(plan: &ExperimentPlan) -> u64 {
    let champions = &plan.champions;
    let maps = u64::from(champions.candidates) * u64::from(champions.validation_maps) + u64::from(champions.maps);
    maps * u64::from(champions.turns) * ALONE
}

/// One arm's life with the seeds that are missing.
struct ArmLife<'a> {
    plan: &'a ExperimentPlan,
    folder: &'a ExperimentFolder,
    arm: &'static Arm,
    seeds: &'a [u64],
    stop: &'a Arc<AtomicBool>,
}

impl ArmLife<'_> {
    /// Everything that it lives, by seed; `None` where the person has stopped it.
    fn live(&self, known: &[Cell], tell: &mut dyn FnMut(Stage, u64)) -> Result<Option<Vec<Cell>>, ExperimentError> {
        let settings: Vec<RunConfig> =
            self.seeds.iter().map(|seed| self.arm.settings(&self.plan.config, *seed)).collect::<Result<_, _>>()?;
        let Some(shared) = settings.first() else { return Ok(Some(Vec::new())) };
        let simulation = Simulation::of_habitats(shared.clone(), habitats(&settings))?.until(Arc::clone(self.stop));
        let (facts, shelf) = (simulation.facts().cloned(), simulation.shelf().cloned());
        let model = facts.as_ref().map(ModelMark::of);
        if let Some(model) = &model {
            self.folder.check_model(known, model)?;
        }
        let champion_work = if wants_champion(self.plan, self.arm) { champion_work(self.plan) } else { 0 };
        let a_turn = (work_of(self.plan, self.arm)? - champion_work) / turns(shared) * self.seeds.len() as u64;
        let mut rows = 0;
        let report = simulation.run_watched(|simulation| {
            rows += simulation.new_rows(rows).len();
            tell(Stage::Living((rows / self.seeds.len()) as u32), simulation.turns() * a_turn);
            Ok(if self.stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        if report.ended == Ended::Interrupted {
            return Ok(None);
        }
        let mut champions = vec![None; self.seeds.len()];
        if let Some(shelf) = shelf.filter(|_| wants_champion(self.plan, self.arm)) {
            let lived = a_turn * turns(shared);
            let a_turn = champion_work * self.seeds.len() as u64 / (2 * u64::from(self.plan.champions.turns)).max(1);
            let mut tell = |turns: u64| tell(Stage::Champions, lived + turns * a_turn);
            let Some(found) = self.champions(shared, &report, &shelf, &mut tell)? else { return Ok(None) };
            champions = found;
        }
        let commit = commit();
        let cell = |(at, champion): (usize, Option<Champion>)| Cell {
            arm: self.arm.name.to_owned(),
            seed: self.seeds[at],
            version: env!("CARGO_PKG_VERSION").to_owned(),
            commit: commit.clone(),
            model: model.clone(),
            complaint: report.complaint.clone(),
            rows: report.rows.iter().filter(|row| row.habitat == HabitatId(at as u32)).cloned().collect(),
            champion,
            settings: settings[at].clone(),
        };
        Ok(Some(champions.into_iter().enumerate().map(cell).collect()))
    }

    fn champions(
        &self,
        arm: &RunConfig,
        report: &RunReport,
        shelf: &Shelf,
        tell: &mut dyn FnMut(u64),
    ) -> Result<Option<Vec<Option<Champion>>>, ExperimentError> {
        let population = shelf.open().clone();
        let fittest = |(at, seed): (usize, &u64)| {
            let habitat = HabitatId(at as u32);
            let candidate = |one: &crate::record::Ancestry| {
                let mind = population.minds.get(&(habitat, one.creature)).cloned()?;
                Some(Candidate { creature: one.creature, fitness: one.fitness, mind })
            };
            let living = report.lineage.iter().filter(|one| one.habitat == habitat && one.died.is_none());
            let mut candidates: Vec<_> = living.filter_map(candidate).collect();
            candidates.sort_by(|a, b| b.fitness.total_cmp(&a.fitness).then(a.creature.cmp(&b.creature)));
            candidates.truncate(self.plan.champions.candidates as usize);
            (*seed, candidates)
        };
        let seeds: Vec<_> = self.seeds.iter().enumerate().map(fittest).collect();
        let found = Trial { arm, plan: &self.plan.champions, stop: self.stop }.champions(&seeds, tell)?;
        if let (Some(found), Some(layout)) = (&found, &population.layout) {
            let base = Base::of(&load_model(&arm.model).map_err(AppError::from)?);
            for ((seed, candidates), champion) in seeds.iter().zip(found) {
                if let Some(champion) = champion {
                    let name = (self.arm.name, *seed);
                    save_champion(self.folder, name, &base, layout, candidates, champion)?;
                }
            }
        }
        Ok(found)
    }
}

fn turns(config: &RunConfig) -> u64 {
    u64::from(config.run.generations) * u64::from(config.run.turns)
}

/// A habitat for each seed: it lives as the first habitat of a run with that seed does.
fn habitats(settings: &[RunConfig]) -> Vec<HabitatPlan> {
    let plan = |(at, config): (usize, &RunConfig)| HabitatPlan {
        id: HabitatId(at as u32),
        streams: Streams { seed: config.run.seed, habitat: HabitatId(0), unseen: false },
        config: Arc::new(config.clone()),
        minds: Vec::new(),
    };
    settings.iter().enumerate().map(plan).collect()
}
