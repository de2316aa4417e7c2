//! The run on show: its settings, its population, its folder; and how another takes its place.

use std::sync::Arc;

use bevy::prelude::*;

use super::playback::Playback;
use crate::{
    app::{
        habitats::{plan_habitats, spawn_habitats},
        minds::{exchange_minds, spawn_minds_or_rules},
    },
    brain::Shelf,
    config::RunConfig,
    record::{History, Lineage, RunFiles},
    sim::{Habitat, despawn_habitat},
};

/// The run on show.
#[derive(Resource)]
pub(super) struct Run {
    /// Its settings, with changes that wait until it starts again.
    pub next: RunConfig,
    /// The settings that it lives by now.
    pub living: Arc<RunConfig>,
    /// The population, where a language model decides.
    pub shelf: Option<Shelf>,
    /// The folder that it is kept in.
    pub files: Option<RunFiles>,
    /// What the person must know, until it is dismissed.
    pub banner: Option<String>,
}

impl Run {
    /// A run that begins.
    pub(super) fn new(config: RunConfig, shelf: Option<Shelf>, files: Option<RunFiles>) -> Self {
        Self { living: Arc::new(config.clone()), next: config, shelf, files, banner: None }
    }
}

/// All habitats, in the order of their numbers.
pub(super) fn habitats(world: &mut World) -> Vec<Entity> {
    let mut query = world.query::<(Entity, &Habitat)>();
    let mut sorted: Vec<_> = query.iter(world).map(|(entity, habitat)| (habitat.id, entity)).collect();
    sorted.sort_unstable();
    sorted.into_iter().map(|(_, entity)| entity).collect()
}

/// Begins anew from generation 0, with the settings as the person has left them and this seed. A worker that had gone comes
/// back, too. The folder stays with the run that was written to it.
pub(super) fn start_again(world: &mut World, seed: u64) {
    let mut config = world.resource::<Run>().next.clone();
    config.run.seed = seed;
    if let Err(error) = config.check() {
        world.resource_mut::<Run>().banner = Some(error.to_string());
        return;
    }
    clear(world);
    let mut shelf = None;
    exchange_minds(world, || {
        let (link, state, own) = spawn_minds_or_rules(&config)?;
        shelf = own;
        Ok((link, state))
    });
    let plans = plan_habitats(&config, false);
    world.insert_resource(Run::new(config, shelf, None));
    spawn_habitats(world, plans);
}

/// Takes everything out of the world that belongs to the run.
pub(super) fn clear(world: &mut World) {
    for habitat in habitats(world) {
        despawn_habitat(world, habitat);
    }
    world.insert_resource(History::default());
    world.insert_resource(Lineage::default());
    world.resource_mut::<Playback>().forget();
}
