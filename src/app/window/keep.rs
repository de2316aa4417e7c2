//! Keeps the run in its folder while it is watched, and when the window closes.
//!
//! A run is copied between two turns, when nothing is under way, and written by another thread.

use std::{
    path::PathBuf,
    sync::atomic::Ordering,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bevy::{prelude::*, window::WindowCloseRequested};
use crossbeam_channel::{Receiver, bounded};
use directories::ProjectDirs;

use super::{
    STOPPED, Screenshot, Stop, arrival::Arrival, memory::States, playback::Playback, playback::is_finished, run::Run,
};
use crate::{
    app::{AppError, Ended, RunReport, checkpoint::SavedRun, describe_run, write_tables},
    mind::{WorkerState, wait_for_errands},
    record::{History, RunFiles},
};

/// How long closing waits for the minds and the disk.
const FAREWELL: Duration = Duration::from_secs(10);
/// How many times as long as a checkpoint took the run goes on before the next one that nobody asked for.
const MOST_SAVING: u32 = 20;

/// What is being kept.
#[derive(Resource)]
pub(super) struct Keeping {
    /// Whether the run is to be kept as soon as nothing is under way.
    wanted: bool,
    /// Whether the person is to be told when it is.
    is_asked: bool,
    /// The folder is written by another thread.
    writing: Option<(Receiver<Result<(), AppError>>, Instant)>,
    /// When the window is to be closed at the latest.
    closing: Option<Instant>,
    /// Generations that had ended when it was last kept.
    rows: usize,
    /// When it was last kept, and how long that took.
    kept: (Instant, Duration),
    /// Seconds since 1970.
    started: u64,
}

impl Default for Keeping {
    fn default() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Self {
            wanted: false,
            is_asked: false,
            writing: None,
            closing: None,
            rows: 0,
            kept: (Instant::now(), Duration::ZERO),
            started: now,
        }
    }
}

impl Keeping {
    /// The run is to be kept now; the person is told when it is.
    pub(super) const fn ask(&mut self) {
        (self.wanted, self.is_asked) = (true, true);
    }

    /// Whether something is still to be written.
    pub(super) const fn is_busy(&self) -> bool {
        self.wanted || self.writing.is_some()
    }

    /// Another run is on show.
    pub(super) fn begin_anew(&mut self) {
        *self = Self { closing: self.closing, ..Self::default() };
    }

    /// Whether turns have to wait until it has been copied.
    pub(super) const fn holds_turns(&self) -> bool {
        self.wanted && self.writing.is_none()
    }
}

/// The folder of a run that nobody has named one for: of the last that was watched.
pub(super) fn last_run() -> Option<PathBuf> {
    ProjectDirs::from("", "", "evolora").map(|folders| folders.data_dir().join("last-run"))
}

/// Copies the run where that is wanted and nothing is under way, and hears of what was written.
pub(super) fn keep_run(world: &mut World) {
    world.resource_scope(|world, mut keeping: Mut<Keeping>| {
        hear(world, &mut keeping);
        let rows = world.resource::<History>().rows.len();
        let has_folder = world.resource::<Run>().files.is_some();
        if has_folder && rows != keeping.rows {
            let (kept, took) = keeping.kept;
            keeping.wanted |= kept.elapsed() >= took * MOST_SAVING || is_finished(world);
        }
        if !keeping.wanted || keeping.writing.is_some() || !world.resource::<Playback>().is_between_turns() {
            return;
        }
        // Another run may be on its way out of the same folder.
        if world.resource::<Arrival>().is_awaited() && keeping.closing.is_none() {
            return;
        }
        let has_minds = world.resource::<Run>().shelf.is_some();
        if has_minds && world.resource::<WorkerState>().is_up() && !wait_for_errands(world, Duration::ZERO) {
            return;
        }
        keeping.wanted = false;
        keeping.rows = rows;
        keeping.writing = Some((write(world, keeping.started), Instant::now()));
    });
}

/// Copies the run and has it written.
fn write(world: &mut World, started: u64) -> Receiver<Result<(), AppError>> {
    let (tell, heard) = bounded(1);
    let (turns, ended) =
        (world.resource::<Playback>().turns, if is_finished(world) { Ended::Complete } else { Ended::Interrupted });
    let run = world.resource::<Run>();
    let (config, shelf, files) = (run.begun.clone(), run.shelf.clone(), run.files.clone());
    let state = world.resource::<WorkerState>();
    let (facts, is_up) = (state.facts.clone(), state.is_up());
    let report =
        RunReport::of(world, ended, turns, Duration::from_secs_f64(world.resource::<Time<Real>>().elapsed_secs_f64()));
    // What `rules` plays in the minds' stead is not kept over what they have learned.
    let saved = (is_up || shelf.is_none()).then(|| SavedRun::of(world, config.clone(), turns, shelf.as_ref()));
    let Some(files) = files else { return heard };
    std::thread::spawn(move || {
        let keep = || -> Result<(), AppError> {
            write_tables(&files, &report, facts.is_some())?;
            saved.map_or(Ok(()), |saved| saved.write(&files.checkpoints()))?;
            Ok(files.write_run(&describe_run(&config, (started, 0), facts.as_ref(), Some(&report)))?)
        };
        // Nobody hears it if the window has been closed meanwhile.
        let _ = tell.send(keep());
    });
    heard
}

/// Whether what was written is there.
fn hear(world: &mut World, keeping: &mut Keeping) {
    let Some((written, since)) = &keeping.writing else { return };
    let Ok(result) = written.try_recv() else {
        if !matches!(written.try_recv(), Err(crossbeam_channel::TryRecvError::Empty)) {
            keeping.writing = None;
        }
        return;
    };
    keeping.kept = (Instant::now(), since.elapsed());
    keeping.writing = None;
    let is_asked = std::mem::take(&mut keeping.is_asked);
    let folder = world.resource::<Run>().files.as_ref().map(|files| files.folder().display().to_string());
    let mut run = world.resource_mut::<Run>();
    match result {
        Ok(()) if is_asked => folder.into_iter().for_each(|folder| run.say(format!("The run is kept in {folder}."))),
        Ok(()) => {}
        Err(error) => run.warn(error.to_string()),
    }
}

/// Closes the window when the person wants that, or a signal does: first the run is kept, in its folder or as the last one.
pub(super) fn close_window(
    mut requested: MessageReader<WindowCloseRequested>,
    mut keeping: ResMut<Keeping>,
    mut run: ResMut<Run>,
    mut playback: ResMut<Playback>,
    states: Res<States>,
    (picture, stop): (Option<Res<Screenshot>>, Option<Res<Stop>>),
    mut exit: MessageWriter<AppExit>,
) {
    let is_stopped = stop.is_some_and(|stop| stop.0.load(Ordering::Relaxed));
    if (requested.read().next().is_some() || is_stopped) && keeping.closing.is_none() {
        if picture.is_some() {
            exit.write(AppExit::Success);
            return;
        }
        keeping.closing = Some(Instant::now() + FAREWELL);
        playback.playing = false;
        states.remember();
        if run.files.is_none() && run.shelf.is_some() && playback.turns > 0 {
            // Another window may hold it; then this run is not kept.
            run.files = last_run().and_then(|folder| RunFiles::create(folder, true).ok());
        }
        keeping.wanted = run.files.is_some();
    }
    let is_done = !keeping.wanted && keeping.writing.is_none();
    if keeping.closing.is_some_and(|latest| is_done || Instant::now() >= latest) {
        exit.write(if is_stopped { AppExit::from_code(STOPPED) } else { AppExit::Success });
    }
}
