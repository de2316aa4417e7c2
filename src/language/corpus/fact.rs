//! Sentences that are true anywhere: the arrows, geometry, and what actions are.

use rand::{Rng, RngExt, seq::IndexedRandom};

use super::{
    claim::{Claim, Naming, direction_words},
    state::{SIZES, cell, opposite},
    weighted,
    words::{FROM_TO, IS, OF, OPPOSITE, RULES, direction_name, direction_word},
};
use crate::{
    language::grammar::arrow,
    protocol::{Cell, Direction},
};

/// What a fact can be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    /// The direction that an arrow stands for.
    Arrow,
    /// The arrow that stands for a direction.
    Sign,
    /// The direction that leads back.
    Opposite,
    /// The neighbour of a cell in a direction.
    Neighbour,
    /// The direction from a cell to its neighbour.
    Step,
}

/// How often each subject comes up, against the others; `None` is one of the sentences in [`RULES`].
const SUBJECTS: &[(Option<Subject>, u32)] = &[
    (Some(Subject::Arrow), 2),
    (Some(Subject::Sign), 1),
    (Some(Subject::Opposite), 2),
    (Some(Subject::Neighbour), 2),
    (Some(Subject::Step), 4),
    (None, 3),
];

/// Draws a fact, as a sentence.
pub(super) fn document(draws: &mut impl Rng) -> String {
    match weighted(SUBJECTS, draws) {
        Some(subject) => claim(subject, draws).sentence(draws),
        None => RULES.choose(draws).copied().unwrap_or_default().to_owned(),
    }
}

/// Draws a claim about `subject`. Only one whose answer is a direction has choices.
pub(super) fn claim(subject: Subject, draws: &mut impl Rng) -> Claim {
    let (from, direction, to) = step(draws);
    let word = direction_word(direction);
    let four = direction_words();
    let (stem, answer) = match subject {
        Subject::Arrow => (format!("{}{IS}", arrow(direction)), word.to_owned()),
        Subject::Sign => (format!("{}{IS}", direction_name(direction)), arrow(direction).to_string()),
        Subject::Opposite => (format!("{OPPOSITE}{word}{IS}"), direction_word(opposite(direction)).to_owned()),
        Subject::Neighbour => (format!("{}{OF}{}{IS}", direction_name(direction), pair(from)), pair(to)),
        Subject::Step => {
            let [before, between] = FROM_TO;
            (format!("{before}{}{between}{}{IS}", pair(from), pair(to)), word.to_owned())
        }
    };
    let choices: &[&str] = if four.contains(&answer.as_str()) { &four } else { &[] };
    Claim::new(stem, &[&answer], choices, Naming::One)
}

/// A cell, a direction, and the neighbour there.
fn step(draws: &mut impl Rng) -> (Cell, Direction, Cell) {
    let from = cell(*SIZES.end(), draws);
    let direction = Direction::ALL[draws.random_range(0..Direction::ALL.len())];
    match from.neighbour(direction, *SIZES.end()) {
        Some(to) => (from, direction, to),
        // No cell is at both ends: the way back from it leads inside.
        None => {
            let back = opposite(direction);
            (from, back, from.neighbour(back, *SIZES.end()).unwrap_or(from))
        }
    }
}

fn pair(Cell { x, y }: Cell) -> String {
    format!("({x},{y})")
}
