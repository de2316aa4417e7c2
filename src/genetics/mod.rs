//! Evolution as pure functions: what a life was worth, who lives on, who mates with whom, and how different minds are.
//!
//! This room does *not* know Bevy, tensors, or how adapters are merged.

mod distance;
mod fitness;
mod selection;

pub use distance::{divergence, mean_pairwise_divergence};
pub use fitness::fitness;
pub use selection::{Offspring, next_generation};
