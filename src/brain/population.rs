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
    /// The adapter that it acts with; of a large model's creatures it is put aside while others learn.
    pub adapter: KeptAdapter,
    /// The adapter that it was born with, where that is what it passes on; otherwise it passes on `adapter`.
    pub genome: Option<KeptAdapter>,
    /// Adam's moments.
    pub moments: Arc<Moments>,
}

impl Mind {
    /// A mind as it is born.
    pub fn newborn(adapter: impl Into<KeptAdapter>, keeps_genome: bool) -> Self {
        let adapter = adapter.into();
        let genome = keeps_genome.then(|| adapter.clone());
        Self { adapter, genome, moments: Arc::default() }
    }

    /// What children get: what was learned, or what it was born with.
    pub const fn heritage(&self, learned: bool) -> &KeptAdapter {
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
        for (name, adapter) in minds.chain(&self.hall) {
            if !layout.fits(&adapter.read()?) {
                return misfit(name);
            }
        }
        if self.founders.iter().any(|adapter| !layout.fits(adapter)) {
            return Err(BrainError::Setting("The founders' adapters do not fit those of the population".to_owned()));
        }
        for ((habitat, creature), mind) in &self.minds {
            if !mind.moments.fits(&mind.adapter.read()?) {
                return Err(BrainError::Setting(format!(
                    "The optimiser's moments of creature {creature} of habitat {habitat} do not fit its adapter"
                )));
            }
        }
        Ok(())
    }
}

impl Population {
    /// Puts aside what nobody needs who does nothing: adapters, moments, and the hall of fame; A only where creatures have their own.
    pub(super) fn put_aside(&mut self, offload: &Offload, owns_a: bool) {
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
        self.put_adapters_aside(offload, owns_a);
    }

    /// The same of adapters alone, those of the hall of fame among them: the bytes that these do not take any more.
    pub(super) fn put_adapters_aside(&mut self, offload: &Offload, owns_a: bool) -> u64 {
        if !offload.is_there() {
            return 0;
        }
        // What several have they have together afterwards, too.
        let mut known: BTreeMap<Vec<Place>, KeptAdapter> = BTreeMap::new();
        let mut gone = 0;
        let minds = self.minds.values_mut().flat_map(|mind| std::iter::once(&mut mind.adapter).chain(&mut mind.genome));
        for adapter in minds.chain(self.hall.values_mut()) {
            let aside = known.entry(adapter.places()).or_insert_with(|| {
                let aside = offload.adapter(adapter, owns_a);
                gone += adapter.bytes() - aside.bytes();
                aside
            });
            *adapter = aside.clone();
        }
        gone as u64
    }

    /// Brings back the adapters of those that will act.
    ///
    /// # Errors
    /// One cannot be read any more.
    pub(super) fn bring_back(&mut self, acting: impl Iterator<Item = Name>) -> Result<()> {
        let mut known: BTreeMap<Vec<Place>, KeptAdapter> = BTreeMap::new();
        for name in acting {
            let Some(mind) = self.minds.get_mut(&name).filter(|mind| !mind.adapter.is_here()) else { continue };
            let places = mind.adapter.places();
            let back = match known.get(&places) {
                Some(back) => back.clone(),
                None => mind.adapter.read()?.into(),
            };
            mind.adapter = known.entry(places).or_insert(back).clone();
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
    aside: Arc<AtomicU64>,
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

    /// The most bytes of adapters that were ever put aside while some learned.
    pub fn aside(&self) -> u64 {
        self.aside.load(Ordering::Relaxed)
    }

    /// Notes how many they are.
    pub(super) fn note_aside(&self, bytes: u64) {
        self.aside.fetch_max(bytes, Ordering::Relaxed);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::brain::lora::Pair;

    /// Two minds with one adapter and a third with the same A, as founders are born.
    fn population() -> Population {
        let a = Arc::new(vec![0.5; 6]);
        let adapter = |b: f32| Adapter { pairs: vec![Pair { a: Arc::clone(&a), b: Arc::new(vec![b; 4]) }] };
        let twin = Mind::newborn(adapter(1.0), false);
        let minds = [twin.clone(), twin, Mind::newborn(adapter(2.0), true)];
        let named = minds.into_iter().enumerate().map(|(at, mind)| (name(at as u32), mind));
        Population { minds: named.collect(), ..Population::default() }
    }

    fn name(creature: u32) -> Name {
        (HabitatId(0), CreatureId(creature))
    }

    #[test]
    fn what_several_have_they_have_together_aside_and_back_again() {
        // Of each its own B; or all three pairs, of which two are the same numbers.
        for (owns_a, gone) in [(false, 2 * 4), (true, 2 * (6 + 4))] {
            let (mut population, offload) = (population(), Offload::to_file());
            let before = population.clone();
            assert_eq!(population.put_adapters_aside(&offload, owns_a), gone * 4, "bytes");
            let place = |population: &Population, creature| population.minds[&name(creature)].adapter.places();
            assert!(population.minds.values().all(|mind| !mind.adapter.is_here()));
            assert_eq!(place(&population, 0), place(&population, 1));
            assert_eq!(population.put_adapters_aside(&offload, owns_a), 0, "away already");
            population.bring_back([0, 1, 9].map(name).into_iter()).unwrap();
            assert_eq!(place(&population, 0), place(&population, 1));
            let is_here = |creature| population.minds[&name(creature)].adapter.is_here();
            assert_eq!([0, 1, 2].map(is_here), [true, true, false]);
            assert_eq!(population, before);
        }
        assert_eq!(population().put_adapters_aside(&Offload::default(), true), 0, "there is no file");
    }

    #[test]
    fn what_cannot_be_read_is_an_error_and_stays_aside() {
        let (mut population, offload) = (population(), Offload::to_file());
        population.put_adapters_aside(&offload, true);
        offload.cut();
        let error = population.bring_back([0, 2].map(name).into_iter()).unwrap_err().to_string();
        assert!(error.contains("OFFLOAD=false"), "{error}");
        assert!(population.minds.values().all(|mind| !mind.adapter.is_here()));
    }
}
