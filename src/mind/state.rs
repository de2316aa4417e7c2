//! Whether the minds can be reached, what went wrong, and when to stop trying.

use bevy::prelude::*;

use super::link::{LinkDown, WorkerLink};
use crate::protocol::MindFacts;

/// Times that the worker is started anew, and questions in a row that may fail, before `rules` takes over for good.
const CHANCES: u32 = 3;

/// Whether the minds can be reached. While they cannot, agents go on with `rules`.
#[derive(Resource, Debug, Clone, Default)]
pub struct WorkerState {
    /// What the mind said of itself when it was loaded.
    pub facts: Option<MindFacts>,
    down: bool,
    complaint: Option<LinkDown>,
    deaths: u32,
    failures: u32,
}

impl WorkerState {
    /// Whether the worker is asked.
    pub const fn is_up(&self) -> bool {
        !self.down
    }

    /// What the person should know: the last thing that went wrong.
    pub const fn complaint(&self) -> Option<&LinkDown> {
        self.complaint.as_ref()
    }

    /// A question has been answered.
    pub const fn note_answer(&mut self) {
        self.failures = 0;
    }

    /// A question has failed; after three in a row no more are asked.
    pub fn note_failure(&mut self, reason: &str) {
        self.failures += 1;
        if self.failures >= CHANCES {
            self.give_up(format!("{} Agents go on with `rules`, after {CHANCES} failures in a row.", sentence(reason)));
        } else if !self.down {
            self.complaint = Some(LinkDown(format!("{} `rules` stands in for this turn.", sentence(reason))));
        }
    }

    /// No more questions are asked.
    pub fn give_up(&mut self, complaint: String) {
        if !std::mem::replace(&mut self.down, true) {
            self.complaint = Some(LinkDown(complaint));
        }
    }

    /// The worker has died: it is started anew, unless that has been done often enough.
    pub(super) fn revive(&mut self, link: &mut WorkerLink) {
        self.deaths += 1;
        let (again, cause) = if self.deaths > CHANCES {
            link.abandon();
            (false, None)
        } else {
            link.start_anew().map_or_else(|error| (false, Some(error.to_string())), |cause| (true, cause))
        };
        let cause = cause.map(|cause| format!(" ({})", cause.lines().next().unwrap_or_default())).unwrap_or_default();
        if again {
            let sentence = format!(
                "The minds' worker thread has stopped{cause}; it was started anew ({} of {CHANCES} times), and `rules` stood in for a turn.",
                self.deaths
            );
            self.complaint = Some(LinkDown(sentence));
        } else {
            self.give_up(format!("The minds' worker thread has stopped{cause} for good; agents go on with `rules`."));
        }
    }
}

/// A reason as a sentence of its own.
fn sentence(reason: &str) -> String {
    let reason = reason.trim();
    if reason.ends_with(['.', '!', '?']) { reason.to_owned() } else { format!("{reason}.") }
}
