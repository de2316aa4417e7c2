//! The panel *Agent*: a table of everybody, and the mind of one.
//!
//! This module does *not* know where its numbers come from, or who carries the wishes out.

mod memory;
mod mind;
mod model;
mod table;
mod turn;

use bevy_egui::egui::Ui;

pub use model::{AgentModel, AgentRow, AgentState, Mind, NormRow, Remembered, ShownTurn, SortBy};

use super::{bars::scroll_column, widgets::empty_state};
use crate::protocol::UserCommand;

/// Greatest height of the table above the mind, in points.
const TABLE: f32 = 236.0;

/// Shows everybody and, below, the selected mind.
pub fn show_agent(ui: &mut Ui, model: &AgentModel, state: &mut AgentState) -> Vec<UserCommand> {
    // Where no mind is open there is room for everybody.
    let (most, part) = if model.selected.is_some() { (TABLE, 0.4) } else { (f32::INFINITY, 0.72) };
    let height = most.min(ui.available_height() * part);
    let mut wishes = table::show(ui, model, state, height);
    ui.add_space(4.0);
    ui.separator();
    wishes.extend(show_mind(ui, model, state));
    wishes
}

/// Shows everybody, in all the room that there is.
pub fn show_agents(ui: &mut Ui, model: &AgentModel, state: &mut AgentState) -> Vec<UserCommand> {
    let height = ui.available_height();
    table::show(ui, model, state, height)
}

/// Shows the selected mind alone.
pub fn show_mind(ui: &mut Ui, model: &AgentModel, state: &mut AgentState) -> Vec<UserCommand> {
    let Some(mind) = &model.selected else {
        empty_state(
            ui,
            "No mind is open",
            "Click an agent in the habitat or in the table: what it was told, what it said and how sure it was, what it remembers and what it has learned appear here.",
        );
        return Vec::new();
    };
    let mut wishes = Vec::new();
    scroll_column(ui, "mind", |ui| {
        mind::show(ui, model, mind, state, &mut wishes);
        turn::show(ui, mind);
        memory::show_rewards(ui, mind);
        mind::show_life(ui, mind, &mut wishes);
        memory::show_learning(ui, mind);
        memory::show_norms(ui, &mind.norms);
        memory::show_experiences(ui, mind);
        mind::show_editing(ui, mind, state, &mut wishes);
    });
    wishes
}

#[cfg(test)]
mod tests;
