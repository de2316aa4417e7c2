//! The camera that shows the habitats, all of them, in the part of the window that the panels leave free.

use bevy::{
    camera::{ScalingMode, Viewport},
    prelude::*,
};

use super::{Corner, color};
use crate::{palette, sim::Ground};

/// Free room around the habitats, in cells.
const MARGIN: f32 = 1.0;

/// The part of the window in which the habitats are drawn, in physical pixels. Set by whoever lays out the panels.
#[derive(Resource, Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HabitatFrame {
    /// The upper left corner.
    pub min: UVec2,
    /// Width and height.
    pub size: UVec2,
}

/// Marks the camera that shows the habitats.
#[derive(Component, Debug)]
pub struct HabitatCamera;

pub(super) fn spawn_camera(mut commands: Commands) {
    let clear_color = ClearColorConfig::Custom(color(palette::NIGHT));
    commands.spawn((HabitatCamera, Camera2d, Camera { clear_color, ..default() }, Msaa::Sample4));
}

/// Fits all habitats into the frame.
pub(super) fn fit_camera(
    mut camera: Single<(&mut Camera, &mut Projection, &mut Transform), With<HabitatCamera>>,
    habitats: Query<(&Corner, &Ground)>,
    frame: Res<HabitatFrame>,
) {
    let (camera, projection, at) = &mut *camera;
    if frame.size.min_element() == 0 {
        return;
    }
    camera.viewport = Some(Viewport { physical_position: frame.min, physical_size: frame.size, ..default() });
    let Some(world) = habitats
        .iter()
        .map(|(corner, ground)| Rect::from_corners(corner.0, corner.0 + f32::from(ground.size())))
        .reduce(|all, one| all.union(one))
    else {
        return;
    };
    let shown = world.inflate(MARGIN);
    at.translation = shown.center().extend(at.translation.z);
    if let Projection::Orthographic(orthographic) = &mut **projection {
        orthographic.scaling_mode = ScalingMode::AutoMin { min_width: shown.width(), min_height: shown.height() };
    }
}
