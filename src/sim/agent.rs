//! An agent's body: components that every agent entity carries.

use bevy::prelude::*;

use crate::protocol::{Action, AgentId, LifeRecord, Observation, Outcome, Thing};

/// An agent. Its mind is elsewhere: a decision arrives as its [`Choice`].
#[derive(Component, Debug, Clone, Copy)]
#[require(Energy, Load, Vitality, Life, Seen, Choice, LastTurn)]
pub struct Agent {
    /// Its place in the habitat's [`Roster`](super::Roster).
    pub id: AgentId,
}

/// Energy left, in points.
#[derive(Component, Debug, Clone, Copy, PartialEq, Default)]
pub struct Energy(pub f64);

/// What the agent carries.
#[derive(Component, Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load(pub Option<Thing>);

/// Whether the agent lives. The dead stay where they fell until the generation ends, and do nothing.
#[derive(Component, Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Vitality {
    /// Acts every turn.
    #[default]
    Alive,
    /// Has run out of energy.
    Dead,
}

impl Vitality {
    /// Whether the agent lives.
    pub const fn is_alive(self) -> bool {
        matches!(self, Self::Alive)
    }
}

/// What the agent has achieved since it was born.
#[derive(Component, Debug, Clone, Copy, PartialEq, Default)]
pub struct Life(pub LifeRecord);

/// What the agent saw last.
#[derive(Component, Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen(pub Observation);

impl Default for Seen {
    fn default() -> Self {
        Self(Observation::new(crate::protocol::Cell::new(0, 0), 0, None))
    }
}

/// What the agent's mind has chosen for the present turn. Taken when the agent acts.
#[derive(Component, Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Choice {
    /// None yet.
    #[default]
    None,
    /// This action.
    Act(Action),
    /// The mind said something that names no action: the agent waits, and it costs.
    Unreadable,
}

/// What the agent did last and what it got for it; `None` before the first turn and for the dead.
#[derive(Component, Debug, Clone, Copy, PartialEq, Default)]
pub struct LastTurn(pub Option<Deed>);

/// One act with its consequences.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Deed {
    /// What the agent did.
    pub action: Action,
    /// What came of it.
    pub outcome: Outcome,
    /// The reward.
    pub reward: f64,
    /// Shaping: for learning, never in fitness.
    pub shaping: f64,
}
