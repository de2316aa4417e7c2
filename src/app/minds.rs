//! Puts the mind that the settings name on the other end of the link.

use super::error::AppError;
use crate::{
    config::{MindKind, RunConfig},
    mind::{ScriptedMind, WorkerLink, spawn_scripted_worker},
};

/// Starts the worker thread for the mind that the settings name.
///
/// # Errors
/// The system has no thread to give, or this version has no such mind.
pub fn spawn_worker(config: &RunConfig) -> Result<WorkerLink, AppError> {
    let mind = match config.mind.kind {
        MindKind::Random => ScriptedMind::Random,
        MindKind::Rules => ScriptedMind::Rules,
        MindKind::Llm => return Err(AppError::NoModel),
    };
    spawn_scripted_worker(mind).map_err(AppError::Worker)
}
