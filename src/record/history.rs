//! A row per habitat and generation, as tables, curves and files want it.

use bevy::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    mind::{GenerationEnded, Resolve, ResolveSystems},
    protocol::HabitatId,
};

/// What a generation came to. The columns of `generations.csv`, in order.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct GenerationRow {
    /// The habitat.
    pub habitat: HabitatId,
    /// The generation, from 0.
    pub generation: u32,
    /// Turns that it lasted.
    pub turns: u32,
    /// Agents in it.
    pub agents: u32,
    /// Mean fitness of its agents.
    pub mean_fitness: f64,
    /// Median fitness.
    pub median_fitness: f64,
    /// Fitness of the best agent.
    pub best_fitness: f64,
    /// Fitness of the worst agent.
    pub worst_fitness: f64,
    /// Mean sum of rewards.
    pub mean_reward: f64,
    /// Pieces of food taken up, by all agents together.
    pub collected: u64,
    /// Pieces of food delivered.
    pub delivered: u64,
    /// Pieces of food eaten.
    pub eaten: u64,
    /// Agents that died.
    pub deaths: u64,
    /// Acts that the state did not allow.
    pub invalid: u64,
    /// Steps into walls and edges.
    pub bumps: u64,
    /// Decisions that `rules` made because the mind did not answer; 0, or it is no result of that mind.
    pub fallback_turns: u64,
    /// Replies in which no action could be read.
    pub unreadable_replies: u64,
}

impl From<&GenerationEnded> for GenerationRow {
    fn from(ended: &GenerationEnded) -> Self {
        let GenerationEnded { habitat, clock, lives, ledger, fallback } = ended;
        let count = lives.len().max(1) as f64;
        let mut fitness: Vec<f64> = lives.iter().map(|life| life.fitness).collect();
        fitness.sort_by(f64::total_cmp);
        let middle = |i: usize| fitness.get(i).copied().unwrap_or_default();
        let half = fitness.len() / 2;
        let median =
            if fitness.len() % 2 == 1 { middle(half) } else { (middle(half.wrapping_sub(1)) + middle(half)) / 2.0 };
        Self {
            habitat: *habitat,
            generation: clock.generation,
            turns: clock.turn,
            agents: lives.len() as u32,
            // Summed in the order of the agents: the same bits every time.
            mean_fitness: lives.iter().map(|life| life.fitness).sum::<f64>() / count,
            median_fitness: median,
            best_fitness: fitness.last().copied().unwrap_or_default(),
            worst_fitness: fitness.first().copied().unwrap_or_default(),
            mean_reward: lives.iter().map(|life| life.record.total_reward).sum::<f64>() / count,
            collected: ledger.picked_up,
            delivered: ledger.delivered,
            eaten: ledger.eaten_off_ground + ledger.eaten_from_hand,
            deaths: ledger.deaths,
            invalid: ledger.invalid,
            bumps: ledger.bumps,
            fallback_turns: fallback.turns,
            unreadable_replies: fallback.unreadable,
        }
    }
}

/// Every generation that has ended, in the order in which they ended.
#[derive(Resource, Debug, Clone, Default)]
pub struct History {
    /// The rows.
    pub rows: Vec<GenerationRow>,
}

impl History {
    /// The rows sorted by habitat and generation.
    pub fn sorted(&self) -> Vec<GenerationRow> {
        let mut rows = self.rows.clone();
        rows.sort_by_key(|row| (row.habitat, row.generation));
        rows
    }
}

/// Keeps the [`History`].
#[derive(Debug, Default)]
pub struct RecordPlugin;

impl Plugin for RecordPlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<History>().add_systems(Resolve, note_generations.in_set(ResolveSystems::Record));
    }
}

fn note_generations(mut ended: MessageReader<GenerationEnded>, mut history: ResMut<History>) {
    for generation in ended.read() {
        history.rows.push(generation.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        mind::{Fallback, Lived},
        protocol::{AgentId, CreatureId, LifeRecord},
        sim::{Clock, Ledger},
    };

    #[test]
    fn a_row_sums_a_generation_up() {
        let life = |reward, fitness| Lived {
            agent: AgentId(0),
            creature: CreatureId(0),
            record: LifeRecord { total_reward: reward, ..LifeRecord::default() },
            fitness,
        };
        let mut ended = GenerationEnded {
            habitat: HabitatId(3),
            clock: Clock { generation: 2, turn: 50 },
            lives: vec![life(1.0, 10.0), life(2.0, -5.0), life(6.0, 40.0), life(-1.0, 1.0)],
            ledger: Ledger { eaten_off_ground: 2, eaten_from_hand: 3, ..Ledger::default() },
            fallback: Fallback { turns: 7, unreadable: 1 },
        };
        let row = GenerationRow::from(&ended);
        assert_eq!(
            (row.mean_fitness, row.median_fitness, row.best_fitness, row.worst_fitness),
            (11.5, 5.5, 40.0, -5.0)
        );
        assert_eq!((row.mean_reward, row.eaten, row.fallback_turns, row.unreadable_replies), (2.0, 5, 7, 1));
        ended.lives.truncate(3);
        assert_eq!(GenerationRow::from(&ended).median_fitness, 10.0);
        ended.lives.clear();
        assert_eq!(GenerationRow::from(&ended).mean_fitness, 0.0);
    }
}
