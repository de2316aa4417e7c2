//! What agents remember: an experience buffer for every individual, bounded, oldest out first.

use std::collections::{BTreeMap, VecDeque};

use bevy::prelude::*;
use serde::{Deserialize, Serialize};

use super::{ask::Asked, creatures::Creatures, resolve::LastThought};
use crate::{
    protocol::{Action, CreatureId, Observation},
    sim::{Agent, Clock, Finished, GenerationConfig, HabitatConfig, LastTurn, Roster, Seen, Vitality},
};

/// One turn of one agent, as it remembers it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Experience {
    /// What it saw.
    pub observation: Observation,
    /// What it did.
    pub action: Action,
    /// What it got.
    pub reward: f64,
    /// How much nearer it came to where it should go, as learning counts it; never part of fitness.
    pub shaping: f64,
    /// What it saw afterwards; `None` where nothing came after, or has come yet.
    pub next: Option<Observation>,
    /// Whether it was the last turn of a life or of a generation.
    pub done: bool,
    /// The actions on offer, a bit each in the order of [`Action::ALL`]: all of them, in this habitat.
    pub legal: u8,
    /// Log-probability with which it did it; 0 for words that were said freely.
    pub log_acted: f32,
    /// Updates that its adapter had had.
    pub version: u64,
    /// The generation.
    pub generation: u32,
    /// The turn in it.
    pub turn: u32,
}

/// What one individual remembers.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Memory {
    /// The experiences, oldest first.
    pub experiences: VecDeque<Experience>,
    /// Updates that its adapter has had.
    pub version: u64,
}

impl Memory {
    /// Adds an experience, and forgets the oldest beyond `most`.
    pub fn push(&mut self, experience: Experience, most: usize) {
        self.experiences.push_back(experience);
        while self.experiences.len() > most {
            self.experiences.pop_front();
        }
    }
}

/// What everybody in a habitat remembers.
#[derive(Component, Debug, Clone, PartialEq, Default)]
pub struct Memories(pub BTreeMap<CreatureId, Memory>);

impl Memories {
    /// Forgets whom nobody knows any more.
    pub fn keep_only(&mut self, living: &[CreatureId]) {
        self.0.retain(|creature, _| living.contains(creature));
    }
}

/// Everything on offer.
const ALL_LEGAL: u8 = u8::MAX;
const _: () = assert!(Action::COUNT == u8::BITS as usize, "a bit for every action");

/// Completes the last experience with what is seen now.
pub(super) fn remember_sequel(
    mut habitats: Query<(&Roster, &Creatures, &mut Memories), Without<Finished>>,
    agents: Query<(&Agent, &Seen, &Vitality)>,
) {
    for (roster, creatures, mut memories) in &mut habitats {
        for (agent, seen, vitality) in agents.iter_many(roster.iter()) {
            let Some(memory) = memories.0.get_mut(&creatures.at(agent.id)).filter(|_| vitality.is_alive()) else {
                continue;
            };
            if let Some(last) = memory.experiences.back_mut().filter(|last| !last.done && last.next.is_none()) {
                last.next = Some(seen.0);
            }
        }
    }
}

/// What of a habitat is needed to remember a turn.
type Remembering = (
    &'static HabitatConfig,
    &'static GenerationConfig,
    &'static Clock,
    &'static Roster,
    &'static Creatures,
    &'static mut Memories,
);

/// Remembers the turn. What `rules` did in a mind's stead is nobody's experience.
pub(super) fn remember_turn(
    asked: Res<Asked>,
    mut habitats: Query<Remembering, Without<Finished>>,
    agents: Query<(&Agent, &Seen, &LastTurn, &LastThought, &Vitality)>,
) {
    for (config, begun, clock, roster, creatures, mut memories) in &mut habitats {
        let ends = clock.turn >= begun.run.turns;
        for (agent, seen, turn, thought, vitality) in agents.iter_many(roster.iter()) {
            let (Some(deed), Some(thought)) = (turn.0, &thought.0) else { continue };
            let memory = memories.0.entry(creatures.at(agent.id)).or_default();
            let done = ends || !vitality.is_alive();
            let is_own =
                !asked.stood_in && (thought.action.is_some() || deed.outcome != crate::protocol::Outcome::Unreadable);
            if !is_own {
                // The thread of this life is broken here.
                memory.experiences.back_mut().into_iter().for_each(|last| last.done |= done);
                continue;
            }
            let p = thought.policy[deed.action.index()];
            let experience = Experience {
                observation: seen.0,
                action: deed.action,
                reward: deed.reward,
                shaping: deed.shaping,
                next: None,
                done,
                legal: ALL_LEGAL,
                log_acted: if p > 0.0 { p.ln() } else { 0.0 },
                version: memory.version,
                generation: clock.generation,
                turn: clock.turn.saturating_sub(1),
            };
            memory.push(experience, config.learning.buffer as usize);
        }
    }
}
