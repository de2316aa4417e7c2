//! The panel *Model & runs*: which model thinks, which run goes on, which creatures come in and go out.
//!
//! What begins anew or ends something is said before it is done. This module does *not* know files, models or the hub.

mod cards;
mod model;
mod models;
mod runs;

use bevy_egui::egui::{Button, Frame, Label, RichText, Ui, vec2};

pub use model::{BestShown, Download, LibraryModel, LibraryState, ModelChoice, RunChoice};

use super::{
    bars::scroll_column,
    theme::ink,
    widgets::{bar, note},
};
use crate::{palette, protocol::UserCommand};

/// Shows the panel and gives what the person wants.
pub fn show_library(ui: &mut Ui, model: &LibraryModel, state: &mut LibraryState) -> Vec<UserCommand> {
    let mut wishes = Vec::new();
    scroll_column(ui, "library", |ui| {
        show_news(ui, model);
        models::show(ui, model, state, &mut wishes);
        ui.add_space(12.0);
        runs::show(ui, model, state, &mut wishes);
        ui.add_space(12.0);
        cards::show(ui, model, state, &mut wishes);
    });
    wishes
}

/// What is going on, what has been done, and what could not be.
fn show_news(ui: &mut Ui, model: &LibraryModel) {
    if let Some(trouble) = &model.trouble {
        ui.add(Label::new(RichText::new(trouble).color(ink(palette::DANGER))).wrap());
    }
    if let Some(done) = &model.done {
        ui.add(Label::new(RichText::new(format!("✓ {done}")).color(ink(palette::TEXT))).wrap());
    }
    if let Some(progress) = &model.progress {
        note(ui, progress);
    }
    if let Some(download) = &model.download {
        let part = download.total.filter(|total| *total > 0).map(|total| download.done as f64 / total as f64);
        let text = models::download_words(download);
        bar(ui, &text, &[(part.unwrap_or(0.0), palette::ACCENT)], 10.0);
        note(ui, &text);
    }
}

/// What will happen, with a button that does it and one that does not. `Some(true)` is yes.
fn confirm(ui: &mut Ui, text: &str, yes: &str) -> Option<bool> {
    let frame = Frame::new().fill(ink(palette::INSET)).corner_radius(8.0).inner_margin(10.0);
    let answer = frame.show(ui, |ui| {
        ui.set_min_width(ui.available_width());
        ui.add(Label::new(RichText::new(text).color(ink(palette::TEXT))).wrap());
        let buttons = ui.horizontal(|ui| {
            let fill = ink(palette::HOME);
            let words = RichText::new(yes).color(ui.visuals().selection.stroke.color);
            let is_yes = ui.add(Button::new(words).fill(fill)).clicked();
            let is_no = ui.button("Leave it").clicked();
            (is_yes || is_no).then_some(is_yes)
        });
        buttons.inner
    });
    answer.inner
}

/// A path field over the panel's width with a button behind it; whether that was clicked.
fn path_row(ui: &mut Ui, name: &str, hint: &str, path: &mut String, button: &str) -> bool {
    ui.horizontal(|ui| {
        let wide = ui.painter().layout_no_wrap(
            button.to_owned(),
            bevy_egui::egui::TextStyle::Button.resolve(ui.style()),
            ink(palette::TEXT),
        );
        let wide = wide.size().x + 2.0 * ui.spacing().button_padding.x;
        let width = (ui.available_width() - wide - 26.0).max(60.0);
        super::widgets::named_field(ui, name, hint, path, width);
        ui.add_enabled(!path.trim().is_empty(), Button::new(button).min_size(vec2(wide, 0.0))).clicked()
    })
    .inner
}

#[cfg(test)]
mod tests;
