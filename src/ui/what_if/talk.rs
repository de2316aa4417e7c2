//! Talking with minds: a question, and what they say, word for word.

use bevy_egui::egui::{Align, Button, ComboBox, Frame, Key, Label, Layout, RichText, ScrollArea, Ui};

use super::{
    model::{MindChoice, WhatIfModel},
    state::{Talk, WhatIfState},
};
use crate::{
    palette,
    protocol::{Opinion, UserCommand},
    ui::{
        theme::{SMALL, ink},
        widgets::{named_field, note},
    },
};

/// Room below the talk for the question, in points.
const BELOW: f32 = 84.0;

pub(super) fn show(ui: &mut Ui, model: &WhatIfModel, state: &mut WhatIfState, wishes: &mut Vec<UserCommand>) {
    let height = (ui.available_height() - BELOW).max(60.0);
    ScrollArea::vertical().id_salt("talk").auto_shrink([false, false]).max_height(height).stick_to_bottom(true).show(
        ui,
        |ui| {
            if state.talks.is_empty() {
                note(
                    ui,
                    "Ask something, and what the mind says appears here, word for word. A tiny model says odd things.",
                );
            }
            state.talks.iter().for_each(|talk| show_talk(ui, talk));
        },
    );
    show_whom(ui, model, state);
    ui.horizontal(|ui| {
        let width = (ui.available_width() - 78.0).max(60.0);
        let field = named_field(ui, "Question", "The opposite of north is", &mut state.question, width);
        let is_entered = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
        let can_ask = !state.question.trim().is_empty() && state.addressed(model).any(|mind| mind.absent.is_none());
        if ui.add_enabled(can_ask, Button::new("Ask")).clicked() || (can_ask && is_entered) {
            wishes.extend(state.talk(model));
            field.request_focus();
        }
    });
}

fn show_whom(ui: &mut Ui, model: &WhatIfModel, state: &mut WhatIfState) {
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new("To").color(ink(palette::TEXT_WEAK)));
        let all = "all of them".to_owned();
        let shown = model.minds.get(state.to).map_or_else(|| all.clone(), MindChoice::words);
        ComboBox::from_id_salt("to").selected_text(shown).width(140.0).show_ui(ui, |ui| {
            for (at, mind) in model.minds.iter().enumerate() {
                ui.selectable_value(&mut state.to, at, mind.words());
            }
            ui.selectable_value(&mut state.to, usize::MAX, all);
        });
        if let Some(reason) = model.minds.get(state.to).and_then(|mind| mind.absent.as_deref()) {
            note(ui, &format!("{}.", reason.trim_end_matches('.')));
        }
    });
}

fn show_talk(ui: &mut Ui, talk: &Talk) {
    said(ui, "You", &talk.question, true);
    for (at, (_, name)) in talk.minds.iter().enumerate() {
        match talk.answers.as_ref().and_then(|answers| answers.get(at)) {
            Some(Opinion::Said { text, .. }) => said(ui, name, text, false),
            Some(Opinion::Silent(reason)) => note(ui, &format!("{name}: {reason}")),
            Some(Opinion::Weighed { .. }) => note(ui, &format!("{name} weighed the actions and said nothing.")),
            None => note(ui, &format!("{name} is thinking …")),
        }
    }
}

fn said(ui: &mut Ui, name: &str, text: &str, is_person: bool) {
    let align = if is_person { Align::Max } else { Align::Min };
    ui.with_layout(Layout::top_down(align), |ui| {
        ui.set_max_width(ui.available_width());
        ui.label(RichText::new(name).size(SMALL).color(ink(palette::TEXT_WEAK)));
        let fill = if is_person { palette::INSET } else { palette::PANEL };
        let frame = Frame::new().fill(ink(fill)).corner_radius(8.0).inner_margin(8.0);
        frame.stroke((1.0, ink(palette::INSET))).show(ui, |ui| {
            let text = if text.trim().is_empty() { "(nothing)" } else { text };
            ui.add(Label::new(RichText::new(text).color(ink(palette::TEXT))).wrap().selectable(true));
        });
    });
}
