//! What an agent did in its life.

use serde::{Deserialize, Serialize};

/// What an agent did in its life, as far as selection looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct LifeRecord {
    /// Sum of all rewards, without shaping.
    pub total_reward: f64,
    /// Pieces of food taken up.
    pub food_collected: u32,
    /// Pieces of food delivered at home.
    pub food_delivered: u32,
    /// Turns alive.
    pub turns_alive: u32,
}
