//! Creatures that come in and go out.

use std::path::PathBuf;

use bevy_egui::egui::Ui;

use super::{
    model::{LibraryModel, LibraryState},
    path_row,
};
use crate::{
    protocol::UserCommand,
    ui::widgets::{note, section},
};

pub(super) fn show(ui: &mut Ui, model: &LibraryModel, state: &mut LibraryState, wishes: &mut Vec<UserCommand>) {
    section(ui, "Bring a creature in");
    note(
        ui,
        "A creature card, a PEFT folder or a GGUF adapter, made on the model in use. It may also be dropped on the window. Everybody of the next generation 0 begins with it; the run on show is not changed.",
    );
    if let Some(imported) = &model.imported {
        note(ui, &format!("At the next start everybody begins with {imported}."));
    }
    if path_row(ui, "Card to bring in", "creatures/champion.card", &mut state.import, "Import") {
        wishes.push(UserCommand::ImportCard(PathBuf::from(state.import.trim())));
    }
    ui.add_space(12.0);
    section(ui, "Take the best out");
    let Some(best) = &model.best else {
        note(ui, "When the first generation has ended, the best that ever lived can be written to a card here.");
        return;
    };
    note(
        ui,
        &format!(
            "Agent {}, fitness {:.1}: its adapter, parents and scores go into one small file.",
            best.name, best.fitness
        ),
    );
    let suggested = best.suggested.display().to_string();
    let path = state.export.get_or_insert_with(|| suggested.clone());
    if path_row(ui, "Card of the best", &suggested, path, "Export best") {
        wishes.push(UserCommand::ExportBest(PathBuf::from(path.trim())));
    }
}
