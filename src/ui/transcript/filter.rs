//! Which lines are to be seen.

use bevy_egui::egui::{ComboBox, DragValue, Ui};
use serde::{Deserialize, Serialize};

use super::{TranscriptModel, lines::TranscriptLine};
use crate::{
    protocol::{Action, CreatureName, HabitatId},
    ui::widgets::named_field,
};

/// Kinds of actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum ActionKind {
    /// All of them.
    #[default]
    Any,
    /// Steps.
    Move,
    /// Taking up.
    PickUp,
    /// Laying down.
    Drop,
    /// Eating.
    Eat,
    /// Waiting.
    Wait,
}

impl ActionKind {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Any, "any action"),
        (Self::Move, "move"),
        (Self::PickUp, "pick up"),
        (Self::Drop, "drop"),
        (Self::Eat, "eat"),
        (Self::Wait, "wait"),
    ];

    const fn fits(self, action: Action) -> bool {
        match self {
            Self::Any => true,
            Self::Move => matches!(action, Action::Move(_)),
            Self::PickUp => matches!(action, Action::PickUp),
            Self::Drop => matches!(action, Action::Drop),
            Self::Eat => matches!(action, Action::Eat),
            Self::Wait => matches!(action, Action::Wait),
        }
    }
}

/// Which rewards are to be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum RewardIs {
    /// All of them.
    #[default]
    Any,
    /// Those above the bound.
    Above,
    /// Those below it.
    Below,
}

impl RewardIs {
    const ALL: [(Self, &'static str); 3] =
        [(Self::Any, "any reward"), (Self::Above, "reward above"), (Self::Below, "reward below")];
}

/// Which lines are to be seen.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Filter {
    /// Words that stand in the prompt or in the reply, in capitals or not; empty for all.
    pub text: String,
    /// Only the selected agent's.
    pub selected_only: bool,
    /// Only such actions.
    pub action: ActionKind,
    /// Only such rewards.
    pub reward: RewardIs,
    /// The bound of the rewards.
    pub bound: f64,
    /// Only this habitat's.
    pub habitat: Option<u32>,
}

/// A filter that is ready to be held against many lines.
pub(super) struct Sieve<'a> {
    filter: &'a Filter,
    selected: Option<CreatureName>,
    needle: String,
    /// Where words are put into small letters, used again for every line.
    lower: String,
}

impl<'a> Sieve<'a> {
    pub(super) fn new(filter: &'a Filter, selected: Option<CreatureName>) -> Self {
        Self { filter, selected, needle: filter.text.trim().to_lowercase(), lower: String::new() }
    }

    /// Whether the line is to be seen.
    pub(super) fn lets_pass(&mut self, line: &TranscriptLine<'_>) -> bool {
        let filter = self.filter;
        let is_reward = match filter.reward {
            RewardIs::Any => true,
            RewardIs::Above => line.reward > filter.bound,
            RewardIs::Below => line.reward < filter.bound,
        };
        is_reward
            && filter.action.fits(line.action)
            && (!filter.selected_only || self.selected == Some(line.who))
            && filter.habitat.is_none_or(|habitat| HabitatId(habitat) == line.who.0)
            && (self.needle.is_empty() || self.holds(line.prompt) || self.holds(line.reply))
    }

    fn holds(&mut self, text: &str) -> bool {
        self.lower.clear();
        self.lower.extend(text.chars().flat_map(char::to_lowercase));
        self.lower.contains(&self.needle)
    }
}

/// Width from which words and kinds stand in one row, in points.
const TWO: f32 = 660.0;
/// Width from which everything stands in one row, in points.
const ONE: f32 = 880.0;

/// Shows the fields of the filter. The rows are laid out by hand: choices do not wrap by themselves.
pub(super) fn show(ui: &mut Ui, model: &TranscriptModel<'_>, filter: &mut Filter) {
    let width = ui.available_width();
    let has_rest = model.habitats > 1 || *filter != Filter::default();
    if width >= TWO {
        ui.horizontal(|ui| {
            show_words(ui, model, filter);
            show_kinds(ui, filter);
            if width >= ONE {
                show_rest(ui, model, filter);
            }
        });
    } else {
        ui.horizontal(|ui| show_words(ui, model, filter));
        ui.horizontal(|ui| show_kinds(ui, filter));
    }
    if width < ONE && has_rest {
        ui.horizontal(|ui| show_rest(ui, model, filter));
    }
}

fn show_words(ui: &mut Ui, model: &TranscriptModel<'_>, filter: &mut Filter) {
    const ONLY: f32 = 142.0;
    let width = (ui.available_width() - ONLY).clamp(60.0, 190.0);
    named_field(ui, "Search", "search", &mut filter.text, width);
    let only = ui.add_enabled_ui(model.selected.is_some() || filter.selected_only, |ui| {
        ui.checkbox(&mut filter.selected_only, "Selected only")
    });
    only.inner.on_hover_text("Only what the selected agent was told and did.");
}

fn show_kinds(ui: &mut Ui, filter: &mut Filter) {
    let text = ActionKind::ALL.iter().find(|(kind, _)| *kind == filter.action).map_or("", |one| one.1);
    ComboBox::from_id_salt("action").selected_text(text).width(90.0).show_ui(ui, |ui| {
        for (kind, word) in ActionKind::ALL {
            ui.selectable_value(&mut filter.action, kind, word);
        }
    });
    let text = RewardIs::ALL.iter().find(|(is, _)| *is == filter.reward).map_or("", |one| one.1);
    ComboBox::from_id_salt("reward").selected_text(text).width(110.0).show_ui(ui, |ui| {
        for (is, word) in RewardIs::ALL {
            ui.selectable_value(&mut filter.reward, is, word);
        }
    });
    if filter.reward != RewardIs::Any {
        ui.add(DragValue::new(&mut filter.bound).speed(0.05).max_decimals(2));
    }
}

fn show_rest(ui: &mut Ui, model: &TranscriptModel<'_>, filter: &mut Filter) {
    if model.habitats > 1 {
        let text = filter.habitat.map_or_else(|| "all habitats".to_owned(), |number| format!("habitat {number}"));
        ComboBox::from_id_salt("habitat").selected_text(text).width(110.0).show_ui(ui, |ui| {
            ui.selectable_value(&mut filter.habitat, None, "all habitats");
            for number in 0..model.habitats {
                ui.selectable_value(&mut filter.habitat, Some(number), format!("habitat {number}"));
            }
        });
    }
    if *filter != Filter::default() && ui.button("Clear").on_hover_text("Shows all lines.").clicked() {
        *filter = Filter::default();
    }
}
