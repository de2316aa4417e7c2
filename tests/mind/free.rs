//! Free replies: the cache, what is kept of a prompt, where a reply ends, how likely it was.

use candle_core::Tensor;
use evolora::{
    brain::{
        Llm, Question, Speaker, Style, Written, generate,
        lora::AdapterLayout,
        model::{Batch, Prefix},
    },
    config::{Arithmetic, DecisionMode},
    protocol::{HabitatId, Thinker},
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::{MODELS, PROMPTS, adapters, follows, load, plan, thinker};

#[test]
fn replies_with_a_cache_equal_replies_without() {
    for path in MODELS {
        let loaded = load(path);
        let (layout, adapters) = adapters(&loaded);
        let prompts: Vec<_> = PROMPTS.iter().map(|prompt| loaded.tokenizer.encode(prompt).unwrap()).collect();
        let style = Style {
            temperature: 0.0,
            top_p: 1.0,
            max_tokens: 10,
            most_kept: 100,
            ends: vec![],
            stops: vec![],
            arithmetic: Arithmetic::F32,
        };
        // What is known of their beginnings: nothing, another prompt's, their own.
        let write = |prefixes: &[Option<&Prefix>]| {
            let mut speakers = Vec::new();
            for ((tokens, adapter), prefix) in prompts.iter().zip(&adapters).zip(prefixes) {
                let question = Question { tokens, adapter: Some(adapter) };
                speakers.push(Speaker { question, prefix: *prefix, draws: ChaCha8Rng::seed_from_u64(1) });
            }
            generate(&loaded.model, &loaded.tokenizer, &layout, &style, &mut speakers).unwrap()
        };
        let written = write(&[None; 5]);
        let known: Vec<_> = written.iter().map(|written| Some(&written.prefix)).collect();
        for ((again, first), prompt) in write(&known).iter().zip(&written).zip(&prompts) {
            assert_eq!((&again.text, again.read, first.read), (&first.text, 1, prompt.len()), "{path:?}");
            assert_eq!(again.prefix.tokens, *prompt);
        }
        // The first prompt's beginning, known from another text: what the two have in common is not read again.
        let other = loaded.tokenizer.encode("At (5,3), E10. See: nothing Action:").unwrap();
        let question = Question { tokens: &other, adapter: Some(&adapters[0]) };
        let mut speaker = [Speaker { question, prefix: None, draws: ChaCha8Rng::seed_from_u64(1) }];
        let other = generate(&loaded.model, &loaded.tokenizer, &layout, &style, &mut speaker).unwrap().remove(0);
        let mixed = write(&[Some(&other.prefix), None, None, known[3], None]);
        let common = other.prefix.common(&prompts[0]);
        assert!(common > 3 && mixed[0].read == prompts[0].len() - common && mixed[0].prefix.tokens.len() == common);
        assert!(mixed.iter().zip(&written).all(|(a, b)| a.text == b.text), "{path:?}");
        for ((prompt, adapter), written) in prompts.iter().zip(&adapters).zip(&written) {
            let mut tokens = prompt.clone();
            for _ in 0..10 {
                let active = layout.activate(&[(0..tokens.len(), adapter)]);
                let features = loaded.model.features(&Batch::of(&tokens), &active).unwrap();
                let logits: Tensor = loaded.model.logits(&features).unwrap().get(tokens.len() - 1).unwrap();
                tokens.push(logits.argmax(0).unwrap().to_scalar().unwrap());
            }
            let text = loaded.tokenizer.decode(&tokens[prompt.len()..]).unwrap();
            assert_eq!((written.text.as_str(), written.tokens), (text.trim(), 10), "{path:?}");
        }
    }
}

#[test]
fn a_free_reply_ends_at_its_stop_and_at_its_end_token() {
    let loaded = load("");
    let tokens = loaded.tokenizer.encode(PROMPTS[0]).unwrap();
    let nothing = AdapterLayout { rank: 1, alpha: 1.0, sites: Vec::new() };
    let write = |stops: &[&str], ends: Vec<u32>| {
        let stops = stops.iter().map(|stop| (*stop).to_owned()).collect();
        let style = Style {
            temperature: 0.0,
            top_p: 1.0,
            max_tokens: 60,
            most_kept: 100,
            ends,
            stops,
            arithmetic: Arithmetic::F32,
        };
        let question = Question { tokens: &tokens, adapter: None };
        let mut speaker = [Speaker { question, prefix: None, draws: ChaCha8Rng::seed_from_u64(0) }];
        generate(&loaded.model, &loaded.tokenizer, &nothing, &style, &mut speaker).unwrap().remove(0)
    };
    let whole = write(&[], loaded.ends.clone());
    // What it has learned: an action, then what came of it.
    assert!(whole.text.contains(". Result: ") && whole.text.ends_with('.') && whole.tokens < 60, "{whole:?}");
    let short = write(&["."], loaded.ends.clone());
    assert_eq!(short.text, whole.text.split('.').next().unwrap());
    assert!(evolora::language::parse_reply(&short.text).is_ok(), "{short:?}");
    assert!(short.log_probability < 0.0 && short.log_probability > whole.log_probability);
}

/// What the default model replies to a prompt, the likeliest token each time, up to the first full stop.
fn reply(tokens: &[u32], max_tokens: usize, most_kept: usize, prefix: Option<&Prefix>) -> Written {
    let loaded = load("");
    let nothing = AdapterLayout { rank: 1, alpha: 1.0, sites: Vec::new() };
    let (ends, stops) = (loaded.ends.clone(), vec![".".to_owned()]);
    let style = Style { temperature: 0.0, top_p: 1.0, max_tokens, most_kept, ends, stops, arithmetic: Arithmetic::F32 };
    let question = Question { tokens, adapter: None };
    let mut speaker = [Speaker { question, prefix, draws: ChaCha8Rng::seed_from_u64(0) }];
    generate(&loaded.model, &loaded.tokenizer, &nothing, &style, &mut speaker).unwrap().remove(0)
}

#[test]
fn a_prompt_is_read_whole_however_long_a_reply_may_become() {
    let tokens = load("").tokenizer.encode(PROMPTS[0]).unwrap();
    let short = reply(&tokens, 30, 100, None);
    for max_tokens in [200, 255, 256, 4096] {
        let long = reply(&tokens, max_tokens, 100, None);
        assert_eq!((&long.text, long.read), (&short.text, tokens.len()), "MAX_TOKENS={max_tokens}");
    }
    // A prompt that is longer than the context leaves room for half of it at the most.
    let endless: Vec<u32> = tokens.iter().cycle().take(1000).copied().collect();
    assert_eq!([30, 4096].map(|max_tokens| reply(&endless, max_tokens, 0, None).read), [256 - 30, 128]);
}

#[test]
fn no_more_is_kept_of_a_prompt_than_shall_be() {
    let tokens = load("").tokenizer.encode(PROMPTS[0]).unwrap();
    let whole = reply(&tokens, 30, 100, None);
    let cut = reply(&tokens, 30, 5, None);
    assert_eq!((whole.prefix.tokens, &cut.prefix.tokens), (tokens.clone(), &tokens[..5].to_vec()));
    let again = reply(&tokens, 30, 5, Some(&cut.prefix));
    assert_eq!((again.text, again.read, again.prefix.tokens.len()), (cut.text, tokens.len() - 5, 5));
    let nothing = reply(&tokens, 30, 0, None);
    assert_eq!(reply(&tokens, 30, 5, Some(&nothing.prefix)).read, tokens.len());
}

#[test]
fn what_an_agent_keeps_depends_on_no_other_agent() {
    // Prompts of about 120 tokens; a crowd of them has more keys and values than 64 MiB.
    let long = |agent: u32| format!("At ({agent},{agent}). {}", "See: home↑ wall← food→ edge↓. ".repeat(10));
    let talker = |habitat: u32, agent: u32, turn: u32| Thinker {
        habitat: HabitatId(habitat),
        ..thinker(agent, turn, &long(agent))
    };
    let think = |crowd: u32| {
        let mut plan = plan(0.7, 1);
        plan.mind.mode = DecisionMode::Free;
        plan.mind.max_tokens = 1;
        let mut llm = Llm::load(plan).unwrap();
        let turn = |turn| {
            (0..crowd).map(move |agent| talker(0, agent, turn)).chain((0..3).map(move |agent| talker(1, agent, turn)))
        };
        let mut costs = |number| {
            let thoughts = llm.think(&turn(number).collect::<Vec<_>>()).unwrap();
            thoughts[crowd as usize..].iter().map(|thought| thought.tokens).collect::<Vec<_>>()
        };
        (costs(0), costs(1))
    };
    let (first, second) = think(0);
    assert!(first.iter().all(|tokens| *tokens > 100) && second == [2, 2, 2], "{first:?} {second:?}");
    assert_eq!(think(500), (first, second));
}

#[test]
fn a_free_reply_tells_how_likely_it_was() {
    let mut plan = plan(0.7, 1);
    plan.mind.mode = DecisionMode::Free;
    let thoughts = Llm::load(plan).unwrap().think(&[thinker(0, 0, PROMPTS[0])]).unwrap();
    let thought = &thoughts[0];
    assert!(!thought.text.is_empty() && thought.action.is_none() && thought.policy.iter().all(|p| *p == 0.0));
    // Word by word, by the whole softmax of what follows; the stop that ends it was drawn, too.
    let loaded = load("");
    let prompt = loaded.tokenizer.encode(PROMPTS[0]).unwrap();
    let words = loaded.tokenizer.encode(&format!(" {}.", thought.text)).unwrap();
    let log = |at: usize| follows(&loaded, &[&prompt, &words[..at]].concat())[words[at] as usize].ln();
    let expected: f64 = (0..words.len()).map(log).sum();
    assert!((f64::from(thought.log_probability) - expected).abs() < 1e-3, "{} {expected}", thought.log_probability);
    assert_eq!(thought.tokens as usize, prompt.len() + words.len());
}
