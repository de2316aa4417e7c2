//! Learning: the loss, its gradient by the adapters, and the update.
//!
//! This room does *not* know agents, or where experience comes from.

mod gauge;
#[cfg(test)]
mod gradients;
mod hidden;
mod objective;
mod optimiser;
mod step;

pub use gauge::{Gauge, Held};
pub use hidden::{HiddenStates, Uses};
pub use objective::{SampleLoss, Target, sample_loss};
pub use optimiser::{Moments, Numbers, norm, update};
pub use step::{Exercise, Slope, Teacher};
