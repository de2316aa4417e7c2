//! The lines that are to be seen, as rows of a table: no others are made.

use bevy_egui::egui::{Align, CursorIcon, Label, Layout, Response, RichText, ScrollArea, Sense, Ui, vec2};
use egui_extras::{Column, TableBuilder, TableRow};

use super::{
    TranscriptModel,
    lines::{TranscriptLine, TranscriptSource},
    state::TranscriptState,
};
use crate::{
    language::action_phrase,
    palette::{self, Rgb},
    protocol::UserCommand,
    ui::{
        bars::line_height,
        theme::{SMALL, ink},
        words::{NOTHING, called, percent, signed},
    },
};

/// Headings and widths of the columns, and whether numbers stand in them; the prompt takes what is left, and at least this.
const COLUMNS: [(&str, f32, bool); 7] = [
    ("gen · turn", 66.0, true),
    ("agent", 84.0, false),
    ("prompt", 260.0, false),
    ("reply", 116.0, false),
    ("action", 76.0, false),
    ("reward", 50.0, true),
    ("prob.", 54.0, true),
];
/// Which of them is the prompt.
const PROMPT: usize = 2;
/// Space between two columns, in points.
const GAP: f32 = 8.0;

pub(super) fn show(
    ui: &mut Ui,
    model: &TranscriptModel<'_>,
    source: &dyn TranscriptSource,
    state: &mut TranscriptState,
    wishes: &mut Vec<UserCommand>,
) {
    ScrollArea::horizontal().id_salt("transcript").auto_shrink([false, false]).show(ui, |ui| {
        ui.set_min_width(COLUMNS.iter().map(|(_, width, _)| width + GAP).sum::<f32>() + 12.0);
        ui.spacing_mut().item_spacing = vec2(GAP, 1.0);
        // A click on a text is a click on its row.
        ui.style_mut().interaction.selectable_labels = false;
        show_table(ui, model, source, state, wishes);
    });
}

fn show_table(
    ui: &mut Ui,
    model: &TranscriptModel<'_>,
    source: &dyn TranscriptSource,
    state: &mut TranscriptState,
    wishes: &mut Vec<UserCommand>,
) {
    let line_height = line_height(ui);
    let mut table = TableBuilder::new(ui)
        .id_salt("lines")
        .striped(true)
        .sense(Sense::click())
        .cell_layout(Layout::left_to_right(Align::Center))
        .auto_shrink([false, false])
        .min_scrolled_height(0.0)
        .stick_to_bottom(state.frozen.is_none());
    for (at, (_, width, _)) in COLUMNS.iter().enumerate() {
        let column = if at == PROMPT { Column::remainder().at_least(*width).clip(true) } else { Column::exact(*width) };
        table = table.column(column);
    }
    let table = table.header(line_height, |mut row| {
        for (heading, _, is_number) in COLUMNS {
            row.col(|ui| write(ui, heading, Some(palette::TEXT_WEAK), is_number));
        }
    });
    let several = model.habitats > 1;
    let mut marked = state.marked;
    let found = state.found();
    table.body(|body| {
        body.rows(line_height, found.len(), |mut row| {
            let number = found.get(row.index()).copied().unwrap_or_default();
            let Some(line) = source.line(number) else {
                COLUMNS.iter().for_each(|_| drop(row.col(|_| ())));
                return;
            };
            row.set_selected(marked == Some(number));
            let response = show_line(&mut row, &line, several, marked == Some(number));
            if response.clicked() {
                marked = Some(number);
                wishes.push(UserCommand::Select(Some(line.who)));
            }
            response.context_menu(|ui| {
                if ui.button("Copy this line").clicked() {
                    ui.ctx().copy_text(line.as_text(several));
                    ui.close();
                }
            });
        });
    });
    state.marked = marked;
}

fn show_line(row: &mut TableRow<'_, '_>, line: &TranscriptLine<'_>, several: bool, is_marked: bool) -> Response {
    // The marked row has the colours of what is selected.
    let [plain, weak] = [palette::TEXT, palette::TEXT_WEAK].map(|rgb| (!is_marked).then_some(rgb));
    let reward = match line.reward {
        reward if reward < 0.0 => palette::DANGER,
        reward if reward > 0.0 => palette::FOOD,
        _ => palette::TEXT_WEAK,
    };
    let reward = (!is_marked).then_some(reward);
    row.col(|ui| write(ui, &format!("{} · {}", line.generation, line.turn), weak, true));
    row.col(|ui| {
        let (rect, _) = ui.allocate_exact_size(vec2(10.0, 10.0), Sense::hover());
        ui.painter().circle_filled(rect.center(), 4.5, ink(palette::lineage(line.line.0)));
        ui.spacing_mut().item_spacing.x = 4.0;
        write(ui, &called(line.who, line.title, several), plain, false);
    });
    row.col(|ui| write(ui, line.prompt, plain, false));
    let reply = if line.stood_in { format!("(rules) {}", line.reply) } else { line.reply.to_owned() };
    row.col(|ui| write(ui, &reply, if line.stood_in { weak } else { plain }, false));
    row.col(|ui| write(ui, action_phrase(line.action), plain, false));
    row.col(|ui| write(ui, &signed(line.reward), reward, true));
    row.col(|ui| write(ui, &line.probability.map_or_else(|| NOTHING.to_owned(), percent), weak, true));
    row.response().on_hover_cursor(CursorIcon::PointingHand)
}

fn write(ui: &mut Ui, text: &str, rgb: Option<Rgb>, right: bool) {
    let colour = rgb.map_or(ui.visuals().selection.stroke.color, ink);
    let layout = if right { Layout::right_to_left(Align::Center) } else { Layout::left_to_right(Align::Center) };
    let label = Label::new(RichText::new(text).size(SMALL).color(colour)).truncate();
    ui.with_layout(layout, |ui| ui.add(label));
}
