//! The language model's side: model files, the forward pass with an adapter per agent, deciding, pre-training.
//!
//! This room does *not* know Bevy, habitats, rewards, or the grammar of prompts: prompts and the candidate replies come
//! to it as strings.

mod breed;
pub mod catalog;
mod chat;
mod decide;
mod error;
pub mod files;
mod forebears;
mod generate;
mod keep;
mod kernel;
pub mod learn;
mod llm;
mod load;
pub mod lora;
pub mod model;
mod offload;
mod peak;
mod population;
pub mod pretrain;
mod resident;
mod tokenizer;
mod trie;
mod worker;

pub use breed::{Merged, merge, mutate};
pub use catalog::{Format, find_files};
pub use chat::ChatTemplate;
pub use decide::{ForkLogits, Question, Scorer};
pub use error::{BrainError, Result};
pub use forebears::{Forebears, MOST_FOREBEARS};
pub use generate::{Speaker, Style, Written, generate};
pub use llm::{Llm, LlmPlan};
pub use load::{LoadedModel, SHIPPED_NAME, device, load_model, model_sha256, quantise, streams, word_of};
pub use offload::{Kept, KeptAdapter, Offload, Place};
pub use peak::{instructions, peak_flops, peak_int8};
pub use population::{Mind, Name, Population, Shelf};
pub use resident::Resident;
pub use tokenizer::Tokenizer;
pub use trie::{Fork, Trie, log_softmax};
pub use worker::serve;
