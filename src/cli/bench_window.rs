//! `evolora bench window`: how long the window's frames take, on this machine.

use clap::Args;

use super::settings::SettingsArgs;
use crate::app::AppError;

/// Flags of `evolora bench window`.
#[derive(Debug, Args)]
#[cfg_attr(not(feature = "desktop"), allow(dead_code, reason = "there is no window to measure"))]
pub(super) struct WindowBenchArgs {
    /// Width and height, in pixels.
    #[arg(long, value_name = "WIDTHxHEIGHT", default_value = "1280x800", value_parser = super::parse_size)]
    window_size: (u32, u32),
    /// Seconds to measure for.
    #[arg(long, value_name = "S", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Turns per second to aim at; 0 for a window that is paused.
    #[arg(long, value_name = "N", default_value_t = 12.0)]
    speed: f32,
    /// Milliseconds that minds think about a turn, as a slow model does; `rules` decides then.
    #[arg(long, value_name = "MS")]
    think: Option<u64>,
    /// Print the measurements as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

#[cfg(feature = "desktop")]
pub(super) fn run(args: &WindowBenchArgs) -> Result<(), AppError> {
    use std::time::Duration;

    use super::output::say;
    use crate::app::{FramePlan, measure_frames};

    let plan = FramePlan {
        size: args.window_size,
        time: Duration::from_secs(args.seconds),
        speed: args.speed.max(0.0),
        think: args.think.map(Duration::from_millis),
    };
    let report = measure_frames(args.settings.load()?.config, plan)?;
    if args.json {
        say(&serde_json::to_string_pretty(&report).unwrap_or_default());
        return Ok(());
    }
    let row = |name: &str, [median, p95, most]: [f64; 3]| say(&format!("{name:<22}{median:>8.1}{p95:>8.1}{most:>9.1}"));
    say(&format!("{:<22}{:>8}{:>8}{:>9}", "milliseconds", "median", "p95", "longest"));
    row("a frame", report.frame_ms);
    row("beside the renderer", report.own_ms);
    say(&format!(
        "\n{} frames, {:.1} a second; {:.1} % took less than 33 ms beside the renderer; {} turns",
        report.frames,
        report.fps,
        report.under_33_ms * 100.0,
        report.turns
    ));
    Ok(())
}

#[cfg(not(feature = "desktop"))]
pub(super) fn run(_: &WindowBenchArgs) -> Result<(), AppError> {
    Err(AppError::NoWindow("this program was built without the desktop feature".to_owned()))
}
