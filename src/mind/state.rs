//! Whether the minds can be reached, what went wrong, and when to stop trying.

use std::{collections::VecDeque, time::Duration};

use bevy::prelude::*;

use super::link::{LinkDown, WorkerLink};
use crate::protocol::MindFacts;

/// Times that the worker is started anew, and questions in a row that may fail, before `rules` takes over for good.
const CHANCES: u32 = 3;

/// The least time that the minds have for an answer.
const PATIENCE: Duration = Duration::from_secs(120);
/// What each agent adds to it before the first answer has been timed: a large model on a slow machine.
const UNTIMED_PACE: Duration = Duration::from_secs(10);
/// Complaints that are remembered.
const SAID: usize = 64;
/// How many times as long as the last answer the next one may take.
const SLACK: u32 = 10;

/// Whether the minds can be reached. While they cannot, agents go on with `rules`.
#[derive(Resource, Debug, Clone, Default)]
pub struct WorkerState {
    /// What the mind said of itself when it was loaded.
    pub facts: Option<MindFacts>,
    down: bool,
    complaint: Option<LinkDown>,
    /// The last complaints, each with its number, from 1.
    said: VecDeque<(u64, String)>,
    complaints: u64,
    deaths: u32,
    failures: u32,
    /// Time per agent of the last answer.
    pace: Option<Duration>,
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

    /// Everything that went wrong after the first `heard` complaints, oldest first, each with its number; of very many the last
    /// sixty-four.
    pub fn complaints_after(&self, heard: u64) -> impl Iterator<Item = (u64, &str)> {
        self.said.iter().filter(move |(number, _)| *number > heard).map(|(number, text)| (*number, text.as_str()))
    }

    /// How many complaints there have been.
    pub const fn complaints(&self) -> u64 {
        self.complaints
    }

    fn say(&mut self, complaint: String) {
        self.complaints += 1;
        self.said.push_back((self.complaints, complaint.clone()));
        while self.said.len() > SAID {
            self.said.pop_front();
        }
        self.complaint = Some(LinkDown(complaint));
    }

    /// How often the worker was started anew.
    pub const fn restarts(&self) -> u32 {
        if self.deaths > CHANCES { CHANCES } else { self.deaths }
    }

    /// A question has been answered, in `pace` per agent.
    pub const fn note_answer(&mut self, pace: Duration) {
        self.failures = 0;
        self.pace = Some(pace);
    }

    /// How long an answer for `agents` agents is waited for before the minds count as hung. It grows with the agents and
    /// with the time that the last answer took, so that slow minds are not taken for dead ones.
    pub fn patience(&self, agents: usize) -> Duration {
        let agents = u32::try_from(agents).unwrap_or(u32::MAX);
        match self.pace {
            Some(pace) => PATIENCE.max(pace.saturating_mul(agents).saturating_mul(SLACK)),
            None => PATIENCE.saturating_add(UNTIMED_PACE.saturating_mul(agents)),
        }
    }

    /// A question has failed; after three in a row no more are asked.
    pub fn note_failure(&mut self, reason: &str) {
        self.failures += 1;
        if self.failures >= CHANCES {
            self.give_up(format!("{} Agents go on with `rules`, after {CHANCES} failures in a row.", sentence(reason)));
        } else if !self.down {
            self.say(format!("{} `rules` stands in for this turn.", sentence(reason)));
        }
    }

    /// Something went wrong that the person should know, and the minds go on.
    pub(super) fn complain(&mut self, complaint: String) {
        if !self.down {
            self.say(complaint);
        }
    }

    /// No more questions are asked.
    pub fn give_up(&mut self, complaint: String) {
        if !std::mem::replace(&mut self.down, true) {
            self.say(complaint);
        }
    }

    /// The worker has died: it is started anew, unless that has been done often enough.
    pub(super) fn revive(&mut self, link: &mut WorkerLink) {
        if let Some(reason) = link.last_words() {
            link.abandon();
            self.give_up(format!("{reason} Agents go on with `rules`."));
            return;
        }
        self.deaths += 1;
        // A new worker first loads its model again.
        self.pace = None;
        let (again, cause) = if self.deaths > CHANCES {
            (false, link.bury())
        } else {
            link.start_anew().map_or_else(|error| (false, Some(error.to_string())), |cause| (true, cause))
        };
        let cause = cause.map(|cause| format!(" ({})", cause.lines().next().unwrap_or_default())).unwrap_or_default();
        if again {
            let sentence = format!(
                "The minds' worker thread has stopped{cause}; it was started anew ({} of {CHANCES} times), and `rules` stood in for a turn.",
                self.deaths
            );
            self.say(sentence);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_grows_with_the_agents_and_with_what_the_last_answer_took() {
        let seconds = |state: &WorkerState, agents| state.patience(agents).as_secs();
        let mut state = WorkerState::default();
        assert_eq!([1, 20, 200].map(|agents| seconds(&state, agents)), [130, 320, 2120]);
        state.note_answer(Duration::from_millis(1));
        assert_eq!([1, 200, 20_000].map(|agents| seconds(&state, agents)), [120, 120, 200]);
        state.note_answer(Duration::from_secs(4));
        assert_eq!([1, 20, 200].map(|agents| seconds(&state, agents)), [120, 800, 8000]);
        assert_eq!(state.patience(usize::MAX), Duration::from_secs(40) * u32::MAX);
        let mut link = WorkerLink::spawn(|_, _| {}).unwrap();
        state.revive(&mut link);
        assert_eq!(seconds(&state, 20), 320, "a new worker has not been timed");
    }
}
