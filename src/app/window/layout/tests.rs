//! The whole window, drawn from a world that has lived, in several sizes at two scales.

use bevy::{
    MinimalPlugins,
    app::{App, Update},
    diagnostic::FrameTimeDiagnosticsPlugin,
    ecs::schedule::IntoScheduleConfigs,
};
use bevy_egui::egui::{self, vec2};
use egui_kittest::Harness;

use super::*;
use crate::{
    app::{
        habitats::{plan_habitats, spawn_habitats},
        headless::add_turn,
        minds::spawn_minds_or_rules,
        window::{
            arrival::Arrival,
            edit::Edits,
            keep::Keeping,
            library::Library,
            models::read_models,
            playback::{Playback, play_turns},
        },
    },
    config::RunConfig,
    mind::listen,
    record::{Retention, WatchPlugin},
    ui::legible::{faults, texts},
    view::ViewOptions,
};

/// Sizes of the window, in pixels, and scales of what is in it.
const SIZES: [(f32, f32); 3] = [(1024.0, 700.0), (1280.0, 800.0), (1920.0, 1080.0)];
const SCALES: [f32; 2] = [1.0, 1.5];

/// A world in which nobody has lived yet.
fn new_world(habitats: u32) -> App {
    let mut config = RunConfig::default();
    (config.run.habitats, config.run.turns, config.run.generations) = (habitats, 30, 4);
    let (link, state, shelf) = spawn_minds_or_rules(&config).unwrap();
    let mut app = App::new();
    app.add_plugins((MinimalPlugins, WatchPlugin, FrameTimeDiagnosticsPlugin::default()));
    add_turn(&mut app, link);
    app.init_resource::<Playback>()
        .init_resource::<Keeping>()
        .init_resource::<Arrival>()
        .init_resource::<Edits>()
        .init_resource::<Library>()
        .init_resource::<Panels>()
        .init_resource::<States>()
        .init_resource::<ViewOptions>()
        .insert_resource(state)
        .insert_resource(Retention::with_archive(None))
        .insert_resource(Run::new(config.clone(), shelf, None))
        .add_systems(Update, (listen, play_turns, read_models).chain());
    spawn_habitats(app.world_mut(), plan_habitats(&config, false));
    app
}

/// A world whose minds have lived a generation and a half, with somebody selected.
fn lived(habitats: u32) -> App {
    let mut app = new_world(habitats);
    let mut playback = app.world_mut().resource_mut::<Playback>();
    (playback.speed, playback.stop_at) = (f32::INFINITY, Some(45));
    while app.world().resource::<Playback>().turns < 45 {
        app.update();
    }
    app.world_mut().resource_mut::<Panels>().refresh();
    app.update();
    let fittest = app.world().resource::<Panels>().fittest[0];
    app.world_mut().resource_mut::<Run>().selected = Some(fittest);
    app.world_mut().resource_mut::<Panels>().refresh();
    app.update();
    // Not what happens to be on this machine.
    let choice = |name: &str, is_here, is_used| ui::ModelChoice {
        name: name.to_owned(),
        word: name.to_owned(),
        bytes: Some(144_800_000),
        is_here,
        is_used,
    };
    let models = vec![choice("models/evolora-206k.gguf", true, true), choice("smollm-135m-instruct", false, false)];
    let mut panels = app.world_mut().resource_mut::<Panels>();
    panels.library = ui::LibraryModel { models, suggested_run: "runs/seed-42".into(), ..panels.library.clone() };
    app
}

/// What is cut or lies over another in the window while this panel is in front.
fn faults_of(app: &mut App, pane: Pane, (width, height): (f32, f32), scale: f32) -> Vec<String> {
    let world = app.world_mut();
    let panels = world.remove_resource::<Panels>().unwrap();
    let run = world.remove_resource::<Run>().unwrap();
    let mut states = States { scale, ..States::default() };
    let (mut dressed, mut frames) = (false, 0);
    let size = vec2(width, height) / scale;
    let mut draw = |ui: &mut Ui| {
        if !std::mem::replace(&mut dressed, true) {
            ui::theme::set_fonts(ui.ctx());
            ui::theme::apply(ui.ctx(), true);
            return;
        }
        // The first frame may lay the tiles out anew.
        frames += 1;
        if frames == 2 {
            states.dock.show_pane(pane, true);
        }
        lay_out(ui, &panels, &run, &mut states, &mut Vec::new());
    };
    let found = {
        let mut harness =
            Harness::builder().with_size(size).with_pixels_per_point(scale).build_ui(|ui: &mut Ui| draw(ui));
        harness.run_steps(8);
        let shapes = &harness.output().shapes;
        assert!(texts(shapes).len() > 30, "there is much to be read");
        let room = egui::Rect::from_min_size(egui::Pos2::ZERO, size);
        let mut found = faults(shapes, &|text| may_be_cut(pane, text));
        for (text, rect, clip, _) in texts(shapes) {
            if clip.intersects(rect) && clip.intersect(rect).right() > room.right() + 1.0 {
                found.push(format!("out of the window: {text:?} at {rect}"));
            }
        }
        found
    };
    world.insert_resource(panels);
    world.insert_resource(run);
    found
}

/// Prompts in tables end where their column does, and names of tabs that have to be scrolled to.
fn may_be_cut(pane: Pane, text: &str) -> bool {
    let is_tab = Pane::ALL.iter().any(|pane| pane.name() == text);
    is_tab || (matches!(pane, Pane::Transcript | Pane::Agent) && text.starts_with("At ("))
}

#[test]
fn the_whole_window_can_be_read_at_every_size_and_scale() {
    for habitats in [1, 4] {
        let mut app = lived(habitats);
        let mut all = Vec::new();
        for (size, scale) in SIZES.into_iter().flat_map(|size| SCALES.map(|scale| (size, scale))) {
            for pane in Pane::ALL {
                let found = faults_of(&mut app, pane, size, scale);
                all.extend(found.into_iter().map(|fault| format!("{pane:?}, {size:?} at {scale}: {fault}")));
            }
        }
        assert!(all.is_empty(), "{habitats} habitats:\n{}", all.join("\n"));
    }
}

#[test]
fn everybody_is_somebody_before_the_first_turn() {
    let mut app = new_world(2);
    app.world_mut().resource_mut::<Playback>().playing = false;
    app.update();
    let table = &app.world().resource::<Panels>().agent.agents;
    let names: std::collections::BTreeSet<_> = table.iter().map(|row| row.name).collect();
    assert_eq!((table.len(), names.len()), (40, 40));
}

#[test]
fn founders_stand_in_the_family_tree_from_their_first_turn_on() {
    let mut app = new_world(1);
    app.world_mut().resource_mut::<Playback>().playing = false;
    // Looked at before anybody was born.
    (0..3).for_each(|_| app.update());
    app.world_mut().resource_mut::<Playback>().steps = 2;
    while app.world().resource::<Playback>().turns < 2 {
        app.update();
    }
    app.world_mut().resource_mut::<Panels>().refresh();
    app.update();
    let family = &app.world().resource::<Panels>().lineage.creatures;
    let founders: std::collections::BTreeSet<_> = family.iter().map(|one| one.creature).collect();
    assert_eq!((family.len(), founders.len()), (20, 20));
}
