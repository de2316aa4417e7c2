//! Learning and evolution in whole runs, on the model that ships.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use evolora::{
    Simulation,
    app::llm_plan,
    brain::{Llm, Mind},
    config::{Genome, Inheritance, MindKind, Objective, RunConfig},
    mind::{WorkerLink, learning_rule},
    protocol::{
        Action, AgentId, Birth, Breed, CreatureId, Lesson, Moment, Observation, Reply, Request, Sample, StreamName,
        Streams, Survey, Think, Thinker, Thought, Thoughts, Train, Trained,
    },
};

mod common;

use common::HOME;
const FOOD: &str = "At (4,12), E80. See: home↓→ food here Action:";

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
        observation: Observation::new(evolora::protocol::Cell::new(4, 12), 80, None),
        prompt: FOOD.to_owned(),
        draws: streams().agent_key(StreamName::Act, AgentId(creature)),
        moment: Moment::new(0, 0),
    }
}

fn lesson(config: &RunConfig, creature: u32, weight: f64) -> Lesson {
    let sample = Sample { prompt: FOOD.to_owned(), action: Action::PickUp, weight, log_acted: -2.0 };
    let creature = CreatureId(creature);
    Lesson { habitat: HOME, creature, rule: learning_rule(config), steps: vec![vec![sample; 8]] }
}

fn settled(config: &RunConfig, creatures: u32) -> Llm {
    let mut llm = Llm::load(llm_plan(config)).unwrap();
    llm.think(&(0..creatures).map(thinker).collect::<Vec<_>>()).unwrap();
    llm
}

fn mind(llm: &Llm, creature: u32) -> Mind {
    llm.shelf().open().minds[&(HOME, CreatureId(creature))].clone()
}

fn b(mind: &Mind) -> Vec<f32> {
    mind.adapter.pairs.iter().flat_map(|[_, b]| b.read().unwrap().to_vec()).collect()
}

/// Probability of picking the food up.
fn picks_up(llm: &Llm, creature: Option<u32>) -> f32 {
    let survey = Survey {
        habitat: HOME,
        generation: 0,
        newborn: false,
        creatures: vec![creature.map(CreatureId)],
        temperature: None,
        prompts: std::sync::Arc::new(vec![FOOD.to_owned()]),
    };
    llm.survey(&survey).unwrap().policies[0].1[0][Action::PickUp.index()]
}

fn breed(births: Vec<Birth>, living: &[u32], learned: bool) -> Breed {
    let draws = births.iter().map(|birth| streams().agent_key(StreamName::Mutation, AgentId(birth.child.0))).collect();
    Breed {
        habitat: HOME,
        living: living.iter().copied().map(CreatureId).collect(),
        births,
        mutation_rate: 0.0,
        mutation_size: 0.0,
        learned,
        draws,
    }
}

const fn birth(child: u32, first: u32, second: u32, share: f64) -> Birth {
    Birth { child: CreatureId(child), parents: [CreatureId(first), CreatureId(second)], share }
}

#[test]
fn a_rewarded_action_becomes_likelier_and_a_punished_one_rarer() {
    for genome in [Genome::SharedA, Genome::FreeAb] {
        let mut config = RunConfig::default();
        config.lora.genome = genome;
        let mut llm = settled(&config, 3);
        let bare = picks_up(&llm, None);
        for _ in 0..20 {
            llm.train(&Train { lessons: vec![lesson(&config, 0, 1.0), lesson(&config, 1, -1.0)] });
        }
        let [taught, punished, untaught] = [0, 1, 2].map(|creature| picks_up(&llm, Some(creature)));
        assert!(taught > 0.9 && punished < bare / 2.0, "{genome}: {bare} → {taught}, {punished}");
        assert_eq!(untaught, bare, "who had no lesson is who it was");
        assert_eq!([0, 1, 2].map(|creature| mind(&llm, creature).moments.steps), [20, 20, 0]);
    }
}

#[test]
fn a_lesson_that_is_no_number_changes_nothing_and_is_told() {
    let config = RunConfig::default();
    let mut llm = settled(&config, 2);
    llm.train(&Train { lessons: vec![lesson(&config, 0, 1.0), lesson(&config, 1, 1.0)] });
    let before = [mind(&llm, 0), mind(&llm, 1)];
    let trained = llm.train(&Train { lessons: vec![lesson(&config, 0, f64::INFINITY), lesson(&config, 1, 1.0)] });
    assert!(trained.learned[0].refused.as_ref().unwrap().starts_with("its loss is "), "{trained:?}");
    assert_eq!((b(&mind(&llm, 0)), mind(&llm, 0).moments), (b(&before[0]), before[0].moments.clone()));
    assert_eq!((trained.learned[0].version, trained.learned[1].version), (1, 2));
    assert_ne!(b(&mind(&llm, 1)), b(&before[1]), "others learn");
    // The same where only the second step of a lesson is no number: all of it is taken back.
    let mut two = lesson(&config, 0, 1.0);
    two.steps.push(lesson(&config, 0, f64::NAN).steps.remove(0));
    assert!(llm.train(&Train { lessons: vec![two] }).learned[0].refused.is_some());
    assert_eq!(b(&mind(&llm, 0)), b(&before[0]));
}

#[test]
fn of_very_many_everybody_learns_what_it_would_alone() {
    let config = RunConfig::default();
    // More than are under way at a time.
    let creatures = 150;
    let weight = |creature: u32| f64::from(creature % 5) - 1.5;
    let mut llm = settled(&config, creatures);
    let lessons = (0..creatures).map(|creature| lesson(&config, creature, weight(creature))).collect();
    let trained = llm.train(&Train { lessons });
    let samples = lesson(&config, 0, 1.0).steps.iter().map(Vec::len).sum::<usize>();
    assert!(trained.learned.iter().all(|one| one.samples as usize == samples), "{trained:?}");
    let taught: Vec<_> = trained.learned.iter().map(|one| (one.creature.0, one.version)).collect();
    assert_eq!(taught, (0..creatures).map(|creature| (creature, 1)).collect::<Vec<_>>(), "in the order of the lessons");
    let mut alone = settled(&config, creatures);
    for creature in [0, 63, 64, 127, 149] {
        let report = alone.train(&Train { lessons: vec![lesson(&config, creature, weight(creature))] });
        assert_eq!(report.learned[0], trained.learned[creature as usize]);
        assert_eq!(b(&mind(&alone, creature)), b(&mind(&llm, creature)), "creature {creature}");
    }
}

#[test]
fn elites_are_unchanged_children_are_between_and_the_rest_is_forgotten() {
    let mut config = RunConfig::default();
    // Merging is exact then, and B by itself is what merges.
    config.lora.genome = Genome::SharedA;
    let mut llm = settled(&config, 3);
    llm.train(&Train { lessons: vec![lesson(&config, 0, 1.0), lesson(&config, 1, -1.0)] });
    let [first, second] = [mind(&llm, 0), mind(&llm, 1)];
    let bred = llm.breed(&breed(vec![birth(3, 0, 1, 0.25), birth(4, 1, 1, 0.5)], &[0, 3, 4], true));
    assert_eq!((bred.born.len(), bred.born[0].energy_lost, bred.trouble), (2, 0.0, None));
    assert_eq!(b(&mind(&llm, 0)), b(&first), "bit for bit");
    let expected = b(&first).iter().zip(b(&second)).map(|(x, y)| 0.25 * x + 0.75 * y).collect::<Vec<_>>();
    let child = mind(&llm, 3);
    assert!(b(&child).iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-7));
    assert_eq!(child.moments, first.moments, "the first parent's");
    assert_eq!(b(&mind(&llm, 4)), b(&second), "merged with itself");
    let names: Vec<u32> = llm.shelf().open().minds.keys().map(|(_, creature)| creature.0).collect();
    assert_eq!(names, [0, 3, 4]);
}

#[test]
fn baldwins_children_get_what_their_parents_were_born_with() {
    let mut config = RunConfig::default();
    config.evolution.inheritance = Inheritance::Baldwin;
    let mut llm = settled(&config, 2);
    llm.train(&Train { lessons: vec![lesson(&config, 0, 1.0)] });
    llm.breed(&breed(vec![birth(2, 0, 1, 0.5)], &[0, 2], false));
    assert!(b(&mind(&llm, 2)).iter().all(|b| *b == 0.0), "founders are born blank");
    assert!(b(&mind(&llm, 0)).iter().any(|b| *b != 0.0), "who lives on keeps what it has learned");
    assert_eq!(mind(&llm, 2).moments.steps, 0);
}

#[test]
fn founders_differ_where_nobody_learns() {
    let mut config = RunConfig::default();
    config.evolution.inheritance = Inheritance::Darwin;
    let llm = settled(&config, 2);
    assert_ne!(b(&mind(&llm, 0)), b(&mind(&llm, 1)));
    let most = b(&mind(&llm, 0)).into_iter().fold(0.0, |most: f32, b| most.max(b.abs()));
    assert!(most <= 0.05 && most > 0.04, "{most}");
}

/// A mind that waits.
fn wait(question: &Think) -> Thoughts {
    let thoughts = question.thinkers.iter().map(|thinker| Thought {
        habitat: thinker.habitat,
        agent: thinker.agent,
        text: "wait".into(),
        action: Some(Action::Wait),
        policy: [0.125; Action::COUNT],
        explored: 0.0,
        log_probabilities: [-2.0; Action::COUNT],
        log_probability: -2.0,
        tokens: 3,
        elapsed: Duration::from_millis(1),
    });
    Thoughts { epoch: question.epoch, thoughts: thoughts.collect(), elapsed: Duration::from_millis(1) }
}

/// After which turn whose lessons came, of five agents in twelve turns, three turns between lessons; and all lessons.
fn timetable(spread: bool) -> (Vec<(u32, Vec<u32>)>, Vec<Lesson>) {
    let mut config = common::config(MindKind::Llm);
    (config.run.generations, config.learning.spread) = (1, spread);
    let heard = Arc::new(Mutex::new((Vec::new(), Vec::new())));
    let hears = Arc::clone(&heard);
    let link = WorkerLink::spawn(move |requests, replies| {
        let mut turn = 0;
        for request in &requests {
            let _ = replies.send(match request {
                Request::Think(question) => {
                    turn += 1;
                    Reply::Thought(wait(&question))
                }
                Request::Train(Train { lessons }) => {
                    let (times, all) = &mut *hears.lock().unwrap();
                    times.push((turn, lessons.iter().map(|lesson| lesson.creature.0).collect()));
                    all.extend(lessons);
                    Reply::Trained(Trained { learned: Vec::new(), elapsed: Duration::ZERO })
                }
                _ => return,
            });
        }
    });
    let link = link.unwrap().with_learning();
    let mut simulation = Simulation::with_link(config, link, false).unwrap();
    (0..11).for_each(|_| simulation.step());
    assert_eq!(simulation.complaint(), None);
    drop(simulation);
    let heard = heard.lock().unwrap();
    heard.clone()
}

#[test]
fn lessons_that_are_spread_come_as_often_and_to_few_at_a_time() {
    let (together, all) = timetable(false);
    assert_eq!(together, [3, 6, 9].map(|turn| (turn, vec![0, 1, 2, 3, 4])));
    let (spread, some) = timetable(true);
    let classes = [vec![0, 3], vec![1, 4], vec![2]];
    assert_eq!(spread, (3..12).map(|turn| (turn, classes[turn as usize % 3].clone())).collect::<Vec<_>>());
    // In the turn that is everybody's otherwise, nobody draws other samples than then.
    assert_eq!([&some[0], &some[1]], [&all[0], &all[3]]);
}

/// Mean fitness of the last generation.
fn last_mean(config: &RunConfig) -> f64 {
    let report = evolora::Simulation::new(config.clone()).unwrap().run().unwrap();
    assert_eq!((report.complaint.clone(), report.rows.iter().map(|row| row.fallback_turns).sum::<u64>()), (None, 0));
    report.rows.last().unwrap().mean_fitness
}

#[test]
fn agents_that_learn_and_breed_leave_those_behind_that_do_not() {
    let mut config = RunConfig::default();
    (config.run.generations, config.run.turns) = (4, 250);
    // With others' experience to learn from it goes faster than a test can wait for otherwise.
    (config.learning.sharing, config.learning.learning_rate, config.learning.steps) = (0.75, 4e-3, 2);
    let learned = last_mean(&config);
    config.learning.objective = Objective::Original;
    (config.learning.learning_rate, config.learning.entropy) = (1e-4, 0.0);
    let original = last_mean(&config);
    config.learning.enabled = false;
    config.evolution.enabled = false;
    let bare = last_mean(&config);
    assert!(learned > 100.0 && learned > original + 100.0 && original > bare - 10.0, "{learned} {original} {bare}");
}
