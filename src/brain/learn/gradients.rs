//! The gradients of every adapter against finite differences, over every way to keep weights.

use std::sync::Arc;

use candle_core::Tensor;
use case::Case;

use super::*;
use crate::{
    brain::{
        Question, Scorer, Trie,
        files::{Keep, Mix, RandomTensors},
        kernel::together,
        load_model,
        lora::{ActiveAdapters, Adapter, AdapterLayout, Pair},
        model::{LanguageModel, Llama, LlamaConfig, PLAIN_PRODUCTS, RopeStyle},
    },
    config::{Arithmetic, ModelSettings},
    protocol::LearningRule,
};

mod case;

/// |a − b| / |b|.
fn apart(a: &Numbers, b: &Numbers) -> f64 {
    let gap: f64 = a.iter().flatten().zip(b.iter().flatten()).map(|(a, b)| f64::from(a - b).powi(2)).sum();
    gap.sqrt() / norm(b)
}

#[test]
fn gradients_of_every_target_equal_finite_differences_over_every_base() {
    let bases = ["llama-f32.gguf", "llama-f16.gguf", "llama-q8_0.gguf", "llama-q4_0.gguf", "llama-q4_k.gguf"];
    for base in bases.into_iter().chain(["llama-hf", "llama-mlx-4bit", "gpt-neo-hf"]) {
        let worst = Case::new(base).worst();
        println!("{base}: {worst:.1e}");
        assert!(worst < 1e-2, "{base}: {worst}");
    }
}

/// What candle's own product with quantised weights would do: it drops the gradient of its input in silence.
#[test]
fn the_same_check_fails_with_candles_own_quantised_product() {
    let case = Case::new("llama-q4_0.gguf");
    PLAIN_PRODUCTS.set(true);
    let plain = case.slopes();
    PLAIN_PRODUCTS.set(false);
    let true_slopes = case.slopes();
    assert!(apart(&plain[0].gradient, &true_slopes[0].gradient) > 0.5, "nothing was dropped");
    // The losses are the same: nothing but the gradient tells.
    assert!((plain[0].loss - true_slopes[0].loss).abs() < 0.1, "{} {}", plain[0].loss, true_slopes[0].loss);
    let lowest = case.layout.sites.iter().position(|site| site.layer == 0).unwrap();
    let (entry, slope) = (0, case.difference(0, lowest, 0));
    let gap = (f64::from(plain[0].gradient[lowest][entry]) - slope).abs();
    assert!(gap > 0.05 * slope.abs(), "finite differences tell, too: {gap} of {slope}");
}

/// Blocks on rows of numbers, with their way back by hand, against candle's operations and its tape.
fn by_hand_as_by_tape(case: &Case) {
    let by_hand = case.slopes();
    PLAIN_PRODUCTS.set(true);
    let by_tape = case.slopes();
    PLAIN_PRODUCTS.set(false);
    for (hand, tape) in by_hand.iter().zip(&by_tape) {
        assert!((hand.loss - tape.loss).abs() < 1e-5, "{} {}", hand.loss, tape.loss);
        assert_eq!(hand.gradient.len(), case.layout.sites.len());
        for (site, (hand, tape)) in hand.gradient.iter().zip(&tape.gradient).enumerate() {
            let apart = apart(&vec![hand.clone()], &vec![tape.clone()]);
            assert!(apart < 1e-4, "site {site}: {apart}");
        }
    }
}

#[test]
fn blocks_by_hand_equal_candles_tape() {
    by_hand_as_by_tape(&Case::new("llama-f32.gguf"));
}

/// Large matrices, which are dealt with side by side: against candle's tape, and the same bits with any number of threads, each of whom
/// has parts or all of whom work together.
#[test]
fn large_blocks_by_hand_equal_candles_tape_with_any_number_of_threads() {
    by_hand_as_by_tape(&Case::large(Mix::F32));
    for mix in [Mix::F32, Mix::Q8, Mix::Q4KM] {
        let case = Case::large(mix);
        let alone = case.slopes();
        for threads in [1, 2, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            assert!(pool.install(|| case.slopes()) == alone, "{mix:?}, {threads} threads");
            assert!(pool.install(|| together(|| case.slopes())) == alone, "{mix:?}, {threads} threads together");
        }
    }
}

#[test]
fn below_the_lowest_adapter_there_is_no_backward_pass_and_the_gradient_is_the_same() {
    let all = Case::new("llama-f32.gguf");
    let is_top = |at: &usize| all.layout.sites[*at].layer == 1;
    let tops: Vec<usize> = (0..all.layout.sites.len()).filter(is_top).collect();
    let mut top = Case::new("llama-f32.gguf");
    top.layout.sites = tops.iter().map(|at| all.layout.sites[*at]).collect();
    let mut both = Case::new("llama-f32.gguf");
    for agent in 0..2 {
        top.adapters[agent].pairs = tops.iter().map(|at| all.adapters[agent].pairs[*at].clone()).collect();
        // The lower layer's adapters change nothing where B is zero.
        for (at, pair) in both.adapters[agent].pairs.iter_mut().enumerate().filter(|(at, _)| !tops.contains(at)) {
            pair.b = Arc::new(vec![0.0; all.adapters[agent].pairs[at].b.len()]);
        }
    }
    let (fewer, more) = (top.slopes(), both.slopes());
    for (fewer, more) in fewer.iter().zip(&more) {
        for (at, site) in tops.iter().enumerate() {
            let apart = apart(&vec![fewer.gradient[at].clone()], &vec![more.gradient[*site].clone()]);
            assert!(apart < 1e-5, "site {at}: {apart}");
        }
    }
}

/// The adapters of the upper layer alone.
fn top(path: &str) -> Case {
    top_of(Case::new(path))
}

fn top_of(mut case: Case) -> Case {
    let tops: Vec<usize> = (0..case.layout.sites.len()).filter(|at| case.layout.sites[*at].layer == 1).collect();
    case.layout.sites = tops.iter().map(|at| case.layout.sites[*at]).collect();
    for adapter in &mut case.adapters {
        adapter.pairs = tops.iter().map(|at| adapter.pairs[*at].clone()).collect();
    }
    case
}

#[test]
fn kept_hidden_states_give_the_same_bits_whatever_stood_beside_them() {
    for base in ["llama-f32.gguf", "llama-q8_0.gguf", "llama-q4_k.gguf", "llama-hf", "gpt-neo-hf"] {
        let mut case = top(base);
        // The second agent's begin alike.
        case.prompts[1] = vec![vec![12, 290, 7], vec![12, 290, 18, 3], vec![12, 17]];
        let hidden = HiddenStates::new(1 << 20).unwrap();
        let teach = |agents: &[usize], prompts: usize, hidden: Option<&HiddenStates>| {
            let exercise = |at: &usize| Exercise {
                adapter: &case.adapters[*at],
                prompts: &case.prompts[*at][..prompts],
                targets: &case.targets[*at][..prompts],
            };
            let exercises: Vec<_> = agents.iter().map(exercise).collect();
            case.teacher(hidden).slopes(&case.rule, &exercises).unwrap()
        };
        // Alone, beside one of whom some is kept, all kept, in another order.
        for (agents, prompts) in [(&[1][..], 1), (&[0, 1], 2), (&[1, 0], 3), (&[0, 1], 3)] {
            assert!(teach(agents, prompts, Some(&hidden)) == teach(agents, prompts, None), "{base}: {agents:?}");
        }
        assert_eq!(hidden.uses(), Uses { found: 1 + 4 + 6, missed: 1 + 3 + 2 }, "{base}");
    }
}

/// Prompts of one agent that begin alike, as a habitat's do.
fn alike(path: &str) -> Case {
    let mut case = Case::new(path);
    let prompts = [&[9, 33, 120, 7, 14][..], &[9, 33, 120, 8], &[9, 33, 44, 8, 17, 90]];
    case.prompts = vec![prompts.map(<[u32]>::to_vec).to_vec(); 2];
    case
}

#[test]
fn what_prompts_begin_with_is_learned_through_once_to_the_same_gradient() {
    for base in ["llama-f32.gguf", "llama-q4_k.gguf", "gpt-neo-hf"] {
        let case = alike(base);
        let whole = case.slopes();
        for (agent, whole) in whole.iter().enumerate() {
            // One sample at a time, where nothing is shared.
            let mut sum = whole.gradient.clone();
            sum.iter_mut().flatten().for_each(|number| *number = 0.0);
            for at in 0..3 {
                let one = Exercise {
                    adapter: &case.adapters[agent],
                    prompts: &case.prompts[agent][at..=at],
                    targets: &case.targets[agent][at..=at],
                };
                let slope = case.teacher(None).slopes(&case.rule, &[one]).unwrap().remove(0);
                let both = sum.iter_mut().flatten().zip(slope.gradient.iter().flatten());
                both.for_each(|(sum, own)| *sum += own / 3.0);
            }
            for (site, (whole, sum)) in whole.gradient.iter().zip(&sum).enumerate() {
                let apart = apart(&vec![whole.clone()], &vec![sum.clone()]);
                assert!(apart < 1e-5, "{base}, agent {agent}, site {site}: {apart}");
            }
        }
        let worst = case.worst();
        assert!(worst < 1e-2, "{base}: {worst}");
    }
}

#[test]
fn layers_that_stay_in_their_file_give_the_same_bits() {
    for base in ["llama-q8_0.gguf", "llama-q4_0.gguf", "llama-q4_k.gguf"] {
        let (here, there) = (Case::kept(base, false), Case::kept(base, true));
        assert!(there.model.streamed_bytes() > 0 && there.model.bytes() < here.model.bytes() / 2, "{base}");
        assert_eq!(here.slopes(), there.slopes(), "{base}");
        let decide = |case: Case| {
            let asked = case.prompts[0].iter().map(|tokens| Question { tokens, adapter: Some(&case.adapters[0]) });
            let scorer = case.scorer.in_arithmetic(crate::config::Arithmetic::Int8);
            scorer.score(&case.model, &case.layout, &asked.collect::<Vec<_>>()).unwrap()
        };
        assert_eq!(decide(here), decide(there), "{base}");
    }
}

/// What is read of the last layer is what all its rows would have shown, whoever's adapters they have.
#[test]
fn the_rows_that_are_read_of_the_last_layer_are_those_of_all() {
    for base in ["llama-f32.gguf", "llama-q8_0.gguf", "gpt-neo-hf"] {
        let case = Case::new(base);
        let asked = |agent: usize| {
            let adapter = (agent < 2).then(|| &case.adapters[agent]);
            case.prompts[agent % 2].iter().map(move |tokens| Question { tokens, adapter })
        };
        // Agents with adapters on either side of one without.
        let questions: Vec<_> = asked(0).chain(asked(2)).chain(asked(1)).collect();
        is_read_as_from_all(&case, &questions, base);
    }
}

/// The rows that are read show what they would if all rows of all sequences had been made.
fn is_read_as_from_all(case: &Case, questions: &[Question], base: &str) {
    let laid = case.scorer.lay(questions);
    let lora = case.layout.activate(&laid.owners);
    let all: Vec<Vec<f32>> = case.model.features(&laid.batch, &lora).unwrap().to_vec2().unwrap();
    let some: Vec<Vec<f32>> = case.model.features_of(&laid.batch, &lora, &laid.wanted).unwrap().to_vec2().unwrap();
    assert_eq!(some.len(), laid.wanted.len());
    for (row, some) in laid.wanted.iter().zip(&some) {
        let far = some.iter().zip(&all[*row as usize]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(far < 1e-5, "{base}, row {row}: {far}");
    }
}

/// Below the lowest adapter, what agents' prompts have in common is computed once, to the bits that each would have alone.
#[test]
fn the_layers_without_adapters_share_what_prompts_have_in_common() {
    let small =
        ["llama-f32.gguf", "llama-q8_0.gguf", "llama-q4_k.gguf", "gpt-neo-hf"].map(|base| (base, Case::new(base)));
    for (base, case) in small.into_iter().chain([("large", Case::large(Mix::Q4))]) {
        let mut case = top_of(case);
        // More rows than go through an MLP at once, and fewer where those that are the same are there once.
        let prompt = |at: u32| [&[12, 290, at % 4, at][..], &[at + 9; 12]].concat();
        case.prompts = vec![(0..30).map(prompt).collect(), (2..32).map(prompt).collect()];
        let asked = |agent: usize| {
            let adapter = Some(&case.adapters[agent]);
            case.prompts[agent].iter().map(move |tokens| Question { tokens, adapter })
        };
        let questions: Vec<_> = asked(0).chain(asked(1)).collect();
        let mut found = Vec::new();
        for arithmetic in [Arithmetic::F32, Arithmetic::Int8] {
            let mut batch = case.scorer.lay(&questions).batch;
            batch.arithmetic = arithmetic;
            let once = batch.merged().0.rows();
            assert!(once < 512 && batch.rows() > 512, "{once} of {}", batch.rows());
            let lora = ActiveAdapters::none();
            let x = case.model.embed(&batch).unwrap();
            let plain = case.model.block(0, &x, &mut case.model.pass(&batch, &lora, None)).unwrap();
            let bits =
                |x: &Tensor| x.to_vec2::<f32>().unwrap().concat().into_iter().map(f32::to_bits).collect::<Vec<_>>();
            found.push(bits(&case.model.below(&batch, 1).unwrap()));
            assert!(found.last() == Some(&bits(&plain)), "{base}, {arithmetic:?}");
        }
        let is_quantised = !["llama-f32.gguf", "gpt-neo-hf"].contains(&base);
        assert_eq!(found[0] != found[1], is_quantised, "{base} decides in int8");
        // Whoever stands beside somebody changes nothing for him.
        let score = |questions: &[Question]| case.scorer.score(&case.model, &case.layout, questions).unwrap();
        assert!(score(&questions)[30..] == score(&questions[30..]), "{base}");
        // With adapters above, too.
        is_read_as_from_all(&case, &questions, base);
    }
}

/// Blocks that make again what there was no room for give the same bits, and so do agents alone and side by side.
#[test]
fn the_same_bits_with_any_room_and_any_company() {
    for base in ["llama-f32.gguf", "llama-q4_k.gguf", "gpt-neo-hf"] {
        let case = Case::new(base);
        let exercise = |at: usize| Exercise {
            adapter: &case.adapters[at],
            prompts: &case.prompts[at],
            targets: &case.targets[at],
        };
        let all = case.slopes();
        for room in [0, 40_000, 60_000] {
            let activations = Gauge::default();
            let teacher = Teacher { room, activations: &activations, ..case.teacher(None) };
            let tight = teacher.slopes(&case.rule, &[exercise(0), exercise(1)]).unwrap();
            assert!(tight == all, "{base}, {room} bytes");
            // What is not kept is not counted.
            assert!((1..case.activations.most()).contains(&activations.most()), "{base}, {room} bytes");
        }
        for (at, together) in all.iter().enumerate() {
            let alone = case.teacher(None).slopes(&case.rule, &[exercise(at)]).unwrap();
            assert!(alone[0] == *together, "{base}, agent {at}");
        }
    }
}
