//! Names of habitats and of the agents in them.

use serde::{Deserialize, Serialize};

/// The number of a habitat within a run. Part of every random stream, so habitat 2 lives the same life
/// alone as it does beside others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct HabitatId(pub u32);

/// The place of an agent in its habitat, counted from 0 in every generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct AgentId(pub u32);

/// An individual, unique in its habitat for the whole run. Founders are numbered from 0 in the order of their places; every
/// child has the next number. Who lives on into the next generation keeps its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct CreatureId(pub u32);

impl std::fmt::Display for HabitatId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl std::fmt::Display for AgentId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl std::fmt::Display for CreatureId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}
