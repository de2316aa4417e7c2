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
        // What several have they have together afterwards, too.
        let mut known = BTreeMap::new();
        let minds = self.minds.values_mut().flat_map(|mind| std::iter::once(&mut mind.adapter).chain(&mut mind.genome));
        for adapter in minds.chain(self.hall.values_mut()) {
            *adapter = offload.beside(adapter, owns_a, &mut known);
        }
        known.values().filter(|kept| kept.bytes() == 0).map(|kept| (kept.len() * size_of::<f32>()) as u64).sum()
    }

    /// Whether the adapters of those that will act are in memory.
    pub(super) fn are_here(&self, mut acting: impl Iterator<Item = Name>) -> bool {
        acting.all(|name| self.minds.get(&name).is_none_or(|mind| mind.adapter.is_here()))
    }

    /// Brings back the adapters of those that will act.
    ///
    /// # Errors
    /// One cannot be read any more.
    pub(super) fn bring_back(&mut self, acting: impl Iterator<Item = Name>) -> Result<()> {
        let mut known = BTreeMap::new();
        for name in acting {
            if let Some(mind) = self.minds.get_mut(&name).filter(|mind| !mind.adapter.is_here()) {
                mind.adapter = mind.adapter.back(&mut known)?;
            }
        }
        Ok(())
    }

    /// Takes over where numbers are in `moved`, which was a copy of `before`, of whoever has not changed since.
    fn follow(&mut self, before: &Self, moved: &Self) {
        for (name, mind) in &mut self.minds {
            let (Some(old), Some(new)) = (before.minds.get(name), moved.minds.get(name)) else { continue };
            if mind.adapter.places() == old.adapter.places() {
                mind.adapter = new.adapter.clone();
            }
            let places = |genome: &Option<KeptAdapter>| genome.as_ref().map(KeptAdapter::places);
            if places(&mind.genome) == places(&old.genome) {
                mind.genome = new.genome.clone();
            }
        }
        for (name, adapter) in &mut self.hall {
            let (Some(old), Some(new)) = (before.hall.get(name), moved.hall.get(name)) else { continue };
            if adapter.places() == old.places() {
                *adapter = new.clone();
            }
        }
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

    /// Moves numbers between memory and file by `work`, on a copy: whoever saves the run must not wait for a disk. What comes of it, and the
    /// population as it is then.
    ///
    /// # Errors
    /// `work` fails; nothing has changed then.
    pub(super) fn moving<T>(&self, work: impl FnOnce(&mut Population) -> Result<T>) -> Result<(T, Population)> {
        let before = self.open().clone();
        let mut moved = before.clone();
        let done = work(&mut moved)?;
        let mut population = self.open();
        population.follow(&before, &moved);
        Ok((done, population.clone()))
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
        // Two Bs, and the A that all share.
        for (owns_a, gone) in [(false, 2 * 4), (true, 6 + 2 * 4)] {
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
    fn numbers_move_on_a_copy_and_whoever_has_changed_meanwhile_stays() {
        let (shelf, offload) = (Shelf::new(population()), Offload::to_file());
        let before = shelf.open().clone();
        let new = Mind::newborn(Adapter { pairs: Vec::new() }, false);
        let (gone, after) = shelf
            .moving(|population| {
                let gone = population.put_adapters_aside(&offload, true);
                shelf.try_open().unwrap().minds.insert(name(1), new.clone());
                Ok(gone)
            })
            .unwrap();
        assert_eq!(gone, (6 + 2 * 4) * 4);
        assert_eq!(shelf.open().minds, after.minds);
        assert_eq!(after.minds[&name(1)], new);
        for creature in [0, 2] {
            let (own, old) = (&after.minds[&name(creature)], &before.minds[&name(creature)]);
            assert!(!own.adapter.is_here() && own == old);
            assert!(own.genome.as_ref().is_none_or(|genome| genome.places() == own.adapter.places()));
        }
        let failed = shelf.moving(|population| {
            population.minds.clear();
            Err::<(), _>(BrainError::Setting("no".to_owned()))
        });
        assert!(failed.is_err() && shelf.open().minds.len() == 3);
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
