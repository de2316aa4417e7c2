//! The models against recorded references: transformers, peft, llama.cpp and MLX on small random models of each family
//! (`tests/reference`, with the script that made them), and candle-transformers as a second, independent reader.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use candle_core::{DType, Device, Tensor, quantized::gguf_file::Content};
use candle_nn::VarBuilder;
use candle_transformers::models::{
    llama::{Cache as TheirCache, Llama as TheirLlama, LlamaConfig},
    quantized_llama::ModelWeights,
};
use evolora::{
    brain::{
        LoadedModel, load_model,
        lora::{ActiveAdapters, Adapter, AdapterLayout, load_peft},
        model::Batch,
    },
    config::{ModelSettings, ModelType, Quantisation},
};
use serde::Deserialize;

/// Largest difference of a logit to the recorded one; the logits' standard deviation is about 1.3.
const TOLERANCE: f32 = 1e-3;

#[derive(Deserialize)]
struct Expected {
    prompts: Vec<Vec<u32>>,
    greedy_prompt: usize,
    models: BTreeMap<String, Model>,
}

#[derive(Deserialize)]
struct Model {
    path: String,
    logits: String,
    full_prompts: Vec<usize>,
    base: Option<String>,
    greedy: Option<Vec<u32>>,
    #[serde(default)]
    tensor_types: BTreeMap<String, usize>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference")
}

struct Reference {
    expected: Expected,
    logits: std::collections::HashMap<String, Tensor>,
}

impl Reference {
    fn read() -> Self {
        let json = std::fs::read(folder().join("expected.json")).unwrap();
        let logits = candle_core::safetensors::load(folder().join("expected.safetensors"), &Device::Cpu).unwrap();
        Self { expected: serde_json::from_slice(&json).unwrap(), logits }
    }

    /// The largest difference of our logits for a prompt to the recorded ones.
    fn difference(&self, model: &Model, prompt: usize, ours: &Tensor) -> f32 {
        let recorded = &self.logits[&format!("{}/prompt{prompt}", model.logits)];
        let rows = ours.dim(0).unwrap();
        assert_eq!(recorded.dim(0).unwrap(), if model.full_prompts.contains(&prompt) { rows } else { 1 });
        let ours = ours.narrow(0, rows - recorded.dim(0).unwrap(), recorded.dim(0).unwrap()).unwrap();
        largest_difference(&ours, recorded)
    }
}

fn largest_difference(a: &Tensor, b: &Tensor) -> f32 {
    assert_eq!(a.dims(), b.dims());
    (a - b).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar().unwrap()
}

fn load(path: &str) -> LoadedModel {
    let path = folder().join(path).to_string_lossy().into_owned();
    load_model(&ModelSettings { path, ..ModelSettings::default() }).unwrap()
}

fn logits(loaded: &LoadedModel, tokens: &[u32], adapter: Option<(&AdapterLayout, &Adapter)>) -> Tensor {
    let batch = Batch::of(tokens);
    let active =
        adapter.map_or(ActiveAdapters::none(), |(layout, adapter)| layout.activate(&[(0..tokens.len(), adapter)]));
    loaded.model.logits(&loaded.model.features(&batch, &active).unwrap()).unwrap()
}

#[test]
fn logits_equal_the_recorded_ones_for_every_family_and_format() {
    let reference = Reference::read();
    let mut seen = Vec::new();
    for (name, model) in reference.expected.models.iter().filter(|(_, model)| model.base.is_none()) {
        let loaded = load(&model.path);
        for (at, prompt) in reference.expected.prompts.iter().enumerate() {
            let far = reference.difference(model, at, &logits(&loaded, prompt, None));
            assert!(far < TOLERANCE, "{name}, prompt {at}: {far}");
        }
        seen.push(name.as_str());
    }
    for family in ["llama-hf", "llama-sharded", "gpt-neo-hf", "gpt-neo-bin", "llama-mlx-4bit", "llama-mlx-8bit"] {
        assert!(seen.contains(&family), "{family}");
    }
    // Every type of matrix that a GGUF may have stands in one of the files.
    let types = |model: &Model| model.tensor_types.clone().into_keys();
    let known: BTreeSet<_> = reference.expected.models.values().flat_map(types).collect();
    let all = "BF16 F16 F32 Q2_K Q3_K Q4_0 Q4_1 Q4_K Q5_0 Q5_1 Q5_K Q6_K Q8_0";
    assert_eq!(known.into_iter().collect::<Vec<_>>().join(" "), all);
}

#[test]
fn greedy_tokens_equal_the_recorded_ones() {
    let reference = Reference::read();
    for (name, model) in reference.expected.models.iter() {
        let Some(greedy) = &model.greedy else { continue };
        let loaded = load(&model.path);
        let mut tokens = reference.expected.prompts[reference.expected.greedy_prompt].clone();
        let from = tokens.len();
        for _ in greedy {
            let last = logits(&loaded, &tokens, None).get(tokens.len() - 1).unwrap();
            tokens.push(last.argmax(0).unwrap().to_scalar().unwrap());
        }
        assert_eq!(&tokens[from..], greedy, "{name}");
    }
}

#[test]
fn adapters_equal_pefts_alone_and_in_a_batch_where_every_row_has_another() {
    let reference = Reference::read();
    let prompts = &reference.expected.prompts;
    for base in ["llama-hf", "gpt-neo-hf"] {
        let models = reference.expected.models.iter().filter(|(_, model)| model.base.as_deref() == Some(base));
        let loaded = load(&reference.expected.models[base].path);
        let read = |(name, model): (&String, &Model)| {
            (name.clone(), load_peft(&folder().join(&model.path), &loaded.model).unwrap())
        };
        let adapters: Vec<_> = models.map(read).collect();
        assert!(adapters.len() >= 3);
        for (name, (layout, adapter)) in &adapters {
            for (at, prompt) in prompts.iter().enumerate() {
                let ours = logits(&loaded, prompt, Some((layout, adapter)));
                let far = reference.difference(&reference.expected.models[name], at, &ours);
                assert!(far < TOLERANCE, "{name}, prompt {at}: {far}");
            }
        }
        // One batch: those of one layout, each with a prompt of another length.
        let (layout, _) = &adapters[0].1;
        let same: Vec<_> = adapters.iter().filter(|(_, (other, _))| other == layout).collect();
        let mut batch = Batch::default();
        let owners: Vec<_> = same
            .iter()
            .enumerate()
            .map(|(at, (_, (_, adapter)))| (batch.push(&prompts[at], &[]).rows.clone(), adapter))
            .collect();
        assert!(owners.len() >= 2);
        let features = loaded.model.features(&batch, &layout.activate(&owners)).unwrap();
        let all = loaded.model.logits(&features).unwrap();
        for (at, ((name, _), (rows, _))) in same.iter().zip(&owners).enumerate() {
            let ours = all.narrow(0, rows.start, rows.len()).unwrap();
            let far = reference.difference(&reference.expected.models[name], at, &ours);
            assert!(far < TOLERANCE, "{name} in a batch: {far}");
        }
    }
}

#[test]
fn a_peft_adapter_fits_the_gguf_of_its_base_by_reordering() {
    let reference = Reference::read();
    let loaded = load("llama-f32.gguf");
    let model = &reference.expected.models["peft/llama-1"];
    let (layout, adapter) = load_peft(&folder().join(&model.path), &loaded.model).unwrap();
    let ours = logits(&loaded, &reference.expected.prompts[1], Some((&layout, &adapter)));
    assert!(reference.difference(model, 1, &ours) < TOLERANCE);
    // As if it had been forgotten: the rows as Hugging Face has them.
    let hf = load("llama-hf");
    let (_, plain) = load_peft(&folder().join(&model.path), &hf.model).unwrap();
    let wrong = logits(&loaded, &reference.expected.prompts[1], Some((&layout, &plain)));
    assert!(reference.difference(model, 1, &wrong) > 0.05, "the test can tell");
}

/// How far our logits of a prompt's last token are from another reader's.
fn difference_at_the_end(loaded: &LoadedModel, prompt: &[u32], theirs: &Tensor) -> f32 {
    largest_difference(&logits(loaded, prompt, None).narrow(0, prompt.len() - 1, 1).unwrap(), theirs)
}

fn one_sequence(prompt: &[u32]) -> Tensor {
    Tensor::new(prompt, &Device::Cpu).unwrap().unsqueeze(0).unwrap()
}

#[test]
fn candle_transformers_reads_the_same_logits_of_gguf() {
    let reference = Reference::read();
    // Its product with q8_0 rounds the activations to 8 bits; f32 and f16 it multiplies as f32.
    for (name, most) in [("llama-f32.gguf", TOLERANCE), ("llama-f16.gguf", TOLERANCE), ("llama-q8_0.gguf", 0.3)] {
        let loaded = load(name);
        for (at, prompt) in reference.expected.prompts.iter().enumerate() {
            let mut file = std::fs::File::open(folder().join(name)).unwrap();
            let content = Content::read(&mut file).unwrap();
            let mut theirs = ModelWeights::from_gguf(content, &mut file, &Device::Cpu).unwrap();
            let last = theirs.forward(&one_sequence(prompt), 0).unwrap();
            let far = difference_at_the_end(&loaded, prompt, &last);
            assert!(far < most, "{name}, prompt {at}: {far}");
        }
    }
}

#[test]
fn candle_transformers_reads_the_same_logits_of_safetensors() {
    let reference = Reference::read();
    for name in ["llama-hf", "llama-sharded"] {
        let loaded = load(name);
        let json = std::fs::read(folder().join(name).join("config.json")).unwrap();
        let mut values: serde_json::Value = serde_json::from_slice(&json).unwrap();
        // Its config knows the older place only.
        if let Some(theta) = values["rope_parameters"]["rope_theta"].as_f64() {
            values["rope_theta"] = theta.into();
        }
        let config = serde_json::from_value::<LlamaConfig>(values).unwrap().into_config(false);
        let mut tensors = std::collections::HashMap::new();
        for entry in std::fs::read_dir(folder().join(name)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|ending| ending == "safetensors") {
                tensors.extend(candle_core::safetensors::load(path, &Device::Cpu).unwrap());
            }
        }
        let weights = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
        let theirs = TheirLlama::load(weights, &config).unwrap();
        for (at, prompt) in reference.expected.prompts.iter().enumerate() {
            let mut cache = TheirCache::new(false, DType::F32, &config, &Device::Cpu).unwrap();
            let last = theirs.forward(&one_sequence(prompt), 0, &mut cache).unwrap();
            let far = difference_at_the_end(&loaded, prompt, &last);
            assert!(far < TOLERANCE, "{name}, prompt {at}: {far}");
        }
    }
}

#[test]
fn dense_files_quantised_as_they_load_stay_near() {
    let reference = Reference::read();
    let model = &reference.expected.models["llama-hf"];
    let path = folder().join("llama-hf").to_string_lossy().into_owned();
    let near = |quant, kind| {
        let loaded =
            load_model(&ModelSettings { path: path.clone(), quant, kind, ..ModelSettings::default() }).unwrap();
        (reference.difference(model, 1, &logits(&loaded, &reference.expected.prompts[1], None)), loaded.model.bytes())
    };
    let (full, f32s) = near(Quantisation::None, ModelType::Auto);
    let (eight, q8) = near(Quantisation::Q8, ModelType::Safetensors);
    let (four, q4) = near(Quantisation::Q4, ModelType::Auto);
    assert!(full < TOLERANCE && eight > full && eight < 0.4 && four > eight && four < 5.0, "{full} {eight} {four}");
    assert_eq!((f32s / 4 * 34 / 32, f32s / 4 * 18 / 32), (q8, q4));
}

#[derive(Deserialize)]
struct TokenizerCases {
    cases: Vec<Case>,
    gguf: BTreeMap<String, String>,
    tokenizer_json: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Case {
    text: String,
    smollm: Spelling,
    gpt2: Spelling,
}

#[derive(Deserialize)]
struct Spelling {
    ids: Vec<u32>,
    decoded: String,
}

#[test]
fn tokenizers_equal_on_two_hundred_strings() {
    use evolora::brain::{Tokenizer, files::GgufFile};
    let json = std::fs::read(folder().join("tokenizer_cases.json")).unwrap();
    let all: TokenizerCases = serde_json::from_slice(&json).unwrap();
    assert_eq!(all.cases.len(), 200);
    for variant in ["smollm", "gpt2"] {
        let gguf = GgufFile::open(&folder().join(&all.gguf[variant])).unwrap();
        let ours = Tokenizer::from_gguf(&gguf).unwrap();
        let file = Tokenizer::from_file(&folder().join(&all.tokenizer_json[variant])).unwrap();
        for case in &all.cases {
            let spelling = if variant == "smollm" { &case.smollm } else { &case.gpt2 };
            for (tokenizer, from) in [(&ours, "GGUF"), (&file, "tokenizer.json")] {
                assert_eq!(tokenizer.encode(&case.text).unwrap(), spelling.ids, "{from} {variant} {:?}", case.text);
                assert_eq!(tokenizer.decode(&spelling.ids).unwrap(), spelling.decoded, "{from} {variant}");
            }
        }
    }
}
