//! What minds would do or say that are asked by hand: nothing of the run is touched by it.
//!
//! This module does *not* know who asks, or what the words mean.

use super::{Llm, Name, Question};
use crate::{
    brain::{
        Speaker,
        error::{BrainError, Result},
        generate,
        lora::Adapter,
        population::Population,
    },
    protocol::{AgentId, Consultation, Counsel, HabitatId, Moment, Opinion, StreamName, Streams},
};

/// Characters of a prompt beyond which it is not even looked at.
const MOST_CHARACTERS: usize = 1 << 16;

/// What is asked is found in the population, among the forebears, or in the hall of fame.
enum Asked {
    /// The bare model.
    Bare,
    /// Somebody.
    Mind(Adapter),
    /// Somebody whose adapter cannot be read back.
    Unread(BrainError),
    /// Nobody who is known.
    Unknown(Name),
}

impl Llm {
    /// What minds would do, or say, in any words.
    pub fn consult(&self, consultation: &Consultation) -> Counsel {
        let tokens = match self.read(consultation) {
            Ok(tokens) => tokens,
            Err(error) => return Counsel::silent(consultation, &error.to_string()),
        };
        let population = self.shelf.open().clone();
        let answers = consultation.minds.iter().map(|name| {
            let opinion = match self.find(*name, &population) {
                Asked::Unknown((habitat, creature)) => Opinion::Silent(format!(
                    "Creature {creature} of habitat {habitat} has no mind here any more, or none yet: the living have one from \
                     their first turn on, and of the dead the parents of the living and the hall of fame are kept."
                )),
                Asked::Unread(error) => Opinion::Silent(error.to_string()),
                Asked::Bare => self.opinion(consultation, *name, &tokens, None),
                Asked::Mind(adapter) => self.opinion(consultation, *name, &tokens, Some(&adapter)),
            };
            (*name, opinion)
        });
        Counsel { number: consultation.number, prompt: consultation.prompt.clone(), answers: answers.collect() }
    }

    /// The prompt's tokens.
    ///
    /// # Errors
    /// It is empty, or too long to be read whole.
    fn read(&self, consultation: &Consultation) -> Result<Vec<u32>> {
        let Consultation { prompt, manner, .. } = consultation;
        let too_long = |what: String| Err(BrainError::Setting(format!("The prompt is too long ({what}): shorten it")));
        if prompt.len() > MOST_CHARACTERS {
            return too_long(format!("{} bytes", prompt.len()));
        }
        if prompt.is_empty() {
            // A template would make something even of nothing.
            return self.encode(prompt);
        }
        let tokens = if manner.free { self.encode_chat(prompt)? } else { self.encode(prompt)? };
        let context = self.loaded.model.context();
        let room =
            if manner.free { context - (manner.max_tokens as usize).min(context / 2) } else { self.scorer.longest() };
        if tokens.len() > room {
            return too_long(format!("{} tokens, and the model reads {room}", tokens.len()));
        }
        Ok(tokens)
    }

    /// The mind of this name: as it lives, as it died, or as it was when it did best of all.
    fn find(&self, name: Option<Name>, population: &Population) -> Asked {
        let Some(name) = name else { return Asked::Bare };
        if let Some(mind) = population.minds.get(&name) {
            return mind.adapter.read().map_or_else(Asked::Unread, Asked::Mind);
        }
        let dead = self.shelf.forebears().get(&name).cloned();
        let kept = dead.or_else(|| population.hall.get(&name).cloned());
        kept.map_or(Asked::Unknown(name), |kept| kept.read().map_or_else(Asked::Unread, Asked::Mind))
    }

    fn opinion(
        &self,
        consultation: &Consultation,
        name: Option<Name>,
        tokens: &[u32],
        adapter: Option<&Adapter>,
    ) -> Opinion {
        let question = Question { tokens, adapter };
        let given = if consultation.manner.free {
            self.think_through(|| self.say(consultation, name, question))
        } else {
            self.think_through(|| self.weigh(consultation.manner.temperature, question))
        };
        given.unwrap_or_else(|error| Opinion::Silent(error.to_string()))
    }

    fn weigh(&self, temperature: f64, question: Question) -> Result<Opinion> {
        let logits = self.scorer.score(&self.loaded.model, &self.layout, &[question])?;
        let logits = logits.into_iter().next().unwrap_or_default();
        if logits.iter().flatten().any(|logit| !logit.is_finite()) {
            let what = "The model gave no numbers: its weights or this adapter are broken";
            return Err(BrainError::Setting(what.to_owned()));
        }
        let trie = self.scorer.trie();
        let (acts, told) = (trie.log_probabilities(&logits, temperature), trie.log_probabilities(&logits, 1.0));
        Ok(Opinion::Weighed {
            policy: std::array::from_fn(|i| acts[i].exp() as f32),
            log_probabilities: std::array::from_fn(|i| told[i] as f32),
        })
    }

    /// A free reply, drawn from a stream of its own: the same number gives the same words.
    fn say(&self, consultation: &Consultation, name: Option<Name>, question: Question) -> Result<Opinion> {
        let (habitat, agent) =
            name.map_or((HabitatId(0), AgentId(u32::MAX)), |(habitat, creature)| (habitat, AgentId(creature.0)));
        let streams = Streams { seed: self.plan.seed, habitat, unseen: false };
        let moment = Moment::new((consultation.number >> 32) as u32, consultation.number as u32);
        let draws = streams.agent_key(StreamName::Consult, agent).at(moment);
        let style = self.style(&consultation.manner);
        let mut speakers = [Speaker { question, prefix: None, draws }];
        let written = generate(&self.loaded.model, &self.loaded.tokenizer, &self.layout, &style, &mut speakers)?
            .into_iter()
            .next();
        let written = written.ok_or_else(|| BrainError::Setting("The mind said nothing".to_owned()))?;
        Ok(Opinion::Said { text: written.text, log_probability: written.log_probability as f32 })
    }
}
