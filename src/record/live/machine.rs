//! How long decisions and lessons take.

use bevy::prelude::*;

use super::Ring;
use crate::{
    mind::{AgentsLearned, Asked, WorkerLink},
    record::history::quantile,
};

/// Rounds and lessons that are kept.
const KEPT: usize = 512;

/// One round: a decision of everybody who waited.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Round {
    /// Milliseconds of the worker's time for all of them.
    pub ms: f64,
    /// Agents who decided.
    pub agents: u32,
}

/// The last 512 rounds and lessons, and how many there have been.
#[derive(Resource, Debug, Clone)]
pub struct MachineLog {
    /// The rounds that the minds themselves answered, oldest first.
    pub rounds: Ring<Round>,
    /// Milliseconds of the worker's time for a lesson, on the average of those that it gave together.
    pub lessons: Ring<f64>,
    /// Decisions of the minds since the start.
    pub decisions_made: u64,
    /// Lessons since the start.
    pub lessons_given: u64,
    /// Requests that the worker had not answered after the last turn.
    pub queue: usize,
}

impl Default for MachineLog {
    fn default() -> Self {
        Self { rounds: Ring::new(KEPT), lessons: Ring::new(KEPT), decisions_made: 0, lessons_given: 0, queue: 0 }
    }
}

/// The number in the middle of these, and the one that 19 of 20 do not exceed; `None` for no numbers.
fn median_and_p95(numbers: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let mut sorted: Vec<f64> = numbers.collect();
    sorted.sort_by(f64::total_cmp);
    (!sorted.is_empty()).then(|| (quantile(&sorted, 0.5), quantile(&sorted, 0.95)))
}

impl MachineLog {
    /// Median and 95th percentile of the milliseconds that a round took.
    pub fn round_ms(&self) -> Option<(f64, f64)> {
        median_and_p95(self.rounds.iter().map(|round| round.ms))
    }

    /// The same of the milliseconds per decision: a round's time divided by its agents.
    pub fn decision_ms(&self) -> Option<(f64, f64)> {
        median_and_p95(self.rounds.iter().map(|round| round.ms / f64::from(round.agents.max(1))))
    }

    /// The same of the milliseconds per lesson.
    pub fn lesson_ms(&self) -> Option<(f64, f64)> {
        median_and_p95(self.lessons.iter().copied())
    }

    /// Decisions in a second of the worker's deciding.
    pub fn decisions_per_s(&self) -> Option<f64> {
        let (ms, agents) = self
            .rounds
            .iter()
            .fold((0.0, 0.0), |(ms, agents), round| (ms + round.ms, agents + f64::from(round.agents)));
        (ms > 0.0).then(|| 1e3 * agents / ms)
    }
}

/// Notes the round that was answered.
pub(super) fn note_round(asked: Res<Asked>, link: Res<WorkerLink>, mut log: ResMut<MachineLog>) {
    log.queue = link.queue();
    let agents = asked.thinkers.len() as u32;
    if let Some(took) = asked.took.filter(|_| !asked.stood_in && agents > 0) {
        log.rounds.push(Round { ms: took.as_secs_f64() * 1e3, agents });
        log.decisions_made += u64::from(agents);
    }
}

/// Notes the lessons that were given.
pub(super) fn note_lessons(mut learned: MessageReader<AgentsLearned>, mut log: ResMut<MachineLog>) {
    for AgentsLearned { learned, ms } in learned.read().filter(|lessons| !lessons.learned.is_empty()) {
        log.lessons.push(ms / learned.len() as f64);
        log.lessons_given += learned.len() as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_rounds_are_summed_up() {
        let mut log = MachineLog::default();
        assert_eq!((log.round_ms(), log.decisions_per_s()), (None, None));
        (0..1000).for_each(|_| log.rounds.push(Round { ms: 1e9, agents: 1 }));
        (0..512).for_each(|i| log.rounds.push(Round { ms: f64::from(i), agents: 2 }));
        // 0 … 511: the median at place 255.5, the 95th percentile at 485.45.
        let (median, p95) = log.round_ms().unwrap();
        assert!(median == 255.5 && (p95 - 485.45).abs() < 1e-9, "{median} {p95}");
        let (median, p95) = log.decision_ms().unwrap();
        assert!(median == 127.75 && (p95 - 242.725).abs() < 1e-9, "{median} {p95}");
        // 1024 decisions in 511 · 512 / 2 ms.
        assert!((log.decisions_per_s().unwrap() - 1024.0 / 130.816).abs() < 1e-9);
        log.lessons.push(3.0);
        assert_eq!(log.lesson_ms(), Some((3.0, 3.0)));
    }
}
