//! Turns of the pure simulation with `random` minds: what an agent costs, from 20 of them to 20,000.
//!
//! `cargo bench --bench turns` prints, for each number of agents, the time of one turn and agent-turns per second
//! ("item/s"): flat if an agent costs the same among 20 and among 20,000. `habitats_side_by_side` has one habitat of
//! 20×20 cells for every 20 agents, `one_large_habitat` a single one of the same density.

use divan::{Bencher, counter::ItemsCount};
use evolora::{
    Simulation,
    config::{MindKind, RunConfig},
};

const AGENTS: [u32; 4] = [20, 200, 2_000, 20_000];

fn main() {
    divan::main();
}

/// Settings under which nobody dies and no generation ends, so that every turn has the same work.
fn endless() -> RunConfig {
    let mut config = RunConfig::default();
    config.mind.kind = MindKind::Random;
    config.run.turns = 1_000_000;
    config.run.threads = 1;
    config.energy.per_turn = 0.0;
    config
}

fn measure(bencher: Bencher, config: RunConfig) {
    let agents = config.run.habitats * config.habitat.agents;
    let mut simulation = match Simulation::new(config) {
        Ok(simulation) => simulation,
        Err(error) => {
            eprintln!("{error}");
            std::process::exit(1);
        }
    };
    (0..20).for_each(|_| simulation.step());
    bencher.counter(ItemsCount::new(agents)).bench_local(|| simulation.step());
}

#[divan::bench(args = AGENTS, min_time = 2)]
fn habitats_side_by_side(bencher: Bencher, agents: u32) {
    let mut config = endless();
    config.run.habitats = agents / config.habitat.agents;
    measure(bencher, config);
}

#[divan::bench(args = AGENTS, min_time = 2)]
fn one_large_habitat(bencher: Bencher, agents: u32) {
    let mut config = endless();
    config.habitat.agents = agents;
    config.habitat.size = (f64::from(agents) * 20.0).sqrt().round() as u16;
    measure(bencher, config);
}
