//! Puts the mind that the settings name on the other end of the link.

use std::time::Duration;

use super::error::AppError;
use crate::{
    brain::{self, LlmPlan, Shelf},
    config::{Inheritance, MindKind, RunConfig},
    language::{action_phrase, instruction},
    mind::{ScriptedMind, WorkerLink, WorkerState, is_learning, spawn_scripted_worker, wait_until_ready},
    protocol::Action,
};

/// How long a model may take to load.
const LOADING: Duration = Duration::from_secs(600);

/// The app's end of the link to a worker, what is known of it, and the population, where it is a language model's.
pub type Minds = (WorkerLink, WorkerState, Option<Shelf>);

/// Starts the worker thread for the mind that the settings name, and waits until it is ready. A language model's state
/// holds its facts.
///
/// # Errors
/// The system has no thread to give, or the model cannot be used.
pub fn spawn_worker(config: &RunConfig) -> Result<Minds, AppError> {
    spawn_worker_with(config, Shelf::default())
}

/// The same with a population that is there already.
///
/// # Errors
/// As [`spawn_worker`], or the population does not fit the settings.
pub fn spawn_worker_with(config: &RunConfig, shelf: Shelf) -> Result<Minds, AppError> {
    let mut state = WorkerState::default();
    let mind = match config.mind.kind {
        MindKind::Random => ScriptedMind::Random,
        MindKind::Rules => ScriptedMind::Rules,
        MindKind::Llm => {
            let (mut plan, own) = (llm_plan(config), shelf.clone());
            plan.inherited = {
                let population = shelf.open();
                population.layout.clone().map(|layout| (layout, population.founders.clone()))
            };
            let link = WorkerLink::spawn(move |requests, replies| brain::serve(&plan, &own, &requests, &replies));
            let mut link = link.map_err(AppError::Worker)?.with_learning();
            state.facts = Some(wait_until_ready(&mut link, LOADING).map_err(AppError::Mind)?);
            return Ok((link, state, Some(shelf)));
        }
    };
    spawn_scripted_worker(mind).map(|link| (link, state, None)).map_err(AppError::Worker)
}

/// The same for the window, which opens in any case: where the mind cannot be used, agents go on with `rules`, and the
/// state says why.
///
/// # Errors
/// The system has no thread to give.
#[cfg(feature = "desktop")]
pub(super) fn spawn_minds_or_rules(config: &RunConfig) -> Result<Minds, AppError> {
    match spawn_worker(config) {
        Err(error) if !matches!(error, AppError::Worker(_)) => {
            let mut state = WorkerState::default();
            state.give_up(format!("{error} Agents go on with `rules`."));
            Ok((spawn_rules()?, state, None))
        }
        spawned => spawned,
    }
}

#[cfg(feature = "desktop")]
fn spawn_rules() -> Result<WorkerLink, AppError> {
    spawn_scripted_worker(ScriptedMind::Rules).map_err(AppError::Worker)
}

/// Puts the minds that `spawn` gives in the place of those that the world has. The old ones go first: two models at once
/// may not fit into memory. Where there are no new ones, `rules` stays in their place and the state says why.
#[cfg(feature = "desktop")]
pub(super) fn exchange_minds(
    world: &mut bevy::prelude::World,
    spawn: impl FnOnce() -> Result<(WorkerLink, WorkerState), AppError>,
) {
    let exchanged = spawn_rules().and_then(|rules| {
        world.insert_resource(rules);
        spawn()
    });
    let mut new = WorkerState::default();
    match exchanged {
        Ok((link, state)) => {
            world.insert_resource(link);
            new = state;
        }
        Err(error) => new.give_up(error.to_string()),
    }
    world.insert_resource(new);
    world.insert_resource(crate::mind::Inbox::default());
    // What the old ones said of creatures that are no more.
    world.insert_resource(crate::mind::Mail::default());
    world.insert_resource(crate::mind::Consulted::default());
}

/// What the language model needs to know of the settings, and the phrases of the actions.
pub fn llm_plan(config: &RunConfig) -> LlmPlan {
    LlmPlan {
        model: config.model.clone(),
        lora: config.lora.clone(),
        mind: config.mind.clone(),
        seed: config.run.seed,
        agents: u64::from(config.habitat.agents) * u64::from(config.run.habitats),
        threads: config.run.threads,
        phrases: Action::ALL.map(|action| format!(" {}", action_phrase(action))).to_vec(),
        instruction: instruction(),
        // Learning tells founders apart by itself, and where nothing is passed on there is nothing to tell apart.
        founder_spread: if is_learning(config) || !config.evolution.enabled {
            0.0
        } else {
            config.evolution.founder_spread as f32
        },
        keeps_genomes: config.evolution.inheritance == Inheritance::Baldwin,
        inherited: None,
    }
}

#[cfg(test)]
#[cfg(feature = "desktop")]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    };

    use bevy::prelude::World;

    use super::*;
    use crate::{mind::LinkDown, protocol::Request};

    /// A world whose worker notes when it has ended.
    fn world() -> (World, Arc<AtomicBool>) {
        let ended = Arc::new(AtomicBool::new(false));
        let note = Arc::clone(&ended);
        let link = WorkerLink::spawn(move |requests, _| {
            while let Ok(Request::Think(_)) = requests.recv() {}
            note.store(true, Ordering::SeqCst);
        });
        let mut world = World::new();
        world.insert_resource(link.unwrap());
        (world, ended)
    }

    #[test]
    fn old_minds_have_gone_before_the_new_ones_are_loaded() {
        let (mut world, ended) = world();
        let mut gone = false;
        exchange_minds(&mut world, || {
            gone = ended.load(Ordering::SeqCst);
            WorkerLink::spawn(|_, _| {}).map(|link| (link, WorkerState::default())).map_err(AppError::Worker)
        });
        assert!(gone, "two models at once may not fit");
        assert!(world.resource::<WorkerLink>().reads_prompts() && world.resource::<WorkerState>().is_up());
    }

    #[test]
    fn rules_stays_where_there_are_no_new_minds() {
        let (mut world, _) = world();
        exchange_minds(&mut world, || Err(AppError::Mind("There is no thread.".to_owned())));
        let complaint = world.resource::<WorkerState>().complaint().cloned();
        assert_eq!(complaint, Some(LinkDown("There is no thread.".to_owned())));
        assert!(!world.resource::<WorkerLink>().reads_prompts(), "a scripted mind");
    }
}
