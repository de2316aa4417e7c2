//! How long frames take, with the renderer and without it.
//!
//! This module does *not* know what a frame does.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bevy::prelude::*;
use serde::Serialize;

use super::playback::Playback;
use crate::record::quantile;

/// What is to be measured.
#[derive(Debug, Clone)]
pub struct FramePlan {
    /// Width and height of the picture that is drawn, in pixels.
    pub size: (u32, u32),
    /// How long, after [`WARM`].
    pub time: Duration,
    /// Turns per second aimed at; nothing is played where there are none.
    pub speed: f32,
    /// How long `rules` sleeps before every answer, in the place of the minds that the settings name: a slow model.
    pub think: Option<Duration>,
}

/// Time before anything is measured.
const WARM: Duration = Duration::from_secs(2);

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FrameReport {
    /// Frames.
    pub frames: usize,
    /// Frames per second.
    pub fps: f64,
    /// From one frame's beginning to the next's: median, 95th percentile, longest; in milliseconds.
    pub frame_ms: [f64; 3],
    /// What a frame takes beside the renderer: turns, panels and what is read for them.
    pub own_ms: [f64; 3],
    /// Frames of which that took less than 33 ms, from 0 to 1.
    pub under_33_ms: f64,
    /// Turns played meanwhile.
    pub turns: u64,
}

/// Frames as they are measured.
#[derive(Resource)]
pub(super) struct Frames {
    plan: FramePlan,
    begun: Instant,
    /// The turn at which measuring began.
    from: Option<u64>,
    last: Option<Instant>,
    whole: Vec<f64>,
    own: Vec<f64>,
    report: Arc<Mutex<Option<FrameReport>>>,
}

/// Measures the app's frames and ends it; the report lies where the result points to when it has.
pub(super) fn measure(app: &mut App, plan: FramePlan) -> Arc<Mutex<Option<FrameReport>>> {
    let report = Arc::new(Mutex::new(None));
    let mut playback = app.world_mut().resource_mut::<Playback>();
    (playback.playing, playback.speed) = (plan.speed > 0.0, plan.speed);
    app.insert_resource(Frames {
        plan,
        begun: Instant::now(),
        from: None,
        last: None,
        whole: Vec::new(),
        own: Vec::new(),
        report: Arc::clone(&report),
    });
    app.add_systems(First, begin_frame).add_systems(Last, end_frame);
    report
}

fn begin_frame(mut frames: ResMut<Frames>, playback: Res<Playback>) {
    let now = Instant::now();
    if frames.begun.elapsed() < WARM {
        return;
    }
    frames.from.get_or_insert(playback.turns);
    if let Some(last) = frames.last.replace(now) {
        frames.whole.push((now - last).as_secs_f64() * 1e3);
    }
}

fn end_frame(mut frames: ResMut<Frames>, playback: Res<Playback>, mut exit: MessageWriter<AppExit>) {
    let Some(last) = frames.last else { return };
    frames.own.push(last.elapsed().as_secs_f64() * 1e3);
    if frames.begun.elapsed() >= WARM + frames.plan.time && !frames.whole.is_empty() {
        let report = sum_up(&frames.whole, &frames.own, playback.turns - frames.from.unwrap_or_default());
        *frames.report.lock().unwrap_or_else(PoisonError::into_inner) = Some(report);
        exit.write(AppExit::Success);
    }
}

fn sum_up(whole: &[f64], own: &[f64], turns: u64) -> FrameReport {
    let spread = |all: &[f64]| {
        let mut sorted = all.to_vec();
        sorted.sort_by(f64::total_cmp);
        [0.5, 0.95, 1.0].map(|part| quantile(&sorted, part))
    };
    FrameReport {
        frames: whole.len(),
        fps: whole.len() as f64 * 1e3 / whole.iter().sum::<f64>(),
        frame_ms: spread(whole),
        own_ms: spread(own),
        under_33_ms: own.iter().filter(|ms| **ms < 33.0).count() as f64 / own.len().max(1) as f64,
        turns,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_summed_up() {
        let report = sum_up(&[10.0, 20.0, 30.0, 40.0], &[1.0, 2.0, 3.0, 34.0], 7);
        assert_eq!((report.frames, report.fps, report.turns), (4, 40.0, 7));
        assert_eq!((report.frame_ms[2], report.own_ms[2], report.under_33_ms), (40.0, 34.0, 0.75));
    }
}
