//! Which part of the tree is seen, how large, and how the mouse moves it.
//!
//! This module does *not* know creatures, only columns and places.

use bevy_egui::egui::{Pos2, Rect, Response, Ui, Vec2, pos2, vec2};

use super::layout::Layout;

/// Distance of columns and of places, at least and at most, in points.
const COLUMNS: (f32, f32) = (0.5, 240.0);
/// The same of places.
const PLACES: (f32, f32) = (0.5, 60.0);
/// Height of the strip with the generations' numbers, in points.
pub(super) const STRIP: f32 = 18.0;
/// Free room at the edges, in points.
const MARGIN: f32 = 14.0;
/// How much further than a node its pointer may be, in points.
const REACH: f32 = 4.0;

/// What is seen.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) enum View {
    /// The latest generations, at a size at which they can be told apart.
    #[default]
    Newest,
    /// The whole tree.
    Whole,
    /// Where the person moved it.
    Moved {
        /// Place 0 of the first column, from the picture's upper left corner, in points.
        origin: Vec2,
        /// Distances of columns and of places, in points.
        step: Vec2,
    },
}

/// The tree on the screen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Chart {
    /// Where it may be drawn, below the strip of numbers.
    pub(super) rect: Rect,
    /// Where place 0 of the first column is.
    pub(super) origin: Pos2,
    /// Distances of columns and of places, in points.
    pub(super) step: Vec2,
    /// How large a node is, in points.
    pub(super) radius: f32,
}

impl View {
    /// Where everything is, if the picture fills `whole`.
    pub(super) fn chart(self, whole: Rect, layout: &Layout) -> Chart {
        let rect = whole.with_min_y(whole.top() + STRIP.min(whole.height()));
        let free = (rect.size() - Vec2::splat(2.0 * MARGIN)).max(Vec2::splat(8.0));
        let gaps = vec2(layout.columns.len().saturating_sub(1) as f32, layout.height.saturating_sub(1) as f32);
        let tightest = vec2(free.x / gaps.x.max(1.0), free.y / gaps.y.max(1.0));
        let from_middle = |step: Vec2| rect.center().y - step.y * gaps.y / 2.0;
        let (origin, step) = match self {
            Self::Newest => {
                let y = tightest.y.clamp(3.0, 26.0);
                // As wide as looks well, and wider where there are few.
                let step = vec2(tightest.x.clamp((3.0 * y).clamp(24.0, 72.0), 110.0), y);
                let x = rect.left() + MARGIN + (free.x - step.x * gaps.x).min(0.0);
                (pos2(x, from_middle(step)), step)
            }
            Self::Whole => {
                let step = tightest.min(vec2(110.0, 26.0));
                (pos2(rect.left() + MARGIN, from_middle(step)), step)
            }
            Self::Moved { origin, step } => (rect.min + origin, step),
        };
        Chart { rect, origin, step, radius: (0.36 * step.y).min(0.24 * step.x).clamp(0.75, 9.0) }
    }

    /// Dragging moves, the wheel zooms around the pointer, a double click shows everything.
    pub(super) fn steer(&mut self, ui: &Ui, response: &Response, layout: &Layout) {
        if response.double_clicked() {
            *self = Self::Whole;
            return;
        }
        let chart = self.chart(response.rect, layout);
        let drag = response.drag_delta();
        let (wheel, pinch) = ui.input(|input| (input.smooth_scroll_delta().y, input.zoom_delta()));
        let pointer = response.hover_pos().filter(|_| response.contains_pointer());
        let factor = if pointer.is_some() { (wheel / 240.0).exp() * pinch } else { 1.0 };
        if drag == Vec2::ZERO && (factor - 1.0).abs() < 1e-4 {
            return;
        }
        let around = pointer.unwrap_or_else(|| chart.rect.center());
        let step = vec2(
            (chart.step.x * factor).clamp(COLUMNS.0, COLUMNS.1),
            (chart.step.y * factor).clamp(PLACES.0, PLACES.1),
        );
        let origin = around + (chart.origin - around) * (step / chart.step) + drag;
        *self = Self::Moved { origin: chart.keep(origin, step, layout) - chart.rect.min, step };
    }
}

impl Chart {
    /// The origin, moved so that some of the tree stays in sight.
    fn keep(&self, origin: Pos2, step: Vec2, layout: &Layout) -> Pos2 {
        let size = step * vec2(layout.columns.len() as f32, layout.height as f32);
        let edge = Vec2::splat(40.0);
        let most = (self.rect.max - edge).max(self.rect.min);
        origin.max((self.rect.min - size + edge).min(most)).min(most)
    }

    /// Where a place is.
    pub(super) fn position(&self, column: usize, place: u32) -> Pos2 {
        self.origin + vec2(column as f32, place as f32) * self.step
    }

    /// The columns that can be seen, and one more on either side.
    pub(super) fn columns(&self, layout: &Layout) -> std::ops::Range<usize> {
        let at = |x: f32| ((x - self.origin.x) / self.step.x).max(0.0);
        let first = (at(self.rect.left()).floor() as usize).saturating_sub(1);
        let end = (at(self.rect.right()).ceil() as usize + 2).min(layout.columns.len());
        first.min(end)..end
    }

    /// Who is under the pointer, as an index of the model's creatures.
    pub(super) fn nearest(&self, layout: &Layout, pointer: Pos2) -> Option<usize> {
        if !self.rect.contains(pointer) {
            return None;
        }
        let column = ((pointer.x - self.origin.x) / self.step.x).round();
        let column = (column >= 0.0).then_some(column as usize)?;
        let places = layout.columns.get(column)?;
        let distance = |place: u32| self.position(column, place).distance(pointer);
        let nearest = places.iter().min_by(|one, other| distance(one.0).total_cmp(&distance(other.0)))?;
        (distance(nearest.0) <= self.radius + REACH).then_some(nearest.1)
    }
}
