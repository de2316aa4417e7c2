//! The end of the first half of a turn: every living agent's question goes to the worker, in one request.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bevy::prelude::*;

use super::{creatures::Creatures, link::WorkerLink, state::WorkerState};
use crate::{
    config::{DecisionMode, Inheritance, MindSettings, RunConfig},
    language::write_prompt,
    protocol::{Manner, Request, StreamName, Think, Thinker},
    sim::{Agent, Clock, Finished, Habitat, HabitatConfig, Roster, Seen, Vitality},
};

/// The question that is open, and who waits for its answer.
#[derive(Resource, Debug, Default)]
pub struct Asked {
    /// Its number; each question has the next.
    pub epoch: u64,
    /// The question: who waits, sorted by habitat and agent.
    pub thinkers: Arc<Vec<Thinker>>,
    /// The entities of those who wait, in the same order.
    pub waiting: Vec<Entity>,
    /// Whether the worker has it.
    pub sent: bool,
    /// Whether `rules` answered the last question in the minds' stead.
    pub stood_in: bool,
    /// When it was asked.
    pub at: Option<Instant>,
    /// Time that the worker took for the last answer.
    pub took: Option<Duration>,
    /// Tokens that it read for that.
    pub tokens: u64,
}

impl Asked {
    /// Time per agent that the open question has taken so far.
    pub fn pace(&self) -> Duration {
        let agents = u32::try_from(self.waiting.len()).unwrap_or(u32::MAX).max(1);
        self.at.map_or(Duration::ZERO, |at| at.elapsed() / agents)
    }
}

/// How minds decide by these settings.
pub fn manner(config: &RunConfig) -> Manner {
    let MindSettings { mode, temperature, max_tokens, top_p, .. } = config.mind;
    Manner {
        free: mode == DecisionMode::Free,
        temperature,
        max_tokens,
        top_p,
        keeps_genome: config.evolution.inheritance == Inheritance::Baldwin,
    }
}

/// Part of an agent's acts that is drawn uniformly: it fades to nothing over the first generations.
fn exploration(settings: &MindSettings, generation: u32) -> f64 {
    let past = f64::from(generation) / f64::from(settings.exploration_generations);
    settings.exploration * (1.0 - past).max(0.0)
}

/// Asks every living agent's mind, sorted by habitat and agent.
pub(super) fn ask_minds(
    habitats: Query<(&Habitat, &HabitatConfig, &Clock, &Roster, &Creatures), Without<Finished>>,
    agents: Query<(&Agent, &Vitality, &Seen)>,
    mut link: ResMut<WorkerLink>,
    mut state: ResMut<WorkerState>,
    mut asked: ResMut<Asked>,
) {
    let mut sorted: Vec<_> = habitats.iter().collect();
    sorted.sort_by_key(|(habitat, ..)| habitat.id);
    asked.epoch += 1;
    asked.waiting.clear();
    let mut thinkers = Vec::with_capacity(asked.thinkers.len());
    for (habitat, config, clock, roster, creatures) in sorted {
        let (exploration, manner) = (exploration(&config.mind, clock.generation), manner(config));
        for entity in roster.iter() {
            let Ok((agent, vitality, seen)) = agents.get(*entity) else { continue };
            if !vitality.is_alive() {
                continue;
            }
            asked.waiting.push(*entity);
            thinkers.push(Thinker {
                habitat: habitat.id,
                agent: agent.id,
                creature: creatures.at(agent.id),
                exploration,
                manner: Some(manner),
                observation: seen.0,
                prompt: if link.reads_prompts() { write_prompt(&seen.0) } else { String::new() },
                draws: habitat.streams.agent_key(StreamName::Act, agent.id),
                moment: clock.moment(),
            });
        }
    }
    asked.thinkers = Arc::new(thinkers);
    asked.sent = false;
    asked.at = Some(Instant::now());
    if state.is_up() && !asked.waiting.is_empty() {
        let question = Think { epoch: asked.epoch, thinkers: Arc::clone(&asked.thinkers) };
        asked.sent = link.send(Request::Think(question)).is_ok();
        if !asked.sent {
            state.revive(&mut link);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exploration_fades() {
        let settings = MindSettings::default();
        let at = [0, 6, 12, 40].map(|generation| exploration(&settings, generation));
        assert!(at.iter().zip([0.1, 0.05, 0.0, 0.0]).all(|(a, b)| (a - b).abs() < 1e-12), "{at:?}");
    }
}
