//! What a person reads first, and the keys.

use bevy_egui::egui::{Align2, Context, Grid, Key, RichText, Window, vec2};

use super::theme::{card, ink};
use crate::palette;

/// The three lines of the first start.
pub const FIRST_LINES: [&str; 3] = [
    "The agents share one small language model; each has its own adapter on it, and learns.",
    "Click one to look into its mind. Space pauses; the sliders on the left change the world while it lives.",
    "When a generation ends the fittest breed. Watch the fitness curve below rise.",
];

/// The first of them where no language model decides.
const FIRST_LINE_WITHOUT_MODEL: &str =
    "A scripted mind moves the agents now; with `--mind llm` each has an adapter of its own, and learns.";

/// Three lines that say what is to be seen, with a language model or without one.
fn first_lines(has_model: bool) -> [&'static str; 3] {
    let [first, second, third] = FIRST_LINES;
    [if has_model { first } else { FIRST_LINE_WITHOUT_MODEL }, second, third]
}

/// What the keys do.
pub const KEYS: [(&str, &str); 14] = [
    ("Space", "play or pause"),
    ("→", "one turn"),
    ("Shift →", "to the end of the generation"),
    ("+ and −", "faster and slower"),
    ("F", "follow the selected agent, or no longer"),
    ("1 … 9", "select the fittest, the second fittest, …"),
    ("Esc", "select nobody"),
    ("Home", "show the whole habitat"),
    ("Ctrl+S", "save the run"),
    ("Ctrl+Z", "take the last edit of the world back"),
    ("Ctrl+Shift+Z", "make it again"),
    ("F12", "take a picture"),
    ("Ctrl + and Ctrl −", "larger and smaller panels"),
    ("F1", "this list"),
];

/// Shows the list of keys over everything. False once it has been closed.
pub fn show_help(context: &Context, open: &mut bool, has_model: bool) {
    let window = Window::new("Help").collapsible(false).resizable(false).anchor(Align2::CENTER_CENTER, vec2(0.0, 0.0));
    let mut stays = *open;
    window.open(&mut stays).show(context, |ui| {
        for line in first_lines(has_model) {
            ui.label(line);
        }
        ui.add_space(8.0);
        Grid::new("keys").num_columns(2).spacing(vec2(20.0, 4.0)).min_row_height(18.0).show(ui, |ui| {
            for (key, what) in KEYS {
                ui.label(RichText::new(key).color(ink(palette::ACCENT)));
                ui.label(what);
                ui.end_row();
            }
        });
    });
    if context.input(|input| input.key_pressed(Key::Escape)) {
        stays = false;
    }
    *open = stays;
}

/// Shows the first start's hint. True once the person has had enough of it.
pub fn show_first_hint(context: &Context, has_model: bool) -> bool {
    let mut done = false;
    let area = bevy_egui::egui::Area::new("first hint".into()).anchor(Align2::CENTER_TOP, vec2(0.0, 96.0));
    area.show(context, |ui| {
        card().fill(ink(palette::PANEL)).shadow(ui.visuals().window_shadow).show(ui, |ui| {
            // A line each, so that the habitat is hidden as little as may be.
            ui.set_max_width(680.0);
            for line in first_lines(has_model) {
                ui.small(line);
            }
            done = ui.button("Good to know").clicked();
        });
    });
    done
}
