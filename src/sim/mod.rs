//! The habitat: a little world of agents, food, home and walls, as entities and components of Bevy's ECS.
//!
//! Any number of habitats live side by side in one ECS world. Each has its own settings, clock and random
//! streams, so none can tell whether it is alone. This room offers systems; `mind` puts them into schedules.
//!
//! A new kind of thing is a file in `things` with a row in [`things::register_things`] and one in `ground`'s `nature`;
//! a new action is a file in `actions` with a row in [`actions::perform`].
//!
//! This room does *not* know prompts, minds, the worker, fitness, rendering, or how many habitats there are.

pub mod actions;
mod agent;
mod distance;
mod ground;
mod habitat;
mod map;
mod perception;
mod regrowth;
mod reward;
mod snapshot;
mod spawn;
mod things;
mod turn;

use bevy::prelude::*;

pub use agent::{Agent, Choice, Deed, Energy, LastTurn, Life, Load, Seen, Vitality};
pub use distance::{DistanceMap, FAR};
pub use ground::Ground;
pub use habitat::{Clock, Finished, GenerationConfig, Habitat, HabitatConfig, Ledger, Roster};
pub use map::{MapPlan, plan_map};
pub use perception::observe_agents;
pub use regrowth::{Regrowth, regrow_food};
pub use reward::reward_of;
pub use snapshot::{AgentState, HabitatState, restore_habitat, save_habitat};
pub use spawn::{despawn_habitat, repopulate, spawn_habitat};
pub use things::{Fixture, Food, GridPos, Home, InHabitat, Wall};
pub use turn::{act_agents, advance_clock, tire_agents};

/// Keeps every habitat's [`Ground`] true to the things in it.
#[derive(Debug, Default)]
pub struct SimPlugin;

impl Plugin for SimPlugin {
    fn build(&self, app: &mut App) {
        things::register_things(app);
    }
}
