//! Rotary position embedding (Su et al. 2021, "RoFormer", arXiv:2104.09864).
//!
//! A pair (a, b) of a head's entries at position p is turned by the angle p·θ^(−2i/d):
//! `(a·cos − b·sin, a·sin + b·cos)`. Hugging Face pairs entry i with i + d/2; GGUF files of the Llama family hold Q and K
//! reordered so that the pairs lie side by side.
//!
//! This module does *not* know attention.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Result as CandleResult, Shape, Tensor};

use super::{attention::ROWS, lanes::wide, product::slice_of};
use crate::brain::{error::Result, kernel::with_each};

/// Which entries of a head form a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RopeStyle {
    /// Entries i and i + d/2: Hugging Face.
    Halves,
    /// Entries 2i and 2i + 1: GGUF.
    Interleaved,
}

/// The angles of every row of a batch, for heads of one size.
#[derive(Debug, Clone)]
pub struct Rope {
    style: RopeStyle,
    head: usize,
    /// (cos, sin) per row and pair: `[rows, head / 2]`.
    turns: Arc<Vec<(f32, f32)>>,
}

impl Rope {
    /// Angles for rows at `positions`, for heads of `head` entries (even) and base `theta`.
    pub fn new(positions: &[u32], head: usize, theta: f64, style: RopeStyle) -> Self {
        let half = head / 2;
        let speeds: Vec<f64> = (0..half).map(|i| theta.powf(-2.0 * i as f64 / head as f64)).collect();
        // Prompts side by side have the same positions.
        let mut known = positions.to_vec();
        known.sort_unstable();
        known.dedup();
        let angles = known.iter().flat_map(|at| speeds.iter().map(move |speed| f64::from(*at) * speed));
        let table: Vec<_> = angles.map(|angle| (angle.cos() as f32, angle.sin() as f32)).collect();
        let mut turns = Vec::with_capacity(positions.len() * half);
        for at in positions {
            let place = known.partition_point(|known| known < at);
            turns.extend_from_slice(&table[place * half..][..half]);
        }
        Self { style, head, turns: Arc::new(turns) }
    }

    /// Turns every head of every row: x `[rows, heads · head]` → the same shape. Differentiable.
    ///
    /// # Errors
    /// The shape does not fit.
    pub fn turn(&self, x: &Tensor) -> Result<Tensor> {
        if x.device().is_cpu() {
            return Ok(x.contiguous()?.apply_op1(Turn { rope: self.clone(), back: false })?);
        }
        self.turn_on_any_device(x)
    }

    /// The angles of some of the rows, in their order.
    ///
    /// # Panics
    /// If there are no such rows.
    #[must_use]
    pub(super) fn only(&self, rows: &[u32]) -> Self {
        let half = self.head / 2;
        let turns = rows.iter().flat_map(|row| &self.turns[*row as usize * half..][..half]).copied().collect();
        Self { turns: Arc::new(turns), ..self.clone() }
    }

    /// Turns every head of every row of numbers `[rows, width]`, or back; false where the angles are not for such rows.
    #[must_use]
    pub(super) fn turn_rows(&self, x: &mut [f32], width: usize, back: bool) -> bool {
        let (style, head, half) = (self.style, self.head, self.head / 2);
        if self.turns.len() * width != x.len() * half || !width.is_multiple_of(head) {
            return false;
        }
        let turn_row = |row: usize, entries: &mut [f32]| {
            let turns = &self.turns[row * half..(row + 1) * half];
            wide(
                #[inline(always)]
                || {
                    for head in entries.chunks_exact_mut(head) {
                        turn_head(style, head, turns, back);
                    }
                },
            );
        };
        with_each(x.len(), x.chunks_mut(width * ROWS).enumerate(), |(at, rows)| {
            rows.chunks_mut(width).enumerate().for_each(|(row, entries)| turn_row(at * ROWS + row, entries));
        });
        true
    }

    /// The same in candle's own operations.
    fn turn_on_any_device(&self, x: &Tensor) -> Result<Tensor> {
        let (rows, width) = x.dims2()?;
        let (heads, half) = (width / self.head, self.head / 2);
        let table = |pick: fn(&(f32, f32)) -> f32| {
            Tensor::from_vec(self.turns.iter().map(pick).collect::<Vec<_>>(), (rows, 1, half), x.device())
        };
        let (cos, sin) = (table(|turn| turn.0)?, table(|turn| turn.1)?);
        let (shape, dim) = match self.style {
            RopeStyle::Halves => ((rows, heads, 2, half), 2),
            RopeStyle::Interleaved => ((rows, heads, half, 2), 3),
        };
        let x = x.reshape(shape)?;
        let (a, b) = (x.narrow(dim, 0, 1)?.squeeze(dim)?, x.narrow(dim, 1, 1)?.squeeze(dim)?);
        let first = (a.broadcast_mul(&cos)? - b.broadcast_mul(&sin)?)?;
        let second = (a.broadcast_mul(&sin)? + b.broadcast_mul(&cos)?)?;
        Ok(Tensor::stack(&[first, second], dim)?.reshape((rows, width))?)
    }
}

/// Turns one head by the angles of its row, or back.
#[inline(always)]
fn turn_head(style: RopeStyle, head: &mut [f32], turns: &[(f32, f32)], back: bool) {
    let turned = |a: f32, b: f32, (cos, sin): (f32, f32)| {
        let sin = if back { -sin } else { sin };
        (a * cos - b * sin, a * sin + b * cos)
    };
    match style {
        RopeStyle::Halves => {
            let (first, second) = head.split_at_mut(turns.len());
            for ((a, b), turn) in first.iter_mut().zip(second).zip(turns) {
                (*a, *b) = turned(*a, *b, *turn);
            }
        }
        RopeStyle::Interleaved => {
            for (pair, turn) in head.chunks_exact_mut(2).zip(turns) {
                (pair[0], pair[1]) = turned(pair[0], pair[1], *turn);
            }
        }
    }
}

struct Turn {
    rope: Rope,
    back: bool,
}

impl CustomOp1 for Turn {
    fn name(&self) -> &'static str {
        "rope"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> CandleResult<(CpuStorage, Shape)> {
        let (rows, width) = layout.shape().dims2()?;
        let mut out = slice_of(storage, layout)?.to_vec();
        if !self.rope.turn_rows(&mut out, width, self.back) {
            candle_core::bail!("angles for {} entries meet {rows} rows of {width}", self.rope.turns.len());
        }
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    /// A turn's inverse is its transpose: the gradient is turned back.
    fn bwd(&self, _: &Tensor, _: &Tensor, grad: &Tensor) -> CandleResult<Option<Tensor>> {
        grad.contiguous()?.apply_op1(Self { rope: self.rope.clone(), back: !self.back }).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;

    fn row(x: &Tensor) -> Vec<f32> {
        x.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn a_quarter_turn_by_hand() {
        // Two heads of two entries: one pair each, speed 1. At position 2: cos 2, sin 2.
        let rope = Rope::new(&[0, 2], 2, 10_000.0, RopeStyle::Halves);
        let x = Tensor::new(&[[1_f32, 0.0, 0.0, 1.0], [1.0, 0.0, 0.0, 1.0]], &Device::Cpu).unwrap();
        let (c, s) = (2_f32.cos(), 2_f32.sin());
        assert_eq!(row(&rope.turn(&x).unwrap()), [1.0, 0.0, 0.0, 1.0, c, s, -s, c]);
    }

    #[test]
    fn both_styles_equal_candles_own_operations() {
        for style in [RopeStyle::Halves, RopeStyle::Interleaved] {
            let rope = Rope::new(&[3, 0, 17], 8, 100.0, style);
            let x = Tensor::arange(0_f32, 48.0, &Device::Cpu).unwrap().reshape((3, 16)).unwrap();
            let (fast, slow) = (row(&rope.turn(&x).unwrap()), row(&rope.turn_on_any_device(&x).unwrap()));
            assert!(fast.iter().zip(&slow).all(|(a, b)| (a - b).abs() < 1e-4), "{fast:?}\n{slow:?}");
        }
    }

    #[test]
    fn the_gradient_is_the_slow_paths() {
        let rope = Rope::new(&[5, 9], 4, 10_000.0, RopeStyle::Interleaved);
        let x = Var::from_tensor(&Tensor::arange(0_f32, 16.0, &Device::Cpu).unwrap().reshape((2, 8)).unwrap()).unwrap();
        let gradient = |y: Tensor| row(y.powf(3.0).unwrap().sum_all().unwrap().backward().unwrap().get(&x).unwrap());
        let (fast, slow) = (gradient(rope.turn(&x).unwrap()), gradient(rope.turn_on_any_device(&x).unwrap()));
        assert!(fast.iter().zip(&slow).all(|(a, b)| (a - b).abs() <= 1e-4 * b.abs().max(1.0)), "{fast:?}\n{slow:?}");
    }
}
