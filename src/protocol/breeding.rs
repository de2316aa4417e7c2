//! What is asked of the worker when a generation gives way to the next, and what it answers.

use serde::{Deserialize, Serialize};

use super::{Action, CreatureId, HabitatId, StreamKey};

/// A child and those it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Birth {
    /// The child.
    pub child: CreatureId,
    /// Its parents; the same one twice where the population is too small for two.
    pub parents: [CreatureId; 2],
    /// The first parent's share, 0 to 1.
    pub share: f64,
}

/// Makes a habitat's next generation of minds.
#[derive(Debug, Clone)]
pub struct Breed {
    /// The habitat.
    pub habitat: HabitatId,
    /// Everybody that lives from now on; who is not named is forgotten.
    pub living: Vec<CreatureId>,
    /// The children among them.
    pub births: Vec<Birth>,
    /// Part of a genome's entries that mutate.
    pub mutation_rate: f64,
    /// Standard deviation of a mutation, relative to the root mean square of the matrix.
    pub mutation_size: f64,
    /// Whether children get what their parents have learned, or only what these were born with.
    pub learned: bool,
    /// The stream of each child's mutations, in the order of `births`.
    pub draws: Vec<StreamKey>,
}

/// What came of one birth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Born {
    /// The child.
    pub child: CreatureId,
    /// Part of the merged adapters' energy, Σ of squared singular values, that the child's rank had no room for: 0 to 1.
    pub energy_lost: f64,
}

/// The answer to a [`Breed`].
#[derive(Debug, Clone, PartialEq)]
pub struct Bred {
    /// The habitat.
    pub habitat: HabitatId,
    /// One per birth, in the same order.
    pub born: Vec<Born>,
    /// What went wrong, in a sentence: a child that could not be merged is its first parent's copy.
    pub trouble: Option<String>,
}

/// Keeps copies of the best creatures' adapters, as they are now, whatever becomes of the creatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Honour {
    /// The habitat.
    pub habitat: HabitatId,
    /// Whose adapter is copied now.
    pub entered: Vec<CreatureId>,
    /// Everybody whose copy is kept; copies of others are forgotten.
    pub standing: Vec<CreatureId>,
}

/// Asks what some creatures would do in some situations. Nobody acts or learns by it.
#[derive(Debug, Clone)]
pub struct Survey {
    /// The habitat.
    pub habitat: HabitatId,
    /// The generation to which those belong who are asked.
    pub generation: u32,
    /// Whether they have just been born, or have lived.
    pub newborn: bool,
    /// Who is asked; `None` is the bare model.
    pub creatures: Vec<Option<CreatureId>>,
    /// Temperature of what they would do; where there is none, that with which the mind was made.
    pub temperature: Option<f64>,
    /// The situations, in words.
    pub prompts: std::sync::Arc<Vec<String>>,
}

/// Probability of every action in every situation of a [`Survey`], in its order.
pub type Policy = Vec<[f32; Action::COUNT]>;

/// The answer to a [`Survey`].
#[derive(Debug, Clone, PartialEq)]
pub struct Surveyed {
    /// The habitat.
    pub habitat: HabitatId,
    /// The generation.
    pub generation: u32,
    /// Whether they had just been born.
    pub newborn: bool,
    /// Who was asked, with what it would do; who is not known is left out.
    pub policies: Vec<(Option<CreatureId>, Policy)>,
}
