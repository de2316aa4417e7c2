//! The column on the left: play, speed, the seed, presets, and every setting.

use std::{path::PathBuf, sync::Arc};

use bevy_egui::egui::{Button, CollapsingHeader, RichText, ScrollArea, Slider, TextEdit, Ui, vec2};
use serde::{Deserialize, Serialize};

use super::{
    setting::{NEXT_GENERATION, NEXT_RUN, show_setting, title},
    theme::{SMALL, card, ink, mixed},
};
use crate::{
    config::{Applies, Preset, SettingValues, Spec, specs},
    palette,
    protocol::UserCommand,
};

/// Slowest speed on the slider, in turns per second.
const SLOWEST: f32 = 0.5;
/// Fastest speed on the slider, in turns per second.
const FASTEST: f32 = 1000.0;

/// Settings that people reach for first, in this order.
const FIRST: &[&str] = &[
    "mind.temperature",
    "learning.enabled",
    "learning.learning_rate",
    "learning.objective",
    "evolution.mutation_rate",
    "evolution.elite_ratio",
    "evolution.inheritance",
    "run.turns",
    "habitat.regrow_turns",
];

/// The other settings, by section and with a heading.
const SECTIONS: &[(&str, &str)] = &[
    ("reward", "Rewards"),
    ("energy", "Energy"),
    ("habitat", "Habitat"),
    ("mind", "Deciding"),
    ("learning", "Learning"),
    ("evolution", "Evolution"),
    ("fitness", "Fitness"),
    ("run", "Run"),
    ("model", "Model"),
    ("lora", "Adapters"),
];

/// What the column shows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ControlsModel {
    /// Whether turns follow each other.
    pub playing: bool,
    /// Whether the last generation is over.
    pub finished: bool,
    /// Turns per second aimed at; infinity is as many as there can be.
    pub speed: f32,
    /// Seed of the run.
    pub seed: u64,
    /// The settings, with changes that still wait.
    pub settings: Arc<SettingValues>,
    /// The settings that the run lives by now.
    pub living: Arc<SettingValues>,
    /// The built-in defaults.
    pub defaults: Arc<SettingValues>,
}

/// What the column remembers by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ControlsState {
    seed: Option<String>,
    search: String,
    file: String,
}

impl Default for ControlsState {
    fn default() -> Self {
        Self { seed: None, search: String::new(), file: "settings.toml".to_owned() }
    }
}

/// Shows the column and gives what the person wants.
pub fn show_controls(ui: &mut Ui, model: &ControlsModel, state: &mut ControlsState) -> Vec<UserCommand> {
    let mut wishes = Vec::new();
    card().show(ui, |ui| {
        ui.set_width(ui.available_width());
        show_playback(ui, model, &mut wishes);
        show_seed(ui, model, state, &mut wishes);
    });
    ui.add_space(2.0);
    ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
        show_files(ui, state, &mut wishes);
        let waiting = waiting(model);
        if waiting > 0 {
            let what = if waiting == 1 { "1 change waits".to_owned() } else { format!("{waiting} changes wait") };
            ui.label(RichText::new(format!("{what} until the run starts again.")).color(ink(palette::ACCENT)));
        }
        ui.label(
            RichText::new(format!(
                "Changes hold from the next turn; with {NEXT_GENERATION} from the next generation, with {NEXT_RUN} when the run starts again."
            ))
            .size(SMALL)
            .color(ink(palette::TEXT_WEAK)),
        );
        show_settings(ui, model, state, &mut wishes);
    });
    wishes
}

fn show_playback(ui: &mut Ui, model: &ControlsModel, wishes: &mut Vec<UserCommand>) {
    let is_playing = model.playing && !model.finished;
    let wide = vec2(ui.available_width(), 34.0);
    // What waits for the person stands out; what runs does not.
    let (label, share) = if is_playing { ("Pause", 70) } else { ("▶  Play", 190) };
    let play = Button::new(RichText::new(label).strong()).fill(mixed(palette::INSET, palette::HOME, share));
    let play = ui.add_enabled_ui(!model.finished, |ui| ui.add_sized(wide, play)).inner;
    if play.on_hover_text("Space").clicked() {
        wishes.push(if model.playing { UserCommand::Pause } else { UserCommand::Play });
    }
    ui.spacing_mut().button_padding.x = 4.0;
    ui.columns(2, |columns| {
        let mut step = |ui: &mut Ui, text: &str, key: &str, wish: UserCommand| {
            let size = vec2(ui.available_width(), 26.0);
            let button = ui.add_enabled_ui(!model.finished, |ui| ui.add_sized(size, Button::new(text))).inner;
            if button.on_hover_text(key).clicked() {
                wishes.push(wish);
            }
        };
        step(&mut columns[0], "One turn", "→", UserCommand::StepTurn);
        step(&mut columns[1], "To its end", "Shift →: to the end of this generation.", UserCommand::StepGeneration);
    });
    if model.finished {
        let more = ui.add_sized(vec2(ui.available_width(), 26.0), Button::new("10 generations more"));
        if more.on_hover_text("The run is complete; let it go on.").clicked() {
            wishes.push(UserCommand::GoOn { generations: 10 });
        }
    }
    let is_fast = model.speed.is_infinite();
    let speed = if is_fast { "as fast as it can".to_owned() } else { format!("{} turns/s", brief(model.speed)) };
    let label = ui.horizontal(|ui| {
        let label = ui.label("Speed");
        ui.label(RichText::new(speed).color(ink(palette::TEXT_WEAK)));
        label
    });
    let mut speed = if is_fast { FASTEST * 2.0 } else { model.speed };
    ui.spacing_mut().slider_width = ui.available_width() - 4.0;
    // Beyond the fastest is as fast as it can.
    let slider = Slider::new(&mut speed, SLOWEST..=FASTEST * 2.0).logarithmic(true).show_value(false);
    let response = ui.add(slider).labelled_by(label.inner.id).on_hover_text("+ and −. At the right end: no limit.");
    if response.changed() {
        wishes.push(UserCommand::SetSpeed(if speed > FASTEST * 1.5 { f32::INFINITY } else { speed.min(FASTEST) }));
    }
}

/// A number of turns per second.
pub(super) fn brief(speed: f32) -> String {
    if speed < 10.0 { format!("{speed:.1}") } else { format!("{speed:.0}") }
}

fn show_seed(ui: &mut Ui, model: &ControlsModel, state: &mut ControlsState, wishes: &mut Vec<UserCommand>) {
    ui.horizontal(|ui| {
        let label = ui.label("Seed");
        let text = state.seed.get_or_insert_with(|| model.seed.to_string());
        let field = ui
            .add(
                TextEdit::singleline(text)
                    .desired_width(ui.available_width() - 106.0)
                    .background_color(ink(palette::INSET)),
            )
            .labelled_by(label.id);
        let seed = text.trim().parse().ok().filter(|seed| i64::try_from(*seed).is_ok());
        let wants = field.lost_focus() && ui.input(|input| input.key_pressed(bevy_egui::egui::Key::Enter));
        let hint = "Begins anew from generation 0, with this seed and all settings as they are here.";
        let button = ui.add_enabled(seed.is_some(), Button::new("Start again")).on_hover_text(hint);
        let button = button.on_disabled_hover_text("A seed is a whole number.");
        if let Some(seed) = seed.filter(|_| button.clicked() || wants) {
            wishes.push(UserCommand::Restart { seed });
        }
        if !field.has_focus() && state.seed.as_ref().is_some_and(|text| *text == model.seed.to_string()) {
            state.seed = None;
        }
    });
}

fn show_files(ui: &mut Ui, state: &mut ControlsState, wishes: &mut Vec<UserCommand>) {
    CollapsingHeader::new("Presets and files").id_salt("files").show(ui, |ui| {
        ui.horizontal_wrapped(|ui| {
            for word in Preset::WORDS {
                if ui
                    .button(title(word))
                    .on_hover_text("Takes these values; what must wait for a restart waits.")
                    .clicked()
                {
                    wishes.push(UserCommand::UsePreset((*word).to_owned()));
                }
            }
        });
        let label = ui.label(RichText::new("File (TOML)").size(SMALL).color(ink(palette::TEXT_WEAK)));
        ui.add(TextEdit::singleline(&mut state.file).desired_width(f32::INFINITY)).labelled_by(label.id);
        let path = PathBuf::from(state.file.trim());
        let is_named = !state.file.trim().is_empty();
        ui.horizontal_wrapped(|ui| {
            if ui.add_enabled(is_named, Button::new("Save settings")).clicked() {
                wishes.push(UserCommand::SaveSettings(path.clone()));
            }
            if ui.add_enabled(is_named, Button::new("Load settings")).clicked() {
                wishes.push(UserCommand::LoadSettings(path));
            }
        });
    });
}

/// How many changes wait until the run starts again.
fn waiting(model: &ControlsModel) -> usize {
    let differs = |spec: &&Spec| model.settings.get(spec.key) != model.living.get(spec.key);
    specs().filter(|spec| spec.applies == Applies::Restart && spec.key != "run.seed").filter(differs).count()
}

fn show_settings(ui: &mut Ui, model: &ControlsModel, state: &mut ControlsState, wishes: &mut Vec<UserCommand>) {
    let search = TextEdit::singleline(&mut state.search).hint_text("Search settings").desired_width(f32::INFINITY);
    ui.add(search);
    let mut row = |ui: &mut Ui, spec: &'static Spec| {
        let Some((value, default)) = model.settings.get(spec.key).zip(model.defaults.get(spec.key)) else { return };
        ui.push_id(spec.key, |ui| {
            if let Some(changed) = show_setting(ui, spec, value, default) {
                wishes.push(UserCommand::Change(vec![(spec.key.to_owned(), changed)]));
            }
        });
    };
    let wanted = state.search.trim().to_lowercase();
    if !wanted.is_empty() {
        let fits = |spec: &&Spec| {
            let texts = [title(spec.key), spec.key.to_owned(), spec.env.to_owned(), spec.help.to_owned()];
            texts.iter().any(|text| text.to_lowercase().contains(&wanted))
        };
        specs().filter(fits).for_each(|spec| row(ui, spec));
        return;
    }
    for spec in FIRST.iter().filter_map(|key| specs().find(|spec| spec.key == *key)) {
        row(ui, spec);
    }
    for (section, heading) in SECTIONS {
        CollapsingHeader::new(*heading).id_salt(*section).show(ui, |ui| {
            let is_its = |spec: &&Spec| spec.key.split('.').next() == Some(section);
            // The seed stands above, beside the button that uses it.
            let is_other = |spec: &&Spec| !FIRST.contains(&spec.key) && spec.key != "run.seed";
            specs().filter(is_its).filter(is_other).for_each(|spec| row(ui, spec));
        });
    }
}

#[cfg(test)]
mod tests;
