//! Going on with a run, and keeping one.

use std::path::PathBuf;

use bevy_egui::egui::{Align, Label, Layout, RichText, Ui};

use super::{
    confirm,
    model::{LibraryModel, LibraryState, Pending},
    models::what_becomes,
    path_row,
};
use crate::{
    palette,
    protocol::UserCommand,
    ui::{
        theme::ink,
        widgets::{note, section},
    },
};

/// Runs that are listed.
const LISTED: usize = 12;

pub(super) fn show(ui: &mut Ui, model: &LibraryModel, state: &mut LibraryState, wishes: &mut Vec<UserCommand>) {
    section(ui, "Keep this run");
    match &model.kept_in {
        Some(folder) => note(ui, &format!("It is kept in {}, at every generation's end.", folder.display())),
        None => note(
            ui,
            "It is not kept yet. From now on it would be kept at every generation's end, and could be gone on with.",
        ),
    }
    let suggested = model.suggested_run.display().to_string();
    let path = state.save.get_or_insert_with(|| suggested.clone());
    if path_row(ui, "Folder to keep this run in", &suggested, path, "Save as") {
        wishes.push(UserCommand::SaveRun(PathBuf::from(path.trim())));
    }
    ui.add_space(12.0);
    section(ui, "Go on with a run");
    if model.runs.is_empty() {
        note(ui, "Runs that were kept in runs/ appear here.");
    }
    for run in model.runs.iter().take(LISTED) {
        ui.horizontal(|ui| {
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let is_shown = model.kept_in.as_ref() == Some(&run.folder);
                if is_shown {
                    ui.label(RichText::new("on show").color(ink(palette::ACCENT)));
                } else if ui.button("Resume").on_hover_text(run.folder.display().to_string()).clicked() {
                    state.pending = Some(Pending::OpenRun(run.folder.clone()));
                }
                ui.with_layout(Layout::top_down(Align::Min), |ui| {
                    ui.spacing_mut().item_spacing.y = 0.0;
                    let name = RichText::new(run.folder.display().to_string()).color(ink(palette::TEXT));
                    ui.add(Label::new(name).truncate());
                    note(ui, &run.note);
                });
            });
        });
        show_pending(ui, model, state, Some(&run.folder), wishes);
    }
    if path_row(ui, "Folder of a run", "runs/first", &mut state.open, "Open") {
        state.pending = Some(Pending::OpenRun(PathBuf::from(state.open.trim())));
    }
    show_pending(ui, model, state, None, wishes);
}

/// What will happen if the run in `folder`, or else in one that is not listed, waits for a yes.
fn show_pending(
    ui: &mut Ui,
    model: &LibraryModel,
    state: &mut LibraryState,
    folder: Option<&PathBuf>,
    wishes: &mut Vec<UserCommand>,
) {
    let Some(Pending::OpenRun(pending)) = &state.pending else { return };
    let is_listed = model.runs.iter().take(LISTED).any(|run| run.folder == *pending);
    if folder.map_or(is_listed, |folder| folder != pending) {
        return;
    }
    let text = format!(
        "The run in {} goes on where it was kept last, with its own settings and model. {}",
        pending.display(),
        what_becomes(model)
    );
    let wish = UserCommand::OpenRun(pending.clone());
    if let Some(is_yes) = confirm(ui, &text, "Go on with it") {
        wishes.extend(is_yes.then_some(wish));
        state.pending = None;
    }
}
