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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Simulation, config::MindKind, mind::settings_of, protocol::HabitatId};

    fn changes(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_may_change_does_and_what_may_not_waits() {
        let mut config = RunConfig::default();
        (config.mind.kind, config.run.threads) = (MindKind::Rules, 1);
        let rank = config.lora.rank;
        let mut simulation = Simulation::new(config.clone()).unwrap();
        let world = simulation.world_mut();
        world.insert_resource(Run::new(config, None, None));
        let values = |world: &mut World| {
            let lived = settings_of(world, HabitatId(0)).unwrap();
            let run = world.resource::<Run>();
            [&run.next, &*run.living, &*lived].map(|settings| (settings.reward.turn, settings.lora.rank))
        };
        let other = (rank + 1).to_string();
        change(world, Preset::Default, &changes(&[("reward.turn", "-7"), ("lora.rank", &other)])).unwrap();
        assert_eq!(values(world), [(-7.0, rank + 1), (-7.0, rank), (-7.0, rank)]);
        let wrong = changes(&[("reward.turn", "-8"), ("mind.temperature", "-1")]);
        let sentence = change(world, Preset::Default, &wrong).unwrap_err();
        assert!(sentence.contains("mind.temperature"), "{sentence}");
        assert_eq!(values(world), [(-7.0, rank + 1), (-7.0, rank), (-7.0, rank)], "nothing has changed");
        change(world, Preset::Default, &changes(&[("lora.rank", &rank.to_string())])).unwrap();
        assert_eq!(values(world), [(-7.0, rank); 3], "nothing waits any more");
        take(world, RunConfig { run: world.resource::<Run>().next.run.clone(), ..RunConfig::default() }).unwrap();
        assert_eq!(values(world), [(RunConfig::default().reward.turn, rank); 3]);
    }
}
