//! What everybody who draws has to know: what is seen, from how near, under which light, and when.

use bevy::{ecs::system::SystemParam, prelude::*};

use super::{HabitatFrame, ViewOptions, camera::Eye, layout::Corner};
use crate::palette::{self, Scenery};

/// The picture that is being drawn.
#[derive(SystemParam)]
pub(super) struct Scene<'w, 's> {
    eye: Res<'w, Eye>,
    frame: Res<'w, HabitatFrame>,
    pub options: Res<'w, ViewOptions>,
    time: Res<'w, Time>,
    corners: Query<'w, 's, &'static Corner>,
}

impl Scene<'_, '_> {
    /// The corner of a habitat that is shown.
    pub(super) fn corner(&self, habitat: Entity) -> Option<Vec2> {
        self.corners.get(habitat).ok().filter(|corner| corner.is_shown).map(|corner| corner.at)
    }

    /// What can be seen.
    pub(super) fn shown(&self) -> Rect {
        self.eye.now.seen(&self.frame)
    }

    /// What can be seen, and a little around it.
    pub(super) fn seen(&self) -> Rect {
        self.shown().inflate(1.0)
    }

    /// Pixels of a cell's side.
    pub(super) fn scale(&self) -> f32 {
        self.eye.now.scale
    }

    /// The height of a point of text in cells.
    pub(super) fn point(&self) -> f32 {
        self.eye.point()
    }

    /// Seconds since the program began.
    pub(super) fn now(&self) -> f64 {
        self.time.elapsed_secs_f64()
    }

    /// A slow wave between −1 and 1, as of breathing; 0 where nothing is to move.
    pub(super) fn breath(&self, period: f64, shift: f64) -> f32 {
        if self.options.animate { ((self.now() / period + shift) * std::f64::consts::TAU).sin() as f32 } else { 0.0 }
    }

    /// The colours of the present light.
    pub(super) fn colours(&self) -> &'static Scenery {
        palette::scenery(self.options.dark)
    }
}
