//! Writes a model and its tokenizer as one GGUF file, as llama.cpp has them.

use std::io::{Seek, Write};

use candle_core::{
    Var,
    quantized::{
        GgmlDType, QTensor,
        gguf_file::{Value, write},
    },
};

use super::bpe::{END, SPECIALS, TrainedTokenizer};
use crate::brain::{error::Result, files::llama_name, model::LlamaConfig};

/// What the file says about itself.
#[derive(Debug, Clone)]
pub struct GgufNote<'a> {
    /// The model's name.
    pub name: &'a str,
    /// A sentence about it.
    pub description: &'a str,
    /// Its licence.
    pub license: &'a str,
}

/// Writes a Llama whose rotary pairs lie side by side, in f32.
///
/// # Errors
/// The file cannot be written.
pub fn write_gguf(
    out: &mut (impl Write + Seek),
    note: &GgufNote,
    config: &LlamaConfig,
    tokenizer: &TrainedTokenizer,
    vars: &[(String, Var)],
) -> Result<()> {
    let metadata = metadata(note, config, &tokenizer.tokens, &tokenizer.merges);
    let metadata: Vec<_> = metadata.iter().map(|(key, value)| (*key, value)).collect();
    let mut tensors = Vec::with_capacity(vars.len());
    for (name, var) in vars {
        tensors.push((llama_name(name), QTensor::quantize(var.as_tensor(), GgmlDType::F32)?));
    }
    let tensors: Vec<_> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    Ok(write(out, &metadata, &tensors)?)
}

/// What a file says of a Llama whose rotary pairs lie side by side, and of its tokenizer.
pub(super) fn metadata(
    note: &GgufNote,
    config: &LlamaConfig,
    tokens: &[String],
    merges: &[String],
) -> Vec<(&'static str, Value)> {
    let whole = |number: usize| Value::U32(number as u32);
    let text = |text: &str| Value::String(text.to_owned());
    let texts = |all: &[String]| Value::Array(all.iter().map(|one| text(one)).collect());
    // llama.cpp's kinds of tokens: 1 is normal, 3 is control.
    let kinds = (0..tokens.len()).map(|id| Value::I32(if id < SPECIALS.len() { 3 } else { 1 })).collect();
    vec![
        ("general.architecture", text("llama")),
        ("general.name", text(note.name)),
        ("general.description", text(note.description)),
        ("general.license", text(note.license)),
        ("general.file_type", Value::U32(0)),
        ("llama.vocab_size", whole(config.vocabulary)),
        ("llama.context_length", whole(config.context)),
        ("llama.embedding_length", whole(config.hidden)),
        ("llama.block_count", whole(config.layers)),
        ("llama.feed_forward_length", whole(config.inner)),
        ("llama.attention.head_count", whole(config.heads)),
        ("llama.attention.head_count_kv", whole(config.kv_heads)),
        ("llama.attention.layer_norm_rms_epsilon", Value::F32(config.eps)),
        ("llama.rope.dimension_count", whole(config.head)),
        ("llama.rope.freq_base", Value::F32(config.rope_theta as f32)),
        ("tokenizer.ggml.model", text("gpt2")),
        ("tokenizer.ggml.pre", text("smollm")),
        ("tokenizer.ggml.tokens", texts(tokens)),
        ("tokenizer.ggml.token_type", Value::Array(kinds)),
        ("tokenizer.ggml.merges", texts(merges)),
        ("tokenizer.ggml.bos_token_id", Value::U32(END)),
        ("tokenizer.ggml.eos_token_id", Value::U32(END)),
        ("tokenizer.ggml.padding_token_id", Value::U32(END)),
        ("tokenizer.ggml.add_bos_token", Value::Bool(false)),
    ]
}
