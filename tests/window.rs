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
        // The habitat's cells are at least this large beside and above the panels.
        let cell = ((f64::from(height) * 0.5) / 22.0).powi(2);
        let cells = |rgb| count(&picture, rgb) as f64 / cell;
        assert!((0.1..6.0).contains(&cells(palette::HOME)), "home: {}", cells(palette::HOME));
        assert!(count(&picture, palette::TEXT) > 100, "the panels have text");
        assert!(count(&picture, palette::ACCENT) > 100, "energy bars and the title");
    }
}

/// Draws a scene without a window; `None`, and a word about it, where there is no graphics driver.
fn draw(folder: &Path, arguments: &[&str]) -> Option<RgbImage> {
    let file = folder.join("scene.png");
    let after: &[&str] = if arguments.contains(&"--after") { &[] } else { &["--after", "50"] };
    let all = [&["screenshot", "--out", file.to_str().unwrap()], after, arguments].concat();
    let output = open_window("", folder, &all);
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    if complaint.contains("no graphics adapter") {
        leave_out("there is no graphics driver");
        return None;
    }
    assert!(output.status.success(), "{arguments:?}: {complaint}");
    Some(image::open(file).unwrap().to_rgb8())
}

#[test]
fn every_panel_can_be_seen_in_both_lights() {
    let folder = tempfile::tempdir().unwrap();
    let mut seen: Vec<RgbImage> = Vec::new();
    let scenes = "start mind what-if talk transcript lineage generations machine log models trails visits speech help";
    for scene in scenes.split(' ') {
        let Some(picture) = draw(folder.path(), &["--scene", scene]) else { return };
        assert_eq!(picture.dimensions(), (1280, 800));
        assert!(count(&picture, palette::PANEL) > 100_000 && count(&picture, palette::TEXT) > 500, "{scene}");
        let differs = |other: &RgbImage| {
            let pairs = picture.pixels().zip(other.pixels());
            pairs.filter(|(a, b)| a.0.iter().zip(b.0).any(|(a, b)| a.abs_diff(b) > 8)).count()
        };
        assert!(seen.iter().all(|other| differs(other) > 1000), "{scene} looks like another scene");
        seen.push(picture);
    }
    // One of several habitats fills the room of all.
    let four = |scene| draw(folder.path(), &["--scene", scene, "--habitats", "4", "--mind", "rules"]).unwrap();
    let (all, one) = (four("start"), four("habitat"));
    let others = all.pixels().zip(one.pixels()).filter(|(a, b)| a != b).count();
    assert!(others > 50_000, "one alone looks like all: {others} pixels differ");
    let light = draw(folder.path(), &["--scene", "mind", "--light"]).unwrap();
    let ground = palette::by_daylight(palette::PANEL);
    assert!(count(&light, ground) > 100_000 && count(&light, palette::PANEL) < 1000, "all of it is light");
    let output = open_window("", folder.path(), &["screenshot", "--scene", "none", "--out", "a.png"]);
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("There is no scene none; name one of start, habitat, mind,")
    );
}

#[test]
fn a_run_is_the_same_in_the_window_and_without() {
    let folder = tempfile::tempdir().unwrap();
    let life = ["--seed", "5", "--generations", "2", "--turns", "30"];
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (alone, fast, shown) = (path("alone"), path("fast"), path("shown"));
    let rows = |run: &str| std::fs::read(Path::new(run).join("generations.csv")).unwrap();
    assert!(open_window("", folder.path(), &[&["headless", "--out", &alone], &life[..]].concat()).status.success());
    if draw(folder.path(), &[&["--after", "100", "--keep", &fast], &life[..]].concat()).is_none() {
        return;
    }
    assert_eq!(rows(&fast), rows(&alone), "as fast as it can");
    let lineage = |run: &str| std::fs::read(Path::new(run).join("lineage.csv")).unwrap();
    assert_eq!(lineage(&fast), lineage(&alone));
    let Some(display) = Display::open() else { return leave_out("there is no display and no Xvfb") };
    let picture = ["--screenshot", "a.png", "--screenshot-turns", "100", "--out", &shown];
    let output = open_window(&display.name, folder.path(), &[&picture[..], &life[..]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(rows(&shown), rows(&alone), "twelve turns a second");
}

#[test]
fn a_window_that_is_stopped_from_the_terminal_keeps_its_run() {
    let Some(display) = Display::open() else { return leave_out("there is no display and no Xvfb") };
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    let mut command = Command::new(env!("CARGO_BIN_EXE_evolora"));
    command.current_dir(home).args(["--out", "run", "--turns", "5", "--generations", "100"]);
    command.env("DISPLAY", &display.name).env_remove("WAYLAND_DISPLAY").stderr(Stdio::piped());
    for name in ["XDG_CONFIG_HOME", "XDG_DATA_HOME"] {
        command.env(name, home);
    }
    let mut window = command.spawn().unwrap();
    // The first generation's row is there after a second or two of play.
    let rows = home.join("run/generations.csv");
    let is_kept = || std::fs::read_to_string(&rows).is_ok_and(|rows| rows.lines().count() > 1);
    let mut tenths = 0;
    while !is_kept() && window.try_wait().unwrap().is_none() && tenths < 600 {
        std::thread::sleep(std::time::Duration::from_millis(100));
        tenths += 1;
    }
    // One that has ended by itself is told apart below, and one that does not end is not waited for.
    let _ = Command::new("kill").args(["-INT", &window.id().to_string()]).status();
    for _ in 0..300 {
        if window.try_wait().unwrap().is_some() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let _ = window.kill();
    let output = window.wait_with_output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    if complaint.contains("no graphics adapter") {
        return leave_out("there is no graphics driver");
    }
    assert_eq!(output.status.code(), Some(130), "{complaint}");
    let run = std::fs::read_to_string(home.join("run/run.json")).unwrap();
    assert!(run.contains("\"ended\": \"interrupted\""), "{run}");
    let seen = open_window("", home, &["inspect", "--run", "run"]);
    assert!(seen.status.success(), "its checkpoint: {}", String::from_utf8_lossy(&seen.stderr));
    assert!(home.join("evolora/window.json").exists(), "what the window remembers is there, too");
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
