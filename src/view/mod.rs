//! Draws the habitats: adds shapes to what `sim` has spawned, and moves them as things move.
//!
//! This room does *not* know panels, minds, records, or how fast turns follow each other.

mod bodies;
mod camera;
mod scenery;

use bevy::{color::Color, prelude::*};

pub use camera::{HabitatCamera, HabitatFrame};

use crate::{palette::Rgb, sim::Habitat};

/// Draws the habitats in the rectangle that [`HabitatFrame`] names.
#[derive(Debug, Default)]
pub struct ViewPlugin;

impl Plugin for ViewPlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<HabitatFrame>()
            .init_resource::<scenery::Shapes>()
            .add_systems(Startup, camera::spawn_camera)
            .add_systems(
                PostUpdate,
                (
                    scenery::dress_grounds,
                    (scenery::dress_things, bodies::dress_agents),
                    (bodies::glide_agents, bodies::show_state),
                    camera::fit_camera,
                )
                    .chain()
                    .before(TransformSystems::Propagate),
            );
    }
}

/// Cells between two habitats.
const GAP: f32 = 2.0;

/// Where a habitat's south-western corner is drawn, one unit a cell: habitats stand in rows, as near to a square as can be.
fn corner(index: usize, count: usize, size: u16) -> Vec2 {
    let columns = (count as f32).sqrt().ceil().max(1.0) as usize;
    let (column, row) = (index % columns, index / columns);
    Vec2::new(column as f32, -(row as f32)) * (f32::from(size) + GAP)
}

/// The place of a habitat's corner, for whatever is drawn in it.
#[derive(Component, Debug, Clone, Copy)]
struct Corner(Vec2);

/// All habitats, sorted by their numbers.
fn in_order(habitats: &Query<(Entity, &Habitat)>) -> Vec<Entity> {
    let mut sorted: Vec<_> = habitats.iter().collect();
    sorted.sort_by_key(|(_, habitat)| habitat.id);
    sorted.into_iter().map(|(entity, _)| entity).collect()
}

fn color([r, g, b]: Rgb) -> Color {
    Color::srgb_u8(r, g, b)
}
