//! The memory that a model and its minds will need, reckoned from headers before anything is loaded.
//!
//! This module does *not* measure: `evolora bench decide` does.

use candle_core::quantized::GgmlDType;
use serde::Serialize;

use super::ModelInfo;
use crate::{
    brain::{
        error::{BrainError, Result},
        files::is_dense,
        lora::AdapterLayout,
    },
    config::{Genome, LoraSettings},
};

/// The program itself, without its window.
const PROGRAM: u64 = 24 << 20;
/// Agents that are answered in one batch, at most.
const BATCH: u64 = 64;
/// Tokens that one decision reads: its prompt and the branches.
const TOKENS: u64 = 32;

/// Bytes that a model and its minds will need, by part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct MemoryNeed {
    /// The model's weights.
    pub weights: u64,
    /// The agents' adapters.
    pub adapters: u64,
    /// Numbers in flight while a batch is read.
    pub work: u64,
    /// The program itself.
    pub program: u64,
}

impl MemoryNeed {
    /// All of it.
    pub const fn total(&self) -> u64 {
        self.weights + self.adapters + self.work + self.program
    }
}

/// The bytes that a model with `agents` minds will need, where dense weights are quantised to `quantise` as they load.
///
/// # Errors
/// The model has none of the matrices that adapters shall sit on.
pub fn memory_need(
    info: &ModelInfo,
    quantise: Option<GgmlDType>,
    lora: &LoraSettings,
    agents: u64,
) -> Result<MemoryNeed> {
    let layout = AdapterLayout::choose(lora, &info.shape.sites(), info.shape.layers())?;
    let shares = lora.genome == Genome::SharedA;
    let shared = if shares { layout.bytes(false) - layout.bytes(true) } else { 0 };
    let (hidden, inner) = info.shape.widths();
    // A row has its queries, keys, values, and a few copies of the hidden state; the MLP's three rows are the widest.
    let row = (8 * hidden + 3 * inner) * size_of::<f32>();
    Ok(MemoryNeed {
        weights: info.weights_bytes(quantise),
        adapters: agents * layout.bytes(shares) as u64 + shared as u64,
        work: agents.clamp(1, BATCH) * TOKENS * row as u64,
        program: PROGRAM,
    })
}

/// Memory that is free for this process, in bytes: the machine's, or its container's if that is less. `None` where the
/// system does not tell.
pub fn free_memory() -> Option<u64> {
    let mut system = sysinfo::System::new();
    system.refresh_memory();
    let machine = Some(system.available_memory()).filter(|free| *free > 0);
    let container = system.cgroup_limits().map(|limits| limits.free_memory);
    machine.into_iter().chain(container).min()
}

/// Refuses a model that would not fit, with the estimate and what to turn down.
///
/// # Errors
/// It needs more than is free.
pub fn check_memory(info: &ModelInfo, need: &MemoryNeed, free: Option<u64>) -> Result<()> {
    if free.is_none_or(|free| need.total() <= free) {
        return Ok(());
    }
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    let dense: u64 = info.kinds().iter().filter(|share| is_dense(&share.kind)).map(|share| share.bytes).sum();
    let advice = if need.adapters > need.weights {
        "fewer agents (habitat.agents, run.habitats), or a lower LORA_RANK or LORA_LAYERS, need less"
    } else if dense > info.file_bytes() / 2 {
        "QUANT=q8_0 or QUANT=q4_0, or a smaller model, needs less"
    } else {
        "a smaller model, or one that is quantised to fewer bits, needs less"
    };
    Err(BrainError::Memory {
        path: info.path.clone(),
        need: mib(need.total()),
        weights: mib(need.weights),
        adapters: mib(need.adapters),
        free: mib(free.unwrap_or_default()),
        advice,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        brain::catalog::inspect,
        config::{ModelSettings, Quantisation},
    };

    fn shipped() -> ModelInfo {
        inspect(&ModelSettings { quant: Quantisation::None, ..ModelSettings::default() }).unwrap()
    }

    #[test]
    fn the_default_models_need_is_the_sum_of_its_parts() {
        let info = shipped();
        let lora = LoraSettings::default();
        let need = memory_need(&info, None, &lora, 20).unwrap();
        // Every weight is an f32; a row of 8·64 + 3·224 numbers; q, v, o [64 → 64] and down [224 → 64] in three layers.
        assert_eq!(need.weights, info.shape.parameters() as u64 * 4);
        assert_eq!(need.work, 20 * 32 * (8 * 64 + 3 * 224) * 4);
        let (own, shared) = (3 * 4 * 8 * 64 * 4, 3 * 8 * (3 * 64 + 224) * 4);
        assert_eq!(need.adapters, 20 * own + shared);
        let free = LoraSettings { genome: Genome::FreeAb, ..lora };
        assert_eq!(memory_need(&info, None, &free, 20).unwrap().adapters, 20 * (own + shared));
    }

    #[test]
    fn what_does_not_fit_is_refused_with_what_to_turn_down() {
        let info = shipped();
        let lora = LoraSettings::default();
        let need = memory_need(&info, None, &lora, 20).unwrap();
        assert!(check_memory(&info, &need, None).is_ok());
        assert!(check_memory(&info, &need, Some(need.total())).is_ok());
        let dense = check_memory(&info, &need, Some(1 << 20)).unwrap_err().to_string();
        assert!(dense.contains("1 MiB are free: QUANT=q8_0"), "{dense}");
        let need = memory_need(&info, None, &lora, 200).unwrap();
        let many = check_memory(&info, &need, Some(1 << 20)).unwrap_err().to_string();
        assert!(many.contains("fewer agents"), "{many}");
    }
}
