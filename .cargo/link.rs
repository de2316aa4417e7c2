//! How the program is linked: so that as few of its pages as possible are in memory, of which a run without a window needs a few.
//!
//! This script does *not* know what the program does.

use std::env::var;

/// On Linux with glibc two things are asked of the linker.
///
/// - `-no-pie`: the program gets a fixed place in memory. A place that is drawn anew at every start would cost 9 MB of relocations that are
///   read once, and 4 MB of tables whose pages are its own after that. The price: who finds a hole in it need not guess where its code lies.
///   Its libraries, stacks and heap still lie where the system likes.
/// - `-z keep-text-section-prefix`: functions that hardly ever run, panics above all, are put together, and not between the others. A
///   linker that does not know it says so and goes on.
fn main() {
    println!("cargo::rerun-if-changed=.cargo/link.rs");
    let is = |name: &str, value: &str| var(format!("CARGO_CFG_TARGET_{name}")).is_ok_and(|is| is == value);
    let is_static = var("CARGO_CFG_TARGET_FEATURE").is_ok_and(|all| all.split(',').any(|one| one == "crt-static"));
    if is("OS", "linux") && is("ENV", "gnu") && !is_static {
        for argument in ["-no-pie", "-Wl,-z,keep-text-section-prefix"] {
            println!("cargo::rustc-link-arg-bin=evolora={argument}");
        }
    }
}
