//! Which models there are: known by name, in `models/`, and in the Hugging Face cache; what their headers say, and the
//! memory that they will need. No weight is read here.
//!
//! This room does *not* know how to download, nor what a model is used for.

mod find;
mod fingerprint;
mod hub;
mod inspect;
mod known;
mod memory;
mod shelf;

pub use find::{Format, find_files};
pub use fingerprint::fingerprint;
pub use hub::Hub;
pub(in crate::brain) use hub::repository_of;
pub use inspect::{KindShare, ModelInfo, inspect};
pub use known::{KNOWN, KnownModel, Wanted, find_known};
pub use memory::{MemoryNeed, TOKENS, check_memory, free_memory, kept_tokens, memory_need, row_bytes};
pub use shelf::{Found, list_models, resolve};
pub(in crate::brain) use shelf::{name_of, read_named};
