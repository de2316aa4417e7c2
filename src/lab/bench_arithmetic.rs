//! Measures what rounding activations to int8 changes: the same prompts, decided with the same weights and adapters in f32 and in
//! int8, round by round in turn.

use std::time::Instant;

use serde::Serialize;

use super::bench::{BenchPlan, mind, thinkers};
use crate::{app::AppError, config::Arithmetic, protocol::Thought};

/// How far decisions in int8 lie from those in f32, over all prompts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ArithmeticReport {
    /// The model.
    pub model: String,
    /// Prompts that were decided both ways.
    pub prompts: usize,
    /// Mean of KL(π in f32 ‖ π in int8) at temperature 1, in nats.
    pub mean_kl: f64,
    /// The largest of them.
    pub most_kl: f64,
    /// The largest difference of an action's log π, where π in f32 is above 0.001.
    pub most_log: f64,
    /// Share of the prompts for which the likeliest action is the same.
    pub same_likeliest: f64,
    /// Whether no decision differs in any bit: nothing of the model is made in int8.
    pub is_same: bool,
    /// Median time of a decision in f32.
    pub f32_ms: f64,
    /// Median time of a decision in int8.
    pub int8_ms: f64,
    /// Threads.
    pub threads: usize,
}

/// Decides for `plan.agents[0]` agents in each round, until `prompts` prompts have been decided both ways; after a first
/// round that does not count.
///
/// # Errors
/// The model cannot be used.
pub fn bench_arithmetic(plan: &BenchPlan, prompts: usize) -> Result<ArithmeticReport, AppError> {
    let agents = plan.agents.first().copied().unwrap_or(20);
    let in_arithmetic = |arithmetic| {
        let mut plan = plan.clone();
        plan.config.model.arithmetic = arithmetic;
        mind(&plan)
    };
    let mut minds = [in_arithmetic(Arithmetic::F32)?, in_arithmetic(Arithmetic::Int8)?];
    let (mut times, mut far) = ([const { Vec::new() }; 2], Vec::new());
    for round in 0..=(prompts as u32).div_ceil(agents) {
        let agents = if round > 0 { agents.min((prompts - far.len()) as u32) } else { agents };
        let asked = thinkers(&plan.config, agents, round);
        let mut thoughts = Vec::new();
        for (mind, times) in minds.iter_mut().zip(&mut times) {
            let begun = Instant::now();
            thoughts.push(mind.think(&asked)?);
            if round > 0 {
                times.push(begun.elapsed().as_secs_f64() * 1e3 / f64::from(agents));
            }
        }
        if let ([exact, rounded], true) = (&thoughts[..], round > 0) {
            far.extend(exact.iter().zip(rounded).map(|(exact, rounded)| Far::between(exact, rounded)));
        }
    }
    let [f32_ms, int8_ms] = times.map(median);
    let count = far.len() as f64;
    Ok(ArithmeticReport {
        model: minds[0].facts().name,
        prompts: far.len(),
        mean_kl: far.iter().map(|far| far.kl).sum::<f64>() / count,
        most_kl: far.iter().map(|far| far.kl).fold(0.0, f64::max),
        most_log: far.iter().map(|far| far.log).fold(0.0, f64::max),
        same_likeliest: far.iter().filter(|far| far.same_likeliest).count() as f64 / count,
        is_same: far.iter().all(|far| far.is_same),
        f32_ms,
        int8_ms,
        threads: minds[0].threads(),
    })
}

/// How far one decision lies from another.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Far {
    kl: f64,
    log: f64,
    same_likeliest: bool,
    is_same: bool,
}

impl Far {
    fn between(exact: &Thought, rounded: &Thought) -> Self {
        Self::of(&exact.log_probabilities, &rounded.log_probabilities)
    }

    /// Of two distributions by their log-probabilities.
    fn of(exact: &[f32], rounded: &[f32]) -> Self {
        /// Actions that are less likely hardly ever happen.
        const LIKELY: f64 = 1e-3;
        let both = || exact.iter().zip(rounded).map(|(p, q)| (f64::from(*p), f64::from(*q)));
        let likeliest = |logs: &[f32]| (0..logs.len()).max_by(|a, b| logs[*a].total_cmp(&logs[*b]));
        Self {
            kl: both().filter(|(p, _)| p.is_finite()).map(|(p, q)| p.exp() * (p - q)).sum(),
            log: both().filter(|(p, _)| p.exp() > LIKELY).map(|(p, q)| (p - q).abs()).fold(0.0, f64::max),
            same_likeliest: likeliest(exact) == likeliest(rounded),
            is_same: exact == rounded,
        }
    }
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_by_hand() {
        let logs = |p: [f32; 3]| p.map(f32::ln);
        let far = Far::of(&logs([0.5, 0.4995, 0.0005]), &logs([0.25, 0.7495, 0.0005]));
        let expected = 0.5 * 2_f64.ln() + 0.4995 * (0.4995 / 0.7495_f64).ln();
        assert!(
            (far.kl - expected).abs() < 1e-6 && (far.log - 2_f64.ln()).abs() < 1e-6 && !far.same_likeliest,
            "{far:?}"
        );
        // What cannot happen adds nothing, and the likeliest stays so.
        let far = Far::of(&[0.0, f32::NEG_INFINITY], &[0.0, f32::NEG_INFINITY]);
        assert_eq!(far, Far { kl: 0.0, log: 0.0, same_likeliest: true, is_same: true });
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
    }
}
