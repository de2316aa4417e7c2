//! Curves of fitness: of generations that are over, of the one that lives, and of the scripted minds beside them.

use std::collections::BTreeMap;

use bevy::prelude::*;

use super::{Living, Panels, Run};
use crate::{
    app::references::References,
    record::{GenerationRow, History, Lineage},
    sim::{GenerationConfig, Habitat},
    ui::{Curve, FitnessModel, GenerationValues, Reference},
};

/// Turns after which a generation's diversity is not waited for any longer.
const PATIENCE: u32 = 5;

pub(super) fn read(world: &mut World, living: &[Living], panels: &mut Panels) {
    if panels.fitness.habitats() != living.len() {
        let turns = world.resource::<Run>().living.run.turns;
        panels.fitness = FitnessModel::new(living.iter().map(|one| one.id), turns);
        panels.seen.generations.clear();
    }
    note_generations(world, living, panels);
    let (history, lineage) = (world.resource::<History>(), world.resource::<Lineage>());
    let rows: Vec<_> = living.iter().map(|one| values(&history.unfinished(&one.ended, lineage))).collect();
    let turn = living.first().map_or(0, |one| one.ended.clock.turn);
    panels.fitness.note_turn(turn, &rows);
    read_references(world, living, panels);
}

/// Adds the generations that have ended since the last look, as soon as all is known of them.
fn note_generations(world: &World, living: &[Living], panels: &mut Panels) {
    let history = world.resource::<History>();
    for one in living {
        let next = panels.seen.generations.get(&one.id).copied().unwrap_or(0);
        let has_minds = world.resource::<Run>().shelf.is_some();
        let waits = |row: &GenerationRow| {
            has_minds
                && row.diversity.is_none()
                && row.generation + 1 == one.ended.clock.generation
                && one.ended.clock.turn < PATIENCE
        };
        let new: Vec<_> = history.rows.iter().filter(|row| row.habitat == one.id && row.generation >= next).collect();
        for row in new {
            if waits(row) {
                break;
            }
            panels.fitness.note_generation(values(row));
            panels.seen.generations.insert(one.id, row.generation + 1);
        }
    }
}

fn values(row: &GenerationRow) -> GenerationValues {
    GenerationValues {
        habitat: row.habitat,
        generation: row.generation,
        mean: row.mean_fitness,
        best: row.best_fitness,
        median: row.median_fitness,
        lower_quartile: Some(row.lower_quartile_fitness),
        upper_quartile: Some(row.upper_quartile_fitness),
        deliveries: row.delivered,
        deaths: row.deaths,
        loss: row.loss,
        entropy: row.entropy,
        kl: row.kl,
        diversity: row.diversity,
        lines: row.lines,
    }
}

/// Asks what the scripted minds would reach on the maps of the living generations, and draws what is known.
fn read_references(world: &mut World, living: &[Living], panels: &mut Panels) {
    let Some(mut references) = world.remove_resource::<References>() else { return };
    for one in living {
        let asked = world.get::<Habitat>(one.entity).zip(world.get::<GenerationConfig>(one.entity));
        if let Some((habitat, config)) = asked {
            references.ask(habitat, one.ended.clock.generation, &config.0);
        }
    }
    if references.poll() || panels.fitness.references.is_empty() {
        let mut sums: BTreeMap<u32, (f64, f64, f64)> = BTreeMap::new();
        for (generation, known) in living.iter().flat_map(|one| references.all(one.id).collect::<Vec<_>>()) {
            let (rules, random, count) = sums.entry(generation).or_default();
            (*rules, *random, *count) = (*rules + known.rules, *random + known.random, *count + 1.0);
        }
        let curve = |value: fn(&(f64, f64, f64)) -> f64| -> Curve {
            sums.iter().map(|(generation, sum)| [f64::from(*generation) + 1.0, value(sum) / sum.2]).collect()
        };
        panels.fitness.references = vec![
            Reference { name: "rules".to_owned(), curve: curve(|sum| sum.0) },
            Reference { name: "random".to_owned(), curve: curve(|sum| sum.1) },
        ];
    }
    world.insert_resource(references);
}
