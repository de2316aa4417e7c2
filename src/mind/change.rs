//! Settings that change while a run goes on: from the next turn, or with the next generation, as the table of settings says.
//!
//! | applies | read from | when |
//! |---|---|---|
//! | with the next turn | [`HabitatConfig`](crate::sim::HabitatConfig) | whenever it is needed |
//! | with the next generation, of how it lives | [`GenerationConfig`](crate::sim::GenerationConfig) | a copy, made when it begins: its turns, what agents perceive, whether they learn by their kind of inheritance, and by which weights they are judged |
//! | with the next generation, of how it is made | `HabitatConfig` | when it is made: its map and agents, and who is chosen and bred |
//!
//! So the present generation is judged by the weights with which it began, and the next is bred as the settings say by then.
//! Minds that are to pass on what they were born with (`baldwin`) have that kept from the next turn on: what they have
//! learned before counts as inborn.
//!
//! This module does *not* know who changes settings.

use std::{collections::BTreeMap, sync::Arc};

use bevy::prelude::*;

use super::{ask::Asked, evolve::go_on};
use crate::{
    config::RunConfig,
    protocol::HabitatId,
    sim::{Finished, Habitat, HabitatConfig},
};

/// Settings that will hold from the next turn on, since one is under way.
#[derive(Resource, Debug, Default)]
pub struct ComingSettings(BTreeMap<HabitatId, Arc<RunConfig>>);

/// Whether no turn is under way: agents have acted, and nobody has been asked yet.
pub fn is_between_turns(world: &World) -> bool {
    world.resource::<Asked>().waiting.is_empty()
}

/// The settings of a habitat, those that are to come from the next turn on before those that hold now.
pub fn settings_of(world: &mut World, habitat: HabitatId) -> Option<Arc<RunConfig>> {
    if let Some(coming) = world.resource::<ComingSettings>().0.get(&habitat) {
        return Some(Arc::clone(coming));
    }
    let mut habitats = world.query::<(&Habitat, &HabitatConfig)>();
    habitats.iter(world).find(|(one, _)| one.id == habitat).map(|(_, config)| Arc::clone(&config.0))
}

/// Lets a habitat, or all of them, live by other settings from the next turn, or with the next generation. Where a run is
/// over and has more generations now, it goes on.
///
/// # Errors
/// A sentence, where the settings are wrong, or one has changed that only a new run can have; nothing has changed then.
pub fn change_settings(world: &mut World, habitat: Option<HabitatId>, config: &Arc<RunConfig>) -> Result<(), String> {
    let mut all = world.query::<&Habitat>();
    let meant = all.iter(world).map(|one| one.id).filter(|id| habitat.is_none_or(|habitat| habitat == *id));
    let mut meant: Vec<_> = meant.collect();
    meant.sort_unstable();
    for id in &meant {
        if let Some(refusal) = settings_of(world, *id).and_then(|was| was.refusal_of(config)) {
            return Err(refusal);
        }
    }
    let mut coming = world.resource_mut::<ComingSettings>();
    coming.0.extend(meant.into_iter().map(|id| (id, Arc::clone(config))));
    if is_between_turns(world) {
        take_settings(world);
    }
    Ok(())
}

/// Puts the settings that are to come in the place of those that hold.
pub(super) fn take_settings(world: &mut World) {
    let coming = std::mem::take(&mut world.resource_mut::<ComingSettings>().0);
    if coming.is_empty() {
        return;
    }
    let mut habitats = world.query::<(&Habitat, &mut HabitatConfig)>();
    for (habitat, mut config) in habitats.iter_mut(world) {
        if let Some(new) = coming.get(&habitat.id) {
            config.0 = Arc::clone(new);
        }
    }
    if world.query_filtered::<(), With<Finished>>().iter(world).next().is_some() {
        go_on(world);
    }
}
