//! A large model whose creatures put aside what they do not need just now: nothing that they do or are changes by it.

use evolora::{
    brain::{
        Kept, KeptAdapter, Llm, LlmPlan, Population, Shelf,
        files::{Keep, Mix, RandomTensors},
        model::{LanguageModel, Llama},
    },
    config::{Genome, RunConfig},
    mind::learning_rule,
    protocol::{
        Action, AgentId, Birth, Breed, Consultation, Counsel, CreatureId, Honour, Lesson, Manner, Opinion, Sample,
        StreamName, Streams, Train,
    },
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::{HabitatId, PROMPTS, large::LARGE, load, plan, thinker};

const HOME: HabitatId = HabitatId(0);

fn mind(genome: Genome, offload: bool) -> Llm {
    let mut plan = LlmPlan { founder_spread: 0.1, offload, ..plan(0.7, 1) };
    plan.lora.genome = genome;
    let mut loaded = load("");
    let mut weights = RandomTensors::new(Mix::Q4, &mut ChaCha8Rng::seed_from_u64(2));
    loaded.model = LanguageModel::Llama(Llama::load(LARGE, &mut weights, &Keep::as_is()).unwrap());
    Llm::of(loaded, plan).unwrap()
}

fn learn(llm: &mut Llm, creatures: &[u32]) {
    let sample = |at: usize| Sample {
        prompt: PROMPTS[at % PROMPTS.len()].to_owned(),
        action: Action::ALL[at % 8],
        weight: 1.0,
        log_acted: -2.0,
    };
    let lesson = |creature: &u32| Lesson {
        habitat: HOME,
        creature: CreatureId(*creature),
        rule: learning_rule(&RunConfig::default()),
        steps: vec![(0..4).map(|at| sample(at + *creature as usize)).collect(); 2],
    };
    let trained = llm.train(&Train { lessons: creatures.iter().map(lesson).collect() });
    assert!(trained.learned.iter().all(|one| one.refused.is_none()), "{trained:?}");
}

/// Four founders learn, one enters the hall of fame, two have a child each with another, and those who live then learn again.
fn live(llm: &mut Llm) -> Counsel {
    llm.think(&(0..4).map(|agent| thinker(agent, 0, PROMPTS[0])).collect::<Vec<_>>()).unwrap();
    learn(llm, &[0, 1, 2, 3]);
    learn(llm, &[0, 1]);
    llm.honour(&Honour { habitat: HOME, entered: vec![CreatureId(1)], standing: vec![CreatureId(1)] });
    let birth =
        |child, one, other| Birth { child: CreatureId(child), parents: [one, other].map(CreatureId), share: 0.3 };
    let births = vec![birth(4, 0, 1), birth(5, 2, 0)];
    let streams = Streams { seed: 3, habitat: HOME, unseen: false };
    let draws = births.iter().map(|birth| streams.agent_key(StreamName::Mutation, AgentId(birth.child.0))).collect();
    let living = [0, 4, 5].map(CreatureId).to_vec();
    let bred = llm.breed(&Breed {
        habitat: HOME,
        living,
        births,
        mutation_rate: 0.1,
        mutation_size: 0.1,
        learned: true,
        draws,
    });
    assert_eq!((bred.born.len(), bred.trouble), (2, None));
    learn(llm, &[0, 4, 5]);
    let manner = Manner { free: false, temperature: 0.7, max_tokens: 4, top_p: 1.0, keeps_genome: false };
    // The living, a child, the dead who has one, the honoured, and one who has gone.
    let minds = [0, 4, 2, 1, 3].map(|creature| Some((HOME, CreatureId(creature)))).to_vec();
    llm.consult(&Consultation { number: 1, prompt: PROMPTS[2].to_owned(), minds, manner })
}

fn in_memory(kept: &KeptAdapter) -> [usize; 2] {
    let bytes = |side: usize| kept.pairs.iter().map(|pair| pair[side].bytes()).sum();
    [bytes(0), bytes(1)]
}

#[test]
fn what_is_put_aside_comes_back_to_the_same_bits() {
    for genome in [Genome::SharedA, Genome::FreeAb] {
        let (mut aside, mut beside) = (mind(genome, true), mind(genome, false));
        let (told, expected) = (live(&mut aside), live(&mut beside));
        assert_eq!(told, expected, "{genome}");
        let silent = |counsel: &Counsel, at: usize| matches!(counsel.answers[at].1, Opinion::Silent(_));
        assert_eq!([0, 1, 2, 3, 4].map(|at| silent(&told, at)), [false, false, false, false, true]);
        let (population, other) = (aside.shelf().open().clone(), beside.shelf().open().clone());
        assert_eq!(population, other, "{genome}");
        let moments =
            |population: &Population| population.minds.values().map(|mind| mind.moments.bytes()).sum::<usize>();
        assert!(moments(&population) == 0 && moments(&other) > 0);
        // A stays in memory where all have the same.
        let (honoured, dead) = (&population.hall[&(HOME, CreatureId(1))], aside.shelf().forebears());
        for kept in [honoured, dead.get(&(HOME, CreatureId(2))).unwrap()] {
            let [a, b] = in_memory(kept);
            assert_eq!((a > 0, b), (genome == Genome::SharedA, 0), "{genome}");
        }
        drop(dead);
        // The living have not acted since they learned.
        for mind in population.minds.values() {
            let [a, b] = in_memory(&mind.adapter);
            assert_eq!((a > 0, b), (genome == Genome::SharedA, 0), "{genome}");
        }
        assert!(other.minds.values().all(|mind| mind.adapter.is_here()));
        act(&mut aside, &mut beside);
        resumed(&population, genome);
    }
}

/// Whoever acts has its adapter in memory again, and acts as if it had never been away; others' stay where they are.
fn act(aside: &mut Llm, beside: &mut Llm) {
    let thinkers: Vec<_> = [0, 4].map(|agent| thinker(agent, 0, PROMPTS[1])).into();
    let told = |llm: &mut Llm| {
        llm.think(&thinkers).unwrap().into_iter().map(|one| (one.action, one.log_probabilities)).collect::<Vec<_>>()
    };
    assert_eq!(told(aside), told(beside));
    let is_here = |creature: u32| aside.shelf().open().minds[&(HOME, CreatureId(creature))].adapter.is_here();
    assert_eq!([0, 4, 5].map(is_here), [true, true, false]);
    assert!(aside.shelf().aside() > 0 && beside.shelf().aside() == 0);
}

/// A run that goes on puts aside what its checkpoint held.
fn resumed(population: &Population, genome: Genome) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("minds");
    population.write(&path).unwrap();
    let read = Population::read(&path).unwrap();
    assert_eq!(read, *population);
    let is_here = |kept: &Kept| matches!(kept, Kept::Here(_));
    assert!(read.hall.values().flat_map(|kept| kept.pairs.iter().flatten()).all(is_here));
    let llm = mind(genome, true).with(Shelf::new(read)).unwrap();
    let again = llm.shelf().open().clone();
    assert_eq!(again, *population);
    let moments: Vec<_> = again.minds.values().flat_map(|mind| mind.moments.first.clone()).collect();
    assert!(!moments.is_empty() && !moments.iter().any(is_here));
    let place = |at: usize| again.minds.values().nth(at).unwrap().adapter.pairs[0][0].place();
    assert_eq!(place(0) == place(1), genome == Genome::SharedA);
}
