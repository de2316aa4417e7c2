//! The language model as a mind: one shared model, an adapter for every creature, all decisions of a turn together.
//!
//! This module does *not* know the grammar: prompts and the actions' phrases come as strings.

mod breed;
mod consult;
mod founders;
mod learn;
mod think;

use std::{collections::BTreeMap, sync::Arc};

use founders::{Founder, Founders};
use rayon::{ThreadPool, ThreadPoolBuilder, prelude::*};

use super::{
    Question, Scorer, Trie,
    catalog::{check_memory, free_memory, inspect, memory_need},
    error::{BrainError, Result},
    kernel::together,
    learn::HiddenStates,
    load::{LoadedModel, SMALL_MODEL, load_model, quantise, streams},
    lora::{Adapter, AdapterLayout},
    model::Prefix,
    offload::{KeptAdapter, Offload},
    population::{Mind, Name, Population, Shelf},
};
use crate::{
    config::{DecisionMode, Genome, LoraSettings, MindSettings, ModelSettings},
    protocol::{Manner, MindFacts, Moment, StreamName, Thinker},
};

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
    /// Room for what a training step of a large model keeps on its way forward, in MiB.
    pub activations: u32,
    /// Room for hidden states below the lowest adapter, in MiB; 0 keeps none.
    pub hidden_cache: u32,
    /// Whether what a large model's creatures do not need just now is put aside in a temporary file.
    pub offload: bool,
    /// What a reply says for each action, in the order of [`Action::ALL`](crate::protocol::Action::ALL), as it follows the prompt.
    pub phrases: Vec<String>,
    /// What a model with a chat template is told before the prompt.
    pub instruction: String,
    /// Spread of every founder's own B at its birth, uniform in ±spread; 0 begins with the same adapter for all.
    pub founder_spread: f32,
    /// Whether creatures pass on what they were born with, so that it must be kept beside what they learn.
    pub keeps_genomes: bool,
    /// Where a run goes on: the layout and the founders' adapters that it began with, in place of those that the settings name.
    pub inherited: Option<(AdapterLayout, Vec<Adapter>)>,
}

/// A language model with an adapter for every creature.
pub struct Llm {
    loaded: LoadedModel,
    plan: LlmPlan,
    scorer: Scorer,
    layout: AdapterLayout,
    /// What founders begin with.
    founders: Founders,
    shelf: Shelf,
    /// What each creature's free prompts have in common, read with its adapter.
    prefixes: BTreeMap<Name, Prefix>,
    pool: Arc<ThreadPool>,
    /// What the layers below the lowest adapter made of prompts.
    hidden: Option<HiddenStates>,
    /// Where moments, the hall of fame and the dead are put aside.
    offload: Offload,
}

impl Llm {
    /// Loads the model that the plan names, if it and its minds fit into memory.
    ///
    /// # Errors
    /// The model cannot be used, cannot tell the actions apart, or would not fit.
    pub fn load(plan: LlmPlan) -> Result<Self> {
        let pool = pool(plan.threads)?;
        Self::load_in(plan, pool)
    }

    /// Loads the model as [`Llm::load`] does, and makes `work` with it, or with why it cannot be, on one of the threads that think: what
    /// loading takes and gives back of the memory, deciding and learning have again.
    pub fn load_and<T: Send>(plan: LlmPlan, work: impl FnOnce(Result<Self>) -> T + Send) -> T {
        match pool(plan.threads) {
            Ok(pool) => pool.install(|| work(Self::load_in(plan, Arc::clone(&pool)))),
            Err(error) => work(Err(error)),
        }
    }

    fn load_in(plan: LlmPlan, pool: Arc<ThreadPool>) -> Result<Self> {
        let info = inspect(&plan.model)?;
        let mut need = memory_need(&info, quantise(plan.model.quant), &plan.lora, plan.agents)?;
        if plan.mind.mode == DecisionMode::Free {
            need = need.with_free_replies(&info.shape, plan.mind.max_tokens as usize, plan.agents);
        }
        let would_stream = |stream| streams(&ModelSettings { stream, ..plan.model.clone() }, &info);
        let is_streamed = would_stream(plan.model.stream);
        if is_streamed {
            need = need.with_layers_in_their_file(&info);
        }
        check_memory(&info, &need, free_memory(), !is_streamed && would_stream(true))?;
        // On a thread of those that think, who take again what is given back.
        let model = ModelSettings { stream: is_streamed, ..plan.model.clone() };
        let loaded = pool.install(|| load_model(&model))?;
        Self::in_pool(loaded, plan, pool)
    }

    /// The same with a model that has been loaded.
    ///
    /// # Errors
    /// As [`Llm::load`].
    pub fn of(loaded: LoadedModel, plan: LlmPlan) -> Result<Self> {
        let pool = pool(plan.threads)?;
        Self::in_pool(loaded, plan, pool)
    }

    fn in_pool(loaded: LoadedModel, plan: LlmPlan, pool: Arc<ThreadPool>) -> Result<Self> {
        if let Some(chat) = loaded.chat.as_ref().filter(|_| plan.mind.mode == DecisionMode::Free) {
            // Whether its template can be used is better known now than in every turn.
            chat.write(&plan.instruction, "")?;
        }
        let replies = plan.phrases.iter().map(|phrase| loaded.tokenizer.encode(phrase)).collect::<Result<_>>()?;
        let scorer = Scorer::new(&loaded.model, Trie::new(replies)?)?.in_arithmetic(plan.model.arithmetic);
        let (layout, founders) = match &plan.inherited {
            Some((layout, founders)) => Founders::inherited(layout, founders, &loaded)?,
            None => Founders::of(&plan.lora, &loaded)?,
        };
        let population = Population { layout: Some(layout.clone()), ..Population::default() };
        let (shelf, prefixes) = (Shelf::new(population), BTreeMap::new());
        // Without a temporary file everything is computed again.
        let keeps = plan.hidden_cache > 0 && layout.lowest().is_some_and(|lowest| lowest > 0);
        let hidden = keeps.then(|| HiddenStates::new(u64::from(plan.hidden_cache) << 20).ok()).flatten();
        let puts_aside = plan.offload && loaded.model.parameters() >= SMALL_MODEL;
        let offload = if puts_aside { Offload::to_file() } else { Offload::default() };
        Ok(Self { loaded, plan, scorer, layout, founders, shelf, prefixes, pool, hidden, offload })
    }

    /// The same with a population that is there already: of an earlier life of the worker, or of a run that goes on.
    ///
    /// # Errors
    /// Its adapters do not fit the model and the settings.
    pub fn with(mut self, shelf: Shelf) -> Result<Self> {
        let mut population = shelf.open();
        population.check(&self.layout)?;
        population.layout = Some(self.layout.clone());
        population.founders = self.founders.read().to_vec();
        population.put_aside(&self.offload, self.trains_a());
        drop(population);
        self.shelf = shelf;
        Ok(self)
    }

    /// Threads that it thinks with.
    pub fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// Makes `work` on one of its threads, so that none must wake another for every answer.
    pub fn host<T: Send>(&mut self, work: impl FnOnce(&mut Self) -> T + Send) -> T {
        let pool = Arc::clone(&self.pool);
        pool.install(|| work(self))
    }

    /// Makes something on its threads: with a large model they all help with every product.
    fn think_through<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.pool.install(|| if self.is_small() { work() } else { together(work) })
    }

    /// What its threads make of each of some things: of a small model's side by side, of a large one's one after the other, which takes
    /// less room. Where that is collected as a result, it ends with the first error.
    fn think_through_each<A, T, C>(&self, of: Vec<A>, one: impl Fn(A) -> T + Send + Sync) -> C
    where
        A: Send,
        T: Send,
        C: FromIterator<T> + FromParallelIterator<T> + Send,
    {
        self.think_through(|| match self.is_small() {
            true => of.into_par_iter().map(&one).collect(),
            false => of.into_iter().map(&one).collect(),
        })
    }

    /// What the person may want to know of it.
    pub fn facts(&self) -> MindFacts {
        MindFacts {
            name: self.loaded.name.clone(),
            path: self.loaded.path.clone(),
            sha256: self.loaded.sha256.clone(),
            parameters: self.loaded.model.parameters() as u64,
            model_bytes: self.loaded.model.bytes() as u64,
            streamed_bytes: self.loaded.model.streamed_bytes() as u64,
            stored_bytes: self.loaded.model.stored_bytes() as u64,
            tokenizer_bytes: self.loaded.tokenizer_bytes,
            adapter_bytes: self.layout.bytes(!self.trains_a()) as u64,
            reads: self.scorer.trie().forks().len() as u32,
        }
    }

    /// The model that everybody shares.
    pub const fn model(&self) -> &LoadedModel {
        &self.loaded
    }

    /// The adapters' rank, scale and sites.
    pub const fn layout(&self) -> &AdapterLayout {
        &self.layout
    }

    /// The population.
    pub const fn shelf(&self) -> &Shelf {
        &self.shelf
    }

    /// The tokens of a prompt, of which there must be one at least: a reply goes on from the last.
    fn encode(&self, prompt: &str) -> Result<Vec<u32>> {
        let tokens = self.loaded.tokenizer.encode(prompt)?;
        if tokens.is_empty() {
            return Err(BrainError::Setting("An empty prompt has no answer: write one character at least".to_owned()));
        }
        Ok(tokens)
    }

    /// Tokens that a decision by a prompt, or a sample with it, reads: its own, and those of the branches.
    ///
    /// # Errors
    /// It has no tokens, or not these words.
    pub fn cost(&self, prompt: &str) -> Result<usize> {
        Ok(self.scorer.cost(self.encode(prompt)?.len()))
    }

    /// Whether A is a creature's own, beside B.
    const fn trains_a(&self) -> bool {
        matches!(self.plan.lora.genome, Genome::FreeAb)
    }

    /// An adapter that nobody decides with just now.
    fn put_aside(&self, adapter: &KeptAdapter) -> KeptAdapter {
        self.offload.adapter(adapter, self.trains_a())
    }

    /// Whether its batches are small, and divided among threads.
    const fn is_small(&self) -> bool {
        self.loaded.model.parameters() < SMALL_MODEL
    }

    /// How a thinker decides: as it is told, or as the plan says.
    fn manner_of(&self, thinker: Option<&Thinker>) -> Manner {
        let mind = &self.plan.mind;
        thinker.and_then(|thinker| thinker.manner).unwrap_or(Manner {
            free: mind.mode == DecisionMode::Free,
            temperature: mind.temperature,
            max_tokens: mind.max_tokens,
            top_p: mind.top_p,
            keeps_genome: self.plan.keeps_genomes,
        })
    }

    /// Makes a founder for everybody who is asked and has no mind yet. Whoever is to pass on what it was born with has that
    /// kept from now on, with what it has learned so far.
    fn settle(&mut self, population: &mut Population, thinkers: &[Thinker]) {
        for thinker in thinkers {
            let born = || self.found(thinker);
            let mind = population.minds.entry((thinker.habitat, thinker.creature)).or_insert_with(born);
            match self.manner_of(Some(thinker)).keeps_genome {
                true if mind.genome.is_none() => mind.genome = Some(mind.adapter.clone()),
                false => mind.genome = None,
                true => {}
            }
        }
    }

    /// A founder, from the streams of its own habitat: so it is the same whatever else this worker thinks for.
    fn found(&mut self, thinker: &Thinker) -> Mind {
        let mut draws = thinker.draws.beside(StreamName::Adapter, thinker.creature.0).at(Moment::new(0, 0));
        let seed = thinker.draws.seed();
        let Founder { adapter, varies } =
            self.founders.found(&self.layout, self.plan.lora.genome, seed, thinker.creature, &mut draws);
        let adapter = if varies { adapter.varied(self.plan.founder_spread, &mut draws) } else { adapter };
        Mind::newborn(adapter, self.plan.keeps_genomes)
    }
}

/// Threads to think with, one for each core where they are 0.
fn pool(threads: u32) -> Result<Arc<ThreadPool>> {
    let pool = ThreadPoolBuilder::new().num_threads(threads as usize).build();
    pool.map(Arc::new).map_err(|error| BrainError::Setting(format!("The system gives no threads ({error})")))
}

/// The adapters of some creatures, where they have minds.
///
/// # Errors
/// One cannot be read any more.
fn adapters_of(names: impl Iterator<Item = Name>, population: &Population) -> Result<BTreeMap<Name, Adapter>> {
    let known = names.filter_map(|name| Some((name, population.minds.get(&name)?)));
    known.map(|(name, mind)| Ok((name, mind.adapter.read()?))).collect()
}
