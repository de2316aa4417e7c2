//! A model that is not small: its batches stay whole, and its products are divided among threads.

use evolora::{
    brain::{
        Llm, LlmPlan,
        files::{Keep, Mix, RandomTensors},
        model::{LanguageModel, Llama, LlamaConfig, RopeStyle},
    },
    config::DecisionMode,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::{PROMPTS, load, plan, thinker, transcript};

/// Above four million weights, from which on a model is large.
pub(super) const LARGE: LlamaConfig = LlamaConfig {
    hidden: 256,
    inner: 768,
    layers: 6,
    heads: 8,
    kv_heads: 4,
    head: 32,
    vocabulary: 430,
    context: 256,
    rope_theta: 10_000.0,
    rope_style: RopeStyle::Interleaved,
    eps: 1e-5,
    tied: true,
};

#[test]
fn a_large_model_gives_the_same_transcript_with_any_number_of_threads() {
    assert!(LARGE.parameters() > 4_000_000);
    // Two batches: of 64 agents and of 8.
    let thinkers: Vec<_> = (0..72).map(|i| thinker(i, 9, PROMPTS[i as usize % PROMPTS.len()])).collect();
    for (mix, mode) in
        [(Mix::F32, DecisionMode::Constrained), (Mix::Q4KM, DecisionMode::Constrained), (Mix::Q4, DecisionMode::Free)]
    {
        let think = |threads| {
            let mut plan = LlmPlan { founder_spread: 0.1, ..plan(0.7, threads) };
            (plan.mind.mode, plan.mind.max_tokens) = (mode, 4);
            let mut loaded = load("");
            let mut weights = RandomTensors::new(mix, &mut ChaCha8Rng::seed_from_u64(2));
            loaded.model = LanguageModel::Llama(Llama::load(LARGE, &mut weights, &Keep::as_is()).unwrap());
            let mut llm = Llm::of(loaded, plan).unwrap();
            assert_eq!(llm.threads(), threads as usize);
            let thoughts = llm.think(&thinkers).unwrap();
            let logs: Vec<_> = thoughts.iter().map(|thought| thought.log_probability.to_bits()).collect();
            (transcript(&thoughts), logs)
        };
        let one = think(1);
        assert_eq!(one, think(2), "{mix:?}");
        assert_eq!(one, think(3), "{mix:?}");
        assert!(one.1.iter().any(|log| *log != one.1[0]), "not everybody thinks the same");
    }
}
