//! The adapters' part of a product, for a batch in which each group of rows has its own adapter.
//!
//! The cost grows with rows, not with rows × agents: each group multiplies its own rows only, and neighbours that share A
//! make one product of it.

use std::{ops::Range, sync::Arc};

use candle_core::Tensor;
use rayon::prelude::*;

use crate::{
    brain::{error::Result, kernel::accumulate},
    config::LoraTarget,
};

/// Multiplications from which groups are divided among threads.
const PARALLEL: usize = 1 << 21;

/// One group of rows and its adapter for one matrix.
#[derive(Debug, Clone)]
pub struct Group {
    /// The rows of the batch.
    pub rows: Range<usize>,
    /// A `[r, in]`.
    pub a: Arc<Vec<f32>>,
    /// B `[out, r]`.
    pub b: Arc<Vec<f32>>,
}

/// The adapters of a batch for one matrix.
#[derive(Debug, Clone)]
pub struct Grouped {
    rank: usize,
    scale: f32,
    groups: Vec<Group>,
}

impl Grouped {
    /// Adapters of rank `rank`, scaled by `scale` = α/r, for groups that lie one after the other and do not overlap.
    pub const fn new(rank: usize, scale: f32, groups: Vec<Group>) -> Self {
        Self { rank, scale, groups }
    }

    /// `out += scale · (x·Aᵀ)·Bᵀ`, group by group: x `[rows, inner]`, out `[rows, width]`.
    pub fn add_to(&self, x: &[f32], out: &mut [f32], inner: usize, width: usize) {
        let mut parts = Vec::with_capacity(self.groups.len());
        let (mut rest, mut done) = (out, 0);
        for group in &self.groups {
            let (_, after) = rest.split_at_mut((group.rows.start - done) * width);
            let (own, after) = after.split_at_mut(group.rows.len() * width);
            parts.push((group, own));
            (rest, done) = (after, group.rows.end);
        }
        let add = |(group, out): (&Group, &mut [f32])| {
            let x = &x[group.rows.start * inner..group.rows.end * inner];
            let mut narrow = vec![0.0; group.rows.len() * self.rank];
            accumulate(x, &group.a, &mut narrow, inner, self.rank, None);
            accumulate(&narrow, &group.b, out, self.rank, width, Some(self.scale));
        };
        if x.len() * self.rank > PARALLEL {
            parts.into_par_iter().for_each(add);
        } else {
            parts.into_iter().for_each(add);
        }
    }

    /// The same in candle's own operations: `[rows, width]`, zero where no adapter is.
    ///
    /// # Errors
    /// The shapes do not fit.
    pub fn on_any_device(&self, x: &Tensor, width: usize) -> Result<Tensor> {
        let (rows, inner) = x.dims2()?;
        let zeros = |n: usize| Tensor::zeros((n, width), x.dtype(), x.device());
        let (mut parts, mut done) = (Vec::new(), 0);
        for group in &self.groups {
            if group.rows.start > done {
                parts.push(zeros(group.rows.start - done)?);
            }
            let a = Tensor::from_slice(&group.a, (self.rank, inner), x.device())?;
            let b = Tensor::from_slice(&group.b, (width, self.rank), x.device())?;
            let own = x.narrow(0, group.rows.start, group.rows.len())?;
            parts.push((own.matmul(&a.t()?)?.matmul(&b.t()?)? * f64::from(self.scale))?);
            done = group.rows.end;
        }
        if rows > done {
            parts.push(zeros(rows - done)?);
        }
        Ok(Tensor::cat(&parts, 0)?)
    }
}

/// The adapters of a batch, for every matrix that has one.
#[derive(Debug, Clone, Default)]
pub struct ActiveAdapters {
    /// Per layer, in the order of [`ActiveAdapters::slot`].
    layers: Vec<[Option<Arc<Grouped>>; 7]>,
}

impl ActiveAdapters {
    /// No adapters: the bare base model.
    pub const fn none() -> Self {
        Self { layers: Vec::new() }
    }

    const fn slot(target: LoraTarget) -> usize {
        match target {
            LoraTarget::Q => 0,
            LoraTarget::K => 1,
            LoraTarget::V => 2,
            LoraTarget::O => 3,
            LoraTarget::Gate => 4,
            LoraTarget::Up => 5,
            LoraTarget::Down => 6,
        }
    }

    /// The adapters for one matrix, if there are any.
    pub fn at(&self, layer: usize, target: LoraTarget) -> Option<&Arc<Grouped>> {
        self.layers.get(layer)?[Self::slot(target)].as_ref()
    }

    /// Puts adapters on one matrix.
    pub fn set(&mut self, layer: usize, target: LoraTarget, grouped: Grouped) {
        if self.layers.len() <= layer {
            self.layers.resize(layer + 1, Default::default());
        }
        self.layers[layer][Self::slot(target)] = Some(Arc::new(grouped));
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn each_group_has_its_own_adapter() {
        // Rank 1, in 2, out 2; rows 1 and 2 have one adapter, row 4 another, rows 0 and 3 none.
        let group = |rows, a: [f32; 2], b: [f32; 2]| Group { rows, a: Arc::new(a.to_vec()), b: Arc::new(b.to_vec()) };
        let groups = vec![group(1..3, [1.0, 0.0], [10.0, 20.0]), group(4..5, [0.0, 1.0], [1.0, -1.0])];
        let grouped = Grouped::new(1, 0.5, groups);
        let x = [9.0, 9.0, 1.0, 2.0, 3.0, 4.0, 9.0, 9.0, 5.0, 6.0];
        let mut out = vec![100.0; 10];
        grouped.add_to(&x, &mut out, 2, 2);
        assert_eq!(out, [100.0, 100.0, 105.0, 110.0, 115.0, 130.0, 100.0, 100.0, 103.0, 97.0]);
        let x = Tensor::from_slice(&x, (5, 2), &Device::Cpu).unwrap();
        let slow: Vec<f32> = grouped.on_any_device(&x, 2).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        assert_eq!(slow, [0.0, 0.0, 5.0, 10.0, 15.0, 30.0, 0.0, 0.0, 3.0, -3.0]);
    }
}
