//! Numbers that nobody needs just now, in a file without a name: optimiser's moments between two lessons, adapters of the dead, and those of
//! the living while others learn.
//!
//! As ZeRO-Infinity does with the states of an optimiser (Rajbhandari et al. 2021, arXiv:2104.07857). Where there is no file, or it
//! takes no more, numbers stay in memory; whoever reads them back gets the same bits.
//!
//! This module does *not* know what the numbers are, or when they are needed.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    error::{BrainError, Result},
    learn::Moments,
    lora::{Adapter, Pair},
};

/// Bytes of a number.
const BYTES: usize = size_of::<f32>();
/// Numbers that are on their way between memory and a file at the same time.
const CHUNK: usize = 1 << 12;

/// Reads the numbers that lie from a byte of a file on.
///
/// # Errors
/// The file cannot be read, or is shorter.
pub(super) fn read_numbers(file: &mut File, at: u64, numbers: &mut [f32]) -> io::Result<()> {
    let mut bytes = [0; CHUNK * BYTES];
    file.seek(SeekFrom::Start(at))?;
    for some in numbers.chunks_mut(CHUNK) {
        let bytes = &mut bytes[..size_of_val(some)];
        file.read_exact(bytes)?;
        some.iter_mut().zip(bytes.as_chunks().0).for_each(|(number, four)| *number = f32::from_ne_bytes(*four));
    }
    Ok(())
}

/// Writes numbers from a byte of a file on.
///
/// # Errors
/// The file cannot be written.
pub(super) fn write_numbers(file: &mut File, at: u64, numbers: &[f32]) -> io::Result<()> {
    let mut bytes = [0; CHUNK * BYTES];
    file.seek(SeekFrom::Start(at))?;
    for some in numbers.chunks(CHUNK) {
        let bytes = &mut bytes[..size_of_val(some)];
        bytes.as_chunks_mut().0.iter_mut().zip(some).for_each(|(four, number)| *four = number.to_ne_bytes());
        file.write_all(bytes)?;
    }
    Ok(())
}

/// Where numbers can be put aside; without a file they stay where they are.
#[derive(Debug, Clone, Default)]
pub struct Offload(Option<Arc<Places>>);

/// A file, and which parts of it are taken.
#[derive(Debug)]
struct Places {
    file: Mutex<File>,
    /// Apart from the file, so that who lets go of a block never waits for a disk.
    free: Mutex<Free>,
}

#[derive(Debug, Default)]
struct Free {
    /// Where the file ends.
    end: u64,
    /// Where parts begin that are free again, by how many numbers they hold: the blocks of a population have few sizes.
    parts: BTreeMap<usize, Vec<u64>>,
}

impl Places {
    /// Takes a part of so many numbers, and says where it begins.
    fn take(&self, len: usize) -> u64 {
        let mut free = open(&self.free);
        if let Some(begin) = free.parts.get_mut(&len).and_then(Vec::pop) {
            return begin;
        }
        free.end += (len * BYTES) as u64;
        free.end - (len * BYTES) as u64
    }
}

impl Offload {
    /// A place with a temporary file, or without one where the system gives none.
    pub fn to_file() -> Self {
        Self::into(tempfile::tempfile().ok())
    }

    fn into(file: Option<File>) -> Self {
        Self(file.map(|file| Arc::new(Places { file: Mutex::new(file), free: Mutex::default() })))
    }

    /// Whether there is a file.
    pub const fn is_there(&self) -> bool {
        self.0.is_some()
    }

    /// Puts numbers aside, in one block; they stay in memory where there is no file, or it takes no more.
    pub fn put(&self, all: &[Arc<Vec<f32>>]) -> Vec<Kept> {
        let Some(block) = self.write(all).map(Arc::new) else { return all.iter().cloned().map(Kept::Here).collect() };
        let mut end = 0;
        let away = |numbers: &Arc<Vec<f32>>| {
            end += numbers.len();
            Kept::Away(Arc::clone(&block), end - numbers.len()..end)
        };
        all.iter().map(away).collect()
    }

    /// Puts moments aside that are in memory.
    #[must_use]
    pub fn moments(&self, moments: Moments) -> Moments {
        let Moments { steps, first, second } = moments;
        let here = |kept: Kept| match kept {
            Kept::Here(numbers) => Some(numbers),
            Kept::Away(..) => None,
        };
        let (count, all): (_, Option<Vec<_>>) = (first.len(), first.iter().chain(&second).cloned().map(here).collect());
        let Some(all) = all else { return Moments { steps, first, second } };
        let mut first = self.put(&all);
        let second = first.split_off(count);
        Moments { steps, first, second }
    }

    /// Puts aside what of an adapter is in memory; its A only where that is its own.
    pub fn adapter(&self, adapter: &KeptAdapter, owns_a: bool) -> KeptAdapter {
        self.beside(adapter, owns_a, &mut BTreeMap::new())
    }

    /// The same, but for numbers that have been put aside already: `known` says where these were and are, and grows.
    pub(super) fn beside(&self, adapter: &KeptAdapter, owns_a: bool, known: &mut BTreeMap<Place, Kept>) -> KeptAdapter {
        let mut aside = adapter.clone();
        if !self.is_there() {
            return aside;
        }
        let first = if owns_a { 0 } else { 1 };
        let (mut all, mut places) = (Vec::new(), Vec::new());
        for kept in aside.pairs.iter().flat_map(|pair| &pair[first..]) {
            let place = kept.place();
            if let Kept::Here(numbers) = kept
                && !known.contains_key(&place)
                && !places.contains(&place)
            {
                all.push(Arc::clone(numbers));
                places.push(place);
            }
        }
        if !all.is_empty() {
            known.extend(places.into_iter().zip(self.put(&all)));
        }
        for kept in aside.pairs.iter_mut().flat_map(|pair| &mut pair[first..]) {
            if let Some(away) = known.get(&kept.place()) {
                *kept = away.clone();
            }
        }
        aside
    }

    /// Cuts the file off, so that nothing can be read any more.
    #[cfg(test)]
    pub(super) fn cut(&self) {
        if let Some(places) = &self.0 {
            open(&places.file).set_len(0).unwrap();
        }
    }

    fn write(&self, all: &[Arc<Vec<f32>>]) -> Option<Block> {
        let places = self.0.as_ref()?;
        let len = all.iter().map(|numbers| numbers.len()).sum();
        // From here on its place is given back when it goes.
        let block = Block { places: Arc::clone(places), at: places.take(len), len };
        let (mut file, mut at) = (open(&places.file), block.at);
        for numbers in all {
            write_numbers(&mut file, at, numbers).ok()?;
            at += size_of_val(numbers.as_slice()) as u64;
        }
        drop(file);
        Some(block)
    }
}

fn open<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A part of the file, which is free again when nobody needs the block any more.
#[derive(Debug)]
pub struct Block {
    places: Arc<Places>,
    at: u64,
    len: usize,
}

impl Drop for Block {
    fn drop(&mut self) {
        open(&self.places.free).parts.entry(self.len).or_default().push(self.at);
    }
}

/// Where numbers are, for as long as somebody has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(usize, usize, usize);

/// Numbers, in memory or in a file.
#[derive(Debug, Clone)]
pub enum Kept {
    /// In memory.
    Here(Arc<Vec<f32>>),
    /// These of a block's.
    Away(Arc<Block>, Range<usize>),
}

impl Default for Kept {
    fn default() -> Self {
        Self::Here(Arc::default())
    }
}

impl From<Vec<f32>> for Kept {
    fn from(numbers: Vec<f32>) -> Self {
        Self::Here(Arc::new(numbers))
    }
}

impl Kept {
    /// The numbers.
    ///
    /// # Errors
    /// The file cannot be read any more.
    pub fn read(&self) -> Result<Arc<Vec<f32>>> {
        let (block, range) = match self {
            Self::Here(numbers) => return Ok(Arc::clone(numbers)),
            Self::Away(block, range) => (block, range),
        };
        let mut numbers = vec![0.0; range.len()];
        let at = block.at + (range.start * BYTES) as u64;
        read_numbers(&mut open(&block.places.file), at, &mut numbers).map_err(BrainError::Offloaded)?;
        Ok(Arc::new(numbers))
    }

    /// How many they are.
    pub fn len(&self) -> usize {
        match self {
            Self::Here(numbers) => numbers.len(),
            Self::Away(_, range) => range.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that they take in memory.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Here(numbers) => size_of_val(numbers.as_slice()),
            Self::Away(..) => 0,
        }
    }

    /// Names the place where they are: two that have one are the same numbers.
    pub fn place(&self) -> Place {
        match self {
            Self::Here(numbers) => Place(Arc::as_ptr(numbers).addr(), 0, numbers.len()),
            Self::Away(block, range) => Place(Arc::as_ptr(block).addr(), range.start, range.len()),
        }
    }
}

/// The same numbers, wherever they are; what cannot be read equals nothing.
impl PartialEq for Kept {
    fn eq(&self, other: &Self) -> bool {
        matches!((self.read(), other.read()), (Ok(own), Ok(others)) if own == others)
    }
}

/// An adapter, in memory or in a file.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptAdapter {
    /// A and B, site by site.
    pub pairs: Vec<[Kept; 2]>,
}

impl KeptAdapter {
    /// The adapter.
    ///
    /// # Errors
    /// The file cannot be read any more.
    pub fn read(&self) -> Result<Adapter> {
        let pair = |[a, b]: &[Kept; 2]| Ok(Pair { a: a.read()?, b: b.read()? });
        Ok(Adapter { pairs: self.pairs.iter().map(pair).collect::<Result<_>>()? })
    }

    /// The same in memory. `known` says what has been read, so that what several share they share again, and grows.
    ///
    /// # Errors
    /// The file cannot be read any more.
    pub(super) fn back(&self, known: &mut BTreeMap<Place, Kept>) -> Result<Self> {
        let mut back = self.clone();
        for kept in back.pairs.iter_mut().flatten() {
            let place = kept.place();
            let here = match known.get(&place) {
                Some(here) => here.clone(),
                None => Kept::Here(kept.read()?),
            };
            *kept = known.entry(place).or_insert(here).clone();
        }
        Ok(back)
    }

    /// Whether all of it is in memory.
    pub fn is_here(&self) -> bool {
        self.pairs.iter().flatten().all(|kept| matches!(kept, Kept::Here(_)))
    }

    /// Names the places where its numbers are.
    pub fn places(&self) -> Vec<Place> {
        self.pairs.iter().flatten().map(Kept::place).collect()
    }

    /// Bytes that its numbers take in memory, as if it shared nothing.
    pub fn bytes(&self) -> usize {
        self.pairs.iter().flatten().map(Kept::bytes).sum()
    }

    /// Bytes of its numbers, wherever they are, as if it shared nothing.
    pub fn size(&self) -> usize {
        self.pairs.iter().flatten().map(|kept| kept.len() * BYTES).sum()
    }
}

impl From<Adapter> for KeptAdapter {
    fn from(adapter: Adapter) -> Self {
        Self { pairs: adapter.pairs.into_iter().map(|pair| [Kept::Here(pair.a), Kept::Here(pair.b)]).collect() }
    }
}

#[cfg(test)]
mod tests;
