//! `evolora screenshot`: a picture of the window, drawn without one.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;

use super::settings::SettingsArgs;
use crate::app::AppError;

/// Flags of `evolora screenshot`.
#[derive(Debug, Args)]
pub(super) struct ScreenshotArgs {
    /// What the picture shows: start, habitat (one of several), mind, what-if, talk, transcript, lineage, generations,
    /// machine, log, models, trails, visits, speech or help.
    #[arg(long, value_name = "NAME", default_value = "start")]
    scene: String,
    /// Turns to play before.
    #[arg(long, value_name = "N", default_value_t = 60)]
    after: u32,
    /// The PNG file.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Keep the run in this folder, as `evolora headless --out` does.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Width and height, in pixels.
    #[arg(long, value_name = "WIDTHxHEIGHT", default_value = "1280x800", value_parser = super::parse_size)]
    window_size: (u32, u32),
    /// The light theme.
    #[arg(long)]
    light: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

#[cfg(feature = "desktop")]
pub(super) fn run(args: &ScreenshotArgs) -> Result<ExitCode, AppError> {
    use crate::app::{Screenshot, WindowPlan, open_window};

    if !Screenshot::SCENES.contains(&args.scene.as_str()) {
        return Err(AppError::Scene { scene: args.scene.clone(), scenes: Screenshot::SCENES.join(", ") });
    }
    let config = args.settings.load()?.config;
    let (file, turns, scene) = (args.out.clone(), args.after, args.scene.clone());
    let screenshot = Screenshot { file, turns, scene, dark: !args.light };
    let plan = WindowPlan {
        size: args.window_size,
        screenshot: Some(screenshot),
        out: args.keep.clone(),
        overwrite: false,
        offscreen: true,
        stop: None,
    };
    open_window(config, plan).map(ExitCode::from)
}

#[cfg(not(feature = "desktop"))]
pub(super) fn run(args: &ScreenshotArgs) -> Result<ExitCode, AppError> {
    Err(AppError::NoWindow(format!(
        "this program was built without the desktop feature, which draws {}",
        args.out.display()
    )))
}
