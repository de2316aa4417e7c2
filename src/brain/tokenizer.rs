//! Text to tokens and back, by the tokenizer that a model's own files carry.
//!
//! This module does *not* know prompts or actions.

use std::{
    num::NonZeroUsize,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use candle_core::quantized::tokenizer::TokenizerFromGguf;
use lru::LruCache;
use tokenizers::{
    PreTokenizerWrapper, SplitDelimiterBehavior, Tokenizer as HfTokenizer,
    pre_tokenizers::{
        byte_level::ByteLevel,
        digits::Digits,
        sequence::Sequence,
        split::{Split, SplitPattern},
    },
};

use super::{
    error::{BrainError, Result},
    files::{GgufFile, read_json},
};

/// Rules by which text is split before it becomes tokens, as GGUF names them, where candle knows them.
const CANDLES: [&str; 4] = ["qwen2", "llama3", "smaug-bpe", "lfm2"];
/// Those of [`splits`]: candle takes all others for GPT-2's, and adds a space in front.
const OWN: [&str; 4] = ["default", "gpt-2", "gpt2", "smollm"];

/// How text is split by the rules of that name; `None` where it is not known.
fn splits(rules: &str) -> Result<Option<PreTokenizerWrapper>> {
    let gpt2 = ByteLevel::new(false, true, true);
    Ok(Some(match rules {
        "gpt-2" | "gpt2" => gpt2.into(),
        "smollm" => Sequence::new(vec![Digits::new(true).into(), gpt2.into()]).into(),
        // llama.cpp's own, of no model (`llama-vocab.cpp`): punctuation for itself, then GPT-2's, then digits in threes.
        "default" => {
            let split = |pattern: &str| {
                let split =
                    Split::new(SplitPattern::Regex(pattern.to_owned()), SplitDelimiterBehavior::Isolated, false);
                split.map(PreTokenizerWrapper::from).map_err(|error| BrainError::Tokenizer(error.to_string()))
            };
            let bytes = ByteLevel::new(false, true, false);
            let all = vec![
                split(r"[\p{P}\$\+<=>\^~\|]+")?,
                split(r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)")?,
                split(r"\p{N}+")?,
                split("[0-9][0-9][0-9]")?,
                bytes.into(),
            ];
            Sequence::new(all).into()
        }
        _ => return Ok(None),
    }))
}

/// Texts whose tokens are kept: more than twenty agents remember, who learn from them again and again.
const KEPT: NonZeroUsize = NonZeroUsize::new(2048).expect("some");
/// Bytes of the longest text whose tokens are kept.
const LONGEST: usize = 256;

/// Texts, and their tokens.
type Known = LruCache<Box<str>, Box<[u32]>>;

/// A model's tokenizer. Copies of it keep what they have met together.
#[derive(Clone)]
pub struct Tokenizer {
    inner: HfTokenizer,
    known: Arc<Mutex<Known>>,
}

impl From<HfTokenizer> for Tokenizer {
    fn from(inner: HfTokenizer) -> Self {
        Self { inner, known: Arc::new(Mutex::new(LruCache::new(KEPT))) }
    }
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
        // What llama.cpp takes a file for that does not say.
        let rules = file.text("tokenizer.ggml.pre").unwrap_or("default");
        if !CANDLES.contains(&rules) {
            let splits = splits(rules)?.ok_or_else(|| {
                let known = [&CANDLES[..], &OWN[..]].concat().join(", ");
                file.error(format!("its tokenizer splits text by the rules \"{rules}\", and known are {known}"))
            })?;
            inner.with_pre_tokenizer(Some(splits));
        }
        Ok(inner.into())
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
        Ok(inner.into())
    }

    /// A tokenizer that has just been trained.
    pub fn trained(inner: HfTokenizer) -> Self {
        inner.into()
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
        if let Some(tokens) = self.known().get(text) {
            return Ok(tokens.to_vec());
        }
        let encoded = self.inner.encode_fast(text, false).map_err(|error| BrainError::Tokenizer(error.to_string()))?;
        let tokens = encoded.get_ids().to_vec();
        if text.len() <= LONGEST {
            self.known().put(text.into(), tokens.as_slice().into());
        }
        Ok(tokens)
    }

    fn known(&self) -> impl std::ops::DerefMut<Target = Known> {
        // Between two calls it is whole.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The text of tokens, special ones left out.
    ///
    /// # Errors
    /// There is no such token.
    pub fn decode(&self, tokens: &[u32]) -> Result<String> {
        self.inner.decode(tokens, true).map_err(|error| BrainError::Tokenizer(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use tokenizers::{OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer};

    use super::*;

    fn split(rules: &str, text: &str) -> Vec<String> {
        pieces(&splits(rules).unwrap().unwrap(), text)
    }

    fn pieces(rules: &PreTokenizerWrapper, text: &str) -> Vec<String> {
        let mut pieces = PreTokenizedString::from(text);
        rules.pre_tokenize(&mut pieces).unwrap();
        let all = pieces.get_splits(OffsetReferential::Original, OffsetType::Byte);
        all.into_iter().map(|(piece, ..)| piece.replace('Ġ', "_")).collect()
    }

    #[test]
    fn text_is_split_by_the_rules_that_a_file_names() {
        let text = "At (5,3), E80: don't 12345  x";
        let gpt2 = ["At", "_(", "5", ",", "3", "),", "_E", "80", ":", "_don", "'t", "_12345", "_", "_x"];
        assert_eq!(split("gpt-2", text), gpt2);
        let smollm = [
            "At", "_(", "5", ",", "3", "),", "_E", "8", "0", ":", "_don", "'t", "_", "1", "2", "3", "4", "5", "_", "_x",
        ];
        assert_eq!(split("smollm", text), smollm);
        // Worked out by hand from llama.cpp's four patterns, each of which splits the pieces of the one before.
        let default =
            ["At", "_", "(", "5", ",", "3", "),", "_E", "80", ":", "_don", "'", "t", "_", "123", "45", "_", "_x"];
        assert_eq!(split("default", text), default);
        assert!(splits("command-r").unwrap().is_none());
    }

    #[test]
    fn what_is_kept_is_what_the_tokenizer_says_and_no_more_than_there_is_room_for() {
        let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/evolora-206k.gguf");
        let tokenizer = Tokenizer::from_gguf(&GgufFile::open(&model).unwrap()).unwrap();
        let text = |number: usize| format!("At ({},{}), E80. Action:", number % 100, number / 100);
        let long = "move north ".repeat(LONGEST / 8);
        for _ in 0..2 {
            for number in (0..KEPT.get() + 40).step_by(7) {
                let exact = tokenizer.inner.encode_fast(text(number), false).unwrap();
                assert_eq!(tokenizer.encode(&text(number)).unwrap(), exact.get_ids());
            }
        }
        let kept = tokenizer.known().len();
        assert_eq!(tokenizer.encode(&long).unwrap(), tokenizer.inner.encode_fast(&*long, false).unwrap().get_ids());
        assert_eq!(tokenizer.clone().known().len(), kept, "a copy keeps the same, and long texts are not kept");
        (0..KEPT.get() + 40).for_each(|number| drop(tokenizer.encode(&text(number)).unwrap()));
        assert_eq!(tokenizer.known().len(), KEPT.get());
        assert!(tokenizer.known().peek(&*text(39)).is_none() && tokenizer.known().peek(&*text(40)).is_some());
    }

    #[test]
    fn a_file_that_names_no_rules_is_split_by_llama_cpps_own() {
        let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/llama-gpt2-pre.gguf");
        let mut bytes = std::fs::read(reference).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.gguf");
        let text = "At (5,3) 12345";
        let as_read = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            let tokenizer = Tokenizer::from_gguf(&GgufFile::open(&path).unwrap()).unwrap();
            pieces(tokenizer.inner.get_pre_tokenizer().unwrap(), text)
        };
        assert_eq!(as_read(&bytes), split("gpt-2", text));
        let key = b"tokenizer.ggml.pre";
        let at = bytes.windows(key.len()).position(|window| window == key).unwrap();
        bytes[at + key.len() - 1] = b'x';
        assert_eq!(as_read(&bytes), split("default", text));
    }
}
