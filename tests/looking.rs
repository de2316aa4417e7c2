//! What a window asks of a run: a look into a mind, a copy of one, the transcript, the times, the notices.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::fs;

use bevy::prelude::*;
use evolora::{
    Simulation,
    app::{Changes, MemoryReport, RunReport, Standing, last_experiences, look_into, memory_report},
    config::MindKind,
    language::write_prompt,
    mind::{Asked, Creatures, Memories, duplicate, sum_up},
    protocol::{CreatureId, Outcome},
    record::{Checkpoints, Lineage, MachineLog, NoticeKind, Notices, Pulse, Retention, RunFiles, Transcript},
    sim::Habitat,
};

use common::{HOME, config};

fn home(simulation: &mut Simulation) -> Entity {
    let world = simulation.world_mut();
    world.query_filtered::<Entity, With<Habitat>>().iter(world).next().unwrap()
}

fn living(simulation: &mut Simulation) -> Vec<CreatureId> {
    let entity = home(simulation);
    simulation.world_mut().get::<Creatures>(entity).unwrap().living.clone()
}

#[test]
fn a_copy_takes_the_place_of_the_least_fit() {
    let mut simulation = Simulation::new(config(MindKind::Llm)).unwrap();
    let early = duplicate(simulation.world_mut(), (HOME, CreatureId(1))).unwrap_err();
    assert!(early.contains("has only begun"), "{early}");
    (0..7).for_each(|_| simulation.step());
    let entity = home(&mut simulation);
    let mut lives = sum_up(simulation.world_mut(), entity).unwrap().lives;
    lives.sort_by(|a, b| a.fitness.total_cmp(&b.fitness).then(b.agent.cmp(&a.agent)));
    let (least, best) = (lives[0], lives[4]);
    let child = duplicate(simulation.world_mut(), (HOME, best.creature)).unwrap();
    assert_eq!(child, CreatureId(5));
    assert_eq!(living(&mut simulation)[least.agent.0 as usize], child);
    let fitness = |simulation: &mut Simulation| {
        let lives = sum_up(simulation.world_mut(), entity).unwrap().lives;
        lives.iter().find(|life| life.creature == child).unwrap().fitness
    };
    assert_eq!(fitness(&mut simulation), 0.0, "its account begins anew");
    let world = simulation.world_mut();
    assert!(!world.get::<Memories>(entity).unwrap().0.contains_key(&least.creature));
    let one = world.resource::<Lineage>().creatures[&(HOME, child)].clone();
    assert_eq!((one.first_parent, one.second_parent, one.share), (Some(best.creature), Some(best.creature), Some(1.0)));
    assert_eq!((one.born, one.founder), (0, best.creature));
    let gone = world.resource::<Lineage>().creatures[&(HOME, least.creature)].clone();
    assert_eq!((gone.died, gone.fitness), (Some(0), least.fitness));
    // The worker makes it in its turn.
    simulation.step();
    let population = simulation.shelf().unwrap().open().clone();
    let minds = &population.minds;
    assert_eq!(minds[&(HOME, child)].adapter, minds[&(HOME, best.creature)].adapter, "nobody has learned since");
    assert!(!minds.contains_key(&(HOME, least.creature)));
    let dead = duplicate(simulation.world_mut(), (HOME, least.creature)).unwrap_err();
    assert_eq!(dead, format!("Creature {} does not live in habitat 0 any more.", least.creature));
    let report = simulation.run().unwrap();
    assert_eq!(report.rows.len(), 3);
    let copy = report.lineage.iter().find(|one| one.creature == child).unwrap();
    assert!(copy.energy_lost == Some(0.0) && copy.best_fitness.is_finite());
    let mut rules = Simulation::new(config(MindKind::Rules)).unwrap();
    rules.step();
    assert!(duplicate(rules.world_mut(), (HOME, CreatureId(0))).unwrap_err().contains("no language model"));
}

#[test]
fn a_run_with_a_copy_in_it_goes_on_from_a_checkpoint_as_if_nothing_had_been() {
    let folder = tempfile::tempdir().unwrap();
    let play = |name: &str, stop: Option<u64>| {
        let checkpoints = Checkpoints::of(&folder.path().join(name));
        let mut simulation = Simulation::new(config(MindKind::Llm)).unwrap();
        while !simulation.is_finished() {
            if simulation.turns() == 7 {
                duplicate(simulation.world_mut(), (HOME, CreatureId(2))).unwrap();
            }
            if stop == Some(simulation.turns()) {
                simulation.save(&checkpoints).unwrap();
                simulation = Simulation::resume(checkpoints.newest().unwrap(), &Changes::default()).unwrap();
            }
            simulation.step();
        }
        simulation.save(&checkpoints).unwrap();
        let newest = folder.path().join(name).join("checkpoints/000000000036");
        ["state.cbor", "minds.safetensors"].map(|file| fs::read(newest.join(file)).unwrap())
    };
    let whole = play("whole", None);
    for stop in [7, 8, 12, 13] {
        assert!(play(&format!("run{stop}"), Some(stop)) == whole, "stopped after {stop} turns");
    }
}

#[test]
fn one_mind_is_looked_into_without_waiting() {
    let mut simulation = Simulation::new(config(MindKind::Llm)).unwrap();
    (0..11).for_each(|_| simulation.step());
    let shelf = simulation.shelf().unwrap().clone();
    let name = (HOME, CreatureId(3));
    let look = look_into(&shelf, name).unwrap();
    let mind = shelf.open().minds[&name].clone();
    let layout = shelf.open().layout.clone().unwrap();
    assert_eq!((look.standing, look.version), (Standing::Alive, mind.moments.steps));
    assert!(look.version == 3 && look.norms.len() == layout.sites.len());
    // Against the product itself.
    for ((norm, site), pair) in look.norms.iter().zip(&layout.sites).zip(&mind.adapter.read().unwrap().pairs) {
        let mut squares = 0.0;
        for row in pair.b.chunks_exact(layout.rank) {
            for column in 0..site.inner {
                let entry: f64 = row
                    .iter()
                    .enumerate()
                    .map(|(k, b)| f64::from(*b) * f64::from(pair.a[k * site.inner + column]))
                    .sum();
                squares += (f64::from(layout.scale()) * entry).powi(2);
            }
        }
        assert!((norm.norm - squares.sqrt()).abs() < 1e-9 * (1.0 + squares) && norm.norm > 0.0, "{norm:?}");
    }
    assert_eq!(look_into(&shelf, (HOME, CreatureId(99))), None);
    {
        let _busy = shelf.open();
        assert_eq!(look_into(&shelf, name), None, "the worker is there");
    }
    let last = last_experiences(simulation.world_mut(), name, 4);
    assert_eq!(last.iter().map(|one| one.turn).collect::<Vec<_>>(), [7, 8, 9, 10]);

    let report = memory_report(simulation.world_mut(), Some(&shelf), MemoryReport::default());
    // Each has its own A and B, and the moments of both.
    let each = layout.bytes(false) as u64;
    assert_eq!((report.adapters, report.moments), (5 * each, 2 * 5 * each));
    assert!(report.model > 500_000 && report.experiences > 0 && report.caches == 0);
    assert!(report.resident.unwrap() > report.model && report.peak.unwrap() >= report.resident.unwrap());
    (0..3).for_each(|_| simulation.step());
    let dead: Vec<_> = shelf.forebears().iter().map(|(name, _)| *name).collect();
    // What the hall of fame has of them counts there.
    let beside = dead.iter().filter(|name| !shelf.open().hall.contains_key(name)).count() as u64;
    let report = memory_report(simulation.world_mut(), Some(&shelf), report);
    assert!(!dead.is_empty() && report.adapters > 5 * each, "{report:?}");
    assert_eq!(report.forebears, beside * each);
    assert!(dead.iter().all(|name| look_into(&shelf, *name).unwrap().standing == Standing::Forebear));
}

/// A turn in the way of an app that has more plugins than a simulation without a window.
fn watched(kind: MindKind) -> Simulation {
    let mut simulation = Simulation::new(config(kind)).unwrap();
    simulation.watch();
    simulation
}

#[test]
fn who_said_and_did_what_is_written_down() {
    let mut simulation = watched(MindKind::Llm);
    let (mut turns, mut prompts) = (0, Vec::new());
    while !simulation.is_finished() {
        simulation.step();
        turns += 1;
        prompts.extend(simulation.world_mut().resource::<Asked>().thinkers.iter().map(|one| one.prompt.clone()));
    }
    let world = simulation.world_mut();
    let transcript = world.resource::<Transcript>();
    assert_eq!((turns, transcript.total, transcript.lines.len()), (36, prompts.len() as u64, prompts.len()));
    for (line, prompt) in transcript.lines.iter().zip(&prompts) {
        assert_eq!(&write_prompt(&line.observation), prompt);
        assert!(line.probability.is_some_and(|p| p > 0.0 && p <= 1.0) && !line.stood_in && !line.reply.is_empty());
        assert_eq!((line.turn, line.generation), ((line.number / 5 % 12) as u32, (line.number / 60) as u32));
        assert!(line.outcome != Outcome::Delivered || line.reward == 25.0 - 0.05);
    }
    assert!(transcript.bytes() > 180 * 64);
    let log = world.resource::<MachineLog>();
    assert_eq!((log.decisions_made, log.rounds.len(), log.lessons_given), (180, 36, log.lessons_given));
    assert!(log.lessons_given > 30 && log.round_ms().unwrap().0 > 0.0 && log.lesson_ms().unwrap().0 > 0.0);
    let texts: Vec<_> = world.resource::<Notices>().list.iter().map(|one| (one.kind, one.text.clone())).collect();
    assert!(
        texts.iter().any(|(kind, text)| *kind == NoticeKind::Info && text.starts_with("Generation 1 has begun: 4"))
    );
    assert!(texts.iter().any(|(_, text)| text.starts_with("Generation 2 has ended: mean fitness ")), "{texts:?}");
}

#[test]
fn the_living_generations_course_ends_where_its_row_does() {
    let mut simulation = watched(MindKind::Rules);
    for turn in 1..12 {
        simulation.step();
        let entity = home(&mut simulation);
        let lives = sum_up(simulation.world_mut(), entity).unwrap().lives;
        let mean = lives.iter().map(|life| life.fitness).sum::<f64>() / 5.0;
        let (generation, points) = simulation.world_mut().resource::<Pulse>().of(HOME).unwrap();
        let last = points.last().unwrap();
        assert_eq!((generation, points.len(), last.turn, last.mean), (0, turn, turn as u32, mean));
    }
    (0..2).for_each(|_| simulation.step());
    assert_eq!(simulation.world_mut().resource::<Pulse>().of(HOME).unwrap().1.len(), 1);
}

#[test]
fn a_run_is_the_same_whether_it_is_watched_and_pruned_or_not() {
    let mut config = config(MindKind::Llm);
    (config.run.generations, config.run.turns, config.learning.every) = (90, 3, 2);
    config.learning.warm_up = 0;
    let folder = tempfile::tempdir().unwrap();
    let files = |name: &str| RunFiles::create(folder.path().join(name), false).unwrap();
    let write = |files: &RunFiles, report: &RunReport| {
        files.write_generations(&report.rows).unwrap();
        files.write_lineage(&report.lineage).unwrap();
    };
    let alone = Simulation::new(config.clone()).unwrap().run().unwrap();
    write(&files("alone"), &alone);
    let mut simulation = Simulation::new(config).unwrap();
    simulation.watch();
    let pruned = files("pruned");
    let mut retention = Retention::default();
    (retention.recent, retention.older, retention.kin) = (5, 5, 3);
    retention.archive = Some(pruned.clone());
    simulation.world_mut().insert_resource(retention);
    let report = simulation.run().unwrap();
    assert!(alone.rows.len() == 90 && report.rows.len() < 80 && report.lineage.len() < alone.lineage.len() / 2);
    assert_eq!((report.rows.last(), report.hall.as_slice()), (alone.rows.last(), alone.hall.as_slice()));
    write(&pruned, &report);
    for name in ["generations.csv", "lineage.csv"] {
        let read = |run: &str| fs::read_to_string(folder.path().join(run).join(name)).unwrap();
        assert!(read("pruned") == read("alone"), "{name}: nothing is missing in the folder");
    }
}
