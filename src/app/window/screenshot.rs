//! A picture of the window, taken after some turns; then the program ends. With a display or without.

use std::{fs::OpenOptions, path::PathBuf};

use bevy::{
    asset::RenderAssetUsages,
    camera::RenderTarget,
    prelude::*,
    render::{
        render_resource::{Extent3d, TextureDimension, TextureFormat, TextureUsages},
        view::screenshot::{self, ScreenshotCaptured},
    },
};

use super::{Wishes, dock::Pane, keep::Keeping, memory::States, models::Panels, playback::Playback};
use crate::{
    app::AppError,
    protocol::{Look, Overlay, UserCommand},
    sim::{Finished, Habitat},
};

/// Frames between the last turn and the picture, for panels to be laid out and what glides to arrive.
const SETTLE: u32 = 40;

/// What minds are asked in the scene in which they talk.
const QUESTION: &str = "The opposite of north is";

/// Asks for a picture of the window.
#[derive(Resource, Debug, Clone)]
pub struct Screenshot {
    /// The PNG file.
    pub file: PathBuf,
    /// Turns to play before it is taken.
    pub turns: u32,
    /// What it shows: one of [`Screenshot::SCENES`].
    pub scene: String,
    /// Whether the window is dark.
    pub dark: bool,
}

impl Screenshot {
    /// What a picture can show.
    pub const SCENES: [&str; 15] = [
        "start",
        "habitat",
        "mind",
        "what-if",
        "talk",
        "transcript",
        "lineage",
        "generations",
        "machine",
        "log",
        "models",
        "trails",
        "visits",
        "speech",
        "help",
    ];

    /// Makes sure, before anything is played, that the picture can be written.
    ///
    /// # Errors
    /// The name does not end in `.png`, or the file cannot be written.
    pub fn check(&self) -> Result<(), AppError> {
        let is_png = self.file.extension().is_some_and(|end| end.eq_ignore_ascii_case("png"));
        let unwritable = |reason: String| AppError::Screenshot { file: self.file.clone(), reason };
        if !is_png {
            return Err(unwritable("its name must end in .png".to_owned()));
        }
        let opened = OpenOptions::new().create(true).append(true).open(&self.file);
        opened.map(drop).map_err(|error| unwritable(error.to_string()))
    }

    /// What a person would do to see the scene.
    fn wishes(&self, panels: &Panels) -> Vec<UserCommand> {
        let show = |pane: Pane| UserCommand::Look(Look::Panel(pane.name().to_owned(), true));
        let select = UserCommand::Select(panels.fittest.first().copied());
        match self.scene.as_str() {
            "habitat" => {
                let first = panels.fittest.first().map(|(habitat, _)| *habitat);
                vec![select, UserCommand::Enter(first)]
            }
            "mind" => vec![select],
            "what-if" | "talk" => vec![select, show(Pane::WhatIf)],
            "transcript" => vec![select, show(Pane::Transcript)],
            "lineage" => vec![select, show(Pane::Lineage)],
            "generations" => vec![show(Pane::Generations)],
            "machine" => vec![show(Pane::Machine)],
            "log" => vec![show(Pane::Log)],
            "models" => vec![show(Pane::Library)],
            "trails" => vec![select, UserCommand::Overlay(Overlay::Trails, true)],
            "visits" => vec![select, UserCommand::Overlay(Overlay::Visits, true)],
            "speech" => vec![select, UserCommand::Overlay(Overlay::Speech, true)],
            _ => Vec::new(),
        }
    }
}

/// The picture that everything is drawn into where there is no window.
#[derive(Resource, Debug, Clone)]
pub(super) struct Canvas(Handle<Image>);

/// Lets every camera draw into a picture of this size, in pixels.
pub(super) fn draw_offscreen(app: &mut App, (width, height): (u32, u32)) {
    let make = move |mut commands: Commands, mut images: ResMut<Assets<Image>>| {
        let size = Extent3d { width, height, depth_or_array_layers: 1 };
        let (kind, format) = (TextureDimension::D2, TextureFormat::Rgba8UnormSrgb);
        let mut image = Image::new_fill(size, kind, &[0, 0, 0, 255], format, RenderAssetUsages::default());
        image.texture_descriptor.usage |= TextureUsages::RENDER_ATTACHMENT | TextureUsages::COPY_SRC;
        commands.insert_resource(Canvas(images.add(image)));
    };
    let aim = |mut commands: Commands, canvas: Res<Canvas>, cameras: Query<Entity, With<Camera>>| {
        for camera in &cameras {
            commands.entity(camera).insert(RenderTarget::Image(canvas.0.clone().into()));
        }
    };
    app.add_systems(PreStartup, make).add_systems(PostStartup, aim);
}

/// Takes the picture when the turns have been played, or the run is over.
pub(super) fn take_screenshot(
    wanted: Option<Res<Screenshot>>,
    canvas: Option<Res<Canvas>>,
    living: Query<(), (With<Habitat>, Without<Finished>)>,
    (mut playback, panels): (ResMut<Playback>, Res<Panels>),
    (mut states, mut wishes, keeping): (ResMut<States>, ResMut<Wishes>, Res<Keeping>),
    mut frames: Local<u32>,
    mut commands: Commands,
) {
    let Some(wanted) = wanted else { return };
    if playback.turns < u64::from(wanted.turns) && !living.is_empty() {
        return;
    }
    if *frames + 1 == SETTLE && (keeping.is_busy() || states.what_if.is_waiting()) {
        return;
    }
    *frames += 1;
    if *frames == 1 {
        // What was played in haste is shown as it is usually watched.
        playback.speed = Playback::default().speed;
        states.help = wanted.scene == "help";
        wishes.0.extend(wanted.wishes(&panels));
    }
    if *frames == SETTLE / 2 && wanted.scene == "talk" {
        wishes.0.extend(states.what_if.ask_all(QUESTION, &panels.what_if));
    }
    if *frames == SETTLE {
        let file = wanted.file.clone();
        let picture = match canvas {
            Some(canvas) => screenshot::Screenshot::image(canvas.0.clone()),
            None => screenshot::Screenshot::primary_window(),
        };
        commands.spawn(picture).observe(move |taken: On<ScreenshotCaptured>, mut exit: MessageWriter<AppExit>| {
            exit.write(save(&taken.image, &file));
        });
    }
}

fn save(image: &Image, file: &PathBuf) -> AppExit {
    let saved = image.clone().try_into_dynamic().map_err(|e| e.to_string()).and_then(|picture| {
        // Alpha is the window's, not the picture's.
        picture.to_rgb8().save(file).map_err(|e| e.to_string())
    });
    match saved {
        Ok(()) => AppExit::Success,
        Err(reason) => {
            error!("The picture {} cannot be written ({reason}).", file.display());
            AppExit::error()
        }
    }
}
