//! What the mouse does over the habitats, and what the picture is told of the minds.

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

/// Tells the picture what only the minds' side knows.
pub(super) fn tell_view(world: &mut World) {
    let selected = world.resource::<Run>().selected.and_then(|name| creatures::body(world, name));
    let (dark, speed) = (world.resource::<States>().dark, world.resource::<Playback>().speed);
    let animate = !world.contains_resource::<Screenshot>();
    let mut options = world.resource::<ViewOptions>().clone();
    (options.selected, options.dark, options.animate) = (selected, dark, animate);
    options.pace = if speed.is_finite() { speed } else { FASTEST };
    options.follow &= selected.is_some();
    world.resource_mut::<ViewOptions>().set_if_neq(options);
    for habitat in habitats(world) {
        tell_of(world, habitat);
    }
}

/// Tells of everybody in a habitat: line, rank, name and last words.
fn tell_of(world: &mut World, habitat: Entity) {
    let (Some(id), Some(creatures), Some(roster)) =
        (world.get::<Habitat>(habitat), world.get::<Creatures>(habitat), world.get::<Roster>(habitat))
    else {
        return;
    };
    let generation = world.get::<Clock>(habitat).map_or(0, |clock| clock.generation);
    let names: Vec<(Entity, CreatureName)> =
        roster.iter().copied().zip(creatures.living.iter().map(|creature| (id.id, *creature))).collect();
    for (body, name) in names {
        let ancestry = world.resource::<Lineage>().creatures.get(&name);
        let born = ancestry.map_or(0, |one| one.born);
        let persona = Persona {
            line: Some(ancestry.map_or(name.1, |one| one.founder).0),
            elite: generation > born,
            newborn: generation > 0 && generation == born,
            name: world.resource::<States>().names.get(&name).cloned(),
        };
        if world.get::<Persona>(body) != Some(&persona) {
            world.entity_mut(body).insert(persona);
        }
        let said =
            world.get::<LastThought>(body).and_then(|thought| thought.0.as_ref()).map(|thought| thought.text.as_ref());
        let said = said.unwrap_or_default().trim();
        if world.get::<Said>(body).is_none_or(|before| before.0 != said) {
            let said = Said(said.to_owned());
            world.entity_mut(body).insert(said);
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
