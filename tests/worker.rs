//! What happens when the minds fail: the run goes on with `rules`, the person is told, and it is counted.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use bevy::prelude::*;
use crossbeam_channel::{Receiver, Sender, bounded};
use evolora::{
    Simulation,
    app::{RunReport, llm_plan},
    brain::{Shelf, serve},
    config::RunConfig,
    lab::solo::Solo,
    mind::{Asked, Inbox, Memories, WorkerLink, WorkerState, wait_for_thoughts, wait_until_ready},
    protocol::{Action, Reply, Request, Think, Thought, Thoughts},
    sim::{Agent, LastTurn},
};

fn config() -> RunConfig {
    let mut config = RunConfig::default();
    config.run.generations = 1;
    config.run.turns = 30;
    config
}

fn run(work: impl Fn(Receiver<Request>, Sender<Reply>) + Send + Sync + 'static) -> RunReport {
    let link = WorkerLink::spawn(work).unwrap();
    Simulation::with_link(config(), link, false).unwrap().run().unwrap()
}

/// A worker that says `text` for every agent, as long as `answers` lasts.
fn speak(text: &'static str, answers: usize) -> impl Fn(Receiver<Request>, Sender<Reply>) + Send + Sync + 'static {
    move |requests, replies| {
        for _ in 0..answers {
            let Ok(Request::Think(question)) = requests.recv() else { return };
            let _ = replies.send(Reply::Thought(say(&question, text)));
        }
    }
}

fn say(question: &Think, text: &'static str) -> Thoughts {
    let thoughts = question.thinkers.iter().map(|thinker| Thought {
        habitat: thinker.habitat,
        agent: thinker.agent,
        text: text.into(),
        action: None,
        policy: [0.0; Action::COUNT],
        explored: 0.0,
        log_probabilities: [0.0; Action::COUNT],
        log_probability: 0.0,
        tokens: 3,
        elapsed: Duration::from_millis(1),
    });
    Thoughts { epoch: question.epoch, thoughts: thoughts.collect(), elapsed: Duration::from_millis(1) }
}

#[test]
fn a_worker_that_stops_is_started_anew_and_rules_stands_in_for_a_turn() {
    let report = run(speak("wait", 10));
    // Turns 11 and 22 find it gone, with twenty agents each.
    assert_eq!(report.rows[0].fallback_turns, 2 * 20);
    let complaint = report.complaint.unwrap();
    assert!(complaint.contains("has stopped; it was started anew (2 of 3 times)"), "{complaint}");
}

#[test]
fn a_worker_that_keeps_stopping_stays_down() {
    let report = run(speak("wait", 2));
    // It dies in turns 3, 6, 9 and 12, and from then on `rules` plays.
    assert_eq!(report.rows[0].fallback_turns, (3 + 19) * 20);
    assert!(report.rows[0].delivered > 0, "rules brings food home");
    let complaint = report.complaint.unwrap();
    assert_eq!(complaint, "The minds' worker thread has stopped for good; agents go on with `rules`.");
}

#[test]
fn a_worker_that_is_given_up_is_told_with_what_it_died_of() {
    let report = run(|requests, _| {
        let _ = requests.recv();
        std::panic::resume_unwind(Box::new("the model melted\nat line 7"));
    });
    let complaint = report.complaint.unwrap();
    assert_eq!(
        complaint,
        "The minds' worker thread has stopped (the model melted) for good; agents go on with `rules`."
    );
    assert_eq!(report.rows[0].fallback_turns, 600);
}

/// What every agent did last.
fn deeds(simulation: &mut Simulation) -> Vec<Option<Action>> {
    let world = simulation.world_mut();
    let mut deeds: Vec<_> = world
        .query::<(&Agent, &LastTurn)>()
        .iter(world)
        .map(|(agent, last)| (agent.id, last.0.map(|deed| deed.action)))
        .collect();
    deeds.sort_unstable_by_key(|(agent, _)| *agent);
    deeds.into_iter().map(|(_, action)| action).collect()
}

/// The language model's worker, which dies once: at the first request that is `fatal`. Also a list of the requests that its
/// later lives are given.
fn mortal(
    config: &RunConfig,
    fatal: impl Fn(&Request) -> bool + Send + Sync + 'static,
) -> (WorkerLink, Arc<Mutex<Vec<&'static str>>>) {
    let (plan, shelf, lives) = (llm_plan(config), Shelf::default(), AtomicU32::new(0));
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&heard);
    let link = WorkerLink::spawn(move |requests, replies| {
        let is_first = lives.fetch_add(1, Ordering::Relaxed) == 0;
        let (give, inbox) = bounded(1);
        let dies = std::thread::scope(|scope| {
            scope.spawn(|| serve(&plan, &shelf, &inbox, &replies));
            for request in &requests {
                if is_first && fatal(&request) {
                    drop(give);
                    return true;
                }
                if !is_first {
                    hears.lock().unwrap().push(match request {
                        Request::Think(_) => "think",
                        Request::Train(_) => "train",
                        Request::Breed(_) => "breed",
                        Request::Survey(_) => "survey",
                        Request::Honour(_) => "honour",
                        Request::Consult(_) => "consult",
                        Request::Shutdown => "shutdown",
                    });
                }
                give.send(request).unwrap();
            }
            drop(give);
            false
        });
        if dies {
            std::panic::resume_unwind(Box::new("out of memory"));
        }
    });
    (link.unwrap(), heard)
}

/// How often each living creature has learned.
fn versions(simulation: &mut Simulation) -> Vec<u64> {
    let world = simulation.world_mut();
    let memories = world.query::<&Memories>().iter(world).next().unwrap().clone();
    memories.0.values().map(|memory| memory.version).collect()
}

#[test]
fn what_was_learned_outlives_the_worker() {
    let mut config = config();
    config.run.turns = 45;
    config.energy.per_turn = 0.0;
    let thought = AtomicU32::new(0);
    // Lessons come after the turns 20, 30 and 40; it dies in between.
    let is_fatal =
        move |request: &Request| matches!(request, Request::Think(_)) && thought.fetch_add(1, Ordering::Relaxed) == 33;
    let (link, _) = mortal(&config, is_fatal);
    let mut simulation = Simulation::with_link(config, link.with_learning(), false).unwrap();
    (0..44).for_each(|_| simulation.step());
    assert!(simulation.complaint().unwrap().contains("it was started anew"));
    let most = versions(&mut simulation).into_iter().max();
    assert_eq!(most, Some(3), "the third lesson goes on from the second");
}

#[test]
fn a_generation_at_which_the_worker_dies_is_bred_by_the_next_one() {
    let mut config = config();
    (config.run.generations, config.run.turns) = (2, 25);
    let (link, heard) = mortal(&config, |request| matches!(request, Request::Breed(_)));
    let report = Simulation::with_link(config, link.with_learning(), false).unwrap().run().unwrap();
    assert_eq!(heard.lock().unwrap()[..2], ["breed", "survey"], "before anybody of the new generation is asked");
    // It was found dead by the first turn of the second generation.
    assert_eq!((report.rows[0].fallback_turns, report.rows[1].fallback_turns), (0, 20));
}

#[test]
fn the_language_models_worker_is_revived_with_its_model() {
    let mut whole = Simulation::new(config()).unwrap();
    // Five answers, and in the midst of the sixth it dies.
    let answered = AtomicU32::new(0);
    let (link, _) = mortal(&config(), move |_| answered.fetch_add(1, Ordering::Relaxed) == 5);
    let mut broken = Simulation::with_link(config(), link, false).unwrap();
    for _ in 0..5 {
        whole.step();
        broken.step();
        assert_eq!(deeds(&mut whole), deeds(&mut broken));
    }
    assert_eq!(broken.complaint(), None);
    broken.step();
    let complaint = broken.complaint().unwrap();
    assert!(complaint.contains("has stopped (out of memory); it was started anew (1 of 3 times)"), "{complaint}");
    let report = broken.run().unwrap();
    // One turn is `rules`'; all others are the model's, which speaks in tokens.
    assert_eq!((report.rows[0].turns, report.rows[0].fallback_turns), (30, 20));
}

#[test]
fn one_agent_by_itself_does_not_pass_rules_off_as_its_mind() {
    let link = WorkerLink::spawn(speak("wait", 2)).unwrap();
    let mut solo = Solo::with_link(config(), link).unwrap();
    for _ in 0..2 {
        assert_eq!(solo.step().unwrap().unwrap().reply, "wait");
    }
    let error = solo.step().unwrap_err().to_string();
    assert!(error.starts_with("The minds' worker thread has stopped"), "{error}");
}

#[test]
fn a_panic_in_the_worker_does_not_end_the_run_and_is_told() {
    let calls = Arc::new(AtomicU32::new(0));
    let report = run(move |requests, replies| {
        if calls.fetch_add(1, Ordering::Relaxed) == 0 {
            let _ = requests.recv();
            // A panic that does not print.
            std::panic::resume_unwind(Box::new("the model melted"));
        }
        speak("wait", 1000)(requests, replies);
    });
    assert_eq!((report.rows[0].turns, report.rows[0].fallback_turns), (30, 20));
    let complaint = report.complaint.unwrap();
    assert!(complaint.contains("has stopped (the model melted); it was started anew (1 of 3 times)"), "{complaint}");
}

#[test]
fn a_failure_counts_for_its_own_question_only() {
    let report = run(|requests, replies| {
        for turn in 0.. {
            let Ok(Request::Think(question)) = requests.recv() else { return };
            let failed = Reply::Failed { epoch: question.epoch, reason: "A hiccup".to_owned() };
            let _ = replies.send(if turn == 4 { failed } else { Reply::Thought(say(&question, "wait")) });
        }
    });
    assert_eq!(report.rows[0].fallback_turns, 20);
    assert_eq!(report.complaint.unwrap(), "A hiccup. `rules` stands in for this turn.");
}

#[test]
fn three_failures_in_a_row_are_told_and_no_more_is_asked() {
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    let report = run(move |requests, replies| {
        while let Ok(Request::Think(question)) = requests.recv() {
            count.fetch_add(1, Ordering::Relaxed);
            let _ = replies.send(Reply::Failed { epoch: question.epoch, reason: "The model is too large.".to_owned() });
        }
    });
    let complaint = report.complaint.unwrap();
    assert_eq!(complaint, "The model is too large. Agents go on with `rules`, after 3 failures in a row.");
    assert_eq!((report.rows[0].fallback_turns, asked.load(Ordering::Relaxed)), (600, 3));
}

#[test]
fn a_worker_that_hangs_is_left_behind() {
    // Keeps its end of the channel open and never answers, not even to the end.
    let link = WorkerLink::spawn(|requests, _replies| {
        while requests.recv().is_ok() {}
        loop {
            std::thread::park();
        }
    });
    let simulation = Simulation::with_link(config(), link.unwrap(), false).unwrap();
    let begun = std::time::Instant::now();
    let report = simulation.with_patience(Duration::from_millis(50)).run().unwrap();
    assert_eq!(report.rows[0].fallback_turns, 600);
    assert!(report.complaint.unwrap().contains("Start the program again"));
    assert!(begun.elapsed() < Duration::from_secs(20), "nobody waits for a thread that hangs");
}

#[test]
fn a_mind_that_cannot_be_loaded_says_why() {
    let unusable = |replies: &Sender<Reply>| {
        let _ = replies.send(Reply::Unusable { reason: "There is no model.".to_owned() });
    };
    let mut link = WorkerLink::spawn(move |_, replies| unusable(&replies)).unwrap();
    assert_eq!(wait_until_ready(&mut link, Duration::from_secs(5)).unwrap_err(), "There is no model.");
    // The same when it is started anew in the midst of a run, whether it has gone by the first question or not.
    let link = WorkerLink::spawn(move |_, replies| unusable(&replies)).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    let late = Simulation::with_link(config(), link, false).unwrap().run().unwrap();
    assert_eq!(late.complaint.unwrap(), "There is no model. Agents go on with `rules`.");
    let report = run(move |_, replies| unusable(&replies));
    assert_eq!(report.complaint.unwrap(), "There is no model. Agents go on with `rules`.");
    assert_eq!(report.rows[0].fallback_turns, 600);
}

#[test]
fn a_run_that_is_to_stop_does_not_wait_for_the_minds() {
    let link = WorkerLink::spawn(|requests, _replies| while requests.recv().is_ok() {}).unwrap();
    let stop = Arc::new(AtomicBool::new(true));
    let mut simulation = Simulation::with_link(config(), link, false).unwrap().until(stop);
    simulation.step();
    assert_eq!(simulation.turns(), 0);
}

#[test]
fn words_are_parsed_and_nonsense_waits_and_is_counted() {
    let waits = run(speak("Wait.", 1000));
    let nonsense = run(speak("Once upon a time", 1000));
    assert_eq!((waits.rows[0].unreadable_replies, nonsense.rows[0].unreadable_replies), (0, 600));
    // Waiting costs 0.2 a turn, saying nothing that can be read 0.5.
    let difference = waits.rows[0].mean_fitness - nonsense.rows[0].mean_fitness;
    assert!((difference - 30.0 * 0.3).abs() < 1e-9, "{difference}");
    assert_eq!(nonsense.rows[0].fallback_turns, 0);
}

#[test]
fn an_answer_that_does_not_fit_the_question_is_not_used() {
    let report = run(|requests, replies| {
        while let Ok(Request::Think(question)) = requests.recv() {
            let mut thoughts = say(&question, "wait");
            thoughts.thoughts.swap(0, 1);
            let _ = replies.send(Reply::Thought(thoughts));
        }
    });
    assert!(report.complaint.unwrap().starts_with("The minds answered another question than was asked. Agents go on"));
    assert_eq!(report.rows[0].fallback_turns, 600);
}

#[test]
fn a_late_answer_is_passed_over() {
    let link = WorkerLink::spawn(|requests, replies| {
        while let Ok(Request::Think(question)) = requests.recv() {
            let mut late = say(&question, "move north");
            late.epoch -= 1;
            let _ = replies.send(Reply::Thought(late));
            let _ = replies.send(Reply::Thought(say(&question, "wait")));
        }
    });
    let mut simulation = Simulation::with_link(config(), link.unwrap(), false).unwrap();
    simulation.step();
    let world = simulation.world_mut();
    let done: Vec<_> = world.query::<&LastTurn>().iter(world).filter_map(|last| last.0).collect();
    assert_eq!(done.len(), 20);
    assert!(done.iter().all(|deed| deed.action == Action::Wait));
}

#[test]
fn a_silent_worker_can_be_looked_in_on_without_waiting() {
    let link = WorkerLink::spawn(|requests, _replies| while requests.recv().is_ok() {});
    let mut app = App::new();
    app.insert_resource(link.unwrap()).init_resource::<WorkerState>().init_resource::<Inbox>().init_resource::<Asked>();
    let world = app.world_mut();
    assert!(wait_for_thoughts(world, Duration::from_millis(1)), "nobody was asked");
    let mut asked = Simulation::new(config()).unwrap();
    asked.world_mut().run_schedule(evolora::mind::Ask);
    let waiting = std::mem::take(&mut *asked.world_mut().resource_mut::<Asked>());
    assert_eq!(waiting.waiting.len(), 20);
    world.insert_resource(waiting);
    assert!(!wait_for_thoughts(world, Duration::from_millis(1)), "the answer may still come");
}
