//! How fast turns follow each other in the window.

use std::time::{Duration, Instant};

use bevy::prelude::*;

use crate::{
    mind::{Ask, Resolve, give_minds_up, patience, wait_for_thoughts},
    sim::{Finished, Habitat},
};

/// Time of each frame that turns may take.
const BUDGET: Duration = Duration::from_millis(12);
/// Time of each frame that is spent waiting for the minds.
const GLANCE: Duration = Duration::from_millis(2);
/// Turns that may pile up when frames are slow.
const MOST_DUE: f32 = 64.0;

/// Whether, and how fast, turns follow each other.
#[derive(Resource, Debug, Clone)]
pub(super) struct Playback {
    /// Whether they do.
    pub playing: bool,
    /// Turns per second aimed at.
    pub speed: f32,
    /// Turns played since the start.
    pub turns: u64,
    /// The turn at which play stops, if it is to.
    pub stop_at: Option<u64>,
    /// Turns asked for one by one.
    pub steps: u32,
    due: f32,
    asked: Option<Instant>,
}

impl Default for Playback {
    fn default() -> Self {
        Self { playing: true, speed: 12.0, turns: 0, stop_at: None, steps: 0, due: 0.0, asked: None }
    }
}

impl Playback {
    fn wants_turn(&self) -> bool {
        let goes_on = self.stop_at.is_none_or(|last| self.turns < last);
        goes_on && self.has_turn_due()
    }

    fn has_turn_due(&self) -> bool {
        self.asked.is_some() || self.steps > 0 || (self.playing && self.due >= 1.0)
    }

    /// Forgets the turn that is under way.
    pub(super) fn forget(&mut self) {
        (self.asked, self.due, self.steps) = (None, 0.0, 0);
    }

    fn note_turn(&mut self) {
        self.asked = None;
        self.turns += 1;
        if self.steps > 0 {
            self.steps -= 1;
        } else {
            self.due -= 1.0;
        }
    }
}

/// Plays the turns that are due. Never waits for the minds longer than a glance: the frame must go on.
pub(super) fn play_turns(world: &mut World) {
    let elapsed = world.resource::<Time>().delta_secs();
    world.resource_scope(|world, mut playback: Mut<Playback>| {
        if playback.playing {
            playback.due = (playback.due + elapsed * playback.speed).min(MOST_DUE);
        }
        let begun = Instant::now();
        while playback.wants_turn() && begun.elapsed() < BUDGET && !is_finished(world) {
            let asked = *playback.asked.get_or_insert_with(|| {
                world.run_schedule(Ask);
                Instant::now()
            });
            if !wait_for_thoughts(world, GLANCE) {
                let patience = patience(world);
                if asked.elapsed() < patience {
                    return;
                }
                give_minds_up(world, patience);
            }
            world.run_schedule(Resolve);
            playback.note_turn();
        }
    });
}

/// Whether every habitat's last generation is over.
pub(super) fn is_finished(world: &mut World) -> bool {
    world.query_filtered::<(), (With<Habitat>, Without<Finished>)>().iter(world).next().is_none()
}
