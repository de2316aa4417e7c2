//! A GGUF file of random weights in a known shape, with as many words as the shape has: what its file would take of memory and time,
//! without a download.
//!
//! Its tokenizer splits prompts as that of the model that ships, whose words come first; the others are never met.

use std::io::{Seek, Write};

use candle_core::{
    DType, Device, Tensor,
    quantized::{GgmlDType, QTensor, gguf_file::write},
};
use rand::Rng;

use super::write::{GgufNote, metadata};
use crate::brain::{
    error::{BrainError, Result},
    files::{GgufFile, Mix, RandomTensors, llama_name},
    load::shipped,
    model::LlamaConfig,
};

/// Writes the file.
///
/// # Errors
/// It cannot be written, or the shape has fewer words than the model that ships.
pub fn write_shape(out: &mut (impl Write + Seek), config: &LlamaConfig, mix: Mix, draws: &mut impl Rng) -> Result<()> {
    let file = shipped()?;
    let (mut tokens, mut merges) = (texts(&file, "tokenizer.ggml.tokens"), texts(&file, "tokenizer.ggml.merges"));
    if tokens.len() > config.vocabulary {
        return Err(BrainError::Setting("The shape's vocabulary is too small".to_owned()));
    }
    fill_up(&mut tokens, &mut merges, config.vocabulary);
    if tokens.len() < config.vocabulary {
        return Err(BrainError::Setting("There are not as many words as the shape has".to_owned()));
    }
    let name = format!("random weights in {}", mix.word());
    let note = GgufNote { name: &name, description: "Random weights to measure with", license: "none" };
    let metadata = metadata(&note, config, &tokens, &merges);
    let metadata: Vec<_> = metadata.iter().map(|(key, value)| (*key, value)).collect();
    let tensors = tensors(config, &mut RandomTensors::new(mix, draws))?;
    let tensors: Vec<_> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    Ok(write(out, &metadata, &tensors)?)
}

/// A list of texts in a file's metadata.
fn texts(file: &GgufFile, key: &str) -> Vec<String> {
    let list = file.content().metadata.get(key).and_then(|value| value.to_vec().ok());
    list.into_iter().flatten().filter_map(|value| value.to_string().ok().cloned()).collect()
}

/// Adds words until there are `count`: of bytes that no longer word has and no prompt of a habitat, put together in pairs, then threes, and
/// so on.
fn fill_up(tokens: &mut Vec<String>, merges: &mut Vec<String>, count: usize) {
    let is_rare = |token: &&String| {
        let mut all = token.chars();
        let one = all.next().filter(|letter| !letter.is_ascii() && all.next().is_none());
        one.is_some_and(|one| !tokens.iter().any(|other| other != *token && other.contains(one)))
    };
    let rare: Vec<String> = tokens.iter().filter(is_rare).cloned().collect();
    let mut heads = rare.clone();
    while !heads.is_empty() {
        let mut longer = Vec::new();
        for (head, tail) in heads.iter().flat_map(|head| rare.iter().map(move |tail| (head, tail))) {
            if tokens.len() >= count {
                return;
            }
            merges.push(format!("{head} {tail}"));
            tokens.push(format!("{head}{tail}"));
            longer.push(format!("{head}{tail}"));
        }
        heads = longer;
    }
}

/// All tensors of a Llama whose output matrix is its embedding, by llama.cpp's names.
fn tensors(config: &LlamaConfig, random: &mut RandomTensors) -> Result<Vec<(String, QTensor)>> {
    let LlamaConfig { hidden, inner, heads, kv_heads, head, .. } = *config;
    let ones = Tensor::ones(hidden, DType::F32, &Device::Cpu)?;
    let norm = || -> Result<_> { Ok(QTensor::quantize(&ones, GgmlDType::F32)?) };
    let mut all: Vec<(String, QTensor)> = Vec::new();
    let mut matrix = |name: String, shape| -> Result<_> { Ok((llama_name(&name), random.drawn(&name, shape)?)) };
    all.push(matrix("model.embed_tokens.weight".to_owned(), [config.vocabulary, hidden])?);
    all.push((llama_name("model.norm.weight"), norm()?));
    let matrices = [
        ("self_attn.q_proj", [heads * head, hidden]),
        ("self_attn.k_proj", [kv_heads * head, hidden]),
        ("self_attn.v_proj", [kv_heads * head, hidden]),
        ("self_attn.o_proj", [hidden, heads * head]),
        ("mlp.gate_proj", [inner, hidden]),
        ("mlp.up_proj", [inner, hidden]),
        ("mlp.down_proj", [hidden, inner]),
    ];
    for layer in 0..config.layers {
        for part in ["input_layernorm", "post_attention_layernorm"] {
            all.push((llama_name(&format!("model.layers.{layer}.{part}.weight")), norm()?));
        }
        for (part, shape) in matrices {
            all.push(matrix(format!("model.layers.{layer}.{part}.weight"), shape)?);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::{
        brain::{SHIPPED_NAME, load_model, model::RopeStyle},
        config::ModelSettings,
    };

    #[test]
    fn a_shapes_file_is_a_model_that_reads_prompts_as_the_one_that_ships() {
        let config = LlamaConfig {
            hidden: 64,
            inner: 96,
            layers: 2,
            heads: 4,
            kv_heads: 2,
            head: 16,
            vocabulary: 20_000,
            context: 64,
            rope_theta: 10_000.0,
            rope_style: RopeStyle::Interleaved,
            eps: 1e-5,
            tied: true,
        };
        let mut file = tempfile::Builder::new().suffix(".gguf").tempfile().unwrap();
        write_shape(&mut file, &config, Mix::Q4, &mut ChaCha8Rng::seed_from_u64(1)).unwrap();
        let load =
            |path: &str| load_model(&ModelSettings { path: path.to_owned(), ..ModelSettings::default() }).unwrap();
        let (drawn, shipped) = (load(&file.path().to_string_lossy()), load(SHIPPED_NAME));
        assert_eq!(drawn.model.parameters(), config.parameters());
        assert_eq!((drawn.tokenizer.vocabulary(), drawn.model.vocabulary()), (20_000, 20_000));
        let prompt = "At (5,13), E80, has food. See: home↑→ food↓ wall← Action: move north";
        assert_eq!(drawn.tokenizer.encode(prompt).unwrap(), shipped.tokenizer.encode(prompt).unwrap());
        // A word of the others is one token, too.
        let last = drawn.tokenizer.spelling(19_999).unwrap();
        assert_eq!((drawn.tokenizer.id(&last), last.chars().count()), (Some(19_999), 2));
        let small = LlamaConfig { vocabulary: 100, ..config };
        assert!(write_shape(&mut file, &small, Mix::Q4, &mut ChaCha8Rng::seed_from_u64(1)).is_err());
    }
}
