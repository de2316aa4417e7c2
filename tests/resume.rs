//! Runs that are stopped, killed or damaged, and go on as if nothing had been.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use evolora::{
    Simulation,
    app::{Changes, Chosen, find_creature},
    config::{DecisionMode, Genome, Inheritance, MindKind, RunConfig},
    record::{Checkpoints, hall_rows},
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A short life in which everything happens: deaths, lessons, births.
fn config() -> RunConfig {
    let mut config = RunConfig::default();
    (config.run.generations, config.run.turns, config.run.threads) = (3, 12, 1);
    (config.habitat.agents, config.habitat.size) = (5, 10);
    (config.learning.every, config.learning.warm_up, config.learning.batch_size) = (3, 3, 4);
    (config.energy.start, config.habitat.regrow_turns, config.learning.buffer) = (9.0, 2, 20);
    config.evolution.hall_of_fame = 3;
    config
}

/// Other ways to live, each with something else to be kept.
fn variant(number: usize) -> RunConfig {
    let mut config = config();
    match number % 6 {
        1 => config.lora.genome = Genome::FreeAb,
        2 => config.evolution.inheritance = Inheritance::Baldwin,
        3 => (config.run.habitats, config.run.first_habitat) = (2, 3),
        4 => (config.mind.mode, config.mind.max_tokens) = (DecisionMode::Free, 4),
        5 => config.mind.kind = MindKind::Rules,
        _ => {}
    }
    config
}

fn play_out(simulation: &mut Simulation) {
    while !simulation.is_finished() {
        simulation.step();
    }
}

/// Every byte of the only checkpoint in a folder.
fn bytes(run: &Path) -> Vec<(String, Vec<u8>)> {
    let newest = all(run).pop().unwrap();
    let files = fs::read_dir(newest).unwrap().map(|entry| entry.unwrap());
    let mut files: Vec<_> =
        files.map(|file| (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap())).collect();
    files.sort();
    files
}

fn all(run: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(run.join("checkpoints")) else { return Vec::new() };
    let is_whole = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().parse::<u64>().is_ok();
    let mut all: Vec<_> = entries.map(|entry| entry.unwrap().path()).filter(is_whole).collect();
    all.sort();
    all
}

fn end_of(mut simulation: Simulation, run: &Path) -> Vec<(String, Vec<u8>)> {
    play_out(&mut simulation);
    simulation.save(&Checkpoints::of(run)).unwrap();
    bytes(run)
}

#[test]
fn whatever_the_turn_after_which_it_was_stopped_a_run_goes_on_as_if_it_had_not_been() {
    let folder = tempfile::tempdir().unwrap();
    let mut draws = ChaCha8Rng::seed_from_u64(5);
    let ends: Vec<_> = (0..6)
        .map(|number| end_of(Simulation::new(variant(number)).unwrap(), &folder.path().join(format!("whole{number}"))))
        .collect();
    for round in 0..50 {
        let number = round % 6;
        let run = folder.path().join(format!("run{round}"));
        let mut simulation = Simulation::new(variant(number)).unwrap();
        let stop = draws.random_range(0..=36);
        while simulation.turns() < stop && !simulation.is_finished() {
            simulation.step();
            if draws.random_bool(0.1) {
                // Saving changes nothing.
                simulation.save(&Checkpoints::of(&run)).unwrap();
            }
        }
        simulation.save(&Checkpoints::of(&run)).unwrap();
        drop(simulation);
        let checkpoint = Checkpoints::of(&run).newest().unwrap();
        assert!(checkpoint.troubles.is_empty() && checkpoint.state.turns <= stop);
        let end = end_of(Simulation::resume(checkpoint, &Changes::default()).unwrap(), &run);
        let names = |end: &[(String, Vec<u8>)]| end.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&end), names(&ends[number]));
        for ((name, is), (_, was)) in end.iter().zip(&ends[number]) {
            assert!(is == was, "{name} differs: variant {number}, stopped after {stop} turns");
        }
        assert!(all(&run).len() <= 3, "three are kept");
    }
}

#[test]
fn a_run_that_is_over_can_have_more_generations() {
    let folder = tempfile::tempdir().unwrap();
    let (short, long) = (folder.path().join("short"), folder.path().join("long"));
    let mut longer = config();
    longer.run.generations = 5;
    let whole = end_of(Simulation::new(longer).unwrap(), &long);
    end_of(Simulation::new(config()).unwrap(), &short);
    let changes = Changes { generations: Some(5), ..Changes::default() };
    let resumed = Simulation::resume(Checkpoints::of(&short).newest().unwrap(), &changes).unwrap();
    assert_eq!(resumed.rows().len(), 3);
    let end = end_of(resumed, &short);
    assert!(end == whole, "as if it had been asked for from the beginning");
}

#[test]
fn one_altered_byte_is_noticed_and_the_checkpoint_before_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoints = Checkpoints::of(folder.path());
    let mut simulation = Simulation::new(config()).unwrap();
    for _ in 0..5 {
        simulation.step();
        simulation.save(&checkpoints).unwrap();
    }
    let kept = all(folder.path());
    let turns = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().parse::<u64>().unwrap();
    assert_eq!(kept.iter().map(turns).collect::<Vec<_>>(), [3, 4, 5]);
    let files: Vec<_> = fs::read_dir(&kept[2]).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 3);
    let mut draws = ChaCha8Rng::seed_from_u64(6);
    for round in 0..1000 {
        let path = &files[round % 3];
        let whole = fs::read(path).unwrap();
        let mut altered = whole.clone();
        let at = draws.random_range(0..altered.len());
        match round % 10 {
            9 => altered.truncate(at),
            _ => altered[at] ^= 1 << draws.random_range(0..8),
        }
        fs::write(path, &altered).unwrap();
        let found = checkpoints.newest().unwrap();
        assert_eq!((found.state.turns, found.troubles.len()), (4, 1), "{} at {at}", path.display());
        assert!(found.troubles[0].contains("000000000005"), "{}", found.troubles[0]);
        fs::write(path, whole).unwrap();
    }
    fs::remove_file(&files[0]).unwrap();
    fs::remove_file(kept[1].join("state.cbor")).unwrap();
    let found = checkpoints.newest().unwrap();
    assert_eq!((found.state.turns, found.troubles.len()), (3, 2));
    fs::write(kept[0].join("SHA256SUMS"), "").unwrap();
    let error = checkpoints.newest().unwrap_err().to_string();
    assert!(error.contains("no checkpoint") && error.contains("3 are broken"), "{error}");
}

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evolora"));
    command.args(["headless"]).args(arguments).stdin(Stdio::null()).stderr(Stdio::piped()).stdout(Stdio::piped());
    command
}

const LIFE: [&str; 20] = [
    "--generations",
    "2",
    "--turns",
    "60",
    "--agents",
    "4",
    "--size",
    "10",
    "--set",
    "run.checkpoint_every=4",
    "--set",
    "learning.every=5",
    "--set",
    "learning.warm_up=5",
    "--threads",
    "1",
    "--seed",
    "9",
    "--mind",
    "llm",
];

#[test]
fn a_run_that_is_killed_at_any_moment_goes_on_from_the_last_checkpoint_or_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, killed) = (folder.path().join("whole"), folder.path().join("killed"));
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let status = program(&LIFE).args(["--out", &path(&whole)]).output().unwrap().status;
    assert!(status.success());
    let expected = fs::read(whole.join("generations.csv")).unwrap();
    let mut draws = ChaCha8Rng::seed_from_u64(7);
    let (mut kills, mut finished, mut idle) = (0, 0, 0);
    while kills < 200 {
        let kept = all(&killed);
        let mut command = match kept.is_empty() {
            true => program(&LIFE),
            false => program(&[]),
        };
        match kept.is_empty() {
            true => command.args(["--overwrite", "--out", &path(&killed)]),
            false => command.args(["--resume", &path(&killed)]),
        };
        let mut child = command.spawn().unwrap();
        if idle >= 5 {
            // A slow machine: this one is killed some time after it has got further, or is over.
            while all(&killed) == kept && child.try_wait().unwrap().is_none() {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        std::thread::sleep(Duration::from_micros(draws.random_range(20_000..400_000)));
        child.kill().unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if let Some((_, rest)) = said.split_once("goes on after ") {
            let turns = rest.split(' ').next().unwrap().parse::<u64>().unwrap();
            let number = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().parse::<u64>().unwrap();
            assert!(kept.iter().rev().take(2).any(|path| number(path) == turns), "{turns} of {kept:?}");
        }
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!complaint.contains("error") && !complaint.contains("holds no checkpoint"), "{complaint}");
        if output.status.success() {
            assert_eq!(fs::read(killed.join("generations.csv")).unwrap(), expected);
            assert_eq!(bytes(&killed), bytes(&whole));
            fs::remove_dir_all(&killed).unwrap();
            finished += 1;
        } else {
            kills += 1;
            idle = if all(&killed) == kept { idle + 1 } else { 0 };
        }
    }
    assert!(finished > 0, "no run was ever finished between the kills");
}

#[test]
fn what_cannot_go_on_is_told_in_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().to_str().unwrap();
    let fails = |arguments: &[&str]| {
        let output = program(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(fails(&["--resume", run]).contains("holds no checkpoint"));
    let life = [&LIFE[..], &["--out", run, "--overwrite"]].concat();
    assert!(program(&life).output().unwrap().status.success());
    assert!(fails(&["--resume", run, "--seed", "3"]).contains("leave --seed out"));
    assert!(fails(&["--resume", run, "--generations", "many"]).contains("--generations takes a whole number"));
    assert!(fails(&["--resume", run, "--generations", "1"]).contains("--generations 1 is too few"));
    assert!(fails(&["--resume", "no/such/folder"]).contains("There is no folder no/such/folder"));
    let other = "tests/reference/llama-q4_0.gguf";
    let error = fails(&["--resume", run, "--model", other]);
    assert!(error.contains("was played with the model") && error.contains(other), "{error}");
    let output = program(&["--resume", run]).output().unwrap();
    assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("All 2 generations"));
    assert!(fails(&["--out", run]).contains("already holds a run"));
}

#[test]
fn creatures_are_found_with_their_adapters_and_memories() {
    let folder = tempfile::tempdir().unwrap();
    let mut lasting = config();
    // Elites live on and learn, so that some do better than before: their copies are of the later generation.
    (lasting.run.generations, lasting.run.turns, lasting.evolution.elite_ratio) = (8, 40, 0.8);
    lasting.energy.start = 60.0;
    let mut simulation = Simulation::new(lasting.clone()).unwrap();
    play_out(&mut simulation);
    simulation.save(&Checkpoints::of(folder.path())).unwrap();
    let population = simulation.shelf().unwrap().open().clone();
    let hall = hall_rows(simulation.world_mut());
    assert_eq!(hall.len(), 3);
    let names: Vec<_> = hall.iter().map(|row| (row.habitat, row.creature)).collect();
    assert!(population.hall.keys().all(|name| names.contains(name)) && population.hall.len() == 3);
    let find = |which: &str| find_creature(folder.path(), which.parse().unwrap(), None);
    for row in &hall {
        let found = find(&row.creature.to_string()).unwrap();
        let name = (row.habitat, row.creature);
        // Named by its number it is as it is now, if it lives.
        let in_hall = population.hall[&name].read().unwrap();
        let living = population.minds.get(&name).map(|mind| mind.adapter.read().unwrap());
        let expected = living.as_ref().unwrap_or(&in_hall);
        assert_eq!((found.adapter.as_ref(), found.layout.as_ref()), (Some(expected), population.layout.as_ref()));
        assert_eq!(found.honoured.unwrap().fitness, row.fitness);
        if row.generation == 7 {
            assert_eq!(&in_hall, expected, "nobody has learned since");
        }
    }
    let best = find("best").unwrap();
    assert_eq!((best.creature, best.honoured.unwrap().fitness), (hall[0].creature, hall[0].fitness));
    let as_it_was = population.hall[&(best.habitat, best.creature)].read().unwrap();
    assert_eq!(best.adapter, Some(as_it_was), "as it was when it did best");
    let scores = best.record().unwrap().creature.scores;
    assert_eq!((scores.fitness, scores.generation), (Some(hall[0].fitness), Some(hall[0].generation)));
    let mut rules = lasting;
    (rules.mind.kind, rules.run.generations) = (MindKind::Rules, hall[0].generation + 1);
    let beside = Simulation::new(rules).unwrap().run().unwrap().rows;
    assert_eq!(scores.rules_fitness, beside.last().map(|row| row.mean_fitness), "on the same map");
    // Nobody remembers more than the buffer holds, and every experience but the last of a life has a sequel.
    let (_, living) = population.minds.keys().next().unwrap();
    let all = find(&living.to_string()).unwrap().memory.experiences;
    assert!(!all.is_empty() && all.len() <= 20);
    assert!(all.iter().all(|one| one.done || one.next.is_some()));
    let error = find("99").unwrap_err().to_string();
    assert!(error.contains("has no creature 99; its population are"), "{error}");
    assert!("worst".parse::<Chosen>().is_err());
}

#[test]
fn a_run_needs_its_founders_files_no_more_once_it_has_begun() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let card = path(&folder.path().join("best.card"));
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_evolora"));
        let output = command.args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    run(&[&["headless"][..], &LIFE, &["--out", &path(&first)]].concat());
    run(&["export", "--run", &path(&first), "--format", "card", "--out", &card]);
    let founder = format!("lora.adapter={card}");
    run(&[&["headless"][..], &LIFE, &["--set", &founder, "--out", &path(&second)]].concat());
    fs::remove_file(&card).unwrap();
    run(&["headless", "--resume", &path(&second), "--generations", "3"]);
    assert_eq!(fs::read_to_string(second.join("generations.csv")).unwrap().lines().count(), 4);
}
