//! Models that are known by a short name.
//!
//! This module does *not* know which files a repository holds: they are looked up when it is downloaded.

/// What is taken out of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// The one GGUF file whose name holds this word, whatever its case.
    Gguf(&'static str),
    /// Weights in safetensors or as PyTorch's pickle, config, and tokenizer.
    Folder,
}

/// A model that is known by a short name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownModel {
    /// The short name.
    pub name: &'static str,
    /// Owner and name of the repository on the Hugging Face hub.
    pub repository: &'static str,
    /// What is taken out of it.
    pub wanted: Wanted,
    /// Where its tokenizer is found if its own repository has none.
    pub tokenizer: Option<&'static str>,
    /// What it is, in a few words.
    pub words: &'static str,
}

const fn model(name: &'static str, repository: &'static str, wanted: Wanted, words: &'static str) -> KnownModel {
    KnownModel { name, repository, wanted, tokenizer: None, words }
}

const fn stories(name: &'static str, repository: &'static str, words: &'static str) -> KnownModel {
    KnownModel { tokenizer: Some("EleutherAI/gpt-neo-125m"), ..model(name, repository, Wanted::Folder, words) }
}

/// The models that are known by a short name, the most useful first.
pub const KNOWN: &[KnownModel] = &[
    model(
        "smollm-135m-instruct",
        "QuantFactory/SmolLM-135M-Instruct-GGUF",
        Wanted::Gguf("q4_k_m"),
        "SmolLM-135M-Instruct, GGUF Q4_K_M, about 105 MB",
    ),
    model(
        "smollm-135m-instruct-q8",
        "QuantFactory/SmolLM-135M-Instruct-GGUF",
        Wanted::Gguf("q8_0"),
        "SmolLM-135M-Instruct, GGUF Q8_0, about 145 MB",
    ),
    model(
        "smollm2-135m-instruct",
        "bartowski/SmolLM2-135M-Instruct-GGUF",
        Wanted::Gguf("q4_k_m"),
        "SmolLM2-135M-Instruct, GGUF Q4_K_M, about 105 MB",
    ),
    model("smollm-135m", "HuggingFaceTB/SmolLM-135M", Wanted::Folder, "SmolLM-135M, the base, safetensors"),
    model(
        "smollm-135m-instruct-mlx",
        "mlx-community/SmolLM-135M-Instruct-4bit",
        Wanted::Folder,
        "SmolLM-135M-Instruct, MLX 4-bit",
    ),
    stories(
        "tinystories-33m",
        "roneneldan/TinyStories-33M",
        "TinyStories-33M, GPT-Neo, about 290 MB: QUANT=q8_0 helps",
    ),
    stories("tinystories-8m", "roneneldan/TinyStories-8M", "TinyStories-8M, GPT-Neo"),
    stories("tinystories-1m", "roneneldan/TinyStories-1M", "TinyStories-1M, GPT-Neo"),
];

/// The model of that short name, whatever its case.
pub fn find_known(name: &str) -> Option<&'static KnownModel> {
    KNOWN.iter().find(|known| known.name.eq_ignore_ascii_case(name))
}
