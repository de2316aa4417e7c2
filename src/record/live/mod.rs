//! What a window shows of a run while it goes on: who said and did what, the living generation's course, the worker's times,
//! and what the person must know. All of it is bounded, and none of it is kept in files.
//!
//! Only a window adds [`WatchPlugin`]: a run without one pays nothing for it.
//!
//! This module does *not* know how anything is drawn.

mod machine;
mod notices;
mod pulse;
mod transcript;

use std::collections::VecDeque;

use bevy::prelude::*;

pub use machine::{MachineLog, Round};
pub use notices::{Notice, NoticeKind, Notices};
pub use pulse::{Pulse, PulsePoint};
pub use transcript::{Line, Transcript};

use crate::mind::{Close, Resolve, ResolveSystems};

/// The last things of a kind, oldest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Ring<T> {
    items: VecDeque<T>,
    most: usize,
}

impl<T> Ring<T> {
    /// Room for `most` things.
    pub const fn new(most: usize) -> Self {
        Self { items: VecDeque::new(), most }
    }

    /// Adds one; the oldest goes where there is no room.
    pub fn push(&mut self, item: T) {
        if self.items.len() >= self.most {
            self.items.pop_front();
        }
        self.items.push_back(item);
    }

    /// All of them, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> + ExactSizeIterator {
        self.items.iter()
    }

    /// The newest.
    pub fn last(&self) -> Option<&T> {
        self.items.back()
    }

    /// The one of this place, 0 for the oldest.
    pub fn get(&self, at: usize) -> Option<&T> {
        self.items.get(at)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

/// Keeps the [`Transcript`], the [`Pulse`], the [`MachineLog`] and the [`Notices`].
#[derive(Debug, Default)]
pub struct WatchPlugin;

impl Plugin for WatchPlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<Transcript>()
            .init_resource::<Pulse>()
            .init_resource::<MachineLog>()
            .init_resource::<Notices>()
            // Before generations end: then everybody who acted is still there.
            .add_systems(
                Resolve,
                (transcript::write_lines, pulse::feel, machine::note_round).chain().in_set(ResolveSystems::Learn),
            )
            .add_systems(Resolve, (machine::note_lessons, notices::note_generations).in_set(ResolveSystems::Record))
            .add_systems(Close, (machine::note_lessons, notices::note_generations).in_set(ResolveSystems::Record))
            .add_systems(Update, notices::hear_complaints);
    }
}

/// Forgets everything that was noted: another run begins.
pub fn forget_watched(world: &mut World) {
    world.insert_resource(Transcript::default());
    world.insert_resource(Pulse::default());
    world.insert_resource(MachineLog::default());
    world.insert_resource(Notices::default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_keeps_the_last() {
        let mut ring = Ring::new(3);
        (0..5).for_each(|i| ring.push(i));
        assert_eq!(ring.iter().copied().collect::<Vec<_>>(), [2, 3, 4]);
        assert_eq!((ring.last(), ring.get(0), ring.get(3), ring.len()), (Some(&4), Some(&2), None, 3));
    }
}
