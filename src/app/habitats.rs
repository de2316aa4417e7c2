//! Which habitats a run has: those that its settings ask for, or others that are put together by hand, each with streams
//! and settings of its own, which share one worker, one model and every batch of questions.

use std::sync::Arc;

use bevy::prelude::World;

use super::{Simulation, error::AppError, minds::spawn_worker_with};
use crate::{
    brain::{Mind, Population, Shelf},
    config::RunConfig,
    mind::{Creatures, Fallback},
    protocol::{CreatureId, HabitatId, Streams},
    sim::{Roster, spawn_habitat},
};

/// One habitat of a run.
#[derive(Debug, Clone)]
pub struct HabitatPlan {
    /// Its number, unlike any other's in the run.
    pub id: HabitatId,
    /// What everything in it is drawn from. With the same streams and settings it lives the same life, whatever its number.
    pub streams: Streams,
    /// The settings that it lives by. What the minds are made of is not among them: that is the whole run's.
    pub config: Arc<RunConfig>,
    /// Minds of its first creatures, in the order of their places; whoever has none here is born a founder.
    pub minds: Vec<Mind>,
}

impl Simulation {
    /// Makes these habitats, in the order of their numbers, with the minds that `config` names.
    ///
    /// # Errors
    /// As [`Simulation::new`], of `config` and of every habitat's settings.
    pub fn of_habitats(mut config: RunConfig, mut plans: Vec<HabitatPlan>) -> Result<Self, AppError> {
        config.run.habitats = u32::try_from(plans.len()).unwrap_or(u32::MAX);
        config.check()?;
        plans.iter().try_for_each(|plan| plan.config.check())?;
        let mut population = Population::default();
        for plan in &mut plans {
            let minds = (0..).map(CreatureId).zip(std::mem::take(&mut plan.minds));
            population.minds.extend(minds.map(|(creature, mind)| ((plan.id, creature), mind)));
        }
        let minds = spawn_worker_with(&config, Shelf::new(population))?;
        Self::with_habitats(&config, plans, minds)
    }
}

/// The habitats that the settings ask for.
pub(super) fn plan_habitats(config: &RunConfig, unseen: bool) -> Vec<HabitatPlan> {
    let run = &config.run;
    let shared = Arc::new(config.clone());
    let plan = |habitat| HabitatPlan {
        id: HabitatId(habitat),
        streams: Streams { seed: run.seed, habitat: HabitatId(habitat), unseen },
        config: Arc::clone(&shared),
        minds: Vec::new(),
    };
    (run.first_habitat..run.first_habitat + run.habitats).map(plan).collect()
}

/// Makes habitats. Everybody in them is somebody from the start, so that they can be looked at before their first turn.
pub(super) fn spawn_habitats(world: &mut World, plans: Vec<HabitatPlan>) {
    for HabitatPlan { id, streams, config, .. } in plans {
        let entity = spawn_habitat(world, id, streams, config);
        let mut creatures = Creatures::default();
        creatures.settle(world.get::<Roster>(entity).map_or(0, |roster| roster.len()));
        world.entity_mut(entity).insert((Fallback::default(), creatures));
    }
}
