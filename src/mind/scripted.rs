//! The worker for the scripted minds: the same thread, channels and protocol as the language model's.

use std::{
    borrow::Cow,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender};

use super::link::{WorkerLink, next_request};
use crate::{
    language::{action_phrase, rounded_energy},
    policy,
    protocol::{Action, Counsel, Reply, Request, Think, Thinker, Thought, Thoughts},
};

/// A mind that needs no model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScriptedMind {
    /// Uniform over the actions.
    Random,
    /// The rule-based agent.
    Rules,
}

/// Starts a worker that decides by `mind`.
///
/// # Errors
/// The system has no thread to give.
pub fn spawn_scripted_worker(mind: ScriptedMind) -> std::io::Result<WorkerLink> {
    let at_once = Duration::ZERO;
    WorkerLink::spawn(move |requests, replies| serve(mind, at_once, &requests, &replies))
        .map(WorkerLink::without_prompts)
}

/// Starts a worker that decides by `rules` and thinks this long about every turn: what a slow model is to the window.
///
/// # Errors
/// The system has no thread to give.
pub fn spawn_slow_worker(thinks: Duration) -> std::io::Result<WorkerLink> {
    let mind = ScriptedMind::Rules;
    WorkerLink::spawn(move |requests, replies| serve(mind, thinks, &requests, &replies))
        .map(WorkerLink::without_prompts)
}

fn serve(mind: ScriptedMind, thinks: Duration, requests: &Receiver<Request>, replies: &Sender<Reply>) {
    while let Some(request) = next_request(requests) {
        let reply = match request {
            Request::Think(question) => {
                std::thread::sleep(thinks);
                Reply::Thought(answer(mind, &question))
            }
            Request::Consult(asked) => {
                Reply::Consulted(Counsel::silent(&asked, "A scripted mind has no model to ask."))
            }
            _ => return,
        };
        if replies.send(reply).is_err() {
            return;
        }
    }
}

fn answer(mind: ScriptedMind, question: &Think) -> Thoughts {
    let begun = Instant::now();
    let mut thoughts: Vec<_> = question.thinkers.iter().map(|thinker| think(mind, thinker)).collect();
    let elapsed = begun.elapsed();
    let each = elapsed / question.thinkers.len().max(1) as u32;
    thoughts.iter_mut().for_each(|thought| thought.elapsed = each);
    Thoughts { epoch: question.epoch, thoughts, elapsed }
}

/// What a scripted mind decides.
pub(super) fn think(mind: ScriptedMind, thinker: &Thinker) -> Thought {
    let mut draws = thinker.draws.at(thinker.moment);
    let (action, policy) = match mind {
        ScriptedMind::Random => (policy::random(&mut draws), [1.0 / Action::COUNT as f32; Action::COUNT]),
        ScriptedMind::Rules => {
            // Rules sees what a prompt tells, and a prompt tells energy in tens.
            let mut told = thinker.observation;
            told.energy = rounded_energy(told.energy);
            let action = policy::rules(&told, &mut draws);
            let mut policy = [0.0; Action::COUNT];
            policy[action.index()] = 1.0;
            (action, policy)
        }
    };
    Thought {
        habitat: thinker.habitat,
        agent: thinker.agent,
        text: Cow::Borrowed(action_phrase(action)),
        action: Some(action),
        policy,
        explored: 0.0,
        log_probabilities: policy.map(f32::ln),
        log_probability: policy[action.index()].ln(),
        tokens: 0,
        elapsed: std::time::Duration::ZERO,
    }
}
