//! A generation gives way to the next: children's minds from their parents'.

use std::sync::Arc;

use super::Llm;
use crate::{
    brain::{
        breed::{Merged, merge, mutate},
        population::{Mind, Population},
    },
    protocol::{Birth, Born, Bred, Breed, CreatureId, Honour, Moment, StreamKey},
};

impl Llm {
    /// Makes the children of a habitat's next generation, and forgets who does not live on.
    pub fn breed(&mut self, breed: &Breed) -> Bred {
        let name = |creature| (breed.habitat, creature);
        let population = self.shelf.open().clone();
        let (mut born, mut minds, mut trouble) = (Vec::new(), Vec::new(), None);
        for (birth, draws) in breed.births.iter().zip(&breed.draws) {
            let parents = birth.parents.map(|parent| population.minds.get(&name(parent)).cloned());
            let [Some(first), Some(second)] = parents else { continue };
            let (child, energy_lost, why) = self.child(breed, birth, &first, &second, draws, &population);
            trouble = trouble.or(why);
            born.push(Born { child: birth.child, energy_lost });
            minds.push((name(birth.child), child));
        }
        let lives = |creature: &CreatureId| breed.living.contains(creature);
        self.shelf.forebears().follow(breed, &population.minds, |adapter| self.put_aside(adapter));
        drop(population);
        let mut population = self.shelf.open();
        population.minds.retain(|(habitat, creature), _| *habitat != breed.habitat || lives(creature));
        population.minds.extend(minds);
        drop(population);
        self.prefixes.retain(|(habitat, creature), _| *habitat != breed.habitat || lives(creature));
        Bred { habitat: breed.habitat, born, trouble }
    }

    /// Keeps copies of the best creatures' adapters, and forgets those of others.
    pub fn honour(&mut self, honour: &Honour) {
        let living = self.shelf.open().clone();
        let names = honour.entered.iter().map(|creature| (honour.habitat, *creature));
        let entered = names.filter_map(|name| Some((name, self.put_aside(&living.minds.get(&name)?.adapter))));
        let entered: Vec<_> = entered.collect();
        let mut population = self.shelf.open();
        population.hall.extend(entered);
        population
            .hall
            .retain(|(habitat, creature), _| *habitat != honour.habitat || honour.standing.contains(creature));
    }

    /// A child, its adapter put aside, the energy that its merging lost, and why it is a mere copy, if it is: of its first parent or, where
    /// adapters cannot be read any more, of whoever lives on and has one that can.
    fn child(
        &self,
        breed: &Breed,
        birth: &Birth,
        first: &Mind,
        second: &Mind,
        draws: &StreamKey,
        population: &Population,
    ) -> (Mind, f64, Option<String>) {
        // Who is asked in another manner than with a genome has that taken away again.
        let keeps_genome = self.plan.keeps_genomes || !breed.learned;
        let read = |parent: &Mind| parent.heritage(breed.learned).read();
        let (one, two) = match read(first).and_then(|one| Ok((one, read(second)?))) {
            Ok(both) => both,
            Err(why) => {
                let living = breed.living.iter().filter_map(|one| population.minds.get(&(breed.habitat, *one)));
                let mut all = [first, second].into_iter().chain(living);
                let adapter = all.find_map(|one| read(one).ok());
                let adapter = adapter.map_or_else(|| first.heritage(breed.learned).clone(), Into::into);
                let sentence = format!("Creature {} is another's copy: {why}", birth.child);
                return (Mind::newborn(adapter, keeps_genome), 0.0, Some(sentence));
            }
        };
        let (Merged { adapter, energy_lost }, why) = match merge(&self.layout, &one, &two, birth.share) {
            Ok(merged) => (merged, None),
            Err(why) => {
                let sentence = format!("Creature {} is its first parent's copy: {why}.", birth.child);
                (Merged { adapter: one.clone(), energy_lost: 0.0 }, Some(sentence))
            }
        };
        // Moments speak of the numbers of the basis that A is: those of the first parent hold where the child has its A.
        let same_basis = adapter.pairs.iter().zip(&one.pairs).all(|(child, parent)| child.a == parent.a);
        let mut draws = draws.at(Moment::new(0, birth.child.0));
        let adapter = mutate(&adapter, breed.mutation_rate, breed.mutation_size, self.trains_a(), &mut draws);
        // A merge of different A turns the basis, and what was not learned by the genome itself has no moments.
        let inherits_moments = breed.learned && !self.trains_a() && same_basis;
        let moments = if inherits_moments { Arc::clone(&first.moments) } else { Arc::default() };
        let mind = Mind { moments, ..Mind::newborn(self.put_aside(&adapter.into()), keeps_genome) };
        (mind, energy_lost, why)
    }
}
