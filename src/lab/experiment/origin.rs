//! Which state of the program's source an experiment was made with.

use std::process::Command;

/// The commit of the folder that the program was built in, with `dirty` where files differ from it; `unknown` where there
/// is no such folder any more, or it is no git checkout.
pub fn commit() -> String {
    let source = env!("CARGO_MANIFEST_DIR");
    let ask = |words: &[&str]| {
        let output = Command::new("git").arg("-C").arg(source).args(words).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    // A checkout around the folder would be another project's.
    let is_ours = || ask(&["rev-parse", "--show-prefix"]).is_some_and(|inside| inside.is_empty());
    let Some(commit) = ask(&["rev-parse", "--short=12", "HEAD"]).filter(|_| is_ours()) else {
        return "unknown".to_owned();
    };
    match ask(&["status", "--porcelain", "--untracked-files=no"]) {
        Some(changes) if changes.is_empty() => commit,
        _ => format!("{commit} (dirty)"),
    }
}
