//! The gradient of the loss by the adapters, for several agents in one batch.
//!
//! The pass goes block by block, and each block has a tape of its own: on the way back a block's activations go as soon as
//! its gradient is known. Below the lowest adapter there is no tape at all, and the rows that come from there may be kept.
//!
//! This module does *not* know agents, optimisers, or what the replies mean.

use std::collections::VecDeque;

use candle_core::{Tensor, Var};

use super::{
    super::{
        decide::{ForkLogits, Laid, Question, Scorer},
        error::Result,
        lora::{ActiveAdapters, Adapter, AdapterLayout},
        model::{Batch, LanguageModel, Tape},
    },
    gauge::Gauge,
    hidden::HiddenStates,
    objective::{Target, sample_loss},
    optimiser::Numbers,
};
use crate::protocol::LearningRule;

/// What one adapter is to learn from in one step.
pub struct Exercise<'a> {
    /// The adapter.
    pub adapter: &'a Adapter,
    /// The prompts, as tokens.
    pub prompts: &'a [Vec<u32>],
    /// What was replied to each.
    pub targets: &'a [Target],
}

/// What came of it, before any update.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Slope {
    /// The mean loss of the samples.
    pub loss: f64,
    /// Their mean entropy, in nats.
    pub entropy: f64,
    /// Their mean KL to the bare model, in nats.
    pub kl: f64,
    /// The gradient of the loss, site by site of the layout: A's numbers, where A is trained, and then B's.
    pub gradient: Numbers,
}

/// What lessons are given with.
#[derive(Clone, Copy)]
pub struct Teacher<'a> {
    /// The model.
    pub model: &'a LanguageModel,
    /// The replies, as they are scored.
    pub scorer: &'a Scorer,
    /// Where the adapters are.
    pub layout: &'a AdapterLayout,
    /// Whether A is trained, too.
    pub with_a: bool,
    /// Bytes that the way forward may keep for the way back; what is beyond, the lowest blocks make again, to the same bits.
    pub room: usize,
    /// Where hidden states below the lowest adapter are kept from lesson to lesson. With it and without it, the numbers are the
    /// same bits.
    pub hidden: Option<&'a HiddenStates>,
    /// Where it is noted how much the way forward kept.
    pub activations: &'a Gauge,
}

impl Teacher<'_> {
    /// The losses of some exercises and their gradients, in one batch.
    ///
    /// # Errors
    /// A token is not in the vocabulary, or an operation fails.
    pub fn slopes(&self, rule: &LearningRule, exercises: &[Exercise]) -> Result<Vec<Slope>> {
        let asked = |one: &Exercise<'_>| one.prompts.len();
        debug_assert!(
            exercises.iter().all(|one| asked(one) > 0 && asked(one) == one.targets.len()),
            "an empty exercise"
        );
        let (model, scorer) = (self.model, self.scorer);
        let questions: Vec<_> = exercises
            .iter()
            .flat_map(|one| one.prompts.iter().map(|tokens| Question { tokens, adapter: Some(one.adapter) }))
            .collect();
        let laid = scorer.lay(&questions);
        if laid.batch.rows() == 0 {
            return Ok(vec![Slope::default(); exercises.len()]);
        }
        let lowest = self.layout.lowest().unwrap_or_else(|| model.layers());
        let mut x = self.below(&laid.batch, lowest)?;
        let base = if rule.kl == 0.0 { None } else { Some(self.base_logs(rule, &laid, &x, lowest)?) };

        let lora = self.layout.activate_to_train(&laid.owners, self.with_a, x.device())?;
        let mut pass = model.pass(&laid.batch, &lora, None).reading(&laid.wanted, model.layers());
        let mut trail = Trail::default();
        for layer in lowest..model.layers() {
            // The lowest adapted block's input has no gradient that anybody needs.
            let (to, tape) = model.block_to_learn(layer, x, &mut pass, layer > lowest)?;
            trail.push(tape, self.room)?;
            x = to;
        }
        let _held = self.activations.hold(trail.bytes_in_all());
        if lowest == model.layers() {
            x = x.index_select(&Tensor::new(laid.wanted.as_slice(), x.device())?, 0)?;
        }
        let last = Var::from_tensor(&x)?;
        let logits = scorer.logits(&model.finish(&last)?)?;
        let told = scorer.by_fork(&logits.to_vec2()?);
        let (mut slopes, gradients) = losses(scorer, rule, exercises, &told, base.as_deref());

        let seed = Tensor::from_vec(scorer.in_rows(&gradients), logits.shape(), logits.device())?;
        let mut dy = (logits * seed)?.sum_all()?.backward()?.remove(&last);
        let mut by_layer = Vec::with_capacity(trail.len());
        while let (Some(step), Some(gradient)) = (trail.pop(), dy.take()) {
            let layer = lowest + trail.len();
            let tape = match step {
                Step::Kept(tape) => tape,
                Step::Again(x) => model.block_to_learn(layer, x, &mut pass, layer > lowest)?.1,
            };
            let slope = model.back(layer, tape, &gradient, &pass, layer > lowest)?;
            dy = slope.dx;
            by_layer.push(slope.trained);
        }
        by_layer.iter().rev().flatten().for_each(|numbers| hand_out(&mut slopes, numbers));
        Ok(slopes)
    }

    /// The rows that enter the lowest adapted layer, `[rows, d]`: what is kept of them, and else through the layers below.
    fn below(&self, batch: &Batch, lowest: usize) -> Result<Tensor> {
        let Some(hidden) = self.hidden.filter(|_| lowest > 0) else { return self.model.below(batch, lowest) };
        let tokens: Vec<_> = batch.sequences.iter().map(|placed| batch.tokens_of(placed)).collect();
        let mut found: Vec<_> = tokens.iter().map(|tokens| hidden.find(tokens)).collect();
        let missing: Vec<usize> = (0..found.len()).filter(|at| found[*at].is_none()).collect();
        if !missing.is_empty() {
            let some = batch.only(&missing);
            let rows: Vec<f32> = self.model.below(&some, lowest)?.flatten_all()?.to_vec1()?;
            let d = rows.len() / some.rows().max(1);
            for (at, placed) in missing.iter().zip(&some.sequences) {
                let own = &rows[placed.rows.start * d..placed.rows.end * d];
                hidden.keep(&tokens[*at], own);
                found[*at] = Some(own.to_vec());
            }
        }
        // What a sequence begins with is there once.
        let mut rows = Vec::new();
        for ((all, tokens), placed) in found.iter().flatten().zip(&tokens).zip(&batch.sequences) {
            rows.extend_from_slice(&all[all.len() / tokens.len() * (tokens.len() - placed.rows.len())..]);
        }
        let d = rows.len() / batch.rows();
        Ok(Tensor::from_vec(rows, (batch.rows(), d), &self.model.output().device())?)
    }

    /// The bare model's log-probabilities of every reply to every question, from the rows that enter layer `lowest`.
    fn base_logs(&self, rule: &LearningRule, laid: &Laid, x: &Tensor, lowest: usize) -> Result<Vec<Vec<f64>>> {
        let lora = ActiveAdapters::none();
        let mut pass = self.model.pass(&laid.batch, &lora, None).reading(&laid.wanted, self.model.layers());
        let mut x = x.clone();
        for layer in lowest..self.model.layers() {
            x = self.model.block(layer, &x, &mut pass)?;
        }
        if lowest == self.model.layers() {
            x = x.index_select(&Tensor::new(laid.wanted.as_slice(), x.device())?, 0)?;
        }
        let logits = self.scorer.by_fork(&self.scorer.logits(&self.model.finish(&x)?)?.to_vec2()?);
        Ok(logits.iter().map(|logits| self.scorer.trie().log_probabilities(logits, rule.temperature)).collect())
    }
}

/// What one block left behind.
enum Step {
    /// All that its way back needs.
    Kept(Tape),
    /// Its input alone (Chen et al. 2016, arXiv:1604.06174).
    Again(Tensor),
}

/// What the blocks left behind, from the lowest up: the inputs of the lower ones, and all of the upper ones.
#[derive(Default)]
struct Trail {
    again: Vec<Tensor>,
    kept: VecDeque<Tape>,
    bytes: usize,
}

impl Trail {
    fn len(&self) -> usize {
        self.again.len() + self.kept.len()
    }

    /// Takes up the next block. Where that is more than there is room for, of the lowest blocks no more than the input stays.
    fn push(&mut self, tape: Tape, room: usize) -> Result<()> {
        self.bytes += tape.bytes();
        self.kept.push_back(tape);
        while self.bytes > room
            && let Some(lowest) = self.kept.pop_front()
        {
            self.bytes -= lowest.bytes();
            self.again.push(lowest.into_input()?);
        }
        Ok(())
    }

    /// Bytes of all that is kept, inputs and all.
    fn bytes_in_all(&self) -> u64 {
        let inputs = self.again.iter().map(|input| input.elem_count() * input.dtype().size_in_bytes());
        (self.bytes + inputs.sum::<usize>()) as u64
    }

    /// The uppermost block.
    fn pop(&mut self) -> Option<Step> {
        self.kept.pop_back().map(Step::Kept).or_else(|| self.again.pop().map(Step::Again))
    }
}

/// One site's gradients, side by side, to those they belong to.
fn hand_out(slopes: &mut [Slope], numbers: &[f32]) {
    let each = numbers.len() / slopes.len().max(1);
    slopes.iter_mut().zip(numbers.chunks_exact(each.max(1))).for_each(|(slope, own)| slope.gradient.push(own.to_vec()));
}

/// The mean losses of every exercise, and what the logits of every question would have to do about them.
fn losses(
    scorer: &Scorer,
    rule: &LearningRule,
    exercises: &[Exercise],
    logits: &[ForkLogits],
    base: Option<&[Vec<f64>]>,
) -> (Vec<Slope>, Vec<ForkLogits>) {
    let (mut slopes, mut gradients, mut at) = (Vec::new(), Vec::with_capacity(logits.len()), 0);
    for exercise in exercises {
        let mut slope = Slope::default();
        let share = 1.0 / exercise.targets.len().max(1) as f64;
        for target in exercise.targets {
            let mut one = sample_loss(scorer.trie(), &logits[at], base.map(|base| &*base[at]), target, rule);
            slope.loss += one.loss * share;
            slope.entropy += one.entropy * share;
            slope.kl += one.kl * share;
            one.gradient.iter_mut().flatten().for_each(|g| *g *= share as f32);
            gradients.push(one.gradient);
            at += 1;
        }
        slopes.push(slope);
    }
    (slopes, gradients)
}
