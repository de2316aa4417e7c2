//! The making of a model from nothing: the same seed gives the same file, and what is made can be used.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::path::Path;

use evolora::{
    brain::load_model,
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
}
