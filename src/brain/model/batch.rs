//! Sequences of different lengths side by side, without padding, each with branches at its end.
//!
//! Rows of a batch are tokens: `[tokens, d]`. A sequence is a *trunk* (the prompt) and *branches*, which all go on from the
//! trunk's end, share its positions and do not see each other (a tree mask):
//!
//! ```text
//! rows       At  (5  ,3)  …  Action:  |  move  |  pick
//! position    0   1   2   …     21    |   22   |   22
//! sees       its own trunk so far     |  trunk and its own branch so far
//! ```
//!
//! This module does *not* know what tokens mean.

use std::{ops::Range, sync::Arc};

use crate::config::Arithmetic;

/// The key rows that a row may attend to: the trunk's part, then its own branch's, in the order of their positions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight {
    /// Rows of the trunk.
    pub trunk: Range<usize>,
    /// Rows of the branch, up to the row itself; empty for the trunk's own rows.
    pub branch: Range<usize>,
}

impl Sight {
    /// How many rows are seen.
    pub const fn len(&self) -> usize {
        self.trunk.end - self.trunk.start + self.branch.end - self.branch.start
    }

    /// Whether nothing is seen.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rows seen, in the order of their positions; only the last `window` where there is one.
    pub fn rows(&self, window: Option<usize>) -> impl Iterator<Item = usize> + use<> {
        let hidden = window.map_or(0, |window| self.len().saturating_sub(window));
        self.trunk.clone().chain(self.branch.clone()).skip(hidden)
    }
}

/// Where a sequence's rows lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// All its rows.
    pub rows: Range<usize>,
    /// The last row of the trunk.
    pub last: usize,
    /// The last row of each branch.
    pub branches: Vec<usize>,
}

/// Sequences side by side.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// The tokens.
    pub tokens: Vec<u32>,
    /// Each token's place in its sequence, from 0.
    pub positions: Vec<u32>,
    /// What each row sees.
    pub sights: Arc<Vec<Sight>>,
    /// Where each sequence lies.
    pub sequences: Vec<Placed>,
    /// How they may be multiplied with quantised weights where nothing is learned.
    pub arithmetic: Arithmetic,
}

impl Batch {
    /// One sequence without branches.
    pub fn of(tokens: &[u32]) -> Self {
        let mut batch = Self::default();
        batch.push(tokens, &[]);
        batch
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.tokens.len()
    }

    /// Adds a sequence: a trunk of at least one token, and branches of at least one token each.
    pub fn push(&mut self, trunk: &[u32], branches: &[Vec<u32>]) -> &Placed {
        let begin = self.tokens.len();
        let end = begin + trunk.len();
        let sights = Arc::make_mut(&mut self.sights);
        for at in begin..end {
            sights.push(Sight { trunk: begin..at + 1, branch: end..end });
        }
        self.tokens.extend_from_slice(trunk);
        self.positions.extend(0..trunk.len() as u32);
        let mut last = Vec::with_capacity(branches.len());
        for branch in branches {
            let from = self.tokens.len();
            for at in from..from + branch.len() {
                sights.push(Sight { trunk: begin..end, branch: from..at + 1 });
            }
            self.tokens.extend_from_slice(branch);
            self.positions.extend((trunk.len()..trunk.len() + branch.len()).map(|at| at as u32));
            last.push(self.tokens.len() - 1);
        }
        let at = self.sequences.len();
        self.sequences.push(Placed { rows: begin..self.tokens.len(), last: end.saturating_sub(1), branches: last });
        &self.sequences[at]
    }

    /// All rows in as many spans as are needed if none has more than `most` rows, each of whole sequences, so that it may have a few more.
    pub fn spans(&self, most: usize) -> Vec<Range<usize>> {
        let count = self.rows().div_ceil(most.max(1));
        let (mut spans, mut from) = (Vec::with_capacity(count), 0);
        for end in self.sequences.iter().map(|placed| placed.rows.end) {
            // The next of the places that would divide the rows evenly.
            if end * count >= (spans.len() + 1) * self.rows() && end > from {
                spans.push(from..end);
                from = end;
            }
        }
        if from < self.rows() {
            spans.push(from..self.rows());
        }
        spans
    }

    /// Some of the sequences, as a batch of their own.
    #[must_use]
    pub fn only(&self, sequences: &[usize]) -> Self {
        let mut some = Self { arithmetic: self.arithmetic, ..Self::default() };
        let sights = Arc::make_mut(&mut some.sights);
        for placed in sequences.iter().map(|at| &self.sequences[*at]) {
            let (from, to) = (placed.rows.start, some.tokens.len());
            let moved = |rows: &Range<usize>| rows.start - from + to..rows.end - from + to;
            let own = self.sights[placed.rows.clone()].iter();
            sights.extend(own.map(|sight| Sight { trunk: moved(&sight.trunk), branch: moved(&sight.branch) }));
            some.tokens.extend_from_slice(&self.tokens[placed.rows.clone()]);
            some.positions.extend_from_slice(&self.positions[placed.rows.clone()]);
            some.sequences.push(Placed {
                rows: moved(&placed.rows),
                last: placed.last - from + to,
                branches: placed.branches.iter().map(|row| row - from + to).collect(),
            });
        }
        some
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_see_the_trunk_and_themselves() {
        let mut batch = Batch::default();
        batch.push(&[7], &[]);
        let placed = batch.push(&[1, 2, 3], &[vec![4, 5], vec![6]]).clone();
        assert_eq!(placed, Placed { rows: 1..7, last: 3, branches: vec![5, 6] });
        assert_eq!(batch.tokens, [7, 1, 2, 3, 4, 5, 6]);
        assert_eq!(batch.positions, [0, 0, 1, 2, 3, 4, 3]);
        let seen = |row: usize, window| batch.sights[row].rows(window).collect::<Vec<_>>();
        assert_eq!(seen(0, None), [0]);
        assert_eq!(seen(2, None), [1, 2]);
        assert_eq!(seen(5, None), [1, 2, 3, 4, 5]);
        assert_eq!(seen(6, None), [1, 2, 3, 6]);
        assert_eq!(seen(6, Some(2)), [3, 6]);
        assert_eq!(seen(5, Some(2)), [4, 5]);
    }

    #[test]
    fn spans_end_where_sequences_end_and_hold_every_row_once() {
        let mut batch = Batch::default();
        assert!(batch.spans(4).is_empty());
        [3, 1, 4, 2, 6, 1].iter().for_each(|len| drop(batch.push(&vec![0; *len], &[]).clone()));
        let ends = |batch: &Batch, most: usize| {
            let spans = batch.spans(most);
            assert!(spans[0].start == 0 && spans.windows(2).all(|two| two[0].end == two[1].start), "{spans:?}");
            spans.iter().map(|span| span.end).collect::<Vec<_>>()
        };
        for (most, expected) in [(100, vec![17]), (9, vec![10, 17]), (6, vec![8, 16, 17])] {
            assert_eq!(ends(&batch, most), expected, "{most}");
        }
        assert_eq!(batch.spans(1), [0..3, 3..4, 4..8, 8..10, 10..16, 16..17]);
        assert_eq!(batch.spans(0), batch.spans(1));
        // Rows of no sequence, as where a batch goes on from a cache.
        batch.sequences.truncate(2);
        assert_eq!(ends(&batch, 9), [17]);
    }

    #[test]
    fn some_sequences_are_the_batch_that_they_alone_would_make() {
        let mut batch = Batch::default();
        let sequences = [(vec![7], vec![]), (vec![1, 2, 3], vec![vec![4, 5], vec![6]]), (vec![8, 9], vec![vec![3]])];
        sequences.iter().for_each(|(trunk, branches)| drop(batch.push(trunk, branches).clone()));
        for some in [&[0, 1, 2][..], &[2], &[1, 2], &[2, 0], &[]] {
            let (only, mut alone) = (batch.only(some), Batch::default());
            some.iter().for_each(|at| drop(alone.push(&sequences[*at].0, &sequences[*at].1).clone()));
            assert_eq!((only.tokens, only.positions), (alone.tokens, alone.positions));
            assert_eq!((only.sights, only.sequences), (alone.sights, alone.sequences));
        }
    }
}
