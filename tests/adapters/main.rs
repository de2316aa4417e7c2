//! Adapters out of the program and into it: the bytes, what peft and llama.cpp make of them (`tests/reference/export`, with the
//! script that recorded it), creature cards, founders out of files, and `evolora import`.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod cards;
mod exports;
mod founders;
mod program;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use candle_core::Tensor;
use evolora::{
    brain::{
        LoadedModel, load_model,
        lora::{
            ActiveAdapters, Adapter, AdapterFormat, AdapterLayout, Base, Creature, Exported, Pair, export, shared_a,
        },
        model::Batch,
    },
    config::{LoraSettings, LoraTarget, ModelSettings},
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn reference(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference").join(name)
}

/// A model of the references, or the one that ships for an empty name.
fn load(name: &str) -> LoadedModel {
    let path = if name.is_empty() { String::new() } else { reference(name).to_string_lossy().into_owned() };
    load_model(&ModelSettings { path, ..ModelSettings::default() }).unwrap()
}

/// An adapter that changes much: on all matrices of the named, of rank 2 and alpha 3.
fn creature(loaded: &LoadedModel, targets: &[LoraTarget], layers: Option<u32>, seed: u64) -> Creature {
    let mut settings = LoraSettings { rank: 2, alpha: 3.0, targets: targets.to_vec(), ..LoraSettings::default() };
    if let Some(layers) = layers {
        settings.layers = evolora::config::LoraLayers::Top(layers);
    }
    let layout = AdapterLayout::choose(&settings, &loaded.model.sites(), loaded.model.layers()).unwrap();
    let mut draws = ChaCha8Rng::seed_from_u64(seed);
    let blank = layout.blank(&shared_a(&layout, &mut draws));
    // As large as what is learned in ten generations.
    let pair = |pair: &Pair| {
        let b = pair.b.iter().map(|_| draws.random_range(-0.5..=0.5_f32)).collect();
        Pair { a: Arc::clone(&pair.a), b: Arc::new(b) }
    };
    let adapter = Adapter { pairs: blank.pairs.iter().map(pair).collect() };
    Creature::unknown(layout, adapter)
}

/// Logits `[tokens, vocabulary]` of a prompt.
fn logits(loaded: &LoadedModel, tokens: &[u32], layout: &AdapterLayout, adapter: &Adapter) -> Tensor {
    let active: ActiveAdapters = layout.activate(&[(0..tokens.len(), adapter)]);
    loaded.model.logits(&loaded.model.features(&Batch::of(tokens), &active).unwrap()).unwrap()
}

fn largest_difference(a: &Tensor, b: &Tensor) -> f32 {
    assert_eq!(a.dims(), b.dims());
    (a - b).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar().unwrap()
}

/// The bytes of a format that is one file.
fn bytes(format: AdapterFormat, loaded: &LoadedModel, creature: &Creature) -> Vec<u8> {
    match export(format, &Base::of(loaded), creature).unwrap() {
        Exported::File(bytes) => bytes,
        Exported::Folder(_) => panic!("{format} is a folder"),
    }
}

/// Every number of an adapter, pair by pair.
fn numbers(adapter: &Adapter) -> Vec<(Vec<f32>, Vec<f32>)> {
    adapter.pairs.iter().map(|pair| (pair.a.to_vec(), pair.b.to_vec())).collect()
}
