//! What the mouse does over the habitats, and what the picture is told of the minds.

use std::collections::BTreeMap;

use bevy::{prelude::*, window::PrimaryWindow};

use super::{
    Screenshot, Wishes, creatures,
    memory::States,
    models::Panels,
    playback::Playback,
    run::{Run, habitats},
};
use crate::{
    mind::{AgentsLearned, Creatures, LastThought},
    protocol::{CreatureName, Edit, UserCommand},
    record::Lineage,
    sim::{Agent, Clock, Habitat, Roster},
    ui::Tool,
    view::{CameraWish, Learned, Persona, Picked, Said, ViewOptions, pick},
};

/// How much nearer a turn of the wheel by a point brings.
const ZOOM: f32 = 1.004;
/// The pace at which agents are drawn where turns follow each other as fast as they can.
const FASTEST: f32 = 1000.0;

/// What the mouse does over the habitats, in physical pixels of the window.
#[derive(Resource, Debug, Default)]
pub(super) struct Pointer {
    /// Where it is, if it is over them.
    pub at: Option<Vec2>,
    /// It was clicked, twice in a row.
    pub clicked: bool,
    pub double_clicked: bool,
    /// Where a drag has begun, in this frame.
    pub pressed: Option<Vec2>,
    /// How far it was dragged since the last frame.
    pub dragged: Vec2,
    /// A drag has ended.
    pub released: bool,
    /// How far the wheel was turned, in points.
    pub scrolled: f32,
}

/// Turns what the mouse does into wishes.
pub(super) fn use_pointer(world: &mut World, mut carried: Local<Option<Picked>>) {
    let pointer = std::mem::take(&mut *world.resource_mut::<Pointer>());
    let tool = world.resource::<States>().tool;
    let under = pointer.at.and_then(|at| pick(world, at));
    let hover = under.filter(|_| tool != Tool::Look).map(|under| (under.habitat, under.cell));
    if world.resource::<ViewOptions>().hover != hover {
        world.resource_mut::<ViewOptions>().hover = hover;
    }
    if let Some(at) = pointer.at.filter(|_| pointer.scrolled != 0.0) {
        world.write_message(CameraWish::Zoom { at, factor: ZOOM.powf(pointer.scrolled) });
    }
    if tool == Tool::Move {
        if let Some(at) = pointer.pressed {
            *carried = pick(world, at).filter(|under| under.agent.is_some());
        }
        if pointer.released
            && let Some(from) = carried.take()
            && let Some(edit) = under.and_then(|to| drag(world, from, to))
        {
            world.resource_mut::<Wishes>().0.push(edit);
        }
    }
    if carried.is_none() && pointer.dragged != Vec2::ZERO {
        world.write_message(CameraWish::Pan(pointer.dragged));
    }
    let Some(under) = under.filter(|_| pointer.clicked) else { return };
    let wish = match tool {
        Tool::Food => Some(UserCommand::Edit(under.habitat, Edit::Food(under.cell))),
        Tool::Wall => Some(UserCommand::Edit(under.habitat, Edit::Wall(under.cell))),
        Tool::Home => Some(UserCommand::Edit(under.habitat, Edit::Home(under.cell))),
        Tool::Look | Tool::Move => look_at(world, under, pointer.double_clicked),
    };
    world.resource_mut::<Wishes>().0.extend(wish);
}

/// A click looks into an agent; twice on the ground enters a habitat, of several.
fn look_at(world: &mut World, under: Picked, twice: bool) -> Option<UserCommand> {
    if let Some(name) = under.agent.and_then(|body| creatures::in_body(world, body)) {
        return Some(UserCommand::Select(Some(name)));
    }
    let several = habitats(world).len() > 1 && world.resource::<Run>().entered.is_none();
    (twice && several).then_some(UserCommand::Enter(Some(under.habitat)))
}

/// An agent is dragged from one cell to another of the same habitat.
fn drag(world: &World, from: Picked, to: Picked) -> Option<UserCommand> {
    let agent = world.get::<Agent>(from.agent?)?.id;
    let goes = from.habitat == to.habitat && from.cell != to.cell;
    goes.then_some(UserCommand::Edit(to.habitat, Edit::Agent(agent, to.cell)))
}

/// Tells the picture what the window knows: who is selected, how fast it goes, light or dark.
pub(super) fn tell_view(world: &mut World) {
    let selected = world.resource::<Run>().selected.and_then(|name| creatures::body(world, name));
    let (dark, speed) = (world.resource::<States>().dark, world.resource::<Playback>().speed);
    let animate = !world.contains_resource::<Screenshot>();
    let mut options = world.resource::<ViewOptions>().clone();
    (options.selected, options.dark, options.animate) = (selected, dark, animate);
    options.pace = if speed.is_finite() { speed } else { FASTEST };
    options.follow &= selected.is_some();
    world.resource_mut::<ViewOptions>().set_if_neq(options);
}

/// Tells the picture who everybody is, by line, rank and name, where that may have changed since it was told last.
pub(super) fn tell_who(
    states: Res<States>,
    lineage: Res<Lineage>,
    habitats: Query<(&Habitat, Ref<Clock>, Ref<Creatures>, Ref<Roster>)>,
    told: Query<&Persona>,
    mut names: Local<BTreeMap<CreatureName, String>>,
    mut commands: Commands,
) {
    // The panels write to their states in every frame.
    let is_renamed = states.names != *names;
    if is_renamed {
        names.clone_from(&states.names);
    }
    for (habitat, clock, creatures, roster) in &habitats {
        let is_new = lineage.is_changed() || clock.is_changed() || creatures.is_changed() || roster.is_changed();
        if !(is_renamed || is_new) {
            continue;
        }
        for (body, creature) in roster.iter().zip(&creatures.living) {
            let name = (habitat.id, *creature);
            let ancestry = lineage.creatures.get(&name);
            let born = ancestry.map_or(0, |one| one.born);
            let persona = Persona {
                line: Some(ancestry.map_or(*creature, |one| one.founder).0),
                elite: clock.generation > born,
                newborn: clock.generation > 0 && clock.generation == born,
                name: names.get(&name).cloned(),
            };
            if told.get(*body) != Ok(&persona) {
                commands.entity(*body).insert(persona);
            }
        }
    }
}

/// Tells the picture what everybody said last.
pub(super) fn tell_words(
    thoughts: Query<(Entity, &LastThought, Option<&Said>), Changed<LastThought>>,
    mut commands: Commands,
) {
    for (body, thought, told) in &thoughts {
        let said = thought.0.as_ref().map_or("", |thought| thought.text.trim());
        if told.is_none_or(|told| told.0 != said) {
            commands.entity(body).insert(Said(said.to_owned()));
        }
    }
}

/// Who has learned is drawn so.
pub(super) fn show_lessons(
    mut learned: MessageReader<AgentsLearned>,
    habitats: Query<(&Habitat, &Creatures, &Roster)>,
    mut pulses: MessageWriter<Learned>,
) {
    for one in learned.read().flat_map(|lessons| &lessons.learned).filter(|one| one.refused.is_none()) {
        let found = habitats.iter().find(|(habitat, ..)| habitat.id == one.habitat);
        let Some((_, creatures, roster)) = found else { continue };
        let place = creatures.living.iter().position(|creature| *creature == one.creature);
        pulses.write_batch(place.and_then(|place| roster.get(place).copied()).map(Learned));
    }
}

/// The window's title says how the run does.
pub(super) fn write_title(
    panels: Res<Panels>,
    playback: Res<Playback>,
    mut window: Single<&mut Window, With<PrimaryWindow>>,
) {
    let ((generation, _), (turn, _)) = (panels.top_bar.generation, panels.top_bar.turn);
    let state = match (panels.top_bar.finished, playback.playing || playback.to_generations_end) {
        (true, _) => "complete".to_owned(),
        (false, true) => format!("generation {generation}"),
        (false, false) => format!("paused at generation {generation}, turn {turn}"),
    };
    let title = format!("Evolora: {state}");
    if window.title != title {
        window.title = title;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        protocol::{CreatureId, HabitatId, Streams},
        record::Ancestry,
    };

    #[test]
    fn who_everybody_is_is_looked_up_when_something_has_changed_and_at_no_other_time() {
        let mut world = World::new();
        world.insert_resource(States::default());
        world.insert_resource(Lineage::default());
        let bodies = [world.spawn_empty().id(), world.spawn_empty().id()];
        let creatures = Creatures { living: vec![CreatureId(4), CreatureId(9)], ..Creatures::default() };
        let clock = Clock { generation: 2, turn: 5 };
        let streams = Streams { seed: 1, habitat: HabitatId(1), unseen: false };
        let habitat = Habitat { id: HabitatId(1), streams };
        let habitat = world.spawn((habitat, clock, creatures, Roster(bodies.to_vec()))).id();
        let name = (HabitatId(1), CreatureId(9));
        let born = |born| Ancestry { born, founder: CreatureId(3), ..Ancestry::default() };
        world.resource_mut::<Lineage>().creatures.insert(name, born(2));
        let system = world.register_system(tell_who);
        // What is told of the second, who is forgotten before.
        let told = |world: &mut World| {
            world.entity_mut(bodies[1]).remove::<Persona>();
            world.run_system(system).unwrap();
            world.get::<Persona>(bodies[1]).cloned()
        };
        let newborn = Persona { line: Some(3), elite: false, newborn: true, name: None };
        assert_eq!(told(&mut world), Some(newborn.clone()));
        let elder = Persona { line: Some(4), elite: true, newborn: false, name: None };
        assert_eq!(world.get::<Persona>(bodies[0]), Some(&elder), "who is not written down is a founder");
        assert_eq!(told(&mut world), None, "nothing has changed");
        world.resource_mut::<States>().set_changed();
        assert_eq!(told(&mut world), None, "no name has changed");
        world.resource_mut::<States>().names.insert(name, "Ada".to_owned());
        let named = Persona { name: Some("Ada".to_owned()), ..newborn };
        assert_eq!(told(&mut world), Some(named.clone()));
        world.get_mut::<Clock>(habitat).unwrap().generation = 3;
        assert_eq!(told(&mut world), Some(Persona { elite: true, newborn: false, ..named }));
        world.resource_mut::<Lineage>().creatures.insert(name, born(3));
        assert!(told(&mut world).is_some_and(|persona| persona.newborn));
        world.get_mut::<Creatures>(habitat).unwrap().living[1] = CreatureId(10);
        assert_eq!(told(&mut world).map(|persona| (persona.line, persona.name)), Some((Some(10), None)));
    }
}
