//! Everybody's adapters: who was born with what, what they have learned, and the optimiser's memory.
//!
//! The population outlives the worker thread: it changes only at the end of a request, in one step, so that a thread that
//! dies leaves it as it was before.
//!
//! This module does *not* know how adapters are trained or merged, or how they are kept in files.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{
    error::{BrainError, Result},
    forebears::Forebears,
    learn::{Gauge, Moments, Uses},
    lora::{Adapter, AdapterLayout},
    offload::{Kept, KeptAdapter, Offload, Place},
};
use crate::protocol::{CreatureId, HabitatId};

/// One creature's mind.
#[derive(Debug, Clone, PartialEq)]
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

/// Every living creature's mind, and the adapters of the best that ever lived. A copy of it is cheap: the numbers are
/// shared until one of the two changes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Population {
    /// Rank, scale and sites of all adapters, once a model has them.
    pub layout: Option<AdapterLayout>,
    /// The minds.
    pub minds: BTreeMap<Name, Mind>,
    /// Adapters of files with which founders begin, in turn.
    pub founders: Vec<Adapter>,
    /// The hall of fame: adapters as they were when their creatures did best.
    pub hall: BTreeMap<Name, KeptAdapter>,
}

impl Population {
    /// Holds that every adapter has `layout`.
    ///
    /// # Errors
    /// One has not, or numbers that are not finite.
    pub fn check(&self, layout: &AdapterLayout) -> Result<()> {
        let minds = self.minds.iter().flat_map(|(name, mind)| {
            let adapters = std::iter::once(&mind.adapter).chain(&mind.genome);
            adapters.map(move |adapter| (name, adapter))
        });
        let misfit = |(habitat, creature): &Name| {
            Err(BrainError::Setting(format!(
                "The adapter of creature {creature} of habitat {habitat} does not fit the rank and the matrices that the settings \
                 ask for: take the settings that it was made with"
            )))
        };
        for (name, adapter) in minds {
            if !layout.fits(adapter) {
                return misfit(name);
            }
        }
        for (name, adapter) in &self.hall {
            if !layout.fits(&adapter.read()?) {
                return misfit(name);
            }
        }
        if self.founders.iter().any(|adapter| !layout.fits(adapter)) {
            return Err(BrainError::Setting("The founders' adapters do not fit those of the population".to_owned()));
        }
        for ((habitat, creature), mind) in &self.minds {
            if !mind.moments.fits(&mind.adapter) {
                return Err(BrainError::Setting(format!(
                    "The optimiser's moments of creature {creature} of habitat {habitat} do not fit its adapter"
                )));
            }
        }
        Ok(())
    }
}

impl Population {
    /// Puts aside what nobody needs who decides: moments, and the hall of fame; A only where creatures have their own.
    pub(super) fn put_aside(&mut self, offload: &Offload, owns_a: bool) -> Result<()> {
        // What several have they have together afterwards, too.
        let mut known: BTreeMap<Vec<Place>, Arc<Moments>> = BTreeMap::new();
        for mind in self.minds.values_mut() {
            let places = mind.moments.first.iter().chain(&mind.moments.second).map(Kept::place).collect();
            let aside = || Arc::new(offload.moments(Moments::clone(&mind.moments)));
            let aside = Arc::clone(known.entry(places).or_insert_with(aside));
            if aside.steps == mind.moments.steps {
                mind.moments = aside;
            }
        }
        for adapter in self.hall.values_mut() {
            *adapter = offload.adapter(&adapter.read()?, owns_a);
        }
        Ok(())
    }
}

/// A population that several lives of the worker thread use, one after the other, and what is kept beside it for as long as
/// the program runs.
#[derive(Debug, Clone, Default)]
pub struct Shelf {
    population: Arc<Mutex<Population>>,
    forebears: Arc<Mutex<Forebears>>,
    cached: Arc<AtomicU64>,
    hidden: Arc<Mutex<Uses>>,
    activations: Arc<Gauge>,
}

impl Shelf {
    /// A shelf with a population on it.
    pub fn new(population: Population) -> Self {
        Self { population: Arc::new(Mutex::new(population)), ..Self::default() }
    }

    /// The population. One whose thread died while it looked is as good as before.
    pub fn open(&self) -> MutexGuard<'_, Population> {
        self.population.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The population, unless the worker has it just now.
    pub fn try_open(&self) -> Option<MutexGuard<'_, Population>> {
        look(&self.population)
    }

    /// The dead whose children live.
    pub fn forebears(&self) -> MutexGuard<'_, Forebears> {
        self.forebears.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same, unless the worker has them just now.
    pub fn try_forebears(&self) -> Option<MutexGuard<'_, Forebears>> {
        look(&self.forebears)
    }

    /// Bytes of keys and values that are kept from turn to turn, as of the last one.
    pub fn cached(&self) -> u64 {
        self.cached.load(Ordering::Relaxed)
    }

    /// Notes how many they are.
    pub(super) fn note_cached(&self, bytes: u64) {
        self.cached.store(bytes, Ordering::Relaxed);
    }

    /// How often what the layers below the lowest adapter make of a prompt was there when it was learned from, and how often not.
    pub fn hidden(&self) -> Uses {
        *self.hidden.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What steps keep on their way forward for the way back.
    pub fn activations(&self) -> &Gauge {
        &self.activations
    }

    /// Notes how often that was.
    pub(super) fn note_hidden(&self, uses: Uses) {
        *self.hidden.lock().unwrap_or_else(PoisonError::into_inner) = uses;
    }
}

/// What a lock guards, unless another thread has it.
fn look<T>(lock: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match lock.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}
