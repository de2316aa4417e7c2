//! Puts the mind that the settings name on the other end of the link.

use std::time::Duration;

#[cfg(feature = "desktop")]
use bevy::prelude::World;

use super::error::AppError;
#[cfg(feature = "desktop")]
use crate::mind::{Consulted, Inbox, Mail};
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

/// Takes the minds out of the world, for those to come that may not fit into memory beside them; `rules` stays in their place.
///
/// # Errors
/// The system has no thread to give; the minds stay.
#[cfg(feature = "desktop")]
pub(super) fn hand_minds_over(world: &mut World) -> Result<WorkerLink, AppError> {
    let rules = spawn_rules()?;
    Ok(std::mem::replace(&mut *world.resource_mut::<WorkerLink>(), rules))
}

/// Puts minds in the place of those that the world has. Where there are none, those stay (see [`hand_minds_over`]) and the
/// state says why.
#[cfg(feature = "desktop")]
pub(super) fn put_minds(world: &mut World, minds: Result<Minds, String>) {
    let mut new = WorkerState::default();
    match minds {
        Ok((link, state, _)) => {
            world.insert_resource(link);
            new = state;
        }
        Err(why) => new.give_up(format!("{why} Agents go on with `rules`.")),
    }
    world.insert_resource(new);
    world.insert_resource(Inbox::default());
    // What the old ones said of creatures that are no more.
    world.insert_resource(Mail::default());
    world.insert_resource(Consulted::default());
}

/// What the language model needs to know of the settings, and the phrases of the actions.
pub fn llm_plan(config: &RunConfig) -> LlmPlan {
    LlmPlan {
        model: config.model.clone(),
        lora: config.lora.clone(),
        mind: config.mind.clone(),
        activations: config.learning.activations,
        hidden_cache: config.learning.hidden_cache,
        offload: config.learning.offload,
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
    fn minds_are_handed_over_and_end_with_whoever_took_them() {
        let (mut world, ended) = world();
        let old = hand_minds_over(&mut world).unwrap();
        assert!(!ended.load(Ordering::SeqCst), "the world has not waited for it");
        assert!(!world.resource::<WorkerLink>().reads_prompts(), "a scripted mind keeps the place");
        drop(old);
        assert!(ended.load(Ordering::SeqCst));
        let new = WorkerLink::spawn(|_, _| {}).unwrap();
        put_minds(&mut world, Ok((new, WorkerState::default(), None)));
        assert!(world.resource::<WorkerLink>().reads_prompts() && world.resource::<WorkerState>().is_up());
    }

    #[test]
    fn rules_stays_where_there_are_no_new_minds() {
        let (mut world, _) = world();
        drop(hand_minds_over(&mut world).unwrap());
        put_minds(&mut world, Err("There is no thread.".to_owned()));
        let complaint = world.resource::<WorkerState>().complaint().cloned();
        assert_eq!(complaint, Some(LinkDown("There is no thread. Agents go on with `rules`.".to_owned())));
        assert!(!world.resource::<WorkerLink>().reads_prompts(), "a scripted mind");
    }
}
