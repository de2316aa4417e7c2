//! A row per habitat and generation, as tables, curves and files want it.

use std::collections::BTreeMap;

use bevy::prelude::*;
use serde::{Deserialize, Serialize};

use super::{
    lineage::{DiversityMeasured, Lineage, note_lineage},
    retention::{Retention, forget},
};
use crate::{
    mind::{AgentsLearned, Close, GenerationEnded, Resolve, ResolveSystems},
    protocol::{HabitatId, Learned},
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
    /// The fitness that a quarter of the agents do not exceed: see [`quantile`].
    #[serde(default)]
    pub lower_quartile_fitness: f64,
    /// The fitness that three quarters of the agents do not exceed.
    #[serde(default)]
    pub upper_quartile_fitness: f64,
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
    /// Founders' lines among those who lived.
    pub lines: u32,
    /// Mean KL between what any two of them would do in the same situations, in nats; empty without a model.
    pub diversity: Option<f64>,
    /// Lessons from which agents learned while it lived.
    pub lessons: u64,
    /// Lessons that were refused, because a number was not finite.
    pub refused_lessons: u64,
    /// Mean loss of the lessons; empty where there were none.
    pub loss: Option<f64>,
    /// Mean entropy of what was learned from, in nats.
    pub entropy: Option<f64>,
    /// Mean KL of what was learned from to the bare model, in nats; empty where learning does not ask for it.
    #[serde(default)]
    pub kl: Option<f64>,
}

/// The value that a `share` of sorted numbers do not exceed, 0 to 1; between two numbers by linear interpolation, at
/// `(n − 1) · share` (Hyndman and Fan 1996, definition 7: the one of NumPy and R). 0 for no numbers.
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = sorted.len().saturating_sub(1) as f64 * share.clamp(0.0, 1.0);
    let number = |at: f64| sorted.get(at as usize).copied().unwrap_or_default();
    let (below, above) = (number(at.floor()), number(at.ceil()));
    // What lies in the middle of two is their mean, to the last bit.
    if at.fract() == 0.5 { (below + above) / 2.0 } else { below + at.fract() * (above - below) }
}

impl From<&GenerationEnded> for GenerationRow {
    fn from(ended: &GenerationEnded) -> Self {
        let GenerationEnded { habitat, clock, lives, ledger, fallback } = ended;
        let count = lives.len().max(1) as f64;
        let mut fitness: Vec<f64> = lives.iter().map(|life| life.fitness).collect();
        fitness.sort_by(f64::total_cmp);
        Self {
            habitat: *habitat,
            generation: clock.generation,
            turns: clock.turn,
            agents: lives.len() as u32,
            // Summed in the order of the agents: the same bits every time.
            mean_fitness: lives.iter().map(|life| life.fitness).sum::<f64>() / count,
            median_fitness: quantile(&fitness, 0.5),
            lower_quartile_fitness: quantile(&fitness, 0.25),
            upper_quartile_fitness: quantile(&fitness, 0.75),
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
            ..Self::default()
        }
    }
}

/// Every generation that has ended, in the order in which they ended.
#[derive(Resource, Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct History {
    /// The rows.
    pub rows: Vec<GenerationRow>,
    /// What has been learned in the generations that live.
    lessons: BTreeMap<HabitatId, Lessons>,
}

/// Sums over lessons.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
struct Lessons {
    learned: u64,
    refused: u64,
    loss: f64,
    entropy: f64,
    /// Sum of KLs, and how many lessons had one.
    #[serde(default)]
    kl: (f64, u64),
}

impl Lessons {
    fn add(&mut self, one: &Learned) {
        if one.refused.is_some() {
            self.refused += 1;
            return;
        }
        self.learned += 1;
        self.loss += one.loss;
        self.entropy += one.entropy;
        if let Some(kl) = one.kl {
            self.kl = (self.kl.0 + kl, self.kl.1 + 1);
        }
    }

    fn tell(&self, row: &mut GenerationRow) {
        let mean = |sum: f64| (self.learned > 0).then_some(sum / self.learned as f64);
        (row.lessons, row.refused_lessons) = (self.learned, self.refused);
        (row.loss, row.entropy) = (mean(self.loss), mean(self.entropy));
        row.kl = (self.kl.1 > 0).then(|| self.kl.0 / self.kl.1 as f64);
    }
}

impl History {
    /// The row of a generation that lives, as far as it has come.
    pub fn unfinished(&self, generation: &GenerationEnded, lineage: &Lineage) -> GenerationRow {
        let mut row = GenerationRow::from(generation);
        row.lines = lineage.lines(row.habitat, generation.lives.iter().map(|life| life.creature));
        self.lessons.get(&row.habitat).copied().unwrap_or_default().tell(&mut row);
        row
    }

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
        let forget = || forget.run_if(resource_exists::<Retention>);
        let notes = || (note_lineage, note_generations, forget()).chain().in_set(ResolveSystems::Record);
        app.init_resource::<History>()
            .init_resource::<Lineage>()
            .add_message::<DiversityMeasured>()
            .add_systems(Resolve, notes())
            .add_systems(Close, notes());
    }
}

fn note_generations(
    mut ended: MessageReader<GenerationEnded>,
    mut learned: MessageReader<AgentsLearned>,
    mut measured: MessageReader<DiversityMeasured>,
    lineage: Res<Lineage>,
    mut history: ResMut<History>,
) {
    for one in learned.read().flat_map(|lessons| &lessons.learned) {
        history.lessons.entry(one.habitat).or_default().add(one);
    }
    for generation in ended.read() {
        let mut row = GenerationRow::from(generation);
        row.lines = lineage.lines(row.habitat, generation.lives.iter().map(|life| life.creature));
        history.lessons.remove(&row.habitat).unwrap_or_default().tell(&mut row);
        history.rows.push(row);
    }
    for DiversityMeasured { habitat, generation, diversity } in measured.read() {
        let is_meant = |row: &&mut GenerationRow| row.habitat == *habitat && row.generation == *generation;
        if let Some(row) = history.rows.iter_mut().rev().find(is_meant) {
            row.diversity = Some(*diversity);
        }
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
        // Sorted −5, 1, 10, 40: a quarter of the way is between the first two, three quarters between the last two.
        assert_eq!((row.lower_quartile_fitness, row.upper_quartile_fitness), (-5.0 + 0.75 * 6.0, 10.0 + 0.25 * 30.0));
        assert_eq!((row.mean_reward, row.eaten, row.fallback_turns, row.unreadable_replies), (2.0, 5, 7, 1));
        ended.lives.truncate(3);
        assert_eq!(GenerationRow::from(&ended).median_fitness, 10.0);
        assert_eq!(GenerationRow::from(&ended).upper_quartile_fitness, 25.0);
        ended.lives.clear();
        assert_eq!(GenerationRow::from(&ended).mean_fitness, 0.0);
    }
}
