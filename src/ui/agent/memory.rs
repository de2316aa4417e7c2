//! What the open mind went through and what became of it: rewards, experiences, lessons, the size of its adapter.

use bevy_egui::egui::{Align, Label, Layout, RichText, ScrollArea, Ui, Vec2b, WidgetInfo, WidgetType, vec2};
use egui_extras::{Column, TableBuilder};
use egui_plot::{Bar, BarChart, Plot};

use super::model::{Mind, NormRow, Remembered};
use crate::{
    language::action_phrase,
    palette::{self, Rgb},
    ui::{
        Quantity,
        bars::{BarCell, bar_grid, grid_width, line_height},
        theme::{SMALL, ink},
        widgets::{note, number_row, section},
        words::{NOTHING, outcome_word, signed},
    },
};

/// Height of the trace of rewards, in points.
const TRACE: f32 = 90.0;
/// Greatest height of the table of experiences, in points.
const TABLE: f32 = 220.0;
/// Headings and widths of that table; the last column takes what is left.
const COLUMNS: [(&str, f32); 7] = [
    ("turn", 34.0),
    ("did", 72.0),
    ("outcome", 74.0),
    ("reward", 50.0),
    ("log π", 42.0),
    ("version", 48.0),
    ("saw", 420.0),
];

pub(super) fn show_rewards(ui: &mut Ui, mind: &Mind) {
    ui.add_space(8.0);
    section(ui, "Rewards");
    if mind.rewards.is_empty() {
        note(ui, "Its rewards, turn by turn, appear here.");
        return;
    }
    let bar = |(turn, reward): &(u32, f64)| {
        let colour = ink(if *reward < 0.0 { palette::DANGER } else { palette::FOOD });
        Bar::new(f64::from(*turn), *reward).fill(colour).stroke((0.0, colour)).width(0.8)
    };
    let sum: f64 = mind.rewards.iter().map(|(_, reward)| reward).sum();
    let chart = BarChart::new("reward", mind.rewards.iter().map(bar).collect())
        .element_formatter(Box::new(|bar, _| format!("turn {:.0}: {}", bar.argument, signed(bar.value))));
    let plot = Plot::new("rewards")
        .height(TRACE)
        .allow_drag(false)
        .allow_zoom(false)
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .allow_double_click_reset(false)
        .show_background(false)
        .show_x(false)
        .show_y(false)
        .show_grid([false, true])
        .show_axes(Vec2b::new(false, true))
        .y_axis_min_width(34.0)
        .include_y(0.0)
        .show(ui, |plot| plot.bar_chart(chart));
    let count = mind.rewards.len();
    let values = mind.rewards.iter().map(|(_, reward)| *reward);
    let (least, most) = (values.clone().fold(f64::INFINITY, f64::min), values.fold(f64::NEG_INFINITY, f64::max));
    let range = format!("from {} to {}", signed(least), signed(most));
    let text = format!("Rewards of the last {count} turns: {} in all, {range}", signed(sum));
    plot.response.widget_info(|| WidgetInfo::labeled(WidgetType::Image, true, &text));
    note(ui, &text);
}

pub(super) fn show_learning(ui: &mut Ui, mind: &Mind) {
    ui.add_space(8.0);
    section(ui, "Learning");
    number_row(ui, "Updates of its adapter", &mind.lessons.to_string(), "");
    number_row(
        ui,
        "Loss of the last lesson",
        &mind.loss.map_or_else(|| NOTHING.to_owned(), |loss| Quantity::Loss.write(loss)),
        "",
    );
}

pub(super) fn show_norms(ui: &mut Ui, norms: &[NormRow]) {
    ui.add_space(8.0);
    section(ui, "Adapter: ‖ΔW‖ by layer and matrix");
    if norms.is_empty() {
        note(ui, "How far its adapter bends the model appears here when it has been measured.");
        return;
    }
    let (headings, rows) = norm_grid(norms);
    const NAMES: f32 = 52.0;
    ScrollArea::horizontal().id_salt("norms").auto_shrink([false, true]).show(ui, |ui| {
        ui.set_min_width(grid_width(NAMES, headings.len()));
        ui.spacing_mut().item_spacing.y = 2.0;
        bar_grid(ui, NAMES, &headings, &rows);
    });
}

/// A row for each layer, the first on top; a column for each matrix; bars relative to the largest of all.
pub(super) fn norm_grid(norms: &[NormRow]) -> (Vec<[String; 2]>, Vec<(String, Vec<BarCell>)>) {
    let mut matrices: Vec<&str> = Vec::new();
    let mut layers: Vec<u32> = Vec::new();
    for row in norms {
        if !matrices.contains(&row.matrix.as_str()) {
            matrices.push(&row.matrix);
        }
        if !layers.contains(&row.layer) {
            layers.push(row.layer);
        }
    }
    layers.sort_unstable();
    let most = norms.iter().map(|row| row.norm).fold(0.0, f32::max);
    let cell = |layer: u32, matrix: &str| {
        let row = norms.iter().find(|row| row.layer == layer && row.matrix == matrix);
        row.map_or_else(BarCell::empty, |row| BarCell {
            part: Some(if most > 0.0 { row.norm / most } else { 0.0 }),
            value: format!("{:.2}", row.norm),
            marked: false,
        })
    };
    let short = |matrix: &&str| [matrix.trim_end_matches("_proj").to_owned(), String::new()];
    let headings = matrices.iter().map(short).collect();
    let row = |layer: &u32| (format!("layer {layer}"), matrices.iter().map(|matrix| cell(*layer, matrix)).collect());
    (headings, layers.iter().map(row).collect())
}

pub(super) fn show_experiences(ui: &mut Ui, mind: &Mind) {
    ui.add_space(8.0);
    section(ui, "Experience");
    if mind.memory.is_empty() {
        note(ui, "What it remembers of its turns, and learns from, appears here.");
        return;
    }
    let (count, capacity) = (mind.memory.len(), mind.capacity);
    let of = if capacity > 0 { format!(" of at most {capacity}") } else { String::new() };
    note(ui, &format!("{count}{of} experiences, the newest first"));
    ScrollArea::horizontal().id_salt("experience").auto_shrink([false, true]).show(ui, |ui| {
        ui.spacing_mut().item_spacing = vec2(6.0, 2.0);
        ui.set_min_width(COLUMNS.iter().map(|(_, width)| width + 6.0).sum());
        show_table(ui, &mind.memory);
    });
}

fn show_table(ui: &mut Ui, memory: &[Remembered]) {
    let line = line_height(ui);
    let mut table = TableBuilder::new(ui)
        .id_salt("experience")
        .striped(true)
        .cell_layout(Layout::left_to_right(Align::Center))
        .auto_shrink([false, true])
        .min_scrolled_height(TABLE)
        .max_scroll_height(TABLE);
    for (_, width) in &COLUMNS[..COLUMNS.len() - 1] {
        table = table.column(Column::exact(*width));
    }
    let table = table.column(Column::remainder().clip(true)).header(line, |mut row| {
        for (at, (heading, _)) in COLUMNS.iter().enumerate() {
            row.col(|ui| write(ui, heading, palette::TEXT_WEAK, is_number(at)));
        }
    });
    table.body(|body| {
        body.rows(line, memory.len(), |mut row| {
            let one = &memory[memory.len() - 1 - row.index()];
            let colour = if one.reward < 0.0 { palette::DANGER } else { palette::TEXT };
            let outcome = one.outcome.map_or(NOTHING, outcome_word);
            row.col(|ui| write(ui, &one.turn.to_string(), palette::TEXT_WEAK, true));
            row.col(|ui| write(ui, action_phrase(one.did), palette::TEXT, false));
            row.col(|ui| write(ui, outcome, palette::TEXT, false));
            row.col(|ui| write(ui, &signed(one.reward), colour, true));
            row.col(|ui| write(ui, &signed(one.log_acted.into()), palette::TEXT, true));
            row.col(|ui| write(ui, &one.version.to_string(), palette::TEXT, true));
            row.col(|ui| write(ui, &one.saw, palette::TEXT, false));
        });
    });
}

/// Whether numbers stand in this column.
const fn is_number(column: usize) -> bool {
    matches!(column, 0 | 3 | 4 | 5)
}

fn write(ui: &mut Ui, text: &str, rgb: Rgb, right: bool) {
    let layout = if right { Layout::right_to_left(Align::Center) } else { Layout::left_to_right(Align::Center) };
    let label = Label::new(RichText::new(text).size(SMALL).color(ink(rgb))).truncate();
    ui.with_layout(layout, |ui| ui.add(label));
}
