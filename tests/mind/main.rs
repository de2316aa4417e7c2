//! The language model as a mind: batches, the trie against the slow way, sampling, free replies, the default model.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod free;
mod int8;
mod large;
mod offload;

use std::path::Path;

use evolora::{
    app::llm_plan,
    brain::{
        Llm, LlmPlan, LoadedModel, Question, Scorer, Trie, load_model,
        lora::{ActiveAdapters, Adapter, AdapterLayout, shared_a},
        model::Batch,
    },
    config::{DecisionMode, Genome, ModelSettings, RunConfig},
    language::action_phrase,
    protocol::{
        Action, AgentId, Cell, CreatureId, HabitatId, Moment, Observation, StreamName, Streams, Thinker, Thought,
    },
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// The model that ships, a quantised one, and one of the other family.
const MODELS: [&str; 3] = ["", "tests/reference/llama-q4_0.gguf", "tests/reference/gpt-neo-hf"];

const PROMPTS: [&str; 5] = [
    "At (5,3), E80, has food. See: home↑ wall← Action:",
    "At (0,19), E0. See: nothing Action:",
    "At (12,7), E100. See: home↓→ food here wall↑ edge← agent↑↓ Action:",
    "Action:",
    "At (7,7), E50. See: home here Action:",
];

fn load(path: &str) -> LoadedModel {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = if path.is_empty() { String::new() } else { root.join(path).to_string_lossy().into_owned() };
    load_model(&ModelSettings { path, ..ModelSettings::default() }).unwrap()
}

fn scorer(loaded: &LoadedModel) -> Scorer {
    let phrases = Action::ALL.map(|action| loaded.tokenizer.encode(&format!(" {}", action_phrase(action))).unwrap());
    Scorer::new(&loaded.model, Trie::new(phrases.to_vec()).unwrap()).unwrap()
}

/// Twenty adapters that each change much.
fn adapters(loaded: &LoadedModel) -> (AdapterLayout, Vec<Adapter>) {
    let layout =
        AdapterLayout::choose(&RunConfig::default().lora, &loaded.model.sites(), loaded.model.layers()).unwrap();
    let mut draws = ChaCha8Rng::seed_from_u64(5);
    let blank = layout.blank(&shared_a(&layout, &mut draws));
    let all = (0..20).map(|_| blank.varied(0.2, &mut draws)).collect();
    (layout, all)
}

fn flat(logits: &[Vec<Vec<f32>>]) -> Vec<f32> {
    logits.iter().flatten().flatten().copied().collect()
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn a_batch_of_twenty_with_twenty_adapters_is_each_alone() {
    for path in MODELS {
        let loaded = load(path);
        let (scorer, (layout, adapters)) = (scorer(&loaded), adapters(&loaded));
        let prompts: Vec<_> = (0..20).map(|i| loaded.tokenizer.encode(PROMPTS[i % PROMPTS.len()]).unwrap()).collect();
        let question = |i: usize| Question { tokens: &prompts[i], adapter: Some(&adapters[i]) };
        let all: Vec<_> = (0..20).map(question).collect();
        let together = scorer.score(&loaded.model, &layout, &all).unwrap();
        let alone: Vec<_> =
            (0..20).flat_map(|i| scorer.score(&loaded.model, &layout, &[question(i)]).unwrap()).collect();
        let far = largest_difference(&flat(&together), &flat(&alone));
        assert!(far < 1e-4, "{path:?}: {far}");
        // And every adapter speaks: the same prompt gives each agent another answer, and the base yet another.
        let bare = scorer.score(&loaded.model, &layout, &[Question { tokens: &prompts[0], adapter: None }]).unwrap();
        for i in [5, 10, 15] {
            assert!(largest_difference(&flat(&together[0..1]), &flat(&together[i..i + 1])) > 1e-2, "{path:?}");
            assert!(largest_difference(&flat(&bare), &flat(&together[i..i + 1])) > 1e-2, "{path:?}");
        }
    }
}

/// Softmax over the whole vocabulary of what follows `tokens`.
fn follows(loaded: &LoadedModel, tokens: &[u32]) -> Vec<f64> {
    let features = loaded.model.features(&Batch::of(tokens), &ActiveAdapters::none()).unwrap();
    let last = features.narrow(0, tokens.len() - 1, 1).unwrap();
    let logits: Vec<f32> = loaded.model.logits(&last).unwrap().flatten_all().unwrap().to_vec1().unwrap();
    let sum: f64 = logits.iter().map(|x| f64::from(*x).exp()).sum();
    logits.iter().map(|x| f64::from(*x).exp() / sum).collect()
}

#[test]
fn the_tries_distribution_is_the_slow_product_of_conditionals() {
    // Beside the actions: replies that part in four places, so that branches stand beside and behind each other.
    let bushy = [vec![10, 11, 12], vec![10, 11, 13], vec![10, 14], vec![15, 16], vec![15, 17, 18], vec![19]];
    for path in MODELS {
        let loaded = load(path);
        let bushy = Scorer::new(&loaded.model, Trie::new(bushy.to_vec()).unwrap()).unwrap();
        assert_eq!(bushy.trie().forks().len(), 4);
        for (scorer, prompt) in
            [scorer(&loaded), bushy].iter().flat_map(|scorer| PROMPTS.map(|prompt| (scorer, prompt)))
        {
            let trie = scorer.trie();
            let tokens = loaded.tokenizer.encode(prompt).unwrap();
            let nothing = AdapterLayout { rank: 1, alpha: 1.0, sites: Vec::new() };
            let logits = scorer.score(&loaded.model, &nothing, &[Question { tokens: &tokens, adapter: None }]).unwrap();
            let fast: Vec<f64> = trie.log_probabilities(&logits[0], 1.0).iter().map(|log| log.exp()).collect();
            let slow: Vec<f64> =
                trie.replies().iter().map(|reply| slow_probability(&loaded, trie, &tokens, reply)).collect();
            let far = fast.iter().zip(&slow).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(far < 1e-5, "{path:?} {prompt:?}: {far}");
            assert!((fast.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        }
    }
}

/// Token by token: the full softmax, restricted to the replies that may still be meant, and normalised again.
fn slow_probability(loaded: &LoadedModel, trie: &Trie, prompt: &[u32], reply: &[u32]) -> f64 {
    let mut probability = 1.0;
    for depth in 0..reply.len() {
        let full = follows(loaded, &[prompt, &reply[..depth]].concat());
        let mut next: Vec<u32> = trie
            .replies()
            .iter()
            .filter(|other| other.starts_with(&reply[..depth]))
            .map(|other| other[depth])
            .collect();
        next.sort_unstable();
        next.dedup();
        let sum: f64 = next.iter().map(|token| full[*token as usize]).sum();
        probability *= full[reply[depth] as usize] / sum;
    }
    probability
}

fn plan(temperature: f64, threads: u32) -> LlmPlan {
    let mut config = RunConfig::default();
    config.mind.temperature = temperature;
    config.run.threads = threads;
    llm_plan(&config)
}

fn thinker(agent: u32, turn: u32, prompt: &str) -> Thinker {
    let streams = Streams { seed: 3, habitat: HabitatId(0), unseen: false };
    Thinker {
        creature: CreatureId(agent),
        exploration: 0.0,
        manner: None,
        habitat: HabitatId(0),
        agent: AgentId(agent),
        observation: Observation::new(Cell::new(0, 0), 0, None),
        prompt: prompt.to_owned(),
        draws: streams.agent_key(StreamName::Act, AgentId(agent)),
        moment: Moment::new(0, turn),
    }
}

/// Pearson's χ² of counts against probabilities.
fn chi_squared(counts: &[u32], probabilities: &[f64]) -> f64 {
    let all = f64::from(counts.iter().sum::<u32>());
    counts.iter().zip(probabilities).map(|(n, p)| (f64::from(*n) - all * p).powi(2) / (all * p)).sum()
}

/// What χ² with 7 degrees of freedom passes once in a thousand times.
const RARE: f64 = 24.32;

#[test]
fn actions_are_drawn_as_often_as_the_distribution_says() {
    let mut llm = Llm::load(plan(0.7, 1)).unwrap();
    let thinkers: Vec<_> = (0..4000).map(|turn| thinker(0, turn, PROMPTS[0])).collect();
    let thoughts = llm.think(&thinkers).unwrap();
    let mut counts = [0; Action::COUNT];
    thoughts.iter().for_each(|thought| counts[thought.action.unwrap().index()] += 1);
    let policy = thoughts[0].policy.map(f64::from);
    let far = chi_squared(&counts, &policy);
    assert!(far < RARE, "{far}: {counts:?} {policy:?}");
    // The test can tell: the same counts do not fit the distribution at another temperature.
    let at_one = thoughts[0].log_probabilities.map(|log| f64::from(log).exp());
    assert!(chi_squared(&counts, &at_one) > RARE);
}

#[test]
fn each_act_tells_how_likely_it_is_that_exploration_drew_it() {
    let mut llm = Llm::load(plan(0.7, 1)).unwrap();
    let alone = llm.think(&[thinker(0, 0, PROMPTS[0])]).unwrap().remove(0);
    assert_eq!(alone.explored, 0.0, "nobody explores");
    let explorers: Vec<_> = (0..200).map(|turn| Thinker { exploration: 0.4, ..thinker(0, turn, PROMPTS[0]) }).collect();
    let thoughts = llm.think(&explorers).unwrap();
    for thought in &thoughts {
        // Of 100 acts, 60 are the mind's and 40 exploration's, 5 of each action.
        let of_mind = 0.6 * alone.policy[thought.action.unwrap().index()];
        assert!((thought.explored - 0.05 / (of_mind + 0.05)).abs() < 1e-5, "{thought:?}");
    }
    // By the law of total probability two of five acts are exploration's.
    let part = thoughts.iter().map(|thought| thought.explored).sum::<f32>() / 200.0;
    assert!((0.3..0.5).contains(&part), "{part}");
}

#[test]
fn free_sampling_restricted_by_the_trie_gives_the_same_frequencies() {
    let loaded = load("");
    let scorer = scorer(&loaded);
    let trie = scorer.trie();
    let prompt = loaded.tokenizer.encode(PROMPTS[2]).unwrap();
    let mut draws = ChaCha8Rng::seed_from_u64(11);
    // Draw from the whole vocabulary until a token comes with which some reply goes on: what restricting means.
    let after = |path: &[u32]| follows(&loaded, &[prompt.as_slice(), path].concat());
    let known: Vec<_> = trie.forks().iter().map(|fork| (fork.path.clone(), after(&fork.path))).collect();
    let mut counts = [0; Action::COUNT];
    for _ in 0..3000 {
        let mut path = Vec::new();
        while !trie.replies().contains(&path) {
            let goes_on =
                |token: u32| trie.replies().iter().any(|r| r.starts_with(&path) && r.get(path.len()) == Some(&token));
            let full = known.iter().find(|(known, _)| *known == path).map(|(_, full)| full);
            let token = full.map_or_else(
                || trie.replies().iter().find(|reply| reply.starts_with(&path)).unwrap()[path.len()],
                |full| loop {
                    let mut point: f64 = draws.random();
                    let token = full
                        .iter()
                        .position(|p| {
                            point -= p;
                            point < 0.0
                        })
                        .unwrap_or(0) as u32;
                    if goes_on(token) {
                        break token;
                    }
                },
            );
            path.push(token);
        }
        counts[trie.replies().iter().position(|reply| *reply == path).unwrap()] += 1;
    }
    let nothing = AdapterLayout { rank: 1, alpha: 1.0, sites: Vec::new() };
    let logits = scorer.score(&loaded.model, &nothing, &[Question { tokens: &prompt, adapter: None }]).unwrap();
    let probabilities: Vec<_> = trie.log_probabilities(&logits[0], 1.0).iter().map(|log| log.exp()).collect();
    let far = chi_squared(&counts, &probabilities);
    assert!(far < RARE, "{far}: {counts:?} {probabilities:?}");
}

fn transcript(thoughts: &[Thought]) -> Vec<(String, [u32; Action::COUNT], u32)> {
    thoughts.iter().map(|t| (t.text.clone().into_owned(), t.policy.map(f32::to_bits), t.tokens)).collect()
}

#[test]
fn the_same_seed_gives_the_same_transcript_with_one_thread_and_with_two() {
    let thinkers: Vec<_> = (0..23).map(|i| thinker(i, 9, PROMPTS[i as usize % PROMPTS.len()])).collect();
    for free in [false, true] {
        let think = |threads| {
            let mut plan = LlmPlan { founder_spread: 0.1, ..plan(0.7, threads) };
            if free {
                plan.mind.mode = DecisionMode::Free;
            }
            transcript(&Llm::load(plan).unwrap().think(&thinkers).unwrap())
        };
        let one = think(1);
        assert_eq!(one, think(2));
        assert_eq!(one, think(3));
        assert!(one.iter().any(|(text, ..)| *text != one[0].0), "not everybody says the same");
    }
}

#[test]
fn both_genomes_give_founders_that_differ_only_where_they_may() {
    let thinkers: Vec<_> = (0..4).map(|i| thinker(i, 0, PROMPTS[0])).collect();
    let think = |genome, founder_spread| {
        let mut plan = LlmPlan { founder_spread, ..plan(0.7, 1) };
        plan.lora.genome = genome;
        let thoughts = Llm::load(plan).unwrap().think(&thinkers).unwrap();
        thoughts
            .iter()
            .map(|thought| thought.log_probabilities.map(f32::to_bits))
            .collect::<std::collections::BTreeSet<_>>()
    };
    // With B = 0 everybody is the base; with B of their own nobody is another.
    assert_eq!((think(Genome::SharedA, 0.0).len(), think(Genome::FreeAb, 0.0).len()), (1, 1));
    assert_eq!((think(Genome::SharedA, 0.1).len(), think(Genome::FreeAb, 0.1).len()), (4, 4));
    assert!(think(Genome::SharedA, 0.1).is_disjoint(&think(Genome::FreeAb, 0.1)), "A of one's own is another A");
}

#[test]
fn a_model_that_gives_no_numbers_is_refused_at_every_temperature() {
    for (temperature, free) in [(0.7, false), (0.0, false), (0.7, true), (0.0, true)] {
        // Every number of these adapters is finite; what comes of them is not.
        let mut plan = LlmPlan { founder_spread: 1.5e38, ..plan(temperature, 1) };
        if free {
            plan.mind.mode = DecisionMode::Free;
        }
        let error = Llm::load(plan).unwrap().think(&[thinker(4, 0, PROMPTS[0])]).unwrap_err().to_string();
        assert!(error.contains("gave no numbers") && error.contains("adapter are broken"), "{error}");
    }
}

#[test]
fn an_empty_prompt_is_refused_and_does_not_answer_for_another() {
    for mode in [DecisionMode::Constrained, DecisionMode::Free] {
        let mut plan = plan(0.7, 1);
        plan.mind.mode = mode;
        let thinkers = [thinker(0, 0, PROMPTS[0]), thinker(1, 0, "")];
        let error = Llm::load(plan).unwrap().think(&thinkers).unwrap_err().to_string();
        assert_eq!(error, "An empty prompt has no answer: write one character at least.");
    }
}

#[test]
fn temperature_zero_takes_the_likeliest_action() {
    let thoughts = Llm::load(plan(0.0, 1)).unwrap().think(&[thinker(0, 0, PROMPTS[0])]).unwrap();
    let logs = thoughts[0].log_probabilities;
    let best = (0..Action::COUNT).max_by(|a, b| logs[*a].total_cmp(&logs[*b])).unwrap();
    // The trie goes step by step, so that "move" may win before any of its ways does.
    assert_eq!(thoughts[0].policy.iter().filter(|p| **p == 1.0).count(), 1);
    let chosen = thoughts[0].action.unwrap().index();
    assert_eq!(thoughts[0].policy[chosen], 1.0);
    assert!(chosen == best || chosen < 4, "{logs:?}");
    assert!((logs.iter().map(|log| f64::from(*log).exp()).sum::<f64>() - 1.0).abs() < 1e-5);
}

#[derive(Deserialize)]
struct Recorded {
    sha256: String,
    cases: Vec<Case>,
    logits: Vec<Logits>,
}

#[derive(Deserialize)]
struct Case {
    text: String,
    ids: Vec<u32>,
}

#[derive(Deserialize)]
struct Logits {
    text: String,
    last: Vec<f32>,
    greedy: Vec<u32>,
}

#[test]
fn llama_cpp_reads_the_default_model_as_we_do() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let json = std::fs::read(root.join("tests/reference/default_model.json")).unwrap();
    let recorded: Recorded = serde_json::from_slice(&json).unwrap();
    let loaded = load("");
    assert_eq!(recorded.cases.len(), 200);
    let model = std::fs::read(root.join("models/evolora-206k.gguf")).unwrap();
    let sha256: String = Sha256::digest(&model).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(recorded.sha256, sha256, "make_default_model.py was not run on the model that ships");
    for case in &recorded.cases {
        // llama.cpp was told to take special tokens for text; ours reads them as what they are.
        if !case.text.contains("<|") {
            assert_eq!(loaded.tokenizer.encode(&case.text).unwrap(), case.ids, "{:?}", case.text);
        }
    }
    for recorded in &recorded.logits {
        let mut tokens = loaded.tokenizer.encode(&recorded.text).unwrap();
        for (step, expected) in recorded.greedy.iter().enumerate() {
            let features = loaded.model.features(&Batch::of(&tokens), &ActiveAdapters::none()).unwrap();
            let logits = loaded.model.logits(&features).unwrap().get(tokens.len() - 1).unwrap();
            if step == 0 {
                let far = largest_difference(&logits.to_vec1::<f32>().unwrap(), &recorded.last);
                assert!(far < 1e-3, "{far}");
            }
            let next: u32 = logits.argmax(0).unwrap().to_scalar().unwrap();
            assert_eq!(next, *expected);
            tokens.push(next);
        }
    }
}

#[test]
fn the_words_that_decide_are_single_tokens_of_the_default_model() {
    let loaded = load("");
    for word in
        [" move", " north", " south", " east", " west", " pick", " up", " drop", " eat", " wait", " food", " home"]
    {
        assert_eq!(loaded.tokenizer.encode(word).unwrap().len(), 1, "{word:?}");
    }
    assert_eq!(scorer(&loaded).trie().forks().len(), 2, "the root, and behind \" move\"");
    assert!((200_000..1_000_000).contains(&loaded.model.parameters()));
}
