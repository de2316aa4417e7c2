//! Settings that change while a run goes on.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::{fs, path::Path, sync::Arc};

use evolora::{
    Simulation,
    app::Changes,
    config::{DecisionMode, Inheritance, MindKind, PerceptionKind, RunConfig},
    mind::{Ask, LastThought, Resolve, change_settings, settings_of, wait_for_thoughts},
    protocol::CreatureId,
    record::{Checkpoints, GenerationRow},
    sim::{HabitatConfig, Roster},
};

use common::{HOME, config};

fn change(simulation: &mut Simulation, change: impl Fn(&mut RunConfig)) -> Result<(), String> {
    let world = simulation.world_mut();
    let mut config = RunConfig::clone(&*settings_of(world, HOME).unwrap());
    change(&mut config);
    change_settings(world, None, &Arc::new(config))
}

/// The rows of a run whose settings change after some turns.
fn rows(config: RunConfig, after: u64, how: impl Fn(&mut RunConfig)) -> Vec<GenerationRow> {
    let mut simulation = Simulation::new(config).unwrap();
    while simulation.turns() < after {
        simulation.step();
    }
    change(&mut simulation, how).unwrap();
    simulation.run().unwrap().rows
}

#[test]
fn what_belongs_to_a_generation_changes_with_the_next() {
    let rules = config(MindKind::Rules);
    let unchanged = rows(rules.clone(), 5, |_| {});
    let shorter = rows(rules.clone(), 5, |config| config.run.turns = 7);
    assert_eq!(shorter.iter().map(|row| row.turns).collect::<Vec<_>>(), [12, 7, 7]);
    assert_eq!(shorter[0], unchanged[0]);
    let weighed = rows(rules.clone(), 5, |config| config.fitness.delivered = 1000.0);
    assert_eq!(weighed[0], unchanged[0], "judged by the weights with which it began");
    assert_ne!(weighed[1].mean_fitness, unchanged[1].mean_fitness);
    assert_eq!(weighed[1].delivered, unchanged[1].delivered);
    let seeing = rows(rules.clone(), 5, |config| config.habitat.perception = PerceptionKind::Sight);
    let always = rows(RunConfig { habitat: seeing_habitat(&rules), ..rules.clone() }, 5, |_| {});
    assert_eq!((&seeing[0], &seeing[1..]), (&unchanged[0], &always[1..]));
    assert_ne!(seeing[1], unchanged[1]);
    let many = rows(rules.clone(), 5, |config| (config.habitat.agents, config.energy.start) = (9, 3.0));
    assert_eq!(many[0], unchanged[0]);
    assert_eq!((many[1].agents, many[1].deaths > 0), (9, true));
    // And what belongs to a turn changes with the next turn.
    let rewarded = rows(rules, 5, |config| config.reward.turn = -7.0);
    let expected = unchanged[0].mean_reward - 6.95 * 7.0;
    assert!((rewarded[0].mean_reward - expected).abs() < 1e-9, "seven turns of twelve: {expected}");
}

fn seeing_habitat(config: &RunConfig) -> evolora::config::HabitatSettings {
    evolora::config::HabitatSettings { perception: PerceptionKind::Sight, ..config.habitat.clone() }
}

#[test]
fn what_only_a_new_run_can_have_is_refused_and_changes_nothing() {
    let mut simulation = Simulation::new(config(MindKind::Rules)).unwrap();
    let refused = change(&mut simulation, |config| (config.lora.rank, config.run.turns) = (4, 99)).unwrap_err();
    assert!(refused.starts_with("`lora.rank` can only change when the run starts anew"), "{refused}");
    let wrong = change(&mut simulation, |config| config.mind.temperature = -1.0).unwrap_err();
    assert!(wrong.contains("mind.temperature"), "{wrong}");
    assert_eq!(settings_of(simulation.world_mut(), HOME).unwrap().run.turns, 12);
}

#[test]
fn a_turn_that_is_under_way_goes_by_the_settings_with_which_it_began() {
    let mut simulation = Simulation::new(config(MindKind::Rules)).unwrap();
    simulation.world_mut().run_schedule(Ask);
    change(&mut simulation, |config| config.reward.turn = -7.0).unwrap();
    let now = |simulation: &mut Simulation| {
        let world = simulation.world_mut();
        world.query::<&HabitatConfig>().iter(world).next().unwrap().reward.turn
    };
    assert_eq!(now(&mut simulation), -0.05);
    assert_eq!(settings_of(simulation.world_mut(), HOME).unwrap().reward.turn, -7.0, "as it will be");
    let world = simulation.world_mut();
    while !wait_for_thoughts(world, std::time::Duration::from_secs(1)) {}
    world.run_schedule(Resolve);
    assert_eq!(now(&mut simulation), -0.05);
    simulation.step();
    assert_eq!(now(&mut simulation), -7.0);
}

/// What the first agent thought last.
fn thought(simulation: &mut Simulation) -> evolora::protocol::Thought {
    let world = simulation.world_mut();
    let first = world.query::<&Roster>().iter(world).next().unwrap().0[0];
    world.get::<LastThought>(first).unwrap().0.clone().unwrap()
}

#[test]
fn the_worker_decides_in_the_manner_of_the_moment() {
    let mut llm = config(MindKind::Llm);
    llm.mind.exploration = 0.0;
    let mut simulation = Simulation::new(llm).unwrap();
    simulation.step();
    assert!(thought(&mut simulation).policy.iter().all(|p| *p < 0.999));
    change(&mut simulation, |config| config.mind.temperature = 0.0).unwrap();
    simulation.step();
    assert!(thought(&mut simulation).policy.contains(&1.0), "the likeliest, at temperature 0");
    change(&mut simulation, |config| (config.mind.mode, config.mind.max_tokens) = (DecisionMode::Free, 2)).unwrap();
    simulation.step();
    let free = thought(&mut simulation);
    assert!(free.action.is_none() && free.text.split(' ').count() <= 2, "{free:?}");
    change(&mut simulation, |config| config.mind.mode = DecisionMode::Constrained).unwrap();
    simulation.step();
    assert!(thought(&mut simulation).policy.contains(&1.0));
}

#[test]
fn learning_stops_and_begins_again() {
    let llm = config(MindKind::Llm);
    let learning = rows(llm.clone(), 0, |_| {});
    let stopped = rows(llm.clone(), 7, |config| config.learning.enabled = false);
    // Lessons are after turns 3, 6, 9 and 12, and what comes after a generation's last turn counts for the next.
    assert_eq!((learning[0].lessons, stopped[0].lessons, stopped[1].lessons), (15, 10, 0));
    // A kind of inheritance holds for a whole generation.
    let darwin = rows(llm, 7, |config| config.evolution.inheritance = Inheritance::Darwin);
    assert_eq!((darwin[0].lessons, darwin[1].lessons, darwin[2].lessons), (15, 5, 0));
}

#[test]
fn those_who_shall_pass_on_what_they_were_born_with_have_it_kept_from_then_on() {
    let mut llm = config(MindKind::Llm);
    (llm.habitat.agents, llm.evolution.elite_ratio, llm.evolution.mutation_rate) = (1, 0.0, 0.0);
    let mut simulation = Simulation::new(llm).unwrap();
    let mind = |simulation: &mut Simulation, creature| {
        simulation.shelf().unwrap().open().minds[&(HOME, CreatureId(creature))].clone()
    };
    (0..7).for_each(|_| simulation.step());
    let before = mind(&mut simulation, 0);
    assert!(before.genome.is_none() && before.moments.steps == 2);
    change(&mut simulation, |config| config.evolution.inheritance = Inheritance::Baldwin).unwrap();
    (0..4).for_each(|_| simulation.step());
    let after = mind(&mut simulation, 0);
    assert_eq!(after.genome.as_ref(), Some(&before.adapter), "as it was when that was asked for");
    assert!(after.adapter != before.adapter && after.moments.steps > before.moments.steps);
    (0..2).for_each(|_| simulation.step());
    let child = mind(&mut simulation, 1);
    assert_eq!((&child.adapter, child.genome.as_ref()), (&before.adapter, Some(&before.adapter)));
    change(&mut simulation, |config| config.evolution.inheritance = Inheritance::Lamarck).unwrap();
    simulation.step();
    assert!(mind(&mut simulation, 1).genome.is_none(), "nobody needs it any more");
}

#[test]
fn a_run_that_is_over_goes_on_when_it_has_more_generations() {
    let mut longer = config(MindKind::Llm);
    longer.run.generations = 4;
    let whole = Simulation::new(longer).unwrap().run().unwrap().rows;
    let mut simulation = Simulation::new(config(MindKind::Llm)).unwrap();
    while !simulation.is_finished() {
        simulation.step();
    }
    change(&mut simulation, |config| config.run.generations = 4).unwrap();
    assert!(!simulation.is_finished());
    assert_eq!(simulation.run().unwrap().rows, whole);
}

/// Every byte of the newest checkpoint.
fn bytes(run: &Path) -> Vec<Vec<u8>> {
    let mut all: Vec<_> = fs::read_dir(run.join("checkpoints")).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.sort();
    let mut files: Vec<_> = fs::read_dir(all.pop().unwrap()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

/// Ways to change a run in the middle of a generation.
fn ways() -> Vec<fn(&mut RunConfig)> {
    vec![
        |config| {
            (config.mind.temperature, config.mind.top_p, config.reward.shaping) = (1.3, 0.8, 0.1);
            (config.habitat.perception, config.habitat.scent_range) = (PerceptionKind::Sight, 4);
        },
        |config| (config.mind.mode, config.mind.max_tokens, config.habitat.scent_range) = (DecisionMode::Free, 3, 2),
        |config| config.evolution.inheritance = Inheritance::Baldwin,
        |config| {
            (config.run.turns, config.habitat.agents, config.fitness.delivered) = (8, 7, -3.0);
            (config.evolution.enabled, config.learning.learning_rate) = (false, 1e-2);
        },
    ]
}

#[test]
fn a_run_whose_settings_were_changed_goes_on_from_a_checkpoint_as_if_nothing_had_been() {
    let folder = tempfile::tempdir().unwrap();
    for (number, way) in ways().into_iter().enumerate() {
        for stop in [5, 6, 13, 20] {
            let (whole, run) = (
                folder.path().join(format!("whole{number}-{stop}")),
                folder.path().join(format!("run{number}-{stop}")),
            );
            let play = |resumed: bool, path: &Path| {
                let mut simulation = Simulation::new(config(MindKind::Llm)).unwrap();
                while !simulation.is_finished() {
                    if simulation.turns() == 5 {
                        change(&mut simulation, way).unwrap();
                    }
                    if resumed && simulation.turns() == stop {
                        simulation.save(&Checkpoints::of(path)).unwrap();
                        drop(simulation);
                        let kept = Checkpoints::of(path).newest().unwrap();
                        simulation = Simulation::resume(kept, &Changes::default()).unwrap();
                    }
                    simulation.step();
                }
                simulation.save(&Checkpoints::of(path)).unwrap();
                bytes(path)
            };
            assert!(play(false, &whole) == play(true, &run), "way {number}, stopped after {stop} turns");
        }
    }
}
