//! Weights drawn at random, in the types that a file of that name would have: a model to measure speed and memory with,
//! without a download.
//!
//! This module does *not* know what the numbers are for.

use std::sync::Arc;

use candle_core::{
    Device, Tensor,
    quantized::{GgmlDType, QTensor},
};
use rand::{Rng, RngExt};

use super::{Keep, Tensors};
use crate::brain::{error::Result, model::Matrix};

/// Numbers that are drawn; larger matrices go round them.
const POOL: usize = 1 << 20;

/// How the matrices of a random model are quantised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mix {
    /// f32 throughout.
    F32,
    /// f16 throughout.
    F16,
    /// Q8_0 throughout.
    Q8,
    /// Q4_0, with the embedding in Q8_0.
    Q4,
    /// llama.cpp's Q4_K_M: Q4_K and Q6_K where rows are multiples of 256, Q5_0 and Q8_0 where they are not.
    Q4KM,
}

impl Mix {
    /// Every mix, by the word that a person writes.
    pub const WORDS: [(&'static str, Self); 5] =
        [("f32", Self::F32), ("f16", Self::F16), ("q8_0", Self::Q8), ("q4_0", Self::Q4), ("q4_k_m", Self::Q4KM)];

    /// Its word.
    pub fn word(self) -> &'static str {
        Self::WORDS.into_iter().find(|(_, mix)| *mix == self).map_or("", |(word, _)| word)
    }

    /// The type of one matrix with rows of `inner` weights.
    fn dtype(self, name: &str, inner: usize) -> GgmlDType {
        let is_table = name.contains("embed_tokens") || name.contains("lm_head");
        match self {
            Self::F32 => GgmlDType::F32,
            Self::F16 => GgmlDType::F16,
            Self::Q8 => GgmlDType::Q8_0,
            Self::Q4 if is_table => GgmlDType::Q8_0,
            Self::Q4 => GgmlDType::Q4_0,
            Self::Q4KM => {
                // llama.cpp gives the values and the way down more bits in about half of the layers.
                let layer = name.split('.').find_map(|part| part.parse::<usize>().ok()).unwrap_or(0);
                let more =
                    is_table || (layer.is_multiple_of(2) && (name.contains("v_proj") || name.contains("down_proj")));
                match (inner.is_multiple_of(256), more) {
                    (true, true) => GgmlDType::Q6K,
                    (true, false) => GgmlDType::Q4K,
                    (false, true) => GgmlDType::Q8_0,
                    (false, false) => GgmlDType::Q5_0,
                }
            }
        }
    }
}

/// A source of random tensors.
pub struct RandomTensors {
    pool: Vec<f32>,
    at: usize,
    mix: Mix,
}

impl RandomTensors {
    /// Draws the numbers: uniform in ±0.05.
    pub fn new(mix: Mix, draws: &mut impl Rng) -> Self {
        Self { pool: (0..POOL).map(|_| draws.random_range(-0.05..0.05)).collect(), at: 0, mix }
    }

    /// The matrix `[out, inner]` of this name, in the mix's type.
    ///
    /// # Errors
    /// There is no room.
    pub fn drawn(&mut self, name: &str, [out, inner]: [usize; 2]) -> Result<QTensor> {
        // Each matrix begins elsewhere in the pool.
        self.at = (self.at + 7919) % POOL;
        let numbers: Vec<f32> = self.pool.iter().cycle().skip(self.at).take(out * inner).copied().collect();
        let dense = Tensor::from_vec(numbers, (out, inner), &Device::Cpu)?;
        Ok(QTensor::quantize(&dense, self.mix.dtype(name, inner))?)
    }
}

impl Tensors for RandomTensors {
    fn has(&self, _: &str) -> bool {
        true
    }

    fn matrix(&mut self, name: &str, [out, inner]: [usize; 2], keep: &Keep) -> Result<Matrix> {
        let drawn = self.drawn(name, [out, inner])?;
        match drawn.dtype() {
            GgmlDType::F32 => keep.dense(&drawn.dequantize(&Device::Cpu)?),
            _ => keep.blocks(Arc::new(drawn)),
        }
    }

    fn vector(&mut self, _: &str, len: usize, keep: &Keep) -> Result<Tensor> {
        Ok(Tensor::ones(len, candle_core::DType::F32, &keep.device)?)
    }
}
