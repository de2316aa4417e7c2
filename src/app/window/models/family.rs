//! The family tree, and the best creature that ever lived.

use bevy::prelude::*;

use super::{Living, Panels, Run, States};
use crate::{
    brain::word_of,
    protocol::{CreatureId, HabitatId},
    record::{Lineage, best_of_halls},
    ui::{BestShown, LineageModel, Relative},
};

pub(super) fn read(world: &World, living: &[Living], panels: &mut Panels) {
    let run = world.resource::<Run>();
    let wanted = run.selected.map(|(habitat, _)| habitat).or(run.entered);
    let Some(one) = living.iter().find(|one| Some(one.id) == wanted).or(living.first()) else { return };
    let lineage = world.resource::<Lineage>();
    let generation = one.ended.clock.generation;
    let names = &world.resource::<States>().names;
    panels.lineage.selected = run.selected.filter(|(habitat, _)| *habitat == one.id).map(|(_, creature)| creature);
    // Before their first turn nobody has a number yet.
    let newest = one.ended.lives.iter().map(|life| life.creature).max();
    let family = (one.id, lineage.creatures.len() + names.len(), generation, newest);
    if panels.seen.family == family && panels.lineage.revision > 0 {
        return;
    }
    panels.seen.family = family;
    let range = (one.id, CreatureId(0))..=(one.id, CreatureId(u32::MAX));
    let mut creatures: Vec<_> = lineage
        .creatures
        .range(range)
        .map(|(name, ancestry)| Relative {
            creature: ancestry.creature,
            name: names.get(name).cloned(),
            born: ancestry.born,
            died: ancestry.died,
            parents: [ancestry.first_parent, ancestry.second_parent],
            share: ancestry.share,
            founder: ancestry.founder,
            fitness: Some(ancestry.best_fitness).filter(|fitness| fitness.is_finite()),
            energy_lost: ancestry.energy_lost,
        })
        .collect();
    // Founders are written down when their first generation ends.
    for life in &one.ended.lives {
        if !lineage.creatures.contains_key(&(one.id, life.creature)) {
            creatures.push(founder(one.id, life.creature, generation, names));
        }
    }
    let (revision, selected) = (panels.lineage.revision + 1, panels.lineage.selected);
    panels.lineage = LineageModel { habitat: one.id, revision, generation, creatures, selected };
}

fn founder(
    habitat: HabitatId,
    creature: CreatureId,
    born: u32,
    names: &std::collections::BTreeMap<crate::protocol::CreatureName, String>,
) -> Relative {
    let name = names.get(&(habitat, creature)).cloned();
    Relative { creature, name, born, founder: creature, ..Relative::default() }
}

/// The best creature that ever lived, as the library shows it.
pub(super) fn read_best(world: &mut World, panels: &mut Panels) {
    let best = best_of_halls(world);
    let names = &world.resource::<States>().names;
    let run = world.resource::<Run>();
    panels.library.best = best.map(|row| {
        let title = names.get(&(row.habitat, row.creature));
        let name = title.map_or_else(|| row.creature.to_string(), |title| format!("{title} ({})", row.creature));
        BestShown { name, fitness: row.fitness, suggested: format!("creatures/best-{}.card", row.creature).into() }
    });
    panels.library.kept_in = run.files.as_ref().map(|files| files.folder().to_owned());
    panels.library.suggested_run = format!("runs/seed-{}", run.living.run.seed).into();
    panels.library.imported = (!run.next.lora.adapter.is_empty()).then(|| run.next.lora.adapter.clone());
    for model in &mut panels.library.models {
        model.is_used = run.shelf.is_some() && model.word == word_of(&run.living.model);
    }
}
