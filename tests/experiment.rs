//! Experiments: arms live as runs do, what was stopped goes on, and folders are not mixed up.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Command, Output},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use evolora::{
    Simulation,
    app::Ended,
    config::RunConfig,
    lab::{
        eval::{EvalPlan, evaluate},
        experiment::{
            Champion, ChampionPlan, ExperimentFolder, ExperimentPlan, Results, Stage, Step, choose_arms, run_experiment,
        },
    },
    protocol::HabitatId,
    record::GenerationRow,
};

/// Few agents and turns, in which there is time for three lessons a generation.
fn settings() -> RunConfig {
    let mut config = RunConfig::default();
    (config.habitat.agents, config.habitat.size) = (5, 10);
    (config.run.turns, config.run.generations) = (40, 2);
    config
}

fn plan(arms: &str, seeds: &[u64], with_champions: &[&'static str]) -> ExperimentPlan {
    ExperimentPlan {
        config: settings(),
        arms: choose_arms(arms).unwrap(),
        seeds: seeds.to_vec(),
        champions: ChampionPlan { candidates: 2, validation_maps: 2, maps: 2, turns: 30 },
        with_champions: with_champions.to_vec(),
    }
}

fn open(at: &Path, plan: &ExperimentPlan) -> ExperimentFolder {
    ExperimentFolder::open(at, &plan.config, &plan.champions, false).unwrap()
}

/// Runs it until `until` holds.
fn run_until(at: &Path, plan: &ExperimentPlan, mut until: impl FnMut(&Step) -> bool) -> (Results, Ended) {
    let stop = Arc::new(AtomicBool::new(false));
    let mut watch = |step: &Step| {
        assert!(step.done <= step.work, "{step:?}");
        if until(step) {
            stop.store(true, Ordering::Relaxed);
        }
    };
    run_experiment(plan, &open(at, plan), &stop, &mut watch).unwrap()
}

/// What one arm lived with one seed, numbered as the only habitat of a run is.
fn lived(at: &Path, plan: &ExperimentPlan, arm: &str, seed: u64) -> (Vec<GenerationRow>, Option<Champion>) {
    let settings = plan.arms.iter().find(|one| one.name == arm).unwrap().settings(&plan.config, seed).unwrap();
    let mut cell = open(at, plan).load(arm, seed, &settings).unwrap().unwrap();
    cell.rows.iter_mut().for_each(|row| row.habitat = HabitatId(0));
    (cell.rows, cell.champion)
}

#[test]
fn every_seed_of_an_arm_lives_as_a_run_of_its_own() {
    let at = tempfile::tempdir().unwrap();
    let plan = plan("both,shared-a,evolution", &[42, 7, 8], &[]);
    let (_, ended) = run_until(at.path(), &plan, |_| false);
    assert_eq!(ended, Ended::Complete);
    let mut known = BTreeSet::new();
    for arm in &plan.arms {
        for seed in &plan.seeds {
            let config = arm.settings(&plan.config, *seed).unwrap();
            let alone = Simulation::new(config).unwrap().run().unwrap().rows;
            assert_eq!(lived(at.path(), &plan, arm.name, *seed).0, alone, "{} {seed}", arm.name);
            assert!(arm.name == "rules" || arm.name == "evolution" || alone[1].lessons == 15, "{alone:?}");
            known.insert(format!("{alone:?}"));
        }
    }
    assert_eq!(known.len(), 12, "no two lives are the same");
}

#[test]
fn what_was_stopped_goes_on_as_if_it_had_not_been() {
    let at = tempfile::tempdir().unwrap();
    let place = |name: &str| at.path().join(name);
    let plan = plan("base,learning,both", &[1, 2], &["learning", "both"]);
    let tables = |name: &str| {
        ["generations.csv", "summary.csv", "champions.csv"]
            .map(|file| fs::read_to_string(place(name).join(file)).unwrap())
    };
    let (results, _) = run_until(&place("whole"), &plan, |_| false);
    assert_eq!((results.generations.len(), results.arms.len(), results.champions.len()), (16, 4, 4));
    let whole = tables("whole");
    assert_eq!(whole.each_ref().map(|table| table.lines().count()), [17, 5, 9]);

    // Stopped while an arm lives, and while its champions play: what came before is kept.
    let during =
        |name: &'static str, stage: fn(Stage) -> bool| move |step: &Step| step.arm.name == name && stage(step.stage);
    let first = run_until(&place("parts"), &plan, during("learning", |stage| stage == Stage::Living(1)));
    assert_eq!((first.0.arms.len(), first.1), (2, Ended::Interrupted), "rules and base");
    let second = run_until(&place("parts"), &plan, during("both", |stage| stage == Stage::Champions));
    assert_eq!((second.0.arms.len(), second.1), (3, Ended::Interrupted));
    let page = || fs::read_to_string(place("parts/summary.md")).unwrap();
    assert!(page().contains("not complete:** still to be lived are `both` with the seeds 1, 2."), "{}", page());
    let mut again = BTreeSet::new();
    let (_, ended) = run_until(&place("parts"), &plan, |step| {
        again.insert(step.arm.name);
        false
    });
    assert_eq!((ended, again), (Ended::Complete, BTreeSet::from(["both"])), "only what was not there");
    assert!(!page().contains("not complete"), "{}", page());
    assert_eq!(tables("parts"), whole);

    // Seed by seed it comes to the same.
    for seeds in [vec![2], vec![1, 2]] {
        let part = ExperimentPlan { seeds, ..plan.clone() };
        run_until(&place("seeds"), &part, |_| false);
    }
    assert_eq!(tables("seeds"), whole);
    let page = fs::read_to_string(place("whole/summary.md")).unwrap();
    let command = "--arms rules,base,learning,both --seeds 1,2 --set habitat.agents=5";
    assert!(page.contains("SHA-256 `") && page.contains(command) && page.contains("| `both` | 2 |"), "{page}");
    let curves = fs::read_to_string(place("whole/curves.svg")).unwrap();
    assert!(curves.starts_with("<svg") && ["base", "learning", "both"].iter().all(|name| curves.contains(name)));
}

#[test]
fn champions_play_on_the_maps_of_an_evaluation_beside_rules() {
    let at = tempfile::tempdir().unwrap();
    let plan = plan("learning", &[3, 4], &["learning"]);
    run_until(at.path(), &plan, |_| false);
    for seed in [3, 4] {
        let champion = lived(at.path(), &plan, "learning", seed).1.unwrap();
        let mut config = settings();
        (config.run.seed, config.run.turns) = (seed, 30);
        let maps = evaluate(&EvalPlan { config, maps: 2, alone: true }).unwrap().maps;
        for (mine, map) in champion.maps.iter().zip(&maps) {
            assert_eq!(
                (mine.map, mine.rules_fitness, mine.rules_delivered),
                (map.map, map.rules.fitness, map.rules.delivered)
            );
            assert_ne!(mine.fitness, map.mind.fitness, "it has learned, and the bare model has not");
        }
        assert_eq!(champion.maps.len(), 2);
    }
}

fn evolora(folder: &Path, arguments: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evolora"));
    command.current_dir(folder).arg("experiment").args(arguments.split_whitespace());
    let is_setting = |name: &str| name.starts_with("EVOLORA_") || evolora::config::specs().any(|spec| spec.env == name);
    for (name, _) in std::env::vars().filter(|(name, _)| is_setting(name)) {
        command.env_remove(name);
    }
    command.output().unwrap()
}

#[test]
fn what_cannot_be_done_is_refused_in_a_sentence() {
    let at = tempfile::tempdir().unwrap();
    let small = "--arms random --seeds 1-2 --generations 1 --turns 20";
    let done = evolora(at.path(), &format!("{small} --out a"));
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success() && said.contains("random      2") && said.contains("written to a"), "{said}");
    fs::create_dir(at.path().join("b")).unwrap();
    fs::write(at.path().join("b/thesis.txt"), "").unwrap();
    for (arguments, code, sentence) in [
        ("--arms random", 2, "--out"),
        ("--arms nobody --out c", 1, "There is no arm `nobody`"),
        ("--arms random --seeds 5-1 --out c", 1, "--seeds 5-1: write seeds like 42-46"),
        (
            "--arms random --seed 7 --out c",
            1,
            "`run.seed` is 7 in the settings, but in an experiment that is what --seeds says",
        ),
        ("--arms random --mind rules --out c", 1, "`mind.kind` is rules"),
        ("--arms base --champions both --out c", 1, "--champions names `both`, which is not among --arms"),
        ("--arms random --champions random --out c", 1, "--champions names `random`, whose agents have no adapters"),
        ("--arms random --out b", 1, "b holds something that is no experiment"),
        ("--arms random --seeds 1 --generations 1 --turns 30 --out a", 1, "a: its `run.turns` is 20, and now it is 30"),
    ] {
        let refused = evolora(at.path(), arguments);
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(refused.status.code() == Some(code) && said.contains(sentence), "{arguments}: {said}");
        assert!(!at.path().join("c").exists(), "{arguments}");
    }
    assert!(evolora(at.path(), "--list-arms").status.success());
    let anew = evolora(at.path(), "--arms random --seeds 1 --generations 1 --turns 30 --out a --overwrite");
    assert!(anew.status.success(), "{}", String::from_utf8_lossy(&anew.stderr));
    let rows = fs::read_to_string(at.path().join("a/generations.csv")).unwrap();
    assert_eq!(rows.lines().count(), 3, "a header, random and rules");
}
