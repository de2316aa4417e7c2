//! How different two minds are: the Kullback–Leibler divergence of what they would do in the same situations.

use crate::protocol::Policy;

/// Probabilities below this are taken for it: an action that one mind never takes must not make the distance infinite.
const FLOOR: f64 = 1e-6;

/// Mean over the situations of KL(p ‖ q) = Σ p·ln(p / q), in nats. The two have the same situations.
pub fn divergence(p: &Policy, q: &Policy) -> f64 {
    let term = |(p, q): (&f32, &f32)| {
        let (p, q) = (f64::from(*p).max(FLOOR), f64::from(*q).max(FLOOR));
        p * (p / q).ln()
    };
    let one = |(p, q): (&[f32; 8], &[f32; 8])| p.iter().zip(q).map(term).sum::<f64>();
    p.iter().zip(q).map(one).sum::<f64>() / p.len().max(1) as f64
}

/// Mean of [`divergence`] over all ordered pairs of different minds; 0 for fewer than two.
pub fn mean_pairwise_divergence(minds: &[&Policy]) -> f64 {
    let pairs = minds.len() * minds.len().saturating_sub(1);
    let from = |(at, p): (usize, &&Policy)| {
        let others = minds.iter().enumerate().filter(|(other, _)| *other != at);
        others.map(|(_, q)| divergence(p, q)).sum::<f64>()
    };
    minds.iter().enumerate().map(from).sum::<f64>() / pairs.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mind(first: f32) -> Policy {
        let rest = (1.0 - first) / 7.0;
        vec![[first, rest, rest, rest, rest, rest, rest, rest]]
    }

    #[test]
    fn divergence_by_hand() {
        let (p, q) = (mind(0.3), mind(0.65));
        let expected = 0.3 * (0.3_f64 / 0.65).ln() + 0.7 * (0.7_f64 / 0.35).ln();
        assert!((divergence(&p, &q) - expected).abs() < 1e-6);
        assert_eq!(divergence(&p, &p), 0.0);
        // What never happens counts as a millionth.
        assert!((divergence(&mind(1.0), &mind(0.0)) - (1e6_f64).ln()).abs() < 0.01);
    }

    #[test]
    fn pairs_count_both_ways() {
        let (p, q) = (mind(0.3), mind(0.65));
        let expected = f64::midpoint(divergence(&p, &q), divergence(&q, &p));
        assert!((mean_pairwise_divergence(&[&p, &q]) - expected).abs() < 1e-12);
        assert_eq!((mean_pairwise_divergence(&[&p]), mean_pairwise_divergence(&[])), (0.0, 0.0));
    }
}
