//! The panel *Transcript*: what everybody was told, said and did, turn by turn, to be searched and filtered.
//!
//! Lines are read one at a time from wherever they are kept; only those that are to be seen are made into text, and only
//! new ones are held against the filter. This module does *not* know who keeps them.

mod filter;
mod lines;
mod rows;
mod state;

use std::ops::Range;

use bevy_egui::egui::{Button, Label, RichText, Ui};

pub use filter::{ActionKind, Filter, RewardIs};
pub use lines::{KeptLine, KeptLines, TranscriptLine, TranscriptSource};
pub use state::TranscriptState;

use super::{
    theme::{SMALL, ink},
    widgets::{empty_state, thousands},
};
use crate::{
    palette,
    protocol::{CreatureName, UserCommand},
};

/// Width from which the number of lines stands beside the buttons, in points; below it, under them.
const WIDE: f32 = 420.0;

/// What the panel shows.
#[derive(Clone, Copy)]
pub struct TranscriptModel<'a> {
    /// The lines, wherever they are kept.
    pub lines: &'a dyn TranscriptSource,
    /// The selected agent.
    pub selected: Option<CreatureName>,
    /// How many habitats there are.
    pub habitats: u32,
}

/// Shows the panel and gives what the person wants.
pub fn show_transcript(ui: &mut Ui, model: &TranscriptModel<'_>, state: &mut TranscriptState) -> Vec<UserCommand> {
    let mut wishes = Vec::new();
    filter::show(ui, model, &mut state.filter);
    let frozen = state.frozen.clone();
    let source: &dyn TranscriptSource = frozen.as_deref().map_or(model.lines, |kept| kept);
    state.refresh(source, model.selected);
    let span = source.span();
    let is_wide = ui.available_width() > WIDE;
    ui.horizontal_wrapped(|ui| {
        let word = if frozen.is_some() { "Go on" } else { "Hold" };
        let help = "Holds these lines still, so that they can be read; new ones are kept meanwhile.";
        if ui.button(word).on_hover_text(help).clicked() {
            state.hold(model.lines);
        }
        let marked = state.marked.and_then(|number| source.line(number));
        let copy = ui.add_enabled(marked.is_some(), Button::new("Copy line"));
        if let Some(line) = marked.filter(|_| copy.on_hover_text("The line that was clicked last.").clicked()) {
            ui.ctx().copy_text(line.as_text(model.habitats > 1));
        }
        let all = ui.add_enabled(!state.found().is_empty(), Button::new("Copy all"));
        if all.on_hover_text("All lines that are found, with tabs between the columns.").clicked() {
            ui.ctx().copy_text(state.copy(source, model.habitats > 1));
        }
        if is_wide {
            show_count(ui, state.found().len(), &span, frozen.is_some());
        }
    });
    if !is_wide {
        show_count(ui, state.found().len(), &span, frozen.is_some());
    }
    if span.is_empty() {
        empty_state(
            ui,
            "Nothing was said yet",
            "What every agent is told, what it says and what it does appears here, turn by turn.",
        );
    } else if state.found().is_empty() {
        empty_state(ui, "Nothing like that", "No line is as the filter asks. \"Clear\" shows all of them again.");
    } else {
        rows::show(ui, model, source, state, &mut wishes);
    }
    wishes
}

fn show_count(ui: &mut Ui, found: usize, span: &Range<u64>, is_held: bool) {
    let held = if is_held { " · held" } else { "" };
    let kept = span.end.saturating_sub(span.start);
    let text = format!("{} of {} lines{held}", thousands(found as u64), thousands(kept));
    ui.add(Label::new(RichText::new(text).size(SMALL).color(ink(palette::TEXT_WEAK))).truncate());
}

#[cfg(test)]
mod tests;
