//! Everybody's adapters: who was born with what, what they have learned, and the optimiser's memory.
//!
//! The population outlives the worker thread: it changes only at the end of a request, in one step, so that a thread that
//! dies leaves it as it was before.
//!
//! This module does *not* know how adapters are trained or merged.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{learn::Moments, lora::Adapter};
use crate::protocol::{CreatureId, HabitatId};

/// One creature's mind.
#[derive(Debug, Clone)]
pub struct Mind {
    /// The adapter that it acts with.
    pub adapter: Adapter,
    /// The adapter that it was born with, where that is what it passes on; otherwise it passes on `adapter`.
    pub genome: Option<Adapter>,
    /// Adam's moments.
    pub moments: Arc<Moments>,
}

impl Mind {
    /// A mind as it is born.
    pub fn newborn(adapter: Adapter, keeps_genome: bool) -> Self {
        let genome = keeps_genome.then(|| adapter.clone());
        Self { adapter, genome, moments: Arc::default() }
    }

    /// What children get: what was learned, or what it was born with.
    pub fn heritage(&self, learned: bool) -> &Adapter {
        match &self.genome {
            Some(genome) if !learned => genome,
            _ => &self.adapter,
        }
    }
}

/// Names a creature in all habitats.
pub type Name = (HabitatId, CreatureId);

/// Every living creature's mind.
#[derive(Debug, Clone, Default)]
pub struct Population {
    /// The minds.
    pub minds: BTreeMap<Name, Mind>,
}

/// A population that several lives of the worker thread use, one after the other.
#[derive(Debug, Clone, Default)]
pub struct Shelf(Arc<Mutex<Population>>);

impl Shelf {
    /// A shelf with a population on it.
    pub fn new(population: Population) -> Self {
        Self(Arc::new(Mutex::new(population)))
    }

    /// The population. One whose thread died while it looked is as good as before.
    pub fn open(&self) -> MutexGuard<'_, Population> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
