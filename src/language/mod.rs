//! Words: an observation as a prompt, a reply as an action, and the grammar of both in one place.
//!
//! This room does *not* know who reads the prompt, any tokenizer, or, but for the texts of [`corpus`], what an action does.

pub mod corpus;
pub mod grammar;
mod prompt;
mod reply;

pub use grammar::{action_phrase, instruction};
pub use prompt::{PromptError, read_prompt, rounded_energy, write_prompt};
pub use reply::{ReplyError, parse_reply};
