//! What is asked of the worker when agents learn, and what it answers.

use super::{Action, CreatureId, HabitatId};

/// How a training step goes: the same for every agent of a habitat.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LearningRule {
    /// Step size of Adam.
    pub learning_rate: f64,
    /// Temperature of the distribution that is trained: the one that acts. Above 0.
    pub temperature: f64,
    /// β: weight of the entropy bonus.
    pub entropy: f64,
    /// κ: weight of the nearness to the bare model.
    pub kl: f64,
    /// ε of PPO's clipped ratio; 0 takes the plain policy gradient.
    pub ratio_clip: f64,
    /// Longest gradient; longer ones are scaled down.
    pub gradient_clip: f64,
}

impl Default for LearningRule {
    /// The plain policy gradient, with nothing added.
    fn default() -> Self {
        Self { learning_rate: 2e-3, temperature: 0.7, entropy: 0.0, kl: 0.0, ratio_clip: 0.0, gradient_clip: 1.0 }
    }
}

/// One experience to learn from.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// What was seen, in words.
    pub prompt: String,
    /// What was done.
    pub action: Action,
    /// w: how much of it is to be learned.
    pub weight: f64,
    /// Log-probability with which it was done.
    pub log_acted: f64,
}

/// What one agent learns from, now.
#[derive(Debug, Clone, PartialEq)]
pub struct Lesson {
    /// The agent's habitat.
    pub habitat: HabitatId,
    /// The agent.
    pub creature: CreatureId,
    /// How its steps go.
    pub rule: LearningRule,
    /// The samples of each step, in order.
    pub steps: Vec<Vec<Sample>>,
}

/// Lessons of every agent that learns now, in every habitat.
#[derive(Debug, Clone)]
pub struct Train {
    /// The lessons, sorted by habitat and place.
    pub lessons: Vec<Lesson>,
}

/// What came of one agent's lesson.
#[derive(Debug, Clone, PartialEq)]
pub struct Learned {
    /// The agent's habitat.
    pub habitat: HabitatId,
    /// The agent.
    pub creature: CreatureId,
    /// Mean loss of the samples before the last step.
    pub loss: f64,
    /// Their mean entropy, in nats.
    pub entropy: f64,
    /// Their mean KL to the bare model, in nats, where the rule asks for it.
    pub kl: Option<f64>,
    /// Length of the last step's gradient before it was limited.
    pub gradient: f64,
    /// Updates of this adapter so far: its version.
    pub version: u64,
    /// Samples that its steps went through.
    pub samples: u32,
    /// Why nothing was learned: a number was not finite. The adapter is as it was before the lesson.
    pub refused: Option<String>,
}

/// The answer to a [`Train`].
#[derive(Debug, Clone)]
pub struct Trained {
    /// One per lesson, in the same order.
    pub learned: Vec<Learned>,
    /// Time it took in all.
    pub elapsed: std::time::Duration,
}
