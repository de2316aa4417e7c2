//! What happens when the minds fail: the run goes on with `rules`, the person is told, and it is counted.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::time::Duration;

use bevy::prelude::*;
use crossbeam_channel::{Receiver, Sender};
use evolora::{
    Simulation,
    app::RunReport,
    config::RunConfig,
    mind::{Asked, Inbox, WorkerLink, WorkerState, wait_for_thoughts},
    protocol::{Action, Reply, Request, Think, Thought, Thoughts},
    sim::LastTurn,
};

fn config() -> RunConfig {
    let mut config = RunConfig::default();
    config.run.generations = 1;
    config.run.turns = 30;
    config
}

fn run(work: impl FnOnce(Receiver<Request>, Sender<Reply>) + Send + 'static) -> RunReport {
    let link = WorkerLink::spawn(work).unwrap();
    Simulation::with_link(config(), link, false).unwrap().run().unwrap()
}

/// A worker that says `text` for every agent, as long as `answers` lasts.
fn speak(text: &'static str, answers: usize) -> impl FnOnce(Receiver<Request>, Sender<Reply>) + Send + 'static {
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
        tokens: 3,
        elapsed: Duration::from_millis(1),
    });
    Thoughts { epoch: question.epoch, thoughts: thoughts.collect() }
}

#[test]
fn a_worker_that_stops_is_replaced_by_rules() {
    let report = run(speak("wait", 10));
    // Twenty agents, ten turns of waiting, twenty of rules.
    assert_eq!(report.rows[0].fallback_turns, 20 * 20);
    assert!(report.rows[0].delivered > 0, "rules brings food home");
    assert_eq!(report.complaint.unwrap(), "The minds' worker thread has stopped; agents go on with `rules`.");
}

#[test]
fn a_panic_in_the_worker_does_not_end_the_run() {
    let report = run(|requests, _| {
        let _ = requests.recv();
        // A panic that does not print.
        std::panic::resume_unwind(Box::new("broken"));
    });
    assert_eq!((report.rows[0].turns, report.rows[0].fallback_turns), (30, 600));
}

#[test]
fn a_failure_is_told_in_its_own_words() {
    let report = run(|requests, replies| {
        while let Ok(Request::Think(question)) = requests.recv() {
            let _ = replies.send(Reply::Failed { epoch: question.epoch, reason: "The model is too large.".to_owned() });
        }
    });
    assert_eq!(report.complaint.unwrap(), "The model is too large.");
    assert_eq!(report.rows[0].fallback_turns, 600);
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
    assert!(report.complaint.unwrap().starts_with("The minds answered another question"));
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
