//! The dead whose children live: their adapters, so that a child can be compared with its parents.
//!
//! They are no part of a run: nothing depends on them, no checkpoint holds them, and a run that goes on has them from the
//! first breeding after that.
//!
//! This module does *not* know how they are compared.

use std::collections::BTreeMap;

use super::{
    offload::KeptAdapter,
    population::{Mind, Name},
};
use crate::protocol::{Breed, CreatureId};

/// Bytes that all of them take together at the most, reckoned as if they shared nothing; who died first goes first.
pub const MOST_FOREBEARS: usize = 16 << 20;

/// One of the dead.
#[derive(Debug, Clone)]
struct Forebear {
    /// How many died before it.
    order: u64,
    adapter: KeptAdapter,
}

/// The dead whose children live.
#[derive(Debug, Clone, Default)]
pub struct Forebears {
    dead: BTreeMap<Name, Forebear>,
    /// The parents of the living, as far as they are known.
    parents: BTreeMap<Name, [CreatureId; 2]>,
    died: u64,
}

impl Forebears {
    /// The adapter of one of them, as it was when it died.
    pub fn get(&self, name: &Name) -> Option<&KeptAdapter> {
        self.dead.get(name).map(|dead| &dead.adapter)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&Name, &KeptAdapter)> {
        self.dead.iter().map(|(name, dead)| (name, &dead.adapter))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.dead.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.dead.is_empty()
    }

    /// Bytes of their numbers, in memory or not, reckoned as if they shared nothing.
    pub fn bytes(&self) -> usize {
        self.dead.values().map(|dead| dead.adapter.size()).sum()
    }

    /// Follows a breeding: of those among `minds` who do not live on, parents of the living are kept.
    pub(super) fn follow(
        &mut self,
        breed: &Breed,
        minds: &BTreeMap<Name, Mind>,
        keep: impl Fn(&KeptAdapter) -> KeptAdapter,
    ) {
        let of_habitat = |name: &Name| name.0 == breed.habitat;
        let lives = |creature: &CreatureId| breed.living.contains(creature);
        self.parents.retain(|name, _| !of_habitat(name) || lives(&name.1));
        self.parents.extend(breed.births.iter().map(|birth| ((breed.habitat, birth.child), birth.parents)));
        let mut needed: Vec<CreatureId> =
            self.parents.iter().filter(|(name, _)| of_habitat(name)).flat_map(|(_, parents)| *parents).collect();
        needed.sort_unstable();
        self.dead.retain(|name, _| !of_habitat(name) || needed.binary_search(&name.1).is_ok());
        for (name, mind) in minds.iter().filter(|(name, _)| of_habitat(name)) {
            if lives(&name.1) || needed.binary_search(&name.1).is_err() {
                continue;
            }
            let forebear = Forebear { order: self.died, adapter: keep(&mind.adapter) };
            self.died += 1;
            self.dead.insert(*name, forebear);
        }
        self.keep_within(MOST_FOREBEARS);
    }

    /// Lets the oldest go until the others take no more than `most` bytes.
    fn keep_within(&mut self, most: usize) {
        let mut bytes = self.bytes();
        while bytes > most {
            let Some(oldest) = self.dead.iter().min_by_key(|(_, dead)| dead.order).map(|(name, _)| *name) else {
                return;
            };
            bytes -= self.dead.remove(&oldest).map_or(0, |dead| dead.adapter.size());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        brain::lora::{Adapter, Pair},
        protocol::{Birth, HabitatId},
    };

    const HOME: HabitatId = HabitatId(1);

    fn keep(adapter: &KeptAdapter) -> KeptAdapter {
        adapter.clone()
    }

    fn mind(number: u32) -> Mind {
        let pair = Pair { a: Arc::new(vec![0.0; 3]), b: Arc::new(vec![number as f32; 2]) };
        Mind::newborn(Adapter { pairs: vec![pair] }, false)
    }

    fn minds(numbers: &[u32]) -> BTreeMap<Name, Mind> {
        numbers.iter().map(|number| ((HOME, CreatureId(*number)), mind(*number))).collect()
    }

    fn breed(living: &[u32], births: &[(u32, u32, u32)]) -> Breed {
        let birth = |(child, one, other): &(u32, u32, u32)| Birth {
            child: CreatureId(*child),
            parents: [CreatureId(*one), CreatureId(*other)],
            share: 0.5,
        };
        Breed {
            habitat: HOME,
            living: living.iter().copied().map(CreatureId).collect(),
            births: births.iter().map(birth).collect(),
            mutation_rate: 0.0,
            mutation_size: 0.0,
            learned: true,
            draws: Vec::new(),
        }
    }

    fn names(forebears: &Forebears) -> Vec<u32> {
        forebears.iter().map(|(name, _)| name.1.0).collect()
    }

    #[test]
    fn parents_are_kept_for_as_long_as_a_child_lives() {
        let mut forebears = Forebears::default();
        // 0 lives on, 1 and 2 die; 3 is the child of 0 and 1.
        forebears.follow(&breed(&[0, 3], &[(3, 0, 1)]), &minds(&[0, 1, 2]), keep);
        assert_eq!(names(&forebears), [1]);
        assert_eq!(forebears.get(&(HOME, CreatureId(1))), Some(&mind(1).adapter));
        assert_eq!(forebears.bytes(), 5 * 4);
        // 0 dies now, and 3 lives on.
        forebears.follow(&breed(&[3, 4], &[(4, 3, 3)]), &minds(&[0, 3]), keep);
        assert_eq!(names(&forebears), [0, 1]);
        // Another habitat's breeding changes nothing here.
        forebears.follow(&Breed { habitat: HabitatId(2), ..breed(&[], &[]) }, &minds(&[3, 4]), keep);
        assert_eq!(names(&forebears), [0, 1]);
        // 3 dies: its own parents are nobody's any more.
        forebears.follow(&breed(&[4], &[]), &minds(&[3, 4]), keep);
        assert_eq!(names(&forebears), [3]);
    }

    #[test]
    fn the_oldest_go_where_they_would_take_too_much() {
        let mut forebears = Forebears::default();
        forebears.follow(&breed(&[5, 6, 9], &[(5, 7, 8), (6, 7, 7)]), &minds(&[7, 8, 9]), keep);
        forebears.follow(&breed(&[5, 6, 10], &[(10, 9, 9)]), &minds(&[5, 6, 9]), keep);
        assert_eq!(names(&forebears), [7, 8, 9]);
        forebears.keep_within(2 * 5 * 4);
        assert_eq!(names(&forebears), [8, 9]);
        forebears.keep_within(5 * 4);
        assert_eq!(names(&forebears), [9]);
        forebears.keep_within(0);
        assert!(forebears.is_empty());
    }
}
