//! Pictures and recordings of the window, made while it is watched.

use std::{
    fs::{self, File},
    io::BufWriter,
    path::{Path, PathBuf},
};

use bevy::{
    prelude::*,
    render::view::screenshot::{Screenshot, ScreenshotCaptured},
};
use crossbeam_channel::{Sender, unbounded};
use gif::{Encoder, Frame, Repeat};

use super::{playback::Playback, run::Run};

/// Where pictures and recordings go.
const FOLDER: &str = "pictures";
/// The most pixels along a side of a recording: larger windows are halved.
const LARGEST: u32 = 960;
/// Hundredths of a second that each picture of a recording stands.
const DELAY: u16 = 8;
/// How fast colours are chosen: 1 is best, 30 fastest.
const COLOURS: i32 = 20;

/// A recording that goes on: a picture a turn.
#[derive(Resource)]
pub(super) struct Recording {
    /// Turns that are still to be recorded.
    pub left: u32,
    file: PathBuf,
    /// The turn of the last picture.
    turn: u64,
    pictures: Sender<RawPicture>,
}

/// Width, height, and red, green and blue of every pixel.
type RawPicture = (u32, u32, Vec<u8>);

/// The first name of this kind that is free: `evolora-1.png`, `evolora-2.png`, …
fn free_name(ending: &str) -> std::io::Result<PathBuf> {
    fs::create_dir_all(FOLDER)?;
    let names = (1..).map(|number| Path::new(FOLDER).join(format!("evolora-{number}.{ending}")));
    Ok(names.into_iter().find(|path| !path.exists()).unwrap_or_default())
}

/// Writes a picture of the window; of a part of it, in pixels, where one is given.
///
/// # Errors
/// A sentence: why it cannot be written.
pub(super) fn take_picture(world: &mut World, file: Option<PathBuf>, part: Option<URect>) -> Result<(), String> {
    let file = match file {
        Some(file) => file,
        None => free_name("png").map_err(|error| format!("A picture cannot be written to {FOLDER} ({error})."))?,
    };
    let taken = move |taken: On<ScreenshotCaptured>, mut run: ResMut<Run>| {
        let saved = taken.image.clone().try_into_dynamic().map_err(|error| error.to_string()).and_then(|picture| {
            let picture = match part {
                Some(part) => picture.crop_imm(part.min.x, part.min.y, part.width(), part.height()),
                None => picture,
            };
            fs::create_dir_all(file.parent().unwrap_or(Path::new("."))).map_err(|error| error.to_string())?;
            picture.to_rgb8().save(&file).map_err(|error| error.to_string())
        });
        match saved {
            Ok(()) => run.say(format!("The picture is in {}.", file.display())),
            Err(reason) => run.warn(format!("The picture {} cannot be written: {reason}.", file.display())),
        }
    };
    world.spawn(Screenshot::primary_window()).observe(taken);
    Ok(())
}

/// Begins a recording of `turns` turns.
///
/// # Errors
/// A sentence: why it cannot be written.
pub(super) fn begin(world: &mut World, turns: u32) -> Result<(), String> {
    let fails = |error: &dyn std::fmt::Display| format!("A recording cannot be written to {FOLDER} ({error}).");
    let file = free_name("gif").map_err(|error| fails(&error))?;
    let out = BufWriter::new(File::create(&file).map_err(|error| fails(&error))?);
    let (pictures, inbox) = unbounded::<RawPicture>();
    std::thread::spawn(move || {
        let mut out = Some(out);
        let mut encoder = None;
        for (width, height, pixels) in inbox {
            let (Ok(w), Ok(h)) = (u16::try_from(width), u16::try_from(height)) else { continue };
            if let Some(out) = out.take() {
                encoder = Encoder::new(out, w, h, &[]).ok();
                encoder.as_mut().map(|encoder| encoder.set_repeat(Repeat::Infinite));
            }
            let mut frame = Frame::from_rgb_speed(w, h, &pixels, COLOURS);
            frame.delay = DELAY;
            if encoder.as_mut().is_none_or(|encoder| encoder.write_frame(&frame).is_err()) {
                return;
            }
        }
    });
    let turn = world.resource::<Playback>().turns;
    world.insert_resource(Recording { left: turns, file, turn, pictures });
    Ok(())
}

/// Ends the recording.
pub(super) fn end(world: &mut World) {
    if let Some(recording) = world.remove_resource::<Recording>() {
        // The last pictures are written when the thread has drawn them.
        let text = format!("The recording is in {}.", recording.file.display());
        world.resource_mut::<Run>().say(text);
    }
}

/// Takes a picture after every turn while a recording goes on.
pub(super) fn record_turns(world: &mut World) {
    let turns = world.resource::<Playback>().turns;
    let Some(mut recording) = world.get_resource_mut::<Recording>() else { return };
    if turns == recording.turn {
        return;
    }
    recording.turn = turns;
    recording.left = recording.left.saturating_sub(1);
    let (is_over, pictures) = (recording.left == 0, recording.pictures.clone());
    world.spawn(Screenshot::primary_window()).observe(move |taken: On<ScreenshotCaptured>| {
        if let Ok(picture) = taken.image.clone().try_into_dynamic() {
            let picture = picture.to_rgb8();
            let (width, height) = picture.dimensions();
            // Nobody hears it once the file cannot be written.
            let _ = pictures.send(if width.max(height) > LARGEST {
                halved(width, height, picture.as_raw())
            } else {
                (width, height, picture.into_raw())
            });
        }
    });
    if is_over {
        end(world);
    }
}

/// A picture of half the width and height: the mean of every four pixels.
fn halved(width: u32, height: u32, pixels: &[u8]) -> RawPicture {
    let (w, h) = (width / 2, height / 2);
    let at = |x: u32, y: u32, channel: usize| u16::from(pixels[(y * width + x) as usize * 3 + channel]);
    let mut small = Vec::with_capacity((w * h * 3) as usize);
    for y in 0..h {
        for x in 0..w {
            for channel in 0..3 {
                let (x, y) = (2 * x, 2 * y);
                let sum = at(x, y, channel) + at(x + 1, y, channel) + at(x, y + 1, channel) + at(x + 1, y + 1, channel);
                small.push((sum / 4) as u8);
            }
        }
    }
    (w, h, small)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_halved_by_means() {
        let pixels: Vec<u8> = (0..4 * 2 * 3).map(|i| i as u8 * 10).collect();
        // Rows of four pixels: 0 30 60 90 and 120 150 180 210 in red.
        assert_eq!(halved(4, 2, &pixels), (2, 1, vec![75, 85, 95, 135, 145, 155]));
    }
}
