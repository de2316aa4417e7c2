//! Deciding: scores the actions of everybody who waits, or lets them talk.

use std::time::{Duration, Instant};

use rand::RngExt;

use super::{Llm, Name, adapters_of};
use crate::{
    brain::{
        Question, Speaker, Style, Written,
        catalog::kept_tokens,
        error::{BrainError, Result},
        generate,
        load::LoadedModel,
        model::Prefix,
        population::Population,
    },
    protocol::{Action, Manner, Policy, Survey, Surveyed, Thinker, Thought},
};

/// Agents in a batch of a small model.
const SMALL_BATCH: usize = 5;
/// Agents in a batch of a large model: more would not be faster, and would need more memory.
const LARGE_BATCH: usize = 64;

/// What ends a free reply beside the model's own end: replies are one line, of one sentence.
const STOPS: [&str; 2] = ["\n", "."];

fn name(thinker: &Thinker) -> Name {
    (thinker.habitat, thinker.creature)
}

impl Llm {
    /// Decides for every thinker, in the order in which they come: sorted by habitat and agent.
    ///
    /// # Errors
    /// A prompt is not text for the tokenizer, an adapter that was put aside cannot be read any more, or an operation fails.
    pub fn think(&mut self, thinkers: &[Thinker]) -> Result<Vec<Thought>> {
        let shelf = self.shelf.clone();
        let mut population = {
            let mut population = shelf.open();
            self.settle(&mut population, thinkers);
            // A copy, which is cheap: if this thread hangs, whoever saves the run must not wait for it.
            population.clone()
        };
        if !population.are_here(thinkers.iter().map(name)) {
            ((), population) = shelf.moving(|population| population.bring_back(thinkers.iter().map(name)))?;
        }
        let most = if self.is_small() { SMALL_BATCH } else { LARGE_BATCH };
        // A batch holds agents of one habitat, so that no habitat's numbers depend on its neighbours.
        let batches: Vec<_> =
            thinkers.chunk_by(|a, b| a.habitat == b.habitat).flat_map(|habitat| habitat.chunks(most)).collect();
        let (this, minds) = (&*self, &population);
        let thought: Result<Vec<_>> = this.think_through_each(batches, |batch| this.answer(batch, minds));
        let mut thoughts = Vec::with_capacity(thinkers.len());
        for ((thought, prefix), thinker) in thought?.into_iter().flatten().zip(thinkers) {
            if let Some(prefix) = prefix {
                self.prefixes.insert(name(thinker), prefix);
            }
            thoughts.push(thought);
        }
        let cached = self.prefixes.values().map(Prefix::bytes).sum::<usize>();
        self.shelf.note_cached(cached as u64);
        Ok(thoughts)
    }

    /// One batch.
    fn answer(&self, thinkers: &[Thinker], population: &Population) -> Result<Vec<(Thought, Option<Prefix>)>> {
        let begun = Instant::now();
        let manner = self.manner_of(thinkers.first());
        let mut thoughts = if manner.free {
            self.talk(thinkers, population, &manner)?
        } else {
            self.decide(thinkers, population, &manner)?.into_iter().map(|thought| (thought, None)).collect()
        };
        let elapsed = begun.elapsed() / thinkers.len().max(1) as u32;
        thoughts.iter_mut().for_each(|(thought, _)| thought.elapsed = elapsed);
        Ok(thoughts)
    }

    /// Scores the actions and draws one.
    fn decide(&self, thinkers: &[Thinker], population: &Population, manner: &Manner) -> Result<Vec<Thought>> {
        let prompts: Vec<_> = thinkers.iter().map(|thinker| self.encode(&thinker.prompt)).collect::<Result<_>>()?;
        let adapters = adapters_of(thinkers.iter().map(name), population)?;
        let asked = prompts.iter().zip(thinkers);
        let questions: Vec<_> =
            asked.map(|(tokens, who)| Question { tokens, adapter: adapters.get(&name(who)) }).collect();
        let logits = self.scorer.score(&self.loaded.model, &self.layout, &questions)?;
        let mut thoughts = Vec::with_capacity(thinkers.len());
        for ((thinker, tokens), logits) in thinkers.iter().zip(&prompts).zip(&logits) {
            let mut thought = self.choose(thinker, logits, manner.temperature)?;
            thought.tokens = self.scorer.cost(tokens.len()) as u32;
            thoughts.push(thought);
        }
        Ok(thoughts)
    }

    /// Lets every agent say what it likes; its words are not yet parsed.
    fn talk(
        &self,
        thinkers: &[Thinker],
        population: &Population,
        manner: &Manner,
    ) -> Result<Vec<(Thought, Option<Prefix>)>> {
        let LoadedModel { model, tokenizer, .. } = &self.loaded;
        let encode = |thinker: &Thinker| self.encode_chat(&thinker.prompt);
        let prompts: Vec<_> = thinkers.iter().map(encode).collect::<Result<_>>()?;
        let (style, adapters) = (self.style(manner), adapters_of(thinkers.iter().map(name), population)?);
        let speaker = |(tokens, thinker): (&'_ Vec<u32>, &'_ Thinker)| (tokens.clone(), name(thinker));
        let asked: Vec<_> = prompts.iter().zip(thinkers).map(speaker).collect();
        let mut speakers: Vec<_> = asked
            .iter()
            .zip(thinkers)
            .map(|((tokens, name), thinker)| Speaker {
                question: Question { tokens, adapter: adapters.get(name) },
                prefix: self.prefixes.get(name),
                draws: thinker.draws.at(thinker.moment),
            })
            .collect();
        let written = generate(model, tokenizer, &self.layout, &style, &mut speakers)?;
        let thought = |(thinker, written): (&Thinker, Written)| {
            let thought = Thought {
                habitat: thinker.habitat,
                agent: thinker.agent,
                text: written.text.into(),
                action: None,
                policy: [0.0; Action::COUNT],
                explored: 0.0,
                log_probabilities: [f32::NEG_INFINITY; Action::COUNT],
                log_probability: written.log_probability as f32,
                tokens: (written.read + written.tokens) as u32,
                elapsed: Duration::ZERO,
            };
            (thought, Some(written.prefix))
        };
        Ok(thinkers.iter().zip(written).map(thought).collect())
    }

    /// A prompt's tokens as free replies go on from them: in the words of the model's chat template, where it has one.
    pub(super) fn encode_chat(&self, prompt: &str) -> Result<Vec<u32>> {
        match &self.loaded.chat {
            Some(chat) => self.encode(&chat.write(&self.plan.instruction, prompt)?),
            None => self.encode(prompt),
        }
    }

    /// How free replies are written.
    pub(super) fn style(&self, manner: &Manner) -> Style {
        Style {
            temperature: manner.temperature,
            top_p: manner.top_p,
            max_tokens: manner.max_tokens as usize,
            most_kept: kept_tokens(&self.loaded.model.shape()),
            ends: self.loaded.ends.clone(),
            stops: STOPS.map(str::to_owned).to_vec(),
            arithmetic: self.plan.model.arithmetic,
        }
    }

    fn choose(&self, thinker: &Thinker, logits: &[Vec<f32>], temperature: f64) -> Result<Thought> {
        // Not their softmax: at temperature 0 that is a number whatever the logits are.
        if logits.iter().flatten().any(|logit| !logit.is_finite()) {
            let who = thinker.agent.0;
            return Err(BrainError::Setting(format!(
                "The model gave no numbers for agent {who}: its weights or adapter are broken"
            )));
        }
        let as_told = self.scorer.trie().log_probabilities(logits, 1.0);
        let as_sampled = self.policy(thinker, logits, temperature);
        let at = draw(&as_sampled, thinker.draws.at(thinker.moment).random());
        Ok(Thought {
            habitat: thinker.habitat,
            agent: thinker.agent,
            text: self.plan.phrases[at].trim().to_owned().into(),
            action: Some(Action::ALL[at]),
            policy: std::array::from_fn(|i| as_sampled[i] as f32),
            // By Bayes: exploration draws every action equally often.
            explored: (thinker.exploration / Action::COUNT as f64 / as_sampled[at]) as f32,
            log_probabilities: std::array::from_fn(|i| as_told[i] as f32),
            log_probability: as_told[at] as f32,
            tokens: 0,
            elapsed: Duration::ZERO,
        })
    }

    /// The probabilities that a thinker acts by: `(1 − ε)·π + ε/8`, with π at the acting temperature and ε its exploration.
    fn policy(&self, thinker: &Thinker, logits: &[Vec<f32>], temperature: f64) -> [f64; Action::COUNT] {
        let pi = self.scorer.trie().log_probabilities(logits, temperature);
        let explore = thinker.exploration;
        std::array::from_fn(|i| (1.0 - explore) * pi[i].exp() + explore / Action::COUNT as f64)
    }

    /// What creatures would do in some situations: π at the acting temperature, without exploration.
    ///
    /// # Errors
    /// A prompt is not text for the tokenizer, or an operation fails.
    pub fn survey(&self, survey: &Survey) -> Result<Surveyed> {
        let Survey { habitat, generation, newborn, creatures, temperature, prompts } = survey;
        let temperature = temperature.unwrap_or(self.plan.mind.temperature);
        let population = self.shelf.open().clone();
        let tokens: Vec<_> = prompts.iter().map(|prompt| self.encode(prompt)).collect::<Result<_>>()?;
        let minds = &population;
        let known =
            |creature: &&Option<_>| creature.is_none_or(|creature| minds.minds.contains_key(&(*habitat, creature)));
        let asked: Vec<_> = creatures.iter().filter(known).collect();
        let answer = |creature: &Option<_>| {
            let mind = creature.as_ref().and_then(|creature| minds.minds.get(&(*habitat, *creature)));
            let adapter = mind.map(|mind| mind.adapter.read()).transpose()?;
            let question = |tokens| Question { tokens, adapter: adapter.as_ref() };
            let questions: Vec<_> = tokens.iter().map(|tokens: &Vec<u32>| question(tokens)).collect();
            let logits = self.scorer.score(&self.loaded.model, &self.layout, &questions)?;
            let policy = |logits: &Vec<Vec<f32>>| {
                let logs = self.scorer.trie().log_probabilities(logits, temperature);
                std::array::from_fn(|i| logs[i].exp() as f32)
            };
            Ok((*creature, logits.iter().map(policy).collect::<Policy>()))
        };
        let policies: Result<Vec<_>> = self.think_through_each(asked, answer);
        Ok(Surveyed { habitat: *habitat, generation: *generation, newborn: *newborn, policies: policies? })
    }
}

/// The index at which the running sum of probabilities passes `point`, which is uniform in [0, 1).
fn draw(probabilities: &[f64], point: f64) -> usize {
    let mut sum = 0.0;
    let passed = probabilities.iter().position(|p| {
        sum += p;
        point < sum
    });
    // Rounding may leave the sum a hair below 1.
    let possible = || probabilities.iter().rposition(|p| *p > 0.0);
    passed.or_else(possible).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_falls_into_its_share() {
        let shares = [0.5, 0.0, 0.25, 0.25];
        let at = [0.0, 0.49, 0.5, 0.74, 0.75, 0.999_999].map(|point| draw(&shares, point));
        assert_eq!(at, [0, 0, 2, 2, 3, 3]);
        assert_eq!(draw(&[0.0, 1.0 - 1e-9, 0.0], 1.0 - 1e-16), 1);
    }
}
