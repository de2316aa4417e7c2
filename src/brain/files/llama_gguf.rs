//! The shape of a Llama model, out of a GGUF file's metadata.

use candle_core::quantized::gguf_file::Value;

use super::GgufFile;
use crate::brain::{
    error::Result,
    model::{LlamaConfig, RopeStyle},
};

/// The shape that a GGUF file of the architecture `llama` names.
///
/// # Errors
/// It is of another architecture, a number is missing, or it needs what this program does not do.
pub fn read_llama_config(file: &GgufFile) -> Result<LlamaConfig> {
    let architecture = file.text("general.architecture").unwrap_or("nothing");
    if architecture != "llama" {
        return Err(
            file.error(format!("it holds the architecture \"{architecture}\", and of GGUF files only llama is known"))
        );
    }
    // Llama 3.1 writes its scaling down as a tensor.
    let scaled = file.text("llama.rope.scaling.type").is_some_and(|kind| kind != "none");
    if scaled || file.has_raw("rope_freqs.weight") {
        return Err(file.error("it scales its rotary embedding, which is not known here"));
    }
    let whole = |key: &str| {
        let found = file.whole(&format!("llama.{key}")).and_then(|value| usize::try_from(value).ok());
        found.ok_or_else(|| file.error(format!("its metadata has no number llama.{key}")))
    };
    let (hidden, heads) = (whole("embedding_length")?, whole("attention.head_count")?);
    let head = whole("attention.key_length").or_else(|_| {
        hidden
            .checked_div(heads)
            .filter(|head| head * heads == hidden)
            .ok_or_else(|| file.error("its heads do not divide its rows"))
    })?;
    if whole("rope.dimension_count").is_ok_and(|turned| turned != head) {
        return Err(file.error("it turns only a part of each head, which is not known here"));
    }
    let tokens = file.content().metadata.get("tokenizer.ggml.tokens");
    let tokens = tokens.and_then(|value| if let Value::Array(all) = value { Some(all.len()) } else { None });
    let vocabulary =
        whole("vocab_size").ok().or(tokens).ok_or_else(|| file.error("it does not say how many tokens it has"))?;
    let config = LlamaConfig {
        hidden,
        inner: whole("feed_forward_length")?,
        layers: whole("block_count")?,
        heads,
        kv_heads: whole("attention.head_count_kv").unwrap_or(heads),
        head,
        vocabulary,
        context: whole("context_length")?,
        rope_theta: file.real("llama.rope.freq_base").unwrap_or(10_000.0),
        rope_style: RopeStyle::Interleaved,
        eps: file.real("llama.attention.layer_norm_rms_epsilon").unwrap_or(1e-5) as f32,
        tied: !file.has_raw("output.weight"),
    };
    config.check().map_err(|what| file.error(what))?;
    let unknown = file.content().tensor_infos.keys().filter(|name| !is_read(name, config.layers)).min();
    match unknown {
        // Biases, experts, norms of queries: without them the model would load, and be another.
        Some(name) => Err(file.error(format!("it holds the tensor {name}, of which nothing is known here"))),
        None => Ok(config),
    }
}

/// Whether a Llama of so many layers reads the tensor of this name.
fn is_read(name: &str, layers: usize) -> bool {
    let Some(part) = name.strip_prefix("blk.") else {
        return ["token_embd.weight", "output_norm.weight", "output.weight"].contains(&name);
    };
    let parts = [
        "attn_norm.weight",
        "attn_q.weight",
        "attn_k.weight",
        "attn_v.weight",
        "attn_output.weight",
        "ffn_norm.weight",
        "ffn_gate.weight",
        "ffn_up.weight",
        "ffn_down.weight",
    ];
    let (layer, part) = part.split_once('.').unwrap_or_default();
    layer.parse::<usize>().is_ok_and(|layer| layer < layers) && parts.contains(&part)
}

#[cfg(test)]
mod tests {
    use super::is_read;

    #[test]
    fn tensors_that_are_not_read_are_told_from_those_that_are() {
        for name in ["token_embd.weight", "output.weight", "blk.0.attn_q.weight", "blk.11.ffn_down.weight"] {
            assert!(is_read(name, 12), "{name}");
        }
        for name in
            ["blk.12.attn_q.weight", "blk.0.attn_q.bias", "blk.0.ffn_gate_exps.weight", "blk.0", "rope_freqs.weight"]
        {
            assert!(!is_read(name, 12), "{name}");
        }
    }
}
