//! A picture of the window, taken after some turns; then the program ends.

use std::{fs::OpenOptions, path::PathBuf};

use bevy::{
    prelude::*,
    render::view::screenshot::{self, ScreenshotCaptured},
};

use super::playback::Playback;
use crate::{
    app::AppError,
    sim::{Finished, Habitat},
};

/// Frames between the last turn and the picture, for what glides to arrive.
const SETTLE: u32 = 30;

/// Asks for a picture of the window.
#[derive(Resource, Debug, Clone)]
pub struct Screenshot {
    /// The PNG file.
    pub file: PathBuf,
    /// Turns to play before it is taken.
    pub turns: u32,
}

impl Screenshot {
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
}

/// Takes the picture when the turns have been played, or the run is over.
pub(super) fn take_screenshot(
    wanted: Option<Res<Screenshot>>,
    playback: Res<Playback>,
    living: Query<(), (With<Habitat>, Without<Finished>)>,
    mut frames: Local<u32>,
    mut commands: Commands,
) {
    let Some(wanted) = wanted else { return };
    if playback.turns < u64::from(wanted.turns) && !living.is_empty() {
        return;
    }
    *frames += 1;
    if *frames == SETTLE {
        let file = wanted.file.clone();
        commands.spawn(screenshot::Screenshot::primary_window()).observe(
            move |taken: On<ScreenshotCaptured>, mut exit: MessageWriter<AppExit>| {
                exit.write(save(&taken.image, &file));
            },
        );
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
