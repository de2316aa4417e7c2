//! Measures the speed and memory of decisions, with the default model or any other.

use std::time::Instant;

use rand::{RngExt, seq::IndexedRandom};
use serde::Serialize;
use tempfile::NamedTempFile;

use super::machine::{Costs, Machine, Reached, Rows};
use crate::{
    app::{AppError, llm_plan},
    brain::{
        BrainError, Llm, LlmPlan, Resident,
        catalog::inspect,
        files::Mix,
        model::{LlamaConfig, RopeStyle},
        pretrain::write_shape,
    },
    config::RunConfig,
    language::write_prompt,
    protocol::{
        AgentId, Bearing, Cell, CreatureId, Direction, HabitatId, Moment, Observation, StreamName, Streams, Thing,
        Thinker,
    },
};

/// Spread of the adapters' B: they must not be blank, or they would cost nothing.
const SPREAD: f32 = 0.02;

/// What is measured.
#[derive(Debug, Clone)]
pub struct BenchPlan {
    /// The settings: model, adapters, threads, seed.
    pub config: RunConfig,
    /// Numbers of agents to measure.
    pub agents: Vec<u32>,
    /// Seconds to measure each number of agents for, after a first round.
    pub seconds: f64,
}

/// What was measured for one number of agents.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DecideRow {
    /// Agents that decide together.
    pub agents: u32,
    /// Habitats that they live in.
    pub habitats: u32,
    /// Time of one decision.
    #[serde(flatten)]
    pub timing: Timing,
    /// How near its median comes to what the machine can do.
    #[serde(flatten)]
    pub reached: Reached,
    /// Decisions per second, by the median.
    pub decisions_per_s: f64,
    /// Tokens read per second, by the median.
    pub tokens_per_s: f64,
}

/// How long something took, over many rounds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Timing {
    /// Rounds measured.
    pub rounds: usize,
    /// Median over rounds.
    pub median_ms: f64,
    /// Nineteen of twenty rounds took no longer.
    pub p95_ms: f64,
    /// Peak resident memory of the whole process so far, where the system tells.
    pub peak_mib: Option<f64>,
}

impl Timing {
    /// Sums up the times of all rounds, in milliseconds; at least one.
    pub(super) fn of(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        let at = |share: f64| times[((times.len() as f64 * share).ceil() as usize).clamp(1, times.len()) - 1];
        let peak_mib = Resident::read().map(|of| of.peak as f64 / f64::from(1 << 20));
        Self { rounds: times.len(), median_ms: at(0.5), p95_ms: at(0.95), peak_mib }
    }

    /// The peak in words.
    pub fn peak(&self) -> String {
        self.peak_mib.map_or_else(|| "–".to_owned(), |peak| format!("{peak:.0} MiB"))
    }
}

/// What was measured of one model.
#[derive(Debug, Clone, Serialize)]
pub struct DecideReport {
    /// The model.
    pub model: String,
    /// Its weights.
    pub parameters: u64,
    /// MiB that its matrices take.
    pub model_mib: f64,
    /// KiB that one agent's adapter takes.
    pub adapter_kib: f64,
    /// Mean tokens of a decision, of the last number of agents: the prompt's, and those of the branches.
    pub tokens: f64,
    /// Threads.
    pub threads: usize,
    /// What the machine can do, measured in the same run.
    pub machine: Machine,
    /// Per number of agents.
    pub rows: Vec<DecideRow>,
}

/// SmolLM-135M's shape.
pub const SMOLLM_135M: LlamaConfig = LlamaConfig {
    hidden: 576,
    inner: 1536,
    layers: 30,
    heads: 9,
    kv_heads: 3,
    head: 64,
    vocabulary: 49152,
    context: 2048,
    rope_theta: 10_000.0,
    rope_style: RopeStyle::Interleaved,
    eps: 1e-5,
    tied: true,
};

/// Measures decisions: every agent has another adapter that is not blank, and all of a round decide in one question.
///
/// # Errors
/// The model cannot be used.
pub fn bench_decide(plan: &BenchPlan, watch: impl FnMut(&DecideRow) + Send) -> Result<DecideReport, AppError> {
    let machine = machine(plan)?;
    mind(plan)?.host(|llm| decide(llm, plan, machine, watch))
}

/// The same with what is there.
fn decide(
    llm: &mut Llm,
    plan: &BenchPlan,
    machine: Machine,
    mut watch: impl FnMut(&DecideRow),
) -> Result<DecideReport, AppError> {
    let facts = llm.facts();
    let costs = Costs::of(&llm.model().model, llm.layout());
    let (mut measured, mut tokens) = (Vec::new(), 0.0);
    for agents in &plan.agents {
        let mut round = 0;
        let mut times = Vec::new();
        let begun = Instant::now();
        let mut read = 0;
        while round < 2 || begun.elapsed().as_secs_f64() < plan.seconds {
            let thinkers = thinkers(&plan.config, *agents, round);
            let asked = Instant::now();
            let thoughts = llm.think(&thinkers)?;
            if round > 0 {
                times.push(asked.elapsed().as_secs_f64() * 1e3 / f64::from(*agents));
                read += thoughts.iter().map(|thought| u64::from(thought.tokens)).sum::<u64>();
            }
            round += 1;
        }
        tokens = read as f64 / (times.len() as f64 * f64::from(*agents));
        let rows = Rows { tokens, read: f64::from(facts.reads) };
        let timing = Timing::of(times);
        let per_s = 1e3 / timing.median_ms;
        let row = DecideRow {
            agents: *agents,
            habitats: agents.div_ceil(plan.config.habitat.agents.max(1)),
            reached: costs.deciding(*agents, rows).share(*agents).reached(timing.median_ms, &machine),
            timing,
            decisions_per_s: per_s,
            tokens_per_s: per_s * tokens,
        };
        watch(&row);
        measured.push(row);
    }
    Ok(DecideReport {
        model: facts.name,
        parameters: facts.parameters,
        model_mib: (facts.model_bytes + facts.streamed_bytes + facts.stored_bytes) as f64 / f64::from(1 << 20),
        adapter_kib: facts.adapter_bytes as f64 / 1024.0,
        tokens,
        threads: llm.threads(),
        machine,
        rows: measured,
    })
}

/// A temporary GGUF file of random weights in a shape.
///
/// # Errors
/// The system gives no such file, or it cannot be written.
pub fn shape_file(shape: &LlamaConfig, mix: Mix) -> Result<NamedTempFile, AppError> {
    let folder = std::env::temp_dir();
    let file = tempfile::Builder::new().prefix("evolora-").suffix(".gguf").tempfile_in(&folder);
    let mut file = file.map_err(|error| BrainError::write(&folder, error))?;
    let mut draws = streams(&RunConfig::default()).key(StreamName::Weights).at(Moment::new(0, 0));
    write_shape(&mut file, shape, mix, &mut draws)?;
    Ok(file)
}

/// What the machine can do, if there is something to measure with it.
pub(super) fn machine(plan: &BenchPlan) -> Result<Machine, AppError> {
    inspect(&plan.config.model)?;
    Ok(Machine::measure(plan.config.run.threads))
}

/// The mind that is measured.
pub(super) fn mind(plan: &BenchPlan) -> Result<Llm, AppError> {
    let agents = u64::from(plan.agents.iter().copied().max().unwrap_or(1));
    let settings = LlmPlan { founder_spread: SPREAD, agents, ..llm_plan(&plan.config) };
    Ok(Llm::load(settings)?)
}

const fn streams(config: &RunConfig) -> Streams {
    Streams { seed: config.run.seed, habitat: HabitatId(0), unseen: true }
}

/// The habitat that an agent lives in: each holds as many as the settings say.
pub(super) fn habitat_of(config: &RunConfig, agent: u32) -> HabitatId {
    HabitatId(agent / config.habitat.agents.max(1))
}

/// Agents with prompts as a habitat gives them, other ones every round.
pub(super) fn thinkers(config: &RunConfig, agents: u32, round: u32) -> Vec<Thinker> {
    let streams = streams(config);
    let moment = Moment::new(0, round);
    let one = |agent| {
        let mut draws = streams.agent_key(StreamName::Corpus, AgentId(agent)).at(moment);
        let mut direction = || [*Direction::ALL.choose(&mut draws).unwrap_or(&Direction::North)];
        let (home, food, wall) = (direction(), direction(), direction());
        let carrying = draws.random_bool(0.3).then_some(Thing::Food);
        let at = Cell::new(draws.random_range(0..20), draws.random_range(0..20));
        let observation = Observation::new(at, draws.random_range(0..=100), carrying)
            .with(Thing::Home, Bearing::toward(&home))
            .with(Thing::Food, Bearing::toward(&food))
            .with(Thing::Wall, Bearing::toward(&wall));
        Thinker {
            creature: CreatureId(agent),
            exploration: 0.0,
            manner: None,
            habitat: habitat_of(config, agent),
            agent: AgentId(agent),
            observation,
            prompt: write_prompt(&observation),
            draws: streams.agent_key(StreamName::Act, AgentId(agent)),
            moment,
        }
    };
    (0..agents).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_files_layers_stay_in_it_and_decide_the_same_to_the_bit() {
        let shape = LlamaConfig { layers: 2, vocabulary: 4096, ..SMOLLM_135M };
        let file = shape_file(&shape, Mix::Q4).unwrap();
        let thoughts = |stream| {
            let mut config = RunConfig::default();
            config.model.path = file.path().to_string_lossy().into_owned();
            config.model.stream = stream;
            let plan = BenchPlan { config: config.clone(), agents: vec![2], seconds: 0.0 };
            let mut llm = mind(&plan).unwrap();
            let facts = llm.facts();
            let thoughts = llm.think(&thinkers(&config, 2, 0)).unwrap();
            let policies: Vec<_> = thoughts.into_iter().map(|thought| thought.policy).collect();
            (facts.streamed_bytes > facts.model_bytes, facts.stored_bytes > 0, policies)
        };
        let (there, here) = (thoughts(RunConfig::default().model.stream), thoughts(false));
        assert_eq!((there.0, there.1), (true, true), "as it comes");
        assert!(!here.0 && there.2 == here.2);
    }
}
