//! Finds one creature in the folder of a run: who it is, what it remembers, and its adapter.

use std::path::Path;

use super::error::AppError;
use crate::{
    brain::{
        Population,
        lora::{Adapter, AdapterLayout},
    },
    config::RunConfig,
    mind::{Honoured, Memory, Snapshot},
    protocol::{CreatureId, HabitatId, LifeRecord},
    record::{Ancestry, Checkpoint, Checkpoints, ModelMark},
};

/// Which creature is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The first in the hall of fame.
    Best,
    /// The one with this number.
    Creature(CreatureId),
}

impl std::str::FromStr for Which {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim() {
            "best" => Ok(Self::Best),
            number => number
                .parse()
                .map(|id| Self::Creature(CreatureId(id)))
                .map_err(|_| "write `best`, or the creature's number as lineage.csv and hall.csv have it".to_owned()),
        }
    }
}

/// What a run's folder holds of one creature.
#[derive(Debug, Clone)]
pub struct CreatureRecord {
    /// Its habitat.
    pub habitat: HabitatId,
    /// Its number there.
    pub creature: CreatureId,
    /// The settings that it lived by.
    pub config: RunConfig,
    /// The language model, where one decides.
    pub model: Option<ModelMark>,
    /// Whether it is alive in the checkpoint.
    pub is_living: bool,
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
    /// Its adapter, as it is now if it lives, or as it was in its best generation.
    pub adapter: Option<Adapter>,
}

/// Finds a creature in the newest checkpoint of a run; in the only habitat, or in the one that is named.
///
/// # Errors
/// The folder holds no checkpoint, or there is no such creature: the sentence says who is there.
pub fn find_creature(run: &Path, which: Which, habitat: Option<HabitatId>) -> Result<CreatureRecord, AppError> {
    let Checkpoint { state, minds, .. } = Checkpoints::of(run).newest()?;
    let population = minds.map(|path| Population::read(&path)).transpose()?.unwrap_or_default();
    let missing = |what: String| AppError::NoCreature { run: run.to_owned(), what };
    let is_meant = |snapshot: &&Snapshot| habitat.is_none_or(|habitat| snapshot.habitat.id == habitat);
    let meant: Vec<_> = state.habitats.iter().filter(is_meant).collect();
    let numbers = |all: &[&Snapshot]| all.iter().map(|one| one.habitat.id.to_string()).collect::<Vec<_>>().join(", ");
    let (snapshot, creature) = match which {
        Which::Best => {
            let firsts = meant.iter().filter_map(|snapshot| Some((*snapshot, snapshot.hall.0.first()?)));
            let best = firsts.max_by(|a, b| a.1.fitness.total_cmp(&b.1.fitness));
            let why = "nobody is in the hall of fame yet: it opens when the first generation ends";
            best.map(|(snapshot, one)| (snapshot, one.creature)).ok_or_else(|| missing(why.to_owned()))?
        }
        Which::Creature(creature) => match meant.as_slice() {
            [one] => (*one, creature),
            [] => {
                return Err(missing(format!(
                    "it has the habitats {}",
                    numbers(&state.habitats.iter().collect::<Vec<_>>())
                )));
            }
            several => {
                return Err(missing(format!("it has the habitats {}: name one with --habitat", numbers(several))));
            }
        },
    };
    let name = (snapshot.habitat.id, creature);
    let place = snapshot.creatures.living.iter().position(|living| *living == creature);
    let honoured = snapshot.hall.0.iter().find(|one| one.creature == creature).copied();
    if place.is_none() && honoured.is_none() {
        return Err(missing(who_is_there(snapshot, creature)));
    }
    let living = population.minds.get(&name).map(|mind| mind.adapter.clone()).filter(|_| place.is_some());
    Ok(CreatureRecord {
        habitat: snapshot.habitat.id,
        creature,
        config: snapshot.habitat.config.clone(),
        model: state.model,
        is_living: place.is_some(),
        ancestry: state.lineage.creatures.get(&name).cloned(),
        honoured,
        life: place.and_then(|place| Some(snapshot.habitat.agents.get(place)?.life)),
        memory: snapshot.memories.get(&creature).cloned().unwrap_or_default(),
        adapter: living.or_else(|| population.hall.get(&name).cloned()),
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
        "it has no creature {creature} any more; alive are {}{}",
        list(&mut living.into_iter()),
        if honoured.is_empty() { String::new() } else { format!(", and in the hall of fame {honoured}") }
    )
}
