//! Measures whole turns of a run without a window: how many a second, what one agent costs, and where the time goes.
//!
//! Nobody dies and nothing is written to files, so that every turn has the same work; generations end and the next begin as in
//! any run.
//!
//! This module does *not* know how minds decide or learn.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::{
    bench::Timing,
    machine::{Costs, Machine, Reached, Rows, Work},
};
use crate::{
    app::{AppError, Simulation, Spent},
    brain::{Shelf, catalog::inspect, lora::AdapterLayout, quantise},
    config::{MindKind, RunConfig},
    mind::is_learning,
};

/// What is measured.
#[derive(Debug, Clone)]
pub struct TurnPlan {
    /// The settings: whose minds, the habitats, threads, seed.
    pub config: RunConfig,
    /// Numbers of agents to measure: as many to a habitat as the settings say, in as many habitats as are needed.
    pub agents: Vec<u32>,
    /// Whether they are measured without learning, with it, or both.
    pub learning: Vec<bool>,
    /// Seconds to measure each for, after the first turns.
    pub seconds: f64,
}

/// What was measured for one number of agents.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TurnRow {
    /// Agents in all habitats together.
    pub agents: u32,
    /// Habitats.
    pub habitats: u32,
    /// Whether they learn.
    pub learns: bool,
    /// Time of one turn of all habitats. Its median hides what comes in every tenth turn alone.
    #[serde(flatten)]
    pub timing: Timing,
    /// Turns per second, all of them counted.
    pub turns_per_s: f64,
    /// Decisions per second, likewise.
    pub decisions_per_s: f64,
    /// Microseconds that one agent's turn takes, likewise.
    pub agent_us: f64,
    /// Where the time went.
    pub shares: Shares,
    /// How near all turns come to what the machine can do; where a language model decides.
    #[serde(flatten)]
    pub reached: Option<Reached>,
    /// Of the prompts that were learned from, the share of which it was kept what the layers below the lowest adapter make of them;
    /// where there are such layers.
    pub hidden_kept: Option<f64>,
}

/// Parts of the time of all turns.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Shares {
    /// The worker, deciding.
    pub deciding: f64,
    /// The worker, training.
    pub training: f64,
    /// Habitats, memories and records.
    pub habitat: f64,
    /// The rest: the way to the worker and back. Training that goes on beside the habitats is not counted twice.
    pub rest: f64,
}

impl Shares {
    /// The parts of `total`, in which so much was spent.
    fn of(spent: &Spent, total: Duration) -> Self {
        let part = |time: Duration| time.as_secs_f64() / total.as_secs_f64();
        // What was learned while the habitats were busy cost nobody any time.
        let waited = spent.waiting.saturating_sub(spent.deciding);
        let (deciding, training) = (part(spent.deciding), part(spent.training.min(waited)));
        let habitat = part(spent.habitat);
        Self { deciding, training, habitat, rest: (1.0 - deciding - training - habitat).max(0.0) }
    }
}

/// What was measured of one mind.
#[derive(Debug, Clone, Serialize)]
pub struct TurnReport {
    /// Whose minds, and of which model.
    pub mind: String,
    /// Threads that were asked for, 0 for one per core.
    pub threads: u32,
    /// What the machine can do, measured in the same run; where a language model decides.
    pub machine: Option<Machine>,
    /// Per number of agents, without and with learning.
    pub rows: Vec<TurnRow>,
}

/// Measures turns: where agents learn, as many as there are between lessons, or a multiple of that.
///
/// # Errors
/// The settings or the mind cannot be used, or the mind stops answering.
pub fn bench_turn(plan: &TurnPlan, mut watch: impl FnMut(&TurnRow)) -> Result<TurnReport, AppError> {
    let (mut rows, mut mind) = (Vec::new(), String::new());
    let limit = Limit::of(&plan.config)?;
    for agents in &plan.agents {
        for learns in &plan.learning {
            let config = endless(&plan.config, *agents, *learns);
            let (row, name) = measure(config, plan.seconds, limit.as_ref())?;
            watch(&row);
            rows.push(row);
            mind = name;
        }
    }
    Ok(TurnReport { mind, threads: plan.config.run.threads, machine: limit.map(|limit| limit.machine), rows })
}

/// What the machine can do, and what it has to.
struct Limit {
    machine: Machine,
    costs: Costs,
}

impl Limit {
    /// That of a run whose minds are a language model; it is measured now.
    fn of(config: &RunConfig) -> Result<Option<Self>, AppError> {
        if config.mind.kind != MindKind::Llm {
            return Ok(None);
        }
        let info = inspect(&config.model)?;
        let layout = AdapterLayout::choose(&config.lora, &info.shape.sites(), info.shape.layers())?;
        let costs = Costs::of_shape(&info.shape, info.weights_bytes(quantise(config.model.quant)), &layout);
        Ok(Some(Self { machine: Machine::measure(config.run.threads), costs }))
    }

    /// How near so many turns come to it; of each decision `reads` rows are read.
    fn reached(&self, spent: &Spent, reads: u32, (turns, agents): (u32, u32), total: Duration) -> Reached {
        self.work(spent, reads, turns, agents).reached(total.as_secs_f64() * 1e3, &self.machine)
    }

    /// What so many turns had to do. A sample is taken to have as many tokens as a decision; the bare model's reading of it, where `KL_TO_BASE`
    /// asks for that, is not counted.
    fn work(&self, spent: &Spent, reads: u32, turns: u32, agents: u32) -> Work {
        let tokens = spent.tokens as f64 / (f64::from(turns) * f64::from(agents));
        let rows = Rows { tokens, read: f64::from(reads) };
        let round = self.costs.deciding(agents, rows);
        let all = Work { flop: round.flop * f64::from(turns), bytes: round.bytes * f64::from(turns) };
        // Weights that lessons read are the decisions' over again.
        all.and(Work { bytes: 0.0, ..self.costs.learning(1, rows.times(spent.samples as f64)) })
    }
}

/// Settings under which so many agents live, and nobody dies.
fn endless(config: &RunConfig, agents: u32, learns: bool) -> RunConfig {
    let mut config = config.clone();
    let each = config.habitat.agents.clamp(1, agents.max(1));
    config.habitat.agents = each;
    config.run.habitats = agents.div_ceil(each);
    config.run.generations = 1_000_000;
    config.energy.per_turn = 0.0;
    config.learning.enabled = learns;
    config
}

fn measure(config: RunConfig, seconds: f64, limit: Option<&Limit>) -> Result<(TurnRow, String), AppError> {
    let (habitats, learns) = (config.run.habitats, is_learning(&config));
    let agents = config.habitat.agents * habitats;
    // Until everybody has a mind, and the first lessons have been learned.
    let warm_up = config.learning.warm_up + config.learning.every + 1;
    let kind = config.mind.kind;
    let every = if learns { config.learning.every as usize } else { 1 };
    let mut simulation = Simulation::new(config)?;
    let model = simulation.facts().map(|facts| format!(" {}", facts.name)).unwrap_or_default();
    let reads = simulation.facts().map_or(0, |facts| facts.reads);
    (0..warm_up).for_each(|_| simulation.step());
    let hidden = |simulation: &Simulation| simulation.shelf().map(Shelf::hidden).unwrap_or_default();
    let (before, hidden_before) = (simulation.spent(), hidden(&simulation));
    let (begun, mut times) = (Instant::now(), Vec::new());
    // As many lessons as fall to so many turns.
    while times.is_empty() || !times.len().is_multiple_of(every) || begun.elapsed().as_secs_f64() < seconds {
        let turn = Instant::now();
        simulation.step();
        times.push(turn.elapsed().as_secs_f64() * 1e3);
    }
    let total = begun.elapsed();
    if let Some(complaint) = simulation.complaint() {
        return Err(AppError::Mind(complaint));
    }
    let uses = hidden(&simulation);
    let found = uses.found.saturating_sub(hidden_before.found) as f64;
    let asked = found + uses.missed.saturating_sub(hidden_before.missed) as f64;
    let spent = simulation.spent().since(&before);
    let turns_per_s = times.len() as f64 / total.as_secs_f64();
    let decisions_per_s = turns_per_s * f64::from(agents);
    let row = TurnRow {
        agents,
        habitats,
        learns,
        turns_per_s,
        decisions_per_s,
        agent_us: 1e6 / decisions_per_s,
        shares: Shares::of(&spent, total),
        reached: limit.map(|limit| limit.reached(&spent, reads, (times.len() as u32, agents), total)),
        timing: Timing::of(times),
        hidden_kept: (asked > 0.0).then(|| found / asked),
    };
    Ok((row, format!("{kind}{model}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_that_was_spent_side_by_side_is_not_counted_twice() {
        let ms = Duration::from_millis;
        let spent = Spent { deciding: ms(40), training: ms(30), habitat: ms(20), waiting: ms(75), ..Spent::default() };
        let close = |a: f64, b: f64| (a - b).abs() < 1e-9;
        let shares = Shares::of(&spent, ms(100));
        assert!(close(shares.deciding, 0.4) && close(shares.training, 0.3) && close(shares.habitat, 0.2), "{shares:?}");
        assert!(close(shares.rest, 0.1), "{shares:?}");
        let beside = Shares::of(&Spent { waiting: ms(50), ..spent }, ms(75));
        assert!(close(beside.training, 10.0 / 75.0) && close(beside.rest, 5.0 / 75.0), "{beside:?}");
    }

    #[test]
    fn the_work_of_turns_is_that_of_their_decisions_and_lessons() {
        let info = inspect(&RunConfig::default().model).unwrap();
        let layout = AdapterLayout::choose(&RunConfig::default().lora, &info.shape.sites(), 3).unwrap();
        let machine =
            Machine { threads: 2, gemm_gflops: 100.0, int8_gops: 300.0, instructions: ["a"; 2], copy_gbytes: 1e3 };
        let limit = Limit { machine, costs: Costs::of_shape(&info.shape, info.weights_bytes(None), &layout) };
        // Five turns of four agents, 24 tokens a decision; two samples.
        let spent = Spent { tokens: 480, samples: 2, ..Spent::default() };
        let work = limit.work(&spent, 2, 5, 4);
        // Three layers of q, k, v, o [64 → 64] and the MLP's [64 → 224]; adapters on q, v, o and down. Of the last layer, all but k and v
        // sees the two rows of 24 alone that are read; back through the lowest, nothing passes q, k and v.
        let (seen, rest) = (2.0 * 4096.0, 2.0 * 4096.0 + 3.0 * 14336.0);
        let (of_v, others) = (8.0 * 128.0, 8.0 * (2.0 * 128.0 + 288.0));
        let adapters = (3.0 * of_v + 2.0 * others) * 24.0 + others * 2.0;
        let forward = (3.0 * seen + 2.0 * rest) * 24.0 + rest * 2.0;
        let back = forward - (seen + 4096.0) * 24.0;
        let (decided, learned) = (2.0 * (forward + adapters) * 20.0, 2.0 * (forward + back + 3.0 * adapters) * 2.0);
        assert!((work.flop / (decided + learned) - 1.0).abs() < 1e-12, "{work:?}");
        let reached = limit.reached(&spent, 2, (5, 4), Duration::from_millis(10));
        assert!((reached.gflops - (decided + learned) / 1e7).abs() < 1e-9, "{reached:?}");
        assert!((reached.share_of_limit - reached.gflops / 100.0).abs() < 1e-9, "{reached:?}");
    }

    #[test]
    fn agents_are_spread_over_habitats() {
        let config = RunConfig::default();
        let counts = |agents| {
            let endless = endless(&config, agents, false);
            (endless.habitat.agents, endless.run.habitats, is_learning(&endless))
        };
        assert_eq!([1, 20, 2000].map(counts), [(1, 1, false), (20, 1, false), (20, 100, false)]);
    }
}
