//! The last turn of the open mind: what it was told, what it said, and how likely every action was.

use bevy_egui::egui::{Frame, Label, RichText, TextStyle, Ui};

use super::model::{Mind, ShownTurn};
use crate::{
    language::action_phrase,
    palette,
    protocol::Action,
    ui::{
        bars::{BarRow, bar_row},
        theme::ink,
        widgets::{note, section},
        words::{outcome_word, percent},
    },
};

pub(super) fn show(ui: &mut Ui, mind: &Mind) {
    ui.add_space(8.0);
    let Some(turn) = &mind.turn else {
        section(ui, "Last turn");
        note(ui, if mind.alive { "Its first decision appears here." } else { "Nothing of its turns is kept." });
        return;
    };
    section(ui, &format!("Turn {}", turn.turn));
    note(ui, "It was told");
    quoted(ui, if turn.prompt.is_empty() { "(nothing: this mind does not read)" } else { &turn.prompt });
    note(ui, if turn.stood_in { "`rules` said in its stead" } else { "It said" });
    quoted(ui, &turn.reply);
    ui.add_space(4.0);
    show_actions(ui, turn);
    if let Some(text) = who_drew(turn) {
        note(ui, &text);
    }
    if let Some(outcome) = turn.outcome {
        note(ui, &format!("What came of it: {}.", outcome_word(outcome)));
    }
}

/// Who may have drawn the action other than the mind. One draw serves both, so that only how likely it is can be said.
pub(super) fn who_drew(turn: &ShownTurn) -> Option<String> {
    if turn.stood_in {
        return Some("The mind did not answer: `rules` decided in its stead.".to_owned());
    }
    let part = percent(turn.explored);
    (turn.explored > 0.0).then(|| format!("Drawn by exploration, not by the mind: {part} likely."))
}

fn show_actions(ui: &mut Ui, turn: &ShownTurn) {
    ui.spacing_mut().item_spacing.y = 2.0;
    if turn.policy.iter().all(|p| *p == 0.0) {
        note(ui, &format!("No action was weighed: the words were read as \"{}\".", action_phrase(turn.action)));
        return;
    }
    for (action, part) in Action::ALL.into_iter().zip(turn.policy) {
        let chosen = action == turn.action;
        bar_row(ui, &BarRow { name: action_phrase(action), part, value: percent(part), chosen });
    }
    ui.add_space(4.0);
}

/// Words exactly as they were said, set apart, to be selected and copied.
pub(super) fn quoted(ui: &mut Ui, text: &str) {
    Frame::new().fill(ink(palette::INSET)).corner_radius(6.0).inner_margin(8.0).show(ui, |ui| {
        ui.set_min_width(ui.available_width());
        let text = RichText::new(text).text_style(TextStyle::Monospace).color(ink(palette::TEXT));
        ui.add(Label::new(text).wrap().selectable(true));
    });
}
