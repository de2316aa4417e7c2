//! Text to tokens and back, by the tokenizer that a model's own files carry.
//!
//! This module does *not* know prompts or actions.

use std::path::Path;

use candle_core::quantized::tokenizer::TokenizerFromGguf;
use tokenizers::{
    PreTokenizerWrapper, Tokenizer as HfTokenizer,
    pre_tokenizers::{byte_level::ByteLevel, digits::Digits, sequence::Sequence},
};

use super::{
    error::{BrainError, Result},
    files::{GgufFile, read_json},
};

/// A model's tokenizer.
#[derive(Clone)]
pub struct Tokenizer {
    inner: HfTokenizer,
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokenizer").field("vocabulary", &self.vocabulary()).finish()
    }
}

impl Tokenizer {
    /// The tokenizer within a GGUF file.
    ///
    /// # Errors
    /// There is none, or it is of a kind that is not known.
    pub fn from_gguf(file: &GgufFile) -> Result<Self> {
        let merges = file.content().metadata.get("tokenizer.ggml.merges").and_then(|merges| merges.to_vec().ok());
        let unknown = merges.into_iter().flatten().any(|merge| merge.to_string().is_err());
        if unknown || file.whole("tokenizer.ggml.unknown_token_id").is_some_and(|id| id > u64::from(u32::MAX)) {
            return Err(file.error("its tokenizer is damaged"));
        }
        let mut inner = HfTokenizer::from_gguf(file.content()).map_err(|error| file.error(error))?;
        // candle takes every byte-level tokenizer that it does not know for GPT-2's, and adds a space in front.
        let bytes = ByteLevel::new(false, true, true);
        let before: PreTokenizerWrapper = match file.text("tokenizer.ggml.pre").unwrap_or("gpt-2") {
            "smollm" => Sequence::new(vec![Digits::new(true).into(), bytes.into()]).into(),
            "gpt-2" | "gpt2" | "default" => bytes.into(),
            "qwen2" | "llama3" | "smaug-bpe" | "lfm2" => return Ok(Self { inner }),
            other => {
                return Err(
                    file.error(format!("its tokenizer splits text by the rules of \"{other}\", which are not known"))
                );
            }
        };
        inner.with_pre_tokenizer(Some(before));
        Ok(Self { inner })
    }

    /// The tokenizer in a `tokenizer.json`.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub fn from_file(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|error| BrainError::read(path, error))?;
        // The tokenizers crate panics where a decoder is no JSON (0.23.2, decoders/mod.rs), so that is seen to before.
        read_json(path)?;
        let inner = HfTokenizer::from_bytes(bytes).map_err(|error| BrainError::file(path, error))?;
        Ok(Self { inner })
    }

    /// A tokenizer that has just been trained.
    pub const fn trained(inner: HfTokenizer) -> Self {
        Self { inner }
    }

    /// Number of tokens.
    pub fn vocabulary(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// The token of exactly this spelling.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// The spelling of a token.
    pub fn spelling(&self, token: u32) -> Option<String> {
        self.inner.id_to_token(token)
    }

    /// The tokens of a text, without any that mark its beginning or end.
    ///
    /// # Errors
    /// The tokenizer cannot spell the text.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let encoded = self.inner.encode_fast(text, false).map_err(|error| BrainError::Tokenizer(error.to_string()))?;
        Ok(encoded.get_ids().to_vec())
    }

    /// The text of tokens, special ones left out.
    ///
    /// # Errors
    /// There is no such token.
    pub fn decode(&self, tokens: &[u32]) -> Result<String> {
        self.inner.decode(tokens, true).map_err(|error| BrainError::Tokenizer(error.to_string()))
    }
}
