//! Who saw, said and did what, and what they got for it.
//!
//! Prompts are not kept: what was seen is, and `language::write_prompt` makes the prompt of it when it is shown.

use std::borrow::Cow;

use bevy::prelude::*;

use super::Ring;
use crate::{
    mind::{Asked, Creatures, LastThought},
    protocol::{Action, AgentId, CreatureId, HabitatId, Observation, Outcome},
    sim::{Agent, Clock, Finished, Habitat, LastTurn, Roster, Seen},
};

/// Lines that are kept, of all agents in all habitats together.
const LINES: usize = 20_000;

/// One decision of one agent, and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Its number since the start, from 0.
    pub number: u64,
    /// The habitat.
    pub habitat: HabitatId,
    /// The creature.
    pub creature: CreatureId,
    /// Its place.
    pub agent: AgentId,
    /// The generation.
    pub generation: u32,
    /// The turn in it, from 0.
    pub turn: u32,
    /// What it saw.
    pub observation: Observation,
    /// The reply in words, as its mind said it.
    pub reply: Cow<'static, str>,
    /// What it did.
    pub action: Action,
    /// What came of it.
    pub outcome: Outcome,
    /// The reward.
    pub reward: f64,
    /// Probability of what it did when that was drawn; `None` for words that were said freely.
    pub probability: Option<f32>,
    /// Whether `rules` decided, because the mind did not answer.
    pub stood_in: bool,
}

/// The last 20,000 lines.
#[derive(Resource, Debug, Clone)]
pub struct Transcript {
    /// The lines, oldest first; those of a turn by habitat and agent.
    pub lines: Ring<Line>,
    /// How many there have been since the start.
    pub total: u64,
}

impl Default for Transcript {
    fn default() -> Self {
        Self { lines: Ring::new(LINES), total: 0 }
    }
}

impl Transcript {
    fn push(&mut self, line: Line) {
        self.lines.push(Line { number: self.total, ..line });
        self.total += 1;
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        let owned = |line: &Line| if let Cow::Owned(text) = &line.reply { text.capacity() } else { 0 };
        self.lines.iter().map(|line| size_of::<Line>() + owned(line)).sum()
    }
}

/// Writes a line for everybody who has acted in this turn.
pub(super) fn write_lines(
    asked: Res<Asked>,
    habitats: Query<(&Habitat, &Clock, &Roster, &Creatures), Without<Finished>>,
    agents: Query<(&Agent, &Seen, &LastThought, &LastTurn)>,
    mut transcript: ResMut<Transcript>,
) {
    let mut sorted: Vec<_> = habitats.iter().collect();
    sorted.sort_unstable_by_key(|(habitat, ..)| habitat.id);
    for (habitat, clock, roster, creatures) in sorted {
        for (agent, seen, thought, turn) in agents.iter_many(roster.iter()) {
            let (Some(thought), Some(deed)) = (&thought.0, turn.0) else { continue };
            let weighed = thought.policy.iter().any(|p| *p > 0.0);
            transcript.push(Line {
                number: 0,
                habitat: habitat.id,
                creature: creatures.at(agent.id),
                agent: agent.id,
                generation: clock.generation,
                // The clock has gone on already.
                turn: clock.turn.saturating_sub(1),
                observation: seen.0,
                reply: thought.text.clone(),
                action: deed.action,
                outcome: deed.outcome,
                reward: deed.reward,
                probability: weighed.then_some(thought.policy[deed.action.index()]),
                stood_in: asked.stood_in,
            });
        }
    }
}
