//! The walls between the rooms: which part of the program may know which. See the README's map.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// A room and the rooms that it may use. Whatever stands in a row uses only rooms above it.
const ROOMS: &[(&str, &[&str])] = &[
    ("config", &[]),
    ("protocol", &[]),
    ("palette", &[]),
    ("checksum", &[]),
    ("sim", &["config", "protocol"]),
    ("brain", &["config", "protocol", "checksum"]),
    ("genetics", &["config", "protocol"]),
    ("language", &["protocol"]),
    ("download", &["checksum", "brain"]),
    ("policy", &["protocol"]),
    ("mind", &["config", "protocol", "sim", "genetics", "language", "policy"]),
    ("record", &["config", "protocol", "checksum", "sim", "genetics", "mind"]),
    ("view", &["protocol", "palette", "sim"]),
    ("ui", &["config", "protocol", "palette", "language", "record"]),
    (
        "app",
        &[
            "config", "protocol", "palette", "sim", "brain", "genetics", "language", "policy", "download", "mind",
            "record", "view", "ui",
        ],
    ),
    ("lab", &["config", "protocol", "sim", "brain", "genetics", "language", "policy", "mind", "record", "app"]),
    (
        "cli",
        &[
            "config", "protocol", "sim", "brain", "genetics", "language", "policy", "download", "mind", "record",
            "app", "lab",
        ],
    ),
];

/// Crates that only some rooms may use.
const CRATES: &[(&str, &[&str])] = &[
    ("bevy", &["sim", "mind", "record", "view", "app"]),
    ("bevy_egui", &["ui", "app"]),
    ("wgpu", &["app"]),
    ("candle_core", &["brain"]),
    ("candle_nn", &["brain"]),
    ("candle_transformers", &["brain"]),
    ("tokenizers", &["brain"]),
    ("gemm", &["brain"]),
    ("pulp", &["brain"]),
    ("hf_hub", &["download"]),
    ("clap", &["cli"]),
    ("figment", &["config"]),
    ("toml", &["config"]),
];

fn source_files() -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|end| end == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    found.sort();
    found
}

/// The room that a file belongs to, or `None` for `lib.rs` and `main.rs`.
fn room_of(path: &Path) -> Option<String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let inside = path.strip_prefix(source).unwrap();
    let first = inside.iter().next().unwrap().to_str().unwrap();
    let room = first.strip_suffix(".rs").unwrap_or(first);
    (!["lib", "main"].contains(&room)).then(|| room.to_owned())
}

/// The program's own lines of a file: no comments, and nothing after its tests begin.
fn code_of(text: &str) -> String {
    let before_tests = text.split("#[cfg(test)]").next().unwrap_or(text);
    before_tests.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The names that follow `crate::` in a piece of code, those of a `use crate::{a::x, b::{y}}` among them.
fn rooms_named(code: &str) -> Vec<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut named = Vec::new();
    for after in code.split("crate::").skip(1) {
        let Some(inside) = after.strip_prefix('{') else {
            named.push(word(after));
            continue;
        };
        let mut depth = 1;
        let mut begins = true;
        for (at, c) in inside.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => begins = true,
                c if begins && !c.is_whitespace() => {
                    named.push(word(&inside[at..]));
                    begins = false;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    named.retain(|name| !name.is_empty());
    named
}

fn breaches(room: &str, code: &str) -> Vec<String> {
    let may: BTreeMap<_, _> = ROOMS.iter().copied().collect();
    let Some(allowed) = may.get(room) else { return vec![format!("the room `{room}` is not in the table")] };
    let mut found: Vec<_> = rooms_named(code)
        .into_iter()
        .filter(|other| other != room && !allowed.contains(&other.as_str()))
        .map(|other| format!("`{room}` uses `{other}`"))
        .collect();
    for (name, rooms) in CRATES {
        let uses = [format!("use {name}::"), format!(" {name}::"), format!("({name}::")];
        if uses.iter().any(|used| code.contains(used)) && !rooms.contains(&room) {
            found.push(format!("`{room}` uses the crate `{name}`"));
        }
    }
    found
}

#[test]
fn every_room_keeps_to_its_walls() {
    let mut found = Vec::new();
    for path in source_files() {
        let Some(room) = room_of(&path) else { continue };
        let code = code_of(&fs::read_to_string(&path).unwrap());
        found.extend(breaches(&room, &code).into_iter().map(|breach| format!("{}: {breach}", path.display())));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_table_itself_has_no_circles() {
    for (at, (room, allowed)) in ROOMS.iter().enumerate() {
        for other in *allowed {
            assert!(ROOMS[..at].iter().any(|(above, _)| above == other), "`{room}` may not use `{other}` below it");
        }
    }
}

#[test]
fn a_breach_would_be_seen() {
    assert_eq!(breaches("policy", "use crate::protocol::Action;"), [""; 0]);
    assert_eq!(breaches("policy", "use crate::sim::Agent;"), ["`policy` uses `sim`"]);
    let nested = "use crate::{\n    protocol::{Action, Cell},\n    record::History,\n};";
    assert_eq!(breaches("view", nested), ["`view` uses `record`"]);
    assert_eq!(breaches("language", "use bevy::prelude::*;"), ["`language` uses the crate `bevy`"]);
    assert_eq!(breaches("ui", "let x: bevy_egui::egui::Ui = crate::view::draw();"), ["`ui` uses `view`"]);
    assert_eq!(breaches("cellar", ""), ["the room `cellar` is not in the table"]);
}

#[test]
fn no_file_is_too_long() {
    let long: Vec<_> = source_files()
        .into_iter()
        .map(|path| (fs::read_to_string(&path).unwrap().lines().count(), path))
        .filter(|(lines, _)| *lines > 400)
        .collect();
    assert!(long.is_empty(), "{long:?}");
}
