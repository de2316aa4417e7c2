//! The Llama family (Touvron et al. 2023, arXiv:2302.13971): SmolLM, SmolLM2, and the model that ships with Evolora.
//!
//! ```text
//! x   = E[tokens]                                    [rows, d]
//! x  += Wo·attention(rope(Wq·n), rope(Wk·n), Wv·n)   n = rms(x)
//! x  += Wdown·(silu(Wgate·n) ⊙ Wup·n)                n = rms(x)
//! logits = E'·rms(x)                                 E' = E where tied
//! ```
//!
//! This module does *not* know whether its weights are quantised, or whose adapters it is given.

use candle_core::Tensor;

use super::{Attention, Batch, BlockSlope, Cache, Matrix, Norm, Pass, Rope, RopeStyle, Tape};
use crate::{
    brain::{
        error::{BrainError, Result},
        files::{Keep, Tensors},
        lora::ActiveAdapters,
    },
    config::LoraTarget,
};

/// The shape of a model of the family.
#[derive(Debug, Clone, PartialEq)]
pub struct LlamaConfig {
    /// Entries of a hidden row.
    pub hidden: usize,
    /// Entries within the MLP.
    pub inner: usize,
    /// Layers.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Entries of a head.
    pub head: usize,
    /// Tokens of the vocabulary.
    pub vocabulary: usize,
    /// Longest sequence that it was made for.
    pub context: usize,
    /// Base of the rotary embedding.
    pub rope_theta: f64,
    /// Which entries of a head the rotary embedding pairs.
    pub rope_style: RopeStyle,
    /// ε of its norms.
    pub eps: f32,
    /// Whether the output matrix is the embedding.
    pub tied: bool,
}

impl LlamaConfig {
    /// Refuses shapes that no model has, before anything is allocated for them.
    ///
    /// # Errors
    /// A clause that names the number.
    pub fn check(&self) -> std::result::Result<(), String> {
        let numbers = [
            ("hidden size", self.hidden, 1 << 16),
            ("MLP size", self.inner, 1 << 18),
            ("number of layers", self.layers, 1 << 10),
            ("number of heads", self.heads, 1 << 10),
            ("number of key/value heads", self.kv_heads, 1 << 10),
            ("head size", self.head, 1 << 12),
            ("vocabulary", self.vocabulary, 1 << 21),
            ("context", self.context, 1 << 24),
        ];
        if let Some((what, number, most)) = numbers.into_iter().find(|(_, number, most)| *number == 0 || number > most)
        {
            return Err(format!("its {what} is {number}, and 1 to {most} are possible"));
        }
        if !self.heads.is_multiple_of(self.kv_heads) || !self.head.is_multiple_of(2) {
            let Self { heads, kv_heads, head, .. } = self;
            return Err(format!("{heads} heads of {head} with {kv_heads} key/value heads do not fit together"));
        }
        if !(self.rope_theta.is_finite() && self.rope_theta > 0.0 && self.eps.is_finite() && self.eps >= 0.0) {
            return Err(format!("its rope base is {} and the ε of its norms {}", self.rope_theta, self.eps));
        }
        Ok(())
    }

    /// Weights of the whole model.
    pub const fn parameters(&self) -> usize {
        let attention = self.hidden * self.head * (2 * self.heads + 2 * self.kv_heads);
        let layer = attention + 3 * self.hidden * self.inner + 2 * self.hidden;
        let tables = if self.tied { 1 } else { 2 };
        self.layers * layer + self.hidden + tables * self.vocabulary * self.hidden
    }
}

pub(super) struct SelfAttention {
    pub(super) q: Matrix,
    pub(super) k: Matrix,
    pub(super) v: Matrix,
    pub(super) o: Matrix,
    pub(super) heads: Attention,
}

impl SelfAttention {
    fn load(config: &LlamaConfig, files: &mut dyn Tensors, name: &str, keep: &Keep) -> Result<Self> {
        let LlamaConfig { hidden, heads, kv_heads, head, .. } = *config;
        let mut matrix =
            |part: &str, out, inner| files.matrix(&format!("{name}.self_attn.{part}_proj.weight"), [out, inner], keep);
        Ok(Self {
            q: matrix("q", heads * head, hidden)?,
            k: matrix("k", kv_heads * head, hidden)?,
            v: matrix("v", kv_heads * head, hidden)?,
            o: matrix("o", hidden, heads * head)?,
            heads: Attention { heads, kv_heads, head, scale: (head as f32).sqrt().recip(), window: None },
        })
    }

    fn forward(&self, x: &Tensor, pass: &mut Pass, layer: usize) -> Result<Tensor> {
        let lora = pass.lora;
        let q = pass.turn(self.q.apply(x, lora.at(layer, LoraTarget::Q))?)?;
        let k = pass.turn(self.k.apply(x, lora.at(layer, LoraTarget::K))?)?;
        let v = self.v.apply(x, lora.at(layer, LoraTarget::V))?;
        let mixed = pass.attend(&self.heads, layer, &q, &k, &v)?;
        self.o.apply(&mixed, lora.at(layer, LoraTarget::O))
    }
}

pub(super) struct Mlp {
    pub(super) gate: Matrix,
    pub(super) up: Matrix,
    pub(super) down: Matrix,
}

impl Mlp {
    fn load(config: &LlamaConfig, files: &mut dyn Tensors, name: &str, keep: &Keep) -> Result<Self> {
        let LlamaConfig { hidden, inner, .. } = *config;
        Ok(Self {
            gate: files.matrix(&format!("{name}.mlp.gate_proj.weight"), [inner, hidden], keep)?,
            up: files.matrix(&format!("{name}.mlp.up_proj.weight"), [inner, hidden], keep)?,
            down: files.matrix(&format!("{name}.mlp.down_proj.weight"), [hidden, inner], keep)?,
        })
    }

    fn forward(&self, x: &Tensor, layer: usize, lora: &ActiveAdapters) -> Result<Tensor> {
        let gate = self.gate.apply(x, lora.at(layer, LoraTarget::Gate))?.silu()?;
        let up = self.up.apply(x, lora.at(layer, LoraTarget::Up))?;
        self.down.apply(&(gate * up)?, lora.at(layer, LoraTarget::Down))
    }
}

/// One block. On the processor, and where candle follows nothing, it goes through `fused`.
pub(super) struct Block {
    pub(super) attention_norm: Norm,
    pub(super) attention: SelfAttention,
    pub(super) mlp_norm: Norm,
    pub(super) mlp: Mlp,
}

impl Block {
    fn load(config: &LlamaConfig, files: &mut dyn Tensors, layer: usize, keep: &Keep) -> Result<Self> {
        let name = format!("model.layers.{layer}");
        let mut norm = |part: &str| {
            files.vector(&format!("{name}.{part}.weight"), config.hidden, keep).map(|w| Norm::rms(w, config.eps))
        };
        Ok(Self {
            attention_norm: norm("input_layernorm")?,
            mlp_norm: norm("post_attention_layernorm")?,
            attention: SelfAttention::load(config, files, &name, keep)?,
            mlp: Mlp::load(config, files, &name, keep)?,
        })
    }

    fn forward(&self, x: &Tensor, pass: &mut Pass, layer: usize) -> Result<Tensor> {
        let x = (x + self.attention.forward(&self.attention_norm.apply(x)?, pass, layer)?)?;
        Ok((&x + self.mlp.forward(&self.mlp_norm.apply(&x)?, layer, pass.lora)?)?)
    }
}

/// A model of the Llama family.
pub struct Llama {
    config: LlamaConfig,
    embedding: Matrix,
    blocks: Vec<Block>,
    norm: Norm,
    /// The output matrix, where it is not the embedding.
    output: Option<Matrix>,
}

impl Llama {
    /// Loads a model of the shape `config`.
    ///
    /// # Errors
    /// The shape is impossible, or a tensor is missing or has another shape.
    pub fn load(config: LlamaConfig, files: &mut dyn Tensors, keep: &Keep) -> Result<Self> {
        config.check().map_err(BrainError::Setting)?;
        let table = [config.vocabulary, config.hidden];
        let embedding = files.table("model.embed_tokens.weight", table, keep)?;
        let blocks = (0..config.layers).map(|layer| Block::load(&config, files, layer, keep)).collect::<Result<_>>()?;
        let norm = Norm::rms(files.vector("model.norm.weight", config.hidden, keep)?, config.eps);
        let output = if config.tied { None } else { Some(files.table("lm_head.weight", table, keep)?) };
        Ok(Self { config, embedding, blocks, norm, output })
    }

    /// The model's shape.
    pub const fn config(&self) -> &LlamaConfig {
        &self.config
    }

    /// The output matrix `[vocabulary, d]`.
    pub const fn output(&self) -> &Matrix {
        match &self.output {
            Some(output) => output,
            None => &self.embedding,
        }
    }

    /// Every matrix, with its layer.
    pub fn matrices(&self) -> impl Iterator<Item = &Matrix> {
        let layers = self.blocks.iter().flat_map(|block| {
            let (a, m) = (&block.attention, &block.mlp);
            [&a.q, &a.k, &a.v, &a.o, &m.gate, &m.up, &m.down]
        });
        std::iter::once(&self.embedding).chain(layers).chain(self.output.as_ref())
    }

    /// The rows of a batch as they enter the first block: `[rows, d]`.
    ///
    /// # Errors
    /// A token is not in the vocabulary.
    pub fn embed(&self, batch: &Batch) -> Result<Tensor> {
        self.embedding.rows(&batch.tokens)
    }

    /// A pass of a batch through the blocks.
    pub fn pass<'a>(&self, batch: &'a Batch, lora: &'a ActiveAdapters, cache: Option<&'a mut Cache>) -> Pass<'a> {
        let LlamaConfig { head, rope_theta, rope_style, .. } = self.config;
        Pass { batch, rope: Some(Rope::new(&batch.positions, head, rope_theta, rope_style)), lora, cache, wanted: None }
    }

    /// One block: `[rows, d]` → `[rows, d]`. Differentiable.
    ///
    /// # Errors
    /// An operation fails.
    pub fn block(&self, layer: usize, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        let block = &self.blocks[layer];
        match block.fused(x) {
            Some(fused) if pass.lora.trained(layer).next().is_none() => Ok(fused.forward(x, pass, layer, false)?.0),
            _ => {
                let made = block.forward(x, pass, layer)?;
                pass.pick(layer, made)
            }
        }
    }

    /// One block with what its way back needs; see [`Tape`].
    ///
    /// # Errors
    /// An operation fails.
    pub fn block_to_learn(&self, layer: usize, x: Tensor, pass: &mut Pass, goes_on: bool) -> Result<(Tensor, Tape)> {
        let block = &self.blocks[layer];
        let Some(fused) = block.fused(&x) else {
            return Tape::record(x, goes_on, |x| {
                let made = block.forward(x, pass, layer)?;
                pass.pick(layer, made)
            });
        };
        let (to, kept) = fused.forward(&x, pass, layer, true)?;
        Ok((to, Tape::Fused(kept.map(Box::new))))
    }

    /// The way back of [`Llama::block_to_learn`] for dy `[rows, d]`, the gradient of its result; with the gradient of its input where
    /// `goes_on`.
    ///
    /// # Errors
    /// An operation fails.
    pub fn back(&self, layer: usize, tape: Tape, dy: &Tensor, pass: &Pass, goes_on: bool) -> Result<BlockSlope> {
        match (tape, self.blocks[layer].fused(dy)) {
            (Tape::Candle(recorded), _) => recorded.back(dy, pass.lora, layer),
            (Tape::Fused(Some(kept)), Some(fused)) => fused.back(*kept, dy, pass, layer, goes_on),
            (Tape::Fused(_), _) => Err(BrainError::Setting("A block cannot go back where it kept nothing".to_owned())),
        }
    }

    /// The last hidden rows, normalised: what the output matrix is multiplied with. `[rows, d]`.
    ///
    /// # Errors
    /// An operation fails.
    pub fn finish(&self, x: &Tensor) -> Result<Tensor> {
        self.norm.apply(x)
    }
}
