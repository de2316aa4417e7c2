//! Draws the panels, and gives the habitats the room that these leave free.

use bevy::{
    camera::{CameraOutputMode, visibility::RenderLayers},
    prelude::*,
    render::render_resource::BlendState,
    window::PrimaryWindow,
};
use bevy_egui::{
    EguiContexts, EguiGlobalSettings, PrimaryEguiContext,
    egui::{self, LayerId, Sense, Ui, UiBuilder},
    render::EGUI_SHADER_HANDLE,
};

use super::{
    Wishes,
    arrival::Arrival,
    layout::{Places, lay_out},
    memory::States,
    models::Panels,
    pointer::Pointer,
    run::Run,
};
use crate::{config::MindKind, palette, ui, view::HabitatFrame};

/// Where the curves of fitness are, in physical pixels of the window, while they can be seen.
#[derive(Resource, Debug, Default)]
pub(super) struct PlotPlace(pub Option<URect>);

/// The panels have a camera of their own over the whole window; the habitats' camera keeps to its frame.
pub(super) fn spawn_panel_camera(mut commands: Commands, mut settings: ResMut<EguiGlobalSettings>) {
    settings.auto_create_primary_context = false;
    let output_mode =
        CameraOutputMode::Write { blend_state: Some(BlendState::ALPHA_BLENDING), clear_color: ClearColorConfig::None };
    let clear_color = ClearColorConfig::Custom(Color::NONE);
    let camera = Camera { order: 1, output_mode, clear_color, ..default() };
    // Both cameras draw into the same picture, so that both take as many samples of a pixel: one.
    commands.spawn((PrimaryEguiContext, Camera2d, RenderLayers::none(), Msaa::Off, camera));
}

/// How panels are drawn, in place of bevy_egui's own way.
static SHADER: &str = include_str!("../../../assets/panels.wgsl");

/// Lets what is half transparent keep its colour: soft edges, stripes, shadows.
pub(super) fn draw_in_linear_light(mut shaders: ResMut<Assets<Shader>>) {
    let shader = Shader::from_wgsl(SHADER, "assets/panels.wgsl");
    if let Err(error) = shaders.insert(&EGUI_SHADER_HANDLE, shader) {
        warn!("Panels are drawn with hard edges: their shader cannot be exchanged ({error}).");
    }
}

/// Draws everything, and notes what the person wants.
pub(super) fn show_panels(
    mut contexts: EguiContexts,
    window: Single<&Window, With<PrimaryWindow>>,
    (panels, run, arrival): (Res<Panels>, Res<Run>, Res<Arrival>),
    (mut states, mut wishes): (ResMut<States>, ResMut<Wishes>),
    (mut frame, mut pointer, mut plot): (ResMut<HabitatFrame>, ResMut<Pointer>, ResMut<PlotPlace>),
    mut worn: Local<Option<(bool, f32)>>,
) -> Result {
    let context = contexts.ctx_mut()?.clone();
    let is_first = worn.is_none();
    dress(&context, &states, &mut worn);
    if is_first || !panels.is_read {
        // Fonts are there from the next frame on.
        return Ok(());
    }
    let builder = UiBuilder::new().layer_id(LayerId::background()).max_rect(context.viewport_rect());
    let mut root = Ui::new(context.clone(), "panels".into(), builder);
    let states = &mut *states;
    let Places { around, rest, habitat, curves } = lay_out(&mut root, &panels, &run, states, &mut wishes.0);
    let pixels = window.scale_factor() * states.scale;
    *pointer = Pointer::default();
    if habitat.is_positive() {
        *pointer = listen(&mut root, habitat, pixels);
        if let Some(what) = arrival.awaited() {
            ui::show_waiting(&context, habitat.center(), what);
        }
    }
    let has_model = run.living.mind.kind == MindKind::Llm;
    if states.help {
        ui::show_help(&context, &mut states.help, has_model);
    }
    // A banner has the same place.
    if states.is_first && run.banners.is_empty() && ui::show_first_hint(&context, has_model) {
        states.is_first = false;
    }
    let (min, size) = in_pixels(habitat, pixels, window.physical_size());
    frame.set_if_neq(HabitatFrame { min, size });
    let at = |pixel: UVec2| egui::pos2(pixel.x as f32, pixel.y as f32) / pixels;
    let ground = ui::theme::ink(palette::NIGHT);
    root.painter()
        .set(around, egui::Shape::Vec(surround(rest, egui::Rect::from_min_max(at(min), at(min + size)), ground)));
    plot.0 = curves.map(|rect| {
        let (min, size) = in_pixels(rect, pixels, window.physical_size());
        URect { min, max: min + size }
    });
    Ok(())
}

/// All of a place but a hole in it, filled: what lies between the panels, where nothing else is drawn.
fn surround(place: egui::Rect, hole: egui::Rect, fill: egui::Color32) -> Vec<egui::Shape> {
    let (top, below) = place.split_top_bottom_at_y(hole.top().clamp(place.top(), place.bottom()));
    let (middle, bottom) = below.split_top_bottom_at_y(hole.bottom().clamp(below.top(), below.bottom()));
    let left = middle.with_max_x(hole.left().clamp(middle.left(), middle.right()));
    let right = middle.with_min_x(hole.right().clamp(middle.left(), middle.right()));
    [top, left, right, bottom].into_iter().map(|rect| egui::Shape::rect_filled(rect, 0.0, fill)).collect()
}

/// Puts the theme on: its colours in every frame, since frames may be drawn by any thread, and the rest where it has changed.
fn dress(context: &egui::Context, states: &States, worn: &mut Option<(bool, f32)>) {
    let look = (states.dark, states.scale);
    let before = worn.replace(look);
    if before.is_none() {
        ui::theme::set_fonts(context);
        // Ctrl and + are the window's own keys: what else knows them would scale the panels away from the habitat's frame.
        context.options_mut(|options| options.zoom_with_keyboard = false);
    }
    ui::theme::choose(states.dark);
    if before != Some(look) {
        ui::theme::apply(context, states.dark);
        context.set_zoom_factor(states.scale);
    }
}

/// A rectangle of points in pixels: its corner and its size, within the window.
fn in_pixels(rect: egui::Rect, pixels: f32, window: UVec2) -> (UVec2, UVec2) {
    let at = |x: f32, y: f32| UVec2::new((x * pixels).max(0.0) as u32, (y * pixels).max(0.0) as u32);
    let min = at(rect.min.x, rect.min.y).min(window);
    (min, at(rect.width(), rect.height()).min(window - min))
}

/// What the mouse does over the habitats, in pixels.
fn listen(ui: &mut Ui, rect: egui::Rect, pixels: f32) -> Pointer {
    let response = ui.interact(rect, ui.id().with("habitats"), Sense::click_and_drag());
    let to_pixels = |at: egui::Pos2| Vec2::new(at.x, at.y) * pixels;
    let delta = response.drag_delta();
    let scroll = if response.hovered() { ui.input(|input| input.smooth_scroll_delta().y) } else { 0.0 };
    Pointer {
        at: response.hover_pos().or_else(|| response.interact_pointer_pos()).map(to_pixels),
        clicked: response.clicked(),
        double_clicked: response.double_clicked(),
        pressed: response
            .drag_started()
            .then(|| ui.input(|input| input.pointer.press_origin()))
            .flatten()
            .map(to_pixels),
        dragged: Vec2::new(delta.x, delta.y) * pixels,
        released: response.drag_stopped(),
        scrolled: scroll,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_scale_the_panels_only_as_far_as_the_window_does() {
        let (context, states, mut worn) = (egui::Context::default(), States::default(), None);
        let key = egui::Event::Key {
            key: egui::Key::Equals,
            physical_key: None,
            pressed: true,
            repeat: false,
            modifiers: egui::Modifiers::COMMAND,
        };
        for _ in 0..3 {
            let events = vec![egui::Event::ModifiersChanged(egui::Modifiers::COMMAND), key.clone()];
            let input = egui::RawInput { events, ..egui::RawInput::default() };
            context.begin_pass(input);
            dress(&context, &states, &mut worn);
            let _ = context.end_pass();
        }
        assert!((context.zoom_factor() - states.scale).abs() < 1e-6, "{}", context.zoom_factor());
    }
}
