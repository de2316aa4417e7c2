//! What a block's pass leaves behind for its way back.
//!
//! This module does *not* know what is learned, or from what.

use candle_core::{Tensor, Var};

use super::fused::Kept;
use crate::brain::{
    error::{BrainError, Result},
    lora::ActiveAdapters,
};

/// What a block's pass leaves behind for its way back.
pub enum Tape {
    /// candle's own record.
    Candle(Recorded),
    /// What the fused block keeps.
    Fused(Option<Box<Kept>>),
}

/// The gradients of one block.
#[derive(Debug)]
pub struct BlockSlope {
    /// By the block's input `[rows, d]`, where it was asked for.
    pub dx: Option<Tensor>,
    /// By what is trained of its adapters, in the order of [`ActiveAdapters::trained`].
    pub trained: Vec<Vec<f32>>,
}

/// A block's input and result, with candle's record of all between.
pub struct Recorded {
    from: Tensor,
    to: Tensor,
}

/// Numbers that candle's record of a block holds, for each number of its input; about as many as in a block of GPT-Neo.
const RECORDED: usize = 24;

impl Tape {
    /// Bytes that are kept; of candle's record an estimate.
    pub fn bytes(&self) -> usize {
        let numbers = match self {
            Self::Candle(recorded) => recorded.from.elem_count() * RECORDED,
            Self::Fused(kept) => kept.as_ref().map_or(0, |kept| kept.numbers()),
        };
        numbers * size_of::<f32>()
    }

    /// The block's input, from which all the rest can be made again.
    ///
    /// # Errors
    /// Nothing was kept.
    pub fn into_input(self) -> Result<Tensor> {
        match self {
            Self::Candle(recorded) => Ok(recorded.from.detach()),
            Self::Fused(Some(kept)) => Ok(kept.into_input()),
            Self::Fused(None) => Err(BrainError::Setting("A block cannot go back where it kept nothing".to_owned())),
        }
    }

    /// Records a block on candle's tape: its result, which the tape does not follow further, and the tape. The input is a
    /// variable of it where the way back goes on below.
    ///
    /// # Errors
    /// An operation fails.
    pub fn record(x: Tensor, goes_on: bool, block: impl FnOnce(&Tensor) -> Result<Tensor>) -> Result<(Tensor, Self)> {
        let from = if goes_on { Var::from_tensor(&x)?.into_inner() } else { x };
        let to = block(&from)?;
        Ok((to.detach(), Self::Candle(Recorded { from, to })))
    }
}

impl Recorded {
    /// The way back for dy `[rows, d]`, the gradient of the block's result.
    ///
    /// # Errors
    /// An operation fails.
    pub fn back(self, dy: &Tensor, lora: &ActiveAdapters, layer: usize) -> Result<BlockSlope> {
        let mut store = (self.to * dy)?.sum_all()?.backward()?;
        let dx = store.remove(&self.from);
        let trained = lora.trained(layer).map(|(_, grouped)| {
            let variable = grouped.trained().and_then(|trained| trained.variable());
            match variable.and_then(|variable| store.get(variable)) {
                Some(numbers) => Ok(numbers.to_vec1::<f32>()?),
                None => Ok(vec![0.0; grouped.trained_numbers()]),
            }
        });
        Ok(BlockSlope { dx, trained: trained.collect::<Result<_>>()? })
    }
}
