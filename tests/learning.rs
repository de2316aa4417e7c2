//! Learning, against torch and peft on the same model, adapter and batches (`tests/reference/make_training.py`).
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use evolora::{
    brain::{
        Scorer, Trie,
        learn::{Exercise, Gauge, Moments, Target, Teacher, norm, update},
        load_model,
        lora::load_peft,
    },
    config::ModelSettings,
    protocol::LearningRule,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Training {
    replies: Vec<Vec<u32>>,
    temperature: f64,
    entropy: f64,
    learning_rate: f64,
    clip: f64,
    steps: Vec<Vec<Sample>>,
    b: Course,
    ab: Course,
}

#[derive(Deserialize)]
struct Sample {
    prompt: Vec<u32>,
    reply: usize,
    weight: f64,
}

#[derive(Deserialize)]
struct Course {
    losses: Vec<f64>,
    norms: Vec<f64>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference")
}

#[test]
fn training_steps_equal_torch_and_peft() {
    let told: Training = serde_json::from_slice(&std::fs::read(folder().join("training.json")).unwrap()).unwrap();
    let recorded = candle_core::safetensors::load(folder().join("training.safetensors"), &Device::Cpu).unwrap();
    let path = folder().join("llama-hf").to_string_lossy().into_owned();
    let model = load_model(&ModelSettings { path, ..ModelSettings::default() }).unwrap().model;
    let scorer = Scorer::new(&model, Trie::new(told.replies.clone()).unwrap()).unwrap();
    let rule = LearningRule {
        learning_rate: told.learning_rate,
        temperature: told.temperature,
        entropy: told.entropy,
        gradient_clip: told.clip,
        ..LearningRule::default()
    };
    let activations = Gauge::default();
    for (name, course, with_a) in [("b", &told.b, false), ("ab", &told.ab, true)] {
        let (layout, mut adapter) = load_peft(&folder().join("peft/llama-0"), &model).unwrap();
        let mut moments = Moments::default();
        for (at, samples) in told.steps.iter().enumerate() {
            let prompts: Vec<_> = samples.iter().map(|sample| sample.prompt.clone()).collect();
            let target = |sample: &Sample| Target { reply: sample.reply, weight: sample.weight, log_acted: 0.0 };
            let targets: Vec<_> = samples.iter().map(target).collect();
            let exercise = Exercise { adapter: &adapter, prompts: &prompts, targets: &targets };
            let teacher = Teacher {
                model: &model,
                scorer: &scorer,
                layout: &layout,
                with_a,
                room: usize::MAX,
                hidden: None,
                activations: &activations,
            };
            let slope = teacher.slopes(&rule, &[exercise]).unwrap().remove(0);
            let (loss, length) = (course.losses[at], course.norms[at]);
            assert!(
                (slope.loss - loss).abs() < 1e-4 * loss.abs().max(1.0),
                "{name} step {at}: {} and {loss}",
                slope.loss
            );
            let ours = norm(&slope.gradient);
            assert!((ours - length).abs() < 1e-3 * length, "{name} step {at}: a gradient of {ours} and {length}");
            (adapter, moments) = update(&adapter, &moments, &slope.gradient, &rule, with_a).unwrap();
        }
        let mut moved = 0.0_f32;
        for (site, pair) in layout.sites.iter().zip(&adapter.pairs) {
            for (half, ours) in [("A", &pair.a), ("B", &pair.b)] {
                let theirs: &Tensor = &recorded[&format!("{name}.{}.{}.{half}", site.layer, site.target)];
                let theirs = theirs.flatten_all().unwrap().to_vec1::<f32>().unwrap();
                let far = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(far < 1e-4, "{name}, {half} on {} of layer {}: {far}", site.target, site.layer);
                moved = moved.max(far);
            }
        }
        assert!(moved > 0.0, "two implementations never agree to the last bit");
    }
}
