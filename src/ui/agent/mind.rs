//! Who the open mind is: name, family, life; and what can be done with it.

use std::path::PathBuf;

use bevy_egui::egui::{Button, Label, RichText, Sense, Ui, vec2};

use super::model::{AgentModel, AgentState, Mind};
use crate::{
    palette,
    protocol::{CreatureId, UserCommand},
    ui::{
        theme::{LARGE, ink},
        widgets::{bar, named_field, note, number_row, section},
        words::{NOTHING, called, thing_word},
    },
};

/// Children that are named; of more the number is told.
const CHILDREN: usize = 12;
/// Part of its energy below which an agent is shown as hungry.
const HUNGRY: f64 = 0.3;

/// Who it is, what can be done with it, and how it is.
pub(super) fn show(
    ui: &mut Ui,
    model: &AgentModel,
    mind: &Mind,
    state: &mut AgentState,
    wishes: &mut Vec<UserCommand>,
) {
    if state.edited != Some(mind.name) {
        state.edited = Some(mind.name);
        state.title = mind.title.clone().unwrap_or_default();
        state.card = card_path(mind, model.several);
    }
    show_title(ui, model, mind);
    show_buttons(ui, model, mind, wishes);
    show_energy(ui, mind);
}

/// Where a creature's card goes, if the person does not say otherwise.
pub(super) fn card_path(mind: &Mind, several: bool) -> String {
    let plain = |c: char| if c.is_alphanumeric() || c == '-' { c } else { '-' };
    let title: Option<String> = mind.title.as_deref().map(|title| title.trim().chars().map(plain).collect());
    let number = if several { format!("{}-{}", mind.name.0, mind.name.1) } else { mind.name.1.to_string() };
    format!("creatures/{}.card", title.filter(|title| !title.is_empty()).unwrap_or(number))
}

fn show_title(ui: &mut Ui, model: &AgentModel, mind: &Mind) {
    ui.horizontal(|ui| {
        let (rect, _) = ui.allocate_exact_size(vec2(16.0, LARGE + 4.0), Sense::hover());
        ui.painter().circle_filled(rect.center(), 7.0, ink(palette::lineage(mind.line.0)));
        let name = called(mind.name, mind.title.as_deref(), model.several);
        ui.add(Label::new(RichText::new(format!("Agent {name}")).size(LARGE).color(ink(palette::TEXT))).wrap());
    });
    let mut tags = Vec::new();
    match (mind.alive, mind.died) {
        (_, Some(last)) => tags.push(format!("lived until generation {last}")),
        (false, None) => tags.push("died in this generation".to_owned()),
        (true, None) => {}
    }
    if mind.elite {
        tags.push("★ elite".to_owned());
    }
    if mind.newborn {
        tags.push("newborn".to_owned());
    }
    if !tags.is_empty() {
        ui.label(RichText::new(tags.join(" · ")).color(ink(palette::ACCENT)));
    }
}

fn show_buttons(ui: &mut Ui, model: &AgentModel, mind: &Mind, wishes: &mut Vec<UserCommand>) {
    ui.horizontal_wrapped(|ui| {
        let word = if model.following { "Stop following" } else { "Follow" };
        let follow = ui.add_enabled(mind.alive || model.following, Button::new(word));
        if follow.on_hover_text("Keeps it in the middle of the picture.").clicked() {
            wishes.push(UserCommand::Follow(!model.following));
        }
        let help = "Puts a copy of this mind into the place of the least fit of its habitat.";
        if ui.add_enabled(mind.died.is_none(), Button::new("Duplicate")).on_hover_text(help).clicked() {
            wishes.push(UserCommand::Duplicate(mind.name));
        }
        if ui.button("Close").on_hover_text("Looks into nobody.").clicked() {
            wishes.push(UserCommand::Select(None));
        }
    });
}

fn show_family(ui: &mut Ui, mind: &Mind, wishes: &mut Vec<UserCommand>) {
    let relative = |ui: &mut Ui, creature: CreatureId, words: String| {
        let button = ui.add(Button::new(words).small()).on_hover_text("Looks into this one.");
        button.clicked().then_some(UserCommand::Select(Some((mind.name.0, creature))))
    };
    let weak = |ui: &mut Ui, text: &str| ui.label(RichText::new(text).color(ink(palette::TEXT_WEAK)));
    ui.horizontal_wrapped(|ui| {
        weak(ui, "Parents");
        if mind.parents.is_empty() {
            ui.label("none: it is a founder");
        }
        for (at, parent) in mind.parents.iter().enumerate() {
            let share = mind.share.map(|share| if at == 0 { share } else { 1.0 - share });
            let share = share.map(|share| format!(" · {:.0} %", share * 100.0)).unwrap_or_default();
            wishes.extend(relative(ui, *parent, format!("{parent}{share}")));
        }
    });
    ui.horizontal_wrapped(|ui| {
        weak(ui, "Children");
        if mind.children.is_empty() {
            ui.label("none");
        }
        for child in mind.children.iter().take(CHILDREN) {
            wishes.extend(relative(ui, *child, child.to_string()));
        }
        if mind.children.len() > CHILDREN {
            ui.label(format!("and {} more", mind.children.len() - CHILDREN));
        }
    });
}

/// Its family, and its life in numbers.
pub(super) fn show_life(ui: &mut Ui, mind: &Mind, wishes: &mut Vec<UserCommand>) {
    ui.add_space(8.0);
    section(ui, "Life");
    show_family(ui, mind, wishes);
    number_row(ui, "Founder of its line", &mind.line.to_string(), "");
    number_row(ui, "Born in generation", &mind.born.to_string(), "");
    number_row(ui, "Age, in generations", &mind.age.to_string(), "");
    number_row(ui, "Fitness", &format!("{:.1}", mind.fitness), "");
    if let Some(best) = mind.best_fitness {
        number_row(ui, "Best fitness", &format!("{best:.1}"), "");
    }
    number_row(ui, "Food brought home", &mind.delivered.to_string(), "pieces");
    number_row(ui, "Carries", mind.carrying.map_or("nothing", thing_word), "");
}

fn show_energy(ui: &mut Ui, mind: &Mind) {
    match mind.energy {
        Some((energy, most)) => {
            number_row(ui, "Energy", &format!("{energy:.0}"), &format!("of {most:.0}"));
            let part = f64::from(energy / most.max(1.0));
            let colour = if part < HUNGRY { palette::DANGER } else { palette::ACCENT };
            bar(ui, &format!("Energy {energy:.0} of {most:.0}"), &[(part, colour)], 8.0);
        }
        None => drop(number_row(ui, "Energy", NOTHING, "")),
    }
}

/// What the person may change of it, and take away.
pub(super) fn show_editing(ui: &mut Ui, mind: &Mind, state: &mut AgentState, wishes: &mut Vec<UserCommand>) {
    ui.add_space(8.0);
    section(ui, "Name and card");
    const BUTTON: f32 = 104.0;
    ui.horizontal(|ui| {
        let width = (ui.available_width() - BUTTON - 26.0).max(60.0);
        let field = named_field(ui, "Name", "a name of yours", &mut state.title, width);
        let is_entered = field.lost_focus() && ui.input(|input| input.key_pressed(bevy_egui::egui::Key::Enter));
        let is_new = state.title.trim() != mind.title.as_deref().unwrap_or_default();
        let button = ui.add_enabled(is_new, Button::new("Rename").min_size(vec2(BUTTON, 0.0)));
        if is_new && (button.clicked() || is_entered) {
            wishes.push(UserCommand::Rename(mind.name, state.title.trim().to_owned()));
        }
    });
    ui.horizontal(|ui| {
        let width = (ui.available_width() - BUTTON - 26.0).max(60.0);
        named_field(ui, "Card", "creatures/name.card", &mut state.card, width);
        let path = state.card.trim();
        let button = ui.add_enabled(!path.is_empty(), Button::new("Export card").min_size(vec2(BUTTON, 0.0)));
        if button.on_hover_text("Writes its adapter, parents and fitness to one small file.").clicked() {
            wishes.push(UserCommand::ExportCard(mind.name, PathBuf::from(path)));
        }
    });
    if mind.died.is_some() {
        note(ui, "It lives no more; a card can be written as long as the hall of fame keeps its mind.");
    }
}
