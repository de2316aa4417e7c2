//! Where a camera looks, and what that makes of pixels: plain arithmetic, without a camera.

use bevy::prelude::*;

use super::HabitatFrame;

/// What a camera looks at, and from how near.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pose {
    /// What is in the middle of the frame.
    pub centre: Vec2,
    /// Pixels of a cell's side.
    pub scale: f32,
}

impl Pose {
    /// All of a rectangle.
    pub(super) fn fit(place: Rect, frame: &HabitatFrame) -> Self {
        let fits = frame.size.as_vec2() / place.size().max(Vec2::ONE);
        Self { centre: place.center(), scale: fits.min_element().max(f32::MIN_POSITIVE) }
    }

    /// What is drawn at a pixel of the window.
    pub(super) fn to_world(self, frame: &HabitatFrame, pixel: Vec2) -> Vec2 {
        let off = pixel - frame.middle();
        self.centre + Vec2::new(off.x, -off.y) / self.scale
    }

    /// The pixel of the window at which something is drawn.
    pub(super) fn to_pixel(self, frame: &HabitatFrame, at: Vec2) -> Vec2 {
        let off = (at - self.centre) * self.scale;
        frame.middle() + Vec2::new(off.x, -off.y)
    }

    /// The same picture, dragged by pixels.
    pub(super) fn panned(self, by: Vec2) -> Self {
        Self { centre: self.centre + Vec2::new(-by.x, by.y) / self.scale, ..self }
    }

    /// Nearer or farther, with `pixel` showing what it showed.
    pub(super) fn zoomed(self, frame: &HabitatFrame, pixel: Vec2, scale: f32) -> Self {
        let kept = self.to_world(frame, pixel);
        let off = (pixel - frame.middle()) / scale;
        Self { centre: kept - Vec2::new(off.x, -off.y), scale }
    }

    /// What can be seen.
    pub(super) fn seen(self, frame: &HabitatFrame) -> Rect {
        Rect::from_center_size(self.centre, frame.size.as_vec2() / self.scale)
    }

    /// A part of the way to another pose, as far as `share` of 1.
    pub(super) fn toward(self, goal: Self, share: f32) -> Self {
        let scale = self.scale * (goal.scale / self.scale).powf(share);
        Self { centre: self.centre.lerp(goal.centre, share), scale }
    }

    /// Whether the eye cannot tell them apart.
    pub(super) fn is_near(self, other: Self) -> bool {
        self.centre.distance(other.centre) * self.scale < 0.5 && (self.scale / other.scale).ln().abs() < 2e-3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: HabitatFrame = HabitatFrame { min: UVec2::new(100, 50), size: UVec2::new(800, 600) };

    #[test]
    fn a_rectangle_fits_and_pixels_go_there_and_back() {
        let pose = Pose::fit(Rect::new(0.0, 0.0, 20.0, 20.0), &FRAME);
        assert_eq!(pose, Pose { centre: Vec2::splat(10.0), scale: 30.0 });
        assert_eq!(pose.to_pixel(&FRAME, Vec2::splat(10.0)), Vec2::new(500.0, 350.0));
        // Up in the world is up in the window, where pixels are counted downwards.
        assert_eq!(pose.to_pixel(&FRAME, Vec2::new(10.0, 20.0)), Vec2::new(500.0, 50.0));
        assert_eq!(pose.to_world(&FRAME, Vec2::new(530.0, 290.0)), Vec2::new(11.0, 12.0));
    }

    #[test]
    fn the_point_under_the_cursor_stays_there() {
        let pose = Pose { centre: Vec2::new(7.0, 3.0), scale: 24.0 };
        let cursor = Vec2::new(777.0, 111.0);
        let zoomed = pose.zoomed(&FRAME, cursor, 60.0);
        assert_eq!(zoomed.scale, 60.0);
        assert!((zoomed.to_world(&FRAME, cursor) - pose.to_world(&FRAME, cursor)).length() < 1e-4);
        assert!((zoomed.centre - pose.centre).length() > 1.0, "it is not the middle that stays");
    }

    #[test]
    fn what_is_dragged_comes_along() {
        let pose = Pose { centre: Vec2::new(7.0, 3.0), scale: 20.0 };
        let at = pose.to_pixel(&FRAME, Vec2::new(5.0, 5.0));
        assert_eq!(
            pose.panned(Vec2::new(40.0, -60.0)).to_pixel(&FRAME, Vec2::new(5.0, 5.0)),
            at + Vec2::new(40.0, -60.0)
        );
    }
}
