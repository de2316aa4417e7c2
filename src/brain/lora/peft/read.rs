//! Reads a PEFT folder. What this program does not do (DoRA, ranks that differ, biases) is refused by name.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::tensors;
use crate::brain::{
    error::{BrainError, Result},
    files::read_json,
    lora::{
        Adapter, AdapterLayout, RowOrder,
        pairs::{Kept, MAX_RANK, SafetensorsFile, read_pairs, shown},
    },
    model::{LanguageModel, ModelShape},
};

/// The file that says what kind of adapter it is.
pub(in crate::brain::lora) const CONFIG: &str = "adapter_config.json";
/// The file with its tensors.
pub(in crate::brain::lora) const WEIGHTS: &str = "adapter_model.safetensors";

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
    rank_pattern: Map<String, Value>,
    #[serde(default)]
    alpha_pattern: Map<String, Value>,
    #[serde(default)]
    alora_invocation_tokens: Option<Vec<u32>>,
    #[serde(default)]
    init_lora_weights: Value,
}

impl PeftConfig {
    fn check(&self) -> std::result::Result<(), String> {
        // These begin by taking a part out of the base's own weights.
        let begin = self.init_lora_weights.as_str().unwrap_or_default();
        let changes_base = ["pissa", "olora", "corda", "loftq"].iter().any(|word| begin.starts_with(word));
        let odd = [
            (self.peft_type != "LORA", format!("it is of the type {}", shown(&self.peft_type))),
            (self.bias.as_deref().is_some_and(|bias| bias != "none"), "it changes biases".to_owned()),
            (self.fan_in_fan_out, "its matrices lie the other way round (fan_in_fan_out)".to_owned()),
            (self.use_dora, "it is a DoRA".to_owned()),
            (!self.rank_pattern.is_empty() || !self.alpha_pattern.is_empty(), "its ranks differ by layer".to_owned()),
            (self.alora_invocation_tokens.is_some(), "it wakes at certain tokens only (aLoRA)".to_owned()),
            (
                changes_base,
                format!("its base is no more the one that it began with (init_lora_weights {})", shown(begin)),
            ),
            (
                self.r == 0 || self.r > MAX_RANK || !self.lora_alpha.is_finite(),
                format!("its rank is {} and its alpha {}", self.r, self.lora_alpha),
            ),
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
    read_peft(folder, &model.shape()).map_err(BrainError::of_adapter)
}

/// The same for a model of a shape.
pub(in crate::brain::lora) fn read_peft(folder: &Path, shape: &ModelShape) -> Result<(AdapterLayout, Adapter)> {
    let path = folder.join(CONFIG);
    let config = PeftConfig::deserialize(read_json(&path)?).map_err(|error| BrainError::file(&path, error))?;
    config.check().map_err(|what| BrainError::file(&path, what))?;
    let scale = if config.use_rslora { (config.r as f64).sqrt() } else { 1.0 };
    let mut file = SafetensorsFile::open(&folder.join(WEIGHTS))?;
    let kept = Kept {
        shape,
        rank: config.r,
        alpha: (config.lora_alpha * scale) as f32,
        rows: RowOrder::HuggingFace,
        names: &|site| tensors(shape, site),
    };
    read_pairs(&mut file, &kept)
}
