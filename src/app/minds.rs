//! Puts the mind that the settings name on the other end of the link.

use std::time::Duration;

use super::error::AppError;
use crate::{
    brain::{self, LlmPlan},
    config::{MindKind, RunConfig},
    language::{action_phrase, instruction},
    mind::{ScriptedMind, WorkerLink, WorkerState, spawn_scripted_worker, wait_until_ready},
    protocol::Action,
};

/// How long a model may take to load.
const LOADING: Duration = Duration::from_secs(600);

/// Starts the worker thread for the mind that the settings name, and waits until it is ready. A language model's state
/// holds its facts.
///
/// # Errors
/// The system has no thread to give, or the model cannot be used.
pub fn spawn_worker(config: &RunConfig) -> Result<(WorkerLink, WorkerState), AppError> {
    let mut state = WorkerState::default();
    let mind = match config.mind.kind {
        MindKind::Random => ScriptedMind::Random,
        MindKind::Rules => ScriptedMind::Rules,
        MindKind::Llm => {
            let plan = llm_plan(config);
            let link = WorkerLink::spawn(move |requests, replies| brain::serve(&plan, &requests, &replies));
            let link = link.map_err(AppError::Worker)?;
            state.facts = Some(wait_until_ready(&link, LOADING).map_err(AppError::Mind)?);
            return Ok((link, state));
        }
    };
    spawn_scripted_worker(mind).map(|link| (link, state)).map_err(AppError::Worker)
}

/// The same for the window, which opens in any case: where the mind cannot be used, agents go on with `rules`, and the
/// state says why.
///
/// # Errors
/// The system has no thread to give.
#[cfg(feature = "desktop")]
pub(super) fn spawn_worker_or_rules(config: &RunConfig) -> Result<(WorkerLink, WorkerState), AppError> {
    match spawn_worker(config) {
        Ok(minds) => Ok(minds),
        Err(AppError::Worker(error)) => Err(AppError::Worker(error)),
        Err(error) => {
            let mut state = WorkerState::default();
            state.give_up(format!("{error} Agents go on with `rules`."));
            let link = spawn_scripted_worker(ScriptedMind::Rules).map_err(AppError::Worker)?;
            Ok((link, state))
        }
    }
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
        founder_spread: 0.0,
    }
}
