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
//! A sequence may begin with rows of earlier ones, whose trunks begin with the same tokens: these are there once, as in a radix tree
//! (Zheng et al. 2023, "SGLang", arXiv:2312.07104).
//!
//! This module does *not* know what tokens mean, or which sequences have the same adapter.

use std::{ops::Range, sync::Arc};

use crate::config::Arithmetic;

/// Rows of other sequences that a sequence begins with; none where it begins with its own.
pub type Before = Option<Arc<[Range<usize>]>>;

/// The key rows that a row may attend to: the trunk's part, then its own branch's, in the order of their positions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight {
    /// Rows of earlier sequences, with which the trunk begins.
    pub before: Before,
    /// Rows of the trunk.
    pub trunk: Range<usize>,
    /// Rows of the branch, up to the row itself; empty for the trunk's own rows.
    pub branch: Range<usize>,
}

impl Sight {
    /// How many rows are seen.
    pub fn len(&self) -> usize {
        rows_of(&self.before).count() + self.trunk.len() + self.branch.len()
    }

    /// Whether nothing is seen.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rows seen, in the order of their positions; only the last `window` where there is one.
    pub fn rows(&self, window: Option<usize>) -> impl Iterator<Item = usize> + use<> {
        let hidden = window.map_or(0, |window| self.len().saturating_sub(window));
        rows_of(&self.before).chain(self.trunk.clone()).chain(self.branch.clone()).skip(hidden)
    }
}

/// The rows of other sequences that a sequence begins with.
pub(super) fn rows_of(before: &Before) -> impl Iterator<Item = usize> + use<> {
    let before = before.clone();
    (0..before.as_ref().map_or(0, |before| before.len()))
        .filter_map(move |at| before.as_ref()?.get(at).cloned())
        .flatten()
}

/// Where a sequence's rows lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Rows of earlier sequences, with which it begins.
    pub before: Before,
    /// All rows that are its own.
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
        self.push_beside(trunk, branches, self.sequences.len())
    }

    /// The same, beginning with rows of one of the sequences from `first` on, where that begins with the same tokens; the last row of
    /// its trunk is its own.
    pub fn push_beside(&mut self, trunk: &[u32], branches: &[Vec<u32>], first: usize) -> &Placed {
        debug_assert!(!trunk.is_empty(), "a sequence without a trunk");
        let shared = self.shared(&trunk[..trunk.len().saturating_sub(1)], first);
        let count = rows_of(&shared).count();
        let begin = self.tokens.len();
        let end = begin + trunk.len() - count;
        let sights = Arc::make_mut(&mut self.sights);
        for at in begin..end {
            sights.push(Sight { before: shared.clone(), trunk: begin..at + 1, branch: end..end });
        }
        self.tokens.extend_from_slice(&trunk[count..]);
        self.positions.extend((count..trunk.len()).map(|at| at as u32));
        let mut last = Vec::with_capacity(branches.len());
        for branch in branches {
            let from = self.tokens.len();
            for at in from..from + branch.len() {
                sights.push(Sight { before: shared.clone(), trunk: begin..end, branch: from..at + 1 });
            }
            self.tokens.extend_from_slice(branch);
            self.positions.extend((trunk.len()..trunk.len() + branch.len()).map(|at| at as u32));
            last.push(self.tokens.len() - 1);
        }
        let at = self.sequences.len();
        let (rows, end) = (begin..self.tokens.len(), end.saturating_sub(1));
        self.sequences.push(Placed { before: shared, rows, last: end, branches: last });
        &self.sequences[at]
    }

    /// The rows of one of the sequences from `first` on whose trunk has most tokens in common with the beginning of these.
    fn shared(&self, tokens: &[u32], first: usize) -> Before {
        let same = |placed: &&Placed| {
            let rows = rows_of(&placed.before).chain(placed.rows.start..=placed.last);
            rows.zip(tokens).take_while(|(row, token)| self.tokens[*row] == **token).count()
        };
        let best = self.sequences.get(first..)?.iter().rev().max_by_key(same)?;
        let mut left = same(&best);
        let own = best.rows.start..best.last + 1;
        let path = best.before.iter().flat_map(|before| before.iter().cloned()).chain([own]);
        let cut = path.map(|range| {
            let some = range.start..range.end.min(range.start + left);
            left -= some.len();
            some
        });
        let path: Vec<_> = cut.filter(|range| !range.is_empty()).collect();
        (!path.is_empty()).then(|| path.into())
    }

    /// All tokens of a sequence: of what it begins with, of its trunk, and of its branches.
    pub fn tokens_of(&self, placed: &Placed) -> Vec<u32> {
        rows_of(&placed.before).chain(placed.rows.clone()).map(|row| self.tokens[row]).collect()
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

    /// Some of the sequences, as a batch of their own, in which each begins with its own rows.
    #[must_use]
    pub fn only(&self, sequences: &[usize]) -> Self {
        let mut some = Self { arithmetic: self.arithmetic, ..Self::default() };
        for placed in sequences.iter().map(|at| &self.sequences[*at]) {
            let (trunk, branches) = self.parts_of(placed);
            some.push(&trunk, &branches);
        }
        some
    }

    /// The same with everything once that several sequences begin with, whomever they belong to, and sequences that are the same;
    /// and for each row the one that stands for it there. Where no adapter reaches, these rows are the same bits.
    #[must_use]
    pub fn merged(&self) -> (Self, Vec<u32>) {
        let mut once = Self { arithmetic: self.arithmetic, ..Self::default() };
        let mut known: Vec<(_, Placed)> = Vec::new();
        let mut rows = Vec::with_capacity(self.rows());
        for own in &self.sequences {
            let parts = self.parts_of(own);
            let same = known.iter().find(|(other, _)| *other == parts).map(|(_, placed)| placed.clone());
            let placed = same.unwrap_or_else(|| {
                let placed = once.push_beside(&parts.0, &parts.1, 0).clone();
                known.push((parts, placed.clone()));
                placed
            });
            let all: Vec<_> = rows_of(&placed.before).chain(placed.rows).map(|row| row as u32).collect();
            rows.extend_from_slice(&all[all.len() - own.rows.len()..]);
        }
        (once, rows)
    }

    /// A sequence's trunk and branches.
    fn parts_of(&self, placed: &Placed) -> (Vec<u32>, Vec<Vec<u32>>) {
        let mut all = self.tokens_of(placed);
        let own = all.len() - placed.rows.len();
        let place = |row: usize| own + row + 1 - placed.rows.start;
        let mut begin = place(placed.last);
        let branch = |end: &usize| all[std::mem::replace(&mut begin, place(*end))..place(*end)].to_vec();
        let branches = placed.branches.iter().map(branch).collect();
        all.truncate(place(placed.last));
        (all, branches)
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
        assert_eq!(placed, Placed { before: None, rows: 1..7, last: 3, branches: vec![5, 6] });
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

    #[test]
    fn what_sequences_begin_with_is_there_once() {
        let mut batch = Batch::default();
        let branch = [vec![9]];
        let before = |placed: &Placed| rows_of(&placed.before).collect::<Vec<_>>();
        batch.push(&[1, 2, 3], &branch);
        // Another owner's, although it begins alike.
        batch.push(&[1, 2, 3], &branch);
        assert_eq!(before(batch.push_beside(&[1, 2, 4, 5, 6], &branch, 1)), [4, 5]);
        // What it shares begins with what is shared itself.
        let placed = batch.push_beside(&[1, 2, 4, 5, 7], &branch, 1).clone();
        assert_eq!((before(&placed), placed.rows), (vec![4, 5, 8, 9], 12..14));
        // The last row of a trunk is its own, and a branch is nobody's beginning.
        let placed = batch.push_beside(&[1, 2, 3, 9], &branch, 1).clone();
        assert_eq!((before(&placed), placed.rows, placed.last), (vec![4, 5, 6], 14..16, 14));
        let placed = batch.push_beside(&[1, 2, 3], &branch, 1).clone();
        assert_eq!((before(&placed), placed.rows, placed.branches), (vec![4, 5], 16..18, vec![17]));
        assert_eq!(batch.push_beside(&[7, 2], &branch, 1).before, None);
        assert_eq!(batch.tokens, [1, 2, 3, 9, 1, 2, 3, 9, 4, 5, 6, 9, 7, 9, 9, 9, 3, 9, 7, 2, 9]);
        assert_eq!(batch.positions, [0, 1, 2, 3, 0, 1, 2, 3, 2, 3, 4, 5, 4, 5, 3, 4, 2, 3, 0, 1, 2]);
        let seen = |row: usize, window| batch.sights[row].rows(window).collect::<Vec<_>>();
        assert_eq!(seen(12, None), [4, 5, 8, 9, 12]);
        assert_eq!(seen(13, None), [4, 5, 8, 9, 12, 13]);
        assert_eq!(seen(13, Some(3)), [9, 12, 13]);
        assert_eq!(batch.sights[13].len(), 6);
        // Alone, it begins with its own.
        assert_eq!(batch.tokens_of(&batch.sequences[3]), [1, 2, 4, 5, 7, 9]);
        let (only, mut alone) = (batch.only(&[3, 4]), Batch::default());
        alone.push(&[1, 2, 4, 5, 7], &branch);
        alone.push(&[1, 2, 3, 9], &branch);
        assert_eq!((only.tokens, only.positions), (alone.tokens, alone.positions));
        assert_eq!((only.sights, only.sequences), (alone.sights, alone.sequences));
    }

    #[test]
    fn what_is_the_same_whoever_has_it_is_there_once() {
        let mut batch = Batch { arithmetic: Arithmetic::Int8, ..Batch::default() };
        let branch = [vec![9], vec![8, 7]];
        batch.push(&[1, 2, 3], &branch);
        // Another owner's: the same, one with another branch, and two that begin alike, of which one shares already.
        batch.push(&[1, 2, 3], &branch);
        batch.push(&[1, 2, 3], &branch[..1]);
        batch.push(&[1, 2, 4, 5, 6], &[]);
        batch.push_beside(&[1, 2, 4, 5, 7], &branch, 3);
        let (once, rows) = batch.merged();
        assert_eq!(once.tokens, [1, 2, 3, 9, 8, 7, 3, 9, 4, 5, 6, 7, 9, 8, 7]);
        assert_eq!(rows, [0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5, 0, 1, 6, 7, 0, 1, 8, 9, 10, 11, 12, 13, 14]);
        assert_eq!((once.arithmetic, rows.len()), (Arithmetic::Int8, batch.rows()));
        // Whoever stands for a row is what it is, and sees what it sees.
        let seen = |batch: &Batch, row: usize| {
            let seen = batch.sights[row].rows(None).map(|row| (batch.tokens[row], batch.positions[row]));
            (batch.positions[row], seen.collect::<Vec<_>>())
        };
        for (row, stands) in rows.iter().enumerate() {
            assert_eq!(seen(&batch, row), seen(&once, *stands as usize), "{row}");
        }
        // Where nothing is the same, it stays as it is.
        let mut apart = Batch::default();
        [[1, 2], [3, 4]].iter().for_each(|trunk| drop(apart.push(trunk, &branch).clone()));
        let (once, rows) = apart.merged();
        assert_eq!((once.tokens, once.sights, once.sequences), (apart.tokens, apart.sights, apart.sequences));
        assert!(rows.into_iter().eq(0..10));
    }
}
