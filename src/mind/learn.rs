//! Sends lessons to the worker when it is time, and hears what came of them.

use std::collections::BTreeSet;

use bevy::prelude::*;

use super::{
    creatures::Creatures,
    lesson::{Offer, draw_samples},
    link::WorkerLink,
    memory::Memories,
    state::WorkerState,
};
use crate::{
    config::{Inheritance, LearningSettings, RunConfig},
    protocol::{AgentId, CreatureId, HabitatId, Learned, LearningRule, Lesson, Request, StreamName, Train},
    sim::{Agent, Clock, Finished, GenerationConfig, Habitat, HabitatConfig, Roster, Vitality},
};

/// Agents have learned, or have been kept from learning something that is no number.
#[derive(Message, Debug, Clone, PartialEq)]
pub struct AgentsLearned {
    /// What came of every lesson.
    pub learned: Vec<Learned>,
    /// Milliseconds of the worker's time.
    pub ms: f64,
}

/// How a training step goes by these settings.
pub fn learning_rule(config: &RunConfig) -> LearningRule {
    let LearningSettings { learning_rate, entropy, kl, ratio_clip, clip, .. } = config.learning;
    LearningRule {
        learning_rate,
        // What has no temperature has no gradient: the likeliest action is all there is.
        temperature: if config.mind.temperature == 0.0 { 1.0 } else { config.mind.temperature },
        entropy,
        kl,
        ratio_clip,
        gradient_clip: clip,
    }
}

/// Whether agents learn while they live.
pub fn is_learning(config: &RunConfig) -> bool {
    config.learning.enabled && passes_on(config)
}

/// Whether there is learning in this kind of inheritance.
fn passes_on(config: &RunConfig) -> bool {
    config.evolution.inheritance != Inheritance::Darwin
}

/// Whether an agent has a lesson in this turn: one turn of `every` is everybody's, or, where lessons are spread, each agent's
/// is the one that its number and its habitat's say.
fn is_time(settings: &LearningSettings, turn: u32, habitat: HabitatId, agent: AgentId) -> bool {
    let own = if settings.spread { agent.0.wrapping_add(habitat.0) % settings.every } else { 0 };
    turn >= settings.warm_up && turn % settings.every == own
}

/// What of a habitat tells what its agents are to learn.
type Learning = (
    &'static Habitat,
    &'static HabitatConfig,
    &'static GenerationConfig,
    &'static Clock,
    &'static Roster,
    &'static Creatures,
    &'static Memories,
);

/// Sends the lessons of every habitat in which it is time for some.
pub(super) fn send_lessons(
    habitats: Query<Learning, Without<Finished>>,
    agents: Query<(&Agent, &Vitality)>,
    mut link: ResMut<WorkerLink>,
    mut state: ResMut<WorkerState>,
) {
    if !state.is_up() || !link.learns() {
        return;
    }
    let mut sorted: Vec<_> = habitats.iter().collect();
    sorted.sort_by_key(|(habitat, ..)| habitat.id);
    let mut lessons = Vec::new();
    for (habitat, config, begun, clock, roster, creatures, memories) in sorted {
        let settings = &config.learning;
        if !(settings.enabled && passes_on(begun)) {
            continue;
        }
        let due: Vec<(AgentId, CreatureId)> = agents
            .iter_many(roster.iter())
            .filter(|(agent, vitality)| vitality.is_alive() && is_time(settings, clock.turn, habitat.id, agent.id))
            .map(|(agent, _)| (agent.id, creatures.at(agent.id)))
            .collect();
        if due.is_empty() {
            continue;
        }
        // Of others' memories nothing is asked where none of it is drawn.
        let learners: BTreeSet<CreatureId> = due.iter().map(|(_, creature)| *creature).collect();
        let counts = |creature| settings.sharing > 0.0 || learners.contains(creature);
        let known: Vec<_> = memories.0.iter().filter(|(creature, _)| counts(creature)).collect();
        let offers: Vec<_> = known.iter().map(|(_, memory)| Offer::new(memory, settings)).collect();
        let rule = learning_rule(config);
        for (agent, creature) in due {
            let Ok(own) = known.binary_search_by_key(&creature, |(creature, _)| **creature) else { continue };
            let mut draws = habitat.streams.agent_key(StreamName::Replay, agent).at(clock.moment());
            let steps = (0..settings.steps).map(|_| draw_samples(&offers, own, settings, &mut draws));
            let steps: Vec<_> = steps.filter(|samples| !samples.is_empty()).collect();
            if !steps.is_empty() {
                lessons.push(Lesson { habitat: habitat.id, creature, rule, steps });
            }
        }
    }
    if !lessons.is_empty() && link.send(Request::Train(Train { lessons })).is_err() {
        state.revive(&mut link);
    }
}
