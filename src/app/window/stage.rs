//! Draws the panels, and gives the habitats the room that these leave free.

use bevy::{
    camera::{CameraOutputMode, visibility::RenderLayers},
    prelude::*,
    render::render_resource::BlendState,
    window::PrimaryWindow,
};
use bevy_egui::{
    EguiContexts, EguiGlobalSettings, PrimaryEguiContext,
    egui::{self, LayerId, Ui, UiBuilder},
};

use super::{Wishes, dock::Pane, memory::States, models::Panels};
use crate::{palette, protocol::UserCommand, ui, view::HabitatFrame};

/// The panels have a camera of their own over the whole window; the habitats' camera keeps to its frame.
pub(super) fn spawn_panel_camera(mut commands: Commands, mut settings: ResMut<EguiGlobalSettings>) {
    settings.auto_create_primary_context = false;
    let output_mode =
        CameraOutputMode::Write { blend_state: Some(BlendState::ALPHA_BLENDING), clear_color: ClearColorConfig::None };
    let clear_color = ClearColorConfig::Custom(Color::NONE);
    let camera = Camera { order: 1, output_mode, clear_color, ..default() };
    commands.spawn((PrimaryEguiContext, Camera2d, RenderLayers::none(), camera));
}

pub(super) fn show_panels(
    mut contexts: EguiContexts,
    window: Single<&Window, With<PrimaryWindow>>,
    panels: Res<Panels>,
    mut states: ResMut<States>,
    mut wishes: ResMut<Wishes>,
    mut frame: ResMut<HabitatFrame>,
    mut worn: Local<Option<(bool, f32)>>,
) -> Result {
    let context = contexts.ctx_mut()?.clone();
    let look = (states.dark, states.scale);
    let before = worn.replace(look);
    if before.is_none() {
        ui::theme::set_fonts(&context);
    }
    if before != Some(look) {
        ui::theme::apply(&context, states.dark);
        context.set_zoom_factor(states.scale);
    }
    if before.is_none() || !panels.is_read {
        // Fonts are there from the next frame on.
        return Ok(());
    }
    let builder = UiBuilder::new().layer_id(LayerId::background()).max_rect(context.viewport_rect());
    let mut root = Ui::new(context.clone(), "panels".into(), builder);
    let states = &mut *states;
    let bar = egui::Panel::top("bar").frame(ui::theme::panel_frame());
    bar.show(&mut root, |ui| wishes.0.extend(ui::show_top_bar(ui, &panels.top_bar, &mut states.help)));

    let rest = root.available_rect_before_wrap();
    let mut tiles = root.new_child(UiBuilder::new().max_rect(rest));
    tiles.spacing_mut().item_spacing.y = 0.0;
    let mut habitat = egui::Rect::NOTHING;
    let mut dock = std::mem::take(&mut states.dock);
    dock.show(&mut tiles, |ui, pane| match pane {
        Pane::Habitat => habitat = ui.max_rect(),
        other => {
            ui.spacing_mut().item_spacing.y = 6.0;
            wishes.0.extend(show_pane(ui, other, &panels, states));
        }
    });
    states.dock = dock;
    if habitat.is_positive() {
        show_stage(&mut tiles, habitat, &panels, states, &mut wishes.0);
    }
    if states.help {
        ui::show_help(&context, &mut states.help);
    }
    if states.is_first && ui::show_first_hint(&context) {
        states.is_first = false;
    }
    let scale = window.scale_factor() * states.scale;
    let pixels = |x: f32, y: f32| UVec2::new((x * scale).max(0.0) as u32, (y * scale).max(0.0) as u32);
    let min = pixels(habitat.min.x, habitat.min.y).min(window.physical_size());
    let size = pixels(habitat.width(), habitat.height()).min(window.physical_size() - min);
    frame.set_if_neq(HabitatFrame { min, size });
    Ok(())
}

/// The habitats' tile: what lies over them.
fn show_stage(ui: &mut Ui, rect: egui::Rect, panels: &Panels, states: &mut States, wishes: &mut Vec<UserCommand>) {
    let tools = egui::Rect::from_min_size(rect.min, egui::vec2(rect.width(), 36.0)).shrink2(egui::vec2(8.0, 4.0));
    let mut over = ui.new_child(UiBuilder::new().max_rect(tools).id_salt("stage"));
    let frame =
        egui::Frame::new().fill(ui::theme::ink(palette::PANEL).gamma_multiply(0.82)).corner_radius(8).inner_margin(4);
    frame.show(&mut over, |ui| wishes.extend(ui::show_stage_tools(ui, &panels.stage, &mut states.tool)));
}

fn show_pane(ui: &mut Ui, pane: Pane, panels: &Panels, states: &mut States) -> Vec<UserCommand> {
    match pane {
        Pane::Habitat => Vec::new(),
        Pane::Controls => ui::show_controls(ui, &panels.controls, &mut states.controls),
        Pane::Generations => {
            ui::show_generations(ui, &panels.generations);
            Vec::new()
        }
    }
}
