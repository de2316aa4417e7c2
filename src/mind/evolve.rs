//! The end of a generation: its books are closed, and the next one is planned, bred and born.

use std::sync::Arc;

use bevy::prelude::*;

use super::{
    creatures::Creatures,
    hall::HallOfFame,
    link::WorkerLink,
    memory::Memories,
    probe::probe_prompts,
    receive::note_now,
    resolve::{Fallback, GenerationEnded, sum_up},
    state::WorkerState,
};
use crate::{
    config::{EvolutionSettings, Inheritance, MindSettings},
    genetics::{Offspring, next_generation},
    protocol::{AgentId, Birth, Breed, CreatureId, HabitatId, Honour, Moment, Request, StreamName, Streams, Survey},
    sim::{Clock, Finished, Habitat, HabitatConfig, Roster, Vitality, repopulate},
};

/// A new generation has been planned: who lives on, and who is born.
#[derive(Message, Debug, Clone, PartialEq)]
pub struct GenerationBegan {
    /// The habitat.
    pub habitat: HabitatId,
    /// The generation.
    pub generation: u32,
    /// Everybody in it, by place.
    pub living: Vec<CreatureId>,
    /// The children among them.
    pub births: Vec<Birth>,
}

/// What of a habitat tells whether its generation is over.
type LivingHabitat = (Entity, &'static Habitat, &'static HabitatConfig, &'static Clock, &'static Roster);

/// Ends the generations whose turns are over or whose agents are all dead, and begins the next ones.
pub(super) fn end_generations(world: &mut World, living: &mut QueryState<LivingHabitat, Without<Finished>>) {
    let mut over: Vec<(HabitatId, Entity, bool)> = Vec::new();
    for (entity, habitat, config, clock, roster) in living.iter(world) {
        let lives = |agent: &Entity| world.get::<Vitality>(*agent).is_some_and(|vitality| vitality.is_alive());
        if clock.turn >= config.run.turns || !roster.iter().any(lives) {
            over.push((habitat.id, entity, clock.generation + 1 >= config.run.generations));
        }
    }
    over.sort_unstable_by_key(|(id, ..)| *id);
    for (_, entity, is_last) in over {
        let Some(ended) = sum_up(world, entity) else { continue };
        close(world, entity, &ended);
        world.write_message(ended.clone());
        if is_last {
            world.entity_mut(entity).insert(Finished);
        } else {
            begin(world, entity, &ended);
        }
    }
}

/// Lets habitats go on whose last generation was over before, and for which the settings have now more of them.
pub fn go_on(world: &mut World) {
    let mut finished = world.query_filtered::<(Entity, &Habitat, &HabitatConfig, &Clock), With<Finished>>();
    let has_more = |(entity, habitat, config, clock): (Entity, &Habitat, &HabitatConfig, &Clock)| {
        (clock.generation + 1 < config.run.generations).then_some((habitat.id, entity))
    };
    let mut more: Vec<_> = finished.iter(world).filter_map(has_more).collect();
    more.sort_unstable();
    for (_, entity) in more {
        let Some(ended) = sum_up(world, entity) else { continue };
        world.entity_mut(entity).remove::<Finished>();
        begin(world, entity, &ended);
    }
    note_now(world);
}

/// Begins the generation after the one that has ended, on a new map.
fn begin(world: &mut World, entity: Entity, ended: &GenerationEnded) {
    let begins = evolve(world, entity, ended);
    repopulate(world, entity);
    if let Some(mut fallback) = world.get_mut::<Fallback>(entity) {
        *fallback = Fallback::default();
    }
    if let Some(begins) = begins {
        world.write_message(begins);
    }
}

/// Whether there are minds that learn and breed. Where they have gone for good, nobody is chosen by what `rules` did.
fn has_minds(world: &World) -> bool {
    world.resource::<WorkerLink>().learns() && world.resource::<WorkerState>().is_up()
}

/// Asks the worker how different those are who have lived, and to keep the best of them.
fn close(world: &mut World, entity: Entity, ended: &GenerationEnded) {
    if !has_minds(world) {
        return;
    }
    let lived: Vec<_> = ended.lives.iter().map(|life| life.creature).collect();
    let Some(config) = world.get::<HabitatConfig>(entity).map(|config| Arc::clone(&config.0)) else { return };
    errand(world, survey(ended.habitat, ended.clock.generation, false, &lived, &config.mind));
    // What `rules` did in their stead is nobody's fame.
    let is_own = ended.fallback.turns == 0;
    let Some(mut hall) = world.get_mut::<HallOfFame>(entity).filter(|_| is_own) else { return };
    let entered = hall.admit(ended.clock.generation, &ended.lives, config.evolution.hall_of_fame as usize);
    let standing = hall.standing();
    errand(world, Request::Honour(Honour { habitat: ended.habitat, entered, standing }));
}

/// Breeds the next generation from those who have lived, where there is a model and evolution.
fn evolve(world: &mut World, entity: Entity, ended: &GenerationEnded) -> Option<GenerationBegan> {
    if !has_minds(world) {
        return None;
    }
    let config = Arc::clone(&world.get::<HabitatConfig>(entity)?.0);
    let streams = world.get::<Habitat>(entity)?.streams;
    let generation = ended.clock.generation + 1;
    let mut creatures = world.get_mut::<Creatures>(entity)?;
    let mut births = Vec::new();
    if config.evolution.enabled {
        let plan = plan(&streams, ended, config.habitat.agents, creatures.next, &config.evolution);
        creatures.next += plan.births.len() as u32;
        (creatures.living, births) = (plan.living, plan.births);
    } else {
        creatures.settle(config.habitat.agents as usize);
    }
    let living = creatures.living.clone();
    world.get_mut::<Memories>(entity)?.keep_only(&living);
    if config.evolution.enabled {
        errand(world, Request::Breed(breed(ended.habitat, &streams, &living, &births, &config.evolution)));
        let children: Vec<_> = births.iter().map(|birth| birth.child).collect();
        errand(world, survey(ended.habitat, generation, true, &children, &config.mind));
    }
    Some(GenerationBegan { habitat: ended.habitat, generation, living, births })
}

fn plan(streams: &Streams, ended: &GenerationEnded, size: u32, next: u32, settings: &EvolutionSettings) -> Offspring {
    let scored: Vec<_> = ended.lives.iter().map(|life| (life.creature, life.fitness)).collect();
    let mut draws = streams.key(StreamName::Mating).at(Moment::new(ended.clock.generation, 0));
    next_generation(&scored, size as usize, CreatureId(next), settings, &mut draws)
}

fn breed(
    habitat: HabitatId,
    streams: &Streams,
    living: &[CreatureId],
    births: &[Birth],
    settings: &EvolutionSettings,
) -> Breed {
    Breed {
        habitat,
        living: living.to_vec(),
        births: births.to_vec(),
        mutation_rate: settings.mutation_rate,
        mutation_size: settings.mutation_size,
        learned: settings.inheritance != Inheritance::Baldwin,
        draws: births.iter().map(|birth| streams.agent_key(StreamName::Mutation, AgentId(birth.child.0))).collect(),
    }
}

fn survey(
    habitat: HabitatId,
    generation: u32,
    newborn: bool,
    creatures: &[CreatureId],
    settings: &MindSettings,
) -> Request {
    let (creatures, temperature) = (creatures.iter().copied().map(Some).collect(), Some(settings.temperature));
    Request::Survey(Survey { habitat, generation, newborn, creatures, temperature, prompts: probe_prompts() })
}

/// Sends the worker something that is no question of a turn.
fn errand(world: &mut World, request: Request) {
    world.resource_scope(|world, mut state: Mut<WorkerState>| {
        let mut link = world.resource_mut::<WorkerLink>();
        if state.is_up() && link.send(request).is_err() {
            state.revive(&mut link);
        }
    });
}
