//! Small pieces that panels are made of: headings, notes, rows of numbers with units, bars, sparklines.
//!
//! This module does *not* know any panel, or what its numbers mean.

use bevy_egui::egui::{
    Align, Color32, CornerRadius, Label, Layout, Rect, Response, RichText, Sense, Shape, Stroke, TextEdit, TextStyle,
    Ui, UiBuilder, WidgetInfo, WidgetType, pos2, vec2,
};

use super::theme::{LARGE, SMALL, ink};
use crate::palette::{self, Rgb};

/// Width of the column of units beside a number, in points.
pub const UNIT: f32 = 64.0;

/// The heading of a part of a panel.
pub fn section(ui: &mut Ui, title: &str) {
    ui.add(Label::new(RichText::new(title).strong().color(ink(palette::ACCENT))).truncate());
}

/// A note of less weight, which may take several lines.
pub fn note(ui: &mut Ui, text: &str) {
    ui.add(Label::new(RichText::new(text).size(SMALL).color(ink(palette::TEXT_WEAK))).wrap());
}

/// What a panel says while it has nothing to show: what will appear there, in the middle of its room.
pub fn empty_state(ui: &mut Ui, title: &str, text: &str) {
    let room = ui.available_rect_before_wrap();
    let builder = UiBuilder::new().max_rect(room).layout(Layout::top_down(Align::Center));
    ui.scope_builder(builder, |ui| {
        ui.add_space(((room.height() - 2.0 * LARGE - 24.0) / 3.0).clamp(0.0, 120.0));
        ui.label(RichText::new(title).size(LARGE).color(ink(palette::TEXT_WEAK)));
        ui.set_max_width(ui.available_width().min(420.0));
        ui.add(Label::new(RichText::new(text).color(ink(palette::TEXT_WEAK))).wrap());
    });
}

/// A row over the panel's whole width: the name on the left; on the right the number, and its unit in a column of [`UNIT`]
/// points, so that the numbers of all rows end below each other.
pub fn number_row(ui: &mut Ui, name: &str, value: &str, unit: &str) -> Response {
    row(ui, 0.0, name, value, unit, palette::TEXT)
}

/// The same as [`number_row`], with a colour for the number.
pub fn coloured_row(ui: &mut Ui, name: &str, value: &str, unit: &str, rgb: Rgb) -> Response {
    row(ui, 0.0, name, value, unit, rgb)
}

/// The same as [`number_row`], with a patch of colour before the name: a bar's legend.
pub fn swatch_row(ui: &mut Ui, swatch: Rgb, name: &str, value: &str, unit: &str) -> Response {
    let response = row(ui, 18.0, name, value, unit, palette::TEXT);
    let middle = response.rect.left_center() + vec2(6.0, 0.0);
    ui.painter().rect_filled(Rect::from_center_size(middle, vec2(10.0, 10.0)), CornerRadius::same(3), ink(swatch));
    response
}

fn row(ui: &mut Ui, indent: f32, name: &str, value: &str, unit: &str, rgb: Rgb) -> Response {
    let height = ui.text_style_height(&TextStyle::Body) + 4.0;
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::hover());
    let units = rect.right() - UNIT.min(rect.width() / 4.0);
    let font = TextStyle::Body.resolve(ui.style());
    let wide = ui.painter().layout_no_wrap(value.to_owned(), font, ink(rgb)).size().x + 2.0;
    let middle = (units - wide).max(rect.left() + indent + (rect.width() - indent) * 0.3);
    let mut part = |left: f32, right: f32, layout: Layout, text: &str, rgb: Rgb| {
        let part = Rect::from_min_max(pos2(left, rect.top()), pos2(right.max(left), rect.bottom()));
        let label = Label::new(RichText::new(text).color(ink(rgb))).truncate().selectable(false);
        ui.scope_builder(UiBuilder::new().max_rect(part).layout(layout), |ui| ui.add(label));
    };
    let (left, right) = (Layout::left_to_right(Align::Center), Layout::right_to_left(Align::Center));
    part(rect.left() + indent, middle - 6.0, left, name, palette::TEXT_WEAK);
    part(middle, units, right, value, rgb);
    if !unit.is_empty() {
        part(units + 6.0, rect.right(), left, unit, palette::TEXT_WEAK);
    }
    response
}

/// A text field that has a name for people who do not see it, with a hint while it is empty.
pub fn named_field(ui: &mut Ui, name: &str, hint: &str, text: &mut String, width: f32) -> Response {
    let field = TextEdit::singleline(text).hint_text(hint).desired_width(width).margin(vec2(8.0, 6.0));
    let response = ui.add(field);
    response.widget_info(|| {
        let mut info = WidgetInfo::labeled(WidgetType::TextEdit, true, name);
        info.current_text_value = Some(text.clone());
        info
    });
    response
}

/// A bar that is full at 1: parts of it in their colours, from the left.
pub fn bar(ui: &mut Ui, name: &str, parts: &[(f64, Rgb)], height: f32) -> Response {
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::hover());
    let painter = ui.painter().with_clip_rect(rect);
    painter.rect_filled(rect, CornerRadius::same(4), ink(palette::INSET));
    let mut left = rect.left();
    for (part, rgb) in parts {
        let wide = rect.width() * part.clamp(0.0, 1.0) as f32;
        let part = Rect::from_min_size(pos2(left, rect.top()), vec2(wide, rect.height()));
        painter.rect_filled(part.intersect(rect), CornerRadius::same(4), ink(*rgb));
        left += wide;
    }
    response.widget_info(|| WidgetInfo::labeled(WidgetType::ProgressIndicator, true, name));
    response
}

/// A small curve without axes, from 0 to its largest value; the newest value is on the right.
pub fn sparkline(ui: &mut Ui, name: &str, values: &[f32], height: f32, colour: Color32) -> Response {
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::hover());
    ui.painter().rect_filled(rect, CornerRadius::same(4), ink(palette::INSET));
    let largest = values.iter().copied().filter(|value| value.is_finite()).fold(0.0, f32::max);
    if values.len() > 1 && largest > 0.0 {
        let inside = rect.shrink(3.0);
        let step = inside.width() / (values.len() - 1) as f32;
        let place = |(at, value): (usize, &f32)| {
            pos2(
                inside.left() + at as f32 * step,
                inside.bottom() - inside.height() * (value / largest).clamp(0.0, 1.0),
            )
        };
        let line = values.iter().enumerate().filter(|(_, value)| value.is_finite()).map(place).collect();
        ui.painter().add(Shape::line(line, Stroke::new(1.5, colour)));
    }
    response.widget_info(|| WidgetInfo::labeled(WidgetType::Image, true, name));
    response
}

/// A whole number with thin gaps between its thousands.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push('\u{2009}');
        }
        grouped.push(digit);
    }
    grouped
}

/// Bytes as megabytes of 10⁶, with one decimal.
pub fn megabytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use bevy_egui::egui;
    use egui_kittest::{Harness, kittest::Queryable};

    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!(thousands(7), "7");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(13_056), "13\u{2009}056");
        assert_eq!(thousands(1_234_567), "1\u{2009}234\u{2009}567");
        assert_eq!(megabytes(28_160_000), "28.2");
    }

    #[test]
    fn numbers_of_rows_end_below_each_other_and_within_the_panel() {
        for width in [180.0, 320.0, 700.0] {
            let harness = Harness::builder().with_size(egui::vec2(width, 120.0)).build_ui(|ui| {
                number_row(ui, "A decision, median", "7.5", "ms");
                number_row(ui, "B", "12345.0", "a second");
            });
            let (short, long) = (harness.get_by_label("7.5").rect(), harness.get_by_label("12345.0").rect());
            assert!((short.right() - long.right()).abs() < 0.5, "{short} {long}");
            for part in ["A decision, median", "7.5", "ms", "B", "12345.0", "a second"] {
                let rect = harness.get_by_label(part).rect();
                assert!(rect.left() >= 0.0 && rect.right() <= width, "{part} at {rect} in {width}");
            }
            assert!(harness.get_by_label("A decision, median").rect().right() <= short.left());
        }
    }

    #[test]
    fn a_field_and_its_hint_have_a_name() {
        let mut harness = Harness::new_ui_state(
            |ui: &mut egui::Ui, text: &mut String| drop(named_field(ui, "File", "runs/first", text, 120.0)),
            String::new(),
        );
        harness.get_by_label("File").focus();
        harness.run();
        harness.get_by_label("File").type_text("a.png");
        harness.run();
        assert_eq!(harness.state(), "a.png");
    }
}
