//! Changes of settings while the run lives.

use std::sync::Arc;

use bevy::prelude::*;

use super::run::Run;
use crate::{
    config::{Applies, Preset, RunConfig},
    mind::change_settings,
};

/// Lays changes over the run's settings. What may change while it lives does so from the next turn or generation on; what may
/// not waits until it starts again.
///
/// # Errors
/// A sentence: a value that the table of settings does not allow, or two that do not go together; nothing has changed then.
pub(super) fn change(world: &mut World, preset: Preset, changes: &[(String, String)]) -> Result<(), String> {
    let changes: Vec<_> = changes.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let next = world.resource::<Run>().next.with(preset, &changes).map_err(|error| error.to_string())?;
    take(world, next)
}

/// Takes these settings in the place of the run's.
///
/// # Errors
/// As [`change`].
pub(super) fn take(world: &mut World, next: RunConfig) -> Result<(), String> {
    let run = world.resource::<Run>();
    let values = next.values();
    let live = run.living.differences(&next).into_iter().filter(|spec| spec.applies != Applies::Restart);
    let live: Vec<_> = live.filter_map(|spec| Some((spec.key, values.get(spec.key)?.to_string()))).collect();
    let live: Vec<_> = live.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let living = Arc::new(run.living.with(Preset::Default, &live).map_err(|error| error.to_string())?);
    if living != run.living {
        change_settings(world, None, &living)?;
    }
    let mut run = world.resource_mut::<Run>();
    (run.living, run.next) = (living, next);
    Ok(())
}
