//! The language model as a mind: one shared model, an adapter for every agent, all decisions of a turn together.
//!
//! This module does *not* know the grammar: prompts and the actions' phrases come as strings.

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

use rand::RngExt;
use rayon::{ThreadPool, ThreadPoolBuilder, prelude::*};

use super::{
    Question, Scorer, Speaker, Style, Trie, Written,
    catalog::{check_memory, free_memory, inspect, kept_tokens, memory_need},
    error::{BrainError, Result},
    generate,
    load::{LoadedModel, load_model, quantise},
    lora::{Adapter, AdapterLayout, load_peft, shared_a},
    model::Prefix,
};
use crate::{
    config::{DecisionMode, Genome, LoraSettings, MindSettings, ModelSettings},
    protocol::{Action, AgentId, HabitatId, MindFacts, Moment, StreamName, Streams, Thinker, Thought},
};

/// Weights below which a model is small: its agents are divided among threads, a few at a time. The batches of a large
/// one stay whole, and its products are divided.
const SMALL_MODEL: usize = 4_000_000;
/// Agents in a batch of a small model.
const SMALL_BATCH: usize = 5;
/// Agents in a batch of a large model: more would not be faster, and would need more memory.
const LARGE_BATCH: usize = 64;

/// What ends a free reply beside the model's own end: replies are one line, of one sentence.
const STOPS: [&str; 2] = ["\n", "."];

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
    /// Agents in all habitats together: the memory for their adapters is reckoned before the model is loaded.
    pub agents: u64,
    /// Threads, 0 for one per core; what is decided does not depend on it.
    pub threads: u32,
    /// What a reply says for each action, in the order of [`Action::ALL`], as it follows the prompt.
    pub phrases: Vec<String>,
    /// What a model with a chat template is told before the prompt.
    pub instruction: String,
    /// Spread of every agent's own B at its birth, uniform in ±spread; 0 begins with the same adapter for all.
    pub founder_spread: f32,
}

/// A language model with an adapter for every agent.
pub struct Llm {
    loaded: LoadedModel,
    plan: LlmPlan,
    scorer: Scorer,
    layout: AdapterLayout,
    /// The adapter that every agent begins with.
    founder: Adapter,
    adapters: BTreeMap<(HabitatId, AgentId), Adapter>,
    /// What each agent's free prompts have in common, read with its adapter.
    prefixes: BTreeMap<(HabitatId, AgentId), Prefix>,
    pool: ThreadPool,
}

impl Llm {
    /// Loads the model that the plan names, if it and its minds fit into memory.
    ///
    /// # Errors
    /// The model cannot be used, cannot tell the actions apart, or would not fit.
    pub fn load(plan: LlmPlan) -> Result<Self> {
        let info = inspect(&plan.model)?;
        let mut need = memory_need(&info, quantise(plan.model.quant), &plan.lora, plan.agents)?;
        if plan.mind.mode == DecisionMode::Free {
            need = need.with_free_replies(&info.shape, plan.mind.max_tokens as usize, plan.agents);
        }
        check_memory(&info, &need, free_memory())?;
        let loaded = load_model(&plan.model)?;
        Self::of(loaded, plan)
    }

    /// The same with a model that has been loaded.
    ///
    /// # Errors
    /// As [`Llm::load`].
    pub fn of(loaded: LoadedModel, plan: LlmPlan) -> Result<Self> {
        if let Some(chat) = loaded.chat.as_ref().filter(|_| plan.mind.mode == DecisionMode::Free) {
            // Whether its template can be used is better known now than in every turn.
            chat.write(&plan.instruction, "")?;
        }
        let replies = plan.phrases.iter().map(|phrase| loaded.tokenizer.encode(phrase)).collect::<Result<_>>()?;
        let scorer = Scorer::new(&loaded.model, Trie::new(replies)?)?;
        let (layout, founder) = founder(&plan, &loaded)?;
        let pool = ThreadPoolBuilder::new().num_threads(plan.threads as usize).build();
        let pool = pool.map_err(|error| BrainError::Setting(format!("The system gives no threads ({error})")))?;
        Ok(Self { loaded, plan, scorer, layout, founder, adapters: BTreeMap::new(), prefixes: BTreeMap::new(), pool })
    }

    /// Threads that it thinks with.
    pub fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// What the person may want to know of it.
    pub fn facts(&self) -> MindFacts {
        MindFacts {
            name: self.loaded.name.clone(),
            path: self.loaded.path.clone(),
            parameters: self.loaded.model.parameters() as u64,
            model_bytes: self.loaded.model.bytes() as u64,
            adapter_bytes: self.layout.bytes(self.plan.lora.genome == Genome::SharedA) as u64,
        }
    }

    /// Decides for every thinker, in the order in which they come: sorted by habitat and agent.
    ///
    /// # Errors
    /// A prompt is not text for the tokenizer, or an operation fails.
    pub fn think(&mut self, thinkers: &[Thinker]) -> Result<Vec<Thought>> {
        for thinker in thinkers {
            let (founder, layout, plan) = (&self.founder, &self.layout, &self.plan);
            let born = || {
                let streams = Streams { seed: plan.seed, habitat: thinker.habitat, unseen: false };
                let mut draws = streams.agent_key(StreamName::Adapter, thinker.agent).at(Moment::new(0, 0));
                let founder = match plan.lora.genome {
                    Genome::SharedA => founder.clone(),
                    // A of its own, unless the adapter came from a file.
                    Genome::FreeAb if founder.is_blank() => layout.blank(&shared_a(layout, &mut draws)),
                    Genome::FreeAb => founder.clone(),
                };
                founder.varied(plan.founder_spread, &mut draws)
            };
            self.adapters.entry((thinker.habitat, thinker.agent)).or_insert_with(born);
        }
        let most = if self.loaded.model.parameters() < SMALL_MODEL { SMALL_BATCH } else { LARGE_BATCH };
        // A batch holds agents of one habitat, so that no habitat's numbers depend on its neighbours.
        let batches: Vec<_> =
            thinkers.chunk_by(|a, b| a.habitat == b.habitat).flat_map(|habitat| habitat.chunks(most)).collect();
        let this = &*self;
        let thought: Result<Vec<_>> =
            this.pool.install(|| batches.par_iter().map(|batch| this.answer(batch)).collect());
        let mut thoughts = Vec::with_capacity(thinkers.len());
        for (thought, prefix) in thought?.into_iter().flatten() {
            if let Some(prefix) = prefix {
                self.prefixes.insert((thought.habitat, thought.agent), prefix);
            }
            thoughts.push(thought);
        }
        Ok(thoughts)
    }

    /// One batch.
    fn answer(&self, thinkers: &[Thinker]) -> Result<Vec<(Thought, Option<Prefix>)>> {
        let begun = Instant::now();
        let mut thoughts = match self.plan.mind.mode {
            DecisionMode::Free => self.talk(thinkers)?,
            DecisionMode::Constrained => self.decide(thinkers)?.into_iter().map(|thought| (thought, None)).collect(),
        };
        let elapsed = begun.elapsed() / thinkers.len().max(1) as u32;
        thoughts.iter_mut().for_each(|(thought, _)| thought.elapsed = elapsed);
        Ok(thoughts)
    }

    /// The tokens of a prompt, of which there must be one at least: a reply goes on from the last.
    fn encode(&self, prompt: &str) -> Result<Vec<u32>> {
        let tokens = self.loaded.tokenizer.encode(prompt)?;
        if tokens.is_empty() {
            return Err(BrainError::Setting("An empty prompt has no answer: write one character at least".to_owned()));
        }
        Ok(tokens)
    }

    fn questions<'a>(&'a self, thinkers: &[Thinker], prompts: &'a [Vec<u32>]) -> Vec<Question<'a>> {
        let own = |thinker: &Thinker| self.adapters.get(&(thinker.habitat, thinker.agent));
        prompts.iter().zip(thinkers).map(|(tokens, thinker)| Question { tokens, adapter: own(thinker) }).collect()
    }

    /// Scores the actions and draws one.
    fn decide(&self, thinkers: &[Thinker]) -> Result<Vec<Thought>> {
        let prompts: Vec<_> = thinkers.iter().map(|thinker| self.encode(&thinker.prompt)).collect::<Result<_>>()?;
        let logits = self.scorer.score(&self.loaded.model, &self.layout, &self.questions(thinkers, &prompts))?;
        let mut thoughts = Vec::with_capacity(thinkers.len());
        for ((thinker, tokens), logits) in thinkers.iter().zip(&prompts).zip(&logits) {
            let mut thought = self.choose(thinker, logits)?;
            thought.tokens = self.scorer.cost(tokens.len()) as u32;
            thoughts.push(thought);
        }
        Ok(thoughts)
    }

    /// Lets every agent say what it likes; its words are not yet parsed.
    fn talk(&self, thinkers: &[Thinker]) -> Result<Vec<(Thought, Option<Prefix>)>> {
        let LoadedModel { model, tokenizer, chat, ends, .. } = &self.loaded;
        let encode = |thinker: &Thinker| match chat {
            Some(chat) => self.encode(&chat.write(&self.plan.instruction, &thinker.prompt)?),
            None => self.encode(&thinker.prompt),
        };
        let prompts: Vec<_> = thinkers.iter().map(encode).collect::<Result<_>>()?;
        let style = Style {
            temperature: self.plan.mind.temperature,
            top_p: self.plan.mind.top_p,
            max_tokens: self.plan.mind.max_tokens as usize,
            most_kept: kept_tokens(&model.shape()),
            ends: ends.clone(),
            stops: STOPS.map(str::to_owned).to_vec(),
        };
        let speaker = |(question, thinker): (_, &Thinker)| Speaker {
            question,
            prefix: self.prefixes.get(&(thinker.habitat, thinker.agent)),
            draws: thinker.draws.at(thinker.moment),
        };
        let mut speakers: Vec<_> = self.questions(thinkers, &prompts).into_iter().zip(thinkers).map(speaker).collect();
        let written = generate(model, tokenizer, &self.layout, &style, &mut speakers)?;
        let thought = |(thinker, written): (&Thinker, Written)| {
            let thought = Thought {
                habitat: thinker.habitat,
                agent: thinker.agent,
                text: written.text.into(),
                action: None,
                policy: [0.0; Action::COUNT],
                log_probabilities: [f32::NEG_INFINITY; Action::COUNT],
                log_probability: written.log_probability as f32,
                tokens: (written.read + written.tokens) as u32,
                elapsed: Duration::ZERO,
            };
            (thought, Some(written.prefix))
        };
        Ok(thinkers.iter().zip(written).map(thought).collect())
    }

    fn choose(&self, thinker: &Thinker, logits: &[Vec<f32>]) -> Result<Thought> {
        let trie = self.scorer.trie();
        // Not their softmax: at temperature 0 that is a number whatever the logits are.
        if logits.iter().flatten().any(|logit| !logit.is_finite()) {
            let who = thinker.agent.0;
            return Err(BrainError::Setting(format!(
                "The model gave no numbers for agent {who}: its weights or adapter are broken"
            )));
        }
        let as_told = trie.log_probabilities(logits, 1.0);
        let as_sampled = trie.log_probabilities(logits, self.plan.mind.temperature);
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
            log_probability: as_told[at] as f32,
            tokens: 0,
            elapsed: Duration::ZERO,
        })
    }
}

/// The adapter that every agent begins with, and its layout: the one that the settings name, or one that changes nothing.
fn founder(plan: &LlmPlan, loaded: &LoadedModel) -> Result<(AdapterLayout, Adapter)> {
    let path = plan.lora.adapter.trim();
    if !path.is_empty() {
        return load_peft(Path::new(path), &loaded.model);
    }
    let layout = AdapterLayout::choose(&plan.lora, &loaded.model.sites(), loaded.model.layers())?;
    let streams = Streams { seed: plan.seed, habitat: HabitatId(0), unseen: false };
    let a = shared_a(&layout, &mut streams.key(StreamName::Adapter).at(Moment::new(0, 0)));
    let blank = layout.blank(&a);
    Ok((layout, blank))
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
