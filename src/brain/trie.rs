//! The candidate replies as a trie of tokens, and the distribution over them.
//!
//! P(reply) = product, over the nodes on its way that branch, of the softmax at the acting temperature restricted to that
//! node's children; a token without an alternative has probability 1. The logits are needed at branching nodes alone, and
//! only for the tokens that branch.
//!
//! This module does *not* know what the replies mean, or any model.

use super::error::{BrainError, Result};

/// A node at which replies part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fork {
    /// The tokens from the prompt's end to here; empty at the root.
    pub path: Vec<u32>,
    /// The tokens that may follow, ascending.
    pub children: Vec<u32>,
}

/// One step of a reply's way: at which fork, and which of its children.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Step {
    fork: usize,
    child: usize,
}

/// A trie of replies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trie {
    forks: Vec<Fork>,
    ways: Vec<Vec<Step>>,
    replies: Vec<Vec<u32>>,
}

impl Trie {
    /// The trie of the replies' tokens.
    ///
    /// # Errors
    /// A reply is empty, or one is the beginning of another, so that it could not be told when it ends.
    pub fn new(replies: Vec<Vec<u32>>) -> Result<Self> {
        for (at, reply) in replies.iter().enumerate() {
            let clash = |(other, longer): (usize, &Vec<u32>)| other != at && longer.starts_with(reply);
            if reply.is_empty() || replies.iter().enumerate().any(clash) {
                let what = "This model's tokenizer spells one action as the beginning of another";
                return Err(BrainError::Setting(what.to_owned()));
            }
        }
        let mut forks: Vec<Fork> = Vec::new();
        let mut ways = Vec::new();
        for reply in &replies {
            let mut way = Vec::new();
            for depth in 0..reply.len() {
                let path = &reply[..depth];
                let beside = replies.iter().filter(|other| other.starts_with(path));
                let mut children: Vec<u32> = beside.map(|other| other[depth]).collect();
                children.sort_unstable();
                children.dedup();
                if children.len() < 2 {
                    continue;
                }
                let child = children.partition_point(|token| *token < reply[depth]);
                let known = forks.iter().position(|fork| fork.path == path);
                let fork = known.unwrap_or(forks.len());
                if known.is_none() {
                    forks.push(Fork { path: path.to_vec(), children });
                }
                way.push(Step { fork, child });
            }
            ways.push(way);
        }
        Ok(Self { forks, ways, replies })
    }

    /// The nodes that branch.
    pub fn forks(&self) -> &[Fork] {
        &self.forks
    }

    /// The tokens of every reply.
    pub fn replies(&self) -> &[Vec<u32>] {
        &self.replies
    }

    /// A reply's way: at which forks it takes which child.
    pub fn way(&self, reply: usize) -> impl Iterator<Item = (usize, usize)> {
        self.ways[reply].iter().map(|step| (step.fork, step.child))
    }

    /// Every token that some fork offers, ascending.
    pub fn offered(&self) -> Vec<u32> {
        let mut all: Vec<_> = self.forks.iter().flat_map(|fork| fork.children.iter().copied()).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Log-probability of every reply at `temperature`, from the logits of each fork's children. At temperature 0 the
    /// likeliest has 0 and all others −∞; equals are settled by the order of the children.
    pub fn log_probabilities(&self, logits: &[Vec<f32>], temperature: f64) -> Vec<f64> {
        let nodes: Vec<_> = logits.iter().map(|logits| log_softmax(logits, temperature)).collect();
        self.ways.iter().map(|way| way.iter().map(|step| nodes[step.fork][step.child]).sum()).collect()
    }
}

/// Log-softmax of logits divided by the temperature, in f64; at 0, all the weight on the first of the largest.
pub fn log_softmax(logits: &[f32], temperature: f64) -> Vec<f64> {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if temperature == 0.0 {
        let first = logits.iter().position(|logit| *logit == most);
        return (0..logits.len()).map(|at| if Some(at) == first { 0.0 } else { f64::NEG_INFINITY }).collect();
    }
    let scaled: Vec<f64> = logits.iter().map(|logit| f64::from(logit - most) / temperature).collect();
    let norm = scaled.iter().map(|x| x.exp()).sum::<f64>().ln();
    scaled.into_iter().map(|x| x - norm).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOVE: u32 = 5;

    fn eight() -> Trie {
        let moves = [11, 14, 12, 13].map(|way| vec![MOVE, way]);
        let rest = [vec![20, 21], vec![30], vec![40], vec![7]];
        Trie::new(moves.into_iter().chain(rest).collect()).unwrap()
    }

    #[test]
    fn only_nodes_that_branch_are_forks() {
        let trie = eight();
        let root = Fork { path: vec![], children: vec![5, 7, 20, 30, 40] };
        assert_eq!(trie.forks(), [root, Fork { path: vec![MOVE], children: vec![11, 12, 13, 14] }]);
        assert_eq!(trie.offered(), [5, 7, 11, 12, 13, 14, 20, 30, 40]);
    }

    #[test]
    fn probabilities_by_hand() {
        // Root weights 4 : 1 : 1 : 1 : 1 and, behind " move", 1 : 2 : 3 : 4.
        let ln = |x: f32| x.ln();
        let logits = vec![vec![ln(4.0), 0.0, 0.0, 0.0, 0.0], vec![ln(1.0), ln(2.0), ln(3.0), ln(4.0)]];
        let probabilities: Vec<_> = eight().log_probabilities(&logits, 1.0).iter().map(|x| x.exp()).collect();
        let expected = [0.05, 0.2, 0.1, 0.15, 0.125, 0.125, 0.125, 0.125];
        let far = |(p, e): (&f64, f64)| (p - e).abs() > 1e-6;
        assert!(!probabilities.iter().zip(expected).any(far), "{probabilities:?}");
        // At half the temperature, weights are squared: 16 of 20, then 1 of 30.
        let colder = eight().log_probabilities(&logits, 0.5);
        assert!((colder[0].exp() - 16.0 / 20.0 / 30.0).abs() < 1e-6);
    }

    #[test]
    fn temperature_zero_takes_the_likeliest() {
        let logits = vec![vec![2.0, 1.0, 0.0, 0.0, 0.0], vec![0.5, 0.5, 0.1, 0.5]];
        let probabilities: Vec<_> = eight().log_probabilities(&logits, 0.0).iter().map(|x| x.exp()).collect();
        assert_eq!(probabilities, [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn a_reply_that_begins_another_is_refused() {
        assert!(Trie::new(vec![vec![1], vec![1, 2]]).is_err());
        assert!(Trie::new(vec![vec![1, 2], vec![1, 2]]).is_err());
        assert!(Trie::new(vec![vec![], vec![1, 2]]).is_err());
    }
}
