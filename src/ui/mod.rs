//! Panels, as plain functions from a model of what to show to what the person wants.
//!
//! A panel changes nothing itself. This room does *not* know Bevy, habitats, or who carries the wishes out.

mod controls;
mod generations;
pub mod theme;
pub mod widgets;

pub use controls::{ControlsModel, show_controls};
pub use generations::{GenerationsModel, show_generations};
