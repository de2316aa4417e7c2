//! Measures training steps, with the default model or any other.

use std::time::Instant;

use serde::Serialize;

use super::{
    bench::{BenchPlan, Timing, habitat_of, machine, mind, thinkers},
    machine::{Costs, Machine, Reached, Rows},
};
use crate::{
    app::AppError,
    brain::{Llm, learn::Uses},
    mind::learning_rule,
    protocol::{Action, Lesson, Sample, Thinker, Train},
};

/// What was measured for one batch size and number of agents.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrainRow {
    /// Agents that learn in one request.
    pub agents: u32,
    /// Samples of each agent's step.
    pub batch: u32,
    /// Time of one agent's step.
    #[serde(flatten)]
    pub timing: Timing,
    /// How near its median comes to what the machine can do.
    #[serde(flatten)]
    pub reached: Reached,
    /// Steps per second, by the median.
    pub steps_per_s: f64,
}

/// What was measured of one model.
#[derive(Debug, Clone, Serialize)]
pub struct TrainReport {
    /// The model.
    pub model: String,
    /// Its weights.
    pub parameters: u64,
    /// KiB that one agent's adapter takes.
    pub adapter_kib: f64,
    /// Mean tokens of a sample, of the last row: the prompt's, and those of the branches.
    pub tokens: f64,
    /// Threads.
    pub threads: usize,
    /// What the machine can do, measured in the same run.
    pub machine: Machine,
    /// How often hidden states below the lowest adapter were kept, if any are.
    pub hidden: Option<Uses>,
    /// Per batch size and number of agents.
    pub rows: Vec<TrainRow>,
}

/// Measures training: every agent has another adapter that is not blank, and all of a round learn in one request, from the same
/// experiences in every round where `again`.
///
/// # Errors
/// The model cannot be used, or a step is refused.
pub fn bench_train(
    plan: &BenchPlan,
    batches: &[u32],
    again: bool,
    watch: impl FnMut(&TrainRow) + Send,
) -> Result<TrainReport, AppError> {
    let machine = machine(plan)?;
    mind(plan)?.host(|llm| teach(llm, plan, (batches, again), machine, watch))
}

/// The same with what is there.
fn teach(
    llm: &mut Llm,
    plan: &BenchPlan,
    (batches, again): (&[u32], bool),
    machine: Machine,
    mut watch: impl FnMut(&TrainRow),
) -> Result<TrainReport, AppError> {
    let facts = llm.facts();
    let costs = Costs::of(&llm.model().model, llm.layout());
    let (mut measured, mut tokens) = (Vec::new(), 0.0);
    for agents in &plan.agents {
        // Whoever learns has decided before.
        llm.think(&thinkers(&plan.config, *agents, 0))?;
        for batch in batches {
            let (mut round, mut times, mut read, mut taught) = (0, Vec::new(), 0, 0);
            let begun = Instant::now();
            while round < 2 || begun.elapsed().as_secs_f64() < plan.seconds {
                let train = lessons(plan, *agents, *batch, if again { 0 } else { round });
                for sample in train.lessons.iter().flat_map(|lesson| &lesson.steps).flatten() {
                    (read, taught) = (read + llm.cost(&sample.prompt)?, taught + 1);
                }
                let asked = Instant::now();
                let trained = llm.train(&train);
                if let Some(why) = trained.learned.iter().find_map(|learned| learned.refused.clone()) {
                    return Err(AppError::Mind(format!("A training step was refused: {why}.")));
                }
                if round > 0 {
                    times.push(asked.elapsed().as_secs_f64() * 1e3 / f64::from(*agents));
                }
                round += 1;
            }
            tokens = read as f64 / f64::from(taught);
            let rows = Rows { tokens, read: f64::from(facts.reads) }.times(f64::from(*batch));
            let row = row(*agents, *batch, Timing::of(times), |ms| {
                costs.learning(*agents, rows).share(*agents).reached(ms, &machine)
            });
            watch(&row);
            measured.push(row);
        }
    }
    Ok(TrainReport {
        model: facts.name,
        parameters: facts.parameters,
        adapter_kib: facts.adapter_bytes as f64 / 1024.0,
        tokens,
        threads: llm.threads(),
        machine,
        hidden: llm.hidden_uses(),
        rows: measured,
    })
}

fn row(agents: u32, batch: u32, timing: Timing, reached: impl Fn(f64) -> Reached) -> TrainRow {
    let (reached, steps_per_s) = (reached(timing.median_ms), 1e3 / timing.median_ms);
    TrainRow { agents, batch, timing, reached, steps_per_s }
}

/// One lesson for everybody, with prompts and actions as a habitat gives them, other ones every round.
fn lessons(plan: &BenchPlan, agents: u32, batch: u32, round: u32) -> Train {
    let rule = learning_rule(&plan.config);
    let all: Vec<Thinker> = (0..batch).flat_map(|at| thinkers(&plan.config, agents, round * batch + at + 1)).collect();
    let lesson = |agent: u32| {
        let own = all.iter().skip(agent as usize).step_by(agents as usize).enumerate();
        let sample = |(at, thinker): (usize, &Thinker)| Sample {
            prompt: thinker.prompt.clone(),
            action: Action::ALL[(agent as usize + at + round as usize) % Action::COUNT],
            weight: 1.0,
            log_acted: -2.0,
        };
        let creature = crate::protocol::CreatureId(agent);
        Lesson { habitat: habitat_of(&plan.config, agent), creature, rule, steps: vec![own.map(sample).collect()] }
    };
    Train { lessons: (0..agents).map(lesson).collect() }
}
