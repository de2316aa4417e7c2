//! How fit generations were: curves of mean, best, median and quartiles, and beside them whatever else was measured.
//!
//! This panel does *not* know records or habitats; it is told numbers, and asks for files to be written.

mod curve;
mod model;
mod plot;

use std::{collections::BTreeSet, path::PathBuf};

use bevy_egui::egui::{
    Align, Button, ComboBox, Layout, PopupCloseBehavior, Rect, RichText, Ui, UiBuilder,
    containers::menu::{MenuButton, MenuConfig},
    pos2, vec2,
};
use serde::{Deserialize, Serialize};

pub use self::{
    curve::Curve,
    model::{FitnessModel, GenerationValues, Quantity, Reference},
};
use super::{
    theme::ink,
    widgets::{empty_state, named_field},
};
use crate::{palette, protocol::UserCommand};

/// Below this width, in points, the export hides in a menu.
const NARROW: f32 = 620.0;
/// By so many points more where there are several habitats.
const SEVERAL: f32 = 160.0;
/// Below this width, in points, the bar has fewer words.
const TIGHT: f32 = 480.0;
/// Below this height, in points, there is one picture and no legend under the bar.
const LOW: f32 = 150.0;
/// Room that a picture of its own needs beside or below another, in points.
const SECOND: (f32, f32) = (330.0, 150.0);

/// What can be shown beside fitness.
const OTHERS: [Quantity; 7] = [
    Quantity::Deliveries,
    Quantity::Deaths,
    Quantity::Loss,
    Quantity::Entropy,
    Quantity::Kl,
    Quantity::Diversity,
    Quantity::Lines,
];

/// What the panel remembers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FitnessState {
    /// What is shown besides fitness.
    pub beside: Option<Quantity>,
    /// Whether several habitats are shown as one.
    pub together: bool,
    /// Names of curves that are hidden.
    pub hidden: BTreeSet<String>,
    /// Where pictures and rows are written to, without the ending.
    pub file: String,
}

impl Default for FitnessState {
    fn default() -> Self {
        Self { beside: None, together: true, hidden: BTreeSet::new(), file: "generations".to_owned() }
    }
}

/// Shows the panel and gives what the person wants.
pub fn show_fitness(ui: &mut Ui, model: &FitnessModel, state: &mut FitnessState) -> Vec<UserCommand> {
    if model.is_empty() {
        let text = "A curve of the agents' fitness grows here as soon as they live: mean, best, median and quartiles of \
                    every generation, beside what `rules` and `random` come to on the same maps.";
        empty_state(ui, "Fitness", text);
        return Vec::new();
    }
    let room = ui.available_rect_before_wrap();
    let mut wishes = Vec::new();
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 6.0;
        choose(ui, model, state);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let needed = if model.habitats() > 1 { NARROW + SEVERAL } else { NARROW };
            if room.width() < needed {
                let config = MenuConfig::new().close_behavior(PopupCloseBehavior::CloseOnClickOutside);
                MenuButton::new("Export").config(config).ui(ui, |ui| {
                    export(ui, state, &mut wishes);
                    if !wishes.is_empty() {
                        ui.close();
                    }
                });
            } else {
                export(ui, state, &mut wishes);
            }
        });
    });
    let left = Rect::from_min_max(pos2(room.left(), ui.cursor().top()), room.max);
    let picture = |ui: &mut Ui, rect: Rect, quantity: Option<Quantity>, state: &mut FitnessState| {
        ui.scope_builder(UiBuilder::new().max_rect(rect).layout(Layout::top_down(Align::Min)), |ui| {
            plot::show_picture(ui, model, quantity, state, room.height() >= LOW);
        });
    };
    let gap = 12.0;
    match state.beside {
        None => picture(ui, left, None, state),
        Some(other) if left.width() >= 2.0 * SECOND.0 => {
            let (one, two) = left.split_left_right_at_fraction(0.5);
            picture(ui, one.with_max_x(one.right() - gap / 2.0), None, state);
            picture(ui, two.with_min_x(two.left() + gap / 2.0), Some(other), state);
        }
        Some(other) if left.height() >= 2.0 * SECOND.1 => {
            let (one, two) = left.split_top_bottom_at_fraction(0.5);
            picture(ui, one.with_max_y(one.bottom() - gap / 2.0), None, state);
            picture(ui, two.with_min_y(two.top() + gap / 2.0), Some(other), state);
        }
        Some(other) => picture(ui, left, Some(other), state),
    }
    wishes
}

/// What is shown besides fitness, and how several habitats are.
fn choose(ui: &mut Ui, model: &FitnessModel, state: &mut FitnessState) {
    let is_tight = ui.available_width() < TIGHT;
    if !is_tight {
        ui.label(RichText::new("Fitness and").color(ink(palette::TEXT_WEAK)));
    }
    let chosen = state.beside.map_or("nothing else", Quantity::name);
    let response = ComboBox::from_id_salt("beside").selected_text(chosen).width(100.0).show_ui(ui, |ui| {
        ui.selectable_value(&mut state.beside, None, "nothing else");
        for other in OTHERS {
            ui.selectable_value(&mut state.beside, Some(other), other.name());
        }
    });
    response.response.on_hover_text("What else to see. Drag to move, turn the wheel to zoom, double click to fit.");
    if model.habitats() > 1 && is_tight {
        let mut each = !state.together;
        ui.toggle_value(&mut each, "Each habitat").on_hover_text("A line for every habitat, or the mean over all.");
        state.together = !each;
    } else if model.habitats() > 1 {
        ui.selectable_value(&mut state.together, true, "Together")
            .on_hover_text("The mean over all habitats; the best of all.");
        ui.selectable_value(&mut state.together, false, "Each habitat").on_hover_text("A line for every habitat.");
    }
}

/// Where to write to, and the two buttons. From right to left.
fn export(ui: &mut Ui, state: &mut FitnessState, wishes: &mut Vec<UserCommand>) {
    let names = [with_ending(&state.file, "csv"), with_ending(&state.file, "png")];
    let is_named = !state.file.trim().is_empty();
    for (label, name) in ["Export CSV", "Export PNG"].into_iter().zip(names) {
        let hint = format!("Writes {}.", name.display());
        if ui.add_enabled(is_named, Button::new(label).min_size(vec2(96.0, 0.0))).on_hover_text(hint).clicked() {
            wishes.push(if label == "Export CSV" {
                UserCommand::ExportRows(name)
            } else {
                UserCommand::ExportPlot(name)
            });
        }
    }
    named_field(ui, "File to export to", "file", &mut state.file, 120.0)
        .on_hover_text("The file to write, without its ending; it may begin with a folder.");
}

/// The file's name with this ending, in place of `.png` or `.csv` where it has one.
fn with_ending(file: &str, ending: &str) -> PathBuf {
    let file = file.trim();
    let bare = [".png", ".csv"].iter().find_map(|end| {
        let at = file.len().checked_sub(end.len())?;
        file.get(at..).filter(|tail| tail.eq_ignore_ascii_case(end)).map(|_| &file[..at])
    });
    PathBuf::from(format!("{}.{ending}", bare.unwrap_or(file)))
}

#[cfg(test)]
mod tests;
