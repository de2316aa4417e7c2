//! Waiting at the channel for the answer to the open question.

use std::time::Duration;

use bevy::prelude::*;

use super::{ask::Asked, link::WorkerLink, resolve::Inbox, state::WorkerState};
use crate::protocol::{MindFacts, Reply};

/// Waits at most `patience` until the open question is answered, and puts the answer into the [`Inbox`].
///
/// True if the turn can be resolved: the answer is there, nobody had to be asked, or the minds have gone and
/// `rules` will decide. False if the answer may still come.
pub fn wait_for_thoughts(world: &mut World, patience: Duration) -> bool {
    let asked = world.resource::<Asked>();
    let (epoch, nobody) = (asked.epoch, asked.waiting.is_empty());
    if nobody || !world.resource::<WorkerState>().is_up() || !asked.sent {
        return true;
    }
    loop {
        match world.resource::<WorkerLink>().receive(patience) {
            Ok(Some(Reply::Ready(facts))) => world.resource_mut::<WorkerState>().facts = Some(facts),
            Ok(Some(Reply::Unusable { reason })) => {
                let sentence = format!("{reason} Agents go on with `rules`.");
                world.resource_mut::<WorkerState>().give_up(sentence);
                return true;
            }
            // An answer to a question that was given up long ago.
            Ok(Some(Reply::Thought(thoughts))) if thoughts.epoch < epoch => {}
            Ok(Some(Reply::Failed { epoch: late, .. })) if late < epoch => {}
            Ok(Some(reply)) => {
                world.resource_mut::<Inbox>().0 = Some(reply);
                return true;
            }
            Ok(None) => return false,
            Err(_) => {
                world.resource_scope(|world, mut state: Mut<WorkerState>| {
                    state.revive(&mut world.resource_mut::<WorkerLink>());
                });
                return true;
            }
        }
    }
}

/// How long the answer to the open question is waited for before the minds count as hung.
pub fn patience(world: &World) -> Duration {
    world.resource::<WorkerState>().patience(world.resource::<Asked>().waiting.len())
}

/// Gives the minds up because they have been silent for `patience`. A thread that hangs cannot be stopped: it is left
/// behind, and what it may still say is not heard.
pub fn give_minds_up(world: &mut World, patience: Duration) {
    let sentence = format!(
        "The minds have not answered for {} s; agents go on with `rules`. Start the program again to have them back.",
        patience.as_secs()
    );
    world.resource_mut::<WorkerLink>().abandon();
    world.resource_mut::<WorkerState>().give_up(sentence);
}

/// Waits until a mind that loads something says that it is ready.
///
/// # Errors
/// Why it cannot be used, in a sentence.
pub fn wait_until_ready(link: &WorkerLink, patience: Duration) -> Result<MindFacts, String> {
    match link.receive(patience) {
        Ok(Some(Reply::Ready(facts))) => Ok(facts),
        Ok(Some(Reply::Unusable { reason })) => Err(reason),
        Ok(Some(_)) => Err("The mind answered before it was asked.".to_owned()),
        Ok(None) => Err(format!("The mind was not ready within {} s.", patience.as_secs())),
        Err(down) => Err(format!("{down} while it loaded the model.")),
    }
}
