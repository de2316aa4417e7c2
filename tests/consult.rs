//! Minds that are asked by hand, beside a run that does not notice.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use evolora::{
    Simulation,
    config::{DecisionMode, MindKind, RunConfig},
    lab::solo::ask_once,
    mind::{Consulted, Creatures, LastThought, WorkerLink, consult, consultation, listen, wait_for_errands},
    protocol::{AgentId, Consult, CreatureId, CreatureName, HabitatId, Opinion},
    record::{Checkpoints, GenerationRow},
    sim::{Agent, HabitatConfig},
};

const PROMPT: &str = "At (4,12), E80. See: home↓→ food here Action:";
const HOME: HabitatId = HabitatId(0);

fn config() -> RunConfig {
    let mut config = RunConfig::default();
    (config.run.generations, config.run.turns, config.run.threads) = (3, 12, 1);
    (config.habitat.agents, config.habitat.size) = (5, 10);
    (config.learning.every, config.learning.warm_up, config.learning.batch_size) = (3, 3, 4);
    config.evolution.hall_of_fame = 3;
    config
}

fn ask(number: u64, prompt: &str, minds: &[Option<CreatureName>], free: bool) -> Consult {
    Consult { number, prompt: prompt.to_owned(), minds: minds.to_vec(), free }
}

/// The answers to a question, once they have come.
fn answers(simulation: &mut Simulation, asked: &Consult) -> Vec<Opinion> {
    let world = simulation.world_mut();
    let config = world.query::<&HabitatConfig>().iter(world).next().unwrap().0.clone();
    consult(world, consultation(asked, &config));
    wait_for_errands(world, std::time::Duration::from_secs(60));
    let counsel = world.resource::<Consulted>().answer(asked.number).unwrap().clone();
    assert!(counsel.answers.iter().map(|(mind, _)| *mind).eq(asked.minds.iter().copied()));
    counsel.answers.into_iter().map(|(_, opinion)| opinion).collect()
}

fn living(simulation: &mut Simulation) -> Vec<CreatureId> {
    let world = simulation.world_mut();
    world.query::<&Creatures>().iter(world).next().unwrap().living.clone()
}

/// A run whose minds are asked without end, without waiting, as a window would.
fn plagued(config: RunConfig, free: bool) -> (Vec<GenerationRow>, usize) {
    let mut simulation = Simulation::new(config).unwrap();
    let (mut number, mut heard) = (0, 0);
    while !simulation.is_finished() {
        let minds = [None, Some((HOME, CreatureId(1))), Some((HOME, CreatureId(7)))];
        let world = simulation.world_mut();
        let config = world.query::<&HabitatConfig>().iter(world).next().unwrap().0.clone();
        for _ in 0..3 {
            number += 1;
            consult(world, consultation(&ask(number, PROMPT, &minds, free), &config));
        }
        listen(world);
        simulation.step();
        listen(simulation.world_mut());
        let latest = simulation.world_mut().resource::<Consulted>().latest();
        heard += latest.map_or(0, |counsel| counsel.answers.len());
    }
    (simulation.run().unwrap().rows, heard)
}

#[test]
fn a_run_is_the_same_whether_its_minds_are_asked_or_not() {
    for mode in [DecisionMode::Constrained, DecisionMode::Free] {
        let mut config = config();
        (config.mind.mode, config.mind.max_tokens) = (mode, 5);
        let alone = Simulation::new(config.clone()).unwrap().run().unwrap().rows;
        assert!(alone.len() == 3 && alone[2].lessons > 0);
        for free in [false, true] {
            let (rows, heard) = plagued(config.clone(), free);
            assert_eq!(rows, alone, "{mode}, asked freely: {free}");
            assert!(heard > 30, "they have answered all the same");
        }
    }
}

fn weighed(opinion: &Opinion) -> ([f32; 8], [f32; 8]) {
    let Opinion::Weighed { policy, log_probabilities } = opinion else { panic!("{opinion:?}") };
    (*policy, *log_probabilities)
}

#[test]
fn what_a_mind_answers_is_what_it_acts_by() {
    let mut config = config();
    config.mind.exploration = 0.0;
    config.learning.warm_up = 1;
    let mut simulation = Simulation::new(config).unwrap();
    (0..8).for_each(|_| simulation.step());
    // The seventh turn's thoughts, before anybody has learned again.
    let world = simulation.world_mut();
    let prompts = world.resource::<evolora::mind::Asked>().thinkers.clone();
    let mut agents = world.query::<(&Agent, &LastThought)>();
    let thought = agents.iter(world).find(|(agent, _)| agent.id == AgentId(2)).unwrap().1.0.clone().unwrap();
    let prompt = &prompts.iter().find(|thinker| thinker.agent == AgentId(2)).unwrap().prompt;
    let mind = Some((HOME, CreatureId(2)));
    let opinions = answers(&mut simulation, &ask(1, prompt, &[mind, None], false));
    let (policy, logs) = weighed(&opinions[0]);
    let close = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5);
    assert!(close(&policy, &thought.policy) && close(&logs, &thought.log_probabilities), "{policy:?} {thought:?}");
    assert!((policy.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    assert!(!close(&weighed(&opinions[1]).0, &policy), "the bare model has not learned");
}

#[test]
fn minds_talk_as_they_do_in_the_terminal() {
    let mut config = config();
    (config.mind.temperature, config.mind.mode) = (0.0, DecisionMode::Free);
    let told = ask_once(&config, PROMPT).unwrap();
    let mut simulation = Simulation::new(config).unwrap();
    simulation.step();
    // Before its first lesson a founder is the bare model.
    let minds = [None, Some((HOME, CreatureId(0)))];
    let opinions = answers(&mut simulation, &ask(1, PROMPT, &minds, true));
    for opinion in &opinions {
        let Opinion::Said { text, log_probability } = opinion else { panic!("{opinion:?}") };
        assert!(!text.is_empty());
        assert_eq!((text, *log_probability), (&told.reply, told.log_probability));
    }
    // What is drawn depends on the number alone.
    let mut config = simulation.config().clone();
    config.mind.temperature = 2.0;
    let mut simulation = Simulation::new(config).unwrap();
    let mut say = |number| answers(&mut simulation, &ask(number, "Once upon", &[None], true));
    let said = [1, 2, 1, 3].map(&mut say);
    assert!(said[0] == said[2] && said[0] != said[1], "{said:?}");
}

#[test]
fn the_dead_answer_as_long_as_their_children_live_and_champions_for_ever() {
    let mut simulation = Simulation::new(config()).unwrap();
    (0..11).for_each(|_| simulation.step());
    let first = living(&mut simulation);
    let names: Vec<_> = first.iter().map(|creature| Some((HOME, *creature))).collect();
    // The last turn of the generation has a lesson in it, so they are asked after it.
    let before = |simulation: &mut Simulation, number| answers(simulation, &ask(number, PROMPT, &names, false));
    let with_lesson = before(&mut simulation, 1);
    simulation.step();
    let population = simulation.shelf().unwrap().clone();
    simulation.step();
    let now = living(&mut simulation);
    let after = before(&mut simulation, 2);
    let lineage = simulation.world_mut().resource::<evolora::record::Lineage>().creatures.clone();
    let (mut forebears, mut elites, mut honoured, mut forgotten) = (0, 0, 0, 0);
    for (creature, (was, is)) in first.iter().zip(with_lesson.iter().zip(&after)) {
        let name = (HOME, *creature);
        let has_child = lineage
            .values()
            .any(|one| now.contains(&one.creature) && [one.first_parent, one.second_parent].contains(&Some(*creature)));
        match is {
            Opinion::Weighed { .. } if now.contains(creature) => elites += 1,
            Opinion::Weighed { .. } if has_child => {
                forebears += 1;
                assert!(population.forebears().get(&name).is_some());
                assert_ne!(weighed(was), weighed(is), "the last lesson is in it");
            }
            Opinion::Weighed { .. } => {
                honoured += 1;
                assert!(population.open().hall.contains_key(&name), "{creature} is nobody");
            }
            Opinion::Silent(why) => {
                forgotten += 1;
                assert!(!has_child && why.contains(&format!("Creature {creature} of habitat 0 has no mind here")));
            }
            Opinion::Said { .. } => panic!("{is:?}"),
        }
    }
    assert!(forebears > 0 && elites > 0, "{forebears} {elites} {honoured} {forgotten}");
    // In the file of a checkpoint they are not.
    let folder = tempfile::tempdir().unwrap();
    simulation.save(&Checkpoints::of(folder.path())).unwrap();
    let checkpoint = Checkpoints::of(folder.path()).newest().unwrap();
    let mut resumed = Simulation::resume(checkpoint, &evolora::app::Changes::default()).unwrap();
    let hall: Vec<_> = population.open().hall.keys().copied().collect();
    for (name, is) in names.iter().flatten().zip(before(&mut resumed, 3)) {
        let known = now.contains(&name.1) || hall.contains(name);
        assert_eq!(matches!(is, Opinion::Weighed { .. }), known, "{name:?}");
    }
}

#[test]
fn what_cannot_be_answered_is_told_in_a_sentence() {
    let mut simulation = Simulation::new(config()).unwrap();
    let minds = [None, Some((HOME, CreatureId(0)))];
    let mut why = |number, prompt: &str, free| {
        let opinions = answers(&mut simulation, &ask(number, prompt, &minds, free));
        opinions
            .into_iter()
            .map(|one| if let Opinion::Silent(why) = one { why } else { String::new() })
            .collect::<Vec<_>>()
    };
    let unborn = why(1, PROMPT, false);
    assert!(unborn[0].is_empty() && unborn[1].contains("from their first turn on"), "{unborn:?}");
    for (number, free) in [(2, false), (3, true)] {
        assert!(why(number, "", free)[0].starts_with("An empty prompt has no answer"));
        let long = why(number + 10, &"home ".repeat(300), free);
        assert!(long[0].starts_with("The prompt is too long (") && long[0].contains("the model reads"), "{long:?}");
        assert!(why(number + 20, &"x".repeat(1 << 17), free)[0].contains("131072 bytes"));
        // Any text is a prompt, and has an answer.
        assert!(why(number + 30, "🦀 \u{0}\n<|end|> ¿qué?", free)[0].is_empty());
    }
}

#[test]
fn scripted_minds_have_nothing_to_say_and_the_last_of_many_questions_counts() {
    let mut rules = config();
    rules.mind.kind = MindKind::Rules;
    let mut simulation = Simulation::new(rules).unwrap();
    let silent = answers(&mut simulation, &ask(1, PROMPT, &[None], false));
    assert!(matches!(&silent[0], Opinion::Silent(why) if why.contains("no language model")), "{silent:?}");
    let mut simulation = Simulation::new(config()).unwrap();
    let config = simulation.config().clone();
    let world = simulation.world_mut();
    for number in 1..=50 {
        consult(world, consultation(&ask(number, PROMPT, &[None], false), &config));
    }
    assert!(world.resource::<WorkerLink>().queue() <= 1, "one is under way");
    while world.resource::<Consulted>().answer(50).is_none() {
        listen(world);
    }
    assert!(!world.resource::<Consulted>().is_waiting() && world.resource::<WorkerLink>().is_idle());
    assert!(world.resource::<Consulted>().answer(25).is_none());
}
