//! Deciding in one pass: every candidate reply of every prompt is scored by a single prefill.
//!
//! Each prompt is a trunk; each inner node of the trie that branches hangs on it as a branch with a tree mask. Only the
//! rows of the output matrix that some fork offers are ever multiplied.
//!
//! This module does *not* know what the replies mean, who asks, or how one of them is drawn.

use std::ops::Range;

use candle_core::Tensor;

use super::{
    error::Result,
    lora::{ActiveAdapters, Adapter, AdapterLayout},
    model::{Batch, LanguageModel, Matrix},
    trie::Trie,
};
use crate::config::Arithmetic;

/// A prompt, and the adapter of whoever asks; `None` for the bare base.
pub struct Question<'a> {
    /// The prompt's tokens.
    pub tokens: &'a [u32],
    /// The adapter.
    pub adapter: Option<&'a Adapter>,
}

/// What a model gives for one prompt: the logits of each fork's children, in the order of [`Trie::forks`].
pub type ForkLogits = Vec<Vec<f32>>;

/// Questions side by side.
pub struct Laid<'a> {
    /// Their rows.
    pub batch: Batch,
    /// Per question and fork, the row at which it is read.
    pub wanted: Vec<u32>,
    /// The rows that belong to each adapter; neighbours of the same one are together.
    pub owners: Vec<(Range<usize>, &'a Adapter)>,
}

/// Scores the replies of a trie with one model.
pub struct Scorer {
    trie: Trie,
    /// The paths of the forks below the root.
    branches: Vec<Vec<u32>>,
    /// Per fork: its branch, `None` for the root; and its children as columns of `rows`.
    forks: Vec<(Option<usize>, Vec<usize>)>,
    /// The output matrix's rows for the tokens on offer: `[offered, d]`.
    rows: Matrix,
    context: usize,
    arithmetic: Arithmetic,
}

impl Scorer {
    /// Prepares to score `trie` with `model`.
    ///
    /// # Errors
    /// The model does not have the trie's tokens.
    pub fn new(model: &LanguageModel, trie: Trie) -> Result<Self> {
        let offered = trie.offered();
        let rows = Matrix::dense(model.output().rows(&offered)?)?;
        let mut branches = Vec::new();
        let mut forks = Vec::new();
        for fork in trie.forks() {
            let branch = (!fork.path.is_empty()).then(|| {
                branches.push(fork.path.clone());
                branches.len() - 1
            });
            let columns = fork.children.iter().map(|child| offered.partition_point(|token| token < child)).collect();
            forks.push((branch, columns));
        }
        let longest = branches.iter().map(Vec::len).max().unwrap_or(0);
        Ok(Self {
            trie,
            branches,
            forks,
            rows,
            context: model.context().saturating_sub(longest).max(1),
            arithmetic: Arithmetic::F32,
        })
    }

    /// The same with another arithmetic in [`Scorer::score`], which is in f32 without this. What is laid or read by hand stays so.
    #[must_use]
    pub fn in_arithmetic(self, arithmetic: Arithmetic) -> Self {
        Self { arithmetic, ..self }
    }

    /// The trie.
    pub const fn trie(&self) -> &Trie {
        &self.trie
    }

    /// Tokens of the longest prompt that is read whole.
    pub const fn longest(&self) -> usize {
        self.context
    }

    /// Tokens that a prompt of `tokens` tokens costs: its own, and the branches'.
    pub fn cost(&self, tokens: usize) -> usize {
        tokens.min(self.context) + self.branches.iter().map(Vec::len).sum::<usize>()
    }

    /// The logits of every fork for every question, in one batch. Of a prompt that is longer than the model's context, the
    /// end is read.
    ///
    /// # Errors
    /// A token is not in the vocabulary, or an operation fails.
    pub fn score(
        &self,
        model: &LanguageModel,
        layout: &AdapterLayout,
        questions: &[Question],
    ) -> Result<Vec<ForkLogits>> {
        let mut laid = self.lay(questions);
        laid.batch.arithmetic = self.arithmetic;
        if laid.batch.rows() == 0 {
            return Ok(Vec::new());
        }
        Ok(self.by_fork(&self.read(model, &laid, &layout.activate(&laid.owners))?))
    }

    /// Lays questions side by side, each with its branches. Neighbours with the same adapter have what they begin with in common.
    pub fn lay<'a>(&self, questions: &[Question<'a>]) -> Laid<'a> {
        let mut batch = Batch::default();
        let mut wanted = Vec::with_capacity(questions.len() * self.forks.len());
        let mut owners: Vec<(Range<usize>, &Adapter)> = Vec::new();
        let (mut first, mut before) = (0, None);
        for (at, question) in questions.iter().enumerate() {
            let owner = question.adapter.map(std::ptr::from_ref);
            if before.replace(owner) != Some(owner) {
                first = at;
            }
            let from = question.tokens.len().saturating_sub(self.context);
            let placed = batch.push_beside(&question.tokens[from..], &self.branches, first);
            let row = |branch: &Option<usize>| branch.map_or(placed.last, |at| placed.branches[at]);
            wanted.extend(self.forks.iter().map(|(branch, _)| row(branch) as u32));
            let Some(adapter) = question.adapter else { continue };
            match owners.last_mut() {
                Some((rows, owner)) if std::ptr::eq(*owner, adapter) && rows.end == placed.rows.start => {
                    rows.end = placed.rows.end;
                }
                _ => owners.push((placed.rows.clone(), adapter)),
            }
        }
        Laid { batch, wanted, owners }
    }

    /// Logits of the tokens on offer at every fork of every question: one row of a fork after the other.
    ///
    /// # Errors
    /// A token is not in the vocabulary, or an operation fails.
    pub fn read(&self, model: &LanguageModel, laid: &Laid, lora: &ActiveAdapters) -> Result<Vec<Vec<f32>>> {
        Ok(self.logits(&model.features_of(&laid.batch, lora, &laid.wanted)?)?.to_vec2()?)
    }

    /// Logits of the tokens on offer, from the features of every fork of every question `[questions · forks, d]`:
    /// `[questions · forks, offered]`. Differentiable.
    ///
    /// # Errors
    /// The shapes do not fit.
    pub fn logits(&self, features: &Tensor) -> Result<Tensor> {
        self.rows.apply(features, None)
    }

    /// Takes rows of [`Scorer::logits`] apart: per question and fork, the logits of its children.
    pub fn by_fork(&self, logits: &[Vec<f32>]) -> Vec<ForkLogits> {
        let of_fork =
            |(logits, (_, columns)): (&Vec<f32>, &(_, Vec<usize>))| columns.iter().map(|at| logits[*at]).collect();
        let one = |logits: &[Vec<f32>]| logits.iter().zip(&self.forks).map(of_fork).collect();
        logits.chunks(self.forks.len().max(1)).map(one).collect()
    }

    /// The inverse for gradients: per question and fork those of its children → one row after the other, zero for tokens
    /// that a fork does not offer.
    pub fn in_rows(&self, gradients: &[ForkLogits]) -> Vec<f32> {
        let offered = self.trie.offered().len();
        let mut rows = vec![0.0; gradients.len() * self.forks.len() * offered];
        let forks = gradients.iter().flat_map(|question| question.iter().zip(&self.forks));
        for (row, (gradients, (_, columns))) in rows.chunks_exact_mut(offered.max(1)).zip(forks) {
            columns.iter().zip(gradients).for_each(|(column, gradient)| row[*column] = *gradient);
        }
        rows
    }
}
