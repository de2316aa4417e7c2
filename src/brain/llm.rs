//! The language model as a mind: one shared model, an adapter for every agent, all decisions of a turn together.
//!
//! This module does *not* know the grammar: prompts and the actions' phrases come as strings.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use rand::RngExt;
use rayon::{ThreadPool, ThreadPoolBuilder, prelude::*};

use super::{
    Question, Scorer, Trie,
    error::{BrainError, Result},
    load::{LoadedModel, load_model},
    lora::{Adapter, AdapterLayout, shared_a},
};
use crate::{
    config::{LoraSettings, MindSettings, ModelSettings},
    protocol::{Action, AgentId, HabitatId, MindFacts, Moment, StreamName, Streams, Thinker, Thought},
};

/// Weights below which a model is small: its agents are divided among threads, a few at a time. The batches of a large
/// one stay whole, and its products are divided.
const SMALL_MODEL: usize = 4_000_000;
/// Agents in a batch of a small model.
const SMALL_BATCH: usize = 5;
/// Agents in a batch of a large model: more would not be faster, and would need more memory.
const LARGE_BATCH: usize = 64;

/// What a mind is made of.
#[derive(Debug, Clone)]
pub struct LlmPlan {
    /// The model.
    pub model: ModelSettings,
    /// The adapters.
    pub lora: LoraSettings,
    /// How it decides.
    pub mind: MindSettings,
    /// Seed of the run.
    pub seed: u64,
    /// Threads, 0 for one per core; what is decided does not depend on it.
    pub threads: u32,
    /// What a reply says for each action, in the order of [`Action::ALL`], as it follows the prompt.
    pub phrases: Vec<String>,
}

/// A language model with an adapter for every agent.
pub struct Llm {
    loaded: LoadedModel,
    plan: LlmPlan,
    scorer: Scorer,
    layout: AdapterLayout,
    shared_a: Vec<Arc<Vec<f32>>>,
    adapters: BTreeMap<(HabitatId, AgentId), Adapter>,
    pool: ThreadPool,
}

impl Llm {
    /// Loads the model that the plan names.
    ///
    /// # Errors
    /// The model cannot be used, or cannot tell the actions apart.
    pub fn load(plan: LlmPlan) -> Result<Self> {
        let loaded = load_model(&plan.model)?;
        let replies = plan.phrases.iter().map(|phrase| loaded.tokenizer.encode(phrase)).collect::<Result<_>>()?;
        let scorer = Scorer::new(&loaded.model, Trie::new(replies)?)?;
        let layout = AdapterLayout::choose(&plan.lora, &loaded.model.sites(), loaded.model.layers())?;
        let streams = Streams { seed: plan.seed, habitat: HabitatId(0), unseen: false };
        let shared_a = shared_a(&layout, &mut streams.key(StreamName::Adapter).at(Moment::new(0, 0)));
        let pool = ThreadPoolBuilder::new().num_threads(plan.threads as usize).build();
        let pool = pool.map_err(|error| BrainError::Setting(format!("The system gives no threads ({error})")))?;
        Ok(Self { loaded, plan, scorer, layout, shared_a, adapters: BTreeMap::new(), pool })
    }

    /// What the person may want to know of it.
    pub fn facts(&self) -> MindFacts {
        MindFacts {
            name: self.loaded.name.clone(),
            parameters: self.loaded.model.parameters() as u64,
            model_bytes: self.loaded.model.bytes() as u64,
            adapter_bytes: self.layout.bytes(true) as u64,
        }
    }

    /// Decides for every thinker, in the order in which they come: sorted by habitat and agent.
    ///
    /// # Errors
    /// A prompt is not text for the tokenizer, or an operation fails.
    pub fn think(&mut self, thinkers: &[Thinker]) -> Result<Vec<Thought>> {
        for thinker in thinkers {
            let (layout, a) = (&self.layout, &self.shared_a);
            self.adapters.entry((thinker.habitat, thinker.agent)).or_insert_with(|| layout.blank(a));
        }
        let most = if self.loaded.model.parameters() < SMALL_MODEL { SMALL_BATCH } else { LARGE_BATCH };
        // A batch holds agents of one habitat, so that no habitat's numbers depend on its neighbours.
        let batches: Vec<_> =
            thinkers.chunk_by(|a, b| a.habitat == b.habitat).flat_map(|habitat| habitat.chunks(most)).collect();
        let this = &*self;
        let thought: Result<Vec<_>> =
            this.pool.install(|| batches.par_iter().map(|batch| this.decide(batch)).collect());
        Ok(thought?.into_iter().flatten().collect())
    }

    /// One batch.
    fn decide(&self, thinkers: &[Thinker]) -> Result<Vec<Thought>> {
        let begun = Instant::now();
        let prompts: Vec<_> =
            thinkers.iter().map(|thinker| self.loaded.tokenizer.encode(&thinker.prompt)).collect::<Result<_>>()?;
        let questions: Vec<_> = prompts
            .iter()
            .zip(thinkers)
            .map(|(tokens, thinker)| Question { tokens, adapter: self.adapters.get(&(thinker.habitat, thinker.agent)) })
            .collect();
        let logits = self.scorer.score(&self.loaded.model, &self.layout, &questions)?;
        let elapsed = begun.elapsed() / thinkers.len().max(1) as u32;
        let mut thoughts = Vec::with_capacity(thinkers.len());
        for ((thinker, tokens), logits) in thinkers.iter().zip(&prompts).zip(&logits) {
            let mut thought = self.choose(thinker, logits)?;
            (thought.tokens, thought.elapsed) = (self.scorer.cost(tokens.len()) as u32, elapsed);
            thoughts.push(thought);
        }
        Ok(thoughts)
    }

    fn choose(&self, thinker: &Thinker, logits: &[Vec<f32>]) -> Result<Thought> {
        let trie = self.scorer.trie();
        let as_told = trie.log_probabilities(logits, 1.0);
        let as_sampled = trie.log_probabilities(logits, self.plan.mind.temperature);
        if as_sampled.iter().any(|log| log.is_nan()) {
            let who = thinker.agent.0;
            return Err(BrainError::Setting(format!(
                "The model gave no numbers for agent {who}: its weights or adapter are broken"
            )));
        }
        let at = draw(&as_sampled, thinker.draws.at(thinker.moment).random());
        let in_order = |logs: &[f64], from: fn(f64) -> f64| {
            std::array::from_fn(|i| from(logs.get(i).copied().unwrap_or(f64::NEG_INFINITY)) as f32)
        };
        Ok(Thought {
            habitat: thinker.habitat,
            agent: thinker.agent,
            text: self.plan.phrases[at].trim().to_owned().into(),
            action: Some(Action::ALL[at]),
            policy: in_order(&as_sampled, f64::exp),
            log_probabilities: in_order(&as_told, |log| log),
            tokens: 0,
            elapsed: std::time::Duration::ZERO,
        })
    }
}

/// The index at which the running sum of probabilities passes `point`, which is uniform in [0, 1).
fn draw(log_probabilities: &[f64], point: f64) -> usize {
    let mut sum = 0.0;
    let passed = log_probabilities.iter().position(|log| {
        sum += log.exp();
        point < sum
    });
    // Rounding may leave the sum a hair below 1.
    let possible = || log_probabilities.iter().rposition(|log| log.is_finite());
    passed.or_else(possible).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_falls_into_its_share() {
        let logs: Vec<f64> = [0.5, 0.0, 0.25, 0.25].iter().map(|p: &f64| p.ln()).collect();
        let at = [0.0, 0.49, 0.5, 0.74, 0.75, 0.999_999].map(|point| draw(&logs, point));
        assert_eq!(at, [0, 0, 2, 2, 3, 3]);
        assert_eq!(draw(&[f64::NEG_INFINITY, -1e-9, f64::NEG_INFINITY], 1.0 - 1e-16), 1);
    }
}
