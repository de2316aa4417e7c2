//! What the panel *Agent* shows, and what it remembers by itself.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::protocol::{Action, CreatureId, CreatureName, Outcome, Thing};

/// What the panel shows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AgentModel {
    /// Everybody in the living generation, in any order.
    pub agents: Vec<AgentRow>,
    /// The mind that is open. Behind an `Arc`, so that it need be made anew once a turn only.
    pub selected: Option<Arc<Mind>>,
    /// Whether the picture follows the selected one.
    pub following: bool,
    /// Whether there are several habitats.
    pub several: bool,
}

/// One agent in the table.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AgentRow {
    /// Its habitat and its number there.
    pub name: CreatureName,
    /// The name that the person gave it.
    pub title: Option<String>,
    /// Its founder: the number gives the colour of its line.
    pub line: CreatureId,
    /// Its energy, in points.
    pub energy: f32,
    /// What it carries.
    pub carrying: Option<Thing>,
    /// Its fitness so far.
    pub fitness: f64,
    /// Pieces of food that it delivered.
    pub delivered: u32,
    /// The generation in which it was born.
    pub born: u32,
    /// Whether it lives.
    pub alive: bool,
}

/// All that is known of one mind.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Mind {
    /// Its habitat and its number there.
    pub name: CreatureName,
    /// The name that the person gave it.
    pub title: Option<String>,
    /// Its founder: the number gives the colour of its line.
    pub line: CreatureId,
    /// Its parents, the first one first; none for founders.
    pub parents: Vec<CreatureId>,
    /// The first parent's share of it, 0 to 1.
    pub share: Option<f64>,
    /// Its children.
    pub children: Vec<CreatureId>,
    /// The generation in which it was born.
    pub born: u32,
    /// The last generation in which it lived; `None` while it is in the population.
    pub died: Option<u32>,
    /// Whether it lives: not starved in the living generation, and not of an earlier one.
    pub alive: bool,
    /// Generations that it has lived in, this one included.
    pub age: u32,
    /// Whether it lived on from the last generation because it was among the best.
    pub elite: bool,
    /// Whether it was born in this generation.
    pub newborn: bool,
    /// Its energy and the most that it can have, in points; `None` where it is not in the habitat.
    pub energy: Option<(f32, f32)>,
    /// What it carries.
    pub carrying: Option<Thing>,
    /// Its fitness in this generation or, of the dead, in its last one.
    pub fitness: f64,
    /// The best fitness that it had in any generation that is over.
    pub best_fitness: Option<f64>,
    /// Pieces of food that it delivered in that generation.
    pub delivered: u32,
    /// Its last turn; `None` before the first, and of the dead.
    pub turn: Option<ShownTurn>,
    /// Its rewards in the last turns, oldest first: the turn and the reward.
    pub rewards: Vec<(u32, f64)>,
    /// What it remembers, oldest first.
    pub memory: Vec<Remembered>,
    /// How many experiences it can remember; 0 where that is not known.
    pub capacity: u32,
    /// How large the effect of its adapter is; empty where its adapter is not kept or has not been measured.
    pub norms: Vec<NormRow>,
    /// Updates that its adapter has had.
    pub lessons: u64,
    /// Loss of the last lesson.
    pub loss: Option<f64>,
}

/// One turn, as it was asked and answered.
#[derive(Debug, Clone, PartialEq)]
pub struct ShownTurn {
    /// The turn.
    pub turn: u32,
    /// The prompt, exactly as it was sent; empty for minds that do not read.
    pub prompt: String,
    /// The reply, exactly as it was said.
    pub reply: String,
    /// What was done.
    pub action: Action,
    /// What came of it.
    pub outcome: Option<Outcome>,
    /// Probability of every action, in the order of [`Action::ALL`]; all 0 where words were said freely.
    pub policy: [f32; Action::COUNT],
    /// How likely it is that exploration drew the action, and not the mind: 0 to 1.
    pub explored: f32,
    /// Whether `rules` decided in the mind's stead.
    pub stood_in: bool,
}

/// One experience.
#[derive(Debug, Clone, PartialEq)]
pub struct Remembered {
    /// The turn.
    pub turn: u32,
    /// What it saw, as a prompt.
    pub saw: String,
    /// What it did.
    pub did: Action,
    /// What came of it, where that is kept.
    pub outcome: Option<Outcome>,
    /// What it got.
    pub reward: f64,
    /// Log-probability with which it did it, in nats.
    pub log_acted: f32,
    /// Updates that its adapter had had.
    pub version: u64,
}

/// ‖ΔW‖ of one adapted matrix.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NormRow {
    /// The model's layer, from 0.
    pub layer: u32,
    /// The matrix, as `q_proj`.
    pub matrix: String,
    /// Frobenius norm of the change of the matrix.
    pub norm: f32,
}

/// The columns of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum SortBy {
    /// The number, within the habitat.
    #[default]
    Number,
    /// The habitat.
    Habitat,
    /// The name that the person gave.
    Title,
    /// Energy.
    Energy,
    /// Who carries something.
    Carrying,
    /// Fitness.
    Fitness,
    /// Food delivered.
    Delivered,
    /// Generation of birth.
    Born,
    /// Who lives.
    Alive,
}

/// What the panel remembers by itself.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentState {
    /// The column by which the table is sorted.
    pub sort: SortBy,
    /// Whether the largest comes first.
    pub descending: bool,
    /// The selected one that the table has been scrolled to.
    #[serde(skip)]
    pub(super) scrolled: Option<CreatureName>,
    /// The creature whose name and card are being edited.
    #[serde(skip)]
    pub(super) edited: Option<CreatureName>,
    /// The name as it is being edited.
    #[serde(skip)]
    pub(super) title: String,
    /// The card's path as it is being edited.
    #[serde(skip)]
    pub(super) card: String,
}
