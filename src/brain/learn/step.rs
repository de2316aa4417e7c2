//! The gradient of the loss by the adapters, for several agents in one batch.
//!
//! The pass goes block by block, and each block has a tape of its own: on the way back a block's activations go as soon as
//! its gradient is known. Below the lowest adapter there is no tape at all.
//!
//! This module does *not* know agents, optimisers, or what the replies mean.

use candle_core::{Tensor, Var};

use super::{
    super::{
        decide::{ForkLogits, Question, Scorer},
        error::Result,
        lora::{ActiveAdapters, Adapter, AdapterLayout},
        model::LanguageModel,
    },
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

/// The losses of some exercises and their gradients, in one batch.
///
/// # Errors
/// A token is not in the vocabulary, or an operation fails.
pub fn slopes(
    model: &LanguageModel,
    scorer: &Scorer,
    layout: &AdapterLayout,
    rule: &LearningRule,
    with_a: bool,
    exercises: &[Exercise],
) -> Result<Vec<Slope>> {
    let asked = |one: &Exercise<'_>| one.prompts.len();
    debug_assert!(exercises.iter().all(|one| asked(one) > 0 && asked(one) == one.targets.len()), "an empty exercise");
    let questions: Vec<_> = exercises
        .iter()
        .flat_map(|one| one.prompts.iter().map(|tokens| Question { tokens, adapter: Some(one.adapter) }))
        .collect();
    let laid = scorer.lay(&questions);
    if laid.batch.rows() == 0 {
        return Ok(vec![Slope::default(); exercises.len()]);
    }
    let base = if rule.kl == 0.0 { None } else { Some(base_logs(model, scorer, rule, &questions)?) };

    let mut x = model.embed(&laid.batch)?;
    let lora = layout.activate_to_train(&laid.owners, with_a, x.device())?;
    let lowest = layout.sites.iter().map(|site| site.layer).min().unwrap_or_else(|| model.layers());
    let mut pass = model.pass(&laid.batch, &lora, None);
    let mut taped = Vec::with_capacity(model.layers() - lowest);
    for layer in 0..model.layers() {
        if layer < lowest {
            x = model.block(layer, &x, &mut pass)?;
        } else {
            // The lowest adapted block's input has no gradient that anybody needs.
            let (to, tape) = model.block_to_learn(layer, x, &mut pass, layer > lowest)?;
            taped.push(tape);
            x = to;
        }
    }
    // Norms are made row by row: those rows alone that tell something.
    let wanted = Tensor::new(laid.wanted.as_slice(), x.device())?;
    let last = Var::from_tensor(&x.index_select(&wanted, 0)?)?;
    let logits = scorer.logits(&model.finish(&last)?)?;
    let (mut slopes, gradients) = losses(scorer, rule, exercises, &scorer.by_fork(&logits.to_vec2()?), base.as_deref());

    let seed = Tensor::from_vec(scorer.in_rows(&gradients), logits.shape(), logits.device())?;
    let mut dy = match (logits * seed)?.sum_all()?.backward()?.remove(&last) {
        Some(gradient) => Some(x.zeros_like()?.index_add(&wanted, &gradient, 0)?),
        None => None,
    };
    let mut by_layer = Vec::with_capacity(taped.len());
    while let (Some(tape), Some(gradient)) = (taped.pop(), dy.take()) {
        let layer = lowest + taped.len();
        let slope = model.back(layer, tape, &gradient, &pass, layer > lowest)?;
        dy = slope.dx;
        by_layer.push(slope.trained);
    }
    by_layer.iter().rev().flatten().for_each(|numbers| hand_out(&mut slopes, numbers));
    Ok(slopes)
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

/// The bare model's log-probabilities of every reply to every question.
fn base_logs(
    model: &LanguageModel,
    scorer: &Scorer,
    rule: &LearningRule,
    questions: &[Question],
) -> Result<Vec<Vec<f64>>> {
    let bare: Vec<_> = questions.iter().map(|question| Question { tokens: question.tokens, adapter: None }).collect();
    let laid = scorer.lay(&bare);
    let logits = scorer.by_fork(&scorer.read(model, &laid, &ActiveAdapters::none())?);
    Ok(logits.iter().map(|logits| scorer.trie().log_probabilities(logits, rule.temperature)).collect())
}
