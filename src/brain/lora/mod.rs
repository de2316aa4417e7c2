//! Low-rank adapters (Hu et al. 2021, "LoRA", arXiv:2106.09685): `y = W·x + (α/r)·B·A·x`, a pair A, B for each matrix that is
//! adapted, another adapter for every agent, and all agents in one batch. And how adapters leave the program and enter it.
//!
//! This room does *not* know agents, training, or how weights are kept.

mod adapter;
mod card;
mod creature;
mod exchange;
mod gguf;
mod grouped;
mod norms;
mod pairs;
mod peft;
mod rows;

pub use adapter::{Adapter, AdapterLayout, Pair, Site, shared_a};
pub use creature::{Base, CardLineage, Creature, ScoreCard};
pub use exchange::{AdapterFormat, Exported, adapter_format, export, load_adapter, read_creature};
pub use grouped::{ActiveAdapters, Group, Grouped};
pub use norms::SiteNorm;
pub use peft::load_peft;
pub use rows::{RowOrder, interleave_rows, separate_rows};
