//! Does what the person wants, between two frames.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use bevy::prelude::*;

use super::{
    Wishes, creatures,
    dock::{Dock, Pane},
    edit,
    keep::Keeping,
    library::Library,
    memory::States,
    models::Panels,
    playback::Playback,
    recording,
    run::{self, Run},
    settings,
};
use crate::{
    config::{Preset, RunConfig},
    mind::is_between_turns,
    protocol::{Look, Overlay, UserCommand},
    record::{History, Retention, RunFiles, replace_file, write_csv},
    view::{CameraWish, ViewOptions, Whose},
};

/// Carries out every wish. What needs the world between two turns waits for that.
pub(super) fn carry_out_wishes(world: &mut World) {
    let wishes = std::mem::take(&mut world.resource_mut::<Wishes>().0);
    if !wishes.is_empty() {
        carry_out_all(world, wishes);
        world.resource_mut::<Panels>().refresh();
    }
    // After the person's own: what was dismissed is what was seen.
    world.resource_mut::<Run>().bypass_change_detection().turn_over(Instant::now());
}

fn carry_out_all(world: &mut World, wishes: Vec<UserCommand>) {
    for wish in wishes {
        let needs_rest =
            matches!(wish, UserCommand::Edit(..) | UserCommand::Undo | UserCommand::Redo | UserCommand::Duplicate(_));
        if needs_rest && !(is_between_turns(world) && world.resource::<Playback>().is_between_turns()) {
            world.resource_mut::<Wishes>().0.push(wish);
            continue;
        }
        // Another run takes the place of one that has been kept.
        let needs_quiet =
            matches!(wish, UserCommand::OpenRun(_) | UserCommand::Restart { .. } | UserCommand::UseModel(_));
        if needs_quiet && world.resource::<Keeping>().is_busy() {
            world.resource_mut::<Wishes>().0.push(wish);
            continue;
        }
        if let Err(sentence) = carry_out(world, wish) {
            world.resource_mut::<Run>().warn(sentence);
        }
    }
}

/// Carries out one wish, or says why that cannot be.
fn carry_out(world: &mut World, wish: UserCommand) -> Result<(), String> {
    match wish {
        UserCommand::Play | UserCommand::Pause | UserCommand::StepTurn | UserCommand::StepGeneration => {
            play(world, &wish)
        }
        UserCommand::SetSpeed(speed) => world.resource_mut::<Playback>().speed = speed,
        UserCommand::Restart { seed } => run::start_again(world, seed)?,
        UserCommand::GoOn { generations } => {
            let more = world.resource::<Run>().living.run.generations.saturating_add(generations).to_string();
            settings::change(world, Preset::Default, &[("run.generations".to_owned(), more)])?;
        }
        UserCommand::Change(changes) => settings::change(world, Preset::Default, &changes)?,
        UserCommand::UsePreset(name) => use_preset(world, &name)?,
        UserCommand::SaveSettings(path) => save_settings(world, &path)?,
        UserCommand::LoadSettings(path) => {
            let loaded = RunConfig::from_file(&path).map_err(|error| error.to_string())?;
            settings::take(world, loaded)?;
        }
        UserCommand::Select(name) => {
            world.resource_mut::<Run>().selected = name;
            if name.is_some() {
                world.resource_mut::<States>().dock.bring_forward(Pane::Agent, &[Pane::WhatIf]);
            }
        }
        UserCommand::Follow(follow) => world.resource_mut::<ViewOptions>().follow = follow,
        UserCommand::Rename(name, title) => creatures::rename(world, name, &title),
        UserCommand::Duplicate(name) => creatures::copy(world, name)?,
        UserCommand::ExportCard(name, file) => creatures::export(world, name, &file)?,
        UserCommand::ExportBest(file) => creatures::export_best(world, &file)?,
        UserCommand::ImportCard(path) => creatures::import(world, &path)?,
        UserCommand::Consult(question) => creatures::ask(world, &question),
        UserCommand::Enter(habitat) => {
            world.resource_mut::<Run>().entered = habitat;
            world.write_message(CameraWish::Enter(habitat));
        }
        UserCommand::Fit => drop(world.write_message(CameraWish::Fit)),
        UserCommand::Overlay(overlay, shown) => show_overlay(&mut world.resource_mut::<ViewOptions>(), overlay, shown),
        UserCommand::Edit(habitat, one) => edit::make(world, habitat, one)?,
        UserCommand::Undo => edit::step_back(world, false)?,
        UserCommand::Redo => edit::step_back(world, true)?,
        UserCommand::OpenRun(folder) => run::open(world, folder)?,
        UserCommand::SaveRun(folder) => save_run(world, &folder)?,
        UserCommand::UseModel(word) => use_model(world, word)?,
        UserCommand::DownloadModel(word) => world.resource::<Library>().fetch(word),
        UserCommand::TakePicture => recording::take_picture(world, None, None)?,
        UserCommand::Record { turns } => recording::begin(world, turns)?,
        UserCommand::StopRecording => recording::end(world),
        UserCommand::ExportPlot(file) => {
            let part = world.resource::<super::stage::PlotPlace>().0;
            recording::take_picture(world, Some(file), part)?;
        }
        UserCommand::ExportRows(file) => export_rows(world, &file)?,
        UserCommand::Dismiss => world.resource_mut::<Run>().dismiss_by_hand(Instant::now()),
        UserCommand::Look(look) => change_look(&mut world.resource_mut::<States>(), look),
    }
    Ok(())
}

fn play(world: &mut World, wish: &UserCommand) {
    let mut playback = world.resource_mut::<Playback>();
    match wish {
        UserCommand::Play => playback.playing = true,
        UserCommand::Pause => playback.pause(),
        UserCommand::StepTurn => {
            playback.playing = false;
            playback.steps += 1;
        }
        _ => {
            playback.playing = false;
            playback.to_generations_end = true;
        }
    }
}

/// Takes the built-in defaults and then the preset's values; where the run is kept and which model plays it stay.
fn use_preset(world: &mut World, name: &str) -> Result<(), String> {
    let preset = Preset::named(name).ok_or_else(|| format!("There is no preset {name}."))?;
    let run = world.resource::<Run>();
    let kept = RunConfig { run: run.next.run.clone(), model: run.next.model.clone(), ..RunConfig::default() };
    let next = kept.with(preset, &[]).map_err(|error| error.to_string())?;
    settings::take(world, next)
}

fn save_settings(world: &mut World, path: &Path) -> Result<(), String> {
    let text = world.resource::<Run>().next.to_toml();
    let saved = replace_file(path, |file| std::io::Write::write_all(file, text.as_bytes()));
    saved.map_err(|error| error.to_string())?;
    world.resource_mut::<Run>().say(format!("The settings are in {}.", path.display()));
    Ok(())
}

/// Keeps the run in a folder; without a name in the one that it has, or in one that is called after its seed.
fn save_run(world: &mut World, folder: &Path) -> Result<(), String> {
    let run = world.resource::<Run>();
    let is_there = run.files.as_ref().is_some_and(|files| folder.as_os_str().is_empty() || files.folder() == folder);
    if !is_there {
        let files =
            RunFiles::create(new_folder(folder, run.living.run.seed), false).map_err(|error| error.to_string())?;
        world.resource_mut::<Retention>().archive = Some(files.clone());
        world.resource_mut::<Run>().files = Some(files);
    }
    world.resource_mut::<Keeping>().ask();
    world.resource::<Library>().look_around();
    Ok(())
}

/// The folder that was named, or the first that is free and called after the seed.
fn new_folder(folder: &Path, seed: u64) -> PathBuf {
    if !folder.as_os_str().is_empty() {
        return folder.to_owned();
    }
    let names = std::iter::once(format!("runs/seed-{seed}")).chain((2..).map(|n| format!("runs/seed-{seed}-{n}")));
    names.map(PathBuf::from).find(|path| !path.exists()).unwrap_or_default()
}

/// Starts again with another model.
fn use_model(world: &mut World, word: String) -> Result<(), String> {
    settings::change(
        world,
        Preset::Default,
        &[("model.path".to_owned(), word), ("mind.kind".to_owned(), "llm".to_owned())],
    )?;
    let seed = world.resource::<Run>().living.run.seed;
    run::start_again(world, seed)
}

fn export_rows(world: &mut World, file: &Path) -> Result<(), String> {
    write_csv(file, &world.resource::<History>().sorted()).map_err(|error| error.to_string())?;
    world.resource_mut::<Run>().say(format!("The generations are in {}.", file.display()));
    Ok(())
}

const fn show_overlay(options: &mut ViewOptions, overlay: Overlay, shown: bool) {
    let whose = if shown { Whose::Everybody } else { Whose::Selected };
    match overlay {
        Overlay::Trails => options.trails = whose,
        Overlay::Visits => options.visits = shown,
        Overlay::Speech => options.speech = whose,
    }
}

fn change_look(states: &mut States, look: Look) {
    match look {
        Look::Dark(dark) => states.dark = dark,
        Look::Scale(scale) => states.scale = scale,
        Look::Panel(name, shown) => {
            if let Some(pane) = Pane::ALL.into_iter().find(|pane| pane.name() == name) {
                states.dock.show_pane(pane, shown);
            }
        }
        Look::Reset => states.dock = Dock::default(),
    }
}
