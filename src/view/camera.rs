//! The camera that shows the habitats in the part of the window that the panels leave free.

use bevy::{
    camera::{ScalingMode, Viewport},
    prelude::*,
};

use super::{
    HabitatFrame, ViewOptions, color,
    layout::{Corner, bounds},
    motion::Drawn,
    pose::Pose,
};
use crate::{
    palette,
    protocol::HabitatId,
    sim::{Ground, InHabitat},
};

/// Free room around the habitats, in cells.
const MARGIN: f32 = 1.0;
/// Room for the numbers of the habitats, above, in cells.
const HEADING: f32 = 2.0;
/// The nearest that the camera goes, in pixels a cell, unless all of a habitat fits nearer.
const NEAREST: f32 = 220.0;
/// How much smaller than what fits the habitats can be made.
const FARTHEST: f32 = 0.7;
/// From how near an agent is followed at least, in pixels a cell.
const FOLLOWED: f32 = 48.0;
/// The share of its way that the camera has before it shrinks by e in 1/8 s.
const HASTE: f32 = 8.0;

/// What the person wants of the camera. Pixels are physical ones, counted from the window's upper left corner.
#[derive(Message, Debug, Clone, Copy, PartialEq)]
pub enum CameraWish {
    /// Drag the picture by so many pixels.
    Pan(Vec2),
    /// Go nearer (a factor above 1) or farther, with what is drawn at `at` staying there.
    Zoom {
        /// The pixel that keeps what it shows.
        at: Vec2,
        /// How much larger everything gets.
        factor: f32,
    },
    /// Show all of the habitats, or of the one that was entered.
    Fit,
    /// Show one habitat alone, or all.
    Enter(Option<HabitatId>),
}

/// Marks the camera that shows the habitats.
#[derive(Component, Debug)]
pub struct HabitatCamera;

/// Where the camera looks and where it is going.
#[derive(Resource, Debug)]
pub(super) struct Eye {
    pub now: Pose,
    pub entered: Option<HabitatId>,
    /// Whether it shows everything, whatever becomes of the window.
    fitted: bool,
    /// Whether it is on its way.
    glides: bool,
    /// From how near it follows somebody, if it does.
    follows: Option<f32>,
    /// The window's pixels in a point.
    density: f32,
}

impl Default for Eye {
    fn default() -> Self {
        let now = Pose { centre: Vec2::ZERO, scale: 32.0 };
        Self { now, entered: None, fitted: true, glides: false, follows: None, density: 1.0 }
    }
}

impl Eye {
    /// The height of a point of text in cells.
    pub(super) fn point(&self) -> f32 {
        self.density / self.now.scale
    }

    /// Does what is wanted; says whether that ends following.
    fn obey(&mut self, wish: CameraWish, frame: &HabitatFrame, limits: (f32, f32)) -> bool {
        match wish {
            CameraWish::Pan(by) => {
                self.now = self.now.panned(by);
                (self.fitted, self.glides) = (false, false);
            }
            CameraWish::Zoom { at, factor } if factor.is_finite() && factor > 0.0 => {
                self.now = self.now.zoomed(frame, at, (self.now.scale * factor).clamp(limits.0, limits.1));
                (self.fitted, self.glides) = (false, false);
                self.follows = self.follows.map(|_| self.now.scale);
            }
            CameraWish::Zoom { .. } => {}
            CameraWish::Fit => (self.fitted, self.glides) = (true, true),
            // The habitats are laid out anew before the next picture.
            CameraWish::Enter(id) => (self.entered, self.fitted, self.glides) = (id, true, true),
        }
        !matches!(wish, CameraWish::Zoom { .. })
    }

    /// Goes on towards `goal`.
    fn go(&mut self, goal: Pose, animate: bool, elapsed: f32) {
        let at_once = !animate || !(self.glides || self.follows.is_some());
        self.now = if at_once { goal } else { self.now.toward(goal, 1.0 - (-HASTE * elapsed).exp()) };
        if self.now.is_near(goal) {
            (self.now, self.glides) = (goal, false);
        }
    }
}

pub(super) fn spawn_camera(mut commands: Commands) {
    // Sprites have soft edges of their own: several samples a pixel would cost much and change nothing.
    commands.spawn((HabitatCamera, Camera2d, Camera::default(), Msaa::Off));
}

/// Carries out what is wanted of the camera, and lets it follow.
pub(super) fn move_camera(
    mut wishes: MessageReader<CameraWish>,
    (frame, time): (Res<HabitatFrame>, Res<Time>),
    mut options: ResMut<ViewOptions>,
    mut eye: ResMut<Eye>,
    habitats: Query<(&Corner, &Ground)>,
    agents: Query<(&Drawn, &InHabitat)>,
) {
    let Some(shown) = bounds(habitats.iter()).filter(|_| frame.size.min_element() > 0) else { return };
    let heading = if habitats.iter().len() > 1 { HEADING } else { 0.0 };
    let fit = Pose::fit(Rect { min: shown.min - MARGIN, max: shown.max + MARGIN + Vec2::Y * heading }, &frame);
    let limits = (fit.scale * FARTHEST, fit.scale.max(NEAREST));
    for wish in wishes.read() {
        if eye.obey(*wish, &frame, limits) && options.follow {
            options.follow = false;
        }
    }
    let followed = options.selected.filter(|_| options.follow).and_then(|agent| {
        let (drawn, habitat) = agents.get(agent).ok()?;
        let (corner, _) = habitats.get(habitat.0).ok().filter(|(corner, _)| corner.is_shown)?;
        Some(corner.at + drawn.at())
    });
    let goal = match followed {
        Some(centre) => {
            let begun = eye.now.scale.max(FOLLOWED);
            let scale = *eye.follows.get_or_insert(begun);
            eye.fitted = false;
            Pose { centre, scale }
        }
        None => {
            eye.follows = None;
            let free = Pose { centre: eye.now.centre.clamp(shown.min, shown.max), ..eye.now };
            if eye.fitted { fit } else { Pose { scale: free.scale.clamp(limits.0, limits.1), ..free } }
        }
    };
    eye.go(goal, options.animate, time.delta_secs());
}

/// Lets the renderer's camera look where the eye looks.
pub(super) fn show_camera(
    camera: Single<(&mut Camera, &mut Projection, &mut Transform), With<HabitatCamera>>,
    (frame, options): (Res<HabitatFrame>, Res<ViewOptions>),
    mut eye: ResMut<Eye>,
) {
    let (mut camera, mut projection, mut at) = camera.into_inner();
    camera.is_active = frame.size.min_element() > 0;
    if !camera.is_active {
        return;
    }
    camera.viewport = Some(Viewport { physical_position: frame.min, physical_size: frame.size, ..default() });
    camera.clear_color = ClearColorConfig::Custom(color(palette::scenery(options.dark).backdrop).into());
    eye.density = camera.target_scaling_factor().unwrap_or(1.0);
    at.translation = eye.now.centre.extend(at.translation.z);
    if let Projection::Orthographic(orthographic) = &mut *projection {
        let size = frame.size.as_vec2() / eye.now.scale;
        orthographic.scaling_mode = ScalingMode::Fixed { width: size.x, height: size.y };
    }
}
