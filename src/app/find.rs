//! Finds one creature in the folder of a run: who it is, what it remembers, and its adapter.

use std::path::Path;

use super::{
    Simulation,
    creatures::{Chosen, CreatureRecord},
    error::AppError,
};
use crate::{
    brain::{
        KeptAdapter, Population,
        lora::{Adapter, AdapterLayout, CardLineage, Creature, ScoreCard},
    },
    config::{MindKind, RunConfig},
    mind::{Honoured, Memory, Snapshot},
    protocol::{CreatureId, HabitatId, LifeRecord, Streams},
    record::{Ancestry, Checkpoint, Checkpoints, ModelMark},
};

/// What a run's folder holds of one creature.
#[derive(Debug, Clone)]
pub struct FoundCreature {
    /// Its habitat.
    pub habitat: HabitatId,
    /// The random streams of its habitat.
    pub streams: Streams,
    /// Its number there.
    pub creature: CreatureId,
    /// The settings that it lived by.
    pub config: RunConfig,
    /// The language model, where one decides.
    pub model: Option<ModelMark>,
    /// Whether it is in the population that lives.
    pub is_living: bool,
    /// Whether the adapter is the hall of fame's: as it was in its best generation.
    pub is_honoured: bool,
    /// A sentence for every newer checkpoint that could not be used.
    pub troubles: Vec<String>,
    /// Where it comes from; nothing is known of those who have not lived a whole generation.
    pub ancestry: Option<Ancestry>,
    /// Its best generation, if it is in the hall of fame.
    pub honoured: Option<Honoured>,
    /// What it has done in the generation that lives, if it lives.
    pub life: Option<LifeRecord>,
    /// What it remembers.
    pub memory: Memory,
    /// Rank, scale and sites of its adapter.
    pub layout: Option<AdapterLayout>,
    /// Its adapter: of the best as it was in its best generation; of one named by its number as it is now, if it lives.
    pub adapter: Option<Adapter>,
}

impl FoundCreature {
    /// The creature as it leaves the program, with its lineage and its scores; `rules` is played on the map of its best
    /// generation to compare.
    ///
    /// # Errors
    /// No language model played the run, or it cannot be played.
    pub fn record(&self) -> Result<CreatureRecord, AppError> {
        let (Some(model), Some(layout), Some(adapter)) = (&self.model, &self.layout, &self.adapter) else {
            return Err(AppError::NoAdapter(self.config.mind.kind));
        };
        let (layout, adapter, lineage) = (layout.clone(), adapter.clone(), self.lineage());
        let creature = Creature { layout, adapter, lineage, scores: self.scores()?, made_from: None };
        Ok(CreatureRecord { model_name: model.name.clone(), model_sha256: model.sha256.clone(), creature })
    }

    fn lineage(&self) -> CardLineage {
        let ancestry = self.ancestry.as_ref();
        let parents = ancestry.and_then(|one| Some([one.first_parent?.0, one.second_parent?.0]));
        CardLineage {
            habitat: Some(self.habitat.0),
            creature: Some(self.creature.0),
            born: ancestry.map(|one| one.born),
            parents,
            share: ancestry.and_then(|one| one.share),
            founder: ancestry.map(|one| one.founder.0),
        }
    }

    /// What the adapter has earned: of the hall's its best generation; of one that lives the last that it lived through, since
    /// when it may have learned more.
    fn scores(&self) -> Result<ScoreCard, AppError> {
        let lived = self.ancestry.as_ref().filter(|one| one.best_fitness.is_finite());
        let scores = ScoreCard {
            fitness: lived.map(|one| one.fitness),
            best_fitness: lived.map(|one| one.best_fitness),
            seed: Some(self.streams.seed),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            ..ScoreCard::default()
        };
        let Some(best) = self.honoured.as_ref().filter(|_| self.is_honoured) else { return Ok(scores) };
        Ok(ScoreCard {
            fitness: Some(best.fitness),
            rules_fitness: Some(self.rules_fitness(best.generation)?),
            food_collected: Some(best.record.food_collected.into()),
            food_delivered: Some(best.record.food_delivered.into()),
            turns_alive: Some(best.record.turns_alive.into()),
            generation: Some(best.generation),
            ..scores
        })
    }

    /// Mean fitness of `rules` on the map of a generation, with as many agents.
    fn rules_fitness(&self, generation: u32) -> Result<f64, AppError> {
        let mut config = self.config.clone();
        config.mind.kind = MindKind::Rules;
        config.run.generations = generation + 1;
        (config.run.seed, config.run.habitats) = (self.streams.seed, 1);
        config.run.first_habitat = self.streams.habitat.0;
        let rules = if self.streams.unseen { Simulation::on_unseen_maps(config)? } else { Simulation::new(config)? };
        Ok(rules.run()?.rows.last().map_or(0.0, |row| row.mean_fitness))
    }
}

/// Finds a creature in the newest checkpoint of a run; in the only habitat, or in the one that is named.
///
/// # Errors
/// The folder holds no checkpoint, or there is no such creature: the sentence says who is there.
pub fn find_creature(run: &Path, which: Chosen, habitat: Option<HabitatId>) -> Result<FoundCreature, AppError> {
    let Checkpoint { state, minds, troubles } = Checkpoints::of(run).newest()?;
    let population = minds.map(|path| Population::read(&path)).transpose()?.unwrap_or_default();
    let missing = |what: String| AppError::NoCreature { run: run.to_owned(), what };
    let is_meant = |snapshot: &&Snapshot| habitat.is_none_or(|habitat| snapshot.habitat.id == habitat);
    let meant: Vec<_> = state.habitats.iter().filter(is_meant).collect();
    let numbers = |all: &[&Snapshot]| all.iter().map(|one| one.habitat.id.to_string()).collect::<Vec<_>>().join(", ");
    if meant.is_empty() {
        return Err(missing(format!("has the habitats {}", numbers(&state.habitats.iter().collect::<Vec<_>>()))));
    }
    let (snapshot, creature) = match which {
        Chosen::Best => {
            let firsts = meant.iter().filter_map(|snapshot| Some((*snapshot, snapshot.hall.0.first()?)));
            let best = firsts.max_by(|a, b| a.1.fitness.total_cmp(&b.1.fitness));
            let why = "has nobody in its hall of fame, which takes those in who have lived a whole generation with a model of their own";
            best.map(|(snapshot, one)| (snapshot, one.creature)).ok_or_else(|| missing(why.to_owned()))?
        }
        Chosen::Creature(creature) => match meant.as_slice() {
            [one] => (*one, creature),
            several => {
                return Err(missing(format!("has the habitats {}: name one with --habitat", numbers(several))));
            }
        },
    };
    let name = (snapshot.habitat.id, creature);
    let place = snapshot.creatures.living.iter().position(|living| *living == creature);
    let honoured = snapshot.hall.0.iter().find(|one| one.creature == creature).copied();
    if place.is_none() && honoured.is_none() {
        return Err(missing(who_is_there(snapshot, creature)));
    }
    let living = population.minds.get(&name).filter(|_| place.is_some()).map(|mind| mind.adapter.read()).transpose()?;
    let in_hall = population.hall.get(&name).map(KeptAdapter::read).transpose()?;
    let is_honoured = in_hall.is_some() && (which == Chosen::Best || living.is_none());
    Ok(FoundCreature {
        habitat: snapshot.habitat.id,
        streams: snapshot.habitat.streams,
        creature,
        config: snapshot.habitat.config.clone(),
        model: state.model,
        is_living: place.is_some(),
        ancestry: state.lineage.creatures.get(&name).cloned(),
        honoured,
        life: place.and_then(|place| Some(snapshot.habitat.agents.get(place)?.life)),
        memory: snapshot.memories.get(&creature).cloned().unwrap_or_default(),
        is_honoured,
        troubles,
        adapter: if is_honoured { in_hall } else { living },
        layout: population.layout,
    })
}

fn who_is_there(snapshot: &Snapshot, creature: CreatureId) -> String {
    let list =
        |all: &mut dyn Iterator<Item = CreatureId>| all.map(|one| one.to_string()).collect::<Vec<_>>().join(", ");
    let mut living = snapshot.creatures.living.clone();
    living.sort_unstable();
    let honoured = list(&mut snapshot.hall.0.iter().map(|one| one.creature));
    format!(
        "has no creature {creature}; its population are {}{}",
        list(&mut living.into_iter()),
        if honoured.is_empty() { String::new() } else { format!(", and in the hall of fame {honoured}") }
    )
}
