//! Choosing a model, and fetching one.

use bevy_egui::egui::{Align, Button, Label, Layout, RichText, Ui};

use super::{
    confirm,
    model::{Download, LibraryModel, LibraryState, ModelChoice, Pending},
    path_row,
};
use crate::{
    palette,
    protocol::UserCommand,
    ui::{
        theme::ink,
        widgets::{megabytes, note, section},
    },
};

pub(super) fn show(ui: &mut Ui, model: &LibraryModel, state: &mut LibraryState, wishes: &mut Vec<UserCommand>) {
    section(ui, "Model");
    if model.models.is_empty() {
        note(ui, "Models that are here, or can be fetched by name, appear here.");
    }
    for choice in &model.models {
        show_choice(ui, model, choice, state);
        show_pending(ui, model, state, &choice.word, wishes);
    }
    note(ui, "Any other: a GGUF file, a Hugging Face or MLX folder, or a name.");
    if path_row(ui, "Model file or name", "models/some.gguf", &mut state.model, "Use") {
        state.pending = Some(Pending::UseModel(state.model.trim().to_owned()));
    }
    if !model.models.iter().any(|choice| Some(choice.word.as_str()) == state.pending_model()) {
        let word = state.pending_model().unwrap_or_default().to_owned();
        show_pending(ui, model, state, &word, wishes);
    }
}

impl LibraryState {
    /// The model that waits for a yes.
    fn pending_model(&self) -> Option<&str> {
        match &self.pending {
            Some(Pending::UseModel(word) | Pending::Download(word)) => Some(word),
            _ => None,
        }
    }
}

fn show_choice(ui: &mut Ui, model: &LibraryModel, choice: &ModelChoice, state: &mut LibraryState) {
    ui.horizontal(|ui| {
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if choice.is_used {
                ui.label(RichText::new("✓ in use").color(ink(palette::ACCENT)));
            } else if choice.is_here {
                if ui.button("Use").on_hover_text(format!("Starts again with {}.", choice.name)).clicked() {
                    state.pending = Some(Pending::UseModel(choice.word.clone()));
                }
            } else {
                let fetch = ui.add_enabled(model.download.is_none(), Button::new("Download"));
                if fetch.on_hover_text(format!("Fetches {} from the Hugging Face hub.", choice.name)).clicked() {
                    state.pending = Some(Pending::Download(choice.word.clone()));
                }
            }
            let place = if choice.is_here { "on this machine" } else { "to be fetched" };
            let size = choice.bytes.map(|bytes| format!("{} MB, ", megabytes(bytes))).unwrap_or_default();
            ui.with_layout(Layout::top_down(Align::Min), |ui| {
                ui.spacing_mut().item_spacing.y = 0.0;
                ui.add(Label::new(RichText::new(&choice.name).color(ink(palette::TEXT))).truncate());
                note(ui, &format!("{size}{place}"));
            });
        });
    });
}

/// What will happen with the model of this word, if it waits for a yes.
fn show_pending(
    ui: &mut Ui,
    model: &LibraryModel,
    state: &mut LibraryState,
    word: &str,
    wishes: &mut Vec<UserCommand>,
) {
    let kept = what_becomes(model);
    let (text, yes, wish) = match &state.pending {
        Some(Pending::UseModel(pending)) if pending == word => (
            format!("Everything starts again from generation 0 with {word}. {kept}"),
            "Start again",
            UserCommand::UseModel(word.to_owned()),
        ),
        Some(Pending::Download(pending)) if pending == word => {
            let size = model.models.iter().find(|choice| choice.word == word).and_then(|choice| choice.bytes);
            let size = size.map(|bytes| format!(" ({} MB)", megabytes(bytes))).unwrap_or_default();
            let text = format!(
                "{word}{size} is fetched from the Hugging Face hub into its cache on this machine. The run goes on meanwhile, and nothing else changes."
            );
            (text, "Fetch it", UserCommand::DownloadModel(word.to_owned()))
        }
        _ => return,
    };
    if let Some(is_yes) = confirm(ui, &text, yes) {
        wishes.extend(is_yes.then_some(wish));
        state.pending = None;
    }
}

/// What becomes of the run on show when another takes its place.
pub(super) fn what_becomes(model: &LibraryModel) -> String {
    model.kept_in.as_ref().map_or_else(
        || "The run on show is not kept anywhere and is lost: save it first, if it is dear to you.".to_owned(),
        |folder| format!("The run on show stays in {}.", folder.display()),
    )
}

/// How far a download is.
pub(super) fn download_words(download: &Download) -> String {
    let done = megabytes(download.done);
    match download.total {
        Some(total) if total > 0 => {
            let part = download.done as f64 / total as f64 * 100.0;
            format!("{}: {done} of {} MB, {part:.0} %", download.name, megabytes(total))
        }
        _ => format!("{}: {done} MB", download.name),
    }
}
