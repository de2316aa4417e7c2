//! Free replies: token after token with a KV cache, for a batch of prompts at once.
//!
//! Each token is drawn from softmax(logits / temperature), cut to the likeliest tokens that hold `top_p` of the probability
//! (nucleus sampling, Holtzman et al. 2020, arXiv:1904.09751). A reply ends at an end token, at a stop string, or at its
//! longest length.
//!
//! This module does *not* know what replies mean.

use std::ops::Range;

use candle_core::Tensor;
use rand::{Rng, RngExt};

use super::{
    Question, Tokenizer,
    error::{BrainError, Result},
    lora::{Adapter, AdapterLayout},
    model::{Batch, Cache, LanguageModel, Placed, Prefix},
    trie::log_softmax,
};
use crate::config::Arithmetic;

/// How replies are written.
#[derive(Debug, Clone, PartialEq)]
pub struct Style {
    /// Temperature of sampling; 0 takes the likeliest token.
    pub temperature: f64,
    /// Share of probability that tokens are drawn from.
    pub top_p: f64,
    /// Most tokens of a reply.
    pub max_tokens: usize,
    /// Most tokens of a prompt's beginning that are kept for the next prompt.
    pub most_kept: usize,
    /// Tokens that end a reply.
    pub ends: Vec<u32>,
    /// Texts that end a reply, and do not belong to it.
    pub stops: Vec<String>,
    /// How products with quantised weights are made.
    pub arithmetic: Arithmetic,
}

/// Who is to reply: the prompt, what is known of its beginning, and where its chance comes from.
pub struct Speaker<'a, R> {
    /// The prompt and the adapter.
    pub question: Question<'a>,
    /// The beginning of an earlier prompt, read with the same adapter: what the two have in common is not read again.
    pub prefix: Option<&'a Prefix>,
    /// The stream that tokens are drawn from.
    pub draws: R,
}

/// A reply as it was written.
#[derive(Debug, Clone)]
pub struct Written {
    /// The text, up to the stop.
    pub text: String,
    /// Tokens written, the end token among them.
    pub tokens: usize,
    /// Tokens of the prompt that had to be read.
    pub read: usize,
    /// Log-probability of all that were written, at temperature 1 and without the nucleus.
    pub log_probability: f64,
    /// The prompt as far as it agrees with the earlier one, or all of it where there was none, and no more than is to be
    /// kept: for the next prompt.
    pub prefix: Prefix,
}

struct Reply<'a, R> {
    draws: &'a mut R,
    tokens: Vec<u32>,
    log_probability: f64,
    text: Option<String>,
}

/// Writes a reply for every speaker. Of a prompt that leaves the reply too little of the model's context, the end is read:
/// half of the context at least is the prompt's, however long the reply may become.
///
/// # Errors
/// A token is not in the vocabulary, the model gives no numbers, or an operation fails.
pub fn generate<R: Rng>(
    model: &LanguageModel,
    tokenizer: &Tokenizer,
    layout: &AdapterLayout,
    style: &Style,
    speakers: &mut [Speaker<R>],
) -> Result<Vec<Written>> {
    let room = (model.context() - style.max_tokens.min(model.context() / 2)).max(1);
    let prompts: Vec<&[u32]> = speakers.iter().map(|speaker| tail(speaker.question.tokens, room)).collect();
    let adapters: Vec<_> = speakers.iter().map(|speaker| speaker.question.adapter).collect();
    let longest = prompts.iter().map(|tokens| tokens.len()).max().unwrap_or(0);
    let capacity = (longest + style.max_tokens).min(model.context().max(longest));
    let mut cache = Cache::new(speakers.len(), capacity, model.layers());
    let common = begin(&mut cache, speakers, &prompts);
    let new = |draws| Reply { draws, tokens: Vec::new(), log_probability: 0.0, text: None };
    let mut replies: Vec<_> = speakers.iter_mut().map(|speaker| new(&mut speaker.draws)).collect();
    let unread = prompts.iter().zip(cache.lengths()).map(|(tokens, read)| tokens[*read..].to_vec()).enumerate();
    let mut next: Vec<(usize, Vec<u32>)> = unread.filter(|(_, tokens)| !tokens.is_empty()).collect();
    while !next.is_empty() {
        let logits = step(model, layout, &mut cache, &next, &adapters, style.arithmetic)?;
        let asked: Vec<usize> = next.drain(..).map(|(at, _)| at).collect();
        for (at, logits) in asked.into_iter().zip(&logits) {
            let is_full = cache.lengths()[at] + 1 > capacity;
            if !replies[at].extend(logits, tokenizer, style, is_full)? {
                next.extend(replies[at].tokens.last().map(|token| (at, vec![*token])));
            }
        }
    }
    let write = |(at, reply): (usize, Reply<R>)| {
        let (prompt, (agreed, skipped)) = (prompts[at], common[at]);
        Written {
            text: reply.text.unwrap_or_default(),
            tokens: reply.tokens.len(),
            read: prompt.len() - skipped,
            log_probability: reply.log_probability,
            prefix: cache.prefix(at, &prompt[..agreed.min(style.most_kept)]),
        }
    };
    Ok(replies.into_iter().enumerate().map(write).collect())
}

/// The last `most` tokens.
fn tail(tokens: &[u32], most: usize) -> &[u32] {
    &tokens[tokens.len().saturating_sub(most)..]
}

/// Fills the cache with what is known of each prompt's beginning. Gives how far each agrees with its earlier one (all of
/// it, where there is none), and how many tokens need not be read: one at least must be, for its logits.
fn begin<R>(cache: &mut Cache, speakers: &[Speaker<R>], prompts: &[&[u32]]) -> Vec<(usize, usize)> {
    let mut common = Vec::with_capacity(prompts.len());
    for (at, (speaker, tokens)) in speakers.iter().zip(prompts).enumerate() {
        let Some(prefix) = speaker.prefix else {
            common.push((tokens.len(), 0));
            continue;
        };
        let agreed = prefix.common(tokens);
        let skipped = agreed.min(tokens.len().saturating_sub(1));
        cache.begin_with(at, prefix, skipped);
        common.push((agreed, skipped));
    }
    common
}

/// Reads the next tokens of some sequences; the logits of what follows each.
fn step(
    model: &LanguageModel,
    layout: &AdapterLayout,
    cache: &mut Cache,
    next: &[(usize, Vec<u32>)],
    adapters: &[Option<&Adapter>],
    arithmetic: Arithmetic,
) -> Result<Vec<Vec<f32>>> {
    let views: Vec<_> = next.iter().map(|(at, tokens)| (*at, tokens.as_slice())).collect();
    let batch = Batch { arithmetic, ..cache.go_on(&views)? };
    let own = |((at, _), placed): (&(usize, &[u32]), &Placed)| Some((placed.rows.clone(), adapters[*at]?));
    let owners: Vec<(Range<usize>, &Adapter)> = views.iter().zip(&batch.sequences).filter_map(own).collect();
    let features = model.features_cached(&batch, &layout.activate(&owners), cache)?;
    let last: Vec<u32> = batch.sequences.iter().map(|placed| placed.last as u32).collect();
    let rows = features.index_select(&Tensor::new(last, features.device())?, 0)?;
    Ok(model.logits(&rows)?.to_vec2()?)
}

impl<R: Rng> Reply<'_, R> {
    /// Draws the next token; true once the reply is whole.
    fn extend(&mut self, logits: &[f32], tokenizer: &Tokenizer, style: &Style, is_full: bool) -> Result<bool> {
        if logits.iter().any(|logit| !logit.is_finite()) {
            let what = "The model gave no numbers to draw a reply from: its weights or adapter are broken";
            return Err(BrainError::Setting(what.to_owned()));
        }
        let token = sample(logits, style, self.draws.random());
        self.log_probability += log_softmax(logits, 1.0)[token];
        let token = token as u32;
        let ended = style.ends.contains(&token);
        self.tokens.push(token);
        let spoken = &self.tokens[..self.tokens.len() - usize::from(ended)];
        let text = tokenizer.decode(spoken)?;
        let stop = style.stops.iter().filter_map(|stop| text.find(stop.as_str())).min();
        if ended || stop.is_some() || is_full || self.tokens.len() >= style.max_tokens {
            let end = stop.unwrap_or(text.len());
            self.text = Some(text[..end].trim().to_owned());
            return Ok(true);
        }
        Ok(false)
    }
}

/// The token at which the running sum of the nucleus passes `point`, which is uniform in [0, 1).
fn sample(logits: &[f32], style: &Style, point: f64) -> usize {
    let logs = log_softmax(logits, style.temperature);
    let mut order: Vec<usize> = (0..logs.len()).collect();
    order.sort_by(|a, b| logs[*b].total_cmp(&logs[*a]).then(a.cmp(b)));
    let mut held = 0.0;
    let nucleus = order.iter().take_while(|at| {
        let goes_on = held < style.top_p;
        held += logs[**at].exp();
        goes_on
    });
    let nucleus: Vec<usize> = nucleus.copied().collect();
    let total: f64 = nucleus.iter().map(|at| logs[*at].exp()).sum();
    let mut sum = 0.0;
    let passed = nucleus.iter().find(|at| {
        sum += logs[**at].exp();
        point * total < sum
    });
    passed.or(nucleus.last()).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn style(temperature: f64, top_p: f64) -> Style {
        Style {
            temperature,
            top_p,
            max_tokens: 4,
            most_kept: 100,
            ends: vec![],
            stops: vec![],
            arithmetic: Arithmetic::F32,
        }
    }

    #[test]
    fn the_nucleus_holds_the_likeliest() {
        // Probabilities 0.1, 0.6, 0.3.
        let logits = [0.1_f32.ln(), 0.6_f32.ln(), 0.3_f32.ln()];
        let at = |style: &Style, points: [f64; 4]| points.map(|point| sample(&logits, style, point));
        assert_eq!(at(&style(1.0, 1.0), [0.0, 0.59, 0.61, 0.95]), [1, 1, 2, 0]);
        // Two tokens hold 0.9; the third is never drawn.
        assert_eq!(at(&style(1.0, 0.9), [0.0, 0.66, 0.67, 0.999]), [1, 1, 2, 2]);
        assert_eq!(at(&style(1.0, 0.5), [0.0, 0.5, 0.9, 0.999]), [1; 4]);
        assert_eq!(at(&style(0.0, 1.0), [0.0, 0.5, 0.9, 0.999]), [1; 4]);
    }
}
