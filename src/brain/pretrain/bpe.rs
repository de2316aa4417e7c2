//! Byte-level byte-pair encoding (Sennrich et al. 2016, arXiv:1508.07909; GPT-2's byte alphabet), trained on a corpus.
//!
//! Text is split as SmolLM's tokenizer does (digits one by one, then GPT-2's rule), and for training arrows are split from
//! each other too, so that no token ever holds two of them.

use tokenizers::{
    AddedToken, PreTokenizerWrapper, SplitDelimiterBehavior, Tokenizer as HfTokenizer,
    decoders::byte_level::ByteLevel as ByteLevelDecoder,
    models::{
        TrainerWrapper,
        bpe::{BPE, BpeTrainer},
    },
    pre_tokenizers::{
        byte_level::ByteLevel,
        digits::Digits,
        sequence::Sequence,
        split::{Split, SplitPattern},
    },
};

use crate::brain::{
    Tokenizer,
    error::{BrainError, Result},
};

/// The token that ends a document.
pub const END: u32 = 0;
/// The tokens that no text spells, in the order of their ids: SmolLM's.
pub const SPECIALS: [&str; 3] = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];

/// A tokenizer, and the tables that a GGUF file holds of it.
#[derive(Debug, Clone)]
pub struct TrainedTokenizer {
    /// Ready for use.
    pub tokenizer: Tokenizer,
    /// The spelling of every token, in the order of the ids, in GPT-2's byte alphabet.
    pub tokens: Vec<String>,
    /// The merges, first learned first: two spellings with a space between.
    pub merges: Vec<String>,
}

/// Trains a tokenizer of `vocabulary` tokens, the special ones among them, on a corpus.
///
/// # Errors
/// The library refuses.
pub fn train_tokenizer(corpus: &[String], vocabulary: usize) -> Result<TrainedTokenizer> {
    let failed = |error: tokenizers::Error| BrainError::Tokenizer(error.to_string());
    let bytes = ByteLevel::new(false, true, true);
    let smollm: [PreTokenizerWrapper; 2] = [Digits::new(true).into(), bytes.into()];
    let arrow = SplitPattern::Regex("[↑↓→←]".to_owned());
    let arrows = Split::new(arrow, SplitDelimiterBehavior::Isolated, false).map_err(failed)?;
    let mut inner = HfTokenizer::new(BPE::default());
    inner.with_pre_tokenizer(Some(Sequence::new([vec![arrows.into()], smollm.to_vec()].concat())));
    inner.with_decoder(Some(ByteLevelDecoder::default()));
    let specials = SPECIALS.map(|token| AddedToken::from(token, true)).to_vec();
    let trainer = BpeTrainer::builder().vocab_size(vocabulary).show_progress(false).special_tokens(specials);
    let mut trainer: TrainerWrapper =
        trainer.initial_alphabet(ByteLevel::alphabet().into_iter().collect()).build().into();
    inner.train(&mut trainer, corpus.iter().map(String::as_str)).map_err(failed)?;
    inner.with_pre_tokenizer(Some(Sequence::new(smollm.to_vec())));
    let (tokens, merges) = tables(&inner)?;
    Ok(TrainedTokenizer { tokenizer: Tokenizer::trained(inner), tokens, merges })
}

/// The spellings and merges, out of the tokenizer's own JSON: the library has no other way to the merges.
fn tables(inner: &HfTokenizer) -> Result<(Vec<String>, Vec<String>)> {
    let broken = || BrainError::Tokenizer("the library wrote a tokenizer without merges".to_owned());
    let json = inner.to_string(false).map_err(|error| BrainError::Tokenizer(error.to_string()))?;
    let json: serde_json::Value =
        serde_json::from_str(&json).map_err(|error| BrainError::Tokenizer(error.to_string()))?;
    let merges = json["model"]["merges"].as_array().ok_or_else(broken)?;
    let merge = |pair: &serde_json::Value| Some(format!("{} {}", pair[0].as_str()?, pair[1].as_str()?));
    let merges = merges.iter().map(merge).collect::<Option<_>>().ok_or_else(broken)?;
    let tokens = (0..inner.get_vocab_size(true) as u32).map(|id| inner.id_to_token(id)).collect::<Option<_>>();
    Ok((tokens.ok_or_else(broken)?, merges))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequent_words_become_single_tokens_and_arrows_stay_apart() {
        let corpus: Vec<_> = (0..40).map(|i| format!("At ({i},3). See: home↑→ wall←↓ Action: move north")).collect();
        let trained = train_tokenizer(&corpus, 293).unwrap();
        assert_eq!(trained.tokens.len(), 293);
        assert_eq!(trained.tokens[..3], SPECIALS);
        assert_eq!(trained.merges.len(), 293 - 3 - 256);
        let tokenizer = &trained.tokenizer;
        assert_eq!(tokenizer.encode(" move north").unwrap().len(), 2);
        // A word, two arrows, a word: nothing else.
        assert_eq!(tokenizer.encode(" home↑→ wall").unwrap().len(), 4);
        let text = "At (17,3) ↑→ naïve 😀";
        assert_eq!(tokenizer.decode(&tokenizer.encode(text).unwrap()).unwrap(), text);
    }

    #[test]
    fn the_same_corpus_gives_the_same_tokenizer() {
        let corpus: Vec<_> = (0..200).map(|i| format!("word{} other{} third", i % 7, i % 5)).collect();
        let (a, b) = (train_tokenizer(&corpus, 300).unwrap(), train_tokenizer(&corpus, 300).unwrap());
        assert_eq!((a.tokens, a.merges), (b.tokens, b.merges));
    }
}
