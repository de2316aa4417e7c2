//! What is under a pixel of the window, and where in the window something is.

use bevy::prelude::*;

use super::{HabitatFrame, camera::Eye, layout::Corner, motion::Drawn};
use crate::{
    protocol::{Cell, HabitatId},
    sim::{Agent, Ground, Habitat, InHabitat, Vitality},
};

/// How far from its middle an agent is hit, in cells, and in pixels where it is drawn small.
const REACH: (f32, f32) = (0.45, 7.0);

/// What is under a pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Picked {
    /// The habitat.
    pub habitat: HabitatId,
    /// The cell of it.
    pub cell: Cell,
    /// The agent that is drawn there: of several the nearest, and the living before the dead.
    pub agent: Option<Entity>,
}

/// What is drawn at a physical pixel of the window; `None` beside the habitats.
pub fn pick(world: &mut World, at: Vec2) -> Option<Picked> {
    let frame = *world.get_resource::<HabitatFrame>()?;
    let inside = Rect::from_corners(frame.min.as_vec2(), (frame.min + frame.size).as_vec2());
    if !inside.contains(at) {
        return None;
    }
    let pose = world.get_resource::<Eye>()?.now;
    let point = pose.to_world(&frame, at);
    let mut habitats = world.query::<(Entity, &Habitat, &Ground, &Corner)>();
    let (entity, habitat, cell, corner) = habitats.iter(world).find_map(|(entity, habitat, ground, corner)| {
        let off = (point - corner.at).floor();
        let size = f32::from(ground.size());
        let is_in = corner.is_shown && off.min_element() >= 0.0 && off.max_element() < size;
        is_in.then(|| (entity, habitat.id, Cell::new(off.x as u16, off.y as u16), corner.at))
    })?;
    let reach = REACH.0.max(REACH.1 / pose.scale);
    let mut agents = world.query_filtered::<(Entity, &Drawn, &Vitality, &InHabitat), With<Agent>>();
    let near = agents.iter(world).filter(|(.., home)| home.0 == entity).map(|(agent, drawn, vitality, _)| {
        let way = drawn.at().distance(point - corner);
        (way, !vitality.is_alive(), agent)
    });
    let hit = near.filter(|(way, ..)| *way <= reach);
    let agent = hit.min_by(|a, b| (a.1, a.0).partial_cmp(&(b.1, b.0)).unwrap_or(std::cmp::Ordering::Equal));
    Some(Picked { habitat, cell, agent: agent.map(|(.., agent)| agent) })
}

/// The physical pixel of the window at which the middle of an agent is drawn, inside the frame or not. `None` if it is not
/// drawn at all.
pub fn on_screen(world: &World, agent: Entity) -> Option<Vec2> {
    let corner = world.get::<Corner>(world.get::<InHabitat>(agent)?.0).filter(|corner| corner.is_shown)?;
    let at = corner.at + world.get::<Drawn>(agent)?.at();
    Some(world.get_resource::<Eye>()?.now.to_pixel(world.get_resource::<HabitatFrame>()?, at))
}
