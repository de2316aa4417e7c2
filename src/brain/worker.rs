//! The worker thread's loop: loads the model, then answers requests in order until it is told to stop.
//!
//! This module does *not* know who reads the answers, or what happens when this thread dies.

use std::time::Instant;

use crossbeam_channel::{Receiver, Sender};

use super::{
    llm::{Llm, LlmPlan},
    population::Shelf,
};
use crate::protocol::{Reply, Request, Thoughts};

/// Serves until the channel closes or [`Request::Shutdown`] comes. Says [`Reply::Ready`] first, or why it cannot be. The
/// population is on the shelf, and stays there for the next thread if this one dies.
pub fn serve(plan: &LlmPlan, shelf: &Shelf, requests: &Receiver<Request>, replies: &Sender<Reply>) {
    // On a thread of the pool that thinks, so that no thread must wake another for every answer.
    Llm::load_and(plan.clone(), |loaded| {
        let mut llm = match loaded.and_then(|llm| llm.with(shelf.clone())) {
            Ok(llm) => llm,
            Err(error) => {
                // Whoever asked has gone if this fails.
                let _ = replies.send(Reply::Unusable { reason: error.to_string() });
                return;
            }
        };
        if replies.send(Reply::Ready(llm.facts())).is_err() {
            return;
        }
        while let Ok(request) = requests.recv() {
            let Some(reply) = answer(&mut llm, request) else { return };
            if replies.send(reply).is_err() {
                return;
            }
        }
    });
}

/// The reply to a request; `None` to the last one.
fn answer(llm: &mut Llm, request: Request) -> Option<Reply> {
    Some(match request {
        Request::Think(question) => {
            let (epoch, begun) = (question.epoch, Instant::now());
            match llm.think(&question.thinkers) {
                Ok(thoughts) => Reply::Thought(Thoughts { epoch, thoughts, elapsed: begun.elapsed() }),
                Err(error) => Reply::Failed { epoch, reason: error.to_string() },
            }
        }
        Request::Train(train) => Reply::Trained(llm.train(&train)),
        Request::Breed(breed) => Reply::Bred(llm.breed(&breed)),
        Request::Survey(survey) => match llm.survey(&survey) {
            Ok(surveyed) => Reply::Surveyed(surveyed),
            Err(error) => Reply::Troubled { reason: error.to_string() },
        },
        Request::Honour(honour) => {
            llm.honour(&honour);
            Reply::Honoured
        }
        Request::Consult(consultation) => Reply::Consulted(llm.consult(&consultation)),
        Request::Shutdown => return None,
    })
}
