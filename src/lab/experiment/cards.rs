//! Champions as creature cards, so that they can be watched, bred from and measured again.

use super::{
    champion::{Candidate, Champion, MapResult},
    error::ExperimentError,
    folder::{CHAMPIONS, ExperimentFolder},
};
use crate::{
    app::export_creature,
    brain::lora::{AdapterFormat, AdapterLayout, Base, CardLineage, Creature, ScoreCard},
};

/// Writes a champion's card to `champions/ARM-SEED.card`: its scores are means over the unseen maps, beside `rules` alone
/// on the same maps.
///
/// # Errors
/// The card cannot be written.
pub(super) fn save_champion(
    folder: &ExperimentFolder,
    (arm, seed): (&str, u64),
    base: &Base,
    layout: &AdapterLayout,
    candidates: &[Candidate],
    champion: &Champion,
) -> Result<(), ExperimentError> {
    let Some(candidate) = candidates.iter().find(|one| one.creature == champion.creature) else { return Ok(()) };
    let mean = |value: fn(&MapResult) -> f64| {
        let sum: f64 = champion.maps.iter().map(value).sum();
        (!champion.maps.is_empty()).then(|| sum / champion.maps.len() as f64)
    };
    let scores = ScoreCard {
        fitness: mean(|map| map.fitness),
        rules_fitness: mean(|map| map.rules_fitness),
        best_fitness: Some(champion.lived_fitness),
        seed: Some(seed),
        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        ..ScoreCard::default()
    };
    let creature = Creature {
        layout: layout.clone(),
        adapter: candidate.mind.adapter.read().map_err(crate::app::AppError::from)?,
        lineage: CardLineage { creature: Some(champion.creature.0), ..CardLineage::default() },
        scores,
        made_from: Some(format!("the arm `{arm}` of an experiment")),
    };
    let out = folder.path().join(CHAMPIONS).join(format!("{arm}-{seed}.card"));
    export_creature(base, &creature, AdapterFormat::Card, &out, true)?;
    Ok(())
}
