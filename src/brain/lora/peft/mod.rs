//! An adapter as PEFT keeps it: `adapter_config.json` and `adapter_model.safetensors`.
//!
//! This module does *not* know agents.

mod read;
mod write;

pub use read::load_peft;
pub(super) use read::{CONFIG, WEIGHTS, read_peft};
pub(super) use write::write_peft;

use super::Site;
use crate::{brain::model::ModelShape, config::LoraTarget};

/// Hugging Face's name for a matrix of a model: `model.layers.3.self_attn.q_proj`.
pub(super) fn module(shape: &ModelShape, site: &Site) -> String {
    let (layer, part) = (site.layer, part(shape, site.target));
    match (shape, site.target) {
        (ModelShape::Llama(_), LoraTarget::Q | LoraTarget::K | LoraTarget::V | LoraTarget::O) => {
            format!("model.layers.{layer}.self_attn.{part}")
        }
        (ModelShape::Llama(_), _) => format!("model.layers.{layer}.mlp.{part}"),
        (ModelShape::GptNeo(_), LoraTarget::Up | LoraTarget::Down) => format!("transformer.h.{layer}.mlp.{part}"),
        (ModelShape::GptNeo(_), _) => format!("transformer.h.{layer}.attn.attention.{part}"),
    }
}

/// The last part of that name: `q_proj`.
fn part(shape: &ModelShape, target: LoraTarget) -> String {
    match (shape, target) {
        (ModelShape::GptNeo(_), LoraTarget::O) => "out_proj".to_owned(),
        (ModelShape::GptNeo(_), LoraTarget::Up) => "c_fc".to_owned(),
        (ModelShape::GptNeo(_), LoraTarget::Down) => "c_proj".to_owned(),
        _ => format!("{target}_proj"),
    }
}

/// PEFT's names for A and B of a matrix.
pub(super) fn tensors(shape: &ModelShape, site: &Site) -> [String; 2] {
    ["A", "B"].map(|half| format!("base_model.model.{}.lora_{half}.weight", module(shape, site)))
}
