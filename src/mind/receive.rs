//! Waiting at the channel for the answer to the open question, and sorting what else comes.

use std::time::{Duration, Instant};

use bevy::prelude::*;

use super::{
    Close,
    ask::Asked,
    consult::Consulted,
    evolve::GenerationBegan,
    learn::AgentsLearned,
    link::WorkerLink,
    memory::Memories,
    resolve::{GenerationEnded, Inbox},
    state::WorkerState,
};
use crate::{
    protocol::{Bred, MindFacts, Reply, Surveyed, Trained},
    sim::Habitat,
};

/// What the worker has answered beside the turns' questions, and nobody has read yet, in order.
#[derive(Resource, Debug, Default)]
pub struct Mail(Vec<Reply>);

/// Children's minds have been made.
#[derive(Message, Debug, Clone, PartialEq)]
pub struct ChildrenBorn(pub Bred);

/// Creatures have said what they would do.
#[derive(Message, Debug, Clone, PartialEq)]
pub struct CreaturesSurveyed(pub Surveyed);

/// Waits at most `patience` until the open question is answered, and puts the answer into the [`Inbox`].
///
/// True if the turn can be resolved: the answer is there, nobody had to be asked, or the minds have gone and
/// `rules` will decide. False if the answer may still come.
pub fn wait_for_thoughts(world: &mut World, patience: Duration) -> bool {
    let asked = world.resource::<Asked>();
    if asked.waiting.is_empty() || !world.resource::<WorkerState>().is_up() || !asked.sent {
        return true;
    }
    // It may have been heard between two frames.
    if world.resource::<Inbox>().0.is_some() {
        return true;
    }
    loop {
        match world.resource_mut::<WorkerLink>().receive(patience) {
            Ok(Some(reply)) => {
                if sort(world, reply) {
                    return true;
                }
            }
            Ok(None) => return false,
            Err(_) => {
                revive(world);
                return true;
            }
        }
    }
}

/// Puts a reply where it belongs. True if the open question can be resolved now.
pub(super) fn sort(world: &mut World, reply: Reply) -> bool {
    let asked = world.resource::<Asked>();
    let (epoch, is_open) = (asked.epoch, !asked.waiting.is_empty());
    match reply {
        Reply::Ready(facts) => world.resource_mut::<WorkerState>().facts = Some(facts),
        Reply::Unusable { reason } => {
            let sentence = format!("{reason} Agents go on with `rules`.");
            world.resource_mut::<WorkerState>().give_up(sentence);
            return true;
        }
        // An answer to a question that was given up long ago.
        Reply::Thought(thoughts) if thoughts.epoch < epoch || !is_open => {}
        Reply::Failed { epoch: late, .. } if late < epoch || !is_open => {}
        reply @ (Reply::Thought(_) | Reply::Failed { .. }) => {
            world.resource_mut::<Inbox>().0 = Some(reply);
            return true;
        }
        Reply::Consulted(counsel) => world.resource_mut::<Consulted>().hear(counsel),
        reply => world.resource_mut::<Mail>().0.push(reply),
    }
    false
}

/// Waits at most `patience` for what was asked beside the turns' questions, and lets it be noted: at the end of a run, and
/// before it is saved. False if something has not come, or will not: the minds have gone.
pub fn wait_for_errands(world: &mut World, patience: Duration) -> bool {
    let begun = Instant::now();
    while world.resource::<WorkerState>().is_up() && !world.resource::<WorkerLink>().is_idle() {
        let left = patience.saturating_sub(begun.elapsed());
        match world.resource_mut::<WorkerLink>().receive(left) {
            Ok(Some(Reply::Ready(facts))) => world.resource_mut::<WorkerState>().facts = Some(facts),
            Ok(Some(Reply::Unusable { reason })) => world.resource_mut::<WorkerState>().give_up(reason),
            // Nobody waits for these any more.
            Ok(Some(Reply::Thought(_) | Reply::Failed { .. })) => {}
            Ok(Some(Reply::Consulted(counsel))) => world.resource_mut::<Consulted>().hear(counsel),
            Ok(Some(reply)) => world.resource_mut::<Mail>().0.push(reply),
            Ok(None) => return false,
            Err(_) => revive(world),
        }
    }
    // What the last turn said has been noted; the systems of this schedule have not read it and must not.
    forget_messages(world);
    note_now(world);
    world.resource::<WorkerState>().is_up()
}

/// Has the mail and all messages noted now, and not again by the next turn.
pub(super) fn note_now(world: &mut World) {
    world.run_schedule(Close);
    forget_messages(world);
}

fn forget_messages(world: &mut World) {
    world.resource_mut::<Messages<GenerationEnded>>().clear();
    world.resource_mut::<Messages<GenerationBegan>>().clear();
    world.resource_mut::<Messages<AgentsLearned>>().clear();
    world.resource_mut::<Messages<ChildrenBorn>>().clear();
    world.resource_mut::<Messages<CreaturesSurveyed>>().clear();
}

fn revive(world: &mut World) {
    world.resource_scope(|world, mut state: Mut<WorkerState>| {
        state.revive(&mut world.resource_mut::<WorkerLink>());
    });
}

/// Reads the mail: what was learned, born and surveyed becomes messages for whoever records it.
pub(super) fn read_mail(
    mut mail: ResMut<Mail>,
    mut state: ResMut<WorkerState>,
    mut habitats: Query<(&Habitat, &mut Memories)>,
    mut learned: MessageWriter<AgentsLearned>,
    mut born: MessageWriter<ChildrenBorn>,
    mut surveyed: MessageWriter<CreaturesSurveyed>,
) {
    for reply in mail.0.drain(..) {
        match reply {
            Reply::Trained(trained) => {
                note_versions(&trained, &mut habitats);
                if let Some(refused) = trained.learned.iter().find_map(|one| Some((one, one.refused.as_ref()?))) {
                    let (one, why) = refused;
                    state.complain(format!(
                        "Creature {} of habitat {} did not learn from a lesson: {why}; its adapter is as it was before.",
                        one.creature, one.habitat
                    ));
                }
                learned.write(AgentsLearned { learned: trained.learned, ms: trained.elapsed.as_secs_f64() * 1e3 });
            }
            Reply::Bred(bred) => {
                bred.trouble.iter().for_each(|trouble| state.complain(trouble.clone()));
                born.write(ChildrenBorn(bred));
            }
            Reply::Surveyed(answer) => {
                surveyed.write(CreaturesSurveyed(answer));
            }
            Reply::Troubled { reason } => state.complain(reason),
            Reply::Ready(_)
            | Reply::Unusable { .. }
            | Reply::Thought(_)
            | Reply::Failed { .. }
            | Reply::Honoured
            | Reply::Consulted(_) => {}
        }
    }
}

/// Everybody remembers how often it has learned.
fn note_versions(trained: &Trained, habitats: &mut Query<(&Habitat, &mut Memories)>) {
    for (habitat, mut memories) in habitats {
        for one in trained.learned.iter().filter(|one| one.habitat == habitat.id) {
            if let Some(memory) = memories.0.get_mut(&one.creature) {
                memory.version = one.version;
            }
        }
    }
}

/// How long the answer to the open question is waited for before the minds count as hung.
pub fn patience(world: &World) -> Duration {
    world.resource::<WorkerState>().patience(world.resource::<Asked>().thinkers.len())
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
pub fn wait_until_ready(link: &mut WorkerLink, patience: Duration) -> Result<MindFacts, String> {
    match link.receive(patience) {
        Ok(Some(Reply::Ready(facts))) => Ok(facts),
        Ok(Some(Reply::Unusable { reason })) => Err(reason),
        Ok(Some(_)) => Err("The mind answered before it was asked.".to_owned()),
        Ok(None) => Err(format!("The mind was not ready within {} s.", patience.as_secs())),
        Err(down) => Err(format!("{down} while it loaded the model.")),
    }
}
