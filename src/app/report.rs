//! What a run's folder says of it, whoever played it.

use serde_json::json;

use super::headless::{Ended, RunReport};
use crate::{
    config::RunConfig,
    protocol::MindFacts,
    record::{RecordError, RunFiles},
};

/// Writes `generations.csv`, and, where there is a model, `lineage.csv` and `hall.csv`.
///
/// # Errors
/// One of them cannot be written; the old one is still there.
pub fn write_tables(files: &RunFiles, report: &RunReport, has_minds: bool) -> Result<(), RecordError> {
    files.write_generations(&report.rows)?;
    if has_minds {
        files.write_lineage(&report.lineage)?;
        files.write_hall(&report.hall)?;
    }
    Ok(())
}

/// What `run.json` says: settings, seed, version, host, the language model if one decides, and how the run ended.
pub fn describe_run(
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
            "streamed_bytes": facts.streamed_bytes,
            "stored_bytes": facts.stored_bytes,
            "adapter_bytes": facts.adapter_bytes,
        })),
        "settings": config,
    })
}
