//! The window: the same turns as without one, drawn, with panels.

use std::sync::Arc;

use bevy::{
    camera::{CameraOutputMode, visibility::RenderLayers},
    log::LogPlugin,
    prelude::*,
    render::render_resource::BlendState,
    window::{PrimaryWindow, WindowResizeConstraints, WindowResolution},
};
use bevy_egui::{
    EguiContexts, EguiGlobalSettings, EguiPlugin, EguiPrimaryContextPass, PrimaryEguiContext,
    egui::{self, LayerId, Ui, UiBuilder},
};

use super::{
    error::AppError,
    habitats::{plan_habitats, spawn_habitats},
    headless::{add_turn, check_memory, task_pools},
    minds::{exchange_minds, spawn_worker_or_rules},
    playback::{Playback, is_finished, play_turns},
    probe::{find_adapter, without_panic},
    screenshot::{Screenshot, take_screenshot},
};
use crate::{
    config::RunConfig,
    mind::{WorkerState, sum_up},
    protocol::UserCommand,
    record::{GenerationRow, History, Lineage},
    sim::{Clock, Habitat, HabitatConfig, Roster, Vitality, despawn_habitat},
    ui::{self, ControlsModel, GenerationsModel},
    view::{HabitatFrame, ViewOptions, ViewPlugin},
};

/// The exit code of a program that Ctrl-C has stopped.
const STOPPED: u8 = 130;
/// The smallest window in which nothing overlaps.
const SMALLEST: (f32, f32) = (960.0, 600.0);
/// Generations that the column shows, the latest ones.
const SHOWN: usize = 200;
/// Width of the column beside the habitat, in points.
const COLUMN: f32 = 300.0;

/// The settings that the habitats on show were made with.
#[derive(Resource, Debug, Clone)]
struct Shown(Arc<RunConfig>);

/// What the panels show, read from the world once a frame.
#[derive(Resource, Debug, Clone)]
struct Panels(Option<(ControlsModel, GenerationsModel)>);

/// What the person wants, until it is carried out.
#[derive(Resource, Debug, Default)]
struct Wishes(Vec<UserCommand>);

/// Opens the window and plays until it is closed. Gives the program's exit code.
///
/// # Errors
/// The settings cannot be used, the minds cannot be started, or there is no display or graphics adapter.
pub fn open_window(config: RunConfig, size: (u32, u32), screenshot: Option<Screenshot>) -> Result<u8, AppError> {
    config.check()?;
    check_memory(&config)?;
    if let Some(screenshot) = &screenshot {
        screenshot.check()?;
    }
    find_adapter()?;
    let (link, state) = spawn_worker_or_rules(&config)?;
    let mut app = without_panic(|| with_window(size, config.run.threads))?;
    add_turn(&mut app, link);
    app.insert_resource(state);
    app.add_plugins(ViewPlugin)
        .init_resource::<Playback>()
        .init_resource::<Wishes>()
        .insert_resource(Panels(None))
        .insert_resource(Shown(Arc::new(config.clone())))
        .add_systems(Startup, spawn_panel_camera)
        .add_systems(Update, (play_turns, carry_out_wishes, read_panels, tell_view, take_screenshot).chain())
        .add_systems(EguiPrimaryContextPass, show_panels);
    if let Some(screenshot) = screenshot {
        app.world_mut().resource_mut::<Playback>().stop_at = Some(screenshot.turns.into());
        app.insert_resource(screenshot);
    }
    spawn_habitats(app.world_mut(), plan_habitats(&config, false));
    match app.run() {
        AppExit::Success => Ok(0),
        // Bevy's own handler of Ctrl-C.
        AppExit::Error(code) if code.get() == STOPPED => Ok(STOPPED),
        AppExit::Error(_) => Err(AppError::WindowFailed),
    }
}

fn with_window((width, height): (u32, u32), threads: u32) -> App {
    let window = Window {
        title: "Evolora".to_owned(),
        name: Some("evolora".to_owned()),
        resolution: WindowResolution::new(width, height),
        resize_constraints: WindowResizeConstraints { min_width: SMALLEST.0, min_height: SMALLEST.1, ..default() },
        ..default()
    };
    let mut app = App::new();
    let plugins = DefaultPlugins
        .set(WindowPlugin { primary_window: Some(window), ..default() })
        .set(TaskPoolPlugin { task_pool_options: task_pools(threads) })
        .set(LogPlugin {
            filter: "warn,wgpu=error,naga=error,bevy_render=error,bevy_egui=error,winit=error".to_owned(),
            ..default()
        });
    app.add_plugins(plugins).add_plugins(EguiPlugin::default());
    app
}

/// The panels have a camera of their own over the whole window; the habitats' camera keeps to its frame.
fn spawn_panel_camera(mut commands: Commands, mut settings: ResMut<EguiGlobalSettings>) {
    settings.auto_create_primary_context = false;
    let output_mode =
        CameraOutputMode::Write { blend_state: Some(BlendState::ALPHA_BLENDING), clear_color: ClearColorConfig::None };
    let clear_color = ClearColorConfig::Custom(Color::NONE);
    let camera = Camera { order: 1, output_mode, clear_color, ..default() };
    // As many samples a pixel as the habitats' camera has, which draws into the same picture.
    commands.spawn((PrimaryEguiContext, Camera2d, RenderLayers::none(), camera, Msaa::Off));
}

fn show_panels(
    mut contexts: EguiContexts,
    window: Single<&Window, With<PrimaryWindow>>,
    panels: Res<Panels>,
    mut wishes: ResMut<Wishes>,
    mut frame: ResMut<HabitatFrame>,
    mut is_dressed: Local<bool>,
) -> Result {
    let context = contexts.ctx_mut()?.clone();
    if !std::mem::replace(&mut *is_dressed, true) {
        ui::theme::apply(&context);
        return Ok(());
    }
    let Some((controls, generations)) = &panels.0 else { return Ok(()) };
    let builder = UiBuilder::new().layer_id(LayerId::background()).max_rect(context.viewport_rect());
    let mut root = Ui::new(context, "panels".into(), builder);
    let bar = egui::Panel::top("controls").frame(ui::theme::panel_frame());
    bar.show(&mut root, |panel| wishes.0.extend(ui::show_controls(panel, controls)));
    let column = egui::Panel::right("generations").frame(ui::theme::panel_frame()).resizable(false);
    column.exact_size(COLUMN).show(&mut root, |panel| ui::show_generations(panel, generations));

    let scale = window.scale_factor();
    let free = root.available_rect_before_wrap();
    let pixels = |x: f32, y: f32| UVec2::new((x * scale).max(0.0) as u32, (y * scale).max(0.0) as u32);
    let min = pixels(free.min.x, free.min.y).min(window.physical_size());
    let size = pixels(free.width(), free.height()).min(window.physical_size() - min);
    frame.set_if_neq(HabitatFrame { min, size });
    Ok(())
}

/// Tells the picture how fast turns follow each other, and to hold still for a photograph.
fn tell_view(playback: Res<Playback>, screenshot: Option<Res<Screenshot>>, mut options: ResMut<ViewOptions>) {
    options.pace = playback.speed;
    options.animate = screenshot.is_none();
}

/// Reads what the panels show.
fn read_panels(world: &mut World) {
    let finished = is_finished(world);
    let mut habitats = world.query_filtered::<(Entity, &Habitat), ()>();
    let mut sorted: Vec<_> = habitats.iter(world).map(|(entity, habitat)| (habitat.id, entity)).collect();
    sorted.sort_unstable();
    let history = &world.resource::<History>().rows;
    let latest = history[history.len().saturating_sub(SHOWN)..].to_vec();
    let mut generations = GenerationsModel { rows: latest, ..Default::default() };
    for (_, entity) in &sorted {
        generations.living.extend(sum_up(world, *entity).map(|ended| GenerationRow::from(&ended)));
        let roster = world.get::<Roster>(*entity).map(|roster| roster.0.clone()).unwrap_or_default();
        let lives = |agent: &&Entity| world.get::<Vitality>(**agent).is_some_and(|vitality| vitality.is_alive());
        generations.alive += roster.iter().filter(lives).count() as u32;
        generations.born += roster.len() as u32;
    }
    let Some((_, first)) = sorted.first() else { return };
    let clock = world.get::<Clock>(*first).copied().unwrap_or_default();
    let Some(config) = world.get::<HabitatConfig>(*first).cloned() else { return };
    let state = world.resource::<WorkerState>();
    generations.mind = match &state.facts {
        _ if !state.is_up() => format!("rules, for {}", config.mind.kind),
        Some(facts) => facts.name.clone(),
        None => config.mind.kind.to_string(),
    };
    generations.seed = config.run.seed;
    let playback = world.resource::<Playback>();
    let controls = ControlsModel {
        playing: playback.playing,
        finished,
        speed: playback.speed,
        seed: config.run.seed,
        generation: (clock.generation, config.run.generations),
        turn: (clock.turn, config.run.turns),
        banner: world.resource::<WorkerState>().complaint().map(ToString::to_string),
    };
    world.resource_mut::<Panels>().0 = Some((controls, generations));
}

/// Does what the person wants, between two turns.
fn carry_out_wishes(world: &mut World) {
    for wish in std::mem::take(&mut world.resource_mut::<Wishes>().0) {
        let mut playback = world.resource_mut::<Playback>();
        match wish {
            UserCommand::Play => playback.playing = true,
            UserCommand::Pause => playback.playing = false,
            UserCommand::StepTurn => {
                playback.playing = false;
                playback.steps += 1;
            }
            UserCommand::SetSpeed(speed) => playback.speed = speed,
            UserCommand::Restart { seed } => start_again(world, seed),
            _ => {}
        }
    }
}

/// Begins anew from generation 0, with the minds of the new seed: a worker that had gone comes back, too.
fn start_again(world: &mut World, seed: u64) {
    let mut config = RunConfig::clone(&world.resource::<Shown>().0);
    config.run.seed = seed;
    exchange_minds(world, || spawn_worker_or_rules(&config));
    let mut habitats = world.query_filtered::<Entity, With<Habitat>>();
    for habitat in habitats.iter(world).collect::<Vec<_>>() {
        despawn_habitat(world, habitat);
    }
    world.insert_resource(Shown(Arc::new(config.clone())));
    world.insert_resource(History::default());
    world.insert_resource(Lineage::default());
    world.resource_mut::<Playback>().forget();
    spawn_habitats(world, plan_habitats(&config, false));
}
