//! Questions with known answers, on states drawn afresh: what a model has learnt from the corpus.

use rand::{Rng, RngExt};

use super::{
    body,
    claim::{Topic, claim},
    fact::{self, Subject},
    state,
};
use crate::protocol::{Direction, Thing};

/// What a question is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProbeKind {
    /// Where home lies.
    Home,
    /// Where food lies.
    Food,
    /// Where walls are.
    Wall,
    /// Which step leads home.
    ReachHome,
    /// Which step leads to food.
    ReachFood,
    /// Which way is free.
    Free,
    /// What the agent carries.
    Load,
    /// How much energy is left.
    Energy,
    /// What lies in a neighbouring cell.
    Beside,
    /// What lies in the agent's own cell.
    Here,
    /// Which direction an arrow stands for.
    Arrow,
    /// Which direction leads back.
    Opposite,
    /// In which direction one of two neighbouring cells lies from the other.
    Step,
}

impl ProbeKind {
    /// Every kind; [`probe`] draws each with the same chance.
    pub const ALL: [Self; 13] = [
        Self::Home,
        Self::Food,
        Self::Wall,
        Self::ReachHome,
        Self::ReachFood,
        Self::Free,
        Self::Load,
        Self::Energy,
        Self::Beside,
        Self::Here,
        Self::Arrow,
        Self::Opposite,
        Self::Step,
    ];

    /// The word for this kind in tables.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Home => "home",
            Self::Food => "food",
            Self::Wall => "wall",
            Self::ReachHome => "reach-home",
            Self::ReachFood => "reach-food",
            Self::Free => "free",
            Self::Load => "load",
            Self::Energy => "energy",
            Self::Beside => "beside",
            Self::Here => "here",
            Self::Arrow => "arrow",
            Self::Opposite => "opposite",
            Self::Step => "step",
        }
    }
}

/// A text to go on with, and what it may be gone on with. Graded by which of the choices a model finds most likely: they
/// differ at the first word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// What is asked about.
    pub kind: ProbeKind,
    /// The text so far; no space at its end.
    pub question: String,
    /// All right continuations, each beginning with a space. Not empty, and fewer than the choices.
    pub answers: Vec<String>,
    /// All continuations on offer, the right ones among them, each beginning with a space.
    pub choices: Vec<String>,
}

/// What a kind of question asks.
enum Source {
    Prompt(Topic),
    Fact(Subject),
}

/// Draws a question of any kind.
pub fn probe(draws: &mut impl Rng) -> Probe {
    let kind = ProbeKind::ALL[draws.random_range(0..ProbeKind::ALL.len())];
    match source(kind, draws) {
        Source::Fact(subject) => {
            let claim = fact::claim(subject, draws);
            ask(kind, claim.stem, &claim.answers, &claim.choices)
        }
        Source::Prompt(topic) => ask_of_prompt(kind, topic, draws),
    }
}

/// Draws states until one fits. Every choice is wanted as an answer with the same chance, so that a model that always
/// says the most frequent word does not pass; and a question to which every answer is right would test nothing.
fn ask_of_prompt(kind: ProbeKind, topic: Topic, draws: &mut impl Rng) -> Probe {
    let place = draws.random::<u32>() as usize;
    loop {
        let observation = state::draw(draws);
        let Some(claim) = claim(topic, &observation) else { continue };
        let wanted = &claim.choices[place % claim.choices.len()];
        if claim.answers.contains(wanted) && claim.answers.len() < claim.choices.len() {
            return ask(kind, format!("{} {}", body(&observation), claim.stem), &claim.answers, &claim.choices);
        }
    }
}

fn ask(kind: ProbeKind, question: String, answers: &[String], choices: &[String]) -> Probe {
    let spaced = |words: &[String]| words.iter().map(|word| format!(" {word}")).collect();
    Probe { kind, question, answers: spaced(answers), choices: spaced(choices) }
}

fn source(kind: ProbeKind, draws: &mut impl Rng) -> Source {
    let topic = match kind {
        ProbeKind::Home => Topic::Where(Thing::Home),
        ProbeKind::Food => Topic::Where(Thing::Food),
        ProbeKind::Wall => Topic::Where(Thing::Wall),
        ProbeKind::ReachHome => Topic::Reach(Thing::Home),
        ProbeKind::ReachFood => Topic::Reach(Thing::Food),
        ProbeKind::Free => Topic::Free,
        ProbeKind::Load => Topic::Load,
        ProbeKind::Energy => Topic::Energy,
        ProbeKind::Beside => Topic::Beside(Direction::ALL[draws.random_range(0..Direction::ALL.len())]),
        ProbeKind::Here => Topic::Here,
        ProbeKind::Arrow => return Source::Fact(Subject::Arrow),
        ProbeKind::Opposite => return Source::Fact(Subject::Opposite),
        ProbeKind::Step => return Source::Fact(Subject::Step),
    };
    Source::Prompt(topic)
}
