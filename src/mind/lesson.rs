//! From memory to lessons: which experiences an agent learns from, and how much each counts.
//!
//! | objective | drawn | weight in the loss |
//! |---|---|---|
//! | `weighted` | in proportion to max(r̃, 0), r̃ = asinh(return + shaping − baseline) | 1: the reward decides how often |
//! | `original` | uniformly | return − baseline: `−log P(action | observation) × reward` |
//!
//! The return of an action is its reward and what follows it, discounted by γ (0 by default: its own reward alone). The
//! baseline (Williams 1992) is 0, or the mean return of what the agent remembers.
//!
//! This module does *not* know Bevy, the worker, or the loss.

use rand::{Rng, RngExt};

use super::memory::{Experience, Memory};
use crate::{
    config::{Baseline, LearningSettings, Objective},
    language::write_prompt,
    protocol::Sample,
};

/// What one memory offers to learn from.
pub(super) struct Offer<'a> {
    memory: &'a Memory,
    /// Weight in the loss, one per experience.
    weights: Vec<f64>,
    /// In proportion to what each is drawn.
    chances: Vec<f64>,
    /// The sum of the chances.
    total: f64,
}

impl<'a> Offer<'a> {
    /// Weighs every experience of a memory.
    pub(super) fn new(memory: &'a Memory, settings: &LearningSettings) -> Self {
        let is_weighted = settings.objective == Objective::Weighted;
        let mut returns = returns(memory, settings.discount, is_weighted);
        if settings.baseline == Baseline::Mean && !returns.is_empty() {
            let mean = returns.iter().sum::<f64>() / returns.len() as f64;
            returns.iter_mut().for_each(|value| *value -= mean);
        }
        let (weights, chances): (Vec<_>, Vec<_>) = returns
            .into_iter()
            .map(|value| if is_weighted { (1.0, value.asinh().max(0.0)) } else { (value, 1.0) })
            .unzip();
        let total = chances.iter().sum();
        Self { memory, weights, chances, total }
    }

    /// Draws one experience, if there is any to draw.
    fn draw(&self, draws: &mut impl Rng) -> Option<Sample> {
        let at = pick(&self.chances, self.total, draws)?;
        let Experience { observation, action, log_acted, .. } = self.memory.experiences[at];
        Some(Sample {
            prompt: write_prompt(&observation),
            action,
            weight: self.weights[at],
            log_acted: f64::from(log_acted),
        })
    }
}

/// The index that a uniform draw falls on, in proportion to `chances`.
fn pick(chances: &[f64], total: f64, draws: &mut impl Rng) -> Option<usize> {
    if !(total.is_finite() && total > 0.0) {
        return None;
    }
    let mut point = draws.random::<f64>() * total;
    let passed = chances.iter().position(|chance| {
        let here = point < *chance;
        point -= chance;
        here
    });
    // Rounding may leave the point a hair beyond the end.
    passed.or_else(|| chances.iter().rposition(|chance| *chance > 0.0))
}

/// The discounted return of every experience; with its shaping, if `shaped`.
fn returns(memory: &Memory, discount: f64, shaped: bool) -> Vec<f64> {
    let mut values = vec![0.0; memory.experiences.len()];
    let mut later: Option<(&Experience, f64)> = None;
    for (at, now) in memory.experiences.iter().enumerate().rev() {
        let follows = |next: &&(&Experience, f64)| {
            !now.done && next.0.generation == now.generation && next.0.turn == now.turn + 1
        };
        let own = now.reward + if shaped { now.shaping } else { 0.0 };
        values[at] = own + later.as_ref().filter(follows).map_or(0.0, |(_, value)| discount * value);
        later = Some((now, values[at]));
    }
    values
}

/// Draws the samples of one training step for `offers[own]`: each from the others' experience with probability `sharing`, else
/// from its own. Fewer than asked for where there is nothing to draw.
pub(super) fn draw_samples(
    offers: &[Offer],
    own: usize,
    settings: &LearningSettings,
    draws: &mut impl Rng,
) -> Vec<Sample> {
    let others: Vec<f64> =
        offers.iter().enumerate().map(|(at, offer)| if at == own { 0.0 } else { offer.total }).collect();
    let all: f64 = others.iter().sum();
    let one = |_| {
        let from = if settings.sharing > 0.0 && draws.random::<f64>() < settings.sharing {
            pick(&others, all, draws)?
        } else {
            own
        };
        offers[from].draw(draws)
    };
    (0..settings.batch_size).filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::protocol::{Action, Cell, Observation};

    fn experience(turn: u32, action: Action, reward: f64, shaping: f64) -> Experience {
        Experience {
            observation: Observation::new(Cell::new(1, 2), 80, None),
            action,
            reward,
            shaping,
            next: None,
            done: false,
            legal: u8::MAX,
            log_acted: -1.0,
            version: 0,
            generation: 0,
            turn,
        }
    }

    fn memory(experiences: &[Experience]) -> Memory {
        Memory { experiences: experiences.iter().copied().collect(), version: 0 }
    }

    fn settings(objective: Objective) -> LearningSettings {
        LearningSettings { objective, ..LearningSettings::default() }
    }

    #[test]
    fn rewards_decide_how_often_by_default() {
        let memory = memory(&[
            experience(0, Action::PickUp, 4.95, 0.0),
            experience(1, Action::Drop, 24.95, 0.0),
            experience(2, Action::Wait, -0.25, 0.0),
            experience(3, Action::Eat, -0.05, 0.5),
        ]);
        let settings = settings(Objective::Weighted);
        let offers = [Offer::new(&memory, &settings)];
        let chances = [4.95_f64.asinh(), 24.95_f64.asinh(), 0.0, 0.45_f64.asinh()];
        assert_eq!((offers[0].chances.as_slice(), offers[0].weights.as_slice()), (&chances[..], &[1.0; 4][..]));
        let mut draws = ChaCha8Rng::seed_from_u64(1);
        let mut seen = [0.0; 8];
        for _ in 0..2000 {
            draw_samples(&offers, 0, &settings, &mut draws)
                .iter()
                .for_each(|s| seen[s.action.index()] += 1.0 / 16_000.0);
        }
        let total: f64 = chances.iter().sum();
        for (action, chance) in [(Action::PickUp, chances[0]), (Action::Drop, chances[1]), (Action::Eat, chances[3])] {
            assert!((seen[action.index()] - chance / total).abs() < 0.016, "{action:?}: {seen:?}");
        }
        assert_eq!(seen[Action::Wait.index()], 0.0);
    }

    #[test]
    fn the_original_draws_uniformly_and_weighs_by_the_reward() {
        let memory = memory(&[experience(0, Action::Drop, 24.95, 9.0), experience(1, Action::Wait, -0.25, 9.0)]);
        let offer = Offer::new(&memory, &settings(Objective::Original));
        assert_eq!((offer.chances, offer.weights), (vec![1.0, 1.0], vec![24.95, -0.25]));
        let with_baseline = LearningSettings { baseline: Baseline::Mean, ..settings(Objective::Original) };
        assert_eq!(Offer::new(&memory, &with_baseline).weights, [12.6, -12.6]);
    }

    #[test]
    fn later_rewards_count_as_far_as_one_life_goes() {
        let mut all =
            [1.0_f64, 2.0, 4.0, 8.0].map(|reward| experience(reward.log2() as u32, Action::Wait, reward, 0.0));
        assert_eq!(returns(&memory(&all), 0.5, true), [1.0 + 1.0 + 1.0 + 1.0, 2.0 + 2.0 + 2.0, 4.0 + 4.0, 8.0]);
        all[1].done = true;
        assert_eq!(returns(&memory(&all), 0.5, true), [2.0, 2.0, 8.0, 8.0]);
        // A turn that somebody else decided lies between.
        all[3].turn = 7;
        assert_eq!(returns(&memory(&all), 0.5, true)[2], 4.0);
        assert_eq!(returns(&memory(&all), 0.0, true), [1.0, 2.0, 4.0, 8.0]);
    }

    #[test]
    fn a_part_of_the_samples_is_the_others() {
        let mine = memory(&[experience(0, Action::Eat, 5.0, 0.0)]);
        let theirs = memory(&[experience(0, Action::Drop, 25.0, 0.0)]);
        let shared = LearningSettings { sharing: 0.25, ..settings(Objective::Weighted) };
        let offers = [Offer::new(&mine, &shared), Offer::new(&theirs, &shared)];
        let mut draws = ChaCha8Rng::seed_from_u64(2);
        let all: Vec<_> = (0..1000).flat_map(|_| draw_samples(&offers, 0, &shared, &mut draws)).collect();
        let drops = all.iter().filter(|sample| sample.action == Action::Drop).count();
        // 8,000 draws with p = ¼: four standard deviations are 155.
        assert!(all.len() == 8000 && drops.abs_diff(2000) < 155, "{drops} of {}", all.len());
        let own: Vec<_> = draw_samples(&offers, 0, &settings(Objective::Weighted), &mut draws);
        assert!(own.iter().all(|sample| sample.action == Action::Eat));
    }

    #[test]
    fn nothing_to_learn_gives_no_samples() {
        let settings = settings(Objective::Weighted);
        let (empty, bad) = (memory(&[]), memory(&[experience(0, Action::Wait, -1.0, 0.0)]));
        let offers = [Offer::new(&empty, &settings), Offer::new(&bad, &settings)];
        let mut draws = ChaCha8Rng::seed_from_u64(3);
        assert!(draw_samples(&offers, 0, &settings, &mut draws).is_empty());
        assert!(draw_samples(&offers, 1, &settings, &mut draws).is_empty());
    }
}
