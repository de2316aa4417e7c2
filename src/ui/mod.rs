//! Panels, as plain functions from a model of what to show to what the person wants.
//!
//! A panel changes nothing itself. This room does *not* know Bevy, habitats, or who carries the wishes out.

mod agent;
mod bars;
mod controls;
mod fitness;
mod generations;
mod help;
#[cfg(test)]
pub(crate) mod legible;
mod library;
mod lineage;
mod log;
mod machine;
mod setting;
mod stage;
pub mod theme;
mod top_bar;
mod transcript;
#[cfg(test)]
mod trial;
mod waiting;
mod what_if;
pub mod widgets;
mod words;

pub use agent::{
    AgentModel, AgentRow, AgentState, Mind, NormRow, Remembered, ShownTurn, SortBy, show_agent, show_agents, show_mind,
};
pub use controls::{ControlsModel, ControlsState, show_controls};
pub use fitness::{Curve, FitnessModel, FitnessState, GenerationValues, Quantity, Reference, show_fitness};
pub use generations::{GenerationsModel, show_generations};
pub use help::{FIRST_LINES, KEYS, show_first_hint, show_help};
pub use library::{BestShown, Download, LibraryModel, LibraryState, ModelChoice, RunChoice, show_library};
pub use lineage::{LineageModel, LineageState, Relative, show_lineage};
pub use log::{Banner, LogModel, LogState, Notice, Severity, show_banners, show_log};
pub use machine::{MEMORY_LINE, MachineModel, Memory, ModelFacts, Round, SLOW, Worker, show_machine};
pub use stage::{StageModel, Tool, show_stage_tools};
pub use top_bar::{SCALE_STEP, SCALES, TopBarModel, show_top_bar};
pub use transcript::{
    ActionKind, Filter, KeptLine, KeptLines, RewardIs, TranscriptLine, TranscriptModel, TranscriptSource,
    TranscriptState, show_transcript,
};
pub use waiting::show_waiting;
pub use what_if::{MindChoice, Role, WhatIfModel, WhatIfState, show_what_if};
