//! Everybody who has ever lived: whose child it is, what it achieved, and how far its mind moved from its parents'.
//!
//! This module does *not* know adapters, or how anybody was chosen.

use std::collections::{BTreeMap, BTreeSet};

use bevy::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    genetics::{divergence, mean_pairwise_divergence},
    mind::{ChildrenBorn, CreatureReplaced, CreaturesSurveyed, GenerationBegan, GenerationEnded},
    protocol::{Bred, CreatureId, HabitatId, Policy, Surveyed},
};

/// One individual. The columns of `lineage.csv`, in order.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Ancestry {
    /// The habitat.
    pub habitat: HabitatId,
    /// Its number there.
    pub creature: CreatureId,
    /// The first generation in which it lived.
    pub born: u32,
    /// The last one; empty while it lives on.
    pub died: Option<u32>,
    /// The first parent; founders have none.
    pub first_parent: Option<CreatureId>,
    /// The second parent.
    pub second_parent: Option<CreatureId>,
    /// The first parent's share.
    pub share: Option<f64>,
    /// The founder at the end of the line of parents with the larger share.
    pub founder: CreatureId,
    /// Fitness in its last generation.
    pub fitness: f64,
    /// The best fitness that it had in any generation.
    pub best_fitness: f64,
    /// Part of its parents' merged adapters for which its rank had no room.
    pub energy_lost: Option<f64>,
    /// KL of what it would do at its birth from what its first parent would, in nats.
    pub moved_from_first: Option<f64>,
    /// The same from its second parent.
    pub moved_from_second: Option<f64>,
}

/// Everybody who has ever lived.
#[derive(Resource, Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Lineage {
    /// By habitat and number.
    pub creatures: BTreeMap<(HabitatId, CreatureId), Ancestry>,
    /// What the living would do in the situations in which minds are compared, as of their last survey.
    policies: BTreeMap<(HabitatId, CreatureId), Policy>,
}

impl Lineage {
    /// How many founders' lines are alive among these.
    pub fn lines(&self, habitat: HabitatId, living: impl Iterator<Item = CreatureId>) -> u32 {
        // Whoever is not known yet lives in the first generation.
        let founder = |creature| self.creatures.get(&(habitat, creature)).map_or(creature, |one| one.founder);
        living.map(founder).collect::<BTreeSet<_>>().len() as u32
    }

    pub(super) fn note_lives(&mut self, ended: &GenerationEnded) {
        for life in &ended.lives {
            let one = self.known(ended.habitat, life.creature, ended.clock.generation);
            one.fitness = life.fitness;
            one.best_fitness = one.best_fitness.max(life.fitness);
        }
    }

    /// Somebody; whoever is not known yet is a founder that was born in this generation.
    fn known(&mut self, habitat: HabitatId, creature: CreatureId, generation: u32) -> &mut Ancestry {
        self.creatures.entry((habitat, creature)).or_insert_with(|| Ancestry {
            habitat,
            creature,
            born: generation,
            founder: creature,
            best_fitness: f64::NEG_INFINITY,
            ..Ancestry::default()
        })
    }

    /// A copy of somebody's mind is born in the place of somebody else, whose life ends.
    fn note_replaced(&mut self, news: &CreatureReplaced) {
        let CreatureReplaced { habitat, generation, birth, replaced, parent } = *news;
        let gone = self.known(habitat, replaced.creature, generation);
        (gone.fitness, gone.died) = (replaced.fitness, Some(generation));
        gone.best_fitness = gone.best_fitness.max(replaced.fitness);
        let founder = self.known(habitat, parent.creature, generation).founder;
        *self.known(habitat, birth.child, generation) = Ancestry {
            habitat,
            creature: birth.child,
            born: generation,
            first_parent: Some(birth.parents[0]),
            second_parent: Some(birth.parents[1]),
            share: Some(birth.share),
            founder,
            best_fitness: f64::NEG_INFINITY,
            ..Ancestry::default()
        };
    }

    pub(super) fn note_generation(&mut self, begun: &GenerationBegan) {
        let living: BTreeSet<_> = begun.living.iter().copied().collect();
        let of_habitat = self.creatures.values_mut().filter(|one| one.habitat == begun.habitat && one.died.is_none());
        of_habitat
            .filter(|one| !living.contains(&one.creature))
            .for_each(|one| one.died = Some(begun.generation.saturating_sub(1)));
        for birth in &begun.births {
            let [first, second] = birth.parents;
            let line = if birth.share >= 0.5 { first } else { second };
            let founder = self.creatures.get(&(begun.habitat, line)).map_or(line, |parent| parent.founder);
            let child = Ancestry {
                habitat: begun.habitat,
                creature: birth.child,
                born: begun.generation,
                first_parent: Some(first),
                second_parent: Some(second),
                share: Some(birth.share),
                founder,
                best_fitness: f64::NEG_INFINITY,
                ..Ancestry::default()
            };
            self.creatures.insert((begun.habitat, birth.child), child);
        }
    }

    fn note_births(&mut self, bred: &Bred) {
        for born in &bred.born {
            if let Some(one) = self.creatures.get_mut(&(bred.habitat, born.child)) {
                one.energy_lost = Some(born.energy_lost);
            }
        }
    }

    /// Compares newborns with their parents; gives how different those are from each other who have lived.
    fn note_survey(&mut self, surveyed: &Surveyed) -> Option<f64> {
        let habitat = surveyed.habitat;
        for (creature, policy) in &surveyed.policies {
            let Some(creature) = *creature else { continue };
            let one = self.creatures.get_mut(&(habitat, creature)).filter(|_| surveyed.newborn);
            if let Some(one) = one {
                let from = |parent: Option<CreatureId>| {
                    parent.and_then(|parent| Some(divergence(policy, self.policies.get(&(habitat, parent))?)))
                };
                (one.moved_from_first, one.moved_from_second) = (from(one.first_parent), from(one.second_parent));
            }
        }
        if surveyed.newborn {
            // Parents that are dead are compared with nobody any more.
            self.policies.retain(|(other, _), _| *other != habitat);
            return None;
        }
        for (creature, policy) in &surveyed.policies {
            creature.iter().for_each(|creature| {
                self.policies.insert((habitat, *creature), policy.clone());
            });
        }
        Some(mean_pairwise_divergence(&surveyed.policies.iter().map(|(_, policy)| policy).collect::<Vec<_>>()))
    }
}

/// How different the minds of a generation were from each other, once that is known.
#[derive(Message, Debug, Clone, Copy, PartialEq)]
pub struct DiversityMeasured {
    /// The habitat.
    pub habitat: HabitatId,
    /// The generation.
    pub generation: u32,
    /// Mean KL between any two of them, in nats.
    pub diversity: f64,
}

/// Keeps the [`Lineage`].
pub(super) fn note_lineage(
    mut lineage: ResMut<Lineage>,
    mut ended: MessageReader<GenerationEnded>,
    mut begun: MessageReader<GenerationBegan>,
    mut born: MessageReader<ChildrenBorn>,
    mut surveyed: MessageReader<CreaturesSurveyed>,
    mut replaced: MessageReader<CreatureReplaced>,
    mut measured: MessageWriter<DiversityMeasured>,
) {
    replaced.read().for_each(|news| lineage.note_replaced(news));
    // Answers are about generations that were noted in an earlier turn, so that they come first.
    born.read().for_each(|bred| lineage.note_births(&bred.0));
    for CreaturesSurveyed(survey) in surveyed.read() {
        if let Some(diversity) = lineage.note_survey(survey) {
            measured.write(DiversityMeasured { habitat: survey.habitat, generation: survey.generation, diversity });
        }
    }
    ended.read().for_each(|ended| lineage.note_lives(ended));
    begun.read().for_each(|begun| lineage.note_generation(begun));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        mind::{Fallback, Lived},
        protocol::{AgentId, Birth, Born, LifeRecord},
        sim::{Clock, Ledger},
    };

    const HOME: HabitatId = HabitatId(2);

    fn ended(generation: u32, lives: &[(u32, f64)]) -> GenerationEnded {
        let life = |(creature, fitness): &(u32, f64)| Lived {
            agent: AgentId(0),
            creature: CreatureId(*creature),
            record: LifeRecord::default(),
            fitness: *fitness,
        };
        GenerationEnded {
            habitat: HOME,
            clock: Clock { generation, turn: 9 },
            lives: lives.iter().map(life).collect(),
            ledger: Ledger::default(),
            fallback: Fallback::default(),
        }
    }

    fn policy(first: f32) -> Policy {
        let rest = (1.0 - first) / 7.0;
        vec![[first, rest, rest, rest, rest, rest, rest, rest]]
    }

    fn survey(generation: u32, newborn: bool, policies: &[(u32, f32)]) -> Surveyed {
        let one = |(creature, first): &(u32, f32)| (Some(CreatureId(*creature)), policy(*first));
        Surveyed { habitat: HOME, generation, newborn, policies: policies.iter().map(one).collect() }
    }

    #[test]
    fn a_family_of_three_generations() {
        let mut lineage = Lineage::default();
        lineage.note_lives(&ended(0, &[(0, 5.0), (1, 9.0), (2, 1.0)]));
        let birth = |child, first, second, share| Birth {
            child: CreatureId(child),
            parents: [CreatureId(first), CreatureId(second)],
            share,
        };
        let living = |all: &[u32]| all.iter().copied().map(CreatureId).collect::<Vec<_>>();
        let births = vec![birth(3, 1, 0, 0.4), birth(4, 1, 0, 0.6)];
        lineage.note_generation(&GenerationBegan { habitat: HOME, generation: 1, living: living(&[1, 3, 4]), births });
        let diversity = lineage.note_survey(&survey(0, false, &[(0, 0.3), (1, 0.65), (2, 0.3)])).unwrap();
        let (p, q) = (policy(0.3), policy(0.65));
        let expected = 2.0 * (divergence(&p, &q) + divergence(&q, &p)) / 6.0;
        assert!((diversity - expected).abs() < 1e-12);
        lineage.note_births(&Bred {
            habitat: HOME,
            born: vec![Born { child: CreatureId(3), energy_lost: 0.25 }],
            trouble: None,
        });
        assert_eq!(lineage.note_survey(&survey(1, true, &[(3, 0.3), (4, 0.65)])), None);
        lineage.note_lives(&ended(1, &[(1, 4.0), (3, 2.0), (4, 3.0)]));
        let one = |creature| lineage.creatures[&(HOME, CreatureId(creature))].clone();
        assert_eq!((one(1).fitness, one(1).best_fitness, one(1).died, one(1).born), (4.0, 9.0, None, 0));
        assert_eq!((one(0).died, one(2).died), (Some(0), Some(0)));
        // Creature 3 has more of 0 than of 1.
        assert_eq!((one(3).founder, one(4).founder), (CreatureId(0), CreatureId(1)));
        assert_eq!((one(3).energy_lost, one(3).born, one(3).share), (Some(0.25), 1, Some(0.4)));
        assert_eq!((one(3).moved_from_first, one(3).moved_from_second), (Some(divergence(&p, &q)), Some(0.0)));
        assert_eq!(lineage.lines(HOME, living(&[1, 3, 4]).into_iter()), 2);
        assert_eq!(lineage.lines(HOME, living(&[1, 4]).into_iter()), 1);
    }
}
