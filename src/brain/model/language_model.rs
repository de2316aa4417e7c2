//! A language model of any family, as those who use one see it.

use candle_core::Tensor;

use super::{Batch, BlockSlope, Cache, GptNeo, Llama, Matrix, ModelShape, Pass, RopeStyle, Tape};
use crate::brain::{
    error::{BrainError, Result},
    lora::{ActiveAdapters, Site},
};

/// A language model of one of the families.
pub enum LanguageModel {
    /// SmolLM, SmolLM2, the model that ships.
    Llama(Llama),
    /// TinyStories.
    GptNeo(GptNeo),
}

impl LanguageModel {
    /// The last hidden rows, normalised: `[rows, d]`.
    ///
    /// # Errors
    /// A token is not in the vocabulary, or an operation fails.
    pub fn features(&self, batch: &Batch, lora: &ActiveAdapters) -> Result<Tensor> {
        self.forward(self.pass(batch, lora, None), 0)
    }

    /// The same for some rows, which are given in their order: `[wanted, d]`.
    ///
    /// # Errors
    /// As [`LanguageModel::features`], or there are no such rows.
    pub fn features_of(&self, batch: &Batch, lora: &ActiveAdapters, wanted: &[u32]) -> Result<Tensor> {
        // Of the last layer those rows alone are made.
        let last = self.layers().saturating_sub(1);
        let lowest = lora.lowest().map_or(last, |lowest| lowest.min(last));
        self.forward(self.pass(batch, lora, None).reading(wanted, self.layers()), lowest)
    }

    /// The same for a batch of [`Cache::go_on`], which the cache remembers.
    ///
    /// # Errors
    /// As [`LanguageModel::features`].
    pub fn features_cached(&self, batch: &Batch, lora: &ActiveAdapters, cache: &mut Cache) -> Result<Tensor> {
        self.forward(self.pass(batch, lora, Some(cache)), 0)
    }

    /// The same, where no adapter reaches the layers below `lowest`.
    fn forward(&self, mut pass: Pass, lowest: usize) -> Result<Tensor> {
        let mut x = self.below(pass.batch, lowest)?;
        for layer in lowest..self.layers() {
            x = self.block(layer, &x, &mut pass)?;
        }
        self.finish(&x)
    }

    /// The rows of a batch as they leave the first `layers` blocks, which have no adapters: `[rows, d]`. What sequences have in common
    /// is computed once for all of them (as in a radix tree, Zheng et al. 2023, arXiv:2312.07104): on the processor, to the same bits.
    ///
    /// # Errors
    /// A token is not in the vocabulary, or an operation fails.
    pub fn below(&self, batch: &Batch, layers: usize) -> Result<Tensor> {
        if layers == 0 {
            return self.embed(batch);
        }
        let ((once, rows), lora) = (batch.merged(), ActiveAdapters::none());
        let mut pass = self.pass(&once, &lora, None);
        let mut x = self.embed(&once)?;
        for layer in 0..layers {
            x = self.block(layer, &x, &mut pass)?;
        }
        if once.rows() == batch.rows() {
            return Ok(x);
        }
        Ok(x.index_select(&Tensor::new(rows, x.device())?, 0)?)
    }

    /// The rows of a batch as they enter the first block: `[rows, d]`.
    ///
    /// # Errors
    /// A token is not in the vocabulary, or a sequence is longer than the positions learned.
    pub fn embed(&self, batch: &Batch) -> Result<Tensor> {
        match self {
            Self::Llama(llama) => llama.embed(batch),
            Self::GptNeo(neo) => neo.embed(batch),
        }
    }

    /// A pass of a batch through the blocks, one by one.
    pub fn pass<'a>(&self, batch: &'a Batch, lora: &'a ActiveAdapters, cache: Option<&'a mut Cache>) -> Pass<'a> {
        match self {
            Self::Llama(llama) => llama.pass(batch, lora, cache),
            Self::GptNeo(neo) => neo.pass(batch, lora, cache),
        }
    }

    /// One block: `[rows, d]` → `[rows, d]`, or those rows alone that are read of the last. Differentiable.
    ///
    /// # Errors
    /// An operation fails.
    pub fn block(&self, layer: usize, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        match self {
            Self::Llama(llama) => llama.block(layer, x, pass),
            Self::GptNeo(neo) => {
                let made = neo.block(layer, x, pass)?;
                pass.pick(layer, made)
            }
        }
    }

    /// One block with what its way back needs. The input is a variable of it where the way back `goes_on` below.
    ///
    /// # Errors
    /// An operation fails.
    pub fn block_to_learn(&self, layer: usize, x: Tensor, pass: &mut Pass, goes_on: bool) -> Result<(Tensor, Tape)> {
        match self {
            Self::Llama(llama) => llama.block_to_learn(layer, x, pass, goes_on),
            Self::GptNeo(neo) => Tape::record(x, goes_on, |x| {
                let made = neo.block(layer, x, pass)?;
                pass.pick(layer, made)
            }),
        }
    }

    /// The way back of [`LanguageModel::block_to_learn`] for dy `[rows, d]`, the gradient of its result.
    ///
    /// # Errors
    /// An operation fails.
    pub fn back(&self, layer: usize, tape: Tape, dy: &Tensor, pass: &Pass, goes_on: bool) -> Result<BlockSlope> {
        match (self, tape) {
            (Self::Llama(llama), tape) => llama.back(layer, tape, dy, pass, goes_on),
            (Self::GptNeo(_), Tape::Candle(recorded)) => recorded.back(dy, pass.lora, layer),
            (Self::GptNeo(_), Tape::Fused(_)) => {
                Err(BrainError::Setting("A block of GPT-Neo cannot go back by Llama's way".to_owned()))
            }
        }
    }

    /// The last hidden rows, normalised: `[rows, d]`.
    ///
    /// # Errors
    /// An operation fails.
    pub fn finish(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Llama(llama) => llama.finish(x),
            Self::GptNeo(neo) => neo.finish(x),
        }
    }

    /// The output matrix `[vocabulary, d]`.
    pub const fn output(&self) -> &Matrix {
        match self {
            Self::Llama(llama) => llama.output(),
            Self::GptNeo(neo) => neo.output(),
        }
    }

    /// Logits of the whole vocabulary for features `[rows, d]`: `[rows, vocabulary]`.
    ///
    /// # Errors
    /// The shapes do not fit.
    pub fn logits(&self, features: &Tensor) -> Result<Tensor> {
        self.output().apply(features, None)
    }

    /// Its shape.
    pub fn shape(&self) -> ModelShape {
        match self {
            Self::Llama(llama) => ModelShape::Llama(llama.config().clone()),
            Self::GptNeo(neo) => ModelShape::GptNeo(neo.config().clone()),
        }
    }

    /// Layers.
    pub const fn layers(&self) -> usize {
        match self {
            Self::Llama(llama) => llama.config().layers,
            Self::GptNeo(neo) => neo.config().windows.len(),
        }
    }

    /// Longest sequence that it was made for.
    pub const fn context(&self) -> usize {
        match self {
            Self::Llama(llama) => llama.config().context,
            Self::GptNeo(neo) => neo.config().context,
        }
    }

    /// Weights of the whole model.
    pub const fn parameters(&self) -> usize {
        match self {
            Self::Llama(llama) => llama.config().parameters(),
            Self::GptNeo(neo) => neo.config().parameters(),
        }
    }

    /// Bytes that its matrices take in memory.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Llama(llama) => llama.matrices().map(Matrix::bytes).sum(),
            Self::GptNeo(neo) => neo.matrices().map(Matrix::bytes).sum(),
        }
    }

    /// Bytes of its matrices that stay in their file and are read for each product.
    pub fn streamed_bytes(&self) -> usize {
        match self {
            Self::Llama(llama) => llama.matrices().map(Matrix::streamed_bytes).sum(),
            Self::GptNeo(neo) => neo.matrices().map(Matrix::streamed_bytes).sum(),
        }
    }

    /// Bytes of its matrices that stay in their file, of which rows are read: the embedding's.
    pub fn stored_bytes(&self) -> usize {
        match self {
            Self::Llama(llama) => llama.matrices().map(Matrix::stored_bytes).sum(),
            Self::GptNeo(neo) => neo.matrices().map(Matrix::stored_bytes).sum(),
        }
    }

    /// Tokens that its embedding has.
    pub const fn vocabulary(&self) -> usize {
        match self {
            Self::Llama(llama) => llama.config().vocabulary,
            Self::GptNeo(neo) => neo.config().vocabulary,
        }
    }

    /// Entries of a head, if the rows of its queries and keys lie in GGUF's order, in which rotary pairs are neighbours.
    pub fn interleaved_head(&self) -> Option<usize> {
        match self {
            Self::Llama(llama) => (llama.config().rope_style == RopeStyle::Interleaved).then_some(llama.config().head),
            Self::GptNeo(_) => None,
        }
    }

    /// Every matrix that can be adapted, from the bottom layer up.
    pub fn sites(&self) -> Vec<Site> {
        self.shape().sites()
    }
}
