//! Where everybody stands in the family tree: a column per generation, and in it a place for everybody who lived then.
//!
//! Nobody shares a place; who lives on keeps its place, so that it is one straight line; children stand near the middle of
//! their parents (the barycentre method of Sugiyama, Tagawa & Toda, "Methods for visual understanding of hierarchical
//! system structures", 1981, in one sweep). This module does *not* know pixels.

use std::collections::{BTreeMap, BTreeSet};

use super::Relative;
use crate::protocol::CreatureId;

/// The places of everybody.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Layout {
    /// The generation of the first column.
    pub(super) first: u32,
    /// Of every generation who lived then, as places and indices of the model's creatures, sorted by place.
    pub(super) columns: Vec<Vec<(u32, usize)>>,
    /// Places that the fullest column needs.
    pub(super) height: u32,
    /// Where each creature is in the model.
    pub(super) index: BTreeMap<CreatureId, usize>,
    /// The places of each creature, from its first generation on.
    places: Vec<Vec<u32>>,
}

impl Layout {
    /// Gives everybody a place. `living` is the generation that lives.
    pub(super) fn new(creatures: &[Relative], living: u32) -> Self {
        let index: BTreeMap<_, _> = creatures.iter().enumerate().map(|(at, one)| (one.creature, at)).collect();
        let Some(first) = creatures.iter().map(|one| one.born).min() else { return Self::default() };
        let mut born: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for at in index.values() {
            born.entry(creatures[*at].born).or_default().push(*at);
        }
        let last = creatures.iter().map(|one| one.last(living)).max().unwrap_or(first);
        let mut layout = Self { first, places: vec![Vec::new(); creatures.len()], index, ..Self::default() };
        for generation in first..=last {
            let old = layout.columns.last().map(Vec::as_slice).unwrap_or_default();
            let mut column: Vec<_> =
                old.iter().copied().filter(|(_, at)| creatures[*at].last(living) >= generation).collect();
            let mut newborn: Vec<_> = born
                .remove(&generation)
                .unwrap_or_default()
                .into_iter()
                .map(|at| (layout.middle_of_parents(&creatures[at], generation), creatures[at].creature, at))
                .collect();
            newborn.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
            let taken: BTreeSet<u32> = column.iter().map(|(place, _)| *place).collect();
            let free = (0..).filter(|place| !taken.contains(place));
            column.extend(free.zip(newborn.into_iter().map(|(_, _, at)| at)));
            column.sort_unstable();
            column.iter().for_each(|(place, at)| layout.places[*at].push(*place));
            layout.height = layout.height.max(column.last().map_or(0, |(place, _)| place + 1));
            layout.columns.push(column);
        }
        layout
    }

    /// The mean place of a creature's parents before it was born; whose parents are not known comes last.
    fn middle_of_parents(&self, one: &Relative, generation: u32) -> f64 {
        let places: Vec<_> = one
            .parents
            .iter()
            .flatten()
            .filter_map(|parent| self.index.get(parent))
            .filter_map(|parent| self.places[*parent].last())
            .map(|place| f64::from(*place))
            .collect();
        if places.is_empty() || generation == self.first {
            return f64::INFINITY;
        }
        places.iter().sum::<f64>() / places.len() as f64
    }

    /// The place of a creature in a column, or in the last one in which it lived before it; and that column.
    pub(super) fn place(&self, creatures: &[Relative], at: usize, column: usize) -> Option<(usize, u32)> {
        let begun = (creatures[at].born - self.first) as usize;
        let places = &self.places[at];
        let within = column.checked_sub(begun)?.min(places.len().checked_sub(1)?);
        places.get(within).map(|place| (begun + within, *place))
    }

    /// A creature and all from whom it descends, as indices of the model's creatures.
    pub(super) fn ancestors(&self, creatures: &[Relative], of: CreatureId) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        let mut open: Vec<_> = self.index.get(&of).copied().into_iter().collect();
        while let Some(at) = open.pop() {
            if found.insert(at) {
                open.extend(creatures[at].parents.iter().flatten().filter_map(|parent| self.index.get(parent)));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// `size` creatures in each of `generations`; the first two of each live on, everybody else has two parents of it.
    fn family(generations: u32, size: u32, seed: u64) -> Vec<Relative> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let founder = |creature| Relative {
            creature: CreatureId(creature),
            founder: CreatureId(creature),
            ..Relative::default()
        };
        let mut all: Vec<_> = (0..size).map(founder).collect();
        let mut living: Vec<usize> = (0..size as usize).collect();
        for generation in 1..generations {
            let elites: Vec<_> = (0..2)
                .map(|_| living[random.random_range(0..living.len())])
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect();
            let mut next = elites.clone();
            while next.len() < size as usize {
                let [one, other] = [(); 2].map(|()| living[random.random_range(0..living.len())]);
                let creature = CreatureId(all.len() as u32);
                let parents = [one, other].map(|at| Some(all[at].creature));
                next.push(all.len());
                all.push(Relative {
                    creature,
                    born: generation,
                    parents,
                    founder: all[one].founder,
                    ..Relative::default()
                });
            }
            living.iter().filter(|at| !elites.contains(at)).for_each(|at| all[*at].died = Some(generation - 1));
            living = next;
        }
        all
    }

    /// Pairs of lines between neighbouring columns that cross.
    fn crossings(creatures: &[Relative], layout: &Layout) -> usize {
        (1..layout.columns.len())
            .map(|column| {
                let lines: Vec<_> = layout.columns[column]
                    .iter()
                    .filter(|(_, at)| creatures[*at].born == column as u32)
                    .flat_map(|(place, at)| {
                        let parents = creatures[*at].parents.iter().flatten();
                        parents.map(|parent| {
                            (layout.place(creatures, layout.index[parent], column - 1).unwrap().1, *place)
                        })
                    })
                    .collect();
                let cross = |a: &(u32, u32), b: &(u32, u32)| (a.0 < b.0 && a.1 > b.1) || (a.0 > b.0 && a.1 < b.1);
                let with_later = |at: usize| lines[at + 1..].iter().filter(|other| cross(&lines[at], other)).count();
                (0..lines.len()).map(with_later).sum::<usize>()
            })
            .sum()
    }

    #[test]
    fn nobody_shares_a_place_and_all_who_lived_have_one() {
        let creatures = family(30, 20, 1);
        let layout = Layout::new(&creatures, 29);
        assert_eq!(layout.columns.len(), 30);
        for (generation, column) in layout.columns.iter().enumerate() {
            let places: BTreeSet<_> = column.iter().map(|(place, _)| *place).collect();
            assert_eq!(places.len(), column.len(), "two in one place in generation {generation}");
            let generation = generation as u32;
            let lived = creatures.iter().filter(|one| one.born <= generation && one.last(29) >= generation).count();
            assert_eq!(column.len(), lived);
            assert_eq!(lived, 20);
        }
        assert_eq!(layout.height, 20);
    }

    #[test]
    fn who_lives_on_is_one_straight_line() {
        let creatures = family(30, 20, 2);
        let layout = Layout::new(&creatures, 29);
        let long: Vec<_> = (0..creatures.len()).filter(|at| layout.places[*at].len() > 1).collect();
        assert!(long.len() > 20);
        for at in long {
            let born = creatures[at].born as usize;
            let place = layout.places[at][0];
            assert!(layout.places[at].iter().all(|other| *other == place), "creature {at} moves");
            assert_eq!(layout.place(&creatures, at, born), Some((born, place)));
        }
    }

    #[test]
    fn children_stand_near_their_parents() {
        for seed in 0..5 {
            let creatures = family(20, 20, seed);
            let layout = Layout::new(&creatures, 19);
            let mut naive = layout.clone();
            // Everybody in the order of their numbers instead.
            for column in 0..naive.columns.len() {
                let mut order: Vec<_> = naive.columns[column].iter().map(|(_, at)| *at).collect();
                order.sort_unstable();
                order.iter().enumerate().for_each(|(place, at)| {
                    naive.places[*at][column - creatures[*at].born as usize] = place as u32;
                });
                naive.columns[column] = order.into_iter().enumerate().map(|(place, at)| (place as u32, at)).collect();
            }
            let (ours, theirs) = (crossings(&creatures, &layout), crossings(&creatures, &naive));
            assert!(ours * 10 < theirs * 7, "{ours} crossings, {theirs} without an order");
        }
    }

    #[test]
    fn ancestors_are_found_back_to_the_founders() {
        let one = |creature, born, died, parents: [u32; 2]| Relative {
            creature: CreatureId(creature),
            born,
            died,
            parents: if born == 0 { [None; 2] } else { parents.map(|parent| Some(CreatureId(parent))) },
            ..Relative::default()
        };
        let creatures = [
            one(0, 0, Some(0), [0; 2]),
            one(1, 0, Some(1), [0; 2]),
            one(2, 0, Some(0), [0; 2]),
            one(3, 1, Some(1), [0, 1]),
            one(4, 2, None, [3, 1]),
            one(5, 2, None, [3, 99]),
        ];
        let layout = Layout::new(&creatures, 2);
        let of = |creature| layout.ancestors(&creatures, CreatureId(creature)).into_iter().collect::<Vec<_>>();
        assert_eq!(of(4), [0, 1, 3, 4]);
        assert_eq!(of(5), [0, 1, 3, 5], "a parent that is not known any more is left out");
        assert_eq!(of(2), [2]);
        assert!(of(77).is_empty());
        assert_eq!(layout.place(&creatures, 1, 1), Some((1, 1)));
        assert_eq!(layout.place(&creatures, 1, 2), Some((1, 1)), "where it last was");
        assert_eq!(layout.place(&creatures, 4, 1), None, "it is not born yet");
    }

    #[test]
    fn nobody_needs_no_place() {
        assert_eq!(Layout::new(&[], 7), Layout::default());
    }
}
