//! The window: the same turns as without one, drawn, with panels.
//!
//! A frame goes: turns that are due are played → what the person wants is done → panels' models are read from the world →
//! panels are drawn and say what the person wants. No frame waits for the minds, or for a disk.

mod arrival;
mod creatures;
mod dock;
mod edit;
mod frames;
mod keep;
mod keys;
mod layout;
mod library;
mod memory;
mod models;
mod playback;
mod pointer;
mod recording;
mod run;
mod screenshot;
mod settings;
mod stage;
mod wishes;

use std::{
    path::PathBuf,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bevy::{
    app::ScheduleRunnerPlugin,
    diagnostic::FrameTimeDiagnosticsPlugin,
    log::LogPlugin,
    prelude::*,
    window::{WindowResizeConstraints, WindowResolution},
    winit::{UpdateMode, WinitPlugin, WinitSettings},
};
use bevy_egui::{EguiPlugin, EguiPrimaryContextPass};

pub use frames::{FramePlan, FrameReport};
pub use screenshot::Screenshot;

use self::{memory::States, models::Panels, playback::Playback, run::Run};
use super::{
    error::AppError,
    habitats::{plan_habitats, spawn_habitats},
    headless::{add_turn, check_memory, task_pools},
    minds::{Minds, spawn_minds_or_rules},
    probe::{find_adapter, without_panic},
    references::References,
};
use crate::{
    config::RunConfig,
    mind::{Resolve, ResolveSystems, WorkerState, listen, spawn_slow_worker},
    protocol::UserCommand,
    record::{Retention, RunFiles, WatchPlugin},
    sim::advance_clock,
    view::{ViewPlugin, watch_turn},
};

/// The exit code of a program that Ctrl-C has stopped.
const STOPPED: u8 = 130;
/// The smallest window in which nothing overlaps.
const SMALLEST: (f32, f32) = (960.0, 600.0);
/// Time between two frames, at the least.
const FRAME: Duration = Duration::from_millis(16);

/// How the window begins.
#[derive(Debug, Clone)]
pub struct WindowPlan {
    /// Its width and height, in pixels.
    pub size: (u32, u32),
    /// A picture to be taken, after which it closes.
    pub screenshot: Option<Screenshot>,
    /// The folder that the run is kept in.
    pub out: Option<PathBuf>,
    /// Whether a run that is in the folder already is written over.
    pub overwrite: bool,
    /// Whether it is drawn without a window, for its picture alone.
    pub offscreen: bool,
    /// Set once the system or the terminal has asked the program to end: the run is kept, and the window closes.
    pub stop: Option<Arc<AtomicBool>>,
}

/// Whether the program has been asked to end by a signal.
#[derive(Resource, Debug)]
struct Stop(Arc<AtomicBool>);

/// What the person wants, until it is carried out.
#[derive(Resource, Debug, Default)]
struct Wishes(Vec<UserCommand>);

/// Opens the window and plays until it is closed. Gives the program's exit code.
///
/// # Errors
/// The settings cannot be used, the minds cannot be started, or there is no display or graphics adapter.
pub fn open_window(config: RunConfig, plan: WindowPlan) -> Result<u8, AppError> {
    config.check()?;
    check_memory(&config)?;
    if let Some(screenshot) = &plan.screenshot {
        screenshot.check()?;
    }
    let files = plan.out.as_ref().map(|folder| RunFiles::create(folder, plan.overwrite)).transpose()?;
    // A picture is the same wherever it is taken: nothing is remembered for it.
    let states = match &plan.screenshot {
        Some(picture) => States { dark: picture.dark, ..States::default() },
        None => States::remembered(),
    };
    let mut app = lay_out(config, spawn_minds_or_rules, (plan.size, plan.offscreen), files)?;
    app.insert_resource(states);
    if let Some(stop) = plan.stop {
        if stop.load(Ordering::Relaxed) {
            return Ok(STOPPED);
        }
        app.insert_resource(Stop(stop));
    }
    if let Some(screenshot) = plan.screenshot {
        let mut playback = app.world_mut().resource_mut::<Playback>();
        playback.stop_at = Some(screenshot.turns.into());
        if plan.offscreen {
            playback.speed = f32::INFINITY;
        }
        app.insert_resource(screenshot);
    }
    match app.run() {
        AppExit::Success => Ok(0),
        // Stopped by a signal, which the run's keeper or, for a picture, Bevy's own handler has taken.
        AppExit::Error(code) if code.get() == STOPPED => Ok(STOPPED),
        AppExit::Error(_) => Err(AppError::WindowFailed),
    }
}

/// Measures the frames of the window, which is drawn as usual, but shown to nobody.
///
/// # Errors
/// The settings cannot be used, the minds cannot be started, or there is no graphics adapter.
pub fn measure_frames(config: RunConfig, plan: FramePlan) -> Result<FrameReport, AppError> {
    config.check()?;
    check_memory(&config)?;
    let think = plan.think;
    let spawn = |config: &RunConfig| match think {
        Some(time) => Ok((spawn_slow_worker(time).map_err(AppError::Worker)?, WorkerState::default(), None)),
        None => spawn_minds_or_rules(config),
    };
    let mut app = lay_out(config, spawn, (plan.size, true), None)?;
    app.insert_resource(States::default());
    let report = frames::measure(&mut app, plan);
    let exit = app.run();
    let report = report.lock().unwrap_or_else(PoisonError::into_inner).take();
    report.filter(|_| exit.is_success()).ok_or(AppError::WindowFailed)
}

/// Everything that the window needs, with a run that begins.
fn lay_out(
    config: RunConfig,
    spawn: impl FnOnce(&RunConfig) -> Result<Minds, AppError>,
    (size, offscreen): ((u32, u32), bool),
    files: Option<RunFiles>,
) -> Result<App, AppError> {
    find_adapter()?;
    let (link, state, shelf) = spawn(&config)?;
    let mut app = without_panic(|| with_window(size, config.run.threads, offscreen))?;
    add_turn(&mut app, link);
    app.insert_resource(state);
    let plans = plan_habitats(&config, false);
    app.insert_resource(Retention::with_archive(files.clone()));
    if let Ok(references) = References::start() {
        app.insert_resource(references);
    }
    app.insert_resource(Run::new(config, shelf, files));
    add_systems(&mut app);
    spawn_habitats(app.world_mut(), plans);
    Ok(app)
}

fn add_systems(app: &mut App) {
    app.add_plugins((ViewPlugin, WatchPlugin, FrameTimeDiagnosticsPlugin::default()))
        .init_resource::<Playback>()
        .init_resource::<Wishes>()
        .init_resource::<Panels>()
        .init_resource::<keep::Keeping>()
        .init_resource::<arrival::Arrival>()
        .init_resource::<edit::Edits>()
        .init_resource::<library::Library>()
        .init_resource::<pointer::Pointer>()
        .init_resource::<stage::PlotPlace>()
        .add_systems(Startup, (stage::spawn_panel_camera, stage::draw_in_linear_light))
        // Every turn, not every frame: several may follow each other in one.
        .add_systems(Resolve, watch_turn.in_set(ResolveSystems::Upkeep).after(advance_clock))
        .add_systems(
            Update,
            (
                (keys::read_keys, creatures::take_dropped_files, pointer::use_pointer).chain(),
                listen,
                playback::play_turns,
                (models::note_losses, pointer::show_lessons),
                wishes::carry_out_wishes,
                arrival::receive_run,
                keep::keep_run,
                models::read_models,
                (pointer::tell_view, pointer::tell_who, pointer::tell_words, pointer::write_title).chain(),
                (recording::record_turns, screenshot::take_screenshot, keep::close_window).chain(),
            )
                .chain(),
        )
        .add_systems(EguiPrimaryContextPass, stage::show_panels);
}

fn with_window((width, height): (u32, u32), threads: u32, offscreen: bool) -> App {
    let window = Window {
        title: "Evolora".to_owned(),
        name: Some("evolora".to_owned()),
        resolution: WindowResolution::new(width, height),
        resize_constraints: WindowResizeConstraints { min_width: SMALLEST.0, min_height: SMALLEST.1, ..default() },
        ..default()
    };
    let mut app = App::new();
    let plugins = DefaultPlugins
        // Closing saves first.
        .set(WindowPlugin { primary_window: Some(window), close_when_requested: false, ..default() })
        .set(TaskPoolPlugin { task_pool_options: task_pools(threads) })
        .set(LogPlugin {
            filter: "warn,wgpu=error,naga=error,bevy_render=error,bevy_egui=error,winit=error".to_owned(),
            ..default()
        });
    if offscreen {
        app.add_plugins(plugins.build().disable::<WinitPlugin>());
        app.add_plugins(ScheduleRunnerPlugin::run_loop(Duration::ZERO));
        screenshot::draw_offscreen(&mut app, (width, height));
    } else {
        let pace = UpdateMode::reactive(FRAME);
        app.add_plugins(plugins).insert_resource(WinitSettings { focused_mode: pace, unfocused_mode: pace });
    }
    app.add_plugins(EguiPlugin::default());
    app
}
