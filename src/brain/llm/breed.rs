//! A generation gives way to the next: children's minds from their parents'.

use std::sync::Arc;

use super::Llm;
use crate::{
    brain::{
        breed::{Merged, merge, mutate},
        error::Result,
        learn::Moments,
        offload::KeptAdapter,
        population::{Mind, Name},
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
            let (child, energy_lost, why) = self.child(breed, birth, &first, &second, draws);
            trouble = trouble.or(why);
            born.push(Born { child: birth.child, energy_lost });
            minds.push((name(birth.child), child));
        }
        let lives = |creature: &CreatureId| breed.living.contains(creature);
        self.shelf.forebears().follow(breed, &population.minds, |adapter| self.put_aside(adapter));
        drop(population);
        let mut population = self.shelf.open();
        let is_dead = |(habitat, creature): &Name| *habitat == breed.habitat && !lives(creature);
        let mut dead: Vec<Name> = population.minds.keys().copied().filter(is_dead).collect();
        for (name, child) in minds {
            let grown = child.grow(self.plan.keeps_genomes || !breed.learned).or_else(|error| {
                let sentence = format!("Creature {} is the copy of one that lives on: {error}", name.1);
                trouble.get_or_insert(sentence);
                let mut living = breed.living.iter().filter_map(|one| population.minds.get(&(breed.habitat, *one)));
                living.next().cloned().ok_or(())
            });
            // One of the dead goes for each that comes, so that both are never all in memory.
            if let Some(gone) = dead.pop() {
                population.minds.remove(&gone);
            }
            if let Ok(mind) = grown {
                population.minds.insert(name, mind);
            }
        }
        population.minds.retain(|name, _| !is_dead(name));
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

    /// A child, put aside, the energy that its merging lost, and why it is a mere copy of its first parent, if it is.
    fn child(
        &self,
        breed: &Breed,
        birth: &Birth,
        first: &Mind,
        second: &Mind,
        draws: &StreamKey,
    ) -> (Child, f64, Option<String>) {
        let [one, two] = [first, second].map(|parent| parent.heritage(breed.learned));
        let (Merged { adapter, energy_lost }, why) = match merge(&self.layout, one, two, birth.share) {
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
        (Child { adapter: self.put_aside(&adapter), moments }, energy_lost, why)
    }
}

/// Who is to be born.
struct Child {
    adapter: KeptAdapter,
    moments: Arc<Moments>,
}

impl Child {
    /// Its mind. Who is asked in another manner than with a genome has that taken away again.
    fn grow(self, keeps_genome: bool) -> Result<Mind> {
        let Self { adapter, moments } = self;
        Ok(Mind { moments, ..Mind::newborn(adapter.read()?, keeps_genome) })
    }
}
