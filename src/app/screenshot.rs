//! A picture of the window, taken after some turns; then the program ends.

use std::path::PathBuf;

use bevy::{
    prelude::*,
    render::view::screenshot::{self, ScreenshotCaptured},
};

use super::playback::Playback;

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

/// Stops the turns when enough have been played, then takes the picture.
pub(super) fn take_screenshot(
    wanted: Option<Res<Screenshot>>,
    mut playback: ResMut<Playback>,
    mut frames: Local<u32>,
    mut commands: Commands,
) {
    let Some(wanted) = wanted else { return };
    if playback.turns < u64::from(wanted.turns) && playback.playing {
        return;
    }
    playback.playing = false;
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
