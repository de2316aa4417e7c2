//! Low-rank adapters (Hu et al. 2021, "LoRA", arXiv:2106.09685): `y = W·x + (α/r)·B·A·x`, a pair A, B for each matrix that is
//! adapted, another adapter for every agent, and all agents in one batch.
//!
//! This room does *not* know agents, training, or how weights are kept.

mod adapter;
mod grouped;
mod peft;

pub use adapter::{Adapter, AdapterLayout, Pair, Site, shared_a};
pub use grouped::{ActiveAdapters, Group, Grouped};
pub use peft::{interleave_rows, load_peft};
