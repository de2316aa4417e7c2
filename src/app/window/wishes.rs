//! Does what the person wants, between two turns.

use bevy::prelude::*;

use super::{
    Wishes,
    dock::{Dock, Pane},
    keep::Keeping,
    memory::States,
    playback::Playback,
    run::{Run, start_again},
    settings,
};
use crate::{
    config::{Preset, RunConfig},
    protocol::{Look, UserCommand},
    record::{RunFiles, replace_file},
};

/// Carries out every wish.
pub(super) fn carry_out_wishes(world: &mut World) {
    for wish in std::mem::take(&mut world.resource_mut::<Wishes>().0) {
        if let Err(sentence) = carry_out(world, wish) {
            world.resource_mut::<Run>().banner = Some(sentence);
        }
    }
}

/// Carries out one wish, or says why that cannot be.
fn carry_out(world: &mut World, wish: UserCommand) -> Result<(), String> {
    let say = |error: &dyn std::fmt::Display| error.to_string();
    match wish {
        UserCommand::Play | UserCommand::Pause | UserCommand::StepTurn | UserCommand::StepGeneration => {
            play(world, &wish)
        }
        UserCommand::SetSpeed(speed) => world.resource_mut::<Playback>().speed = speed,
        UserCommand::Restart { seed } => start_again(world, seed),
        UserCommand::GoOn { generations } => {
            let more = world.resource::<Run>().living.run.generations.saturating_add(generations).to_string();
            settings::change(world, Preset::Default, &[("run.generations".to_owned(), more)]).map_err(|e| say(&e))?;
            crate::mind::go_on(world);
        }
        UserCommand::Change(changes) => settings::change(world, Preset::Default, &changes).map_err(|e| say(&e))?,
        UserCommand::UsePreset(name) => use_preset(world, &name)?,
        UserCommand::SaveSettings(path) => {
            let text = world.resource::<Run>().next.to_toml();
            replace_file(&path, |file| std::io::Write::write_all(file, text.as_bytes())).map_err(|e| say(&e))?;
            world.resource_mut::<Run>().banner = Some(format!("The settings are in {}.", path.display()));
        }
        UserCommand::LoadSettings(path) => {
            let loaded = RunConfig::from_file(&path).map_err(|e| say(&e))?;
            settings::take(world, loaded).map_err(|e| say(&e))?;
        }
        UserCommand::SaveRun(folder) => save_run(world, &folder)?,
        UserCommand::Dismiss => world.resource_mut::<Run>().banner = None,
        UserCommand::Look(look) => change_look(&mut world.resource_mut::<States>(), look),
        _ => {}
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
        _ => playback.to_generations_end = true,
    }
}

/// Takes the built-in defaults and then the preset's values; where the run is kept and which model plays it stay.
fn use_preset(world: &mut World, name: &str) -> Result<(), String> {
    let preset = Preset::named(name).ok_or_else(|| format!("There is no preset {name}."))?;
    let run = world.resource::<Run>();
    let kept = RunConfig { run: run.next.run.clone(), model: run.next.model.clone(), ..RunConfig::default() };
    let next = kept.with(preset, &[]).map_err(|error| error.to_string())?;
    settings::take(world, next).map_err(|error| error.to_string())
}

/// Keeps the run in a folder; without a name in the one that it has, or in one that is called after its seed.
fn save_run(world: &mut World, folder: &std::path::Path) -> Result<(), String> {
    let run = world.resource::<Run>();
    let is_there = run.files.as_ref().is_some_and(|files| folder.as_os_str().is_empty() || files.folder() == folder);
    if !is_there {
        let seed = run.living.run.seed;
        let folder = if folder.as_os_str().is_empty() { format!("runs/seed-{seed}").into() } else { folder.to_owned() };
        let files = RunFiles::create(folder, false).map_err(|error| error.to_string())?;
        world.resource_mut::<Run>().files = Some(files);
    }
    world.resource_mut::<Keeping>().ask();
    Ok(())
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
