//! For tests: a panel as a person uses it, who clicks, writes, and wants something by that.
//!
//! This module does *not* know any panel.

use bevy_egui::egui::{Ui, vec2};
use egui_kittest::{Harness, kittest::Queryable};

use crate::protocol::UserCommand;

/// What a panel shows, what it remembers, and what the person has wanted since somebody last asked.
pub(super) struct Tried<M, S> {
    pub model: M,
    pub state: S,
    pub wishes: Vec<UserCommand>,
}

/// A panel that is being tried.
pub(super) type Trial<M, S> = Harness<'static, Tried<M, S>>;

/// Frames after which a panel has settled.
const SETTLED: usize = 3;

/// Shows a panel of this size in points, at this scale of the window.
pub(super) fn try_panel<M: 'static, S: 'static>(
    show: impl Fn(&mut Ui, &M, &mut S) -> Vec<UserCommand> + 'static,
    (model, state): (M, S),
    (width, height): (f32, f32),
    scale: f32,
) -> Trial<M, S> {
    let builder = Harness::builder().with_size(vec2(width, height)).with_pixels_per_point(scale);
    let mut trial = builder.build_ui_state(
        move |ui: &mut Ui, tried: &mut Tried<M, S>| {
            let wishes = show(ui, &tried.model, &mut tried.state);
            tried.wishes.extend(wishes);
        },
        Tried { model, state, wishes: Vec::new() },
    );
    trial.run_steps(SETTLED);
    trial
}

/// What the person has wanted by now, each wish once.
pub(super) fn taken<M, S>(trial: &mut Trial<M, S>) -> Vec<UserCommand> {
    trial.run_steps(SETTLED);
    std::mem::take(&mut trial.state_mut().wishes)
}

/// What the person wants by a click on the one thing with this label.
pub(super) fn click<M, S>(trial: &mut Trial<M, S>, label: &str) -> Vec<UserCommand> {
    trial.state_mut().wishes.clear();
    trial.get_by_label(label).click();
    taken(trial)
}

/// What the person wants by a click on the first or the last of the things with this label.
pub(super) fn click_one_of<M, S>(trial: &mut Trial<M, S>, label: &str, last: bool) -> Vec<UserCommand> {
    trial.state_mut().wishes.clear();
    {
        let mut all = trial.get_all_by_label(label);
        let one = if last { all.last() } else { all.next() };
        one.unwrap_or_else(|| panic!("there is no {label}")).click();
    }
    taken(trial)
}

/// Writes into a field, behind what is in it.
pub(super) fn write<M, S>(trial: &mut Trial<M, S>, field: &str, text: &str) {
    trial.get_by_label(field).focus();
    trial.run_steps(SETTLED);
    trial.get_by_label(field).type_text(text);
    trial.run_steps(SETTLED);
}
