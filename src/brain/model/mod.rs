//! The language models: a forward pass per family, over packed rows, generic over how the frozen weights are kept.
//!
//! This room does *not* know files, agents, or what an action is.

mod affine;
pub mod attention;
pub mod batch;
mod blocks;
mod cache;
mod fused;
mod gpt_neo;
mod lanes;
mod language_model;
mod llama;
mod matrix;
mod norm;
mod pass;
mod product;
mod rope;
mod shape;
mod stored;
mod tape;
mod whole;

pub use affine::Affine;
pub use attention::Attention;
pub use batch::{Batch, Placed, Sight};
pub use cache::{Cache, LayerCache, Prefix};
pub use gpt_neo::{GptNeo, GptNeoConfig};
pub use language_model::LanguageModel;
pub use llama::{Llama, LlamaConfig};
#[cfg(test)]
pub(crate) use matrix::PLAIN_PRODUCTS;
pub use matrix::{Matrix, matrix_from};
pub use norm::Norm;
pub use pass::Pass;
pub use rope::{Rope, RopeStyle};
pub use shape::ModelShape;
pub use stored::{StoredFile, StoredRows};
pub use tape::{BlockSlope, Tape};
