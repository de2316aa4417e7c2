//! The way back through a block.
//!
//! This module does *not* know how weights are kept, or whose adapters these are.

use std::{borrow::Cow, sync::Arc};

use candle_core::{Result as CandleResult, Tensor};

use super::{CHUNK, Fused, Kept, adapters_of, gather, turn};
use crate::{
    brain::{
        error::Result,
        kernel::with_each,
        lora::{ActiveAdapters, Grouped},
        model::{
            BlockSlope, Matrix, Pass,
            lanes::{add_scaled, sigmoid, wide},
            product::on_slice,
        },
    },
    config::LoraTarget,
};

/// The gradient of what is trained of one matrix's adapters.
type Slope = Option<(LoraTarget, Vec<f32>)>;

/// A matrix, which one it is, and the gradient of its result.
type Part<'a> = (&'a Matrix, LoraTarget, &'a [f32]);

impl Fused<'_> {
    /// The gradients of what is trained in the block, and of its input where `goes_on`, for dy `[rows, d]`.
    ///
    /// # Errors
    /// The shapes do not fit.
    pub(in crate::brain::model) fn back(
        &self,
        kept: Kept,
        dy: &Tensor,
        pass: &Pass,
        layer: usize,
        goes_on: bool,
    ) -> Result<BlockSlope> {
        let Kept { x, q, k, v, mixed, middle, gate, up } = kept;
        let only = pass.only(layer);
        let adapted = Adapted { lora: pass.lora, layer, only };
        let dy = dy.contiguous()?;
        let mut dm = on_slice(&dy, |dy| Ok(dy.to_vec()))?;
        let of_mlp = self.back_mlp(&adapted, [gate, up], &middle, &mut dm)?;

        let o = &self.block.attention.o;
        let of_o = adapted.slope(o, LoraTarget::O, &mixed, &dm);
        let dmixed = adapted.back([(o, LoraTarget::O, &dm)])?;
        let dm = goes_on.then(|| match only {
            Some(rows) => scatter(&dm, rows, o.out(), pass.batch.rows()),
            None => dm,
        });
        let (of_attention, dx) = self.back_attention(&adapted, [&q, &k, &v], &dmixed, &x, pass, dm)?;
        let found = of_mlp.into_iter().chain([of_o]).chain(of_attention).flatten().collect();
        Ok(BlockSlope { dx, trained: in_order(pass.lora, layer, found) })
    }

    /// dm, which is dy `[rows, d]`, grows by the gradient of m `[rows, d]`, the MLP's input, for the g and u that it made; and the
    /// gradients of what is trained of it.
    fn back_mlp(
        &self,
        adapted: &Adapted,
        [gate, up]: [Vec<f32>; 2],
        middle: &[f32],
        dm: &mut [f32],
    ) -> Result<[Slope; 3]> {
        let mlp = &self.block.mlp;
        let ds = adapted.back([(&mlp.down, LoraTarget::Down, dm)])?;
        let (inner, dgate, dup) = swiglu_back(gate, up, ds);
        let of_down = adapted.slope(&mlp.down, LoraTarget::Down, &inner, dm);
        let is_trained = [LoraTarget::Gate, LoraTarget::Up].into_iter().any(|of| adapted.is_trained(of));
        let normed = if is_trained { self.mlp_norm.rows(middle)? } else { Vec::new() };
        let parts = [(&mlp.gate, LoraTarget::Gate, &dgate[..]), (&mlp.up, LoraTarget::Up, &dup)];
        let [of_gate, of_up] = adapted.slopes(&normed, parts);
        let dn = adapted.back(parts)?;
        self.mlp_norm.add_back(middle, &dn, dm)?;
        Ok([of_down, of_gate, of_up])
    }

    /// The gradients of what is trained of q, k and v, for these and the gradient of the attention's result (q's and that of the rows that
    /// are dealt with, k and v of all); and that of x where dm, the gradient of m, is given for all rows.
    fn back_attention(
        &self,
        adapted: &Adapted,
        seen: [&[f32]; 3],
        dmixed: &[f32],
        x: &Tensor,
        pass: &Pass,
        dm: Option<Vec<f32>>,
    ) -> Result<([Slope; 3], Option<Tensor>)> {
        let attention = &self.block.attention;
        let (only, width) = (adapted.only, attention.q.out());
        let of_all = |some| only.map(|rows| scatter(some, rows, width, pass.batch.rows()));
        let [q, dmixed] = [seen[0], dmixed].map(|some| of_all(some).map_or(Cow::Borrowed(some), Cow::Owned));
        let slopes = attention.heads.back_rows([&q, seen[1], seen[2]], &dmixed, &pass.batch.sights)?;
        let [mut dq, mut dk, dv] = slopes;
        if let Some(rows) = only {
            dq = gather(&dq, rows, width);
        }
        turn(pass, &mut dq, width, only, true)?;
        turn(pass, &mut dk, attention.k.out(), None, true)?;
        let is_trained = [LoraTarget::Q, LoraTarget::K, LoraTarget::V].into_iter().any(|of| adapted.is_trained(of));
        let normed = if is_trained { on_slice(x, |x| self.attention_norm.rows(x))? } else { Vec::new() };
        let parts = [
            (&attention.q, LoraTarget::Q, &dq[..]),
            (&attention.k, LoraTarget::K, &dk),
            (&attention.v, LoraTarget::V, &dv),
        ];
        let found = adapted.attention_slopes(&normed, parts);
        let Some(mut dm) = dm else { return Ok((found, None)) };
        let dn = adapted.attention_back(parts)?;
        on_slice(x, |x| self.attention_norm.add_back(x, &dn, &mut dm))?;
        Ok((found, Some(Tensor::from_vec(dm, x.shape(), x.device())?)))
    }
}

/// The adapters of one block.
#[derive(Clone, Copy)]
struct Adapted<'a> {
    lora: &'a ActiveAdapters,
    layer: usize,
    /// The rows that are dealt with, where these are not all.
    only: Option<&'a [u32]>,
}

impl Adapted<'_> {
    fn at(&self, target: LoraTarget) -> Option<Arc<Grouped>> {
        adapters_of(self.lora, self.layer, target, self.only)
    }

    /// Whether anything is trained of a matrix's adapters.
    fn is_trained(&self, target: LoraTarget) -> bool {
        self.lora.at(self.layer, target).is_some_and(|grouped| grouped.trained().is_some())
    }

    /// The gradient of some matrices' input for each one's dy.
    fn back<const N: usize>(&self, of: [Part; N]) -> CandleResult<Vec<f32>> {
        let rows = of.first().map_or(0, |(matrix, _, dy)| dy.len() / matrix.out().max(1));
        Matrix::back_each(rows, of.map(|(matrix, target, dy)| (matrix, self.at(target), dy)))
    }

    /// The same where all rows are dealt with.
    const fn of_all_rows(self) -> Self {
        Self { only: None, ..self }
    }

    /// [`Adapted::back`] for q, k and v, of all rows: of q for the dy of those that are dealt with.
    fn attention_back(&self, [q, k, v]: [Part; 3]) -> CandleResult<Vec<f32>> {
        let Some(rows) = self.only else { return self.back([q, k, v]) };
        let (mut dn, d) = (self.of_all_rows().back([k, v])?, q.0.inner());
        for (row, own) in rows.iter().zip(self.back([q])?.chunks_exact(d)) {
            add_scaled(&mut dn[*row as usize * d..][..d], own, 1.0);
        }
        Ok(dn)
    }

    /// [`Adapted::slopes`] for q, k and v, for x of all rows: of q for the dy of those that are dealt with.
    fn attention_slopes(&self, x: &[f32], [q, k, v]: [Part; 3]) -> [Slope; 3] {
        let Some(rows) = self.only else { return self.slopes(x, [q, k, v]) };
        let own = if x.is_empty() { Vec::new() } else { gather(x, rows, q.0.inner()) };
        let ([of_q], [of_k, of_v]) = (self.slopes(&own, [q]), self.of_all_rows().slopes(x, [k, v]));
        [of_q, of_k, of_v]
    }

    /// The gradients of what is trained of several matrices' adapters, for their input x and each one's dy.
    fn slopes<const N: usize>(&self, x: &[f32], of: [Part; N]) -> [Slope; N] {
        let mut found = of.map(|_| None);
        let one = |((matrix, target, dy), found): (Part, &mut Slope)| {
            *found = self.slope(matrix, target, x, dy);
        };
        // Agents of a small model are divided among threads already.
        let numbers = if of.iter().all(|(matrix, ..)| matrix.is_large()) { x.len() * N } else { 0 };
        with_each(numbers, of.into_iter().zip(&mut found), one);
        found
    }

    /// The gradient of what is trained of a matrix's adapters, for its input x and dy.
    fn slope(&self, matrix: &Matrix, target: LoraTarget, x: &[f32], dy: &[f32]) -> Slope {
        let grouped = self.at(target)?;
        let with_a = grouped.trained()?.with_a;
        Some((target, grouped.gradient(x, dy, matrix.inner(), matrix.out(), with_a)))
    }
}

/// Gradients in the order of [`ActiveAdapters::trained`].
fn in_order(lora: &ActiveAdapters, layer: usize, mut found: Vec<(LoraTarget, Vec<f32>)>) -> Vec<Vec<f32>> {
    let mut take = |target| {
        let at = found.iter().position(|(found, _)| *found == target)?;
        Some(found.swap_remove(at).1)
    };
    lora.trained(layer).filter_map(|(target, _)| take(target)).collect()
}

/// All of `count` rows, which are zero but for some.
fn scatter(some: &[f32], rows: &[u32], width: usize, count: usize) -> Vec<f32> {
    let mut all = vec![0.0; count * width];
    for (row, own) in rows.iter().zip(some.chunks_exact(width)) {
        all[*row as usize * width..][..width].copy_from_slice(own);
    }
    all
}

/// `silu(gate)⊙up` and the gradients of gate and up, for ds, that of the former.
pub(super) fn swiglu_back(mut gate: Vec<f32>, mut up: Vec<f32>, mut ds: Vec<f32>) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
    let numbers = gate.len();
    let chunks = gate.chunks_mut(CHUNK).zip(up.chunks_mut(CHUNK)).zip(ds.chunks_mut(CHUNK));
    let one = |((gate, up), ds): ((&mut f32, &mut f32), &mut f32)| {
        let (g, u, d, sigma) = (*gate, *up, *ds, sigmoid(*gate));
        *ds = g * sigma * u;
        *gate = d * u * sigma * (1.0 + g * (1.0 - sigma));
        *up = d * g * sigma;
    };
    with_each(numbers, chunks, |((gate, up), ds)| {
        wide(
            #[inline(always)]
            || gate.iter_mut().zip(up).zip(ds).for_each(one),
        );
    });
    (ds, gate, up)
}
