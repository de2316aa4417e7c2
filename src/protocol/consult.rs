//! What is asked of minds by hand, beside the run, and what they answer. Nobody acts or learns by it.

use super::{Action, CreatureName};

/// How a mind decides: what may change while a run goes on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Manner {
    /// Whether it answers in words of its own, in place of weighing the actions.
    pub free: bool,
    /// Temperature of sampling; 0 takes the likeliest.
    pub temperature: f64,
    /// Most tokens of a free reply.
    pub max_tokens: u32,
    /// Share of probability that the tokens of a free reply are drawn from.
    pub top_p: f64,
    /// Whether creatures pass on what they were born with, so that it is kept beside what they learn.
    pub keeps_genome: bool,
}

/// Asks minds what they would do, or say, in any words.
#[derive(Debug, Clone, PartialEq)]
pub struct Consultation {
    /// Its number: the answer carries the same, and free replies are drawn from a stream of this number.
    pub number: u64,
    /// What they are told, as the person wrote it.
    pub prompt: String,
    /// Whose minds; `None` is the bare model.
    pub minds: Vec<Option<CreatureName>>,
    /// How they decide.
    pub manner: Manner,
}

/// What a mind answered.
#[derive(Debug, Clone, PartialEq)]
pub enum Opinion {
    /// How it weighs the actions, in the order of [`Action::ALL`].
    Weighed {
        /// Probability of each as it would be drawn, at the temperature and without exploration; sums to 1.
        policy: [f32; Action::COUNT],
        /// Log-probability of each at temperature 1.
        log_probabilities: [f32; Action::COUNT],
    },
    /// What it says, in words of its own.
    Said {
        /// The words.
        text: String,
        /// Their log-probability at temperature 1.
        log_probability: f32,
    },
    /// Why it has not answered, in a sentence for the person.
    Silent(String),
}

/// The answers to a [`Consultation`].
#[derive(Debug, Clone, PartialEq)]
pub struct Counsel {
    /// The consultation.
    pub number: u64,
    /// What was asked.
    pub prompt: String,
    /// One answer per mind, in the same order; `None` is the bare model.
    pub answers: Vec<(Option<CreatureName>, Opinion)>,
}

impl Counsel {
    /// The same sentence in the place of everybody's answer.
    pub fn silent(consultation: &Consultation, why: &str) -> Self {
        let answers = consultation.minds.iter().map(|mind| (*mind, Opinion::Silent(why.to_owned())));
        Self { number: consultation.number, prompt: consultation.prompt.clone(), answers: answers.collect() }
    }
}
