//! An adapter as llama.cpp keeps it for `--lora`: one GGUF file, as `convert_lora_to_gguf.py` writes and `llama-adapter.cpp` reads it.
//!
//! The scale is alpha / r, and 1 where alpha is 0.
//!
//! This module does *not* know agents.

use std::{io::Cursor, path::Path};

use candle_core::{
    Device, Tensor,
    quantized::{
        GgmlDType, QTensor,
        gguf_file::{Value, write},
    },
};

use super::{
    Adapter, AdapterLayout, Base, Creature, RowOrder, Site,
    pairs::{Kept, Source as _, read_pairs, shown},
    peft::module,
};
use crate::brain::{
    error::{BrainError, Result},
    files::{GgufFile, llama_name},
    model::ModelShape,
};

/// llama.cpp's names for A and B of a matrix: `blk.3.attn_q.weight.lora_a`.
fn tensors(shape: &ModelShape, site: &Site) -> [String; 2] {
    let name = llama_name(&format!("{}.weight", module(shape, site)));
    ["a", "b"].map(|half| format!("{name}.lora_{half}"))
}

/// Reads an adapter for a model of a shape, whatever the order in which that keeps its rows.
///
/// # Errors
/// The file is no adapter, or holds what does not fit the model.
pub(super) fn read_gguf_adapter(path: &Path, shape: &ModelShape) -> Result<(AdapterLayout, Adapter)> {
    let mut file = GgufFile::open(path)?;
    let text = |key: &str| file.text(key).unwrap_or("nothing");
    let architecture = text("general.architecture");
    let what = if text("general.type") != "adapter" {
        Some(format!("it holds a {}, and no adapter", shown(file.text("general.type").unwrap_or("model"))))
    } else if text("adapter.type") != "lora" {
        Some(format!("it is an adapter of the type {}, and lora alone is known here", shown(text("adapter.type"))))
    } else if architecture != shape.family() || matches!(shape, ModelShape::GptNeo(_)) {
        Some(format!("it is made for the architecture {}, and the model is of {}", shown(architecture), shape.family()))
    } else if file.content().metadata.contains_key("adapter.alora.invocation_tokens") {
        Some("it wakes at certain tokens only (aLoRA), which is not known here".to_owned())
    } else {
        None
    };
    if let Some(what) = what {
        return Err(file.error(what));
    }
    // llama.cpp wants the key, and so do we: what is not said must not be guessed.
    let alpha = file.real("adapter.lora.alpha").ok_or_else(|| file.error("it has no adapter.lora.alpha"))? as f32;
    let first = file.names().into_iter().find(|name| name.ends_with(".lora_a"));
    let info = first.and_then(|name| file.content().tensor_infos.get(&name).map(|info| info.shape.dims().to_vec()));
    let rank = info.as_deref().and_then(|dims| dims.first().copied()).unwrap_or_default();
    let alpha = if alpha == 0.0 { rank as f32 } else { alpha };
    let kept = Kept { shape, rank, alpha, rows: RowOrder::Gguf, names: &|site| tensors(shape, site) };
    read_pairs(&mut file, &kept)
}

/// The bytes of a GGUF adapter.
///
/// # Errors
/// llama.cpp does not know the family of the model, or cannot express the scale.
pub(super) fn write_gguf_adapter(base: &Base, creature: &Creature) -> Result<Vec<u8>> {
    let layout = &creature.layout;
    if matches!(base.shape, ModelShape::GptNeo(_)) {
        let what =
            format!("llama.cpp has no GPT-Neo, so an adapter of {} has no GGUF form: take peft or card", base.name);
        return Err(BrainError::Setting(what));
    }
    if layout.alpha == 0.0 {
        let what = "This adapter's alpha is 0, which llama.cpp would take for a scale of 1: take peft or card";
        return Err(BrainError::Setting(what.to_owned()));
    }
    let text = |text: &str| Value::String(text.to_owned());
    let name = format!("An adapter of {}", base.name);
    let metadata = [
        ("general.architecture", text(base.shape.family())),
        ("general.type", text("adapter")),
        ("general.name", text(&name)),
        ("general.file_type", Value::U32(0)),
        ("adapter.type", text("lora")),
        ("adapter.lora.alpha", Value::F32(layout.alpha)),
    ];
    let metadata: Vec<_> = metadata.iter().map(|(key, value)| (*key, value)).collect();
    let mut tensors_out = Vec::with_capacity(2 * layout.sites.len());
    for (site, pair) in layout.sites.iter().zip(&creature.adapter.pairs) {
        let [a, b] = tensors(&base.shape, site);
        let rows = base.rows().turn(RowOrder::Gguf, &base.shape, site, &pair.b, layout.rank);
        tensors_out.push((a, matrix(&pair.a, [layout.rank, site.inner])?));
        tensors_out.push((b, matrix(&rows, [site.out, layout.rank])?));
    }
    let tensors: Vec<_> = tensors_out.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    let mut out = Cursor::new(Vec::new());
    write(&mut out, &metadata, &tensors)?;
    Ok(out.into_inner())
}

fn matrix(numbers: &[f32], shape: [usize; 2]) -> Result<QTensor> {
    Ok(QTensor::quantize(&Tensor::from_slice(numbers, &shape, &Device::Cpu)?, GgmlDType::F32)?)
}
