//! The bar above the habitat: play, pause, one turn, speed, start again.

use bevy_egui::egui::{Align, Button, Layout, RichText, Slider, Ui, vec2};

use super::theme::ink;
use crate::{palette, protocol::UserCommand};

/// Height of the bar's contents, in points.
const HEIGHT: f32 = 32.0;
/// Slowest speed on the slider, in turns per second.
const SLOWEST: f32 = 1.0;
/// Fastest speed on the slider, in turns per second.
const FASTEST: f32 = 1000.0;

/// What the bar shows.
#[derive(Debug, Clone, PartialEq)]
pub struct ControlsModel {
    /// Whether turns follow each other.
    pub playing: bool,
    /// Whether the last generation is over.
    pub finished: bool,
    /// Turns per second aimed at.
    pub speed: f32,
    /// Seed of the run.
    pub seed: u64,
    /// Generation that lives, from 0, and how many there will be.
    pub generation: (u32, u32),
    /// Turns of it that are over, and how many it has.
    pub turn: (u32, u32),
    /// What the person must know: the minds have gone, say.
    pub banner: Option<String>,
}

/// Shows the bar and gives what the person wants.
pub fn show_controls(ui: &mut Ui, model: &ControlsModel) -> Vec<UserCommand> {
    let mut wishes = Vec::new();
    ui.horizontal(|ui| {
        ui.set_min_height(HEIGHT);
        ui.label(RichText::new("Evolora").heading().color(ink(palette::ACCENT)));
        ui.add_space(12.0);
        let button = |text, width| Button::new(text).min_size(vec2(width, HEIGHT));
        let label = if model.playing && !model.finished { "Pause" } else { "Play" };
        if ui.add_enabled(!model.finished, button(label, 76.0)).clicked() {
            wishes.push(if model.playing { UserCommand::Pause } else { UserCommand::Play });
        }
        if ui.add_enabled(!model.finished, button("One turn", 0.0)).clicked() {
            wishes.push(UserCommand::StepTurn);
        }
        if ui.add(button("Start again", 0.0)).on_hover_text("From generation 0, with the next seed.").clicked() {
            wishes.push(UserCommand::Restart { seed: model.seed.wrapping_add(1) });
        }
        ui.add_space(12.0);
        ui.label("Speed");
        let mut speed = model.speed;
        ui.spacing_mut().slider_width = 130.0;
        if ui.add(Slider::new(&mut speed, SLOWEST..=FASTEST).logarithmic(true).show_value(false)).changed() {
            wishes.push(UserCommand::SetSpeed(speed));
        }
        ui.label(format!("{:.0} turns/s", model.speed));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let ((generation, generations), (turn, turns)) = (model.generation, model.turn);
            let last = generations.saturating_sub(1);
            let place = format!("Generation {generation} of 0 to {last}    Turn {turn} of {turns}");
            let text = if model.finished { "The run is complete.".to_owned() } else { place };
            ui.label(RichText::new(text).color(ink(palette::TEXT_WEAK)));
        });
    });
    if let Some(banner) = &model.banner {
        ui.label(RichText::new(banner).color(ink(palette::DANGER)));
    }
    wishes
}

#[cfg(test)]
mod tests {
    use bevy_egui::egui;
    use egui_kittest::{Harness, kittest::Queryable};

    use super::*;

    fn model() -> ControlsModel {
        ControlsModel {
            playing: false,
            finished: false,
            speed: 12.0,
            seed: 41,
            generation: (2, 10),
            turn: (120, 500),
            banner: None,
        }
    }

    /// What the person wants after clicking on the button called `label`.
    fn click(label: &str, model: ControlsModel) -> Vec<UserCommand> {
        let mut harness = Harness::new_ui_state(
            move |ui: &mut egui::Ui, wishes: &mut Vec<UserCommand>| wishes.extend(show_controls(ui, &model)),
            Vec::new(),
        );
        harness.get_by_label(label).click();
        harness.run();
        harness.state().clone()
    }

    #[test]
    fn every_button_says_what_it_wants() {
        assert_eq!(click("Play", model()), [UserCommand::Play]);
        assert_eq!(click("Pause", ControlsModel { playing: true, ..model() }), [UserCommand::Pause]);
        assert_eq!(click("One turn", model()), [UserCommand::StepTurn]);
        assert_eq!(click("Start again", model()), [UserCommand::Restart { seed: 42 }]);
        assert_eq!(click("Play", ControlsModel { finished: true, ..model() }), [], "there is nothing left to play");
    }

    #[test]
    fn the_bar_says_where_the_run_is_and_what_is_wrong() {
        let model = ControlsModel { banner: Some("The minds have stopped.".to_owned()), ..model() };
        let harness = Harness::new_ui(move |ui| drop(show_controls(ui, &model)));
        harness.get_by_label_contains("Generation 2 of 0 to 9");
        harness.get_by_label_contains("Turn 120 of 500");
        harness.get_by_label("The minds have stopped.");
    }
}
