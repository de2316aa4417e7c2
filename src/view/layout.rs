//! Where habitats lie: in rows, as large as the frame allows, each with its number over it.

use bevy::prelude::*;

use super::camera::Eye;
use crate::sim::{Ground, Habitat};

/// Width of the rim around a habitat, in cells.
pub(super) const RIM: f32 = 0.4;
/// Cells between two habitats.
const GAP: f32 = 3.0;

/// The part of the window in which the habitats are drawn, in physical pixels. Set by whoever lays out the panels.
#[derive(Resource, Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HabitatFrame {
    /// The upper left corner.
    pub min: UVec2,
    /// Width and height.
    pub size: UVec2,
}

impl HabitatFrame {
    pub(super) fn middle(&self) -> Vec2 {
        self.min.as_vec2() + self.size.as_vec2() / 2.0
    }
}

/// The place of a habitat's south-western corner, for whatever is drawn in it, and whether it is drawn at all.
#[derive(Component, Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Corner {
    pub at: Vec2,
    pub is_shown: bool,
}

/// Lays the habitats out, in the order of their numbers. Where one is entered, it alone is shown.
pub(super) fn lay_out(
    mut habitats: Query<(Entity, &Habitat, &Ground, &mut Corner)>,
    frame: Res<HabitatFrame>,
    mut eye: ResMut<Eye>,
) {
    let mut sorted: Vec<_> =
        habitats.iter().map(|(entity, habitat, ground, _)| (habitat.id, entity, ground.size())).collect();
    sorted.sort_unstable();
    if eye.entered.is_some_and(|id| sorted.iter().all(|(other, ..)| *other != id)) {
        eye.entered = None;
    }
    let side = f32::from(sorted.iter().map(|(_, _, size)| *size).max().unwrap_or_default()) + GAP;
    let columns = columns(sorted.len(), frame.size.as_vec2());
    for (index, (id, entity, _)) in sorted.iter().enumerate() {
        let Ok((.., mut corner)) = habitats.get_mut(*entity) else { continue };
        let at = Vec2::new((index % columns) as f32, -((index / columns) as f32)) * side;
        corner.set_if_neq(Corner { at, is_shown: eye.entered.is_none_or(|entered| entered == *id) });
    }
}

/// How many habitats stand side by side, so that each is as large as can be.
fn columns(count: usize, frame: Vec2) -> usize {
    let side = |columns: usize| {
        let rows = count.div_ceil(columns);
        (frame.x / columns as f32).min(frame.y / rows as f32)
    };
    // Of equals the fewest: `max_by` gives the last.
    (1..=count.max(1)).rev().max_by(|a, b| side(*a).total_cmp(&side(*b))).unwrap_or(1)
}

/// The rectangle around all habitats that are shown.
pub(super) fn bounds<'a>(shown: impl Iterator<Item = (&'a Corner, &'a Ground)>) -> Option<Rect> {
    let all = shown.filter(|(corner, _)| corner.is_shown);
    all.map(|(corner, ground)| Rect::from_corners(corner.at, corner.at + f32::from(ground.size())))
        .reduce(|all, one| all.union(one))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn habitats_stand_as_the_frame_has_room() {
        let wide = Vec2::new(900.0, 700.0);
        assert_eq!([1, 2, 3, 4, 9].map(|count| columns(count, wide)), [1, 2, 2, 2, 3]);
        assert_eq!(columns(2, Vec2::new(300.0, 900.0)), 1);
        assert_eq!(columns(4, Vec2::new(1600.0, 300.0)), 4);
        assert_eq!(columns(0, Vec2::ZERO), 1);
    }
}
