//! Writes a PEFT folder, as peft 0.21 reads it and older ones do too.

use serde::Serialize;
use serde_json::{Map, Value};

use super::{CONFIG, WEIGHTS, module, part, tensors};
use crate::{
    brain::{
        error::{BrainError, Result},
        lora::{
            Base, Creature, RowOrder, Site,
            pairs::{to_bytes, write_safetensors},
        },
        model::ModelShape,
    },
    config::LoraTarget,
};

/// An `adapter_config.json`, its keys in alphabetical order as peft writes them.
#[derive(Serialize)]
struct PeftConfig {
    alpha_pattern: Map<String, Value>,
    base_model_name_or_path: String,
    bias: &'static str,
    fan_in_fan_out: bool,
    inference_mode: bool,
    init_lora_weights: bool,
    layers_pattern: Option<&'static str>,
    layers_to_transform: Option<Vec<usize>>,
    lora_alpha: Value,
    lora_dropout: f64,
    modules_to_save: Option<Vec<String>>,
    peft_type: &'static str,
    r: usize,
    rank_pattern: Map<String, Value>,
    target_modules: Vec<String>,
    task_type: &'static str,
    use_dora: bool,
    use_rslora: bool,
}

impl PeftConfig {
    fn new(base: &Base, creature: &Creature) -> Self {
        let layout = &creature.layout;
        let (target_modules, layers_to_transform) = modules(&base.shape, &layout.sites);
        let pattern = match base.shape {
            ModelShape::Llama(_) => "layers",
            ModelShape::GptNeo(_) => "h",
        };
        // A whole number as such: peft's own type for alpha is one.
        let alpha = if layout.alpha.fract() == 0.0 { Value::from(layout.alpha as i64) } else { layout.alpha.into() };
        Self {
            alpha_pattern: Map::new(),
            base_model_name_or_path: base.repository.clone().unwrap_or_else(|| base.name.clone()),
            bias: "none",
            fan_in_fan_out: false,
            inference_mode: true,
            init_lora_weights: true,
            // peft refuses a pattern without layers.
            layers_pattern: layers_to_transform.as_ref().map(|_| pattern),
            layers_to_transform,
            lora_alpha: alpha,
            lora_dropout: 0.0,
            modules_to_save: None,
            peft_type: "LORA",
            r: layout.rank,
            rank_pattern: Map::new(),
            target_modules,
            task_type: "CAUSAL_LM",
            use_dora: false,
            use_rslora: false,
        }
    }
}

/// peft's `target_modules` and `layers_to_transform` for exactly these sites: short names where every layer that has any has
/// the same, else each matrix by its whole name.
fn modules(shape: &ModelShape, sites: &[Site]) -> (Vec<String>, Option<Vec<usize>>) {
    let mut layers: Vec<_> = sites.iter().map(|site| site.layer).collect();
    layers.sort_unstable();
    layers.dedup();
    let of = |layer: usize| sites.iter().filter(move |site| site.layer == layer).map(|site| site.target);
    let targets: Vec<LoraTarget> = layers.first().map(|layer| of(*layer).collect()).unwrap_or_default();
    if layers.iter().any(|layer| !of(*layer).eq(targets.iter().copied())) {
        return (sites.iter().map(|site| module(shape, site)).collect(), None);
    }
    let some = (layers.len() < shape.layers()).then_some(layers);
    (targets.into_iter().map(|target| part(shape, target)).collect(), some)
}

/// The files of a PEFT folder by name, the tensors first.
///
/// # Errors
/// The adapter has more bytes than the format can hold.
pub(in crate::brain::lora) fn write_peft(base: &Base, creature: &Creature) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let config = serde_json::to_string_pretty(&PeftConfig::new(base, creature));
    let config = config.map_err(|error| BrainError::Setting(format!("The adapter cannot be described ({error})")))?;
    let rank = creature.layout.rank;
    let mut all = Vec::new();
    for (site, pair) in creature.layout.sites.iter().zip(&creature.adapter.pairs) {
        let [a, b] = tensors(&base.shape, site);
        let rows = base.rows().turn(RowOrder::HuggingFace, &base.shape, site, &pair.b, rank);
        all.push((a, [rank, site.inner], to_bytes(&pair.a)));
        all.push((b, [site.out, rank], to_bytes(&rows)));
    }
    Ok(vec![(WEIGHTS, write_safetensors(&all, "format", "pt")?), (CONFIG, (config + "\n").into_bytes())])
}
