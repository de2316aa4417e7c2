//! Waiting at the channel for the answer to the open question.

use std::time::Duration;

use bevy::prelude::*;

use super::{
    ask::Asked,
    link::{LinkDown, WorkerLink, WorkerState},
    resolve::Inbox,
};
use crate::protocol::Reply;

/// Waits at most `patience` until the open question is answered, and puts the answer into the [`Inbox`].
///
/// True if the turn can be resolved: the answer is there, nobody had to be asked, or the minds have gone and
/// `rules` will decide. False if the answer may still come.
pub fn wait_for_thoughts(world: &mut World, patience: Duration) -> bool {
    let asked = world.resource::<Asked>();
    let (epoch, nobody) = (asked.epoch, asked.waiting.is_empty());
    if nobody || !world.resource::<WorkerState>().is_up() {
        return true;
    }
    loop {
        match world.resource::<WorkerLink>().receive(patience) {
            // An answer to a question that was given up long ago.
            Ok(Some(reply)) if epoch_of(&reply) < epoch => {}
            Ok(Some(reply)) => {
                world.resource_mut::<Inbox>().0 = Some(reply);
                return true;
            }
            Ok(None) => return false,
            Err(down) => {
                world.resource_mut::<WorkerState>().note(down);
                return true;
            }
        }
    }
}

/// Gives the minds up because they have been silent for `patience`.
pub fn give_minds_up(world: &mut World, patience: Duration) {
    let sentence = format!("The minds have not answered for {} s; agents go on with `rules`.", patience.as_secs());
    world.resource_mut::<WorkerState>().note(LinkDown(sentence));
}

/// The question that a reply answers.
const fn epoch_of(reply: &Reply) -> u64 {
    match reply {
        Reply::Thought(thoughts) => thoughts.epoch,
        Reply::Failed { epoch, .. } => *epoch,
    }
}
