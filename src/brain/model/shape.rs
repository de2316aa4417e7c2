//! The shape of a model of any family, before or without its weights.

use super::{GptNeoConfig, LlamaConfig};
use crate::{brain::lora::Site, config::LoraTarget};

/// The shape of a model of one of the families.
#[derive(Debug, Clone, PartialEq)]
pub enum ModelShape {
    /// The Llama family.
    Llama(LlamaConfig),
    /// The GPT-Neo family.
    GptNeo(GptNeoConfig),
}

impl ModelShape {
    /// The family's name, as config.json and GGUF write it.
    pub const fn family(&self) -> &'static str {
        match self {
            Self::Llama(_) => "llama",
            Self::GptNeo(_) => "gpt_neo",
        }
    }

    /// Layers.
    pub const fn layers(&self) -> usize {
        match self {
            Self::Llama(c) => c.layers,
            Self::GptNeo(c) => c.windows.len(),
        }
    }

    /// Entries of a hidden row, and of a row within the MLP.
    pub const fn widths(&self) -> (usize, usize) {
        match self {
            Self::Llama(c) => (c.hidden, c.inner),
            Self::GptNeo(c) => (c.hidden, c.inner),
        }
    }

    /// Query heads, and key/value heads.
    pub const fn heads(&self) -> (usize, usize) {
        match self {
            Self::Llama(c) => (c.heads, c.kv_heads),
            Self::GptNeo(c) => (c.heads, c.heads),
        }
    }

    /// Tokens of the vocabulary.
    pub const fn vocabulary(&self) -> usize {
        match self {
            Self::Llama(c) => c.vocabulary,
            Self::GptNeo(c) => c.vocabulary,
        }
    }

    /// Longest sequence that it was made for.
    pub const fn context(&self) -> usize {
        match self {
            Self::Llama(c) => c.context,
            Self::GptNeo(c) => c.context,
        }
    }

    /// Weights of the whole model.
    pub const fn parameters(&self) -> usize {
        match self {
            Self::Llama(c) => c.parameters(),
            Self::GptNeo(c) => c.parameters(),
        }
    }

    /// Every matrix that can be adapted, from the bottom layer up.
    pub fn sites(&self) -> Vec<Site> {
        let (hidden, inner) = self.widths();
        let targets = match self {
            Self::Llama(c) => {
                let (query, key) = (c.heads * c.head, c.kv_heads * c.head);
                vec![
                    (LoraTarget::Q, query, hidden),
                    (LoraTarget::K, key, hidden),
                    (LoraTarget::V, key, hidden),
                    (LoraTarget::O, hidden, query),
                    (LoraTarget::Gate, inner, hidden),
                    (LoraTarget::Up, inner, hidden),
                    (LoraTarget::Down, hidden, inner),
                ]
            }
            Self::GptNeo(_) => vec![
                (LoraTarget::Q, hidden, hidden),
                (LoraTarget::K, hidden, hidden),
                (LoraTarget::V, hidden, hidden),
                (LoraTarget::O, hidden, hidden),
                (LoraTarget::Up, inner, hidden),
                (LoraTarget::Down, hidden, inner),
            ],
        };
        let sites = |layer| {
            targets.iter().map(move |(target, out, inner)| Site { layer, target: *target, out: *out, inner: *inner })
        };
        (0..self.layers()).flat_map(sites).collect()
    }
}
