//! What leaves the program, against peft and llama.cpp.

use std::{collections::HashMap, fs, path::Path};

use candle_core::{Device, Tensor};
use evolora::{
    brain::{
        LoadedModel,
        lora::{AdapterFormat, Base, Creature, Exported, export, load_adapter, load_peft, separate_rows},
    },
    config::LoraTarget::{self, Down, Gate, K, O, Q, Up, V},
};
use serde::Deserialize;

use super::{creature, largest_difference, load, logits, numbers, reference};

/// Largest difference of a logit to the recorded one; the logits' standard deviation is about 1.3.
const TOLERANCE: f32 = 1e-3;
const LLAMA: &[LoraTarget] = &[Q, K, V, O, Gate, Up, Down];

/// One export: the model, what it is written as, and the name of what was recorded.
struct Case {
    base: &'static str,
    format: AdapterFormat,
    name: &'static str,
    creature: fn(&LoadedModel) -> Creature,
}

fn on_gguf(loaded: &LoadedModel) -> Creature {
    creature(loaded, LLAMA, None, 11)
}

fn on_hugging_face(loaded: &LoadedModel) -> Creature {
    creature(loaded, LLAMA, None, 12)
}

fn on_gpt_neo(loaded: &LoadedModel) -> Creature {
    creature(loaded, &[Q, V, O, Up, Down], Some(2), 13)
}

const CASES: &[Case] = &[
    Case { base: "llama-f32.gguf", format: AdapterFormat::Peft, name: "of-gguf", creature: on_gguf },
    Case { base: "llama-f32.gguf", format: AdapterFormat::Gguf, name: "of-gguf.gguf", creature: on_gguf },
    Case { base: "llama-f32.gguf", format: AdapterFormat::Card, name: "of-gguf.card", creature: on_gguf },
    Case { base: "llama-hf", format: AdapterFormat::Gguf, name: "of-hf.gguf", creature: on_hugging_face },
    Case { base: "gpt-neo-hf", format: AdapterFormat::Peft, name: "of-gpt-neo", creature: on_gpt_neo },
];

/// Every file of an export, by its place below `tests/reference/export`.
fn files(case: &Case) -> Vec<(String, Vec<u8>)> {
    let loaded = load(case.base);
    match export(case.format, &Base::of(&loaded), &(case.creature)(&loaded)).unwrap() {
        Exported::File(bytes) => vec![(case.name.to_owned(), bytes)],
        Exported::Folder(files) => {
            files.into_iter().map(|(name, bytes)| (format!("{}/{name}", case.name), bytes)).collect()
        }
    }
}

fn exported(name: &str) -> std::path::PathBuf {
    reference("export").join(name)
}

/// Writes what `make_export.py` lets peft and llama.cpp read; run it before the script.
#[test]
#[ignore = "writes tests/reference/export"]
fn record_the_exports() {
    for (name, bytes) in CASES.iter().flat_map(files) {
        let path = exported(&name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

#[test]
fn exported_bytes_equal_those_that_peft_and_llama_cpp_read() {
    let mut seen = 0;
    for (name, bytes) in CASES.iter().flat_map(files) {
        let recorded = fs::read(exported(&name)).unwrap();
        let differs = bytes.iter().zip(&recorded).position(|(ours, theirs)| ours != theirs);
        assert!(bytes == recorded, "{name}: byte {differs:?} of {} and {}", bytes.len(), recorded.len());
        seen += 1;
    }
    assert_eq!(seen, 7);
}

#[derive(Deserialize)]
struct Prompts {
    prompts: Vec<Vec<u32>>,
}

struct Recorded {
    prompts: Vec<Vec<u32>>,
    logits: HashMap<String, Tensor>,
}

impl Recorded {
    fn read() -> Self {
        let json: Prompts = serde_json::from_slice(&fs::read(exported("expected.json")).unwrap()).unwrap();
        let logits = candle_core::safetensors::load(exported("expected.safetensors"), &Device::Cpu).unwrap();
        Self { prompts: json.prompts, logits }
    }

    /// The largest difference of our logits to the recorded ones, over both prompts; of the second the last row is kept.
    fn difference(&self, name: &str, loaded: &LoadedModel, creature: &Creature) -> f32 {
        assert_eq!(self.prompts.len(), 2);
        let one = |(at, prompt): (usize, &Vec<u32>)| {
            let recorded = &self.logits[&format!("{name}/prompt{at}")];
            let (kept, rows) = (recorded.dim(0).unwrap(), prompt.len());
            assert_eq!(kept, if at == 0 { rows } else { 1 });
            let ours = logits(loaded, prompt, &creature.layout, &creature.adapter);
            largest_difference(&ours.narrow(0, rows - kept, kept).unwrap(), recorded)
        };
        self.prompts.iter().enumerate().map(one).fold(0.0, f32::max)
    }
}

#[test]
fn our_logits_equal_those_of_peft_and_llama_cpp_with_the_export() {
    let recorded = Recorded::read();
    for case in CASES.iter().filter(|case| case.format != AdapterFormat::Card) {
        let loaded = load(case.base);
        let creature = (case.creature)(&loaded);
        let far = recorded.difference(case.name, &loaded, &creature);
        assert!(far < TOLERANCE, "{}: {far}", case.name);
        // The adapter matters, or nothing would have been shown.
        let mut blank = creature.clone();
        blank.adapter.pairs.iter_mut().for_each(|pair| pair.b = std::sync::Arc::new(vec![0.0; pair.b.len()]));
        assert!(recorded.difference(case.name, &loaded, &blank) > 0.5, "{}", case.name);
    }
}

#[test]
fn what_was_exported_comes_back_the_same() {
    for case in CASES {
        let loaded = load(case.base);
        let (layout, adapter) = load_adapter(&exported(case.name), &loaded).unwrap();
        let creature = (case.creature)(&loaded);
        assert_eq!(layout, creature.layout, "{}", case.name);
        assert_eq!(numbers(&adapter), numbers(&creature.adapter), "{}", case.name);
    }
}

#[test]
fn with_rows_that_were_not_reordered_the_logits_are_far_off() {
    let recorded = Recorded::read();
    // As a GGUF base would have it, if the rows of the PEFT folder were taken as they lie there; and the other way round.
    let (gguf, hf) = (load("llama-f32.gguf"), load("llama-hf"));
    let as_it_lies = |path: &Path, base: &LoadedModel| {
        let (layout, adapter) = load_adapter(path, base).unwrap();
        Creature::unknown(layout, adapter)
    };
    let peft = as_it_lies(&exported("of-gguf"), &hf);
    assert!(recorded.difference("of-gguf", &hf, &peft) < TOLERANCE, "its own base has the order of Hugging Face");
    assert!(recorded.difference("of-gguf", &gguf, &peft) > 0.05);
    let lora = as_it_lies(&exported("of-hf.gguf"), &gguf);
    assert!(recorded.difference("of-hf.gguf", &gguf, &lora) < TOLERANCE);
    assert!(recorded.difference("of-hf.gguf", &hf, &lora) > 0.05);
    // Nothing but queries and keys is reordered, and A never.
    let creature = on_gguf(&gguf);
    for (at, site) in creature.layout.sites.iter().enumerate() {
        let (own, out) = (&creature.adapter.pairs[at], &peft.adapter.pairs[at]);
        let rows = if matches!(site.target, Q | K) { separate_rows(&own.b, 16, 2) } else { own.b.to_vec() };
        assert_eq!((&own.a, &rows), (&out.a, out.b.as_ref()), "{site:?}");
    }
}

#[test]
fn adapters_made_elsewhere_fit_both_kinds_of_base() {
    let recorded = Recorded::read();
    for base in ["llama-hf", "llama-f32.gguf"] {
        let loaded = load(base);
        let (layout, adapter) = load_adapter(&exported("elsewhere.gguf"), &loaded).unwrap();
        let (of_peft, same) = load_peft(&reference("peft/llama-0"), &loaded.model).unwrap();
        // The one was made of the other by llama.cpp's rules.
        assert_eq!((&layout, numbers(&adapter)), (&of_peft, numbers(&same)), "{base}");
        let far = recorded.difference("elsewhere.gguf", &loaded, &Creature::unknown(layout, adapter));
        assert!(far < TOLERANCE, "{base}: {far}");
    }
}

#[test]
fn a_card_from_the_same_weights_in_another_file_is_reordered_where_that_is_asked_for() {
    let recorded = Recorded::read();
    let hf = load("llama-hf");
    let read = evolora::brain::lora::read_creature(&exported("of-gguf.card"), &Base::of(&hf), true).unwrap();
    assert!(recorded.difference("of-gguf", &hf, &read) < TOLERANCE);
    assert!(read.made_from.unwrap().starts_with("a card of the model "));
}

#[test]
fn what_a_format_cannot_hold_is_refused() {
    let neo = load("gpt-neo-hf");
    let refused = |loaded: &LoadedModel, format, creature: &Creature| {
        export(format, &Base::of(loaded), creature).unwrap_err().to_string()
    };
    assert_eq!(
        refused(&neo, AdapterFormat::Gguf, &on_gpt_neo(&neo)),
        "llama.cpp has no GPT-Neo, so an adapter of gpt-neo-hf has no GGUF form: take peft or card."
    );
    let gguf = load("llama-f32.gguf");
    let mut creature = on_gguf(&gguf);
    creature.layout.alpha = 0.0;
    assert!(refused(&gguf, AdapterFormat::Gguf, &creature).contains("llama.cpp would take for a scale of 1"));
    std::sync::Arc::make_mut(&mut creature.adapter.pairs[4].b)[7] = f32::NAN;
    for format in [AdapterFormat::Peft, AdapterFormat::Card] {
        let sentence = refused(&gguf, format, &creature);
        assert!(sentence.contains("its part on gate of layer 0 holds numbers that are not finite"), "{sentence}");
    }
    assert!(refused(&neo, AdapterFormat::Peft, &on_gguf(&gguf)).contains("gpt-neo-hf has no such matrix q in layer 0"));
}

/// Sites that differ by layer are named one by one.
#[test]
fn a_peft_folder_names_exactly_the_matrices_that_it_has() {
    let loaded = load("llama-hf");
    let config = |creature: &Creature| -> serde_json::Value {
        let Exported::Folder(files) = export(AdapterFormat::Peft, &Base::of(&loaded), creature).unwrap() else {
            panic!()
        };
        serde_json::from_slice(&files.iter().find(|(name, _)| *name == "adapter_config.json").unwrap().1).unwrap()
    };
    let all = config(&on_hugging_face(&loaded));
    assert_eq!(all["target_modules"].as_array().unwrap().len(), 7);
    assert_eq!(
        (&all["layers_to_transform"], &all["layers_pattern"]),
        (&serde_json::Value::Null, &serde_json::Value::Null)
    );
    let top = config(&creature(&loaded, &[Q, Down], Some(1), 1));
    assert_eq!(top["target_modules"], serde_json::json!(["q_proj", "down_proj"]));
    assert_eq!((&top["layers_to_transform"], &top["layers_pattern"]), (&serde_json::json!([1]), &"layers".into()));
    let mut odd = creature(&loaded, &[Q, Down], None, 1);
    odd.layout.sites.remove(1);
    odd.adapter.pairs.remove(1);
    let names = ["model.layers.0.self_attn.q_proj", "model.layers.1.self_attn.q_proj", "model.layers.1.mlp.down_proj"];
    assert_eq!(config(&odd)["target_modules"], serde_json::json!(names));
}
