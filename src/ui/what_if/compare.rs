//! The prompt as it is being edited, and what every mind would do.

use bevy_egui::egui::{
    Button, Id, ScrollArea, TextEdit, TextStyle, Ui, WidgetInfo, WidgetType,
    text::{CCursor, CCursorRange},
    text_edit::TextEditState,
    vec2,
};

use super::{
    model::{MindChoice, WhatIfModel},
    state::WhatIfState,
};
use crate::{
    language::action_phrase,
    protocol::{Action, Opinion},
    ui::{
        bars::{BarCell, bar_grid, grid_width},
        widgets::{note, section},
    },
};

/// What people cannot type, or need not: words of the grammar of prompts.
const INSERTS: [&str; 6] = ["↑", "↓", "→", "←", ", has food", " here"];

pub(super) fn show(ui: &mut Ui, model: &WhatIfModel, state: &mut WhatIfState) {
    section(ui, "What it is told");
    let id = ui.make_persistent_id("prompt");
    let field = TextEdit::multiline(&mut state.prompt)
        .id(id)
        .font(TextStyle::Monospace)
        .desired_width(f32::INFINITY)
        .desired_rows(3)
        .margin(vec2(8.0, 6.0))
        .hint_text("At (5,3), E80. See: food→ Action:");
    let response = ui.add(field);
    if response.changed() {
        state.is_edited = true;
    }
    let text = state.prompt.clone();
    response.widget_info(|| {
        let mut info = WidgetInfo::labeled(WidgetType::TextEdit, true, "Prompt");
        info.current_text_value = Some(text.clone());
        info
    });
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        for words in INSERTS {
            if ui.add(Button::new(words.trim_start_matches([',', ' '])).small()).clicked() {
                insert(ui, id, &mut state.prompt, words);
                state.is_edited = true;
            }
        }
    });
    ui.horizontal_wrapped(|ui| {
        let take = ui.add_enabled(model.last_prompt.is_some(), Button::new("Take the last prompt"));
        if take.on_hover_text("What the selected agent was told in its last turn.").clicked() {
            state.take(model);
        }
        if ui.button("Ask again").on_hover_text("Minds change as they learn.").clicked() {
            state.ask_again();
        }
    });
    ui.add_space(8.0);
    section(ui, "What they would do, in %");
    show_answers(ui, model, state);
}

/// Puts words where the cursor is, in place of what is selected, and the cursor behind them.
fn insert(ui: &Ui, id: Id, text: &mut String, words: &str) {
    let length = text.chars().count();
    let mut edit = TextEditState::load(ui.ctx(), id).unwrap_or_default();
    let range = edit.cursor.char_range().map(|range| range.as_sorted_char_range());
    let (from, to) = range.map_or((length, length), |range| (range.start.0.min(length), range.end.0.min(length)));
    *text = text.chars().take(from).chain(words.chars()).chain(text.chars().skip(to)).collect();
    let after = CCursor::new(from + words.chars().count());
    edit.cursor.set_char_range(Some(CCursorRange::one(after)));
    edit.store(ui.ctx(), id);
    ui.ctx().memory_mut(|memory| memory.request_focus(id));
}

fn show_answers(ui: &mut Ui, model: &WhatIfModel, state: &WhatIfState) {
    // Whoever cannot be asked has no column, but a line below.
    let there: Vec<_> = model.minds.iter().filter(|mind| mind.absent.is_none()).collect();
    let headings: Vec<_> = there.iter().map(|mind| mind.heading()).collect();
    let columns: Vec<_> = there.iter().map(|mind| column(mind, state)).collect();
    let row = |action: Action| {
        let cells = columns.iter().map(|column| column[action.index()].clone()).collect();
        (action_phrase(action).to_owned(), cells)
    };
    let rows: Vec<_> = Action::ALL.into_iter().map(row).collect();
    const NAMES: f32 = 68.0;
    ScrollArea::horizontal().id_salt("answers").auto_shrink([false, true]).show(ui, |ui| {
        ui.set_min_width(grid_width(NAMES, headings.len()));
        ui.spacing_mut().item_spacing.y = 2.0;
        bar_grid(ui, NAMES, &headings, &rows);
    });
    if state.prompt.trim().is_empty() {
        note(ui, "Write what they are told, and what they would do appears here.");
    } else if !state.is_fresh() {
        note(ui, "They are thinking …");
    }
    let mut reasons: Vec<String> = Vec::new();
    for mind in &model.minds {
        let silent = || match state.answer_of(mind.who) {
            Some(Opinion::Silent(reason)) => Some(reason),
            _ => None,
        };
        if let Some(reason) = mind.absent.as_ref().or_else(silent) {
            let text = format!("The {}: {}.", mind.words(), reason.trim_end_matches('.'));
            if !reasons.contains(&text) {
                reasons.push(text);
            }
        }
    }
    reasons.iter().for_each(|text| note(ui, text));
}

/// What one mind would do, in the order of [`Action::ALL`].
fn column(mind: &MindChoice, state: &WhatIfState) -> Vec<BarCell> {
    let Some(Opinion::Weighed { policy, .. }) = state.answer_of(mind.who) else {
        return vec![BarCell::empty(); Action::COUNT];
    };
    let best = policy.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    // Three digits are enough.
    let value = |p: f32| if p > 0.9995 { "100".to_owned() } else { format!("{:.1}", p * 100.0) };
    let cell = |p: &f32| BarCell { part: Some(*p), value: value(*p), marked: *p == best };
    policy.iter().map(cell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        language::grammar,
        protocol::{Direction, Thing},
    };

    #[test]
    fn the_quick_words_are_the_grammars() {
        let arrows = [Direction::North, Direction::South, Direction::East, Direction::West].map(grammar::arrow);
        assert_eq!(INSERTS[..4].concat(), arrows.iter().collect::<String>());
        assert_eq!(INSERTS[4], format!("{}{}", grammar::HAS, grammar::thing_word(Thing::Food)));
        assert_eq!(INSERTS[5], grammar::HERE);
    }
}
