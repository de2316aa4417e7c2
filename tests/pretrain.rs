//! The making of a model from nothing: the same seed gives the same file, and what is made can be used.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::{
    path::Path,
    process::{Command, Output},
};

use evolora::{
    brain::{load_model, pretrain::Recipe},
    config::ModelSettings,
    lab::pretrain::{PretrainPlan, pretrain},
};

fn plan(seed: u64) -> PretrainPlan {
    let mut plan =
        PretrainPlan { seed, hidden: 32, layers: 1, tokenizer_documents: 2000, probes: 130, ..PretrainPlan::default() };
    (plan.recipe.steps, plan.recipe.batch, plan.recipe.warm_up) = (30, 16, 5);
    plan
}

#[test]
fn the_same_seed_gives_the_same_file_and_another_seed_another() {
    let folder = tempfile::tempdir().unwrap();
    let make = |name: &str, seed| {
        let file = folder.path().join("deep/er").join(name);
        let made = pretrain(&plan(seed), &file, |_| {}).unwrap();
        assert_eq!(made.bytes, std::fs::metadata(&file).unwrap().len());
        (std::fs::read(&file).unwrap(), made)
    };
    let ((first, made), (second, _), (other, _)) = (make("a.gguf", 1), make("b.gguf", 1), make("c.gguf", 2));
    assert_eq!(first, second);
    assert_ne!(first, other);
    assert_eq!((made.curve.len(), made.probes.iter().map(|score| score.asked).sum::<usize>()), (30, 130));
    // It has learned something: it began at the loss of guessing among its tokens.
    let (begun, ended) = (made.curve[0].loss, made.curve[29].loss);
    assert!(
        (begun - 430_f32.ln()).abs() < 0.3 && ended < begun - 1.0 && made.unseen_loss < begun - 1.0,
        "{begun} {ended}"
    );

    let path = folder.path().join("deep/er/a.gguf").to_string_lossy().into_owned();
    let loaded = load_model(&ModelSettings { path, ..ModelSettings::default() }).unwrap();
    assert_eq!((loaded.model.parameters(), loaded.name.as_str()), (made.parameters, "Evolora 29k"));
    let text = "At (17,3), E80. See: home↑→ wall↓ Action: pick up";
    assert_eq!(loaded.tokenizer.decode(&loaded.tokenizer.encode(text).unwrap()).unwrap(), text);
}

#[test]
fn a_plan_that_cannot_be_is_refused_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.gguf");
    let odd = PretrainPlan { hidden: 33, ..plan(1) };
    let error = pretrain(&odd, &file, |_| {}).unwrap_err().to_string();
    assert!(error.contains("multiple of 16, and is 33"), "{error}");
    let mut wild = plan(1);
    wild.recipe.learning_rate = 1e30;
    let error = pretrain(&wild, &file, |_| {}).unwrap_err().to_string();
    assert!(error.contains("lower the learning rate"), "{error}");
    assert!(!Path::new(&file).exists());
    for (odd, what) in [
        (PretrainPlan { recipe: Recipe { batch: 0, ..plan(1).recipe }, ..plan(1) }, "a document at least"),
        (PretrainPlan { recipe: Recipe { learning_rate: f64::NAN, ..plan(1).recipe }, ..plan(1) }, "and is NaN"),
        (PretrainPlan { layers: 0, ..plan(1) }, "a layer at least"),
    ] {
        let error = pretrain(&odd, &file, |_| panic!("nothing is trained")).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    }
}

#[test]
fn a_file_that_cannot_be_written_is_found_out_before_the_training() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    for place in ["", "file/a.gguf"] {
        let error =
            pretrain(&plan(1), &folder.path().join(place), |_| panic!("it is trained")).unwrap_err().to_string();
        assert!(error.contains("cannot be written ("), "{error}");
    }
    let program = run(folder.path(), "--out a.gguf --curve file/curve.csv --steps 2", 1);
    let complaint = String::from_utf8_lossy(&program.stderr).into_owned();
    assert!(complaint.starts_with("evolora: file/curve.csv cannot be written ("), "{complaint}");
    assert!(!folder.path().join("a.gguf").exists());
}

/// `evolora pretrain` in a process of its own, with so many threads.
fn run(folder: &Path, arguments: &str, threads: u32) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evolora"));
    command.current_dir(folder).arg("pretrain").args(arguments.split_whitespace());
    command.env("RAYON_NUM_THREADS", threads.to_string()).output().unwrap()
}

#[test]
fn any_number_of_threads_gives_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    let make = |threads: u32| {
        let file = format!("{threads}.gguf");
        let made = run(folder.path(), &format!("--out {file} --hidden 64 --layers 1 --steps 4 --batch 48"), threads);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        std::fs::read(folder.path().join(file)).unwrap()
    };
    let one = make(1);
    assert!(one.len() > 100_000);
    assert!(one == make(2) && one == make(3), "the bytes differ");
}
