//! What a training step minimises, for one sample, and its gradient, on the same trie-normalised distribution that decides.
//!
//! ```text
//! L = −w·log π(a)                   policy gradient: REINFORCE (Williams 1992) where w is the reward or an advantage
//!   or −min(ρ·w, clip(ρ, 1 ± ε)·w)  ρ = π(a) / π_acted(a): PPO (Schulman et al. 2017, arXiv:1707.06347)
//!   − β·H(π)                        entropy bonus (Mnih et al. 2016, arXiv:1602.01783)
//!   + κ·KL(π ‖ π_base)              nearness to the bare model (Jaques et al. 2017, arXiv:1611.02796)
//! ```
//!
//! This module does *not* know tensors, models, where the weight w comes from, or what an action is.

use super::super::trie::{Trie, log_softmax};
use crate::protocol::LearningRule;

/// One reply that was given, and how much it is to be learned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Target {
    /// Its place among the trie's replies.
    pub reply: usize,
    /// w: the sample's weight, reward or advantage.
    pub weight: f64,
    /// log π of the reply when it was given, in nats; 0 where it was certain, or was not weighed among others, as words are that were
    /// said freely.
    pub log_acted: f64,
}

/// The loss of one sample.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SampleLoss {
    /// L.
    pub loss: f64,
    /// H(π), in nats.
    pub entropy: f64,
    /// KL(π ‖ π_base), in nats; 0 where it is not asked for.
    pub kl: f64,
    /// ∂L/∂logit for every fork's children.
    pub gradient: Vec<Vec<f32>>,
}

/// The loss of one sample from the logits of each fork's children. `base` are the bare model's log-probabilities of all
/// replies at the same temperature, where the rule asks for nearness to it.
pub fn sample_loss(
    trie: &Trie,
    logits: &[Vec<f32>],
    base: Option<&[f64]>,
    target: &Target,
    rule: &LearningRule,
) -> SampleLoss {
    let logs = trie.log_probabilities(logits, rule.temperature);
    let (mut loss, own) = policy_loss(logs[target.reply], target, rule.ratio_clip);
    // ∂L/∂log π of every reply.
    let mut outer = vec![0.0; logs.len()];
    outer[target.reply] = own;
    let (mut entropy, mut kl) = (0.0, 0.0);
    for (at, log) in logs.iter().enumerate() {
        let p = log.exp();
        if p == 0.0 {
            continue;
        }
        entropy -= p * log;
        outer[at] += rule.entropy * p * (log + 1.0);
        if let Some(base) = base {
            kl += p * (log - base[at]);
            outer[at] += rule.kl * p * (log - base[at] + 1.0);
        }
    }
    loss += rule.kl * kl - rule.entropy * entropy;
    SampleLoss { loss, entropy, kl, gradient: through_softmax(trie, logits, &outer, rule.temperature) }
}

/// The policy's part of the loss, and its derivative by log π(a).
fn policy_loss(log: f64, target: &Target, clip: f64) -> (f64, f64) {
    // What was not weighed has no ratio.
    if clip == 0.0 || target.log_acted >= 0.0 {
        return (-target.weight * log, -target.weight);
    }
    let ratio = (log - target.log_acted).exp();
    let (free, held) = (ratio * target.weight, ratio.clamp(1.0 - clip, 1.0 + clip) * target.weight);
    if free <= held { (-free, -free) } else { (-held, 0.0) }
}

/// From derivatives by the replies' log π to derivatives by the logits. With `log π_k = Σ log softmax(z_f / T)[c]` over the
/// forks on k's way: `∂L/∂z_fc = (G_fc − p_fc · Σ G_f) / T`, where G_fc is the sum over the replies whose way leads through c.
fn through_softmax(trie: &Trie, logits: &[Vec<f32>], outer: &[f64], temperature: f64) -> Vec<Vec<f32>> {
    let mut through: Vec<Vec<f64>> = logits.iter().map(|logits| vec![0.0; logits.len()]).collect();
    for (reply, gradient) in outer.iter().enumerate() {
        for (fork, child) in trie.way(reply) {
            through[fork][child] += gradient;
        }
    }
    let fork = |(logits, through): (&Vec<f32>, &Vec<f64>)| {
        let sum: f64 = through.iter().sum();
        let logs = log_softmax(logits, temperature);
        logs.iter().zip(through).map(|(log, g)| ((g - log.exp() * sum) / temperature) as f32).collect()
    };
    logits.iter().zip(&through).map(fork).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Replies a, b c, b d: a fork at the root and one behind b.
    fn trie() -> Trie {
        Trie::new(vec![vec![1], vec![2, 3], vec![2, 4]]).unwrap()
    }

    /// Root 1 : 3, then 1 : 1, at temperature 1: π = ¼, ⅜, ⅜.
    fn logits() -> Vec<Vec<f32>> {
        vec![vec![0.0, 3_f32.ln()], vec![0.0, 0.0]]
    }

    fn rule() -> LearningRule {
        LearningRule { temperature: 1.0, ..LearningRule::default() }
    }

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-6, "{a} and {b}");
    }

    #[test]
    fn the_originals_loss_by_hand() {
        // −log ¼ · 25; the gradient of −25·log π(a) is 25·(p − 1) and 25·p.
        let target = Target { reply: 0, weight: 25.0, log_acted: 0.0 };
        let loss = sample_loss(&trie(), &logits(), None, &target, &rule());
        close(loss.loss, 25.0 * 4_f64.ln());
        close(f64::from(loss.gradient[0][0]), 25.0 * -0.75);
        close(f64::from(loss.gradient[0][1]), 25.0 * 0.75);
        assert_eq!(loss.gradient[1], [0.0, 0.0], "the fork behind b is not on a's way");
        // A punished action: −log ⅜ · (−2).
        let target = Target { reply: 1, weight: -2.0, log_acted: 0.0 };
        let loss = sample_loss(&trie(), &logits(), None, &target, &rule());
        close(loss.loss, 2.0 * 0.375_f64.ln());
        close(f64::from(loss.gradient[1][0]), 2.0 * 0.5);
    }

    #[test]
    fn the_weighted_loss_with_entropy_by_hand() {
        let target = Target { reply: 0, weight: 1.0, log_acted: 0.0 };
        let loss = sample_loss(&trie(), &logits(), None, &target, &LearningRule { entropy: 0.1, ..rule() });
        let entropy = 0.25 * 4_f64.ln() - 2.0 * 0.375 * 0.375_f64.ln();
        close(loss.entropy, entropy);
        close(loss.loss, 4_f64.ln() - 0.1 * entropy);
    }

    #[test]
    fn nearness_to_the_base_by_hand() {
        let target = Target { reply: 0, weight: 0.0, log_acted: 0.0 };
        let base = [0.5_f64.ln(), 0.25_f64.ln(), 0.25_f64.ln()];
        let loss = sample_loss(&trie(), &logits(), Some(&base), &target, &LearningRule { kl: 2.0, ..rule() });
        let kl = 0.25 * 0.5_f64.ln() + 0.75 * 1.5_f64.ln();
        close(loss.kl, kl);
        close(loss.loss, 2.0 * kl);
    }

    #[test]
    fn a_ratio_beyond_the_clip_gives_no_gradient() {
        let clip = LearningRule { ratio_clip: 0.2, ..rule() };
        // ρ = ¼ / ⅛ = 2: beyond 1.2 for a good action, not for a bad one.
        let good = Target { reply: 0, weight: 1.0, log_acted: 0.125_f64.ln() };
        let loss = sample_loss(&trie(), &logits(), None, &good, &clip);
        close(loss.loss, -1.2);
        assert_eq!(loss.gradient[0], [0.0, 0.0]);
        let bad = Target { weight: -1.0, ..good };
        let loss = sample_loss(&trie(), &logits(), None, &bad, &clip);
        close(loss.loss, 2.0);
        close(f64::from(loss.gradient[0][0]), 2.0 * 0.75);
    }

    #[test]
    fn what_was_not_weighed_has_no_ratio() {
        let clip = LearningRule { ratio_clip: 0.2, ..rule() };
        // π = ¼, which would count as ρ = ¼: a bad action's gradient would be none, and a good one's a quarter.
        for weight in [-1.0, 1.0] {
            let said_freely = Target { reply: 0, weight, log_acted: 0.0 };
            let plain = sample_loss(&trie(), &logits(), None, &said_freely, &rule());
            assert_eq!(sample_loss(&trie(), &logits(), None, &said_freely, &clip), plain);
            close(f64::from(plain.gradient[0][0]), weight * -0.75);
        }
    }

    #[test]
    fn gradients_equal_finite_differences() {
        let logits = vec![vec![0.3, -0.8], vec![1.2, 0.4]];
        let base = [0.2_f64.ln(), 0.5_f64.ln(), 0.3_f64.ln()];
        let rule = LearningRule { temperature: 0.7, entropy: 0.3, kl: 0.4, ratio_clip: 0.2, ..LearningRule::default() };
        for (reply, log_acted) in [(0, -1.0), (1, -1.6), (2, -2.5)] {
            let target = Target { reply, weight: 1.7, log_acted };
            let loss = |logits: &[Vec<f32>]| sample_loss(&trie(), logits, Some(&base), &target, &rule);
            let exact = loss(&logits).gradient;
            for fork in 0..2 {
                for child in 0..2 {
                    let at = |by: f32| {
                        let mut moved = logits.clone();
                        moved[fork][child] += by;
                        loss(&moved).loss
                    };
                    let step = 1.0 / 256.0;
                    let slope = (at(step) - at(-step)) / (2.0 * f64::from(step));
                    assert!((slope - f64::from(exact[fork][child])).abs() < 1e-4, "{slope} and {:?}", exact);
                }
            }
        }
    }
}
