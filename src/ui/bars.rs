//! Bars with their values beside them: one distribution, or several beside each other.
//!
//! This module does *not* know minds, or what its numbers mean.

use bevy_egui::egui::{
    Align2, Color32, CornerRadius, FontId, Pos2, Rect, Response, ScrollArea, Sense, TextStyle, Ui, WidgetInfo,
    WidgetType, pos2, vec2,
};

use super::{
    theme::{SMALL, ink},
    words::NOTHING,
};
use crate::palette;

/// What marks the row that was chosen: more than its colour.
pub(super) const MARK: &str = "▶";

/// Height of a row with one bar, in points.
const ROW: f32 = 20.0;
/// Height of a row with several bars, in points.
const CELL: f32 = 26.0;
/// Narrowest column of a grid, in points.
const NARROWEST: f32 = 37.0;
/// Space between two columns of a grid, in points.
const GAP: f32 = 5.0;

/// Room for a scroll bar, in points.
const BAR: f32 = 8.0;

/// A row of a bar chart.
pub(super) struct BarRow<'a> {
    /// What the bar stands for.
    pub(super) name: &'a str,
    /// How long it is: 0 to 1.
    pub(super) part: f32,
    /// The value in words.
    pub(super) value: String,
    /// Whether it is marked.
    pub(super) chosen: bool,
}

/// A horizontal bar with its name on the left and its value on the right.
pub(super) fn bar_row(ui: &mut Ui, row: &BarRow<'_>) -> Response {
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::hover());
    let colour = if row.chosen { ink(palette::TEXT) } else { ink(palette::TEXT_WEAK) };
    let bar = if row.chosen { ink(palette::ACCENT) } else { ink(palette::HOME) };
    let middle = rect.center().y;
    let write = |x: f32, align: Align2, text: &str, colour: Color32| {
        ui.painter().text(pos2(x, middle), align, text, FontId::proportional(SMALL + 1.0), colour);
    };
    if row.chosen {
        write(rect.left(), Align2::LEFT_CENTER, MARK, bar);
    }
    write(rect.left() + 18.0, Align2::LEFT_CENTER, row.name, colour);
    write(rect.right(), Align2::RIGHT_CENTER, &row.value, colour);
    let track = Rect::from_min_max(pos2(rect.left() + 104.0, middle - 5.0), pos2(rect.right() - 62.0, middle + 5.0));
    if track.width() > 4.0 {
        draw_bar(ui, track, row.part, bar);
    }
    let chosen = if row.chosen { ", chosen" } else { "" };
    let text = format!("{} {}{chosen}", row.name, row.value);
    response.widget_info(|| WidgetInfo::labeled(WidgetType::ProgressIndicator, true, &text));
    response
}

fn draw_bar(ui: &Ui, track: Rect, part: f32, colour: Color32) {
    let corner = CornerRadius::same((track.height() / 2.0).min(4.0) as u8);
    ui.painter().rect_filled(track, corner, ink(palette::INSET));
    let part = if part.is_finite() { part.clamp(0.0, 1.0) } else { 0.0 };
    if part > 0.0 {
        let wide = (track.width() * part).max(1.5);
        ui.painter().rect_filled(Rect::from_min_size(track.min, vec2(wide, track.height())), corner, colour);
    }
}

/// One cell of a grid of bars.
#[derive(Clone)]
pub(super) struct BarCell {
    /// How long the bar is: 0 to 1; `None` where there is nothing to show.
    pub(super) part: Option<f32>,
    /// The value in words.
    pub(super) value: String,
    /// Whether it is the largest of its column, and marked.
    pub(super) marked: bool,
}

impl BarCell {
    /// Where there is nothing to show.
    pub(super) fn empty() -> Self {
        Self { part: None, value: NOTHING.to_owned(), marked: false }
    }
}

/// Bars beside each other: a row per name, a column per heading. Wider than the panel where it must be, in which case it
/// is to stand in a horizontal scroll area: see [`grid_width`].
pub(super) fn bar_grid(ui: &mut Ui, names: f32, headings: &[[String; 2]], rows: &[(String, Vec<BarCell>)]) {
    let width = ui.available_width().max(grid_width(names, headings.len()));
    let column = (width - names) / headings.len().max(1) as f32;
    let font = FontId::proportional(SMALL);
    let (rect, _) = ui.allocate_exact_size(vec2(width, 2.0 * SMALL + 8.0), Sense::hover());
    for (at, lines) in headings.iter().enumerate() {
        let right = rect.left() + names + column * (at + 1) as f32;
        for (line, text) in lines.iter().enumerate() {
            let y = rect.top() + line as f32 * (SMALL + 3.0);
            let colour = ink(if line == 0 { palette::TEXT_WEAK } else { palette::TEXT });
            ui.painter().text(pos2(right, y), Align2::RIGHT_TOP, text, font.clone(), colour);
        }
    }
    for (name, cells) in rows {
        let (rect, response) = ui.allocate_exact_size(vec2(width, CELL), Sense::hover());
        let at = rect.left_top() + vec2(0.0, 2.0);
        ui.painter().text(at, Align2::LEFT_TOP, name, font.clone(), ink(palette::TEXT_WEAK));
        for (at, cell) in cells.iter().enumerate() {
            let left = rect.left() + names + column * at as f32 + GAP;
            draw_cell(ui, Rect::from_min_max(pos2(left, rect.top()), pos2(left + column - GAP, rect.bottom())), cell);
        }
        let values: Vec<_> = headings
            .iter()
            .zip(cells)
            .map(|(heading, cell)| format!("{} {}", heading.join(" ").trim(), cell.value))
            .collect();
        let text = format!("{name}: {}", values.join(", "));
        response.widget_info(|| WidgetInfo::labeled(WidgetType::ProgressIndicator, true, &text));
    }
}

/// The least width of a grid, in points.
pub(super) fn grid_width(names: f32, columns: usize) -> f32 {
    names + columns as f32 * (NARROWEST + GAP)
}

fn draw_cell(ui: &Ui, rect: Rect, cell: &BarCell) {
    let small = FontId::proportional(SMALL);
    let colour = ink(if cell.marked { palette::TEXT } else { palette::TEXT_WEAK });
    let at = Pos2::new(rect.right(), rect.top() + 2.0);
    ui.painter().text(at, Align2::RIGHT_TOP, &cell.value, small.clone(), colour);
    let Some(part) = cell.part else { return };
    if cell.marked {
        let size = FontId::proportional(SMALL - 3.0);
        ui.painter().text(rect.left_top() + vec2(0.0, 5.0), Align2::LEFT_TOP, MARK, size, ink(palette::ACCENT));
    }
    let bar = ink(if cell.marked { palette::ACCENT } else { palette::HOME });
    draw_bar(ui, Rect::from_min_max(pos2(rect.left(), rect.bottom() - 6.0), rect.max - vec2(0.0, 2.0)), part, bar);
}

/// A column that scrolls, with room for the bar by which it does.
pub(super) fn scroll_column(ui: &mut Ui, id: &str, show: impl FnOnce(&mut Ui)) {
    ScrollArea::vertical().id_salt(id).auto_shrink([false, false]).show(ui, |ui| {
        ui.set_max_width(ui.available_width() - BAR);
        show(ui);
        ui.add_space(8.0);
    });
}

/// Height of a line of text, in points.
pub(super) fn line_height(ui: &Ui) -> f32 {
    ui.text_style_height(&TextStyle::Small) + 6.0
}

#[cfg(test)]
mod tests {
    use bevy_egui::egui::{Shape, epaint::ClippedShape};
    use egui_kittest::{Harness, kittest::Queryable};

    use super::*;

    /// Widths of all filled bars of this colour, from top to bottom.
    fn bars(shapes: &[ClippedShape], colour: Color32) -> Vec<f32> {
        let of = |shape: &Shape| match shape {
            Shape::Rect(rect) if rect.fill == colour => Some(rect.rect.width()),
            _ => None,
        };
        shapes.iter().filter_map(|one| of(&one.shape)).collect()
    }

    #[test]
    fn a_bar_is_as_long_as_its_value_and_the_chosen_one_has_a_sign() {
        let harness = Harness::builder().with_size(vec2(300.0, 90.0)).build_ui(|ui| {
            for (name, part, chosen) in [("eat", 0.25, false), ("wait", 0.5, true), ("drop", f32::NAN, false)] {
                bar_row(ui, &BarRow { name, part, value: super::super::words::percent(part), chosen });
            }
        });
        harness.get_by_label("eat 25.0 %");
        harness.get_by_label("wait 50.0 %, chosen");
        harness.get_by_label("drop –");
        let shapes = &harness.output().shapes;
        let (tracks, plain, chosen) =
            (bars(shapes, ink(palette::INSET)), bars(shapes, ink(palette::HOME)), bars(shapes, ink(palette::ACCENT)));
        assert_eq!((tracks.len(), plain.len(), chosen.len()), (3, 1, 1));
        assert!((plain[0] - 0.25 * tracks[0]).abs() < 0.01 && (chosen[0] - 0.5 * tracks[0]).abs() < 0.01);
        let signs = super::super::legible::texts(shapes).into_iter().filter(|(text, ..)| text == MARK).count();
        assert_eq!(signs, 1);
    }

    #[test]
    fn a_grid_names_every_value() {
        let cell = |part: f32, marked| BarCell { part: Some(part), value: format!("{part:.2}"), marked };
        let harness = Harness::new_ui(move |ui| {
            let headings = [["agent".to_owned(), "17".to_owned()], ["bare".to_owned(), String::new()]];
            let rows = [("eat".to_owned(), vec![cell(0.9, true), BarCell::empty()])];
            bar_grid(ui, 60.0, &headings, &rows);
        });
        harness.get_by_label("eat: agent 17 0.90, bare –");
        assert_eq!(bars(&harness.output().shapes, ink(palette::ACCENT)).len(), 1);
    }
}
