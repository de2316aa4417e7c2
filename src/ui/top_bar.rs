//! The bar at the top: what lives now, and how the window looks.

use bevy_egui::egui::{Align, Button, Layout, ProgressBar, RichText, Ui};

use super::theme::{SMALL, ink};
use crate::{
    palette,
    protocol::{Look, UserCommand},
};

/// Smallest and largest scale of the panels.
pub const SCALES: (f32, f32) = (0.75, 2.0);
/// By how much the scale changes at a time.
pub const SCALE_STEP: f32 = 0.125;

/// From so much room on, in points, the bar shows how many live, and how much of the generation is over.
const WITH_ALIVE: f32 = 560.0;
const WITH_BAR: f32 = 660.0;

/// What the bar shows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TopBarModel {
    /// The generation that lives, from 0, and the last there will be.
    pub generation: (u32, u32),
    /// Turns of it that are over, and how many it has.
    pub turn: (u32, u32),
    /// Whether the last generation is over.
    pub finished: bool,
    /// Agents that live, and those that were born.
    pub alive: (u32, u32),
    /// Who decides.
    pub mind: String,
    /// Turns that are still to be recorded, while a recording goes on.
    pub recording: Option<u32>,
    /// Whether the window is dark.
    pub dark: bool,
    /// How large the panels are.
    pub scale: f32,
    /// Every panel, and whether it shows.
    pub panels: Vec<(String, bool)>,
}

/// Shows the bar and gives what the person wants.
pub fn show_top_bar(ui: &mut Ui, model: &TopBarModel, help: &mut bool) -> Vec<UserCommand> {
    let mut wishes = Vec::new();
    ui.horizontal(|ui| {
        ui.set_min_height(28.0);
        ui.label(RichText::new("Evolora").heading().color(ink(palette::ACCENT)));
        ui.add_space(10.0);
        show_clock(ui, model);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.spacing_mut().item_spacing.x = 6.0;
            if ui.button("Help").on_hover_text("F1: keys, and how to begin.").clicked() {
                *help = !*help;
            }
            show_look(ui, model, &mut wishes);
            show_recording(ui, model, &mut wishes);
            let wide = ui.available_width() > 170.0;
            if wide {
                ui.add_space(8.0);
                ui.label(RichText::new(&model.mind).size(SMALL).color(ink(palette::TEXT_WEAK)))
                    .on_hover_text("Who decides for the agents.");
            }
        });
    });
    wishes
}

/// What lives now; in a narrow window without what can be seen elsewhere.
fn show_clock(ui: &mut Ui, model: &TopBarModel) {
    let room = ui.available_width();
    let ((generation, last), (turn, turns)) = (model.generation, model.turn);
    let weak = |text: String| RichText::new(text).color(ink(palette::TEXT_WEAK));
    if model.finished {
        ui.label("The run is complete.");
    } else {
        ui.label(format!("Generation {generation}")).on_hover_text("Counted from 0.");
        ui.label(weak(format!("of {last}"))).on_hover_text("The last generation of this run.");
        if room >= WITH_BAR {
            let part = if turns == 0 { 0.0 } else { turn as f32 / turns as f32 };
            let bar = ProgressBar::new(part).desired_width(84.0).desired_height(8.0).fill(ink(palette::HOME));
            ui.add(bar).on_hover_text("How much of this generation is over.");
        }
        ui.label(weak(format!("turn {turn} of {turns}")));
    }
    if room >= WITH_ALIVE {
        ui.add_space(6.0);
        ui.label(weak(format!("{} of {} alive", model.alive.0, model.alive.1)));
    }
}

fn show_look(ui: &mut Ui, model: &TopBarModel, wishes: &mut Vec<UserCommand>) {
    let look = |look| UserCommand::Look(look);
    ui.menu_button("View", |ui| {
        for (name, shown) in &model.panels {
            let mut now = *shown;
            if ui.checkbox(&mut now, name).clicked() {
                wishes.push(look(Look::Panel(name.clone(), now)));
            }
        }
        ui.separator();
        let word = if model.dark { "Light theme" } else { "Dark theme" };
        if ui.button(word).clicked() {
            wishes.push(look(Look::Dark(!model.dark)));
            ui.close();
        }
        ui.horizontal(|ui| {
            ui.label("Size");
            for (sign, step) in [("−", -SCALE_STEP), ("+", SCALE_STEP)] {
                if ui.button(sign).clicked() {
                    wishes.push(look(Look::Scale((model.scale + step).clamp(SCALES.0, SCALES.1))));
                }
            }
            ui.label(format!("{:.0} %", model.scale * 100.0));
        });
        if ui.button("Panels as at first").clicked() {
            wishes.push(look(Look::Reset));
            ui.close();
        }
    });
}

fn show_recording(ui: &mut Ui, model: &TopBarModel, wishes: &mut Vec<UserCommand>) {
    if let Some(left) = model.recording {
        let text = RichText::new(format!("● {left} turns left")).color(ink(palette::DANGER));
        if ui.add(Button::new(text)).on_hover_text("Ends the recording now.").clicked() {
            wishes.push(UserCommand::StopRecording);
        }
        return;
    }
    ui.menu_button("Record", |ui| {
        if ui.button("Picture (F12)").clicked() {
            wishes.push(UserCommand::TakePicture);
            ui.close();
        }
        for turns in [50, 200] {
            if ui.button(format!("GIF of {turns} turns")).clicked() {
                wishes.push(UserCommand::Record { turns });
                ui.close();
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use bevy_egui::egui;
    use egui_kittest::{Harness, kittest::Queryable};

    use super::*;

    fn model() -> TopBarModel {
        TopBarModel {
            generation: (2, 9),
            turn: (120, 500),
            alive: (18, 20),
            mind: "Evolora 206k".to_owned(),
            dark: true,
            scale: 1.0,
            panels: vec![("Fitness".to_owned(), true), ("Machine".to_owned(), false)],
            ..TopBarModel::default()
        }
    }

    /// What the person wants after clicking on these labels, one after the other.
    fn click(labels: &[&str], model: TopBarModel) -> Vec<UserCommand> {
        let mut harness = Harness::builder().with_size(egui::vec2(1000.0, 400.0)).build_ui_state(
            move |ui: &mut egui::Ui, wishes: &mut Vec<UserCommand>| wishes.extend(show_top_bar(ui, &model, &mut false)),
            Vec::new(),
        );
        for label in labels {
            harness.get_by_label(label).click();
            harness.run();
        }
        harness.state().clone()
    }

    #[test]
    fn the_bar_says_what_lives() {
        let harness = Harness::builder()
            .with_size(egui::vec2(1000.0, 100.0))
            .build_ui(|ui| drop(show_top_bar(ui, &model(), &mut false)));
        for text in ["Generation 2", "of 9", "turn 120 of 500", "18 of 20 alive", "Evolora 206k"] {
            harness.get_by_label(text);
        }
    }

    #[test]
    fn menus_say_what_they_want() {
        let look = |look| vec![UserCommand::Look(look)];
        assert_eq!(click(&["View", "Light theme"], model()), look(Look::Dark(false)));
        assert_eq!(click(&["View", "Machine"], model()), look(Look::Panel("Machine".to_owned(), true)));
        assert_eq!(click(&["View", "Fitness"], model()), look(Look::Panel("Fitness".to_owned(), false)));
        assert_eq!(click(&["View", "+"], model()), look(Look::Scale(1.125)));
        assert_eq!(click(&["View", "+"], TopBarModel { scale: 2.0, ..model() }), look(Look::Scale(2.0)), "clamped");
        assert_eq!(click(&["View", "Panels as at first"], model()), look(Look::Reset));
        assert_eq!(click(&["Record", "Picture (F12)"], model()), [UserCommand::TakePicture]);
        assert_eq!(click(&["Record", "GIF of 50 turns"], model()), [UserCommand::Record { turns: 50 }]);
        let recording = TopBarModel { recording: Some(7), ..model() };
        assert_eq!(click(&["● 7 turns left"], recording), [UserCommand::StopRecording]);
    }
}
