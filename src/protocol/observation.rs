//! What an agent sees, as plain data.

use serde::{Deserialize, Serialize};

use super::{Bearing, Cell};

/// A kind of thing that can be seen or carried.
///
/// A new kind is a variant here, a file in `sim/things`, a row in `sim/ground.rs`, and a word in the grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Thing {
    /// The place where food is delivered.
    Home,
    /// A piece of food.
    Food,
    /// A cell that nobody can enter.
    Wall,
    /// The end of the habitat.
    Edge,
    /// Another living agent.
    Agent,
}

impl Thing {
    /// How many kinds there are.
    pub const COUNT: usize = 5;

    /// Every kind, in the order in which the prompt names them.
    pub const ALL: [Self; Self::COUNT] = [Self::Home, Self::Food, Self::Wall, Self::Edge, Self::Agent];
}

/// All that an agent knows when it decides: its own state and a bearing per kind of thing.
///
/// Home and food point to the nearest one (by perception: along the shortest path, or straight);
/// wall, edge and agent are told of the four neighbouring cells only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// Where the agent stands.
    pub at: Cell,
    /// Its energy, in whole points.
    pub energy: u16,
    /// What it carries.
    pub carrying: Option<Thing>,
    seen: [Bearing; Thing::COUNT],
}

impl Observation {
    /// An observation with nothing in view.
    pub const fn new(at: Cell, energy: u16, carrying: Option<Thing>) -> Self {
        Self { at, energy, carrying, seen: [Bearing::NONE; Thing::COUNT] }
    }

    /// Where `thing` lies.
    pub const fn bearing(&self, thing: Thing) -> Bearing {
        self.seen[thing as usize]
    }

    /// Notes where `thing` lies.
    pub const fn see(&mut self, thing: Thing, bearing: Bearing) {
        self.seen[thing as usize] = bearing;
    }

    /// The same observation with `thing` at `bearing`.
    #[must_use]
    pub const fn with(mut self, thing: Thing, bearing: Bearing) -> Self {
        self.see(thing, bearing);
        self
    }
}
