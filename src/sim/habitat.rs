//! The habitat itself: its settings, its clock, who lives in it, and its books.

use std::sync::Arc;

use bevy::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    config::RunConfig,
    protocol::{HabitatId, Moment, Streams},
};

/// A little world. Agents, food, home and walls belong to one by [`InHabitat`](super::InHabitat).
#[derive(Component, Debug, Clone, Copy)]
pub struct Habitat {
    /// Its number in the run.
    pub id: HabitatId,
    /// Its random streams.
    pub streams: Streams,
}

/// The settings that this habitat lives by; they may change between two turns.
#[derive(Component, Debug, Clone, Deref)]
pub struct HabitatConfig(pub Arc<RunConfig>);

/// The settings with which the present generation began: what holds for all of it, however the habitat's have changed since.
#[derive(Component, Debug, Clone, Deref)]
pub struct GenerationConfig(pub Arc<RunConfig>);

/// How far the habitat's life has come.
#[derive(Component, Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Clock {
    /// The generation that lives now, from 0.
    pub generation: u32,
    /// Turns of it that are over.
    pub turn: u32,
}

impl Clock {
    /// The part of a random stream that belongs to the present turn.
    pub const fn moment(&self) -> Moment {
        Moment::new(self.generation, self.turn)
    }
}

/// The habitat's last generation is over: nobody in it is asked or moves any more.
#[derive(Component, Debug, Clone, Copy, Default)]
pub struct Finished;

/// The agents of a habitat, living and dead, in the order of their [`AgentId`](crate::protocol::AgentId)s.
#[derive(Component, Debug, Clone, Default, Deref)]
pub struct Roster(pub Vec<Entity>);

/// The generation's books: where every piece of food went, and what agents did.
///
/// `placed + regrown = on the ground + picked_up + eaten_off_ground`, and
/// `picked_up = delivered + eaten_from_hand + lost + carried now`.
#[derive(Component, Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ledger {
    /// Pieces that lay on the new map.
    pub placed: u64,
    /// Pieces that grew back.
    pub regrown: u64,
    /// Pieces taken up.
    pub picked_up: u64,
    /// Pieces laid down at home.
    pub delivered: u64,
    /// Pieces eaten where they lay.
    pub eaten_off_ground: u64,
    /// Pieces eaten out of the hand.
    pub eaten_from_hand: u64,
    /// Pieces that a dying agent still carried; they are gone.
    pub lost: u64,
    /// Agents that died.
    pub deaths: u64,
    /// Acts that the state did not allow.
    pub invalid: u64,
    /// Steps into walls and edges.
    pub bumps: u64,
}
