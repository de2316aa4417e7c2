//! The window, for real: opened on a display, played for a while, photographed.
//!
//! Where there is no display, the test starts Xvfb. Where that or a graphics driver is missing, it says what it left
//! out and passes; with REQUIRE_WINDOW_TESTS set, as in CI, it fails.
#![cfg(all(feature = "desktop", target_os = "linux"))]
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use evolora::palette;
use image::RgbImage;

/// A display of the test's own, closed with it.
struct Display {
    name: String,
    server: Option<Child>,
}

impl Display {
    fn open() -> Option<Self> {
        if let Ok(name) = std::env::var("DISPLAY") {
            return Some(Self { name, server: None });
        }
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", "1920x1200x24", "-nolisten", "tcp"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut number = String::new();
        BufReader::new(server.stdout.take()?).read_line(&mut number).ok()?;
        Some(Self { name: format!(":{}", number.trim()), server: Some(server) })
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        if let Some(server) = &mut self.server {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

/// Says on the real stderr, which the test harness does not swallow, what was left out; fails where that is forbidden.
fn leave_out(what: &str) {
    assert!(std::env::var_os("REQUIRE_WINDOW_TESTS").is_none(), "the window must be tested here, but: {what}");
    let _ = writeln!(std::io::stderr(), "LEFT OUT: the window was not tested: {what}");
}

fn open_window(display: &str, folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evolora"));
    command.current_dir(folder).args(arguments).env("DISPLAY", display).env_remove("WAYLAND_DISPLAY");
    command.output().unwrap()
}

/// How many pixels have this colour.
fn count(picture: &RgbImage, rgb: palette::Rgb) -> usize {
    picture.pixels().filter(|pixel| pixel.0.iter().zip(rgb).all(|(a, b)| a.abs_diff(b) <= 2)).count()
}

#[test]
fn the_window_shows_a_living_habitat() {
    let Some(display) = Display::open() else { return leave_out("there is no display and no Xvfb") };
    let folder = tempfile::tempdir().unwrap();
    for (size, width, height) in [("1280x800", 1280, 800), ("1920x1080", 1920, 1080)] {
        let arguments =
            ["--window-size", size, "--screenshot", "window.png", "--screenshot-turns", "40", "--set", "run.turns=30"];
        let output = open_window(&display.name, folder.path(), &arguments);
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        if complaint.contains("no graphics adapter") {
            return leave_out("there is no graphics driver");
        }
        assert!(output.status.success(), "{complaint}");
        let picture = image::open(folder.path().join("window.png")).unwrap().to_rgb8();
        assert_eq!(picture.dimensions(), (width, height));
        // A cell is about as large as the free height divided by 22.
        let cell = ((f64::from(height) - 60.0) / 22.0).powi(2);
        let cells = |rgb| count(&picture, rgb) as f64 / cell;
        assert!((0.6..4.0).contains(&cells(palette::HOME)), "home: {}", cells(palette::HOME));
        assert!((10.0..24.0).contains(&cells(palette::WALL_TOP)), "walls: {}", cells(palette::WALL_TOP));
        assert!((3.0..14.0).contains(&cells(palette::FOOD)), "food: {}", cells(palette::FOOD));
        let agents = palette::AGENTS.iter().filter(|rgb| cells(**rgb) > 0.05).count();
        assert!(agents >= 5, "{agents} of 8 colours of agents are to be seen");
        assert!(count(&picture, palette::TEXT) > 100, "the panels have text");
        assert!(count(&picture, palette::ACCENT) > 100, "energy bars and the title");
    }
}

#[test]
fn a_picture_that_cannot_be_written_is_refused_before_anything_is_played() {
    let folder = tempfile::tempdir().unwrap();
    for (file, reason) in [("a.jpg", "its name must end in .png"), ("none/a.png", "No such file")] {
        let output = open_window("", folder.path(), &["--screenshot", file]);
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(complaint.contains(&format!("evolora: The picture {file} cannot be written: {reason}")), "{complaint}");
        assert_eq!(output.status.code(), Some(1));
    }
}

#[test]
fn without_a_display_it_says_so_in_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_evolora"))
        .current_dir(folder.path())
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .env_remove("WAYLAND_SOCKET")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    let last = complaint.lines().last().unwrap();
    assert!(last.starts_with("evolora: No window can be opened here ("), "{complaint}");
    assert!(last.ends_with("`evolora headless` runs without one."), "{complaint}");
    assert!(!complaint.contains("panicked"), "{complaint}");
}
