//! What a person does with one creature: look into it, name it, copy it, take it out and bring others in.

use std::path::{Path, PathBuf};

use bevy::prelude::*;

use super::{library::Library, memory::States, models::Panels, run::Run};
use crate::{
    app::{FoundCreature, export_record},
    brain::lora::AdapterFormat,
    config::{Preset, RunConfig},
    mind::{Creatures, HallOfFame, Honoured, Memories, WorkerState, consult, consultation, duplicate},
    protocol::{Consult, CreatureId, CreatureName, HabitatId},
    record::{Lineage, ModelMark, best_of_halls},
    sim::{Habitat, Life, Roster},
};

/// Gives a creature a name, or takes it away.
pub(super) fn rename(world: &mut World, name: CreatureName, title: &str) {
    let mut states = world.resource_mut::<States>();
    if title.trim().is_empty() {
        states.names.remove(&name);
    } else {
        states.names.insert(name, title.trim().to_owned());
    }
}

/// Copies a creature's mind into the place of the least fit.
///
/// # Errors
/// A sentence: why that cannot be.
pub(super) fn copy(world: &mut World, name: CreatureName) -> Result<(), String> {
    let child = duplicate(world, name)?;
    let text = format!("Creature {child} has the mind of creature {}, in the place of the least fit.", name.1);
    world.resource_mut::<Run>().say(text);
    Ok(())
}

/// Asks minds; the answer comes when it comes.
pub(super) fn ask(world: &mut World, question: &Consult) {
    let living = world.resource::<Run>().living.clone();
    consult(world, consultation(question, &living));
}

/// Writes a creature to a card, on another thread.
///
/// # Errors
/// A sentence: why it cannot be.
pub(super) fn export(world: &mut World, name: CreatureName, file: &Path) -> Result<(), String> {
    let found = find(world, name)?;
    let (file, config) = (file.to_owned(), found.config.clone());
    let work = move || -> Result<String, String> {
        let say = |error: crate::app::AppError| error.to_string();
        let record = found.record().map_err(say)?;
        let bytes = export_record(&config, &record, AdapterFormat::Card, &file, true).map_err(say)?;
        Ok(format!("Creature {} is in {} ({:.0} KB).", name.1, file.display(), bytes as f64 / 1e3))
    };
    world.resource::<Library>().work(work);
    Ok(())
}

/// Writes the best creature that ever lived to a card.
///
/// # Errors
/// A sentence: why it cannot be.
pub(super) fn export_best(world: &mut World, file: &Path) -> Result<(), String> {
    let best = best_of_halls(world);
    let best = best.ok_or("Nobody is in the hall of fame yet: it begins with the first generation's end.")?;
    export(world, (best.habitat, best.creature), file)
}

/// Everybody begins with this adapter when the run starts again.
///
/// # Errors
/// A sentence: why it cannot be used.
pub(super) fn import(world: &mut World, path: &Path) -> Result<(), String> {
    if !path.exists() {
        return Err(format!("There is no {}.", path.display()));
    }
    let value = path.display().to_string();
    super::settings::change(world, Preset::Default, &[("lora.adapter".to_owned(), value)])?;
    let text = format!("Everybody begins with {} when the run starts again.", path.display());
    world.resource_mut::<Library>().note(Ok(text));
    Ok(())
}

/// A creature of the run on show, with everything that its card tells.
fn find(world: &mut World, name: CreatureName) -> Result<FoundCreature, String> {
    let (habitat, creature) = name;
    let ancestry = world.resource::<Lineage>().creatures.get(&name).cloned();
    let facts = world.resource::<WorkerState>().facts.clone();
    let run = world.resource::<Run>();
    let (config, shelf): (RunConfig, _) = (run.living.as_ref().clone(), run.shelf.clone());
    let mut habitats = world.query::<(&Habitat, &Creatures, &HallOfFame, &Memories, &Roster)>();
    let found = habitats.iter(world).find(|(one, ..)| one.id == habitat);
    let (one, creatures, hall, memories, roster) = found.ok_or(format!("There is no habitat {habitat}."))?;
    let honoured: Option<Honoured> = hall.0.iter().find(|one| one.creature == creature).cloned();
    let place = creatures.living.iter().position(|living| *living == creature);
    let body = place.and_then(|place| roster.get(place).copied());
    let shelf = shelf.ok_or("No language model plays here: nobody has an adapter.")?;
    let population = shelf.open();
    let living = population.minds.get(&name).map(|mind| mind.adapter.clone());
    let is_living = living.is_some();
    let (honoured_adapter, layout) = (population.hall.get(&name).cloned(), population.layout.clone());
    drop(population);
    let kept = living.or(honoured_adapter).or_else(|| shelf.forebears().get(&name).cloned());
    let adapter = kept.map(|kept| kept.read()).transpose().map_err(|error| error.to_string())?;
    Ok(FoundCreature {
        habitat,
        streams: one.streams,
        creature,
        config,
        model: facts.as_ref().map(ModelMark::of),
        is_living,
        is_honoured: !is_living && honoured.is_some(),
        troubles: Vec::new(),
        ancestry,
        honoured,
        life: body.and_then(|body| world.get::<Life>(body)).map(|life| life.0),
        memory: memories.0.get(&creature).cloned().unwrap_or_default(),
        layout,
        adapter: Some(adapter.ok_or(format!("The mind of creature {creature} is not kept any more."))?),
    })
}

/// The creature in a body.
pub(super) fn in_body(world: &mut World, body: Entity) -> Option<CreatureName> {
    let mut habitats = world.query::<(&Habitat, &Creatures, &Roster)>();
    habitats.iter(world).find_map(|(habitat, creatures, roster)| {
        let place = roster.iter().position(|other| *other == body)?;
        Some((habitat.id, *creatures.living.get(place)?))
    })
}

/// The body of a creature, if it has one.
pub(super) fn body(world: &mut World, (habitat, creature): (HabitatId, CreatureId)) -> Option<Entity> {
    let mut habitats = world.query::<(&Habitat, &Creatures, &Roster)>();
    habitats.iter(world).find(|(one, ..)| one.id == habitat).and_then(|(_, creatures, roster)| {
        let place = creatures.living.iter().position(|living| *living == creature)?;
        roster.get(place).copied()
    })
}

/// Files that are dropped on the window are taken in.
pub(super) fn take_dropped_files(world: &mut World) {
    let dropped: Vec<PathBuf> = world
        .resource_mut::<Messages<bevy::window::FileDragAndDrop>>()
        .drain()
        .filter_map(|message| match message {
            bevy::window::FileDragAndDrop::DroppedFile { path_buf, .. } => Some(path_buf),
            _ => None,
        })
        .collect();
    for path in dropped {
        let is_settings = path.extension().is_some_and(|end| end == "toml");
        let wish = if is_settings {
            crate::protocol::UserCommand::LoadSettings(path)
        } else {
            crate::protocol::UserCommand::ImportCard(path)
        };
        world.resource_mut::<super::Wishes>().0.push(wish);
        world.resource_mut::<Panels>().refresh();
    }
}
