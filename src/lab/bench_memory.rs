//! What a run without a window takes of memory, by part: a real run in this very process, with learning and a change of generations.
//!
//! Parts are the bytes of the things themselves; what the system counts for the process and no part has is told as such.
//!
//! This module does *not* know how any part could take less.

use serde::Serialize;

use crate::{
    app::{AppError, MemoryReport, Simulation, memory_report},
    brain::Resident,
    config::{LoraLayers, MindKind, RunConfig},
    protocol::MindFacts,
};

/// Generations that are played: learning, breeding and the learning of children.
const GENERATIONS: u32 = 2;

/// What is measured.
#[derive(Debug, Clone)]
pub struct MemoryPlan {
    /// The settings.
    pub config: RunConfig,
    /// Turns of each generation.
    pub turns: u32,
}

/// One part, and what it takes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Part {
    /// What it is.
    pub name: &'static str,
    /// Its bytes.
    pub bytes: u64,
}

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MemoryBench {
    /// The model.
    pub model: String,
    /// Agents in all habitats.
    pub agents: u32,
    /// Turns that were played.
    pub turns: u64,
    /// The most resident memory of the process: mapped pages of the program and what it has taken.
    #[serde(rename = "peak_bytes")]
    pub peak: u64,
    /// The parts. The last is what the others leave of the peak: those that were weighed at different times (Bevy and the tokenizer as they
    /// were loaded, activations at their most) may hide some of it.
    pub parts: Vec<Part>,
    /// What the peak should not exceed.
    #[serde(rename = "line_bytes")]
    pub line: u64,
    /// What is in no part and not in the peak: it stays in files, which the system keeps in memory of its own as long as there is room.
    pub in_files: Vec<Part>,
}

/// Plays and measures.
///
/// # Errors
/// The settings or the mind cannot be used, the mind stops answering, or the system does not tell what a process takes.
pub fn bench_memory(plan: &MemoryPlan) -> Result<MemoryBench, AppError> {
    let begun = resident()?;
    let bevy = without_a_model(&plan.config)?;
    let mut config = plan.config.clone();
    (config.run.generations, config.run.turns) = (GENERATIONS, plan.turns);
    let (agents, line, mind) = (config.habitat.agents * config.run.habitats, line(&config), config.mind.kind);
    let mut simulation = Simulation::new(config)?;
    let facts = simulation.facts().cloned();
    while !simulation.is_finished() {
        simulation.step();
        if let Some(complaint) = simulation.complaint() {
            return Err(AppError::Mind(complaint));
        }
    }
    let shelf = simulation.shelf().cloned();
    let report = memory_report(simulation.world_mut(), shelf.as_ref(), MemoryReport::default());
    let ended = resident()?;
    let tokenizer = facts.as_ref().map_or(0, |facts| facts.tokenizer_bytes);
    Ok(MemoryBench {
        in_files: in_files(facts.as_ref()),
        model: facts.map_or_else(|| mind.to_string(), |facts| facts.name),
        agents,
        turns: simulation.turns(),
        peak: ended.peak,
        parts: parts(&Stages { begun, bevy, tokenizer, ended }, &report),
        line,
    })
}

/// What the process had taken, stage by stage.
#[derive(Debug, Clone, Copy, Default)]
struct Stages {
    /// When the program began.
    begun: Resident,
    /// What habitats grew it by, without a model.
    bevy: u64,
    /// The same of the tokenizer.
    tokenizer: u64,
    /// When all turns were over.
    ended: Resident,
}

/// What the same habitats take where `rules` decides.
fn without_a_model(config: &RunConfig) -> Result<u64, AppError> {
    let mut config = config.clone();
    config.mind.kind = MindKind::Rules;
    let before = resident()?;
    let mut simulation = Simulation::new(config)?;
    simulation.step();
    Ok(resident()?.taken.saturating_sub(before.taken))
}

/// What stays in files.
fn in_files(facts: Option<&MindFacts>) -> Vec<Part> {
    let of = |facts: &MindFacts| {
        let all = [
            ("layers, each matrix read from the model's file for each product", facts.streamed_bytes),
            ("embedding, rows read from the model's file", facts.stored_bytes),
        ];
        all.into_iter().filter(|(_, bytes)| *bytes > 0).map(|(name, bytes)| Part { name, bytes }).collect()
    };
    facts.map(of).unwrap_or_default()
}

/// The most that it should be: 60 MB with the model that ships, else 100 MB where adapters are in some layers, and 130 MB where
/// they are in all.
fn line(config: &RunConfig) -> u64 {
    let is_shipped = config.model.path.trim().is_empty();
    let megabytes = match config.lora.layers {
        _ if is_shipped => 60,
        LoraLayers::Top(_) => 100,
        LoraLayers::All(_) => 130,
    };
    megabytes * 1_000_000
}

fn parts(stages: &Stages, report: &MemoryReport) -> Vec<Part> {
    let Stages { begun, bevy, tokenizer, ended } = *stages;
    let MemoryReport {
        model,
        adapters,
        forebears,
        moments,
        caches,
        experiences,
        transcript,
        history,
        activations,
        aside,
        ..
    } = *report;
    let steps = if aside > 0 {
        "activations that steps keep for their way back, beyond the room of adapters that are put aside meanwhile"
    } else {
        "activations that steps keep for their way back"
    };
    let known = [
        ("program and libraries, mapped", ended.mapped),
        ("program at its start", begun.taken),
        ("Bevy and habitats, with `rules` as minds", bevy),
        ("weights in memory", model),
        ("tokenizer", tokenizer),
        // They are back when everybody acts.
        ("adapters, hall of fame", adapters.max(aside)),
        ("adapters of the dead whose children live", forebears),
        ("optimiser's moments", moments),
        ("keys and values", caches),
        ("experience", experiences),
        ("records", transcript + history),
        (steps, activations.saturating_sub(aside)),
    ];
    let mut parts: Vec<_> = known.into_iter().map(|(name, bytes)| Part { name, bytes }).collect();
    let sum = parts.iter().map(|part| part.bytes).sum::<u64>();
    parts.push(Part {
        name: "worker, rows and matrices in flight, copies while breeding, what the allocator keeps",
        bytes: ended.peak.saturating_sub(sum),
    });
    parts
}

/// What the system says of this process.
fn resident() -> Result<Resident, AppError> {
    Resident::read().ok_or_else(|| {
        let what = "This system does not tell what memory a process takes; Linux does, in /proc/self/status.";
        AppError::Mind(what.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_add_up_to_the_peak() {
        let ended = Resident { peak: 1_024_000, now: 921_600, taken: 614_400, mapped: 307_200 };
        let begun = Resident { taken: 10_000, ..ended };
        let report = MemoryReport { model: 300_000, adapters: 20_000, moments: 40_000, ..MemoryReport::default() };
        let report = MemoryReport { activations: 9_000, aside: 4_000, ..report };
        let parts = parts(&Stages { begun, bevy: 2_000, tokenizer: 70_000, ended }, &report);
        assert_eq!(parts.iter().map(|part| part.bytes).sum::<u64>(), ended.peak);
        let bytes = |name: &str| parts.iter().find(|part| part.name.starts_with(name)).map(|part| part.bytes);
        assert_eq!(bytes("activations"), Some(5_000), "they have the room of adapters that are put aside");
        assert_eq!((bytes("tokenizer"), bytes("optimiser"), bytes("Bevy")), (Some(70_000), Some(40_000), Some(2_000)));
        assert_eq!(bytes("worker"), Some(1_024_000 - 307_200 - 10_000 - 300_000 - 72_000 - 65_000));
    }

    #[test]
    fn the_line_goes_by_the_model_and_its_layers() {
        let mut config = RunConfig::default();
        assert_eq!(line(&config), 60_000_000);
        config.model.path = "other.gguf".to_owned();
        assert_eq!(line(&config), 130_000_000);
        config.lora.layers = LoraLayers::Top(10);
        assert_eq!(line(&config), 100_000_000);
    }
}
