//! One setting as a row: its name, its value, and what changes it.

use bevy_egui::egui::{
    Align, Button, ComboBox, DragValue, Layout, Response, RichText, Slider, SliderClamping, Stroke, TextEdit, Ui,
    WidgetInfo, WidgetType, vec2,
};

use super::theme::{SMALL, ink};
use crate::{
    config::{Applies, Range, SettingValue, Spec},
    palette,
};

/// Before the names of settings whose changes wait for the next generation.
pub(super) const NEXT_GENERATION: &str = "◇";
/// Before the names of settings whose changes wait until the run starts again.
pub(super) const NEXT_RUN: &str = "↻";

/// Width of a value beside its slider, in points.
const VALUE: f32 = 84.0;

/// A setting's name as a person says it: `learning.learning_rate` is "Learning rate".
pub(super) fn title(key: &str) -> String {
    match key {
        "learning.enabled" => return "Agents learn".to_owned(),
        "evolution.enabled" => return "Generations are bred".to_owned(),
        "run.turns" => return "Turns a generation".to_owned(),
        "habitat.regrow_turns" => return "Food grows back after".to_owned(),
        _ => {}
    }
    let name = key.rsplit('.').next().unwrap_or(key).replace('_', " ");
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().collect::<String>() + letters.as_str())
}

/// What is said of a setting where the pointer rests on it.
pub(super) fn explanation(spec: &Spec, default: &SettingValue) -> String {
    let applies = match spec.applies {
        Applies::Turn => "A change applies from the next turn.",
        Applies::Generation => "A change applies from the next generation.",
        Applies::Restart => "A change applies when the run starts again.",
    };
    let unit = if spec.unit.is_empty() { String::new() } else { format!(" {}", spec.unit) };
    format!(
        "{}\n\n{applies}\nDefault: {default}{unit}. Allowed: {}.\n{} · {}",
        spec.help.trim(),
        spec.range,
        spec.key,
        spec.env
    )
}

/// The part of a number's range that its slider covers, and whether in powers of ten. Typing reaches all of the range.
pub(super) fn usual(spec: &Spec, default: f64) -> (f64, f64, bool) {
    let (min, max) = limits(spec);
    let reach = (default.abs() * 4.0).max(10.0);
    match spec.key {
        "learning.learning_rate" => (1e-5, 0.1, true),
        _ if min < 0.0 => (min.max(-reach), max.min(reach), false),
        _ if max - min <= 10.0 => (min, max, false),
        _ if default >= 100.0 => (min.max(1.0), max.min(default * 20.0), true),
        _ => (min, max.min(reach), false),
    }
}

/// The least and the most of a number.
fn limits(spec: &Spec) -> (f64, f64) {
    match spec.range {
        Range::Real(min, max) => (min, max),
        Range::Whole(min, max) => (min as f64, max as f64),
        Range::ChoiceOrWhole(_, max) => (1.0, max as f64),
        Range::Switch | Range::Choice(_) | Range::List(_) | Range::Text => (0.0, 1.0),
    }
}

/// Shows a setting, and gives its new value as `--set` takes it where the person has changed it.
pub(super) fn show_setting(ui: &mut Ui, spec: &Spec, value: &SettingValue, default: &SettingValue) -> Option<String> {
    let changed = match (spec.range, value) {
        (Range::Switch, SettingValue::Switch(on)) => show_switch(ui, spec, *on, default),
        (Range::Real(..), SettingValue::Real(real)) => show_number(ui, spec, *real, default, false),
        (Range::Whole(..), SettingValue::Whole(whole)) => show_number(ui, spec, *whole as f64, default, true),
        (Range::Choice(words), SettingValue::Word(word)) => show_choice(ui, spec, words, word, default),
        (Range::List(words), SettingValue::Words(chosen)) => show_list(ui, spec, words, chosen, default),
        (_, value) => show_text(ui, spec, &value.to_string(), default),
    };
    changed.filter(|changed| *changed != value.to_string())
}

/// The name: with a mark where a change has to wait, and in the accent's colour where it is not the default.
fn name(ui: &mut Ui, spec: &Spec, is_default: bool, default: &SettingValue) -> Response {
    ui.label(named(spec, is_default)).on_hover_text(explanation(spec, default))
}

/// The name, with a sign for when a change holds; what is not its default stands out.
fn named(spec: &Spec, is_default: bool) -> RichText {
    let mark = match spec.applies {
        Applies::Turn => "",
        Applies::Generation => NEXT_GENERATION,
        Applies::Restart => NEXT_RUN,
    };
    let text = if mark.is_empty() { title(spec.key) } else { format!("{} {mark}", title(spec.key)) };
    RichText::new(text).size(SMALL + 1.0).color(ink(if is_default { palette::TEXT } else { palette::ACCENT }))
}

fn show_switch(ui: &mut Ui, spec: &Spec, on: bool, default: &SettingValue) -> Option<String> {
    let mut now = on;
    let text = named(spec, *default == SettingValue::Switch(on));
    ui.checkbox(&mut now, text).on_hover_text(explanation(spec, default));
    (now != on).then(|| now.to_string())
}

fn show_number(ui: &mut Ui, spec: &Spec, value: f64, default: &SettingValue, whole: bool) -> Option<String> {
    let mark = match default {
        SettingValue::Real(real) => *real,
        SettingValue::Whole(whole) => *whole as f64,
        _ => value,
    };
    let (min, max) = limits(spec);
    let (low, high, logarithmic) = usual(spec, mark);
    let mut now = value;
    let label = ui
        .horizontal(|ui| {
            let label = name(ui, spec, value == mark, default);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if value != mark && ui.small_button("↺").on_hover_text(format!("Back to {default}.")).clicked() {
                    now = mark;
                }
            });
            label
        })
        .inner;
    let mut slid = now.clamp(low, high);
    let response = ui.horizontal(|ui| {
        ui.spacing_mut().slider_width = (ui.available_width() - VALUE - ui.spacing().item_spacing.x).max(40.0);
        let mut slider = Slider::new(&mut slid, low..=high).logarithmic(logarithmic).show_value(false);
        slider = if whole { slider.integer() } else { slider };
        let response = ui.add(slider.clamping(SliderClamping::Always)).on_hover_text(explanation(spec, default));
        let speed = ((high - low) / 200.0).max(if whole { 0.2 } else { 1e-5 });
        let mut drag = DragValue::new(&mut now).range(min..=max).speed(speed);
        drag = if whole { drag.fixed_decimals(0) } else { drag.max_decimals(5) };
        let drag = if fits_behind(spec.unit) { drag.suffix(format!(" {}", spec.unit)) } else { drag };
        ui.add_sized(vec2(VALUE, ui.spacing().interact_size.y), drag).labelled_by(label.id);
        response
    });
    let response = response.inner;
    let enabled = ui.is_enabled();
    response.widget_info(|| WidgetInfo::slider(enabled, slid, title(spec.key)));
    if slid != mark {
        mark_default(ui, &response, (mark, low, high, logarithmic));
    }
    if response.changed() {
        now = slid;
    }
    let text = if whole { format!("{:.0}", now.round()) } else { format!("{}", rounded(now)) };
    (now != value).then_some(text)
}

/// Four significant digits: a slider's last ones mean nothing.
fn rounded(value: f64) -> f64 {
    if value == 0.0 {
        return 0.0;
    }
    let digits = 3 - value.abs().log10().floor() as i32;
    let scale = 10f64.powi(digits);
    // Through text, so that 0.0003 is not 0.00030000000000000003.
    format!("{:.*}", digits.max(0) as usize, (value * scale).round() / scale).parse().unwrap_or(value)
}

/// A unit that is short enough to stand behind its number; the others are told where the pointer rests.
const fn fits_behind(unit: &str) -> bool {
    !unit.is_empty() && unit.len() <= 6
}

/// A small line at the place of the default.
fn mark_default(ui: &Ui, slider: &Response, (mark, low, high, logarithmic): (f64, f64, f64, bool)) {
    if !(low..=high).contains(&mark) {
        return;
    }
    let part = if logarithmic { (mark / low).ln() / (high / low).ln() } else { (mark - low) / (high - low) };
    let handle = slider.rect.height() / 2.5;
    let rail = slider.rect.x_range().shrink(handle);
    let x = rail.min + (rail.max - rail.min) * part as f32;
    let middle = slider.rect.center().y;
    ui.painter().vline(x, middle - 8.0..=middle - 4.0, Stroke::new(1.5, ink(palette::TEXT_WEAK)));
}

fn show_choice(ui: &mut Ui, spec: &Spec, words: &[&str], word: &str, default: &SettingValue) -> Option<String> {
    let mut chosen = word.to_owned();
    ui.horizontal(|ui| {
        let label = name(ui, spec, default.to_string() == word, default);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let shown = ComboBox::from_id_salt(spec.key).selected_text(word).width(96.0).show_ui(ui, |ui| {
                for other in words {
                    ui.selectable_value(&mut chosen, (*other).to_owned(), *other);
                }
            });
            shown.response.labelled_by(label.id).on_hover_text(explanation(spec, default));
        });
    });
    (chosen != word).then_some(chosen)
}

fn show_list(ui: &mut Ui, spec: &Spec, words: &[&str], chosen: &[String], default: &SettingValue) -> Option<String> {
    let mut now: Vec<&str> = words.iter().copied().filter(|word| chosen.iter().any(|one| one == word)).collect();
    let before = now.clone();
    name(ui, spec, default.to_string() == chosen.join(","), default);
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        for word in words {
            let is_on = now.contains(word);
            if ui.add(Button::selectable(is_on, *word)).clicked() {
                now = words.iter().copied().filter(|other| now.contains(other) != (other == word)).collect();
            }
        }
    });
    (now != before).then(|| now.join(","))
}

fn show_text(ui: &mut Ui, spec: &Spec, text: &str, default: &SettingValue) -> Option<String> {
    let label = name(ui, spec, default.to_string() == text, default);
    let id = ui.make_persistent_id(spec.key);
    let mut now = ui.data_mut(|data| data.get_temp::<String>(id)).unwrap_or_else(|| text.to_owned());
    let field = ui.add(TextEdit::singleline(&mut now).desired_width(f32::INFINITY).id_salt(spec.key));
    field.widget_info(|| WidgetInfo::labeled(WidgetType::TextEdit, true, title(spec.key)));
    let field = field.labelled_by(label.id).on_hover_text(explanation(spec, default));
    let is_done = field.lost_focus();
    let has_focus = field.has_focus();
    ui.data_mut(|data| {
        if has_focus {
            data.insert_temp(id, now.clone());
        } else {
            data.remove::<String>(id);
        }
    });
    (is_done && now != text).then_some(now)
}
