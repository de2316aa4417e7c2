//! Keeps a run's folder up to date while the run goes on: rows, lineage, hall of fame, checkpoints, `run.json`.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::json;

use crate::{
    app::{AppError, RunReport, Simulation, describe_run, write_tables},
    config::RunConfig,
    protocol::MindFacts,
    record::{Checkpoints, GenerationRow, RunFiles},
};

/// How often the rows so far are saved, at the most.
const SAVE_EVERY: Duration = Duration::from_millis(500);

/// How many times as long as a checkpoint took the run goes on before the next: so they cost a twentieth of it at the most.
const MOST_SAVING: u32 = 20;

/// The folder of a run, or nothing where none was asked for.
pub(super) struct Keeper {
    files: Option<RunFiles>,
    checkpoints: Option<Checkpoints>,
    config: RunConfig,
    facts: Option<MindFacts>,
    /// Seconds since 1970, and turns that had been played before.
    started: (u64, u64),
    saved: Instant,
    /// Whether a checkpoint should be kept as soon as it may.
    is_due: bool,
    /// When the last was kept, and how long that took.
    kept: Instant,
    took: Duration,
    /// Why the last checkpoint could not be kept.
    trouble: Option<String>,
}

impl Keeper {
    pub(super) fn new(files: Option<RunFiles>, config: &RunConfig, facts: Option<MindFacts>, before: u64) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let checkpoints = files.as_ref().map(RunFiles::checkpoints);
        let (config, saved) = (config.clone(), Instant::now());
        Self {
            files,
            checkpoints,
            config,
            facts,
            started: (now, before),
            saved,
            is_due: false,
            kept: saved,
            took: Duration::ZERO,
            trouble: None,
        }
    }

    /// After a turn, with or without new rows: writes what is due, and what `must` be. Gives a sentence where a checkpoint could
    /// not be kept: the run goes on, and the one before is still there.
    pub(super) fn keep(
        &mut self,
        simulation: &mut Simulation,
        has_rows: bool,
        must: bool,
    ) -> Result<Option<String>, AppError> {
        let (Some(files), Some(checkpoints)) = (&self.files, &self.checkpoints) else { return Ok(None) };
        if has_rows && self.saved.elapsed() >= SAVE_EVERY {
            files.write_generations(&simulation.rows())?;
            self.saved = Instant::now();
        }
        self.is_due |= has_rows || simulation.turns().is_multiple_of(u64::from(self.config.run.checkpoint_every));
        let may = self.is_due && self.kept.elapsed() >= self.took * MOST_SAVING;
        if !must && !may {
            return Ok(None);
        }
        let begun = Instant::now();
        let trouble = simulation.save(checkpoints).err().map(|error| error.to_string());
        (self.is_due, self.took, self.kept) = (false, begun.elapsed(), Instant::now());
        let is_new = trouble != self.trouble;
        self.trouble.clone_from(&trouble);
        Ok(trouble.filter(|_| is_new))
    }

    /// Why the last checkpoint could not be kept.
    pub(super) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    pub(super) fn write_rows(&self, rows: &[GenerationRow]) -> Result<(), AppError> {
        if let Some(files) = &self.files {
            files.write_generations(rows)?;
        }
        Ok(())
    }

    pub(super) fn write_report(&self, report: &RunReport) -> Result<(), AppError> {
        let Some(files) = &self.files else { return Ok(()) };
        write_tables(files, report, self.facts.is_some())?;
        self.write_run(Some(report))
    }

    pub(super) fn write_run(&self, report: Option<&RunReport>) -> Result<(), AppError> {
        if let Some(files) = &self.files {
            let mut run = describe_run(&self.config, self.started, self.facts.as_ref(), report);
            if let Some(trouble) = self.trouble() {
                run["checkpoints"] = json!(trouble);
            }
            files.write_run(&run)?;
        }
        Ok(())
    }
}
