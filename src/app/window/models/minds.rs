//! Everybody in the living generation, the mind that is open, and whom it can be compared with.

use std::sync::Arc;

use bevy::prelude::*;

use super::{Living, Panels, Run, States};
use crate::{
    app::mind_facts::{last_experiences, look_into},
    language::write_prompt,
    mind::{Consulted, Experience, LastThought},
    protocol::{Action, CreatureId, CreatureName},
    record::{Lineage, Transcript, best_of_halls},
    sim::{Energy, LastTurn, Load, Vitality},
    ui::{AgentModel, AgentRow, Mind, MindChoice, NormRow, Remembered, Role, ShownTurn, WhatIfModel},
    view::ViewOptions,
};

/// Turns whose rewards are drawn.
const TRACE: usize = 60;
/// Experiences that the table shows.
const SHOWN: usize = 300;

pub(super) fn read(world: &mut World, living: &[Living], panels: &mut Panels) {
    let agents = living.iter().flat_map(|one| rows(world, one)).collect();
    let selected = world.resource::<Run>().selected;
    panels.agent = AgentModel {
        agents,
        selected: selected.map(|name| Arc::new(mind(world, living, name, panels))),
        following: world.resource::<ViewOptions>().follow,
        several: living.len() > 1,
    };
    panels.what_if = what_if(world, panels);
}

/// Where a creature's body is, if it lives in this generation.
pub(in crate::app::window) fn body_of(
    living: &[Living],
    (habitat, creature): CreatureName,
) -> Option<(&Living, usize)> {
    let one = living.iter().find(|one| one.id == habitat)?;
    let place = one.ended.lives.iter().position(|life| life.creature == creature)?;
    Some((one, place))
}

fn rows(world: &World, one: &Living) -> Vec<AgentRow> {
    let (lineage, states) = (world.resource::<Lineage>(), world.resource::<States>());
    let row = |(place, life): (usize, &crate::mind::Lived)| {
        let name = (one.id, life.creature);
        let ancestry = lineage.creatures.get(&name);
        let body = one.roster.get(place).copied().unwrap_or(Entity::PLACEHOLDER);
        AgentRow {
            name,
            title: states.names.get(&name).cloned(),
            line: ancestry.map_or(life.creature, |ancestry| ancestry.founder),
            energy: world.get::<Energy>(body).map_or(0.0, |energy| energy.0 as f32),
            carrying: world.get::<Load>(body).and_then(|load| load.0),
            fitness: life.fitness,
            delivered: life.record.food_delivered,
            born: ancestry.map_or(0, |ancestry| ancestry.born),
            alive: world.get::<Vitality>(body).is_some_and(|vitality| vitality.is_alive()),
        }
    };
    one.ended.lives.iter().enumerate().map(row).collect()
}

/// All that is known of one creature, living or dead.
fn mind(world: &mut World, living: &[Living], name: CreatureName, panels: &Panels) -> Mind {
    let (habitat, creature) = name;
    let experiences = last_experiences(world, name, SHOWN);
    let lineage = world.resource::<Lineage>();
    let ancestry = lineage.creatures.get(&name).cloned();
    let related = |one: &&crate::record::Ancestry| {
        one.habitat == habitat && (one.first_parent == Some(creature) || one.second_parent == Some(creature))
    };
    let children = lineage.creatures.values().filter(related).map(|one| one.creature).collect();
    let now = body_of(living, name);
    let generation = living.iter().find(|one| one.id == habitat).map_or(0, |one| one.ended.clock.generation);
    let born = ancestry.as_ref().map_or(0, |one| one.born);
    let last = ancestry.as_ref().and_then(|one| one.died).unwrap_or(generation);
    let body = now.and_then(|(one, place)| one.roster.get(place).copied());
    let life = now.map(|(one, place)| one.ended.lives[place]);
    let look = world.resource::<Run>().shelf.as_ref().and_then(|shelf| look_into(shelf, name));
    let energy = body.and_then(|body| world.get::<Energy>(body)).map(|energy| energy.0 as f32);
    let run = world.resource::<Run>();
    Mind {
        name,
        title: world.resource::<States>().names.get(&name).cloned(),
        line: ancestry.as_ref().map_or(creature, |one| one.founder),
        parents: ancestry.iter().flat_map(|one| [one.first_parent, one.second_parent]).flatten().collect(),
        share: ancestry.as_ref().and_then(|one| one.share),
        children,
        born,
        died: ancestry.as_ref().and_then(|one| one.died).filter(|_| now.is_none()),
        alive: body.and_then(|body| world.get::<Vitality>(body)).is_some_and(|vitality| vitality.is_alive()),
        age: last.saturating_sub(born) + 1,
        elite: now.is_some() && generation > born,
        newborn: now.is_some() && generation > 0 && generation == born,
        energy: energy.map(|energy| (energy, run.living.energy.max as f32)),
        carrying: body.and_then(|body| world.get::<Load>(body)).and_then(|load| load.0),
        fitness: life.map_or_else(|| ancestry.as_ref().map_or(0.0, |one| one.fitness), |life| life.fitness),
        best_fitness: ancestry.as_ref().map(|one| one.best_fitness).filter(|fitness| fitness.is_finite()),
        delivered: life.map_or(0, |life| life.record.food_delivered),
        turn: body.and_then(|body| shown_turn(world, body, name, generation)),
        rewards: experiences.iter().rev().take(TRACE).rev().map(|one| (one.turn, one.reward)).collect(),
        memory: experiences.iter().map(remembered).collect(),
        capacity: run.living.learning.buffer,
        norms: look.iter().flat_map(|look| &look.norms).map(norm_row).collect(),
        lessons: look.as_ref().map_or(0, |look| look.version),
        loss: panels.seen.losses.get(&name).copied(),
    }
}

fn norm_row(norm: &crate::brain::lora::SiteNorm) -> NormRow {
    NormRow { layer: norm.site.layer as u32, matrix: norm.site.target.to_string(), norm: norm.norm as f32 }
}

fn remembered(one: &Experience) -> Remembered {
    Remembered {
        turn: one.turn,
        saw: write_prompt(&one.observation),
        did: one.action,
        outcome: None,
        reward: one.reward,
        log_acted: one.log_acted,
        version: one.version,
    }
}

/// The last turn of a body in its generation, as its mind was asked and answered.
fn shown_turn(world: &World, body: Entity, (habitat, creature): CreatureName, generation: u32) -> Option<ShownTurn> {
    let mut lines = world.resource::<Transcript>().lines.iter().rev();
    // Of what it did in an earlier generation, when it had another body, nothing but the words is known.
    let line = lines.find(|line| (line.habitat, line.creature) == (habitat, creature))?;
    if line.generation != generation {
        return None;
    }
    let thought = world.get::<LastThought>(body).and_then(|thought| thought.0.as_ref());
    let deed = world.get::<LastTurn>(body).and_then(|turn| turn.0);
    Some(ShownTurn {
        turn: line.turn,
        prompt: write_prompt(&line.observation),
        reply: line.reply.to_string(),
        action: line.action,
        outcome: deed.map_or(Some(line.outcome), |deed| Some(deed.outcome)),
        policy: thought.map_or([0.0; Action::COUNT], |thought| thought.policy),
        explored: thought.map_or(0.0, |thought| thought.explored),
        stood_in: line.stood_in,
    })
}

fn what_if(world: &mut World, panels: &Panels) -> WhatIfModel {
    let answers = world.resource::<Consulted>().answers().cloned().collect();
    let Some(mind) = &panels.agent.selected else { return WhatIfModel { answers, ..WhatIfModel::default() } };
    let habitat = mind.name.0;
    let best = best_of_halls(world).map(|row| (row.habitat, row.creature));
    let parent = |at: usize| mind.parents.get(at).map(|parent: &CreatureId| (habitat, *parent));
    let minds = [
        (Role::Selected, Some(mind.name), "it is not known"),
        (Role::FirstParent, parent(0), "a founder has no parents"),
        (Role::SecondParent, parent(1), "a founder has no parents"),
        (Role::Champion, best, "nobody is in the hall of fame yet"),
    ];
    let choice = |(role, who, why): (Role, Option<CreatureName>, &str)| {
        let absent = match who {
            None => Some(why.to_owned()),
            Some(name) => (!knows(world, name)).then(|| "its mind is not kept".to_owned()),
        };
        let title = who.and_then(|name| world.resource::<States>().names.get(&name).cloned());
        MindChoice { role, who, title, absent }
    };
    let mut minds: Vec<_> = minds.into_iter().map(choice).collect();
    minds.push(MindChoice { role: Role::Bare, who: None, title: None, absent: None });
    let last_prompt = mind.turn.as_ref().map(|turn| turn.prompt.clone()).filter(|prompt| !prompt.is_empty());
    WhatIfModel { minds, last_prompt, answers }
}

/// Whether somebody's mind can still be asked. Where the worker has the shelf just now it is taken to be so.
fn knows(world: &World, name: CreatureName) -> bool {
    let Some(shelf) = &world.resource::<Run>().shelf else { return false };
    let Some(population) = shelf.try_open() else { return true };
    let is_there = population.minds.contains_key(&name) || population.hall.contains_key(&name);
    drop(population);
    // Founders get their minds when they are first asked.
    is_there || shelf.try_forebears().is_none_or(|forebears| forebears.get(&name).is_some())
}
