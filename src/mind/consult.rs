//! Asking minds by hand, beside the run: nothing that happens in it depends on what is asked or answered.
//!
//! This module does *not* know panels, or how minds come to their answers.

use std::collections::VecDeque;

use bevy::prelude::*;

use super::{ask::manner, link::WorkerLink, receive::sort, state::WorkerState};
use crate::{
    config::RunConfig,
    protocol::{Consult, Consultation, Counsel, Manner, Request},
};

/// Answers that are remembered.
const REMEMBERED: usize = 16;

/// What minds have answered that were asked by hand.
#[derive(Resource, Debug, Default)]
pub struct Consulted {
    under_way: Option<Consultation>,
    next: Option<Consultation>,
    heard: VecDeque<Counsel>,
}

impl Consulted {
    /// The last answer.
    pub fn latest(&self) -> Option<&Counsel> {
        self.heard.back()
    }

    /// The last answers, oldest first.
    pub fn answers(&self) -> impl Iterator<Item = &Counsel> {
        self.heard.iter()
    }

    /// The answer to the consultation of this number, among the last sixteen.
    pub fn answer(&self, number: u64) -> Option<&Counsel> {
        self.heard.iter().rev().find(|counsel| counsel.number == number)
    }

    /// Whether an answer is still to come.
    pub const fn is_waiting(&self) -> bool {
        self.under_way.is_some()
    }

    /// Takes an answer in.
    pub(super) fn hear(&mut self, counsel: Counsel) {
        if self.under_way.as_ref().is_some_and(|asked| asked.number == counsel.number) {
            self.under_way = None;
        }
        self.heard.push_back(counsel);
        while self.heard.len() > REMEMBERED {
            self.heard.pop_front();
        }
    }

    /// Nobody will answer any more.
    fn give_up(&mut self, why: &str) {
        for asked in self.under_way.take().into_iter().chain(self.next.take()) {
            self.hear(Counsel::silent(&asked, why));
        }
    }
}

/// What the person asks, in the manner of these settings; `free` is as asked.
pub fn consultation(asked: &Consult, config: &RunConfig) -> Consultation {
    let manner = Manner { free: asked.free, ..manner(config) };
    Consultation { number: asked.number, prompt: asked.prompt.clone(), minds: asked.minds.clone(), manner }
}

/// Asks minds; the answer comes into [`Consulted`], when [`listen`] is called. Never waits. While one consultation is under
/// way only the last of those that follow is remembered: the others are never answered.
pub fn consult(world: &mut World, consultation: Consultation) {
    world.resource_mut::<Consulted>().next = Some(consultation);
    ask_next(world);
}

/// Hears what the worker has said, without waiting: answers to consultations at once, and everything else as it would be
/// heard in the course of a turn. For every frame of a window.
pub fn listen(world: &mut World) {
    while let Ok(Some(reply)) = world.resource_mut::<WorkerLink>().receive(std::time::Duration::ZERO) {
        sort(world, reply);
    }
    ask_next(world);
}

/// Sends the next consultation, if none is under way.
fn ask_next(world: &mut World) {
    let state = world.resource::<WorkerState>();
    let link = world.resource::<WorkerLink>();
    let silent = if !link.learns() {
        Some("These minds have no language model: there is nothing to ask.")
    } else if !state.is_up() {
        Some("The minds do not answer any more: start the run again to have them back.")
    } else {
        None
    };
    world.resource_scope(|world, mut consulted: Mut<Consulted>| {
        if let Some(why) = silent {
            if consulted.under_way.is_some() || consulted.next.is_some() {
                consulted.give_up(why);
            }
            return;
        }
        if consulted.under_way.is_some() {
            return;
        }
        let Some(next) = consulted.next.take() else { return };
        consulted.under_way = Some(next.clone());
        world.resource_scope(|world, mut state: Mut<WorkerState>| {
            let mut link = world.resource_mut::<WorkerLink>();
            if link.send(Request::Consult(next)).is_err() {
                state.revive(&mut link);
            }
        });
    });
}
