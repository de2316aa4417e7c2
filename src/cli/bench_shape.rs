//! Random weights of a known shape, as a file, for benches.
//!
//! The program calls itself with that file: so what drawing the weights takes is not measured.

use std::{
    ffi::OsString,
    process::{Command, ExitCode, ExitStatus},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use clap::Args;

use super::{headless::STOPPED, output::complain};
use crate::{
    app::AppError,
    brain::files::Mix,
    lab::bench::{SMOLLM_135M, shape_file},
};

/// How often it is looked whether the call has ended.
const GLANCE: Duration = Duration::from_millis(10);

/// Flags of benches that need a model's file.
#[derive(Debug, Args)]
pub(super) struct ShapeArgs {
    /// Random weights of a known shape, in place of a model: smollm-135m. They are drawn into a temporary file.
    #[arg(long, value_name = "NAME", value_parser = ["smollm-135m"], conflicts_with = "model")]
    shape: Option<String>,
    /// How the random weights are quantised: f32, f16, q8_0, q4_0 or q4_k_m.
    #[arg(long, value_name = "TYPE", default_value = "q4_0", value_parser = parse_mix, requires = "shape")]
    quant: Mix,
}

impl ShapeArgs {
    /// Where a shape is named, this very command with a file of it; else nothing.
    pub(super) fn measured_elsewhere(&self) -> Option<Result<ExitCode, AppError>> {
        self.shape.as_ref().map(|_| self.measure())
    }

    fn measure(&self) -> Result<ExitCode, AppError> {
        let file = shape_file(&SMOLLM_135M, self.quant)?;
        // Whoever ends this side ends the call; only then the file is taken away.
        let ends = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&ends);
        let _ = ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed));
        let failed = |error: std::io::Error| AppError::Mind(format!("The program cannot call itself ({error})."));
        let program = std::env::current_exe().map_err(failed)?;
        let mut call = Command::new(program)
            .args(without(std::env::args_os().skip(1), &["--shape", "--quant"]))
            .arg("--model")
            .arg(file.path())
            .spawn()
            .map_err(failed)?;
        let status = loop {
            if let Some(status) = call.try_wait().map_err(failed)? {
                break status;
            }
            if ends.load(Ordering::Relaxed) {
                // It may have ended meanwhile.
                let _ = call.kill();
            }
            std::thread::sleep(GLANCE);
        };
        match status.code().and_then(|code| u8::try_from(code).ok()) {
            Some(code) => Ok(ExitCode::from(code)),
            // What a signal ended has no code.
            None if ends.load(Ordering::Relaxed) || is_stopped(status) => {
                complain("Stopped before everything was measured.");
                Ok(ExitCode::from(STOPPED))
            }
            None => Err(AppError::Mind(format!(
                "The bench was ended from outside ({status}). Where nobody did that by hand, memory ran out: ask fewer agents, or take a smaller --quant."
            ))),
        }
    }
}

/// Whether a person has ended a process: by Ctrl-C (SIGINT is 2 everywhere), or by a wish that it end (SIGTERM, 15).
fn is_stopped(status: ExitStatus) -> bool {
    #[cfg(unix)]
    return std::os::unix::process::ExitStatusExt::signal(&status).is_some_and(|signal| [2, 15].contains(&signal));
    #[cfg(not(unix))]
    return status.success();
}

fn parse_mix(word: &str) -> Result<Mix, String> {
    let known = Mix::WORDS.iter().find(|(name, _)| *name == word).map(|(_, mix)| *mix);
    known.ok_or_else(|| "write f32, f16, q8_0, q4_0 or q4_k_m".to_owned())
}

/// Arguments without some flags and their values.
fn without(all: impl Iterator<Item = OsString>, flags: &[&str]) -> Vec<OsString> {
    let (mut kept, mut is_value) = (Vec::new(), false);
    for argument in all {
        let text = argument.to_string_lossy();
        let is_flag = flags.contains(&&*text);
        let is_both = flags.iter().any(|flag| text.strip_prefix(flag).is_some_and(|rest| rest.starts_with('=')));
        if !is_value && !is_flag && !is_both {
            kept.push(argument.clone());
        }
        is_value = is_flag && !is_value;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_is_left_out_of_the_arguments() {
        let all = "bench memory --shape smollm-135m --set lora.layers=10 --quant=q8_0 --json --quant q4_0 --shaped";
        let kept = without(all.split(' ').map(OsString::from), &["--shape", "--quant"]);
        assert_eq!(kept, ["bench", "memory", "--set", "lora.layers=10", "--json", "--shaped"]);
    }
}
