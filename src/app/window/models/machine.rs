//! What decisions, lessons and frames cost, and what takes memory.

use std::time::{Duration, Instant};

use bevy::{diagnostic::DiagnosticsStore, diagnostic::FrameTimeDiagnosticsPlugin, prelude::*};

use super::{Panels, Playback, Run};
use crate::{
    app::mind_facts::memory_report,
    config::Device,
    mind::WorkerState,
    record::MachineLog,
    ui::{MachineModel, Memory, ModelFacts, Round, Worker},
};

/// How often memory is counted.
const WEIGH_EVERY: Duration = Duration::from_secs(1);

pub(super) fn read(world: &mut World, panels: &mut Panels) {
    if panels.seen.weighed.is_none_or(|at| at.elapsed() >= WEIGH_EVERY) {
        let shelf = world.resource::<Run>().shelf.clone();
        let before = std::mem::take(&mut panels.seen.memory);
        panels.seen.memory = memory_report(world, shelf.as_ref(), before);
        panels.seen.weighed = Some(Instant::now());
    }
    let turns_per_second = pace(world.resource::<Playback>().turns, panels);
    let (state, run, log) = (world.resource::<WorkerState>(), world.resource::<Run>(), world.resource::<MachineLog>());
    let frames = world.resource::<DiagnosticsStore>().get(&FrameTimeDiagnosticsPlugin::FPS);
    let memory = &panels.seen.memory;
    panels.machine = MachineModel {
        worker: match (&run.shelf, state.is_up()) {
            (_, false) => Worker::Down,
            (None, true) => Worker::Absent,
            (Some(_), true) if state.facts.is_none() => Worker::Loading,
            (Some(_), true) => Worker::Ready,
        },
        restarts: state.restarts(),
        gpu: matches!(run.living.model.device, Device::Cuda | Device::Metal),
        rounds: log.rounds.iter().map(|round| Round { ms: round.ms, decisions: round.agents }).collect(),
        decisions_per_second: log.decisions_per_s(),
        training_ms: log.lesson_ms().map(|(median, _)| median),
        queue: log.queue as u32,
        frames_per_second: frames.and_then(bevy::diagnostic::Diagnostic::smoothed).unwrap_or_default(),
        turns_per_second,
        facts: state.facts.as_ref().map(|facts| ModelFacts {
            name: facts.name.clone(),
            file: facts.path.display().to_string(),
            quantisation: quantisation(facts.model_bytes + facts.streamed_bytes + facts.stored_bytes, facts.parameters),
            in_file: facts.streamed_bytes + facts.stored_bytes,
            parameters: facts.parameters,
            sha256: facts.sha256.clone(),
        }),
        memory: Memory {
            model: memory.model,
            adapters: memory.adapters + memory.forebears,
            moments: memory.moments,
            caches: memory.caches,
            buffers: memory.experiences,
            rest: memory.transcript + memory.history,
        },
        resident: memory.resident,
        graphics: None,
    };
}

/// Turns in the last second.
fn pace(turns: u64, panels: &mut Panels) -> f64 {
    let before = panels.machine.turns_per_second;
    match panels.seen.pace {
        Some((at, _)) if at.elapsed() < WEIGH_EVERY => before,
        Some((at, then)) => {
            panels.seen.pace = Some((Instant::now(), turns));
            turns.saturating_sub(then) as f64 / at.elapsed().as_secs_f64()
        }
        None => {
            panels.seen.pace = Some((Instant::now(), turns));
            0.0
        }
    }
}

/// How many bits a weight takes on the average.
fn quantisation(bytes: u64, parameters: u64) -> String {
    format!("{:.1} bits a weight", bytes as f64 * 8.0 / parameters.max(1) as f64)
}
