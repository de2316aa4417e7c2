//! The panel *What if*: change what a mind is told, and see at once what it and others would do; or let it talk.
//!
//! Questions and answers carry numbers; at most one question about actions is under way. This module does *not* know who
//! answers, or how.

mod compare;
mod model;
mod state;
mod talk;

use bevy_egui::egui::Ui;

pub use model::{MindChoice, Role, WhatIfModel};
pub use state::WhatIfState;

use super::{bars::scroll_column, widgets::empty_state};
use crate::protocol::UserCommand;

/// Shows the panel and gives what the person wants.
pub fn show_what_if(ui: &mut Ui, model: &WhatIfModel, state: &mut WhatIfState) -> Vec<UserCommand> {
    if model.minds.is_empty() {
        let text = "Click an agent, then change what it is told: what it, its parents, the champion and the bare model would do appears here at once.";
        empty_state(ui, "Nobody to ask", text);
        return Vec::new();
    }
    state.receive(&model.answers);
    state.follow(model);
    let mut wishes = Vec::new();
    ui.horizontal_wrapped(|ui| {
        for (free, word, help) in [
            (false, "Actions", "What would it do, told this?"),
            (true, "Free", "Let it talk: it answers in words of its own."),
        ] {
            if ui.selectable_label(state.free == free, word).on_hover_text(help).clicked() {
                state.free = free;
            }
        }
    });
    if state.free {
        talk::show(ui, model, state, &mut wishes);
    } else {
        scroll_column(ui, "what if", |ui| compare::show(ui, model, state));
        let now = ui.input(|input| input.time);
        wishes.extend(state.ask(model, now));
    }
    wishes
}

#[cfg(test)]
mod tests;
