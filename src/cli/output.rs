//! Printing that survives a closed pipe.

use std::io::Write;

/// Prints a line. A reader that has gone away (`| head`) is no error.
pub(super) fn say(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// Tells the person on stderr what is wrong.
pub(super) fn complain(sentence: &str) {
    complain_after("", sentence);
}

/// The same, after what ends a line that may have begun.
pub(super) fn complain_after(end: &str, sentence: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{end}evolora: {sentence}");
}
