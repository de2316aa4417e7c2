//! Draws the texts that a small model is pre-trained on, and questions that test what it has learnt.
//!
//! A document is one line of one of three kinds, see `KINDS`:
//!
//! ```text
//! description   At (5,3), E80, has food. See: home↑ wall←. Home is north. The agent carries food.
//! act           At (5,3), E80. See: home↑ food here wall← Action: pick up. Result: picked up food.
//! fact          North of (3,4) is (3,5).
//! ```
//!
//! A model that has read them knows the language and what an act does, and nothing of what is worth doing: the act is
//! one of the eight with the same chance in every state, and no text values anything. All descriptions are true of the
//! prompt before them, so that a model learns to look facts up there: adapters can then learn within dozens of steps.
//!
//! This module does *not* know rewards, energy's worth, habitats or how they are made (states are drawn directly, as an
//! agent may meet them), nor any tokenizer or model.

mod act;
mod claim;
mod fact;
mod probe;
mod state;
mod words;

use rand::{Rng, RngExt, seq::SliceRandom};

pub use act::result_of;
pub use probe::{Probe, ProbeKind, probe};

use super::{grammar::ASK, write_prompt};
use crate::protocol::Observation;

/// A kind of document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A prompt's facts, and sentences about them.
    Description,
    /// A whole prompt, any one of the actions, and what the habitat would answer.
    Act,
    /// A sentence that is true anywhere.
    Fact,
}

/// How often each kind of document is drawn, in percent.
const KINDS: &[(Kind, u32)] = &[(Kind::Description, 50), (Kind::Act, 40), (Kind::Fact, 10)];

/// The most sentences in one description.
const MOST_SENTENCES: usize = 3;

/// Draws one document: a line, without the newline.
pub fn document(draws: &mut impl Rng) -> String {
    match weighted(KINDS, draws) {
        Kind::Description => description(&state::draw(draws), draws),
        Kind::Act => act::document(&state::draw(draws), draws),
        Kind::Fact => fact::document(draws),
    }
}

/// What the prompt says, ended as a sentence in place of asking for an action.
fn body(observation: &Observation) -> String {
    let prompt = write_prompt(observation);
    format!("{}.", prompt.strip_suffix(ASK).unwrap_or(&prompt))
}

/// The prompt's facts, then one to [`MOST_SENTENCES`] different sentences about them in random order.
fn description(observation: &Observation, draws: &mut impl Rng) -> String {
    let mut claims = claim::all(observation);
    let mut text = body(observation);
    for _ in 0..draws.random_range(1..=MOST_SENTENCES) {
        if !claims.is_empty() {
            let (claim, _) = claims.swap_remove(weighted_index(&claims, draws));
            text.push(' ');
            text.push_str(&claim.sentence(draws));
        }
    }
    text
}

/// Draws a row of a table, in proportion to the weights.
fn weighted<T: Copy>(table: &[(T, u32)], draws: &mut impl Rng) -> T {
    table[weighted_index(table, draws)].0
}

/// Draws the number of a row of a table that is not empty, in proportion to the weights.
fn weighted_index<T>(table: &[(T, u32)], draws: &mut impl Rng) -> usize {
    let mut left = draws.random_range(0..table.iter().map(|(_, weight)| weight).sum());
    for (i, (_, weight)) in table.iter().enumerate() {
        if left < *weight {
            return i;
        }
        left -= weight;
    }
    0
}

/// The same items in random order.
fn shuffled<T>(items: impl IntoIterator<Item = T>, draws: &mut impl Rng) -> Vec<T> {
    let mut items: Vec<T> = items.into_iter().collect();
    items.shuffle(draws);
    items
}

#[cfg(test)]
mod tests;
