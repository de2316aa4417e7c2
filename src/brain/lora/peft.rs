//! Reads an adapter as PEFT keeps it: `adapter_config.json` and `adapter_model.safetensors`.
//!
//! What this program does not do (DoRA, ranks that differ, biases) is refused by name.
//!
//! This module does *not* know agents.

use std::{path::Path, sync::Arc};

use serde::Deserialize;

use super::adapter::{Adapter, AdapterLayout, Pair, Site};
use crate::{
    brain::{
        error::{BrainError, Result},
        files::{SafetensorsFolder, read_json},
        model::LanguageModel,
    },
    config::LoraTarget,
};

/// The parts of an `adapter_config.json` that matter here.
#[derive(Deserialize)]
struct PeftConfig {
    peft_type: String,
    r: usize,
    lora_alpha: f64,
    #[serde(default)]
    bias: Option<String>,
    #[serde(default)]
    fan_in_fan_out: bool,
    #[serde(default)]
    use_rslora: bool,
    #[serde(default)]
    use_dora: bool,
    #[serde(default)]
    rank_pattern: serde_json::Map<String, serde_json::Value>,
    #[serde(default)]
    alpha_pattern: serde_json::Map<String, serde_json::Value>,
}

impl PeftConfig {
    fn check(&self) -> std::result::Result<(), String> {
        let odd = [
            (self.peft_type != "LORA", format!("it is of the type {}", self.peft_type)),
            (self.bias.as_deref().is_some_and(|bias| bias != "none"), "it changes biases".to_owned()),
            (self.fan_in_fan_out, "its matrices lie the other way round (fan_in_fan_out)".to_owned()),
            (self.use_dora, "it is a DoRA".to_owned()),
            (!self.rank_pattern.is_empty() || !self.alpha_pattern.is_empty(), "its ranks differ by layer".to_owned()),
            (self.r == 0 || self.r > 4096 || !self.lora_alpha.is_finite(), format!("its rank is {}", self.r)),
        ];
        odd.into_iter()
            .find(|(is_odd, _)| *is_odd)
            .map_or(Ok(()), |(_, what)| Err(format!("{what}, which is not known here")))
    }
}

/// Reads a PEFT folder for `model`, whatever the order in which that keeps the rows of its queries and keys.
///
/// # Errors
/// A file is missing or broken, or holds what does not fit the model.
pub fn load_peft(folder: &Path, model: &LanguageModel) -> Result<(AdapterLayout, Adapter)> {
    let config_path = folder.join("adapter_config.json");
    let config =
        PeftConfig::deserialize(read_json(&config_path)?).map_err(|error| BrainError::file(&config_path, error))?;
    config.check().map_err(|what| BrainError::file(&config_path, what))?;
    let path = folder.join("adapter_model.safetensors");
    let files = SafetensorsFolder::of(vec![path.clone()])?;
    let (mut sites, mut pairs) = (Vec::new(), Vec::new());
    for site in model.sites() {
        let name = format!("base_model.model.{}", module(model, &site));
        let (a, b) = (format!("{name}.lora_A.weight"), format!("{name}.lora_B.weight"));
        if !files.places().contains_key(&a) {
            continue;
        }
        let numbers = |name: &str, shape: [usize; 2]| -> Result<Vec<f32>> {
            let numbers = files.real(name, &shape)?.flatten_all()?.to_vec1::<f32>()?;
            let finite = numbers.iter().all(|number| number.is_finite());
            if finite {
                Ok(numbers)
            } else {
                Err(BrainError::file(&path, format!("{name} holds numbers that are not finite")))
            }
        };
        let (a, mut b) = (numbers(&a, [config.r, site.inner])?, numbers(&b, [site.out, config.r])?);
        if let Some(head) = model.interleaved_head().filter(|_| matches!(site.target, LoraTarget::Q | LoraTarget::K)) {
            b = interleave_rows(&b, head, config.r);
        }
        sites.push(site);
        pairs.push(Pair { a: Arc::new(a), b: Arc::new(b) });
    }
    let read = 2 * sites.len();
    if read == 0 || read != files.places().len() {
        let what = format!("of its {} tensors {read} fit this model", files.places().len());
        return Err(BrainError::file(&path, what));
    }
    let scale = if config.use_rslora { (config.r as f64).sqrt() } else { 1.0 };
    let alpha = (config.lora_alpha * scale) as f32;
    Ok((AdapterLayout { rank: config.r, alpha, sites }, Adapter { pairs }))
}

/// Hugging Face's name for a matrix.
fn module(model: &LanguageModel, site: &Site) -> String {
    let layer = site.layer;
    match (model, site.target) {
        (LanguageModel::Llama(_), LoraTarget::Q | LoraTarget::K | LoraTarget::V | LoraTarget::O) => {
            format!("model.layers.{layer}.self_attn.{}_proj", site.target)
        }
        (LanguageModel::Llama(_), _) => format!("model.layers.{layer}.mlp.{}_proj", site.target),
        (LanguageModel::GptNeo(_), LoraTarget::O) => format!("transformer.h.{layer}.attn.attention.out_proj"),
        (LanguageModel::GptNeo(_), LoraTarget::Up) => format!("transformer.h.{layer}.mlp.c_fc"),
        (LanguageModel::GptNeo(_), LoraTarget::Down) => format!("transformer.h.{layer}.mlp.c_proj"),
        (LanguageModel::GptNeo(_), target) => format!("transformer.h.{layer}.attn.attention.{target}_proj"),
    }
}

/// Rows in the order of Hugging Face → the order of GGUF: `gguf[h·d + 2i + s] = hf[h·d + (d/2)·s + i]`, for heads of `d` rows
/// of `width` numbers.
pub fn interleave_rows(rows: &[f32], head: usize, width: usize) -> Vec<f32> {
    let half = head / 2;
    let mut out = Vec::with_capacity(rows.len());
    for head in rows.chunks_exact(head * width) {
        for i in 0..half {
            for s in 0..2 {
                out.extend_from_slice(&head[(half * s + i) * width..][..width]);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::interleave_rows;

    #[test]
    fn halves_become_pairs() {
        // Two heads of four rows of two numbers.
        let rows: Vec<f32> = (0..16).map(|n| n as f32).collect();
        let rows_of =
            |order: [usize; 8]| order.iter().flat_map(|row| [rows[2 * row], rows[2 * row + 1]]).collect::<Vec<_>>();
        assert_eq!(interleave_rows(&rows, 4, 2), rows_of([0, 2, 1, 3, 4, 6, 5, 7]));
    }
}
