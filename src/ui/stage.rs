//! What lies over the habitat: tools to change the world, overlays, and the way back to all habitats.

use bevy_egui::egui::{Button, RichText, Ui};
use serde::{Deserialize, Serialize};

use super::theme::SMALL;
use crate::protocol::{HabitatId, Overlay, UserCommand};

/// What a click on the habitat does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Tool {
    /// Looks into an agent.
    #[default]
    Look,
    /// Puts food, or takes it away.
    Food,
    /// The same with walls.
    Wall,
    /// The same with home.
    Home,
    /// Drags an agent to another cell.
    Move,
}

impl Tool {
    /// Every tool, with its name and what it does.
    pub const ALL: [(Self, &str, &str); 5] = [
        (Self::Look, "Look", "Click an agent to look into its mind; drag to pan; turn the wheel to zoom."),
        (Self::Food, "Food", "Click a cell to put food there, or to take it away."),
        (Self::Wall, "Wall", "Click a cell to build a wall, or to take it away."),
        (Self::Home, "Home", "Click a cell to make it home, or to take home away."),
        (Self::Move, "Move", "Drag an agent to another cell."),
    ];
}

/// Below this width, in points, the tools are behind the one in hand.
const NARROW: f32 = 500.0;

/// By so many points more where there are several habitats.
const SEVERAL: f32 = 130.0;

/// What the tools show.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StageModel {
    /// How many habitats there are.
    pub habitats: u32,
    /// The one that is shown alone.
    pub entered: Option<HabitatId>,
    /// Whether somebody is selected, and followed.
    pub selected: bool,
    /// Whether the selected one is followed.
    pub follows: bool,
    /// Which overlays show: trails, visits, everybody's speech.
    pub overlays: [bool; 3],
    /// Whether an edit can be taken back, and made again.
    pub can_undo: (bool, bool),
}

/// Shows the tools and gives what the person wants.
pub fn show_stage_tools(ui: &mut Ui, model: &StageModel, tool: &mut Tool) -> Vec<UserCommand> {
    let mut wishes = Vec::new();
    ui.horizontal_wrapped(|ui| {
        // In one line, if at all possible.
        let several = if model.habitats > 1 { SEVERAL } else { 0.0 };
        let is_narrow = ui.available_width() < NARROW + several;
        ui.spacing_mut().item_spacing.x = 4.0;
        ui.spacing_mut().button_padding.x = if is_narrow { 6.0 } else { 8.0 };
        let small = |text: &str| RichText::new(text).size(SMALL);
        if model.habitats > 1 {
            let text = model.entered.map_or("Habitats".to_owned(), |id| format!("Habitat {id}"));
            ui.menu_button(small(&text), |ui| {
                if ui.button("All together").clicked() {
                    wishes.push(UserCommand::Enter(None));
                    ui.close();
                }
            })
            .response
            .on_hover_text("Double-click a habitat to enter it.");
            if model.entered.is_some() && ui.button(small("← All")).clicked() {
                wishes.push(UserCommand::Enter(None));
            }
        }
        if is_narrow {
            // The tool in hand, and the others behind it.
            let name = Tool::ALL.iter().find(|(one, ..)| one == tool).map_or("Look", |(_, name, _)| name);
            ui.menu_button(small(&format!("{name} ▼")), |ui| choose(ui, tool, |ui| ui.close()))
                .response
                .on_hover_text("What a click on the habitat does.");
        } else {
            choose(ui, tool, |_| ());
        }
        let (undo, redo) = model.can_undo;
        if undo && ui.button(small("Undo")).on_hover_text("Ctrl+Z").clicked() {
            wishes.push(UserCommand::Undo);
        }
        if redo && ui.button(small("Redo")).on_hover_text("Ctrl+Shift+Z").clicked() {
            wishes.push(UserCommand::Redo);
        }
        ui.separator();
        let overlays = [(Overlay::Trails, "Trails"), (Overlay::Visits, "Visits"), (Overlay::Speech, "Speech")];
        for ((overlay, name), is_on) in overlays.into_iter().zip(model.overlays) {
            if ui.add(Button::selectable(is_on, small(name))).on_hover_text(about(overlay)).clicked() {
                wishes.push(UserCommand::Overlay(overlay, !is_on));
            }
        }
        let follow = Button::selectable(model.follows, small("Follow"));
        if ui.add_enabled(model.selected, follow).on_hover_text("F: keeps the selected agent in the middle.").clicked()
        {
            wishes.push(UserCommand::Follow(!model.follows));
        }
        if ui.button(small("Fit")).on_hover_text("Home: shows everything again.").clicked() {
            wishes.push(UserCommand::Fit);
        }
    });
    wishes
}

/// A button for every tool; `then` is done when one is taken.
fn choose(ui: &mut Ui, tool: &mut Tool, then: impl Fn(&Ui)) {
    for (one, name, help) in Tool::ALL {
        let button = Button::selectable(*tool == one, RichText::new(name).size(SMALL));
        if ui.add(button).on_hover_text(help).clicked() {
            *tool = one;
            then(ui);
        }
    }
}

const fn about(overlay: Overlay) -> &'static str {
    match overlay {
        Overlay::Trails => "Where agents came from.",
        Overlay::Visits => "How often each cell was entered in this generation.",
        Overlay::Speech => "What everybody said last, not the selected one alone.",
    }
}

#[cfg(test)]
mod tests {
    use bevy_egui::egui;
    use egui_kittest::{Harness, kittest::Queryable};

    use super::*;

    fn click(label: &str, model: StageModel) -> (Vec<UserCommand>, Tool) {
        let mut harness = Harness::new_ui_state(
            move |ui: &mut egui::Ui, (wishes, tool): &mut (Vec<UserCommand>, Tool)| {
                wishes.extend(show_stage_tools(ui, &model, tool));
            },
            (Vec::new(), Tool::Look),
        );
        harness.get_by_label(label).click();
        harness.run();
        harness.state().clone()
    }

    #[test]
    fn in_a_narrow_window_the_tools_are_behind_the_one_in_hand() {
        let mut harness = Harness::builder().with_size(egui::vec2(400.0, 300.0)).build_ui_state(
            |ui: &mut egui::Ui, tool: &mut Tool| drop(show_stage_tools(ui, &StageModel::default(), tool)),
            Tool::Look,
        );
        assert!(harness.query_by_label("Wall").is_none());
        harness.get_by_label("Look ▼").click();
        harness.run();
        harness.get_by_label("Wall").click();
        harness.run();
        assert_eq!(*harness.state(), Tool::Wall);
        harness.get_by_label("Wall ▼");
        assert!(harness.get_by_label("Fit").rect().right() <= 400.0);
        assert!((harness.get_by_label("Fit").rect().top() - harness.get_by_label("Wall ▼").rect().top()).abs() < 3.0);
    }

    #[test]
    fn every_tool_can_be_taken_and_every_button_says_what_it_wants() {
        for (tool, name, _) in Tool::ALL {
            assert_eq!(click(name, StageModel::default()), (Vec::new(), tool));
        }
        let model = StageModel {
            habitats: 4,
            entered: Some(HabitatId(2)),
            selected: true,
            follows: false,
            overlays: [true, false, false],
            can_undo: (true, true),
        };
        for (name, wish) in [
            ("← All", UserCommand::Enter(None)),
            ("Undo", UserCommand::Undo),
            ("Redo", UserCommand::Redo),
            ("Trails", UserCommand::Overlay(Overlay::Trails, false)),
            ("Visits", UserCommand::Overlay(Overlay::Visits, true)),
            ("Speech", UserCommand::Overlay(Overlay::Speech, true)),
            ("Follow", UserCommand::Follow(true)),
            ("Fit", UserCommand::Fit),
        ] {
            assert_eq!(click(name, model.clone()).0, [wish], "{name}");
        }
        assert_eq!(click("Follow", StageModel::default()).0, [], "there is nobody to follow");
    }
}
