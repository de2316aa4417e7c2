//! The shape of a model, out of a Hugging Face folder's `config.json`.
//!
//! What this program does not do (other activations, scaled rotary embeddings, biases) is refused by name: a model must
//! never load cleanly and be silently wrong.

use std::path::Path;

use candle_transformers::models::llama::LlamaConfig as TheirLlama;
use serde::Deserialize;
use serde_json::Value;

use super::folder::read_json;
use crate::brain::{
    error::{BrainError, Result},
    model::{GptNeoConfig, LlamaConfig, ModelShape, RopeStyle},
};

/// Bits of a weight and weights of a group, where a folder is quantised as MLX does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct MlxQuantisation {
    /// Weights that share a scale and a bias.
    pub group_size: usize,
    /// Bits of a weight.
    pub bits: usize,
}

/// Reads a folder's `config.json`.
///
/// # Errors
/// It is missing or broken, or names a family or a feature that is not known.
pub fn read_hf_config(folder: &Path) -> Result<(ModelShape, Option<MlxQuantisation>)> {
    let path = folder.join("config.json");
    let json = read_json(&path)?;
    let shape = match json["model_type"].as_str() {
        Some("llama") => llama(&json).map(ModelShape::Llama),
        Some("gpt_neo") => gpt_neo(&json).map(ModelShape::GptNeo),
        other => Err(format!("it names the family {:?}, and llama and gpt_neo are known", other.unwrap_or("nothing"))),
    };
    let shape = shape.map_err(|what| BrainError::file(&path, what))?;
    let quantised = json.get("quantization").filter(|value| !value.is_null());
    let quantised =
        quantised.map(|value| MlxQuantisation::deserialize(value).map_err(|error| BrainError::file(&path, error)));
    Ok((shape, quantised.transpose()?))
}

/// A number, or what is usual where the file has none.
fn real(json: &Value, key: &str, usual: f64) -> std::result::Result<f64, String> {
    match json.get(key).filter(|value| !value.is_null()) {
        None => Ok(usual),
        Some(value) => value.as_f64().ok_or_else(|| format!("{key} is not a number")),
    }
}

fn llama(json: &Value) -> std::result::Result<LlamaConfig, String> {
    for (key, known) in [("hidden_act", "silu"), ("attention_bias", "false"), ("mlp_bias", "false")] {
        let value = json.get(key).filter(|value| !value.is_null());
        let text = value.map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        if let Some(other) = text.filter(|text| text != known) {
            return Err(format!("{key} is {other}, and only {known} is known"));
        }
    }
    // Newer files keep the rotary embedding's numbers together.
    let rope = json.get("rope_parameters").filter(|value| value.is_object());
    let scaled = [json.get("rope_scaling"), rope].into_iter().flatten().any(|scaling| {
        let kind = scaling.get("rope_type").or_else(|| scaling.get("type")).and_then(Value::as_str);
        scaling.is_object() && kind.is_some_and(|kind| kind != "default")
    });
    if scaled {
        return Err("it scales its rotary embedding, which is not known here".to_owned());
    }
    let mut plain = json.clone();
    if let Some(all) = plain.as_object_mut() {
        // Their reader knows one kind of scaling only, and stumbles over the others' absence of numbers.
        all.remove("rope_scaling");
        if all.get("rope_theta").is_none_or(Value::is_null) {
            all.remove("rope_theta");
        }
    }
    let theirs = TheirLlama::deserialize(&plain).map_err(|error| error.to_string())?;
    let theta = match rope {
        Some(rope) => real(rope, "rope_theta", f64::from(theirs.rope_theta))?,
        None => real(json, "rope_theta", f64::from(theirs.rope_theta))?,
    };
    let heads = theirs.num_attention_heads;
    let head = match json.get("head_dim").and_then(Value::as_u64) {
        Some(head) => head as usize,
        None => theirs
            .hidden_size
            .checked_div(heads)
            .filter(|head| head * heads == theirs.hidden_size)
            .ok_or("its heads do not divide its rows")?,
    };
    let config = LlamaConfig {
        hidden: theirs.hidden_size,
        inner: theirs.intermediate_size,
        layers: theirs.num_hidden_layers,
        heads,
        kv_heads: theirs.num_key_value_heads(),
        head,
        vocabulary: theirs.vocab_size,
        context: theirs.max_position_embeddings,
        rope_theta: theta,
        rope_style: RopeStyle::Halves,
        eps: theirs.rms_norm_eps as f32,
        tied: theirs.tie_word_embeddings.unwrap_or(false),
    };
    config.check().map(|()| config)
}

/// Most layers, as [`GptNeoConfig::check`] has it.
const MAX_LAYERS: usize = 1 << 10;

/// The parts of a GPT-Neo `config.json` that matter here.
#[derive(Deserialize)]
struct TheirNeo {
    hidden_size: usize,
    num_layers: usize,
    num_heads: usize,
    intermediate_size: Option<usize>,
    vocab_size: usize,
    max_position_embeddings: usize,
    window_size: usize,
    attention_types: Vec<(Vec<String>, usize)>,
    activation_function: Option<String>,
    layer_norm_epsilon: Option<f64>,
}

fn gpt_neo(json: &Value) -> std::result::Result<GptNeoConfig, String> {
    let theirs = TheirNeo::deserialize(json).map_err(|error| error.to_string())?;
    if let Some(other) = theirs.activation_function.filter(|name| name != "gelu_new") {
        return Err(format!("activation_function is {other}, and only gelu_new is known"));
    }
    if json.get("tie_word_embeddings") == Some(&Value::Bool(false)) {
        return Err("tie_word_embeddings is false, and only a GPT-Neo that shares its embedding is known".to_owned());
    }
    // Seen to before anything is repeated, since a file of a line may ask for 10¹⁹ times.
    if theirs.num_layers > MAX_LAYERS {
        return Err(format!("num_layers is {}, and 1 to {MAX_LAYERS} are possible", theirs.num_layers));
    }
    if theirs.attention_types.iter().any(|(kinds, _)| kinds.is_empty()) {
        return Err("attention_types repeats an empty list".to_owned());
    }
    let mut windows = Vec::new();
    for (kinds, times) in theirs.attention_types {
        if times.saturating_mul(kinds.len()).saturating_add(windows.len()) > theirs.num_layers {
            return Err("attention_types names more layers than there are".to_owned());
        }
        for kind in std::iter::repeat_n(&kinds, times).flatten() {
            windows.push(match kind.as_str() {
                "global" => None,
                "local" => Some(theirs.window_size),
                other => return Err(format!("its attention is {other:?}, and global and local are known")),
            });
        }
    }
    if windows.len() != theirs.num_layers {
        return Err(format!("attention_types names {} layers of {}", windows.len(), theirs.num_layers));
    }
    let config = GptNeoConfig {
        hidden: theirs.hidden_size,
        inner: theirs.intermediate_size.unwrap_or_else(|| theirs.hidden_size.saturating_mul(4)),
        heads: theirs.num_heads,
        windows,
        vocabulary: theirs.vocab_size,
        context: theirs.max_position_embeddings,
        eps: theirs.layer_norm_epsilon.unwrap_or(1e-5) as f32,
    };
    config.check().map(|()| config)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A GPT-Neo with these values changed.
    fn neo(changes: Value) -> std::result::Result<GptNeoConfig, String> {
        let mut config = json!({
            "hidden_size": 8, "num_layers": 4, "num_heads": 2, "vocab_size": 10, "max_position_embeddings": 16,
            "window_size": 3, "attention_types": [[["global", "local"], 2]],
        });
        for (key, value) in changes.as_object().unwrap() {
            config[key] = value.clone();
        }
        gpt_neo(&config)
    }

    #[test]
    fn attention_types_are_repeated_within_reason() {
        assert_eq!(neo(json!({})).unwrap().windows, [None, Some(3), None, Some(3)]);
        let refusal =
            |layers: u64, types: Value| neo(json!({"num_layers": layers, "attention_types": types})).unwrap_err();
        let many = refusal(99_999_999_999, json!([[["global"], 99_999_999_999_u64]]));
        assert_eq!(many, "num_layers is 99999999999, and 1 to 1024 are possible");
        assert_eq!(refusal(4, json!([[[], u64::MAX]])), "attention_types repeats an empty list");
        assert!(refusal(4, json!([[["global"], u64::MAX]])).contains("more layers than there are"));
        assert_eq!(refusal(4, json!([[["global"], 3]])), "attention_types names 3 layers of 4");
    }

    #[test]
    fn what_would_load_and_be_wrong_is_refused() {
        assert!(neo(json!({"tie_word_embeddings": true})).is_ok() && neo(json!({"tie_word_embeddings": null})).is_ok());
        assert!(neo(json!({"tie_word_embeddings": false})).unwrap_err().contains("tie_word_embeddings is false"));
        assert!(neo(json!({"activation_function": "relu"})).unwrap_err().contains("only gelu_new is known"));
    }
}
