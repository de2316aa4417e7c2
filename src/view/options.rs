//! What the room is told: by the person, and of agents what the simulation does not know.

use bevy::prelude::*;

use crate::protocol::{Cell, HabitatId};

/// Of whom something is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Whose {
    /// Of nobody.
    Nobody,
    /// Of the selected agent.
    #[default]
    Selected,
    /// Of everybody.
    Everybody,
}

impl Whose {
    /// Whether an agent is among them.
    pub fn includes(self, agent: Entity, selected: Option<Entity>) -> bool {
        match self {
            Self::Nobody => false,
            Self::Selected => selected == Some(agent),
            Self::Everybody => true,
        }
    }
}

/// What is drawn, and how.
#[derive(Resource, Debug, Clone, PartialEq)]
pub struct ViewOptions {
    /// The agent that the person looks into. One that is gone is nobody.
    pub selected: Option<Entity>,
    /// Whether the camera keeps to the selected agent. The room itself sets it to false when the person drags the picture away.
    pub follow: bool,
    /// Whose way over the last [`TRAIL`](super::TRAIL) cells is drawn.
    pub trails: Whose,
    /// Whose last words are drawn.
    pub speech: Whose,
    /// Whether it is drawn how often each cell was entered in this generation.
    pub visits: bool,
    /// Dusk, or sunlight.
    pub dark: bool,
    /// Whether things glide, breathe and fade. Without, everything is where it belongs at once, and no effects are drawn.
    pub animate: bool,
    /// Turns a second, as they really follow each other: agents take as long from cell to cell.
    pub pace: f32,
    /// The cell under the mouse, while the person edits the world.
    pub hover: Option<(HabitatId, Cell)>,
}

impl Default for ViewOptions {
    fn default() -> Self {
        Self {
            selected: None,
            follow: false,
            trails: Whose::Selected,
            speech: Whose::Selected,
            visits: false,
            dark: true,
            animate: true,
            pace: 12.0,
            hover: None,
        }
    }
}

/// What of an agent only the minds' side knows. Every agent has one; whoever knows better sets it.
#[derive(Component, Debug, Clone, PartialEq, Eq, Default)]
pub struct Persona {
    /// Its line of founders: the number decides its colour and, beyond eight lines, its markings.
    /// `None` is coloured by its place.
    pub line: Option<u32>,
    /// Whether it is one of the best and lives on unchanged: it wears a crown.
    pub elite: bool,
    /// Whether it was born with this generation: it wears a sprout.
    pub newborn: bool,
    /// Its name, if it was given one.
    pub name: Option<String>,
}

/// What an agent said last. An empty text is nothing.
#[derive(Component, Debug, Clone, PartialEq, Eq, Default)]
pub struct Said(pub String);

/// An agent has learned: a soft pulse goes out from it.
#[derive(Message, Debug, Clone, Copy, PartialEq, Eq)]
pub struct Learned(pub Entity);
