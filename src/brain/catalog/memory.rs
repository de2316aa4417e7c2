//! The memory that a model and its minds will need, reckoned from headers before anything is loaded.
//!
//! This module does *not* measure: `evolora bench decide` does.

use candle_core::quantized::GgmlDType;
use serde::Serialize;
use sysinfo::CGroupLimits;

use super::{Format, ModelInfo};
use crate::{
    brain::{
        error::{BrainError, Result},
        files::{TensorInfo, is_dense},
        lora::AdapterLayout,
        model::ModelShape,
    },
    config::{Genome, LoraSettings, LoraTarget},
};

/// The program itself, without its window: its code, for the most part.
const PROGRAM: u64 = 36 << 20;
/// Agents that are answered in one batch, at most.
const BATCH: u64 = 64;
/// Tokens that one decision reads: its prompt and the branches.
pub const TOKENS: u64 = 32;
/// Tokens that a free reply's prompt has, with what a model with a chat template is told before it.
const FREE_TOKENS: usize = 256;
/// Bytes that each token of the vocabulary takes in the tokenizer: its text both ways round, and its merge.
const TOKEN: u64 = 512;
/// Bytes of keys and values that are kept from turn to turn, for each agent: its own share, so that what one agent keeps
/// depends on no other.
const PREFIX: usize = 4 << 20;

/// Bytes that a model and its minds will need, by part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct MemoryNeed {
    /// The model's weights.
    pub weights: u64,
    /// The agents' adapters.
    pub adapters: u64,
    /// Numbers in flight while a batch is read.
    pub work: u64,
    /// The program itself, with the tokenizer.
    pub program: u64,
    /// What loading takes beyond all that: the largest matrix stands there once more, or twice, until it is in its form.
    pub loading: u64,
}

impl MemoryNeed {
    /// All of it.
    pub const fn total(&self) -> u64 {
        self.weights + self.adapters + self.work + self.program + self.loading
    }

    /// The same where the quantised matrices of a GGUF file's layers stay in the file: of each batch that is under way, and those are as a
    /// rule one or two, a matrix is in memory.
    #[must_use]
    pub fn with_layers_in_their_file(self, info: &ModelInfo) -> Self {
        let stays = |tensor: &&TensorInfo| {
            tensor.name.starts_with("blk.") && tensor.shape.len() == 2 && !is_dense(&tensor.kind)
        };
        if info.format != Format::Gguf {
            return self;
        }
        let layers = || info.tensors.iter().filter(stays).map(|tensor| tensor.bytes);
        // Queries, keys and values are made side by side.
        let (all, three) = (layers().sum::<u64>(), 3 * layers().max().unwrap_or_default());
        Self { weights: self.weights.saturating_sub(all), work: self.work + three, ..self }
    }

    /// The same where `agents` agents write free replies of at most `max_tokens` tokens: longer prompts, keys and values of
    /// all that is read and written, and of what every agent keeps of its prompt.
    #[must_use]
    pub fn with_free_replies(self, shape: &ModelShape, max_tokens: usize, agents: u64) -> Self {
        let prompt = FREE_TOKENS.min(shape.context());
        let (length, kept) = ((prompt + max_tokens).min(shape.context()), kept_tokens(shape).min(prompt));
        let token = token_bytes(shape) as u64;
        let batch = agents.clamp(1, BATCH);
        // Read at once: the prompts' rows, and a row of the vocabulary for each reply.
        let rows = prompt * row_bytes(shape) + shape.vocabulary() * size_of::<f32>();
        let work = batch * rows as u64 + batch * length as u64 * token + agents * kept as u64 * token;
        let later = self.adapters + self.work + self.loading;
        Self { work, loading: later.saturating_sub(self.adapters + work), ..self }
    }
}

/// Bytes that keys and values of one token take in all layers together.
fn token_bytes(shape: &ModelShape) -> usize {
    let keys = shape.sites().iter().filter(|site| site.target == LoraTarget::K).map(|site| site.out).sum::<usize>();
    2 * keys * size_of::<f32>()
}

/// How many tokens of its prompt's beginning each agent keeps as keys and values, so as not to read them again.
pub fn kept_tokens(shape: &ModelShape) -> usize {
    PREFIX / token_bytes(shape).max(1)
}

/// Bytes of the numbers in flight for one row that is read.
pub const fn row_bytes(shape: &ModelShape) -> usize {
    let (hidden, inner) = shape.widths();
    // A row has its queries, keys, values, and a few copies of the hidden state; the MLP's three rows are the widest.
    (8 * hidden + 3 * inner) * size_of::<f32>()
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
    let adapters = agents * layout.bytes(shares) as u64 + shared as u64;
    let work = agents.clamp(1, BATCH) * TOKENS * row_bytes(&info.shape) as u64;
    // Adapters and work come when loading is over.
    let loading = info.tensors.iter().map(passing_bytes).max().unwrap_or_default().saturating_sub(adapters + work);
    let program = PROGRAM + TOKEN * info.shape.vocabulary() as u64;
    Ok(MemoryNeed { weights: info.weights_bytes(quantise), adapters, work, program, loading })
}

/// Bytes that a tensor takes while it is loaded, beside those that it keeps: a dense one as f32 before and after it is
/// turned into its form, any other as it comes from the file.
fn passing_bytes(tensor: &TensorInfo) -> u64 {
    match tensor.kind.as_str() {
        "F32" | "F64" | "F16" | "BF16" => 2 * tensor.elements() * size_of::<f32>() as u64,
        _ => tensor.bytes,
    }
}

/// Memory that is free for this process, in bytes: the machine's, or its container's if that is less. `None` where the
/// system does not tell.
pub fn free_memory() -> Option<u64> {
    let mut system = sysinfo::System::new();
    system.refresh_memory();
    let machine = Some(system.available_memory()).filter(|free| *free > 0);
    let container = system.cgroup_limits().map(|limits| free_within(&limits));
    machine.into_iter().chain(container).min()
}

/// What a container has left. Its `free_memory` also counts the files that the system has cached for it as taken, but gives
/// them back when memory is asked for.
const fn free_within(limits: &CGroupLimits) -> u64 {
    limits.total_memory.saturating_sub(limits.rss)
}

/// Refuses a model that would not fit, with the estimate and what to turn down; its layers could stay in their file where `may_stream`.
///
/// # Errors
/// It needs more than is free.
pub fn check_memory(info: &ModelInfo, need: &MemoryNeed, free: Option<u64>, may_stream: bool) -> Result<()> {
    if free.is_none_or(|free| need.total() <= free) {
        return Ok(());
    }
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    let dense: u64 = info.kinds().iter().filter(|share| is_dense(&share.kind)).map(|share| share.bytes).sum();
    let fits = may_stream && free.is_some_and(|free| need.with_layers_in_their_file(info).total() <= free);
    let advice = if fits {
        "STREAM_WEIGHTS=true, which leaves its layers in their file, needs less"
    } else if need.adapters > need.weights {
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
    use std::path::Path;

    use super::*;
    use crate::{
        brain::{catalog::inspect, load_model},
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
        let row = (8 * 64 + 3 * 224) * 4;
        assert_eq!(need.work, 20 * 32 * row);
        assert_eq!(need.program, (36 << 20) + 430 * 512);
        assert_eq!(need.loading, 0, "the embedding, twice, takes less than what comes later");
        let (own, shared) = (3 * 4 * 8 * 64 * 4, 3 * 8 * (3 * 64 + 224) * 4);
        assert_eq!(need.adapters, 20 * (own + shared));
        let one_a = LoraSettings { genome: Genome::SharedA, ..lora };
        assert_eq!(memory_need(&info, None, &one_a, 20).unwrap().adapters, 20 * own + shared);

        // Free replies read whole prompts, up to the context of 256 tokens; keys and values of a token take 3 layers times
        // twice 64 numbers.
        let (talks, token) = (need.with_free_replies(&info.shape, 30, 20), 3 * 2 * 64 * 4);
        assert_eq!(talks.work, 20 * (256 * row + 430 * 4) + 20 * 256 * token + 20 * 256 * token);
        assert_eq!(talks.total() - need.total(), talks.work - need.work);
        // A batch is as large as it gets, but each agent keeps its own.
        let many = need.with_free_replies(&info.shape, 30, 2000);
        assert_eq!(many.work, 64 * (256 * row + 430 * 4 + 256 * token) + 2000 * 256 * token);
        assert_eq!(kept_tokens(&info.shape), (4 << 20) / token as usize);
    }

    #[test]
    fn the_largest_matrix_stands_there_twice_while_it_loads() {
        // A vocabulary as published models have it.
        let mut info = shipped();
        let (lora, elements) = (LoraSettings::default(), 50_000 * 64);
        info.tensors.push(TensorInfo::dense("w", "F16", &[50_000, 64], 2 * elements));
        let need = memory_need(&info, Some(GgmlDType::Q8_0), &lora, 1).unwrap();
        assert_eq!(need.loading + need.adapters + need.work, 2 * 4 * elements);
        assert_eq!(need.total(), need.weights + need.program + 2 * 4 * elements);
        // Free replies come when loading is over, too.
        let talks = need.with_free_replies(&info.shape, 30, 1);
        assert!(talks.work > need.work && talks.total() == need.total());
        let blocks = TensorInfo::blocks("w", GgmlDType::Q4_0, &[50_000, 64]);
        assert_eq!((passing_bytes(&blocks), blocks.bytes), (elements / 32 * 18, elements / 32 * 18));
    }

    #[test]
    fn files_that_the_system_has_cached_for_a_container_are_free_for_it() {
        // Of a limit of 1000 bytes 950 are taken, 700 of them by files that have been read.
        let limits = CGroupLimits { total_memory: 1000, free_memory: 50, free_swap: 0, rss: 250 };
        assert_eq!(free_within(&limits), 750);
        let beyond = CGroupLimits { rss: 2000, ..limits };
        assert_eq!(free_within(&beyond), 0);
    }

    #[test]
    fn what_does_not_fit_is_refused_with_what_to_turn_down() {
        let info = shipped();
        let lora = LoraSettings::default();
        let need = memory_need(&info, None, &lora, 4).unwrap();
        assert!(check_memory(&info, &need, None, true).is_ok());
        assert!(check_memory(&info, &need, Some(need.total()), true).is_ok());
        let dense = check_memory(&info, &need, Some(1 << 20), true).unwrap_err().to_string();
        assert!(dense.contains("1 MiB are free: QUANT=q8_0"), "{dense}");
        let need = memory_need(&info, None, &lora, 200).unwrap();
        let many = check_memory(&info, &need, Some(1 << 20), true).unwrap_err().to_string();
        assert!(many.contains("fewer agents"), "{many}");
    }

    #[test]
    fn layers_that_stay_in_their_file_take_no_memory() {
        let file = |name: &str| {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference").join(name);
            inspect(&ModelSettings { path: path.to_string_lossy().into_owned(), ..ModelSettings::default() }).unwrap()
        };
        let info = file("llama-q4_0.gguf");
        let need = memory_need(&info, None, &LoraSettings { rank: 1, ..LoraSettings::default() }, 1).unwrap();
        let streamed = need.with_layers_in_their_file(&info);
        let settings =
            ModelSettings { path: info.path.to_string_lossy().into_owned(), stream: true, ..ModelSettings::default() };
        let model = load_model(&settings).unwrap().model;
        assert!(model.streamed_bytes() > 0);
        assert_eq!(need.weights - streamed.weights, model.streamed_bytes() as u64);
        let largest = model.shape().sites().iter().map(|site| site.out * site.inner).max().unwrap();
        assert_eq!(streamed.work - need.work, 3 * (largest / 32 * 18) as u64);
        // Where that would be enough, it is told.
        let advice = |free, may| check_memory(&info, &need, Some(free), may).unwrap_err().to_string();
        let short = need.total() - 1;
        assert!(advice(short, true).contains("STREAM_WEIGHTS"), "{}", advice(short, true));
        // Free replies do not take its room away.
        let talks = need.with_free_replies(&info.shape, 30, 1);
        assert_eq!(talks.with_layers_in_their_file(&info).work - talks.work, streamed.work - need.work);
        assert!(!advice(short, false).contains("STREAM_WEIGHTS") && !advice(0, true).contains("STREAM_WEIGHTS"));
        // Dense weights are kept in memory.
        let dense = file("llama-f32.gguf");
        let need = memory_need(&dense, None, &LoraSettings::default(), 1).unwrap();
        assert_eq!(need.with_layers_in_their_file(&dense).weights, need.weights);
    }
}
