//! What the person wants of the program.

use std::path::PathBuf;

use super::{AgentId, Cell, CreatureId, HabitatId};

/// A creature, named for the whole run.
pub type CreatureName = (HabitatId, CreatureId);

/// A wish of the person, told by a panel and carried out by the app between two turns.
#[derive(Debug, Clone, PartialEq)]
pub enum UserCommand {
    /// Let turns follow each other.
    Play,
    /// Stop after the current turn.
    Pause,
    /// Play one turn, then pause.
    StepTurn,
    /// Play to the end of the generation, then pause.
    StepGeneration,
    /// How many turns a second to aim at; infinity is as many as there can be.
    SetSpeed(f32),
    /// Start again from generation 0 with this seed.
    Restart {
        /// The new seed.
        seed: u64,
    },
    /// Let a run that is complete have more generations.
    GoOn {
        /// How many more.
        generations: u32,
    },
    /// Change settings, by key and value as in `evolora.toml`.
    Change(Vec<(String, String)>),
    /// Take the values of a preset.
    UsePreset(String),
    /// Write the settings to a TOML file.
    SaveSettings(PathBuf),
    /// Take the settings of a TOML file.
    LoadSettings(PathBuf),
    /// Look into one creature, or into none.
    Select(Option<CreatureName>),
    /// Keep the selected creature in the middle of the picture, or no longer.
    Follow(bool),
    /// Give a creature a name; an empty one takes it away.
    Rename(CreatureName, String),
    /// Put a copy of this creature's mind into the place of the least fit of its habitat.
    Duplicate(CreatureName),
    /// Write a creature to a card.
    ExportCard(CreatureName, PathBuf),
    /// Write the best creature that ever lived to a card.
    ExportBest(PathBuf),
    /// Everybody of the next generation 0 begins with this card, PEFT folder or GGUF adapter.
    ImportCard(PathBuf),
    /// Ask minds what they would do.
    Consult(Consult),
    /// Show this habitat alone, or all of them.
    Enter(Option<HabitatId>),
    /// Show the habitats whole again.
    Fit,
    /// Draw something over the habitat, or no longer.
    Overlay(Overlay, bool),
    /// Change the world by hand.
    Edit(HabitatId, Edit),
    /// Take the last edit back.
    Undo,
    /// Make it again.
    Redo,
    /// Go on with the run in this folder.
    OpenRun(PathBuf),
    /// Keep the run in this folder, now and at every generation's end.
    SaveRun(PathBuf),
    /// Start again with this model: a file, a folder or a name.
    UseModel(String),
    /// Fetch a model from the hub.
    DownloadModel(String),
    /// Write a picture of the window.
    TakePicture,
    /// Record this many turns as a GIF.
    Record {
        /// How many.
        turns: u32,
    },
    /// End the recording now.
    StopRecording,
    /// Write the fitness curves to a PNG file.
    ExportPlot(PathBuf),
    /// Write the rows of all generations to a CSV file.
    ExportRows(PathBuf),
    /// Take a banner away.
    Dismiss,
    /// How the window looks.
    Look(Look),
}

/// What is asked of minds by hand.
#[derive(Debug, Clone, PartialEq)]
pub struct Consult {
    /// Its number: the answer carries the same.
    pub number: u64,
    /// What they are told.
    pub prompt: String,
    /// Whose minds; `None` is the bare model.
    pub minds: Vec<Option<CreatureName>>,
    /// Whether they are to answer in words of their own, in place of weighing the actions.
    pub free: bool,
}

/// What can be drawn over a habitat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlay {
    /// Where agents came from.
    Trails,
    /// How often each cell was entered.
    Visits,
    /// What everybody said last, beside the selected one.
    Speech,
}

/// A change of the world by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edit {
    /// Put a thing into a cell, or take it away where there is one.
    Food(Cell),
    /// The same with a wall.
    Wall(Cell),
    /// The same with home.
    Home(Cell),
    /// Put an agent into a cell.
    Agent(AgentId, Cell),
}

/// How the window looks.
#[derive(Debug, Clone, PartialEq)]
pub enum Look {
    /// Dark, or light.
    Dark(bool),
    /// How large everything in the panels is; 1 is as designed.
    Scale(f32),
    /// The panel with this name shows, or no longer.
    Panel(String, bool),
    /// The panels as they were at first.
    Reset,
}
