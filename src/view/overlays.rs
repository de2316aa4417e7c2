//! What can be laid over the habitats: where agents came from, and the cell under the mouse.

use bevy::prelude::*;

use super::{
    Drawn, Persona, Trail,
    atlas::{MARK, square},
    bodies::colour_of,
    canvas::{Canvas, Layer, Stamp},
    scene::Scene,
};
use crate::{
    protocol::Cell,
    sim::{Agent, Habitat, InHabitat},
};

/// Width of a trail where it is freshest, in cells.
const WIDTH: f32 = 0.13;

/// Draws trails and the cell under the mouse.
pub(super) fn draw_overlays(
    agents: Query<(Entity, &Agent, &Drawn, &Persona, &Trail, &InHabitat)>,
    habitats: Query<(Entity, &Habitat)>,
    scene: Scene,
    mut canvas: ResMut<Canvas>,
) {
    let (options, seen) = (&scene.options, scene.seen());
    for (entity, agent, drawn, persona, trail, habitat) in &agents {
        if !options.trails.includes(entity, options.selected) {
            continue;
        }
        let Some(corner) = scene.corner(habitat.0) else { continue };
        // Each agent's on a side of its own, so that those that go the same way are all seen.
        let aside = Vec2::from_angle(agent.id.0 as f32 * 2.4) * 0.14;
        let rgb = colour_of(agent, persona);
        let steps = trail.cells().zip(trail.cells().skip(1)).zip(1..);
        for ((from, to), age) in steps {
            let is_last = age + 1 == trail.cells().len();
            let end = if is_last { drawn.at() } else { middle(to) };
            let fresh = age as f32 / trail.cells().len() as f32;
            // Where turns were missed, or a hand has put it elsewhere, there is a gap.
            if middle(from).distance(middle(to)) > 1.1 || !seen.contains(corner + end) {
                continue;
            }
            let begin = corner + middle(from) + aside;
            let way = corner + end + aside - begin;
            let width = WIDTH * (0.4 + 0.6 * fresh);
            let line = Stamp::new(square(), begin + way / 2.0, 1.0, rgb).alpha(0.12 + 0.5 * fresh);
            canvas.stamp(Layer::Life, Stamp { angle: way.to_angle(), ..line.size(Vec2::new(way.length(), width)) });
        }
    }
    if let Some((id, cell)) = options.hover
        && let Some(corner) = habitats.iter().find(|(_, habitat)| habitat.id == id).and_then(|(e, _)| scene.corner(e))
    {
        let at = corner + middle(cell);
        let rgb = scene.colours().ink;
        canvas.stamp(Layer::Life, Stamp::new(square(), at, 0.96, rgb).alpha(0.1));
        canvas.stamp(Layer::Life, Stamp::new(MARK, at, 1.08, rgb).alpha(0.9));
    }
}

fn middle(cell: Cell) -> Vec2 {
    Vec2::new(f32::from(cell.x), f32::from(cell.y)) + 0.5
}
