//! What the person should know: a list of everything that was said, and a strip for what matters now.
//!
//! This panel does *not* know who says something, or why.

use std::collections::VecDeque;

use bevy_egui::egui::{Align, Button, Frame, Label, Layout, Margin, RichText, ScrollArea, Stroke, Ui};
use serde::{Deserialize, Serialize};

use super::{
    theme::{SMALL, ink},
    widgets::{empty_state, named_field, note},
};
use crate::{
    palette::{self, Rgb},
    protocol::UserCommand,
};

/// Notices that are kept; older ones are forgotten.
const KEPT: usize = 1000;
/// Notices that are listed at once.
const LISTED: usize = 200;

/// How much a notice matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Severity {
    /// It is good to know.
    #[default]
    Note,
    /// Something is not as it should be, and the run goes on.
    Warning,
    /// Something does not work.
    Error,
}

impl Severity {
    /// A symbol and a word, so that nobody depends on colours.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Note => "○ Note",
            Self::Warning => "⚠ Warning",
            Self::Error => "✗ Error",
        }
    }

    /// Its colour.
    pub const fn colour(self) -> Rgb {
        match self {
            Self::Note => palette::TEXT_WEAK,
            Self::Warning => palette::ACCENT,
            Self::Error => palette::DANGER,
        }
    }
}

/// Something that was said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Notice {
    /// When, as people write it: `14:03:22`.
    pub time: String,
    /// The generation that lived then.
    pub generation: u32,
    /// Its turns that were over.
    pub turn: u32,
    /// What, in a sentence.
    pub text: String,
    /// How much it matters.
    pub severity: Severity,
    /// How often it was said in a row.
    pub count: u32,
}

/// What the panel shows: the latest notices.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogModel {
    notices: VecDeque<Notice>,
}

impl LogModel {
    /// Adds a notice; one that says the same as the last one is counted there, with the newer time.
    pub fn note(&mut self, notice: Notice) {
        let notice = Notice { count: notice.count.max(1), ..notice };
        if let Some(last) = self.notices.back_mut()
            && (&last.text, last.severity) == (&notice.text, notice.severity)
        {
            let count = last.count.saturating_add(notice.count);
            *last = Notice { count, ..notice };
            return;
        }
        if self.notices.len() == KEPT {
            self.notices.pop_front();
        }
        self.notices.push_back(notice);
    }

    /// The notices, the oldest first.
    pub fn notices(&self) -> impl DoubleEndedIterator<Item = &Notice> {
        self.notices.iter()
    }
}

/// What the panel remembers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LogState {
    /// Only notices with this text are listed.
    pub search: String,
    /// Whether the oldest is first, in place of the newest.
    pub oldest_first: bool,
}

/// Shows the list. It asks for nothing.
pub fn show_log(ui: &mut Ui, model: &LogModel, state: &mut LogState) -> Vec<UserCommand> {
    if model.notices.is_empty() {
        let text = "What you should know is listed here: a worker that was started anew, a lesson that was refused, `rules` \
                    standing in for the minds.";
        empty_state(ui, "Nothing to report", text);
        return Vec::new();
    }
    ui.horizontal(|ui| {
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let order = if state.oldest_first { "Oldest first" } else { "Newest first" };
            if ui.button(order).on_hover_text("Click to turn the order round.").clicked() {
                state.oldest_first = !state.oldest_first;
            }
            let width = (ui.available_width() - 24.0).clamp(40.0, 320.0);
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                named_field(ui, "Search the log", "Search", &mut state.search, width);
            });
        });
    });
    let wanted = state.search.trim().to_lowercase();
    let matches = |notice: &&Notice| {
        let says = |text: &str| text.to_lowercase().contains(&wanted);
        wanted.is_empty() || says(&notice.text) || says(notice.severity.word())
    };
    let mut found: Vec<_> = model.notices().rev().filter(matches).collect();
    let left_out = found.len().saturating_sub(LISTED);
    found.truncate(LISTED);
    if state.oldest_first {
        found.reverse();
    }
    ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
        if found.is_empty() {
            note(ui, "No notice has this text.");
        }
        found.into_iter().for_each(|notice| show_notice(ui, notice));
        if left_out > 0 {
            note(ui, &format!("{left_out} older ones are not listed; search for them."));
        }
    });
    Vec::new()
}

fn show_notice(ui: &mut Ui, notice: &Notice) {
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.y = 1.0;
        ui.horizontal_wrapped(|ui| {
            let small = |text: String, rgb| RichText::new(text).size(SMALL).color(ink(rgb));
            ui.label(small(notice.severity.word().to_owned(), notice.severity.colour()));
            let place = format!("{} · generation {}, turn {}", notice.time, notice.generation, notice.turn);
            ui.label(small(place, palette::TEXT_WEAK));
            if notice.count > 1 {
                ui.label(small(format!("{} times", notice.count), palette::TEXT));
            }
        });
        ui.add(Label::new(RichText::new(&notice.text).color(ink(palette::TEXT))).wrap());
    });
    ui.add_space(4.0);
}

/// Something that matters now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Banner {
    /// How much.
    pub severity: Severity,
    /// What, in a sentence.
    pub text: String,
}

/// Shows the first of these in a strip over the whole width, and how many wait behind it; nothing where there are none.
/// [`UserCommand::Dismiss`] is about the first.
pub fn show_banners(ui: &mut Ui, banners: &[Banner]) -> Vec<UserCommand> {
    let mut wishes = Vec::new();
    let Some(banner) = banners.first() else { return wishes };
    let frame = Frame::new().fill(ink(palette::INSET)).corner_radius(6).inner_margin(Margin::symmetric(12, 6));
    frame.stroke(Stroke::new(1.0, ink(banner.severity.colour()))).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.horizontal(|ui| {
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if ui.add(Button::new("Dismiss")).clicked() {
                    wishes.push(UserCommand::Dismiss);
                }
                if banners.len() > 1 {
                    let more = format!("{} more", banners.len() - 1);
                    ui.label(RichText::new(more).size(SMALL).color(ink(palette::TEXT_WEAK)));
                }
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                    ui.label(RichText::new(banner.severity.word()).color(ink(banner.severity.colour())));
                    ui.add(Label::new(RichText::new(&banner.text).color(ink(palette::TEXT))).wrap());
                });
            });
        });
    });
    wishes
}

#[cfg(test)]
mod tests;
