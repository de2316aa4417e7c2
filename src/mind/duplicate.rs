//! A creature's mind once more, in the place of the least fit.
//!
//! The copy is a child with one parent, of which it has all, unmutated: the worker makes it as it makes any other, in the order
//! in which it is asked. What lives on of the one whose place it takes is the body; the account of its deeds begins anew.

use bevy::prelude::*;

use super::{
    change::is_between_turns,
    creatures::Creatures,
    evolve::errand,
    link::WorkerLink,
    memory::Memories,
    receive::{forget_messages, note_now},
    resolve::{Lived, sum_up},
    state::WorkerState,
};
use crate::{
    protocol::{AgentId, Birth, Breed, CreatureId, CreatureName, HabitatId, Request, StreamName},
    sim::{Agent, Finished, Habitat, Life, Roster, Vitality},
};

/// A creature has taken the place of another in the middle of a generation.
#[derive(Message, Debug, Clone, PartialEq)]
pub struct CreatureReplaced {
    /// The habitat.
    pub habitat: HabitatId,
    /// The generation.
    pub generation: u32,
    /// The new one, with its only parent twice.
    pub birth: Birth,
    /// The life of the one whose place it has, up to now.
    pub replaced: Lived,
    /// The parent's life, up to now.
    pub parent: Lived,
}

/// Copies a living creature's mind into the place of the least fit of its habitat that lives, other than itself; on a tie, of
/// the last place. Gives the new creature.
///
/// # Errors
/// A sentence: why that cannot be done now.
pub fn duplicate(world: &mut World, name: CreatureName) -> Result<CreatureId, String> {
    let (habitat, creature) = name;
    if !is_between_turns(world) {
        return Err("A turn is under way: ask again when it is over.".to_owned());
    }
    if !world.resource::<WorkerLink>().learns() || !world.resource::<WorkerState>().is_up() {
        return Err("There is no language model whose minds could be copied.".to_owned());
    }
    let mut habitats = world.query_filtered::<(Entity, &Habitat), Without<Finished>>();
    let found = habitats.iter(world).find(|(_, one)| one.id == habitat).map(|(entity, one)| (entity, one.streams));
    let (entity, streams) = found.ok_or_else(|| format!("Nobody lives in habitat {habitat} any more."))?;
    let gone = || format!("Creature {creature} does not live in habitat {habitat} any more.");
    let now = sum_up(world, entity).ok_or_else(gone)?;
    if now.clock.turn == 0 {
        return Err("The generation has only begun: let it live a turn first.".to_owned());
    }
    let parent = *now.lives.iter().find(|life| life.creature == creature).ok_or_else(gone)?;
    let (replaced, body) =
        least_fit(world, entity, &now.lives, creature).ok_or("Nobody else lives whose place it could take.")?;
    let mut creatures = world.get_mut::<Creatures>(entity).ok_or_else(gone)?;
    let child = CreatureId(creatures.next);
    creatures.next += 1;
    if let Some(one) = creatures.living.get_mut(replaced.agent.0 as usize) {
        *one = child;
    }
    let living = creatures.living.clone();
    if let Some(mut memories) = world.get_mut::<Memories>(entity) {
        memories.keep_only(&living);
    }
    if let Some(mut life) = world.get_mut::<Life>(body) {
        *life = Life::default();
    }
    let birth = Birth { child, parents: [creature; 2], share: 1.0 };
    let draws = vec![streams.agent_key(StreamName::Mutation, AgentId(child.0))];
    // It is born with all that the other has learned by now, whatever creatures pass on.
    let (births, learned) = (vec![birth], true);
    errand(
        world,
        Request::Breed(Breed { habitat, living, births, mutation_rate: 0.0, mutation_size: 0.0, learned, draws }),
    );
    // Noted at once: the next turn may be long in coming.
    forget_messages(world);
    world.write_message(CreatureReplaced { habitat, generation: now.clock.generation, birth, replaced, parent });
    note_now(world);
    Ok(child)
}

/// Who of the living, other than `but`, has the least fitness; on a tie the last. With its body.
fn least_fit(world: &World, habitat: Entity, lives: &[Lived], but: CreatureId) -> Option<(Lived, Entity)> {
    let roster = world.get::<Roster>(habitat)?;
    let lives_still = |body: &Entity| world.get::<Vitality>(*body).is_some_and(|vitality| vitality.is_alive());
    let living = roster.iter().copied().filter(lives_still);
    let with_life = living.filter_map(|body| {
        let agent = world.get::<Agent>(body)?.id;
        let life = lives.iter().find(|life| life.agent == agent && life.creature != but)?;
        Some((*life, body))
    });
    with_life.min_by(|(a, _), (b, _)| a.fitness.total_cmp(&b.fitness).then(b.agent.cmp(&a.agent)))
}
