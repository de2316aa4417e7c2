//! Saves runs, and goes on with them.
//!
//! A run is saved between two turns, when nothing is under way: the worker has answered everything, so that habitats,
//! records and adapters belong to the same moment.

use std::path::Path;

use super::{
    error::AppError,
    headless::{Simulation, check_memory},
    minds::spawn_worker_with,
};
use crate::{
    brain::{Population, SHIPPED_NAME, Shelf, model_sha256},
    config::{ModelSettings, RunConfig},
    mind::{go_on, restore_snapshot, save_habitats},
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
        let (config, turns) = (self.config().clone(), self.turns());
        let model = self.facts().map(ModelMark::of);
        // A copy, so that the worker may go on while it is written.
        let population = self.shelf().map(|shelf| shelf.open().clone());
        let world = self.world_mut();
        let habitats = save_habitats(world);
        let state = RunState::of(world, habitats, config, model, turns);
        let minds = population.map(|population| move |path: &Path| population.write(path).map_err(AppError::from));
        checkpoints.save(&state, minds)
    }

    /// Goes on with a run from a checkpoint: what follows is what would have followed.
    ///
    /// # Errors
    /// Its model is not the one that the settings name, its minds cannot be read, or something of it does not fit.
    pub fn resume(checkpoint: Checkpoint, changes: &Changes) -> Result<Self, AppError> {
        let Checkpoint { state, minds, .. } = checkpoint;
        let mut config = state.config;
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
        let population = minds.map(|path| Population::read(&path)).transpose()?.unwrap_or_default();
        let spawned = spawn_worker_with(&config, Shelf::new(population))?;
        let mut simulation = Self::empty(config, spawned)?;
        simulation.set_turns(state.turns);
        let world = simulation.world_mut();
        for mut snapshot in state.habitats {
            changes.make(&mut snapshot.habitat.config);
            snapshot.habitat.config.check()?;
            restore_snapshot(world, &snapshot)
                .map_err(|what| AppError::Mind(format!("The checkpoint cannot be used: {what}.")))?;
        }
        world.insert_resource(state.history);
        world.insert_resource(state.lineage);
        go_on(world);
        Ok(simulation)
    }
}

/// Refuses another model than the one that the run was played with.
fn same_model(was: &ModelMark, settings: &ModelSettings) -> Result<(), AppError> {
    let sha256 = model_sha256(settings)?;
    if was.sha256 == sha256 {
        return Ok(());
    }
    let named = if settings.path.trim().is_empty() { SHIPPED_NAME } else { &settings.path };
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
        mind::{Creatures, WorkerLink, WorkerState},
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
