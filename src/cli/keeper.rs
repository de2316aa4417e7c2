//! Keeps a run's folder up to date while the run goes on: rows, lineage, hall of fame, checkpoints, `run.json`.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::json;

use crate::{
    app::{AppError, Ended, RunReport, Simulation},
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
        files.write_generations(&report.rows)?;
        if self.facts.is_some() {
            files.write_lineage(&report.lineage)?;
            files.write_hall(&report.hall)?;
        }
        self.write_run(Some(report))
    }

    pub(super) fn write_run(&self, report: Option<&RunReport>) -> Result<(), AppError> {
        if let Some(files) = &self.files {
            let mut run = run_json(&self.config, self.started, self.facts.as_ref(), report);
            if let Some(trouble) = self.trouble() {
                run["checkpoints"] = json!(trouble);
            }
            files.write_run(&run)?;
        }
        Ok(())
    }
}

/// What `run.json` says: settings, seed, version, host, the language model if one decides, and how the run ended.
fn run_json(
    config: &RunConfig,
    (started, before): (u64, u64),
    facts: Option<&MindFacts>,
    report: Option<&RunReport>,
) -> serde_json::Value {
    let mut system = sysinfo::System::new();
    system.refresh_memory();
    system.refresh_cpu_all();
    json!({
        "program": "evolora",
        "version": env!("CARGO_PKG_VERSION"),
        "seed": config.run.seed,
        "started_unix_s": started,
        "resumed_after_turns": (before > 0).then_some(before),
        "ended": report.map_or("running", |report| match report.ended {
            Ended::Complete => "complete",
            Ended::Interrupted => "interrupted",
        }),
        "turns": report.map(|report| report.turns),
        "elapsed_s": report.map(|report| report.elapsed.as_secs_f64()),
        "fallback_turns": report.map(|report| report.rows.iter().map(|row| row.fallback_turns).sum::<u64>()),
        "complaint": report.and_then(|report| report.complaint.clone()),
        "host": {
            "system": std::env::consts::OS,
            "architecture": std::env::consts::ARCH,
            "cpu": system.cpus().first().map(|cpu| cpu.brand().trim().to_owned()),
            "cores": system.cpus().len(),
            "memory_bytes": system.total_memory(),
        },
        "model": facts.map(|facts| json!({
            "name": facts.name,
            "path": facts.path,
            "sha256": facts.sha256,
            "parameters": facts.parameters,
            "model_bytes": facts.model_bytes,
            "adapter_bytes": facts.adapter_bytes,
        })),
        "settings": config,
    })
}
