//! Saves runs, and goes on with them.
//!
//! A run is saved between two turns, when nothing is under way: the worker has answered everything, so that habitats,
//! records and adapters belong to the same moment.

use std::path::Path;

use bevy::prelude::World;

use super::{
    error::AppError,
    headless::{Simulation, check_memory},
    minds::spawn_worker_with,
};
use crate::{
    brain::{Population, Shelf, model_sha256, word_of},
    config::{ModelSettings, RunConfig},
    mind::{WorkerState, go_on, restore_snapshot, save_habitats},
    record::{Checkpoint, Checkpoints, ModelMark, RunState},
};

/// What may differ from the settings that a run began with when it goes on.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// How many generations it is to have.
    pub generations: Option<u32>,
    /// Threads; the results do not depend on them.
    pub threads: Option<u32>,
    /// Where the model lies now; it must be the same.
    pub model: Option<String>,
}

impl Changes {
    fn make(&self, config: &mut RunConfig) {
        config.run.generations = self.generations.unwrap_or(config.run.generations);
        config.run.threads = self.threads.unwrap_or(config.run.threads);
        if let Some(path) = &self.model {
            config.model.path.clone_from(path);
        }
    }
}

impl Simulation {
    /// Keeps the run as it is now, between two turns.
    ///
    /// # Errors
    /// It cannot be written, or the worker does not answer: the run goes on in both cases, and may be saved later.
    pub fn save(&mut self, checkpoints: &Checkpoints) -> Result<(), AppError> {
        let has_settled = self.settle();
        if self.shelf().is_some() && !has_settled {
            // What `rules` plays in their stead is not kept over what they have learned.
            return Err(AppError::Mind(
                "The run is not saved any more, since the minds do not answer; --resume goes on from the last checkpoint."
                    .to_owned(),
            ));
        }
        let (config, turns, shelf) = (self.config().clone(), self.turns(), self.shelf().cloned());
        SavedRun::of(self.world_mut(), config, turns, shelf.as_ref()).write(checkpoints)
    }

    /// Goes on with a run from a checkpoint: what follows is what would have followed.
    ///
    /// # Errors
    /// Its model is not the one that the settings name, its minds cannot be read, or something of it does not fit.
    pub fn resume(checkpoint: Checkpoint, changes: &Changes) -> Result<Self, AppError> {
        let opened = OpenedRun::of(checkpoint, changes)?;
        let spawned = spawn_worker_with(&opened.config, Shelf::new(opened.population))?;
        let mut simulation = Self::empty(opened.config, spawned)?;
        simulation.set_turns(opened.state.turns);
        put_state(simulation.world_mut(), opened.state)?;
        Ok(simulation)
    }
}

/// A run as it was between two turns.
pub(super) struct SavedRun {
    state: RunState,
    population: Option<Population>,
}

impl SavedRun {
    /// A copy of the run that the world has, so that it may go on while the copy is written. Nothing may be under way.
    pub(super) fn of(world: &mut World, config: RunConfig, turns: u64, shelf: Option<&Shelf>) -> Self {
        let model = world.resource::<WorkerState>().facts.as_ref().map(ModelMark::of);
        let population = shelf.map(|shelf| shelf.open().clone());
        let habitats = save_habitats(world);
        Self { state: RunState::of(world, habitats, config, model, turns), population }
    }

    /// Writes it.
    ///
    /// # Errors
    /// It cannot be written; the checkpoints before it are still there.
    pub(super) fn write(self, checkpoints: &Checkpoints) -> Result<(), AppError> {
        let Self { state, population } = self;
        let minds = population.map(|population| move |path: &Path| population.write(path).map_err(AppError::from));
        checkpoints.save(&state, minds)
    }
}

/// A checkpoint that has been read, and fits its model.
pub(super) struct OpenedRun {
    /// The settings that it goes on with.
    pub config: RunConfig,
    /// Everybody's mind.
    pub population: Population,
    /// Everything else.
    pub state: RunState,
}

impl OpenedRun {
    /// Reads a checkpoint's minds, and makes the changes.
    ///
    /// # Errors
    /// Its model is not the one that the settings name, or its minds cannot be read.
    pub(super) fn of(checkpoint: Checkpoint, changes: &Changes) -> Result<Self, AppError> {
        let Checkpoint { mut state, minds, .. } = checkpoint;
        let mut config = state.config.clone();
        let lived = state.habitats.iter().map(|one| one.habitat.clock.generation + 1).max().unwrap_or_default();
        if let Some(asked) = changes.generations.filter(|asked| *asked < lived) {
            return Err(AppError::Lived { asked, lived });
        }
        changes.make(&mut config);
        config.check()?;
        check_memory(&config)?;
        if let Some(was) = &state.model {
            same_model(was, &config.model)?;
        }
        for snapshot in &mut state.habitats {
            changes.make(&mut snapshot.habitat.config);
            snapshot.habitat.config.check()?;
        }
        let population = minds.map(|path| Population::read(&path)).transpose()?.unwrap_or_default();
        Ok(Self { config, population, state })
    }
}

/// Puts a run's habitats and records into a world that has none.
///
/// # Errors
/// Something of it does not fit.
pub(super) fn put_state(world: &mut World, state: RunState) -> Result<(), AppError> {
    for snapshot in state.habitats {
        restore_snapshot(world, &snapshot)
            .map_err(|what| AppError::Mind(format!("The checkpoint cannot be used: {what}.")))?;
    }
    world.insert_resource(state.history);
    world.insert_resource(state.lineage);
    go_on(world);
    Ok(())
}

/// Refuses another model than the one that the run was played with.
fn same_model(was: &ModelMark, settings: &ModelSettings) -> Result<(), AppError> {
    let sha256 = model_sha256(settings)?;
    if was.sha256 == sha256 {
        return Ok(());
    }
    let named = word_of(settings);
    let short = |sum: &str| sum.get(..12).unwrap_or_default().to_owned();
    Err(AppError::Mind(format!(
        "The run was played with the model {} (SHA-256 {}…), and {named} is another ({}…): name the same one with --model.",
        was.name,
        short(&was.sha256),
        short(&sha256),
    )))
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicU32, Ordering},
        time::Duration,
    };

    use crossbeam_channel::bounded;

    use super::*;
    use crate::{
        app::llm_plan,
        brain::serve,
        mind::{Creatures, WorkerLink},
        protocol::Request,
    };

    /// A language model's worker that falls silent for ever at its third question.
    fn silent(config: &RunConfig, shelf: Shelf) -> WorkerLink {
        let (plan, asked) = (llm_plan(config), AtomicU32::new(0));
        let link = WorkerLink::spawn(move |requests, replies| {
            let (give, inbox) = bounded(1);
            std::thread::scope(|scope| {
                scope.spawn(|| serve(&plan, &shelf, &inbox, &replies));
                for request in &requests {
                    if matches!(request, Request::Think(_)) && asked.fetch_add(1, Ordering::Relaxed) == 2 {
                        std::thread::sleep(Duration::from_secs(600));
                    }
                    give.send(request).unwrap();
                }
                drop(give);
            });
        });
        link.unwrap().with_learning()
    }

    #[test]
    fn what_rules_plays_after_the_minds_have_gone_is_not_kept_over_what_they_learned() {
        let mut config = RunConfig::default();
        (config.run.generations, config.run.turns, config.habitat.agents) = (2, 4, 3);
        let (folder, shelf) = (tempfile::tempdir().unwrap(), Shelf::default());
        let checkpoints = Checkpoints::of(folder.path());
        let minds = (silent(&config, shelf.clone()), WorkerState::default(), Some(shelf));
        let mut simulation =
            Simulation::empty(config.clone(), minds).unwrap().with_patience(Duration::from_millis(300));
        let plans = crate::app::habitats::plan_habitats(&config, false);
        crate::app::habitats::spawn_habitats(simulation.world_mut(), plans);
        let founders = |simulation: &mut Simulation| {
            let world = simulation.world_mut();
            world.query::<&Creatures>().iter(world).next().unwrap().living.clone()
        };
        (0..2).for_each(|_| simulation.step());
        simulation.save(&checkpoints).unwrap();
        let living = founders(&mut simulation);
        // The third question is not answered: `rules` goes on, also into the next generation.
        (0..3).for_each(|_| simulation.step());
        assert!(simulation.complaint().unwrap().contains("agents go on with `rules`"));
        let error = simulation.save(&checkpoints).unwrap_err().to_string();
        assert!(error.contains("is not saved any more"), "{error}");
        assert_eq!(checkpoints.newest().unwrap().state.turns, 2);
        assert_eq!(founders(&mut simulation), living, "nobody is bred by what `rules` did");
    }
}
