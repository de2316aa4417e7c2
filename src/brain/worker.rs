//! The worker thread's loop: loads the model, then answers requests in order until it is told to stop.
//!
//! This module does *not* know who reads the answers, or what happens when this thread dies.

use crossbeam_channel::{Receiver, Sender};

use super::llm::{Llm, LlmPlan};
use crate::protocol::{Reply, Request, Thoughts};

/// Serves until the channel closes or [`Request::Shutdown`] comes. Says [`Reply::Ready`] first, or why it cannot be.
pub fn serve(plan: &LlmPlan, requests: &Receiver<Request>, replies: &Sender<Reply>) {
    let mut llm = match Llm::load(plan.clone()) {
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
    while let Ok(Request::Think(question)) = requests.recv() {
        let epoch = question.epoch;
        let reply = match llm.think(&question.thinkers) {
            Ok(thoughts) => Reply::Thought(Thoughts { epoch, thoughts }),
            Err(error) => Reply::Failed { epoch, reason: error.to_string() },
        };
        if replies.send(reply).is_err() {
            return;
        }
    }
}
