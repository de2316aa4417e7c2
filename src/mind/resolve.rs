//! The second half of a turn as far as minds go: thoughts become choices.

use std::collections::BTreeMap;

use bevy::prelude::*;
use serde::{Deserialize, Serialize};

use super::{
    ask::Asked,
    creatures::Creatures,
    scripted::{ScriptedMind, think},
    state::WorkerState,
};
use crate::{
    genetics::fitness,
    language::parse_reply,
    protocol::{AgentId, CreatureId, HabitatId, LifeRecord, Reply, Thinker, Thought, Thoughts},
    sim::{Agent, Choice, Clock, GenerationConfig, Habitat, Ledger, Life, Roster},
};

/// The worker's answer to the open question. Whoever waits at the channel puts it here before [`Resolve`](super::Resolve).
#[derive(Resource, Debug, Default)]
pub struct Inbox(pub Option<Reply>);

/// What an agent thought last: its own mind, or `rules` where that stood in.
#[derive(Component, Debug, Clone, Default)]
pub struct LastThought(pub Option<Thought>);

/// How many decisions of this generation `rules` made because the mind did not answer.
#[derive(Component, Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Fallback {
    /// Turns, counted per agent.
    pub turns: u64,
    /// Replies that named no action, for which the agent waited.
    pub unreadable: u64,
}

/// One agent's life in one generation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lived {
    /// Its place.
    pub agent: AgentId,
    /// Who it was.
    pub creature: CreatureId,
    /// What it did.
    pub record: LifeRecord,
    /// What that was worth.
    pub fitness: f64,
}

/// A generation has ended, and nobody has been replaced yet.
#[derive(Message, Debug, Clone, PartialEq)]
pub struct GenerationEnded {
    /// The habitat.
    pub habitat: HabitatId,
    /// The generation, and the turns that it lasted.
    pub clock: Clock,
    /// Every agent's life, in the order of their places.
    pub lives: Vec<Lived>,
    /// The generation's books.
    pub ledger: Ledger,
    /// What `rules` had to stand in for.
    pub fallback: Fallback,
}

/// Turns the answer into choices. Where it is missing, late, or does not fit the question, `rules` decides.
pub(super) fn receive_thoughts(
    mut asked: ResMut<Asked>,
    mut inbox: ResMut<Inbox>,
    mut state: ResMut<WorkerState>,
    mut habitats: Query<(&Habitat, &mut Fallback)>,
    mut choices: Query<(&mut Choice, &mut LastThought)>,
) {
    let thoughts = match inbox.0.take() {
        Some(Reply::Thought(thoughts)) if fits(&thoughts, &asked) => {
            state.note_answer(asked.pace());
            asked.took = Some(thoughts.elapsed);
            asked.tokens = thoughts.thoughts.iter().map(|thought| u64::from(thought.tokens)).sum();
            Some(thoughts.thoughts)
        }
        Some(Reply::Failed { epoch, reason }) if epoch == asked.epoch => {
            state.note_failure(&reason);
            None
        }
        Some(Reply::Thought(_)) => {
            state.note_failure("The minds answered another question than was asked.");
            None
        }
        _ => None,
    };
    asked.stood_in = thoughts.is_none();
    let stood_in = u64::from(asked.stood_in);
    let thoughts =
        thoughts.unwrap_or_else(|| asked.thinkers.iter().map(|thinker| think(ScriptedMind::Rules, thinker)).collect());
    let mut troubles: BTreeMap<HabitatId, Fallback> = BTreeMap::new();
    for (entity, thought) in asked.waiting.drain(..).zip(thoughts) {
        let action = thought.action.map_or_else(|| parse_reply(&thought.text), Ok);
        let unreadable = u64::from(action.is_err());
        if stood_in + unreadable > 0 {
            let trouble = troubles.entry(thought.habitat).or_default();
            trouble.turns += stood_in;
            trouble.unreadable += unreadable;
        }
        if let Ok((mut choice, mut last)) = choices.get_mut(entity) {
            *choice = action.map_or(Choice::Unreadable, Choice::Act);
            *last = LastThought(Some(thought));
        }
    }
    if !troubles.is_empty() {
        for (habitat, mut fallback) in &mut habitats {
            let trouble = troubles.get(&habitat.id).copied().unwrap_or_default();
            fallback.turns += trouble.turns;
            fallback.unreadable += trouble.unreadable;
        }
    }
}

/// Whether an answer belongs to the open question, agent by agent.
fn fits(thoughts: &Thoughts, asked: &Asked) -> bool {
    let same =
        |(thought, thinker): (&Thought, &Thinker)| thought.habitat == thinker.habitat && thought.agent == thinker.agent;
    thoughts.epoch == asked.epoch
        && thoughts.thoughts.len() == asked.thinkers.len()
        && thoughts.thoughts.iter().zip(asked.thinkers.iter()).all(same)
}

/// What a habitat's generation has come to so far.
pub fn sum_up(world: &World, entity: Entity) -> Option<GenerationEnded> {
    let weights = &world.get::<GenerationConfig>(entity)?.fitness;
    let creatures = world.get::<Creatures>(entity).cloned().unwrap_or_default();
    let lives = world.get::<Roster>(entity)?.iter().filter_map(|agent| {
        let (record, agent) = (world.get::<Life>(*agent)?.0, world.get::<Agent>(*agent)?.id);
        Some(Lived { agent, creature: creatures.at(agent), record, fitness: fitness(&record, weights) })
    });
    Some(GenerationEnded {
        habitat: world.get::<Habitat>(entity)?.id,
        clock: *world.get::<Clock>(entity)?,
        lives: lives.collect(),
        ledger: *world.get::<Ledger>(entity)?,
        fallback: world.get::<Fallback>(entity).copied().unwrap_or_default(),
    })
}
