//! GPT-Neo (Black et al. 2021), as TinyStories-33M and its smaller sisters use it (Eldan and Li 2023, arXiv:2305.07759).
//!
//! ```text
//! x   = E[tokens] + P[positions]                    [rows, d]
//! x  += Wo·attention(Wq·n, Wk·n, Wv·n) + bo         n = layer(x); scores are not scaled by 1/√head
//! x  += Wproj·gelu(Wfc·n + bfc) + bproj             n = layer(x)
//! logits = E·layer(x)                               [rows, vocabulary]
//! ```
//!
//! Layers take turns: global ones see everything before, local ones the last `window` rows.
//!
//! This module does *not* know whether its weights are quantised, or whose adapters it is given.

use candle_core::Tensor;

use super::{Attention, Batch, Cache, Matrix, Norm, Pass};
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
pub struct GptNeoConfig {
    /// Entries of a hidden row.
    pub hidden: usize,
    /// Entries within the MLP.
    pub inner: usize,
    /// Heads.
    pub heads: usize,
    /// Per layer: the window of local attention, or `None` for global.
    pub windows: Vec<Option<usize>>,
    /// Tokens of the vocabulary.
    pub vocabulary: usize,
    /// Positions that it has learned.
    pub context: usize,
    /// ε of its norms.
    pub eps: f32,
}

impl GptNeoConfig {
    /// Refuses shapes that no model has, before anything is allocated for them.
    ///
    /// # Errors
    /// A clause that names the number.
    pub fn check(&self) -> std::result::Result<(), String> {
        let numbers = [
            ("hidden size", self.hidden, 1 << 16),
            ("MLP size", self.inner, 1 << 18),
            ("number of layers", self.windows.len(), 1 << 10),
            ("number of heads", self.heads, 1 << 10),
            ("vocabulary", self.vocabulary, 1 << 21),
            ("number of positions", self.context, 1 << 20),
        ];
        if let Some((what, number, most)) = numbers.into_iter().find(|(_, number, most)| *number == 0 || number > most)
        {
            return Err(format!("its {what} is {number}, and 1 to {most} are possible"));
        }
        if !self.hidden.is_multiple_of(self.heads) {
            return Err(format!("its {} heads do not divide rows of {}", self.heads, self.hidden));
        }
        if self.windows.contains(&Some(0)) || !(self.eps.is_finite() && self.eps >= 0.0) {
            return Err("its window or the ε of its norms is impossible".to_owned());
        }
        Ok(())
    }

    /// Weights of the whole model.
    pub const fn parameters(&self) -> usize {
        let layer = 4 * self.hidden * self.hidden + 2 * self.hidden * self.inner + 6 * self.hidden + self.inner;
        self.windows.len() * layer + (self.vocabulary + self.context + 2) * self.hidden
    }
}

/// A matrix with a bias: `W·x + b`.
struct Affine {
    weight: Matrix,
    bias: Tensor,
}

impl Affine {
    fn load(files: &mut dyn Tensors, name: &str, shape: [usize; 2], keep: &Keep) -> Result<Self> {
        Ok(Self {
            weight: files.matrix(&format!("{name}.weight"), shape, keep)?,
            bias: files.vector(&format!("{name}.bias"), shape[0], keep)?,
        })
    }

    fn apply(&self, x: &Tensor, lora: &ActiveAdapters, layer: usize, target: LoraTarget) -> Result<Tensor> {
        Ok(self.weight.apply(x, lora.at(layer, target))?.broadcast_add(&self.bias)?)
    }
}

struct SelfAttention {
    q: Matrix,
    k: Matrix,
    v: Matrix,
    o: Affine,
    heads: Attention,
}

impl SelfAttention {
    fn load(config: &GptNeoConfig, files: &mut dyn Tensors, layer: usize, keep: &Keep) -> Result<Self> {
        let name = format!("transformer.h.{layer}.attn.attention");
        let GptNeoConfig { hidden, heads, .. } = *config;
        let mut matrix = |part: &str| files.matrix(&format!("{name}.{part}_proj.weight"), [hidden, hidden], keep);
        let window = config.windows[layer];
        Ok(Self {
            q: matrix("q")?,
            k: matrix("k")?,
            v: matrix("v")?,
            o: Affine::load(files, &format!("{name}.out_proj"), [hidden, hidden], keep)?,
            heads: Attention { heads, kv_heads: heads, head: hidden / heads, scale: 1.0, window },
        })
    }

    fn forward(&self, x: &Tensor, pass: &mut Pass, layer: usize) -> Result<Tensor> {
        let lora = pass.lora;
        let q = self.q.apply(x, lora.at(layer, LoraTarget::Q))?;
        let k = self.k.apply(x, lora.at(layer, LoraTarget::K))?;
        let v = self.v.apply(x, lora.at(layer, LoraTarget::V))?;
        let mixed = pass.attend(&self.heads, layer, &q, &k, &v)?;
        self.o.apply(&mixed, lora, layer, LoraTarget::O)
    }
}

struct Block {
    attention_norm: Norm,
    attention: SelfAttention,
    mlp_norm: Norm,
    up: Affine,
    down: Affine,
}

impl Block {
    fn load(config: &GptNeoConfig, files: &mut dyn Tensors, layer: usize, keep: &Keep) -> Result<Self> {
        let name = format!("transformer.h.{layer}");
        let GptNeoConfig { hidden, inner, eps, .. } = *config;
        Ok(Self {
            attention_norm: norm(files, &format!("{name}.ln_1"), hidden, eps, keep)?,
            mlp_norm: norm(files, &format!("{name}.ln_2"), hidden, eps, keep)?,
            attention: SelfAttention::load(config, files, layer, keep)?,
            up: Affine::load(files, &format!("{name}.mlp.c_fc"), [inner, hidden], keep)?,
            down: Affine::load(files, &format!("{name}.mlp.c_proj"), [hidden, inner], keep)?,
        })
    }

    fn forward(&self, x: &Tensor, pass: &mut Pass, layer: usize) -> Result<Tensor> {
        let x = (x + self.attention.forward(&self.attention_norm.apply(x)?, pass, layer)?)?;
        let lora = pass.lora;
        // candle's `gelu` is the one with tanh: Hugging Face's `gelu_new`.
        let inner = self.up.apply(&self.mlp_norm.apply(&x)?, lora, layer, LoraTarget::Up)?.gelu()?;
        Ok((&x + self.down.apply(&inner, lora, layer, LoraTarget::Down)?)?)
    }
}

fn norm(files: &mut dyn Tensors, name: &str, len: usize, eps: f32, keep: &Keep) -> Result<Norm> {
    let weight = files.vector(&format!("{name}.weight"), len, keep)?;
    Ok(Norm::layer(weight, files.vector(&format!("{name}.bias"), len, keep)?, eps))
}

/// A model of the GPT-Neo family.
pub struct GptNeo {
    config: GptNeoConfig,
    embedding: Matrix,
    positions: Matrix,
    blocks: Vec<Block>,
    norm: Norm,
}

impl GptNeo {
    /// Loads a model of the shape `config`.
    ///
    /// # Errors
    /// The shape is impossible, or a tensor is missing or has another shape.
    pub fn load(config: GptNeoConfig, files: &mut dyn Tensors, keep: &Keep) -> Result<Self> {
        config.check().map_err(BrainError::Setting)?;
        let GptNeoConfig { hidden, vocabulary, context, eps, .. } = config;
        let embedding = files.matrix("transformer.wte.weight", [vocabulary, hidden], keep)?;
        let positions = files.matrix("transformer.wpe.weight", [context, hidden], keep)?;
        let layers = 0..config.windows.len();
        let blocks = layers.map(|layer| Block::load(&config, files, layer, keep)).collect::<Result<_>>()?;
        let norm = norm(files, "transformer.ln_f", hidden, eps, keep)?;
        Ok(Self { config, embedding, positions, blocks, norm })
    }

    /// The model's shape.
    pub const fn config(&self) -> &GptNeoConfig {
        &self.config
    }

    /// The output matrix `[vocabulary, d]`: the embedding.
    pub const fn output(&self) -> &Matrix {
        &self.embedding
    }

    /// Every matrix.
    pub fn matrices(&self) -> impl Iterator<Item = &Matrix> {
        let layers = self.blocks.iter().flat_map(|block| {
            let a = &block.attention;
            [&a.q, &a.k, &a.v, &a.o.weight, &block.up.weight, &block.down.weight]
        });
        [&self.embedding, &self.positions].into_iter().chain(layers)
    }

    /// The rows of a batch as they enter the first block: `[rows, d]`.
    ///
    /// # Errors
    /// A token is not in the vocabulary, or a sequence is longer than the positions learned.
    pub fn embed(&self, batch: &Batch) -> Result<Tensor> {
        Ok((self.embedding.rows(&batch.tokens)? + self.positions.rows(&batch.positions)?)?)
    }

    /// A pass of a batch through the blocks.
    pub const fn pass<'a>(&self, batch: &'a Batch, lora: &'a ActiveAdapters, cache: Option<&'a mut Cache>) -> Pass<'a> {
        Pass { batch, rope: None, lora, cache, wanted: None }
    }

    /// One block: `[rows, d]` → `[rows, d]`. Differentiable.
    ///
    /// # Errors
    /// An operation fails.
    pub fn block(&self, layer: usize, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        self.blocks[layer].forward(x, pass, layer)
    }

    /// The last hidden rows, normalised: what the output matrix is multiplied with. `[rows, d]`.
    ///
    /// # Errors
    /// An operation fails.
    pub fn finish(&self, x: &Tensor) -> Result<Tensor> {
        self.norm.apply(x)
    }
}
