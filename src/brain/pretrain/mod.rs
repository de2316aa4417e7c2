//! Making a small model of one's own from nothing: a byte-level BPE, a Llama trained with AdamW, one GGUF file.
//!
//! This room does *not* know what the corpus says: it comes as lines, one document each.

mod bpe;
mod fresh;
mod shape;
mod train;
mod write;

pub use bpe::{END, SPECIALS, TrainedTokenizer, train_tokenizer};
pub use fresh::Fresh;
pub use shape::write_shape;
pub use train::{Recipe, Trainer, pack};
pub use write::{GgufNote, write_gguf};
