//! The program as people run it: its commands, its files, its exit codes, and that a seed is a run.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

use proptest::prelude::*;

/// The program in an empty folder, with nothing of this machine's environment that could be a setting.
fn evolora(folder: &Path, arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evolora"));
    command.current_dir(folder).args(arguments.split_whitespace()).stdin(Stdio::null());
    let is_setting = |name: &str| name.starts_with("EVOLORA_") || evolora::config::specs().any(|spec| spec.env == name);
    for (name, _) in std::env::vars().filter(|(name, _)| is_setting(name)) {
        command.env_remove(name);
    }
    command
}

fn run(folder: &Path, arguments: &str) -> Output {
    evolora(folder, arguments).output().unwrap()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The rows of a run, header first.
fn generations(arguments: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    stdout(&run(folder.path(), &format!("headless --generations 3 --turns 60 --out run {arguments}")));
    let text = fs::read_to_string(folder.path().join("run/generations.csv")).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_seed_is_a_run_whatever_the_threads() {
    for mind in ["random", "rules"] {
        let first = generations(&format!("--mind {mind} --seed 7"));
        assert_eq!(first.len(), 4, "{first:?}");
        assert_eq!(first, generations(&format!("--mind {mind} --seed 7")));
        assert_ne!(first, generations(&format!("--mind {mind} --seed 8")));
    }
    // Enough agents that they look around on several threads.
    let crowd = "--mind rules --agents 1200 --size 60";
    assert_eq!(generations(&format!("{crowd} --threads 1")), generations(&format!("{crowd} --threads 2")));
}

#[test]
fn a_habitat_lives_the_same_life_alone_as_the_third_of_four() {
    let four = generations("--mind rules --habitats 4 --threads 2");
    let third: Vec<_> =
        four.iter().filter(|row| row.starts_with("2,") || row.starts_with("habitat")).cloned().collect();
    assert_eq!(third.len(), 4);
    assert_eq!(third, generations("--mind rules --habitats 1 --first-habitat 2 --threads 1"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn any_settings_give_the_same_run_twice(seed in any::<u32>(), agents in 1_u32..40, size in 8_u16..30) {
        let arguments = format!("--mind rules --perception sight --seed {seed} --agents {agents} --size {size}");
        prop_assert_eq!(generations(&arguments), generations(&arguments));
    }
}

#[test]
fn a_run_leaves_its_files_and_tells_what_it_did() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = "headless --mind rules --generations 2 --turns 40 --seed 5 --set reward.delivery=30 --out a/run";
    let text = stdout(&run(folder.path(), arguments));
    assert!(text.contains("generation  turns  mean fitness  best fitness  collected  delivered  deaths"), "{text}");
    assert!(text.contains("complete: 80 turns"), "{text}");
    assert!(text.contains("written to a/run"), "{text}");
    let json: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(folder.path().join("a/run/run.json")).unwrap()).unwrap();
    assert_eq!((&json["seed"], &json["ended"], &json["turns"]), (&5.into(), &"complete".into(), &80.into()));
    assert_eq!(json["settings"]["reward"]["delivery"], 30.0);
    assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
    assert!(json["host"]["cores"].as_u64().unwrap() > 0);
    let again = run(folder.path(), arguments);
    assert_eq!(again.status.code(), Some(1));
    let complaint = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(complaint.contains("evolora: a/run already holds a run; name another folder for --out"), "{complaint}");
    stdout(&run(folder.path(), &format!("{arguments} --overwrite")));
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_the_run_after_its_turn_and_saves_what_was_done() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = evolora(folder.path(), "headless --mind rules --generations 1000000 --turns 100 --out run")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // As soon as the first generation is in the file, the run is under way.
    let csv = folder.path().join("run/generations.csv");
    let rows = |path: &Path| fs::read_to_string(path).map_or(0, |text| text.lines().count());
    let begun = std::time::Instant::now();
    while rows(&csv) < 2 {
        assert!(child.try_wait().unwrap().is_none(), "the run ended before it was stopped");
        if begun.elapsed().as_secs() > 120 {
            child.kill().unwrap();
            panic!("no row came in two minutes");
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("stopped by Ctrl-C"), "{text}");
    // It was heard at once.
    let heard = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(heard.contains("Ctrl-C again ends at once"), "{heard}");
    let json: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(folder.path().join("run/run.json")).unwrap()).unwrap();
    assert_eq!(json["ended"], "interrupted");
    let turns: u64 = fs::read_to_string(&csv)
        .unwrap()
        .lines()
        .skip(1)
        .map(|row| row.split(',').nth(2).unwrap().parse::<u64>().unwrap())
        .sum();
    assert_eq!(json["turns"].as_u64().unwrap(), turns, "every turn that was played is in the file");
}

#[test]
fn rules_beats_random_on_unseen_maps_and_delivers_on_each() {
    let folder = tempfile::tempdir().unwrap();
    let text = stdout(&run(folder.path(), "eval --mind rules --maps 20 --json"));
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let maps = json["evaluation"]["maps"].as_array().unwrap();
    assert_eq!(maps.len(), 20);
    let value = |map: &serde_json::Value, mind: &str| map[mind]["fitness"].as_f64().unwrap();
    let differences: Vec<f64> = maps.iter().map(|map| value(map, "rules") - value(map, "random")).collect();
    let bound = evolora::lab::statistics::Estimate::of(&differences).lower();
    assert!(bound > 0.0, "lower bound {bound}");
    assert!(maps.iter().all(|map| map["rules"]["delivered"].as_u64().unwrap() > 0));
    let summary = &json["summary"];
    assert_eq!(summary["difference_to_rules"]["mean"], 0.0);
    let shown = summary["difference_to_random"]["mean"].as_f64().unwrap();
    assert!((shown - differences.iter().sum::<f64>() / 20.0).abs() < 1e-9);
    assert!(summary["fewest_delivered"].as_u64().unwrap() > 0);
    let alone = stdout(&run(folder.path(), "eval --mind random --maps 3 --alone"));
    assert!(alone.contains("random on 3 unseen maps of seed 42: one agent a map"), "{alone}");
    assert!(alone.contains("ratio to rules, map by map"), "{alone}");
}

/// Walls, food, home and starting cells of an evaluation's maps, whoever plays on them.
#[test]
fn every_mind_is_measured_on_the_same_maps() {
    let layout = |mind| {
        let mut config = evolora::config::RunConfig::default();
        config.mind.kind = mind;
        config.run.habitats = 3;
        let mut simulation = evolora::Simulation::on_unseen_maps(config).unwrap();
        let world = simulation.world_mut();
        let mut lines = Vec::new();
        for (habitat, ground) in world.query::<(&evolora::sim::Habitat, &evolora::sim::Ground)>().iter(world) {
            for thing in evolora::protocol::Thing::ALL {
                lines.extend(ground.all(thing).map(|(cell, _)| format!("{} {thing:?} {cell:?}", habitat.id)));
            }
        }
        for (agent, place) in world.query::<(&evolora::sim::Agent, &evolora::sim::GridPos)>().iter(world) {
            lines.push(format!("{} {place:?}", agent.id));
        }
        lines.sort();
        lines
    };
    let rules = layout(evolora::config::MindKind::Rules);
    assert_eq!(rules.len(), 3 * (24 + 4 + 56 + 20));
    assert_eq!(rules, layout(evolora::config::MindKind::Random));
}

#[test]
fn unseen_maps_are_not_those_of_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let text = stdout(&run(folder.path(), "eval --mind rules --maps 1 --turns 60 --json"));
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let unseen = json["evaluation"]["maps"][0]["mind"]["fitness"].as_f64().unwrap();
    let first: f64 = generations("--mind rules")[1].split(',').nth(4).unwrap().parse().unwrap();
    assert_ne!(unseen, first);
}

#[test]
fn config_shows_values_and_their_origins() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("evolora.toml"), "[habitat]\nwalls = 0.1\n").unwrap();
    fs::write(folder.path().join(".env"), "LORA_RANK=4\n").unwrap();
    let output = evolora(folder.path(), "config --agents 7").env("TEMPERATURE", "0.5").output().unwrap();
    let text = stdout(&output);
    let line = |key: &str| text.lines().find(|line| line.trim_start().starts_with(key)).unwrap().to_owned();
    assert!(line("habitat.walls").contains("0.1") && line("habitat.walls").contains("evolora.toml"));
    assert!(line("lora.rank").contains('4') && line("lora.rank").contains(".env"));
    assert!(line("habitat.agents").contains('7') && line("habitat.agents").contains("flag --agents"));
    assert!(line("mind.temperature").contains("environment variable TEMPERATURE"));
    assert!(line("run.seed").contains("default"));
}

#[test]
fn habitats_that_would_not_fit_into_memory_are_refused_before_they_are_made() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), "headless --habitats 10000 --size 1024");
    assert_eq!(output.status.code(), Some(1));
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(complaint.contains("The habitats need about") && complaint.contains("turn habitat.size"), "{complaint}");
}

#[test]
fn what_is_wrong_is_said_in_a_sentence_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), "headless --agents 0 --out run");
    assert_eq!(output.status.code(), Some(1));
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(
        complaint,
        "evolora: flag --agents: `habitat.agents` = 0 is out of range: it must be a whole number from 1 to 100000.\n"
    );
    assert!(!folder.path().join("run").exists());
    let usage = run(folder.path(), "headless --colour blue");
    assert_eq!(usage.status.code(), Some(2));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = evolora(folder.path(), "config").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"));
}

#[test]
fn the_language_model_decides_out_of_the_box_the_same_way_each_time() {
    let first = generations("--threads 1");
    assert_eq!(first, generations("--mind llm --threads 2"));
    assert_ne!(first, generations("--seed 8"));
    let four = generations("--habitats 3 --threads 2");
    let third: Vec<_> = four.iter().filter(|row| row.starts_with("2,")).cloned().collect();
    assert_eq!(third, generations("--first-habitat 2")[1..]);
}

#[test]
fn a_run_names_the_model_that_decided() {
    let folder = tempfile::tempdir().unwrap();
    let text = stdout(&run(folder.path(), "headless --generations 1 --turns 2 --out run"));
    assert!(text.contains("llm Evolora 206k · 20 agents"), "{text}");
    let json: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(folder.path().join("run/run.json")).unwrap()).unwrap();
    assert_eq!(json["model"]["name"], "Evolora 206k");
    assert_eq!(json["model"]["path"], "models/evolora-206k.gguf");
    assert_eq!(json["model"]["parameters"], 206_144);
    let rules = stdout(&run(folder.path(), "headless --mind rules --generations 1 --turns 2"));
    assert!(rules.starts_with("rules · 20 agents"), "{rules}");
}

#[test]
fn the_bare_model_knows_the_language_and_not_how_to_forage() {
    let folder = tempfile::tempdir().unwrap();
    let text = stdout(&run(folder.path(), "eval --mind llm --maps 4 --json"));
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mean = |mind: &str| json["summary"][mind]["mean"].as_f64().unwrap();
    assert!(mean("mind").abs() < 0.1 * mean("rules"), "{} of {}", mean("mind"), mean("rules"));
    assert_eq!(json["summary"]["fallback_turns"], 0);
}

#[test]
fn one_agent_heeds_what_the_settings_say_of_turns_and_minds() {
    let folder = tempfile::tempdir().unwrap();
    let turns = |arguments: &str| stdout(&run(folder.path(), &format!("agent --json {arguments}"))).lines().count();
    assert_eq!(turns(""), 20, "where nothing is said");
    fs::write(folder.path().join("evolora.toml"), "[run]\nturns = 3\n[mind]\nkind = \"rules\"\n").unwrap();
    assert_eq!((turns(""), turns("--turns 2")), (3, 2));
    let text = stdout(&run(folder.path(), "agent --json"));
    assert!(text.contains("\"tokens\":0"), "rules reads none: {text}");
    let shown = stdout(&run(folder.path(), "agent --turns 1"));
    assert!(shown.contains("turn 1  At ("), "what it saw stands there all the same: {shown}");
    let asked = run(folder.path(), "agent --prompt Hello");
    let complaint = String::from_utf8_lossy(&asked.stderr).into_owned();
    assert_eq!(complaint, "evolora: --prompt asks a language model, and mind.kind is rules.\n");
    let empty = evolora(folder.path(), "agent --mind llm").args(["--prompt", ""]).output().unwrap();
    assert_eq!(empty.status.code(), Some(1));
    let complaint = String::from_utf8_lossy(&empty.stderr).into_owned();
    assert_eq!(complaint, "evolora: An empty prompt has no answer: write one character at least.\n");
}

#[test]
fn one_agent_tells_its_prompt_its_reply_and_every_actions_probability() {
    let folder = tempfile::tempdir().unwrap();
    let text = stdout(&run(folder.path(), "agent --turns 3 --seed 5 --json"));
    let turns: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(turns.len(), 3);
    for turn in &turns {
        assert!(turn["prompt"].as_str().unwrap().starts_with("At ("));
        let actions = turn["actions"].as_array().unwrap();
        assert_eq!(actions[0]["action"], "move north");
        let sum = |key: &str, from: fn(f64) -> f64| actions.iter().map(|a| from(a[key].as_f64().unwrap())).sum::<f64>();
        assert!((sum("prob", |p| p) - 1.0).abs() < 1e-5 && (sum("logprob", f64::exp) - 1.0).abs() < 1e-5);
        assert!(actions.iter().any(|action| action["action"] == turn["reply"]));
        assert!(turn["tokens"].as_u64().unwrap() > 15 && turn["reward"].is_f64() && turn["ms"].is_f64());
        let keys = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
        assert_eq!(keys(turn), "actions ms prompt reply reward tokens");
        assert_eq!(keys(&actions[0]), "action logprob prob");
    }
    assert!(text.starts_with("{\"prompt\":"));
    let question = stdout(
        &evolora(folder.path(), "agent --free --json --temperature 0")
            .args(["--prompt", "The opposite of north is"])
            .output()
            .unwrap(),
    );
    let answer: serde_json::Value = serde_json::from_str(&question).unwrap();
    assert_eq!((answer["reply"].as_str(), &answer["reward"]), (Some("south"), &serde_json::Value::Null));
}

#[test]
fn a_run_tells_who_was_whose_child_and_what_was_learned() {
    let folder = tempfile::tempdir().unwrap();
    stdout(&run(folder.path(), "headless --generations 3 --turns 40 --out run"));
    let rows = |name: &str| {
        let mut csv = csv::Reader::from_path(folder.path().join("run").join(name)).unwrap();
        csv.deserialize().map(Result::unwrap).collect::<Vec<std::collections::HashMap<String, String>>>()
    };
    let generations = rows("generations.csv");
    assert_eq!(generations.len(), 3);
    assert_eq!(generations[0]["lines"], "20", "founders");
    assert!(generations.iter().all(|row| row["diversity"].parse::<f64>().unwrap() > 0.0), "{generations:?}");
    assert!(generations.iter().all(|row| row["lessons"].parse::<u64>().unwrap() > 0 && row["refused_lessons"] == "0"));
    let creatures = rows("lineage.csv");
    assert_eq!(creatures.len(), 20 + 16 + 16);
    let (founders, children): (Vec<_>, Vec<_>) = creatures.iter().partition(|one| one["first_parent"].is_empty());
    assert_eq!((founders.len(), children.len()), (20, 32));
    for child in children {
        assert_ne!(child["first_parent"], child["second_parent"]);
        let lost = child["energy_lost"].parse::<f64>().unwrap();
        assert!(0.0 < lost && lost < 1.0, "two adapters have more to say than one has room for: {lost}");
        assert!(child["moved_from_first"].parse::<f64>().unwrap() > 0.0);
    }
    let living = creatures.iter().filter(|one| one["died"].is_empty());
    assert_eq!(living.count(), 20);
}

/// The default model with weights that are no numbers.
fn broken_model(folder: &Path) {
    let mut bytes = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("models/evolora-206k.gguf")).unwrap();
    bytes[500_000..500_400].fill(0xff);
    fs::write(folder.join("broken.gguf"), bytes).unwrap();
}

#[test]
fn what_rules_does_in_a_minds_stead_is_not_measured_as_that_minds() {
    let folder = tempfile::tempdir().unwrap();
    broken_model(folder.path());
    let output = run(folder.path(), "eval --maps 1 --turns 5 --model broken.gguf");
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && complaint.contains("its weights or adapter are broken"), "{complaint}");
}

#[test]
fn who_speaks_freely_has_weighed_no_actions() {
    let folder = tempfile::tempdir().unwrap();
    let text = stdout(&run(folder.path(), "agent --free --json --turns 1"));
    let turn: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(turn["actions"], serde_json::json!([]));
    assert!(turn["tokens"].as_u64().unwrap() > 0 && turn["reply"].is_string());
}

#[cfg(target_os = "linux")]
#[test]
fn every_bench_tells_what_it_measured() {
    let folder = tempfile::tempdir().unwrap();
    let measured = |arguments: &str| -> serde_json::Value {
        serde_json::from_str(&stdout(&run(folder.path(), &format!("bench {arguments} --json")))).unwrap()
    };
    let number = |of: &serde_json::Value, key: &str| of[key].as_f64().unwrap_or_else(|| panic!("{key}: {of}"));
    for (arguments, own) in [
        ("decide --agents 2", "decisions_per_s"),
        ("train --agents 2 --batch 2 --again --set lora.layers=1", "steps_per_s"),
    ] {
        let report = measured(&format!("{arguments} --seconds 0"));
        let row = &report["rows"][0];
        for key in [own, "median_ms", "p95_ms", "peak_mib", "gflops", "share_of_limit"] {
            assert!(number(row, key) > 0.0, "{key}: {row}");
        }
        for key in ["gemm_gflops", "int8_gops", "copy_gbytes"] {
            assert!(number(&report["machine"], key) > 0.0, "{key}");
        }
        // The second round learns from what the first has kept.
        assert!(!arguments.starts_with("train") || report["hidden"]["found"] == 4, "{report}");
    }
    let report = measured("memory --span 12");
    let parts: f64 = report["parts"].as_array().unwrap().iter().map(|part| number(part, "bytes")).sum();
    assert!((parts - number(&report, "peak_bytes")).abs() < 1e-3 * parts, "{report}");
    let report = measured("arithmetic --prompts 5");
    assert!(report["prompts"] == 5 && report["is_same"] == true && report["mean_kl"] == 0.0, "{report}");
}

#[test]
fn turns_are_measured_for_each_number_of_agents_without_and_with_learning() {
    let folder = tempfile::tempdir().unwrap();
    let measured = run(folder.path(), "bench turn --agents 3,40 --threads 1 --seconds 0 --json");
    let report: serde_json::Value = serde_json::from_str(&stdout(&measured)).unwrap();
    let rows: Vec<_> = report["rows"].as_array().unwrap().iter().collect();
    let what = |row: &serde_json::Value| {
        let number = |key: &str| row[key].as_u64().unwrap();
        (number("agents"), number("habitats"), row["learns"].as_bool().unwrap())
    };
    let expected = [(3, 1, false), (3, 1, true), (40, 2, false), (40, 2, true)];
    assert_eq!(rows.iter().copied().map(what).collect::<Vec<_>>(), expected);
    assert!(report["machine"]["gemm_gflops"].as_f64().unwrap() > 0.0, "{report}");
    for row in rows {
        let part = row["share_of_limit"].as_f64().unwrap();
        assert!(row["gflops"].as_f64().unwrap() > 0.0 && 0.0 < part && part < 2.0, "{row}");
        let share = |part: &str| row["shares"][part].as_f64().unwrap();
        let [deciding, training, habitat, rest] = ["deciding", "training", "habitat", "rest"].map(share);
        let all = deciding + training + habitat + rest;
        assert!(deciding > 0.0 && habitat > 0.0 && all > 0.99, "the time is accounted for: {row}");
    }
    let refused = run(folder.path(), "bench turn --agents 20,0 --seconds 0");
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(refused.status.code() == Some(1) && said.contains("--agents"), "{said}");
}
