//! Looking into one mind, and at the memory that everything takes, without the worker and without ever waiting for it.
//!
//! This module does *not* know how any of it is shown.

use std::collections::HashSet;

use bevy::prelude::*;

use crate::{
    brain::{
        KeptAdapter, Resident, Shelf,
        lora::{Adapter, SiteNorm},
    },
    mind::{Experience, Memories, WorkerState},
    protocol::{CreatureName, HabitatId},
    record::{History, Lineage, Transcript},
    sim::Habitat,
};

/// How a creature is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It lives.
    Alive,
    /// It is dead, and a child of it lives: as it was when it died.
    Forebear,
    /// It is dead, and in the hall of fame: as it was when it did best.
    Honoured,
}

/// What there is to see of one mind.
#[derive(Debug, Clone, PartialEq)]
pub struct MindLook {
    /// How it is known.
    pub standing: Standing,
    /// How much its adapter changes each matrix, from the lowest layer up.
    pub norms: Vec<SiteNorm>,
    /// Updates that it has had: its version. 0 for the dead, of whom that is not kept.
    pub version: u64,
    /// How much the adapter with which it was born changes each matrix, where that is kept beside.
    pub born_norms: Option<Vec<SiteNorm>>,
    /// Bytes that its adapter has, and that the optimiser's moments take in memory.
    pub bytes: (u64, u64),
}

/// Looks into a mind; `None` if nobody knows it, it was put aside and cannot be read, or the worker is at the shelf just now. The dead of a
/// large model, and the living while others learn, are read from a file.
pub fn look_into(shelf: &Shelf, name: CreatureName) -> Option<MindLook> {
    // Numbers are shared: what is taken along is no copy, and the shelf is free again at once.
    let population = shelf.try_open()?;
    let layout = population.layout.clone()?;
    let (mind, honoured) = (population.minds.get(&name).cloned(), population.hall.get(&name).cloned());
    drop(population);
    let dead = |standing, adapter: &Adapter| MindLook {
        standing,
        norms: layout.norms(adapter),
        version: 0,
        born_norms: None,
        bytes: (adapter.bytes() as u64, 0),
    };
    if let Some(mind) = mind {
        let born_norms = match &mind.genome {
            Some(genome) => Some(layout.norms(&genome.read().ok()?)),
            None => None,
        };
        let adapter = mind.adapter.read().ok()?;
        let bytes = (adapter.bytes() as u64, mind.moments.bytes() as u64);
        let alive = dead(Standing::Alive, &adapter);
        return Some(MindLook { version: mind.moments.steps, born_norms, bytes, ..alive });
    }
    let forebear = shelf.try_forebears()?.get(&name).cloned();
    let kept = forebear.map(|kept| (Standing::Forebear, kept)).or(honoured.map(|kept| (Standing::Honoured, kept)));
    let (standing, kept) = kept?;
    Some(dead(standing, &kept.read().ok()?))
}

/// The last `most` experiences of a creature, oldest first: what it saw, did and got. Their rewards are its reward trace.
pub fn last_experiences(world: &mut World, (habitat, creature): CreatureName, most: usize) -> Vec<Experience> {
    let mut habitats = world.query::<(&Habitat, &Memories)>();
    let memories = habitats.iter(world).find(|(one, _)| one.id == habitat).map(|(_, memories)| memories);
    let Some(memory) = memories.and_then(|memories| memories.0.get(&creature)) else { return Vec::new() };
    memory.experiences.iter().skip(memory.experiences.len().saturating_sub(most)).copied().collect()
}

/// Bytes that the parts of the program take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MemoryReport {
    /// The model's matrices.
    pub model: u64,
    /// Adapters of the living, those that they were born with, the founders' and the hall of fame's; what several share once.
    pub adapters: u64,
    /// Adapters of the dead whose children live, but for what they share with the others.
    pub forebears: u64,
    /// The optimiser's moments.
    pub moments: u64,
    /// The most that steps ever kept at the same time for their way back; gone by the next lesson.
    pub activations: u64,
    /// Of the adapters, the most that were ever put aside while some learned, in whose room that was.
    pub aside: u64,
    /// Keys and values that are kept from turn to turn; only free replies have any.
    pub caches: u64,
    /// What agents remember.
    pub experiences: u64,
    /// The transcript.
    pub transcript: u64,
    /// Rows and lineage.
    pub history: u64,
    /// Resident memory of the whole process, if the system tells.
    pub resident: Option<u64>,
    /// The most that it ever was, if the system tells.
    pub peak: Option<u64>,
}

/// What everything takes; adapters and moments are those of `before` where the worker is at the shelf just now. It looks at
/// every creature: once a second is often enough.
pub fn memory_report(world: &mut World, shelf: Option<&Shelf>, before: MemoryReport) -> MemoryReport {
    let mut all = world.query::<&Memories>();
    let experiences = all.iter(world).flat_map(|memories| memories.0.values());
    let experiences = experiences.map(|memory| memory.experiences.capacity() * size_of::<Experience>()).sum::<usize>();
    let facts = world.get_resource::<WorkerState>().and_then(|state| state.facts.as_ref());
    let (resident, peak) = process_memory();
    let mut report = MemoryReport {
        model: facts.map_or(0, |facts| facts.model_bytes),
        experiences: experiences as u64,
        transcript: world.get_resource::<Transcript>().map_or(0, |transcript| transcript.bytes() as u64),
        history: history_bytes(world),
        resident,
        peak,
        ..MemoryReport::default()
    };
    let Some(shelf) = shelf else { return report };
    (report.caches, report.activations, report.aside) = (shelf.cached(), shelf.activations().most(), shelf.aside());
    let taken = mind_bytes(shelf).unwrap_or([before.adapters, before.forebears, before.moments]);
    [report.adapters, report.forebears, report.moments] = taken;
    report
}

/// Bytes in memory of adapters, of what the dead have beside these, and of moments; `None` if the worker is at the shelf just now.
fn mind_bytes(shelf: &Shelf) -> Option<[u64; 3]> {
    let population = shelf.try_open()?.clone();
    let dead: Vec<KeptAdapter> = shelf.try_forebears()?.iter().map(|(_, kept)| kept.clone()).collect();
    let minds = population.minds.values();
    let adapters = minds.clone().flat_map(|mind| std::iter::once(&mind.adapter).chain(&mind.genome));
    let founders = population.founders.iter().cloned().map(KeptAdapter::from);
    let living = adapters.cloned().chain(founders);
    let mut seen = HashSet::new();
    let mut bytes_of = |adapter: KeptAdapter| {
        let unseen = adapter.pairs.into_iter().flatten().filter(|numbers| seen.insert(numbers.place()));
        unseen.map(|numbers| numbers.bytes() as u64).sum::<u64>()
    };
    let adapters = living.chain(population.hall.values().cloned()).map(&mut bytes_of).sum();
    let forebears = dead.into_iter().map(bytes_of).sum();
    Some([adapters, forebears, minds.map(|mind| mind.moments.bytes() as u64).sum()])
}

fn history_bytes(world: &World) -> u64 {
    let rows = world.get_resource::<History>().map_or(0, |history| size_of_val(history.rows.as_slice()));
    let creatures = world.get_resource::<Lineage>().map_or(0, |lineage| lineage.creatures.len());
    (rows + creatures * size_of::<((HabitatId, u32), crate::record::Ancestry)>()) as u64
}

/// Resident memory of this process, and its peak, in bytes.
fn process_memory() -> (Option<u64>, Option<u64>) {
    Resident::read().map_or_else(|| (other_systems(), None), |of| (Some(of.now), Some(of.peak)))
}

/// What the system tells where it does not do so in `/proc`.
fn other_systems() -> Option<u64> {
    let id = sysinfo::get_current_pid().ok()?;
    let mut system = sysinfo::System::new();
    system.refresh_processes(sysinfo::ProcessesToUpdate::Some(&[id]), false);
    system.process(id).map(sysinfo::Process::memory)
}
