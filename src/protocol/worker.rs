//! What is asked of the worker thread (imperatives) and what it answers (participles).

use std::{borrow::Cow, path::PathBuf, sync::Arc, time::Duration};

use super::{
    Action, AgentId, Bred, Breed, Consultation, Counsel, CreatureId, HabitatId, Honour, Manner, Moment, Observation,
    StreamKey, Survey, Surveyed, Train, Trained,
};

/// A request to the worker. Requests are answered in order.
#[derive(Debug, Clone)]
pub enum Request {
    /// Decide for every agent that waits, in every habitat, in one batch.
    Think(Think),
    /// Let agents learn.
    Train(Train),
    /// Make a habitat's next generation.
    Breed(Breed),
    /// Say what creatures would do.
    Survey(Survey),
    /// Keep the best creatures' adapters.
    Honour(Honour),
    /// Say what minds would do or say, by hand.
    Consult(Consultation),
    /// Finish and end the thread.
    Shutdown,
}

/// Every agent that waits for a decision.
#[derive(Debug, Clone)]
pub struct Think {
    /// Which question this is; the answer carries the same number, so that a late one can be told apart.
    pub epoch: u64,
    /// Who waits, sorted by habitat and agent. Shared, because whoever asks keeps it until the answer has come.
    pub thinkers: Arc<Vec<Thinker>>,
}

/// One agent that waits for a decision.
#[derive(Debug, Clone)]
pub struct Thinker {
    /// The agent's habitat.
    pub habitat: HabitatId,
    /// The agent.
    pub agent: AgentId,
    /// Whose mind it has.
    pub creature: CreatureId,
    /// Part of its acts that is drawn uniformly, to find what nobody has tried: 0 to 1.
    pub exploration: f64,
    /// How it decides, the same for everybody of a habitat; where there is none, as the mind was made to.
    pub manner: Option<Manner>,
    /// What it sees.
    pub observation: Observation,
    /// The same in words, for minds that read; empty for those that do not.
    pub prompt: String,
    /// The stream from which the mind samples.
    pub draws: StreamKey,
    /// The part of that stream that belongs to this decision.
    pub moment: Moment,
}

/// What the worker answers.
#[derive(Debug)]
pub enum Reply {
    /// The mind has been loaded. The first reply of minds that load something.
    Ready(MindFacts),
    /// The mind cannot be loaded; the thread ends.
    Unusable {
        /// Why not, in a sentence for the person.
        reason: String,
    },
    /// Every agent has decided.
    Thought(Thoughts),
    /// Agents have learned.
    Trained(Trained),
    /// The next generation's minds are there.
    Bred(Bred),
    /// What creatures would do.
    Surveyed(Surveyed),
    /// The best creatures' adapters are kept.
    Honoured,
    /// What minds would do or say.
    Consulted(Counsel),
    /// Something that was asked beside the turn could not be done.
    Troubled {
        /// What went wrong, in a sentence for the person.
        reason: String,
    },
    /// The question could not be answered.
    Failed {
        /// The question.
        epoch: u64,
        /// What went wrong, in a sentence for the person.
        reason: String,
    },
}

/// What there is to know of a mind that has been loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MindFacts {
    /// The model's name.
    pub name: String,
    /// Where it came from.
    pub path: PathBuf,
    /// SHA-256 of its files, in hexadecimal.
    pub sha256: String,
    /// Weights of the model.
    pub parameters: u64,
    /// Bytes that the model's matrices take in memory.
    pub model_bytes: u64,
    /// Bytes of those that stay in their file and are read for each product.
    pub streamed_bytes: u64,
    /// Bytes of the embedding in its file, where only rows of it are read.
    pub stored_bytes: u64,
    /// Bytes by which the process grew when the tokenizer was loaded, where the system tells.
    pub tokenizer_bytes: u64,
    /// Bytes that each agent's adapter takes.
    pub adapter_bytes: u64,
    /// Rows of each decision whose logits are read: one for every place at which replies part.
    pub reads: u32,
}

/// The answer to one [`Think`].
#[derive(Debug)]
pub struct Thoughts {
    /// The question.
    pub epoch: u64,
    /// One thought per thinker, in the same order.
    pub thoughts: Vec<Thought>,
    /// Time that the worker took for all of them.
    pub elapsed: Duration,
}

/// One agent's decision.
#[derive(Debug, Clone)]
pub struct Thought {
    /// The agent's habitat.
    pub habitat: HabitatId,
    /// The agent.
    pub agent: AgentId,
    /// The reply in words, as the mind said it.
    pub text: Cow<'static, str>,
    /// The chosen action, or `None` where only the words were said and must be parsed.
    pub action: Option<Action>,
    /// Probability of every action when this one was drawn, in the order of [`Action::ALL`]; sums to 1, or is all 0 where
    /// words were said freely and no action was weighed.
    pub policy: [f32; Action::COUNT],
    /// How likely it is that exploration drew the action, and not the mind, now that it has been drawn; 0 where nobody explores.
    pub explored: f32,
    /// Log-probability of every action at temperature 1, in the same order; −∞ where no action was weighed.
    pub log_probabilities: [f32; Action::COUNT],
    /// Log-probability of the reply at temperature 1: of the action that was chosen, or of all words that were said freely.
    pub log_probability: f32,
    /// Tokens read and written; 0 for minds without a language model.
    pub tokens: u32,
    /// Time spent on this decision: the batch's time divided by its agents.
    pub elapsed: Duration,
}
