//! Creature cards: what they hold, how small they are, and what is refused.

use std::{collections::HashMap, fs, path::Path, sync::Arc};

use evolora::{
    brain::{
        LoadedModel,
        lora::{
            AdapterFormat, AdapterLayout, Base, CardLineage, Creature, ScoreCard, export, load_adapter, read_creature,
            shared_a,
        },
    },
    config::{LoraSettings, LoraTarget::*},
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use safetensors::{SafeTensors, tensor::TensorView};
use serde_json::{Value, json};

use super::{bytes, creature, load, numbers, reference};

/// The default adapter of the default model, learned: every number says something.
fn default_creature(loaded: &LoadedModel) -> Creature {
    let layout = AdapterLayout::choose(&LoraSettings::default(), &loaded.model.sites(), loaded.model.layers()).unwrap();
    let mut draws = ChaCha8Rng::seed_from_u64(3);
    let adapter = layout.blank(&shared_a(&layout, &mut draws)).varied(0.1, &mut draws);
    let lineage = CardLineage {
        habitat: Some(2),
        creature: Some(171),
        born: Some(9),
        parents: Some([140, 152]),
        share: Some(0.43),
        founder: Some(7),
    };
    let scores = ScoreCard {
        fitness: Some(1102.25),
        best_fitness: Some(1232.6),
        rules_fitness: Some(1021.7),
        food_collected: Some(31),
        food_delivered: Some(30),
        turns_alive: Some(500),
        generation: Some(9),
        seed: Some(42),
        version: Some("0.1.0".to_owned()),
        commit: Some("7898348".to_owned()),
    };
    Creature { lineage, scores, ..Creature::unknown(layout, adapter) }
}

/// A card in a folder of its own.
fn place(bytes: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("one.card");
    fs::write(&path, bytes).unwrap();
    (folder, path)
}

#[test]
fn a_card_of_the_default_model_is_small_and_holds_all_that_is_known() {
    let loaded = load("");
    let made = default_creature(&loaded);
    let bytes = bytes(AdapterFormat::Card, &loaded, &made);
    assert!(bytes.len() <= 100_000, "{} bytes", bytes.len());
    let (_folder, path) = place(&bytes);
    let read = read_creature(&path, &Base::of(&loaded), false).unwrap();
    assert_eq!((&read.layout, &read.lineage, &read.scores), (&made.layout, &made.lineage, &made.scores));
    assert_eq!(numbers(&read.adapter), numbers(&made.adapter));
    // Any reader of safetensors opens it.
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let site = made.layout.sites[3];
    let b = tensors.tensor("layers.0.down.lora_B").unwrap();
    let expected: Vec<u8> = made.adapter.pairs[3].b.iter().flat_map(|x| x.to_le_bytes()).collect();
    assert_eq!((b.shape(), b.data(), b.dtype()), (&[site.out, 8][..], &expected[..], safetensors::Dtype::F32));
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let card: Value = serde_json::from_str(&header.metadata().as_ref().unwrap()["evolora_card"]).unwrap();
    assert_eq!(card["model"]["sha256"], loaded.sha256.as_str());
    assert_eq!(card["model"]["rows"], "gguf");
    assert_eq!(card["lineage"]["parents"], json!([140, 152]));
    assert_eq!(bytes, super::bytes(AdapterFormat::Card, &loaded, &made), "the same creature is the same file");
}

#[test]
fn a_card_of_another_model_is_refused_and_both_are_named() {
    let (ours, theirs) = (load("llama-hf"), load("llama-f32.gguf"));
    let made = creature(&theirs, &[Q, V], None, 5);
    let (_folder, path) = place(&bytes(AdapterFormat::Card, &theirs, &made));
    let sentence = load_adapter(&path, &ours).unwrap_err().to_string();
    let [theirs_short, ours_short] = [&theirs, &ours].map(|loaded| &loaded.sha256[..12]);
    for part in [&*theirs.name, theirs_short, "llama-hf", ours_short, "--any-model"] {
        assert!(sentence.contains(part), "{part}: {sentence}");
    }
    assert!(read_creature(&path, &Base::of(&ours), true).is_ok(), "its shapes fit");
    let neo = load("gpt-neo-hf");
    let sentence = read_creature(&path, &Base::of(&neo), true).map(drop).unwrap_err().to_string();
    assert!(sentence.contains("layers.0.q.lora_A has the shape [2, 64], and [2, 32] was expected"), "{sentence}");
}

/// A card after its JSON and its tensors have been changed.
fn changed(bytes: &[u8], change: impl Fn(&mut Value, &mut Vec<(String, Vec<usize>, Vec<u8>)>)) -> Vec<u8> {
    let (_, header) = SafeTensors::read_metadata(bytes).unwrap();
    let mut card: Value = serde_json::from_str(&header.metadata().as_ref().unwrap()["evolora_card"]).unwrap();
    let all = SafeTensors::deserialize(bytes).unwrap();
    let mut tensors: Vec<_> =
        all.tensors().into_iter().map(|(name, view)| (name, view.shape().to_vec(), view.data().to_vec())).collect();
    tensors.sort();
    change(&mut card, &mut tensors);
    let views = tensors
        .iter()
        .map(|(name, shape, data)| (name, TensorView::new(safetensors::Dtype::F32, shape.clone(), data).unwrap()));
    let note = HashMap::from([("evolora_card".to_owned(), card.to_string())]);
    safetensors::serialize(views.collect::<Vec<_>>(), Some(note)).unwrap()
}

fn refusal(bytes: &[u8], loaded: &LoadedModel) -> String {
    let (_folder, path) = place(bytes);
    let sentence = load_adapter(&path, loaded).map(drop).unwrap_err().to_string();
    assert!(sentence.starts_with(&format!("{} cannot be used as an adapter: ", path.display())), "{sentence}");
    sentence
}

#[test]
fn what_is_wrong_with_a_card_is_said_by_name() {
    let loaded = load("llama-f32.gguf");
    let card = bytes(AdapterFormat::Card, &loaded, &creature(&loaded, &[Q, Down], None, 5));
    type Change = fn(&mut Value, &mut Vec<(String, Vec<usize>, Vec<u8>)>);
    let cases: &[(Change, &str)] = &[
        (|card, _| card["version"] = 2.into(), "it is a card of version 2, and this program knows version 1"),
        (|card, _| card["rank"] = 3.into(), "layers.0.q.lora_A has the shape [2, 64], and [3, 64] was expected"),
        (|card, _| card["rank"] = 0.into(), "its rank is 0 and its alpha 3, which no adapter has"),
        (|card, _| card["alpha"] = Value::Null, "its card: invalid type: null, expected f32"),
        (|card, _| card["sites"][0] = "9.q".into(), "its matrix 9.q is none of the model "),
        (|card, _| card["sites"][0] = "\u{1b}[31m".into(), "its matrix \\u{1b}[31m is none"),
        (
            |card, _| card["sites"] = json!(["0.q", "0.down", "1.q"]),
            "the tensor layers.1.down.lora_A, which its card does not name",
        ),
        (|_, all| drop(all.remove(0)), "it has no tensor layers.0.down.lora_A"),
        (|_, all| drop(all.remove(1)), "it has no tensor layers.0.down.lora_B"),
        (|_, all| all[1].1 = vec![2, 64], "layers.0.down.lora_B has the shape [2, 64], and [64, 2] was expected"),
        (
            |_, all| all.push(("extra".into(), vec![1], vec![0; 4])),
            "of its 9 tensors 8 fit this model, and extra does not",
        ),
        (
            |_, all| all[2].2[..4].copy_from_slice(&f32::NAN.to_le_bytes()),
            "layers.0.q.lora_A holds numbers that are not finite",
        ),
        (|_, all| all[2].2[0] ^= 1, "its numbers were altered: they do not give the sum that the card names"),
    ];
    let (_folder, whole) = place(&changed(&card, |_, _| ()));
    assert!(load_adapter(&whole, &loaded).is_ok(), "what these change is whole before");
    for (change, expected) in cases {
        let sentence = refusal(&changed(&card, change), &loaded);
        assert!(sentence.contains(expected), "{expected}: {sentence}");
    }
    let plain = fs::read(reference("llama-hf/model.safetensors")).unwrap();
    assert!(refusal(&plain, &loaded).contains("it is no creature card"));
    assert!(refusal(b"nothing", &loaded).contains("it is shorter than a header"));
}

/// Both halves of a matrix under another name of the same length.
fn both(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for at in 0..bytes.len() - from.len() {
        if bytes[at..].starts_with(from.as_bytes()) {
            bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        }
    }
    bytes
}

#[test]
fn what_is_wrong_with_a_gguf_adapter_is_said_by_name() {
    let loaded = load("llama-f32.gguf");
    let made = creature(&loaded, &[Q, Down], None, 5);
    let whole = bytes(AdapterFormat::Gguf, &loaded, &made);
    // One text for another of the same length, once.
    let renamed = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let at = whole.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
        [&whole[..at], to.as_bytes(), &whole[at + from.len()..]].concat()
    };
    for (from, to, expected) in [
        ("blk.1.attn_q.weight.lora_b", "blk.1.attn_q.weight.lora_c", "it has no tensor blk.1.attn_q.weight.lora_b"),
        ("blk.1.attn_q.weight.lora_a", "blk.1.attn_k.weight.lora_a", "it has no tensor blk.1.attn_q.weight.lora_a"),
        ("blk.1.attn_q", "blk.7.attn_q", "it has no tensor blk.1.attn_q.weight.lora_a"),
        ("adapter.lora.alpha", "adapter.lora.alphx", "it has no adapter.lora.alpha"),
        ("\u{4}\0\0\0\0\0\0\0lora", "\u{4}\0\0\0\0\0\0\0lorx", "it is an adapter of the type lorx, and lora alone is"),
    ] {
        let sentence = refusal(&renamed(from, to), &loaded);
        assert!(sentence.contains(expected), "{expected}: {sentence}");
    }
    // Both halves of a matrix that the model has not.
    let sentence = refusal(&both(&whole, "blk.1.ffn_down", "blk.2.ffn_down"), &loaded);
    assert!(
        sentence.contains("of its 8 tensors 6 fit this model, and blk.2.ffn_down.weight.lora_a does not"),
        "{sentence}"
    );
    assert!(
        refusal(&fs::read(reference("llama-q8_0.gguf")).unwrap(), &loaded).contains("it holds a model, and no adapter")
    );
    let (_folder, path) = place(&whole);
    let sentence = load_adapter(&path, &load("gpt-neo-hf")).unwrap_err().to_string();
    assert!(sentence.contains("it is made for the architecture llama, and the model is of gpt_neo"), "{sentence}");
    let sentence = load_adapter(Path::new("nowhere"), &loaded).unwrap_err().to_string();
    assert!(
        sentence.starts_with("nowhere cannot be used as an adapter: there is nothing; name a creature card, "),
        "{sentence}"
    );
}

#[test]
fn alpha_0_of_a_gguf_adapter_means_a_scale_of_1() {
    let loaded = load("llama-f32.gguf");
    let made = creature(&loaded, &[V], None, 5);
    let whole = bytes(AdapterFormat::Gguf, &loaded, &made);
    let key = b"adapter.lora.alpha";
    let at = whole.windows(key.len()).position(|window| window == key).unwrap() + key.len() + 4;
    assert_eq!(whole[at..at + 4], 3_f32.to_le_bytes());
    let zero = [&whole[..at], &0_f32.to_le_bytes(), &whole[at + 4..]].concat();
    let read = |bytes: &[u8]| {
        let (_folder, path) = place(bytes);
        load_adapter(&path, &loaded).unwrap().0.scale()
    };
    assert_eq!((read(&whole), read(&zero)), (1.5, 1.0));
}

#[test]
fn numbers_survive_to_the_last_bit() {
    let loaded = load("llama-f32.gguf");
    let mut made = creature(&loaded, &[Q, Down], None, 5);
    let odd = [f32::MIN_POSITIVE / 3.0, -0.0, f32::MAX, 0.1, -1.0 / 3.0];
    Arc::make_mut(&mut made.adapter.pairs[0].b)[..5].copy_from_slice(&odd);
    made.layout.alpha = 0.1;
    made.scores.fitness = Some(1.0 / 3.0);
    let base = Base::of(&loaded);
    let folder = tempfile::tempdir().unwrap();
    for (at, format) in [AdapterFormat::Peft, AdapterFormat::Gguf, AdapterFormat::Card].into_iter().enumerate() {
        let path = folder.path().join(at.to_string());
        evolora::app::export_creature(&base, &made, format, &path, false).unwrap();
        let read = read_creature(&path, &base, false).unwrap();
        let bits = |all: &[f32]| all.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&read.adapter.pairs[0].b), bits(&made.adapter.pairs[0].b), "{format}");
        assert_eq!(read.layout, made.layout, "{format}");
        let again = evolora::app::export_creature(&base, &made, format, &path, false).unwrap_err().to_string();
        assert!(again.contains("is there already"), "{again}");
        assert!(evolora::app::export_creature(&base, &made, format, &path, true).is_ok());
    }
    assert!(export(AdapterFormat::Card, &base, &made).is_ok());
}
