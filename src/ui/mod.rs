//! Panels, as plain functions from a model of what to show to what the person wants.
//!
//! A panel changes nothing itself. This room does *not* know Bevy, habitats, or who carries the wishes out.

mod controls;
mod generations;
mod help;
mod setting;
mod stage;
pub mod theme;
mod top_bar;

pub use controls::{ControlsModel, ControlsState, show_controls};
pub use generations::{GenerationsModel, show_generations};
pub use help::{FIRST_LINES, KEYS, show_first_hint, show_help};
pub use stage::{StageModel, Tool, show_stage_tools};
pub use top_bar::{SCALE_STEP, SCALES, TopBarModel, show_top_bar};
