//! What the window remembers: of its panels while it is open, and from one start to the next.

use std::{collections::BTreeMap, fs, path::PathBuf};

use bevy::prelude::*;
use directories::ProjectDirs;
use serde::{Deserialize, Serialize};

use super::dock::Dock;
use crate::{
    protocol::CreatureName,
    record::replace_file,
    ui::{
        AgentState, ControlsState, FitnessState, LibraryState, LineageState, LogState, Tool, TranscriptState,
        WhatIfState,
    },
};

/// How the window looks, and what its panels remember.
#[derive(Resource, Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct States {
    /// Where the panels are.
    pub dock: Dock,
    /// Whether it is dark.
    pub dark: bool,
    /// How large the panels are; 1 is as designed.
    pub scale: f32,
    /// Whether nobody has read the first hint yet.
    pub is_first: bool,
    /// What a click on a habitat does.
    #[serde(skip)]
    pub tool: Tool,
    /// Whether the list of keys shows.
    #[serde(skip)]
    pub help: bool,
    /// Names that the person gave.
    #[serde(skip)]
    pub names: BTreeMap<CreatureName, String>,
    /// The panels' own.
    pub controls: ControlsState,
    pub fitness: FitnessState,
    pub lineage: LineageState,
    pub agent: AgentState,
    pub what_if: WhatIfState,
    pub transcript: TranscriptState,
    pub library: LibraryState,
    pub log: LogState,
}

impl Default for States {
    fn default() -> Self {
        Self {
            dock: Dock::default(),
            dark: true,
            scale: 1.0,
            is_first: false,
            tool: Tool::default(),
            help: false,
            names: BTreeMap::new(),
            controls: ControlsState::default(),
            fitness: FitnessState::default(),
            lineage: LineageState::default(),
            agent: AgentState::default(),
            what_if: WhatIfState::default(),
            transcript: TranscriptState::default(),
            library: LibraryState::default(),
            log: LogState::default(),
        }
    }
}

impl States {
    /// As they were when the window was last closed; as at first where nothing, or nothing that can be used, was kept.
    pub(super) fn remembered() -> Self {
        let Some(text) = place().and_then(|path| fs::read_to_string(path).ok()) else {
            return Self { is_first: true, ..Self::default() };
        };
        let mut states: Self = serde_json::from_str(&text).unwrap_or_default();
        if !states.dock.is_whole() {
            states.dock = Dock::default();
        }
        states.scale = states.scale.clamp(crate::ui::SCALES.0, crate::ui::SCALES.1);
        states
    }

    /// Keeps them for the next start. That they cannot be kept is no reason not to close.
    pub(super) fn remember(&self) {
        if let Some((path, text)) = place().zip(serde_json::to_vec_pretty(self).ok()) {
            let kept = replace_file(&path, |file| std::io::Write::write_all(file, &text));
            kept.unwrap_or_else(|error| warn!("{error}"));
        }
    }
}

/// Where they are kept, on systems that have a place for settings.
fn place() -> Option<PathBuf> {
    ProjectDirs::from("", "", "evolora").map(|folders| folders.config_dir().join("window.json"))
}
