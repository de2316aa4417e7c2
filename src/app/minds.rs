//! Puts the mind that the settings name on the other end of the link.

use std::time::Duration;

use super::error::AppError;
use crate::{
    brain::{self, LlmPlan},
    config::{MindKind, RunConfig},
    language::{action_phrase, instruction},
    mind::{ScriptedMind, WorkerLink, spawn_scripted_worker, wait_until_ready},
    protocol::Action,
};

/// How long a model may take to load.
const LOADING: Duration = Duration::from_secs(600);

/// Starts the worker thread for the mind that the settings name, and waits until it is ready.
///
/// # Errors
/// The system has no thread to give, or the model cannot be used.
pub fn spawn_worker(config: &RunConfig) -> Result<WorkerLink, AppError> {
    let mind = match config.mind.kind {
        MindKind::Random => ScriptedMind::Random,
        MindKind::Rules => ScriptedMind::Rules,
        MindKind::Llm => {
            let plan = llm_plan(config);
            let link = WorkerLink::spawn(move |requests, replies| brain::serve(&plan, &requests, &replies));
            let link = link.map_err(AppError::Worker)?;
            wait_until_ready(&link, LOADING).map_err(AppError::Mind)?;
            return Ok(link);
        }
    };
    spawn_scripted_worker(mind).map_err(AppError::Worker)
}

/// What the language model needs to know of the settings, and the phrases of the actions.
pub fn llm_plan(config: &RunConfig) -> LlmPlan {
    LlmPlan {
        model: config.model.clone(),
        lora: config.lora.clone(),
        mind: config.mind.clone(),
        seed: config.run.seed,
        threads: config.run.threads,
        phrases: Action::ALL.map(|action| format!(" {}", action_phrase(action))).to_vec(),
        instruction: instruction(),
        founder_spread: 0.0,
    }
}
