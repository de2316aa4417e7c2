//! The family tree as it is painted: only what can be seen of it.
//!
//! This module does *not* know how places were chosen, or what a click does.

use bevy_egui::egui::{
    Align2, Color32, FontId, Painter, Pos2, Rect, Sense, Shape, Stroke, TextStyle, Ui, Vec2, WidgetInfo, WidgetType,
    epaint::CubicBezierShape, pos2, vec2,
};

use super::{
    LineageModel, LineageState, Relative,
    view::{Chart, STRIP},
};
use crate::{
    palette,
    ui::theme::{SMALL, ink},
};

/// How strong the colours of the dead are.
pub(super) const FAINT: f32 = 0.45;
/// How strong the colours of those are who have no part in the selected one.
const ASIDE: f32 = 0.4;
/// Below this distance of columns, in points, only the lines of the selected one's family are drawn.
const CROWDED: f32 = 9.0;
/// Nodes that are told to people who do not see them, at most.
const TOLD: usize = 300;
/// Room that a generation's number needs, in points.
const NUMBER: f32 = 44.0;

/// Draws the tree.
pub(super) fn draw(ui: &Ui, model: &LineageModel, state: &LineageState, chart: &Chart) {
    let painter = ui.painter().with_clip_rect(chart.rect.intersect(ui.clip_rect()));
    let columns = chart.columns(&state.cache.layout);
    numbers(ui, state, chart, columns.clone());
    let pen = Pen { model, state, chart };
    let mut lines = Vec::new();
    for column in columns.clone() {
        pen.lines_into(column, &mut lines);
    }
    // Those that matter over the others.
    lines.sort_by_key(|(matters, _)| *matters);
    painter.extend(lines.into_iter().map(|(_, shape)| shape));
    let mut told = Vec::new();
    for column in columns {
        for (place, at) in &state.cache.layout.columns[column] {
            let position = chart.position(column, *place);
            if !chart.rect.expand(chart.radius).contains(position) {
                continue;
            }
            let one = &model.creatures[*at];
            let is_selected = model.selected == Some(one.creature);
            node(&painter, position, chart.radius, pen.colour(*at), one.is_elite(model.generation));
            if is_selected {
                painter.circle_stroke(position, chart.radius + 3.5, Stroke::new(2.0, ink(palette::ACCENT)));
            }
            told.push((column, position, one));
        }
    }
    if told.len() <= TOLD {
        told.iter().for_each(|(column, position, one)| tell(ui, state, chart, *column, *position, one));
    }
}

/// A node; who lived on has a ring.
pub(super) fn node(painter: &Painter, position: Pos2, radius: f32, colour: Color32, ring: bool) {
    if radius < 2.0 {
        painter.rect_filled(Rect::from_center_size(position, Vec2::splat(2.0 * radius)), 0.0, colour);
        return;
    }
    painter.circle_filled(position, radius, colour);
    if ring {
        painter.circle_stroke(position, radius, Stroke::new((0.25 * radius).clamp(1.0, 2.0), ink(palette::TEXT)));
    }
}

/// The generations' numbers above the columns, as many as there is room for.
fn numbers(ui: &Ui, state: &LineageState, chart: &Chart, columns: std::ops::Range<usize>) {
    let strip = Rect::from_min_max(pos2(chart.rect.left(), chart.rect.top() - STRIP), chart.rect.right_top());
    let painter = ui.painter().with_clip_rect(strip.intersect(ui.clip_rect()));
    let font = FontId::new(SMALL, TextStyle::Body.resolve(ui.style()).family);
    let every = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000];
    let every = every.into_iter().find(|every| *every as f32 * chart.step.x >= NUMBER).unwrap_or(20_000);
    let first = state.cache.layout.first as usize;
    for column in columns.filter(|column| (column + first).is_multiple_of(every)) {
        let x = chart.position(column, 0).x;
        let number = (column + first).to_string();
        let half = painter.layout_no_wrap(number.clone(), font.clone(), Color32::WHITE).size().x / 2.0;
        // A number that would be cut in two at the edge is left out.
        if x - half >= strip.left() && x + half <= strip.right() {
            let position = pos2(x, strip.center().y);
            painter.text(position, Align2::CENTER_CENTER, number, font.clone(), ink(palette::TEXT_WEAK));
        }
    }
}

/// Tells people who do not see the picture who is there.
fn tell(ui: &Ui, state: &LineageState, chart: &Chart, column: usize, position: Pos2, one: &Relative) {
    let rect = Rect::from_center_size(position, Vec2::splat(2.0 * chart.radius.max(2.0)));
    let response = ui.interact(rect, ui.id().with(("creature", one.creature, column)), Sense::hover());
    let generation = state.cache.layout.first as usize + column;
    response.widget_info(|| {
        let name = one.name.as_deref().map(|name| format!(", {name}")).unwrap_or_default();
        WidgetInfo::labeled(
            WidgetType::Label,
            true,
            format!("Creature {}{name}, generation {generation}", one.creature),
        )
    });
}

struct Pen<'a> {
    model: &'a LineageModel,
    state: &'a LineageState,
    chart: &'a Chart,
}

impl Pen<'_> {
    /// The colour of a creature.
    fn colour(&self, at: usize) -> Color32 {
        let one = &self.model.creatures[at];
        let (least, most) = self.state.cache.range;
        let rgb = if self.state.by_fitness {
            let part = |fitness: f64| if most > least { (fitness - least) / (most - least) } else { 1.0 };
            one.fitness
                .filter(|fitness| fitness.is_finite())
                .map_or(palette::DEAD, |fitness| palette::ramp(part(fitness)))
        } else {
            palette::lineage(one.founder.0)
        };
        let strength = if self.is_family(at) {
            1.0
        } else if self.model.selected.is_some() && !self.state.cache.ancestors.is_empty() {
            ASIDE * if one.died.is_some() { FAINT + 0.2 } else { 1.0 }
        } else if one.died.is_some() {
            FAINT
        } else {
            1.0
        };
        ink(rgb).gamma_multiply(strength)
    }

    /// Whether it is the selected one or an ancestor of it.
    fn is_family(&self, at: usize) -> bool {
        self.state.cache.ancestors.contains(&at)
    }

    /// The lines that end in this column: from parents to children, and of those who live on.
    fn lines_into(&self, column: usize, lines: &mut Vec<(bool, Shape)>) {
        let (layout, creatures) = (&self.state.cache.layout, &self.model.creatures);
        let is_crowded = self.chart.step.x < CROWDED;
        for (place, at) in &layout.columns[column] {
            let one = &creatures[*at];
            let end = self.chart.position(column, *place);
            let family = self.is_family(*at);
            if (one.born - layout.first) as usize != column {
                let colour = self.colour(*at);
                let begin = self.chart.position(column - 1, *place);
                let stroke = Stroke::new((0.5 * self.chart.radius).clamp(1.0, 3.0), colour);
                lines.push((family, Shape::line_segment([begin, end], stroke)));
                continue;
            }
            if is_crowded && !family {
                continue;
            }
            let shares = [one.share, one.share.map(|share| 1.0 - share)].map(|share| share.unwrap_or(0.5) as f32);
            for (parent, share) in one.parents.iter().zip(shares) {
                let Some(parent) = parent.and_then(|parent| layout.index.get(&parent)) else { continue };
                let Some((from, place)) =
                    column.checked_sub(1).and_then(|before| layout.place(creatures, *parent, before))
                else {
                    continue;
                };
                let begin = self.chart.position(from, place);
                if begin.y.max(end.y) < self.chart.rect.top() || begin.y.min(end.y) > self.chart.rect.bottom() {
                    continue;
                }
                let strength = if family { 0.95 } else { 0.55 };
                let width = if family { 1.2 + 1.4 * share } else { 0.5 + share };
                let stroke = Stroke::new(width, self.colour(*parent).gamma_multiply(strength));
                lines.push((family, bow(begin, end, stroke)));
            }
        }
    }
}

/// A line that leaves and arrives level.
fn bow(begin: Pos2, end: Pos2, stroke: Stroke) -> Shape {
    let reach = vec2((end.x - begin.x) / 2.0, 0.0);
    if reach.x < 10.0 {
        return Shape::line_segment([begin, end], stroke);
    }
    CubicBezierShape::from_points_stroke([begin, begin + reach, end - reach, end], false, Color32::TRANSPARENT, stroke)
        .into()
}
