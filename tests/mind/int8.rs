//! Deciding with activations rounded to int8: near f32, the same alone and together, and only where weights are quantised.

use evolora::{
    brain::{ForkLogits, Question, Trie},
    config::Arithmetic,
};

use super::{PROMPTS, adapters, flat, largest_difference, load, scorer};

const WHOLE: [&str; 7] = ["q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "q4_k", "q6_k"];

fn kl(trie: &Trie, exact: &ForkLogits, rounded: &ForkLogits) -> f64 {
    let (p, q) = (trie.log_probabilities(exact, 1.0), trie.log_probabilities(rounded, 1.0));
    p.iter().zip(&q).map(|(p, q)| p.exp() * (p - q)).sum()
}

#[test]
fn decisions_are_near_those_in_f32_for_every_type_of_whole_numbers() {
    for name in WHOLE {
        let loaded = load(&format!("tests/reference/llama-{name}.gguf"));
        let (exact, rounded) = (scorer(&loaded), scorer(&loaded).in_arithmetic(Arithmetic::Int8));
        let (layout, adapters) = adapters(&loaded);
        let prompts: Vec<_> = (0..20).map(|i| loaded.tokenizer.encode(PROMPTS[i % PROMPTS.len()]).unwrap()).collect();
        let asked: Vec<_> = (0..20).map(|i| Question { tokens: &prompts[i], adapter: Some(&adapters[i]) }).collect();
        let exact_logits = exact.score(&loaded.model, &layout, &asked).unwrap();
        let logits = rounded.score(&loaded.model, &layout, &asked).unwrap();
        let far: Vec<f64> = exact_logits.iter().zip(&logits).map(|(p, q)| kl(exact.trie(), p, q)).collect();
        let mean = far.iter().sum::<f64>() / 20.0;
        assert!(mean < 1e-3, "{name}: {far:?}");
        assert!(flat(&exact_logits) != flat(&logits), "{name}: nothing was rounded");
    }
}

#[test]
fn what_is_not_whole_numbers_stays_in_f32() {
    for path in ["", "tests/reference/llama-f16.gguf", "tests/reference/llama-mlx-4bit", "tests/reference/gpt-neo-hf"] {
        let loaded = load(path);
        let (layout, adapters) = adapters(&loaded);
        let tokens = loaded.tokenizer.encode(PROMPTS[0]).unwrap();
        let asked = [Question { tokens: &tokens, adapter: Some(&adapters[0]) }];
        let exact = scorer(&loaded).score(&loaded.model, &layout, &asked).unwrap();
        let same = scorer(&loaded).in_arithmetic(Arithmetic::Int8).score(&loaded.model, &layout, &asked).unwrap();
        assert_eq!(exact, same, "{path:?}");
    }
}

#[test]
fn a_row_does_not_depend_on_its_neighbours_or_on_threads() {
    let loaded = load("tests/reference/llama-q4_0.gguf");
    let scorer = scorer(&loaded).in_arithmetic(Arithmetic::Int8);
    let (layout, adapters) = adapters(&loaded);
    let prompts: Vec<_> = (0..20).map(|i| loaded.tokenizer.encode(PROMPTS[i % PROMPTS.len()]).unwrap()).collect();
    let bare: Vec<_> = prompts.iter().map(|tokens| Question { tokens, adapter: None }).collect();
    let together = scorer.score(&loaded.model, &layout, &bare).unwrap();
    for (one, together) in bare.iter().zip(&together) {
        let one = Question { tokens: one.tokens, adapter: None };
        let alone = scorer.score(&loaded.model, &layout, &[one]).unwrap();
        // The last product, with the tokens on offer, is in f32: only its roundings may differ, and no rounded number.
        assert!(largest_difference(&flat(&alone), &flat(std::slice::from_ref(together))) < 1e-5);
    }
    let asked: Vec<_> = (0..20).map(|i| Question { tokens: &prompts[i], adapter: Some(&adapters[i]) }).collect();
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| scorer.score(&loaded.model, &layout, &asked).unwrap())
    };
    assert_eq!(on(1), on(3));
}

#[test]
fn what_is_laid_for_learning_stays_in_f32() {
    let loaded = load("tests/reference/llama-q8_0.gguf");
    let rounded = scorer(&loaded).in_arithmetic(Arithmetic::Int8);
    let tokens = loaded.tokenizer.encode(PROMPTS[0]).unwrap();
    let laid = rounded.lay(&[Question { tokens: &tokens, adapter: None }]);
    assert_eq!(laid.batch.arithmetic, Arithmetic::F32);
}
