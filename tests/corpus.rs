//! What the corpus says comes of an action, against what the habitat does: two places that must not drift apart.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::collections::BTreeMap;

use evolora::{
    Simulation,
    config::{MindKind, PerceptionKind, RunConfig},
    language::corpus::result_of,
    mind::{Ask, Resolve, wait_for_thoughts},
    protocol::{Action, Outcome},
    sim::{GridPos, LastTurn, Seen},
};

/// Whether the words of the corpus fit what happened; `now` is where the agent stands after it.
fn fits(words: &str, action: Action, outcome: Outcome, now: GridPos) -> bool {
    match outcome {
        Outcome::Moved => words == format!("at ({},{})", now.0.x, now.0.y),
        Outcome::Bumped => words == "bumped into wall" || words == "bumped into edge",
        Outcome::PickedUp => words == "picked up food",
        Outcome::Delivered => words.starts_with("dropped food"),
        Outcome::AteHungry | Outcome::AteSated => words.starts_with("ate"),
        Outcome::Waited => words == "waited",
        Outcome::Invalid => match action {
            Action::PickUp => words == "already has food" || words == "no food here",
            Action::Drop => words == "has no food" || words == "not at home",
            Action::Eat => words == "no food",
            Action::Move(_) | Action::Wait => false,
        },
        Outcome::Unreadable => false,
    }
}

#[test]
fn the_habitat_does_what_the_corpus_says() {
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for (seed, perception) in (0..30).zip([PerceptionKind::Scent, PerceptionKind::Sight].into_iter().cycle()) {
        let mut config = RunConfig::default();
        config.mind.kind = MindKind::Random;
        (config.run.seed, config.run.generations, config.run.turns) = (seed, 1, 400);
        // Alone, so that nobody is quicker to the food; crowded with things, so that all of it happens.
        (config.habitat.agents, config.habitat.size, config.habitat.home_size) = (1, 9, 3);
        (config.habitat.food, config.habitat.walls, config.energy.per_turn) = (0.4, 0.15, 0.1);
        (config.habitat.perception, config.energy.hungry) = (perception, 99.0);
        let mut simulation = Simulation::new(config).unwrap();
        let world = simulation.world_mut();
        for _ in 0..400 {
            world.run_schedule(Ask);
            while !wait_for_thoughts(world, std::time::Duration::from_millis(20)) {}
            let observation = world.query::<&Seen>().iter(world).next().unwrap().0;
            world.run_schedule(Resolve);
            let (last, now) = world.query::<(&LastTurn, &GridPos)>().iter(world).next().unwrap();
            let Some(deed) = last.0 else { break };
            let words = result_of(deed.action, &observation);
            assert!(
                fits(&words, deed.action, deed.outcome, *now),
                "{:?}: {words:?}, but {:?}",
                deed.action,
                deed.outcome
            );
            *seen.entry(format!("{:?}", deed.outcome)).or_default() += 1;
        }
    }
    assert!(seen.len() >= 8 && seen.values().all(|times| *times >= 5), "every outcome was met: {seen:?}");
}
