//! Everybody in a table that can be sorted by any column.

use std::cmp::Ordering;

use bevy_egui::egui::{Align, Button, Color32, Label, Layout, Rect, RichText, ScrollArea, Sense, Ui, vec2};
use egui_extras::{Column, TableBuilder, TableRow};

use super::model::{AgentModel, AgentRow, AgentState, SortBy};
use crate::{
    palette,
    protocol::UserCommand,
    ui::{
        bars::line_height,
        theme::{SMALL, ink},
        widgets::note,
        words::thing_word,
    },
};

/// A column: what it sorts by, its heading, what that means, its width in points, and whether numbers stand in it.
type Heading = (SortBy, &'static str, &'static str, f32, bool);

const HABITAT: Heading = (SortBy::Habitat, "hab.", "Habitat", 36.0, true);
const TITLE: Heading = (SortBy::Title, "name", "The name that you gave it", 72.0, false);
const HEADINGS: [Heading; 7] = [
    (SortBy::Number, "no.", "Its number; the dot has the colour of its founder's line", 40.0, true),
    (SortBy::Energy, "E", "Energy, in points", 28.0, true),
    (SortBy::Fitness, "fitness", "Fitness so far", 50.0, true),
    (SortBy::Delivered, "home", "Pieces of food brought home", 44.0, true),
    (SortBy::Carrying, "load", "What it carries", 40.0, false),
    (SortBy::Born, "born", "The generation in which it was born", 38.0, true),
    (SortBy::Alive, "alive", "Whether it lives", 42.0, false),
];

/// Space between two columns, in points.
const GAP: f32 = 2.0;
/// Space before words, in points.
const INDENT: f32 = 4.0;

/// The rows' places in the model, in the order in which they are shown.
pub(super) fn sorted(agents: &[AgentRow], sort: SortBy, descending: bool) -> Vec<usize> {
    let mut order: Vec<usize> = (0..agents.len()).collect();
    order.sort_by(|a, b| {
        let (a, b) = (&agents[*a], &agents[*b]);
        let by = compare(a, b, sort);
        // Whoever is equal stays in the order of the numbers.
        (if descending { by.reverse() } else { by }).then_with(|| a.name.cmp(&b.name))
    });
    order
}

fn compare(a: &AgentRow, b: &AgentRow, sort: SortBy) -> Ordering {
    // Those without a name come after those with one.
    let title = |row: &AgentRow| {
        let title = row.title.as_deref().unwrap_or_default().to_lowercase();
        (title.is_empty(), title)
    };
    match sort {
        SortBy::Number => a.name.1.cmp(&b.name.1),
        SortBy::Habitat => a.name.0.cmp(&b.name.0),
        SortBy::Title => title(a).cmp(&title(b)),
        SortBy::Energy => a.energy.total_cmp(&b.energy),
        SortBy::Carrying => a.carrying.is_some().cmp(&b.carrying.is_some()),
        SortBy::Fitness => a.fitness.total_cmp(&b.fitness),
        SortBy::Delivered => a.delivered.cmp(&b.delivered),
        SortBy::Born => a.born.cmp(&b.born),
        SortBy::Alive => a.alive.cmp(&b.alive),
    }
}

/// The table, at most this high.
pub(super) fn show(ui: &mut Ui, model: &AgentModel, state: &mut AgentState, height: f32) -> Vec<UserCommand> {
    let mut wishes = Vec::new();
    if model.agents.is_empty() {
        note(ui, "All agents appear here when the first generation begins.");
        return wishes;
    }
    let headings = headings(model, ui.available_width());
    let wide = width_of(&headings);
    ScrollArea::horizontal().id_salt("agents").auto_shrink([false, true]).show(ui, |ui| {
        ui.set_min_width(wide);
        ui.spacing_mut().item_spacing = vec2(GAP, 2.0);
        // A click on a text is a click on its row.
        ui.style_mut().interaction.selectable_labels = false;
        show_table(ui, model, state, &headings, height, &mut wishes);
    });
    wishes
}

/// The columns for so many points: those that can be done without are left out where there is no room for them. The dead
/// have a ring in place of a dot.
fn headings(model: &AgentModel, room: f32) -> Vec<Heading> {
    let mut headings: Vec<Heading> = HEADINGS.to_vec();
    if model.agents.iter().any(|row| row.title.is_some()) {
        headings.insert(1, TITLE);
    }
    if model.several {
        headings.insert(0, HABITAT);
    }
    for spare in [SortBy::Alive, SortBy::Born] {
        if width_of(&headings) > room {
            headings.retain(|one| one.0 != spare);
        }
    }
    headings
}

/// The least width of these columns, in points.
fn width_of(headings: &[Heading]) -> f32 {
    headings.iter().map(|one| one.3 + GAP).sum::<f32>() + 4.0
}

fn show_table(
    ui: &mut Ui,
    model: &AgentModel,
    state: &mut AgentState,
    headings: &[Heading],
    height: f32,
    wishes: &mut Vec<UserCommand>,
) {
    let order = sorted(&model.agents, state.sort, state.descending);
    let line = line_height(ui);
    // What is left is shared, so that a wide table does not leave its right half empty.
    let more = ((ui.available_width() - width_of(headings)) / headings.len() as f32).clamp(0.0, 60.0);
    let mut table = TableBuilder::new(ui)
        .id_salt(("agents", headings.len()))
        .striped(true)
        .sense(Sense::click())
        .cell_layout(Layout::left_to_right(Align::Center))
        .auto_shrink([false, true])
        .min_scrolled_height(0.0)
        .max_scroll_height((height - line - 8.0).max(line * 3.0));
    let selected = model.selected.as_ref().map(|mind| mind.name);
    if state.scrolled != selected {
        state.scrolled = selected;
        if let Some(row) = order.iter().position(|at| Some(model.agents[*at].name) == selected) {
            table = table.scroll_to_row(row, None);
        }
    }
    for heading in headings {
        table = table.column(Column::exact(heading.3 + more));
    }
    let table = table.header(line, |mut row| {
        for heading in headings {
            row.col(|ui| show_heading(ui, heading, state));
        }
    });
    table.body(|body| {
        body.rows(line, order.len(), |mut row| {
            let agent = &model.agents[order[row.index()]];
            row.set_selected(selected == Some(agent.name));
            for (sort, _, _, _, is_number) in headings {
                show_cell(&mut row, agent, *sort, *is_number, selected == Some(agent.name));
            }
            if row.response().on_hover_cursor(bevy_egui::egui::CursorIcon::PointingHand).clicked() {
                wishes.push(UserCommand::Select(Some(agent.name)));
            }
        });
    });
}

fn show_heading(ui: &mut Ui, (sort, word, help, _, is_number): &Heading, state: &mut AgentState) {
    let is_sorted = state.sort == *sort;
    let sign = if state.descending { "▼" } else { "▲" };
    let colour = ink(if is_sorted { palette::ACCENT } else { palette::TEXT_WEAK });
    let text = |text: &str, size| RichText::new(text).size(size).color(colour);
    ui.spacing_mut().button_padding = vec2(0.0, 2.0);
    ui.spacing_mut().item_spacing.x = 1.0;
    cell(ui, *is_number, |ui| {
        let mut name = |ui: &mut Ui| {
            let button = ui.add(Button::new(text(word, SMALL)).frame(false)).on_hover_text(*help);
            if button.clicked() {
                state.descending = if is_sorted { !state.descending } else { begins_with_the_largest(*sort) };
                state.sort = *sort;
            }
        };
        name(ui);
        if is_sorted {
            ui.label(text(sign, SMALL - 4.0));
        }
    });
}

/// What stands in a cell: numbers on its right, words on its left with some room between them and the number before.
fn cell(ui: &mut Ui, is_number: bool, show: impl FnOnce(&mut Ui)) {
    if is_number {
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.add_space(1.0);
            show(ui);
        });
    } else {
        ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
            ui.add_space(INDENT);
            show(ui);
        });
    }
}

/// Whether the first click on a column's heading puts the largest first.
const fn begins_with_the_largest(sort: SortBy) -> bool {
    !matches!(sort, SortBy::Number | SortBy::Habitat | SortBy::Title)
}

fn show_cell(row: &mut TableRow<'_, '_>, agent: &AgentRow, sort: SortBy, is_number: bool, is_selected: bool) {
    let text = match sort {
        SortBy::Number => agent.name.1.to_string(),
        SortBy::Habitat => agent.name.0.to_string(),
        SortBy::Title => agent.title.clone().unwrap_or_default(),
        SortBy::Energy => format!("{:.0}", agent.energy),
        SortBy::Carrying => agent.carrying.map(thing_word).unwrap_or_default().to_owned(),
        SortBy::Fitness => format!("{:.1}", agent.fitness),
        SortBy::Delivered => agent.delivered.to_string(),
        SortBy::Born => agent.born.to_string(),
        SortBy::Alive => if agent.alive { "yes" } else { "no" }.to_owned(),
    };
    row.col(|ui| {
        let (rect, colour) = (ui.max_rect(), agent_colour(ui, agent, is_selected));
        if sort == SortBy::Number {
            dot(ui, rect, agent);
        }
        let label = Label::new(RichText::new(text).size(SMALL).color(colour)).truncate();
        cell(ui, is_number, |ui| drop(ui.add(label)));
    });
}

fn agent_colour(ui: &Ui, agent: &AgentRow, is_selected: bool) -> Color32 {
    match (is_selected, agent.alive) {
        (true, _) => ui.visuals().selection.stroke.color,
        (false, true) => ink(palette::TEXT),
        (false, false) => ink(palette::TEXT_WEAK),
    }
}

/// The dot of the agent's line: a ring for the dead.
fn dot(ui: &Ui, rect: Rect, agent: &AgentRow) {
    let (centre, colour) = (rect.left_center() + vec2(6.0, 0.0), ink(palette::lineage(agent.line.0)));
    if agent.alive {
        ui.painter().circle_filled(centre, 4.5, colour);
    } else {
        ui.painter().circle_stroke(centre, 4.0, (1.5, colour));
    }
}
