//! Adapters out of files as founders of a population.

use evolora::{
    app::llm_plan,
    brain::{
        Llm, LlmPlan, Mind,
        lora::{Adapter, AdapterFormat, load_adapter, load_peft},
    },
    config::{Genome, LoraTarget::*, ModelSettings, RunConfig},
    protocol::{
        Action, AgentId, Birth, Breed, Cell, CreatureId, HabitatId, Lesson, Moment, Observation, Sample, StreamName,
        Streams, Thinker, Train,
    },
};

use super::{bytes, creature, load, numbers, reference};

const HOME: HabitatId = HabitatId(0);
const PROMPT: &str = "At (4,12), E80. See: home↓→ food here Action:";

fn streams() -> Streams {
    Streams { seed: 5, habitat: HOME, unseen: false }
}

fn thinker(creature: u32) -> Thinker {
    Thinker {
        habitat: HOME,
        agent: AgentId(creature),
        creature: CreatureId(creature),
        exploration: 0.0,
        manner: None,
        observation: Observation::new(Cell::new(4, 12), 80, None),
        prompt: PROMPT.to_owned(),
        draws: streams().agent_key(StreamName::Act, AgentId(creature)),
        moment: Moment::new(0, 0),
    }
}

fn config(model: &str, adapters: &[&str], genome: Genome) -> RunConfig {
    let mut config = RunConfig::default();
    let path = if model.is_empty() { String::new() } else { reference(model).to_string_lossy().into_owned() };
    config.model = ModelSettings { path, ..ModelSettings::default() };
    let paths: Vec<_> = adapters.iter().map(|name| reference(name).to_string_lossy().into_owned()).collect();
    config.lora.adapter = paths.join(" , ");
    config.lora.genome = genome;
    config
}

fn settled(plan: LlmPlan, creatures: u32) -> Llm {
    let mut llm = Llm::load(plan).unwrap();
    llm.think(&(0..creatures).map(thinker).collect::<Vec<_>>()).unwrap();
    llm
}

fn mind(llm: &Llm, creature: u32) -> Mind {
    llm.shelf().open().minds[&(HOME, CreatureId(creature))].clone()
}

fn adapter(mind: &Mind) -> Adapter {
    mind.adapter.read().unwrap()
}

#[test]
fn founders_take_the_adapters_in_turn() {
    for genome in [Genome::SharedA, Genome::FreeAb] {
        let all = ["peft/llama-0", "export/elsewhere.gguf", "peft/llama-2"];
        let loaded = load("llama-f32.gguf");
        let read = |name: &str| numbers(&load_adapter(&reference(name), &loaded).unwrap().1);
        let plan = LlmPlan { founder_spread: 0.05, ..llm_plan(&config("llama-f32.gguf", &all, genome)) };
        let llm = settled(LlmPlan { founder_spread: 0.0, ..plan.clone() }, 7);
        for number in 0..7 {
            let expected = read(all[number as usize % 3]);
            assert_eq!(numbers(&adapter(&mind(&llm, number))), expected, "{number}");
        }
        // Where nobody learns, the first of each stays as it was read, and those that follow differ from it a little.
        let llm = settled(plan, 7);
        for number in 0..7 {
            let (own, first) = (numbers(&adapter(&mind(&llm, number))), read(all[number as usize % 3]));
            let apart = own.iter().zip(&first).flat_map(|(own, first)| own.1.iter().zip(&first.1));
            let most = apart.map(|(own, first)| (own - first).abs()).fold(0.0, f32::max);
            assert!(if number < 3 { most == 0.0 } else { most > 0.04 && most <= 0.0501 }, "{number}: {most}");
            assert!(own.iter().zip(&first).all(|(own, first)| own.0 == first.0), "A is as it was read");
        }
    }
}

#[test]
fn adapters_of_two_layouts_are_no_founders_of_one_population() {
    let plan = llm_plan(&config("llama-hf", &["peft/llama-0", "peft/llama-top"], Genome::SharedA));
    let sentence = Llm::load(plan).map(drop).unwrap_err().to_string();
    let layouts = [
        "peft/llama-0 (rank 4, alpha 8, 14 matrices (q k v o gate up down) in 2 layers) and ",
        "peft/llama-top (rank 4, alpha 8, 2 matrices (q v) in 1 layer) cannot be founders of one population",
    ];
    assert!(layouts.iter().all(|part| sentence.contains(part)), "{sentence}");
}

fn births(learned: bool) -> Breed {
    let birth = Birth { child: CreatureId(2), parents: [CreatureId(0), CreatureId(1)], share: 0.5 };
    let copy = Birth { child: CreatureId(3), parents: [CreatureId(0), CreatureId(0)], share: 0.5 };
    Breed {
        habitat: HOME,
        living: [2, 3].map(CreatureId).to_vec(),
        births: vec![birth, copy],
        mutation_rate: 0.0,
        mutation_size: 0.0,
        learned,
        draws: [2, 3].map(|n| streams().agent_key(StreamName::Mutation, AgentId(n))).to_vec(),
    }
}

/// Σ of (B·A)², and of (B·A − (B₁·A₁ + B₂·A₂)/2)², over every matrix.
fn energies(child: &Adapter, parents: [&Adapter; 2], rank: usize) -> (f64, f64) {
    let (mut whole, mut rest) = (0.0, 0.0);
    for at in 0..child.pairs.len() {
        let effect = |adapter: &Adapter, row: usize, column: usize| {
            let pair = &adapter.pairs[at];
            let inner = pair.a.len() / rank;
            (0..rank).map(|k| f64::from(pair.b[row * rank + k]) * f64::from(pair.a[k * inner + column])).sum::<f64>()
        };
        let pair = &child.pairs[at];
        for row in 0..pair.b.len() / rank {
            for column in 0..pair.a.len() / rank {
                let mix = parents.map(|parent| effect(parent, row, column)).iter().sum::<f64>() / 2.0;
                whole += mix * mix;
                rest += (effect(child, row, column) - mix).powi(2);
            }
        }
    }
    (whole, rest)
}

/// The genome `shared-a` means B alone; but founders out of files may each have their own A, and then merging B by itself
/// would be wrong.
#[test]
fn children_of_founders_with_different_a_are_merged_in_effect_and_forget_their_parents_moments() {
    let config = config("llama-f32.gguf", &["peft/llama-0", "peft/llama-1"], Genome::SharedA);
    let mut llm = settled(LlmPlan { founder_spread: 0.0, ..llm_plan(&config) }, 2);
    let sample = Sample { prompt: PROMPT.to_owned(), action: Action::Eat, weight: 1.0, log_acted: -2.0 };
    let rule = evolora::mind::learning_rule(&config);
    let lesson = |n| Lesson { habitat: HOME, creature: CreatureId(n), rule, steps: vec![vec![sample.clone(); 2]] };
    llm.train(&Train { lessons: vec![lesson(0), lesson(1)] });
    let parents = [mind(&llm, 0), mind(&llm, 1)];
    assert!(parents.iter().all(|parent| *parent.moments != evolora::brain::learn::Moments::default()));
    let bred = llm.breed(&births(true));
    let (child, copy) = (mind(&llm, 2), mind(&llm, 3));
    // The best that rank 4 has room for: what is lost is what was told, and no more.
    let (whole, rest) = energies(&adapter(&child), [&adapter(&parents[0]), &adapter(&parents[1])], 4);
    assert!(
        (rest / whole - bred.born[0].energy_lost).abs() < 1e-4,
        "{} and {}",
        rest / whole,
        bred.born[0].energy_lost
    );
    assert!(rest / whole < 0.5 && bred.born[1].energy_lost == 0.0, "{}", rest / whole);
    assert_eq!(*child.moments, evolora::brain::learn::Moments::default(), "its basis is another");
    assert_eq!((numbers(&adapter(&copy)), &copy.moments), (numbers(&adapter(&parents[0])), &parents[0].moments));
}

#[test]
fn a_card_is_the_founder_that_it_was_made_of() {
    let loaded = load("llama-hf");
    let made = creature(&loaded, &[Q, K, Down], None, 8);
    let folder = tempfile::tempdir().unwrap();
    let card = folder.path().join("one.card");
    std::fs::write(&card, bytes(AdapterFormat::Card, &loaded, &made)).unwrap();
    let mut config = config("llama-hf", &[], Genome::SharedA);
    config.lora.adapter = card.to_string_lossy().into_owned();
    let llm = settled(LlmPlan { founder_spread: 0.0, ..llm_plan(&config) }, 2);
    assert_eq!(llm.layout(), &made.layout);
    assert_eq!(numbers(&adapter(&mind(&llm, 1))), numbers(&made.adapter));
    assert!(load_peft(&card, &loaded.model).is_err());
}
