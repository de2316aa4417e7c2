//! A block of the Llama family on the processor, on rows of numbers: forward, and back by hand.
//!
//! candle's tape would add up every gradient from zero, and divide operations among threads of its own, which wait beside ours.
//! This way a block makes few passes over its rows, and keeps what its way back needs and no more.
//!
//! ```text
//! n = rms(x)      q, k, v = n·Wᵀ, q and k turned     a = attention(q, k, v)     m = x + a·Woᵀ
//! n' = rms(m)     g, u = n'·Wᵀ                       s = silu(g)⊙u              y = m + s·Wdownᵀ
//!
//! ds = dy·Wdown           dg = ds⊙u⊙silu'(g)    du = ds⊙silu(g)    silu'(g) = σ(g)·(1 + g·(1 − σ(g)))
//! dm = dy + rms'(m, dg·Wgate + du·Wup)          da = dm·Wo
//! dq, dk, dv = attention'(da), dq and dk turned back
//! dx = dm + rms'(x, dq·Wq + dk·Wk + dv·Wv)
//! ```
//!
//! where each W is the frozen matrix with the rows' own adapters. Rows of x, y, m and n have d entries, of q and a heads · head,
//! of k and v kv_heads · head, and of g, u and s those of the MLP.
//!
//! This module does *not* know how weights are kept, or whose adapters these are.

use std::{cell::Cell, sync::Arc};

use candle_core::{Result as CandleResult, Tensor};

use super::{
    Matrix, Pass,
    lanes::{sigmoid, wide},
    llama::Block,
    norm::FrozenRms,
    product::{Inputs, on_slice},
};
use crate::{
    brain::{
        error::{BrainError, Result},
        kernel::with_each,
        lora::{ActiveAdapters, Grouped},
    },
    config::{Arithmetic, LoraTarget},
};

mod back;

/// Numbers from which an operation on each is divided among threads, this many at a time.
const CHUNK: usize = 1 << 14;

/// Rows of the MLP that are made at a time where nothing is kept of them: of more, unpacking weights would be a smaller part of the
/// work, and of fewer a larger one.
const MLP_ROWS: usize = 512;

thread_local! {
    /// Room for s where g and u are kept beside it, from block to block.
    static INNER: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// What a pass leaves behind for its way back; of the last layer, of the rows that are read alone, but for x, k and v.
pub struct Kept {
    /// `[rows, d]`.
    x: Tensor,
    /// `[rows, heads · head]`.
    q: Vec<f32>,
    /// `[rows, kv_heads · head]`, as v.
    k: Vec<f32>,
    v: Vec<f32>,
    /// The attention's result, `[rows, heads · head]`.
    mixed: Vec<f32>,
    /// m, `[rows, d]`.
    middle: Vec<f32>,
    /// g and u, `[rows, inner]`.
    gate: Vec<f32>,
    up: Vec<f32>,
}

impl Kept {
    /// How many numbers these are.
    pub(super) fn numbers(&self) -> usize {
        let Self { x, q, k, v, mixed, middle, gate, up } = self;
        x.elem_count() + [q, k, v, mixed, middle, gate, up].into_iter().map(Vec::len).sum::<usize>()
    }

    /// The block's input.
    pub(super) fn into_input(self) -> Tensor {
        self.x
    }
}

/// A block of which candle follows nothing, with its norms.
pub(super) struct Fused<'a> {
    block: &'a Block,
    attention_norm: FrozenRms,
    mlp_norm: FrozenRms,
}

impl Block {
    /// The fused block, where it lies on the processor and candle follows neither it nor its input x.
    pub(super) fn fused(&self, x: &Tensor) -> Option<Fused<'_>> {
        #[cfg(test)]
        if super::PLAIN_PRODUCTS.get() {
            return None;
        }
        let (attention, mlp) = (&self.attention, &self.mlp);
        let all = [&attention.q, &attention.k, &attention.v, &attention.o, &mlp.gate, &mlp.up, &mlp.down];
        let is_plain = x.device().is_cpu() && !x.track_op() && all.into_iter().all(Matrix::is_frozen);
        let (attention_norm, mlp_norm) = (self.attention_norm.frozen_rms()?, self.mlp_norm.frozen_rms()?);
        is_plain.then_some(Fused { block: self, attention_norm, mlp_norm })
    }
}

impl Fused<'_> {
    /// The block's result `[rows, d]` for x `[rows, d]`, and what its way back needs where `keeps`; else that is empty.
    ///
    /// # Errors
    /// The shapes do not fit.
    pub(super) fn forward(
        &self,
        x: &Tensor,
        pass: &mut Pass,
        layer: usize,
        keeps: bool,
    ) -> Result<(Tensor, Option<Kept>)> {
        let x = x.contiguous()?;
        // What is learned from is exact.
        let arithmetic = if keeps { Arithmetic::F32 } else { pass.batch.arithmetic };
        let (mut out, attended) = self.attend(&x, pass, layer, arithmetic, keeps)?;
        let middle = if keeps { out.clone() } else { Vec::new() };
        // From here on rows do not look at each other.
        let (d, only) = (self.block.attention.o.out(), pass.only(layer));
        let adapters = |target| adapters_of(pass.lora, layer, target, only);
        let mut gated = None;
        if keeps || only.is_some() || pass.batch.rows() <= MLP_ROWS {
            gated = self.mlp(&mut out, arithmetic, adapters, keeps)?;
        } else {
            // The widest rows of all are made of a part of the batch at a time.
            for span in pass.batch.spans(MLP_ROWS) {
                let rows: Vec<_> = span.clone().map(|row| row as u32).collect();
                let adapters = |target| adapters_of(pass.lora, layer, target, Some(&rows));
                self.mlp(&mut out[span.start * d..span.end * d], arithmetic, adapters, false)?;
            }
        }
        let shape = (out.len() / d.max(1), d);
        let out = Tensor::from_vec(out, shape, x.device())?;
        let kept = |([q, k, v, mixed], [gate, up]): ([_; 4], [_; 2])| Kept { x, q, k, v, mixed, middle, gate, up };
        Ok((out, attended.zip(gated).map(kept)))
    }

    /// m of the rows that are dealt with from there on, for x; and q, k, v and the attention's result where `keeps`.
    fn attend(
        &self,
        x: &Tensor,
        pass: &mut Pass,
        layer: usize,
        arithmetic: Arithmetic,
        keeps: bool,
    ) -> Result<(Vec<f32>, Option<[Vec<f32>; 4]>)> {
        let (attention, lora, only) = (&self.block.attention, pass.lora, pass.only(layer));
        let normed = on_slice(x, |x| self.attention_norm.rows(x))?;
        let q = (&attention.q, adapters_of(lora, layer, LoraTarget::Q, only));
        let [k, v] = [(&attention.k, LoraTarget::K), (&attention.v, LoraTarget::V)]
            .map(|(matrix, target)| (matrix, adapters_of(lora, layer, target, None)));
        let [mut q, mut k, v] = match only {
            None => Matrix::apply_each(&mut Inputs::new(&normed, arithmetic), [q, k, v])?,
            Some(rows) => {
                // All rows are seen; those that are read see.
                let [k, v] = Matrix::apply_each(&mut Inputs::new(&normed, arithmetic), [k, v])?;
                let seeing = gather(&normed, rows, attention.q.inner());
                let [q] = Matrix::apply_each(&mut Inputs::new(&seeing, arithmetic), [q])?;
                [q, k, v]
            }
        };
        drop(normed);
        turn(pass, &mut q, attention.q.out(), only, false)?;
        turn(pass, &mut k, attention.k.out(), None, false)?;
        let mixed = pass.attend_rows(&attention.heads, layer, &q, &k, &v)?;
        let seen = keeps.then_some([q, k, v]);
        let d = attention.o.out();
        let mut middle = on_slice(x, |x| Ok(only.map_or_else(|| x.to_vec(), |rows| gather(x, rows, d))))?;
        let adapters = adapters_of(lora, layer, LoraTarget::O, only);
        add_times(&attention.o, Inputs::new(&mixed, arithmetic), &mut middle, adapters)?;
        Ok((middle, seen.map(|[q, k, v]| [q, k, v, mixed])))
    }

    /// y in place of m `[rows, d]`; and g and u where `keeps`.
    fn mlp(
        &self,
        rows: &mut [f32],
        arithmetic: Arithmetic,
        adapters: impl Fn(LoraTarget) -> Option<Arc<Grouped>>,
        keeps: bool,
    ) -> Result<Option<[Vec<f32>; 2]>> {
        let mlp = &self.block.mlp;
        let normed = self.mlp_norm.rows(rows)?;
        let mut inputs = Inputs::new(&normed, arithmetic);
        let matrices = [(&mlp.gate, adapters(LoraTarget::Gate)), (&mlp.up, adapters(LoraTarget::Up))];
        let [gate, up] = Matrix::apply_each(&mut inputs, matrices)?;
        drop(inputs);
        drop(normed);
        if keeps {
            let inner = swiglu_beside(&gate, &up);
            add_times(&mlp.down, Inputs::new(&inner, arithmetic), rows, adapters(LoraTarget::Down))?;
            INNER.set(inner);
            return Ok(Some([gate, up]));
        }
        let inner = swiglu(gate, &up);
        drop(up);
        add_times(&mlp.down, Inputs::new(&inner, arithmetic), rows, adapters(LoraTarget::Down))?;
        Ok(None)
    }
}

/// The adapters of one matrix, for some rows alone where they are named.
fn adapters_of(lora: &ActiveAdapters, layer: usize, target: LoraTarget, only: Option<&[u32]>) -> Option<Arc<Grouped>> {
    let all = lora.at(layer, target)?;
    Some(only.map_or_else(|| Arc::clone(all), |rows| Arc::new(all.only(rows))))
}

/// Some rows, in their order, of rows of `width` numbers.
fn gather(all: &[f32], rows: &[u32], width: usize) -> Vec<f32> {
    let mut some = Vec::with_capacity(rows.len() * width);
    rows.iter().for_each(|row| some.extend_from_slice(&all[*row as usize * width..][..width]));
    some
}

/// Adds `x·Wᵀ`, with the rows' adapters, to rows `[rows, out]`.
fn add_times(matrix: &Matrix, mut x: Inputs, to: &mut [f32], adapters: Option<Arc<Grouped>>) -> CandleResult<()> {
    matrix.apply_to_inputs(&mut x, to, adapters.as_deref(), true)
}

/// Turns queries, keys or their gradients `[rows, width]` by the rows' positions, or back; of some rows alone where they are named.
fn turn(pass: &Pass, x: &mut [f32], width: usize, only: Option<&[u32]>, back: bool) -> Result<()> {
    match &pass.rope {
        Some(rope) if !only.map_or_else(|| rope.clone(), |rows| rope.only(rows)).turn_rows(x, width, back) => {
            Err(BrainError::Setting(format!("The angles of a batch do not fit its rows of {width} entries")))
        }
        _ => Ok(()),
    }
}

/// `silu(gate)⊙up`, in place of gate.
fn swiglu(mut out: Vec<f32>, up: &[f32]) -> Vec<f32> {
    with_each(up.len(), out.chunks_mut(CHUNK).zip(up.chunks(CHUNK)), |(out, up)| {
        wide(
            #[inline(always)]
            || out.iter_mut().zip(up).for_each(|(g, u)| *g *= sigmoid(*g) * u),
        );
    });
    out
}

/// The same beside gate, in room that is kept: what is there before is written over.
fn swiglu_beside(gate: &[f32], up: &[f32]) -> Vec<f32> {
    let mut out = INNER.take();
    out.resize(gate.len(), 0.0);
    let chunks = out.chunks_mut(CHUNK).zip(gate.chunks(CHUNK)).zip(up.chunks(CHUNK));
    with_each(gate.len(), chunks, |((out, gate), up)| {
        wide(
            #[inline(always)]
            || out.iter_mut().zip(gate).zip(up).for_each(|((s, g), u)| *s = *g * (sigmoid(*g) * u)),
        );
    });
    out
}

#[cfg(test)]
mod tests {
    use super::{back::swiglu_back, *};

    #[test]
    fn swiglu_and_its_gradient_by_hand() {
        // σ(0) = ½, σ(ln 3) = ¾.
        let (gate, up) = (vec![0.0, 3_f32.ln()], vec![5.0, 2.0]);
        let close = |a: &[f32], b: [f32; 2]| assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5), "{a:?} {b:?}");
        let g = 3_f32.ln();
        close(&swiglu(gate.clone(), &up), [0.0, 0.75 * g * 2.0]);
        // Also in room that has been used, for more.
        INNER.set(vec![9.0; 5]);
        assert_eq!(swiglu_beside(&gate, &up), swiglu(gate.clone(), &up));
        let (inner, dgate, dup) = swiglu_back(gate.clone(), up.clone(), vec![1.0, 10.0]);
        assert_eq!(inner, swiglu(gate, &up));
        close(&dgate, [5.0 * 0.5, 10.0 * 2.0 * 0.75 * (1.0 + 0.25 * g)]);
        close(&dup, [0.0, 10.0 * 0.75 * g]);
    }
}
