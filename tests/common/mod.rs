//! A run that is short enough to be played many times in a test.

use evolora::{
    config::{MindKind, Objective, RunConfig},
    protocol::HabitatId,
};

/// Its only habitat.
pub(crate) const HOME: HabitatId = HabitatId(0);

/// Three generations of twelve turns, of five agents who learn after every third turn.
pub(crate) fn config(kind: MindKind) -> RunConfig {
    let mut config = RunConfig::default();
    (config.run.generations, config.run.turns, config.run.threads) = (3, 12, 1);
    (config.habitat.agents, config.habitat.size, config.mind.kind) = (5, 10, kind);
    (config.learning.every, config.learning.warm_up, config.learning.batch_size) = (3, 3, 4);
    // Everything that is remembered is learned from, whatever it brought.
    config.learning.objective = Objective::Original;
    config
}
