//! Where everything is in the window: the bar, banners, the tiles, the tools over the habitats.
//!
//! This module does *not* know the renderer, or how large a pixel is.

use bevy_egui::egui::{self, Rect, Shape, Ui, UiBuilder, layers::ShapeIdx};

use super::{dock::Pane, memory::States, models::Panels, run::Run};
use crate::{palette, protocol::UserCommand, ui};

/// Greatest width of a banner, in points.
const BANNER: f32 = 640.0;
/// A habitat that is narrower has no room for a banner.
const NARROW: f32 = 240.0;

/// What is where, in points.
pub(super) struct Places {
    /// A place in the list of shapes, under all panels, for what lies between them.
    pub around: ShapeIdx,
    /// All that is below the bar.
    pub rest: Rect,
    /// The habitats.
    pub habitat: Rect,
    /// The panel with the curves of fitness, while it can be seen.
    pub curves: Option<Rect>,
}

/// Draws all panels into `root`, and notes what the person wants.
pub(super) fn lay_out(
    root: &mut Ui,
    panels: &Panels,
    run: &Run,
    states: &mut States,
    wishes: &mut Vec<UserCommand>,
) -> Places {
    let bar = egui::Panel::top("bar").frame(ui::theme::panel_frame());
    bar.show(root, |ui| {
        wishes.extend(ui::show_top_bar(ui, &panels.top_bar, &mut states.help));
    });
    let rest = root.available_rect_before_wrap();
    let around = root.painter().add(Shape::Noop);
    let mut tiles = root.new_child(UiBuilder::new().max_rect(rest));
    tiles.spacing_mut().item_spacing.y = 0.0;
    let (mut habitat, mut curves) = (Rect::NOTHING, None);
    let mut dock = std::mem::take(&mut states.dock);
    dock.show(&mut tiles, |ui, pane| match pane {
        Pane::Habitat => habitat = ui.max_rect(),
        other => {
            if other == Pane::Fitness {
                curves = Some(ui.max_rect());
            }
            ui.spacing_mut().item_spacing.y = 6.0;
            wishes.extend(show_pane(ui, other, panels, run, states));
        }
    });
    states.dock = dock;
    if habitat.is_positive() {
        habitat.min.y += show_stage(&mut tiles, habitat, panels, states, wishes);
    }
    // Where the habitat is hidden, below the names of the panels.
    let is_wide = habitat.is_positive() && habitat.width() > NARROW;
    show_banners(root, if is_wide { habitat } else { rest.with_min_y(rest.top() + 36.0) }, run, wishes);
    Places { around, rest, habitat, curves }
}

/// What the person must know, over the upper edge of this place: nothing moves when it comes or goes.
fn show_banners(root: &Ui, place: Rect, run: &Run, wishes: &mut Vec<UserCommand>) {
    if run.banners.is_empty() {
        return;
    }
    let banners: Vec<_> = run.banners.iter().cloned().collect();
    let width = (place.width() - 24.0).min(BANNER);
    let area = egui::Area::new(root.id().with("banners")).order(egui::Order::Middle).pivot(egui::Align2::CENTER_TOP);
    area.fixed_pos(place.center_top() + egui::vec2(0.0, 8.0)).show(root.ctx(), |ui| {
        ui.set_width(width);
        wishes.extend(ui::show_banners(ui, &banners));
    });
}

/// The tools above the habitats; gives their height.
fn show_stage(
    ui: &mut Ui,
    rect: egui::Rect,
    panels: &Panels,
    states: &mut States,
    wishes: &mut Vec<UserCommand>,
) -> f32 {
    let strip = ui.painter().add(egui::Shape::Noop);
    let inner = egui::Rect::from_min_size(rect.min, egui::vec2(rect.width(), 28.0)).shrink2(egui::vec2(10.0, 3.0));
    let mut over = ui.new_child(UiBuilder::new().max_rect(inner).id_salt("stage"));
    wishes.extend(ui::show_stage_tools(&mut over, &panels.stage, &mut states.tool));
    let height = over.min_rect().bottom() + 3.0 - rect.top();
    let strip_rect = egui::Rect::from_min_size(rect.min, egui::vec2(rect.width(), height));
    ui.painter().set(strip, egui::Shape::rect_filled(strip_rect, 0.0, ui::theme::ink(palette::PANEL)));
    height
}

fn show_pane(ui: &mut Ui, pane: Pane, panels: &Panels, run: &Run, states: &mut States) -> Vec<UserCommand> {
    match pane {
        Pane::Habitat => Vec::new(),
        Pane::Controls => ui::show_controls(ui, &panels.controls, &mut states.controls),
        Pane::Fitness => ui::show_fitness(ui, &panels.fitness, &mut states.fitness),
        Pane::Lineage => ui::show_lineage(ui, &panels.lineage, &mut states.lineage),
        Pane::Machine => {
            ui::show_machine(ui, &panels.machine);
            Vec::new()
        }
        Pane::Generations => {
            ui::show_generations(ui, &panels.generations);
            Vec::new()
        }
        Pane::Agent => ui::show_agent(ui, &panels.agent, &mut states.agent),
        Pane::WhatIf => ui::show_what_if(ui, &panels.what_if, &mut states.what_if),
        Pane::Transcript => {
            let habitats = panels.stage.habitats;
            let model = ui::TranscriptModel { lines: &panels.lines, selected: run.selected, habitats };
            ui::show_transcript(ui, &model, &mut states.transcript)
        }
        Pane::Library => ui::show_library(ui, &panels.library, &mut states.library),
        Pane::Log => ui::show_log(ui, &panels.log, &mut states.log),
    }
}

#[cfg(test)]
mod tests;
