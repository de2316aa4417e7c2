//! `evolora model download`.

use std::process::ExitCode;

use clap::Args;

use crate::app::AppError;

/// Flags of `evolora model download`.
#[derive(Debug, Args)]
pub(in crate::cli) struct DownloadArgs {
    /// A name that `evolora model list` shows, or OWNER/REPOSITORY as the Hugging Face hub has it.
    model: String,
    /// The GGUF file to fetch, of several.
    #[arg(long, value_name = "FILE")]
    file: Option<String>,
}

#[cfg(not(feature = "download"))]
pub(super) fn run(args: &DownloadArgs) -> Result<ExitCode, AppError> {
    let words = format!("fetch {} by hand and name its file or folder with --model", args.model);
    Err(AppError::NoDownload(args.file.as_ref().map_or(words.clone(), |file| format!("{words} ({file})"))))
}

#[cfg(feature = "download")]
pub(super) fn run(args: &DownloadArgs) -> Result<ExitCode, AppError> {
    use indicatif::{ProgressBar, ProgressStyle};

    use super::size;
    use crate::{
        brain::catalog::Hub,
        cli::output::say,
        download::{Step, download},
    };

    let bar = ProgressBar::new(0);
    let style =
        ProgressStyle::with_template("{msg} {wide_bar} {bytes} of {total_bytes} · {bytes_per_sec} · {eta} left");
    let bar = style.map_or(bar.clone(), |style| bar.clone().with_style(style));
    let mut watch = |step| match step {
        Step::Begin { file, bytes } => {
            bar.set_message(file);
            bar.set_length(bytes);
            bar.set_position(0);
        }
        Step::Bytes(bytes) => bar.inc(bytes),
        Step::Again(reason) => bar.suspend(|| say(&format!("cut off ({reason}); going on from there"))),
        Step::Checked { file, bytes, digest } => {
            bar.suspend(|| say(&format!("{file:<32} {:>10}  {digest} is right", size(bytes))));
        }
    };
    let done = download(&args.model, args.file.as_deref(), &Hub::from_env(), &mut watch);
    bar.finish_and_clear();
    let path = done?;
    say(&format!("\nit lies in {}", path.display()));
    let is_known = crate::brain::catalog::find_known(&args.model).is_some() && args.file.is_none();
    let name = if is_known { args.model.clone() } else { format!("\"{}\"", path.display()) };
    say(&format!("run it: evolora --model {name}"));
    Ok(ExitCode::SUCCESS)
}
