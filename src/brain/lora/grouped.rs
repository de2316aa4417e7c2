//! The adapters' part of a product, for a batch in which each group of rows has its own adapter.
//!
//! The cost grows with rows, not with rows × agents: each group multiplies its own rows only.

use std::{
    ops::Range,
    sync::{Arc, OnceLock},
};

use candle_core::{Device, Result as CandleResult, Tensor, Var};

use crate::{
    brain::{
        error::Result,
        kernel::{Factor, multiply, with_each},
    },
    config::LoraTarget,
};

/// Rows of a group that are multiplied at a time.
const ROWS: usize = 32;
/// Rows of B whose gradient is made at a time.
const B_ROWS: usize = 192;

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

/// What a training step moves of one matrix's adapters: the groups' numbers side by side, for each group its A, if that is trained,
/// and then its B. For candle's tape they become a variable, once it asks.
#[derive(Debug, Clone)]
pub struct Trained {
    /// Whether A is trained beside B.
    pub with_a: bool,
    device: Device,
    variable: Arc<OnceLock<Tensor>>,
}

impl Trained {
    /// The variable of candle's tape, where it has asked for it.
    pub fn variable(&self) -> Option<&Tensor> {
        self.variable.get()
    }
}

/// The adapters of a batch for one matrix.
#[derive(Debug, Clone)]
pub struct Grouped {
    rank: usize,
    scale: f32,
    groups: Vec<Group>,
    trained: Option<Trained>,
}

impl Grouped {
    /// Adapters of rank `rank`, scaled by `scale` = α/r, for groups that lie one after the other and do not overlap.
    pub const fn new(rank: usize, scale: f32, groups: Vec<Group>) -> Self {
        Self { rank, scale, groups, trained: None }
    }

    /// The same in a training step, of the groups' B, and of A where `with_a` says so.
    #[must_use]
    pub fn in_training(self, with_a: bool, device: &Device) -> Self {
        Self { trained: Some(Trained { with_a, device: device.clone(), variable: Arc::default() }), ..self }
    }

    /// The numbers that a training step moves, if there is one, as a variable of candle's tape.
    ///
    /// # Errors
    /// There is no room.
    pub fn variable(&self) -> CandleResult<Option<&Tensor>> {
        let Some(trained) = &self.trained else { return Ok(None) };
        if trained.variable.get().is_none() {
            let of_group = |group: &Group| {
                let a = if trained.with_a { group.a.as_slice() } else { &[] };
                [a, &group.b].concat()
            };
            let numbers: Vec<f32> = self.groups.iter().flat_map(of_group).collect();
            let count = numbers.len();
            let made = Var::from_vec(numbers, count, &trained.device)?.into_inner();
            trained.variable.get_or_init(|| made);
        }
        Ok(trained.variable.get())
    }

    /// How many numbers a training step moves.
    pub fn trained_numbers(&self) -> usize {
        let of_group = |trained: &Trained, group: &Group| {
            if trained.with_a { group.a.len() + group.b.len() } else { group.b.len() }
        };
        self.trained.iter().flat_map(|trained| self.groups.iter().map(move |group| of_group(trained, group))).sum()
    }

    /// What a training step moves, if there is one.
    pub const fn trained(&self) -> Option<&Trained> {
        self.trained.as_ref()
    }

    /// The same for a batch of some of the rows, which are given in their order.
    #[must_use]
    pub fn only(&self, rows: &[u32]) -> Self {
        let at = |row: usize| rows.partition_point(|some| (*some as usize) < row);
        let groups = self.groups.iter();
        let groups = groups.map(|group| Group { rows: at(group.rows.start)..at(group.rows.end), ..group.clone() });
        Self { groups: groups.collect(), ..self.clone() }
    }

    /// The slices of `rows` that belong to each group, some rows at a time, with those rows' numbers; what lies between the groups
    /// is left out.
    fn parts<'a>(&self, rows: &'a mut [f32], width: usize) -> Vec<(&Group, Range<usize>, &'a mut [f32])> {
        let mut parts = Vec::with_capacity(self.groups.len());
        let (mut rest, mut done) = (rows, 0);
        for group in &self.groups {
            let (_, after) = rest.split_at_mut((group.rows.start - done) * width);
            let (own, after) = after.split_at_mut(group.rows.len() * width);
            for (at, own) in own.chunks_mut((ROWS * width).max(1)).enumerate() {
                let from = group.rows.start + at * ROWS;
                parts.push((group, from..(from + ROWS).min(group.rows.end), own));
            }
            (rest, done) = (after, group.rows.end);
        }
        parts
    }

    /// Calls `work` with everything in `parts`, on all threads where `numbers` · rank multiplications are worth it.
    fn divide<T: Send>(&self, parts: Vec<T>, numbers: usize, work: impl Fn(T) + Send + Sync) {
        with_each(numbers * self.rank / 8, parts.into_iter(), work);
    }

    /// `out += scale · (x·Aᵀ)·Bᵀ`, group by group: x `[rows, inner]`, out `[rows, width]`.
    pub fn add_to(&self, x: &[f32], out: &mut [f32], inner: usize, width: usize) {
        self.divide(self.parts(out, width), x.len(), |(group, rows, out)| {
            let narrow = self.narrow(group, &rows, x, inner);
            let b = Factor::new(&group.b, width, self.rank);
            multiply(Factor::new(&narrow, rows.len(), self.rank), b.t(), out, Some(self.scale));
        });
    }

    /// `x·Aᵀ` of some of a group's rows: `[rows, rank]`.
    fn narrow(&self, group: &Group, rows: &Range<usize>, x: &[f32], inner: usize) -> Vec<f32> {
        let x = Factor::new(&x[rows.start * inner..rows.end * inner], rows.len(), inner);
        let mut narrow = vec![0.0; rows.len() * self.rank];
        multiply(x, Factor::new(&group.a, self.rank, inner).t(), &mut narrow, None);
        narrow
    }

    /// `dy·B` of some of a group's rows: `[rows, rank]`.
    fn narrow_back(&self, group: &Group, rows: &Range<usize>, dy: &[f32], width: usize) -> Vec<f32> {
        let dy = Factor::new(&dy[rows.start * width..rows.end * width], rows.len(), width);
        let mut narrow = vec![0.0; rows.len() * self.rank];
        multiply(dy, Factor::new(&group.b, width, self.rank), &mut narrow, None);
        narrow
    }

    /// The gradient of x: `dx += scale · (dy·B)·A`, group by group: dy `[rows, width]`, dx `[rows, inner]`.
    pub fn add_back(&self, dy: &[f32], dx: &mut [f32], inner: usize, width: usize) {
        self.divide(self.parts(dx, inner), dy.len(), |(group, rows, dx)| {
            let narrow = self.narrow_back(group, &rows, dy, width);
            let narrow = Factor::new(&narrow, rows.len(), self.rank);
            multiply(narrow, Factor::new(&group.a, self.rank, inner), dx, Some(self.scale));
        });
    }

    /// The gradient of what is trained, in its order: `dA = scale · (dy·B)ᵀ·x` where A is trained, `dB = scale · dyᵀ·(x·Aᵀ)`;
    /// x `[rows, inner]`, dy `[rows, width]`.
    pub fn gradient(&self, x: &[f32], dy: &[f32], inner: usize, width: usize, with_a: bool) -> Vec<f32> {
        let (of_a, of_b) = (if with_a { self.rank * inner } else { 0 }, width * self.rank);
        let mut all = vec![0.0; self.groups.len() * (of_a + of_b)];
        for (group, all) in self.groups.iter().zip(all.chunks_exact_mut((of_a + of_b).max(1))) {
            let rows = group.rows.len();
            let (da, db) = all.split_at_mut(of_a);
            if with_a {
                let back = self.narrow_back(group, &group.rows, dy, width);
                let x = Factor::new(&x[group.rows.start * inner..group.rows.end * inner], rows, inner);
                multiply(Factor::new(&back, rows, self.rank).t(), x, da, Some(self.scale));
            }
            let narrow = self.narrow(group, &group.rows, x, inner);
            let narrow = Factor::new(&narrow, rows, self.rank);
            let parts: Vec<_> = db.chunks_mut(B_ROWS * self.rank).enumerate().collect();
            self.divide(parts, rows * width, |(at, db)| {
                let from = group.rows.start * width + at * B_ROWS;
                let dy = Factor::part(&dy[from..group.rows.end * width], rows, db.len() / self.rank, width);
                multiply(dy.t(), narrow, db, Some(self.scale));
            });
        }
        all
    }

    /// The same as [`Grouped::add_to`] in candle's own operations, differentiable: `[rows, width]`, zero where no adapter is.
    ///
    /// # Errors
    /// The shapes do not fit.
    pub fn on_any_device(&self, x: &Tensor, width: usize) -> Result<Tensor> {
        let (rows, inner) = x.dims2()?;
        let zeros = |n: usize| Tensor::zeros((n, width), x.dtype(), x.device());
        let (mut parts, mut done, mut read) = (Vec::new(), 0, 0);
        let variable = self.variable()?;
        for group in &self.groups {
            if group.rows.start > done {
                parts.push(zeros(group.rows.start - done)?);
            }
            let mut next = |shape: (usize, usize), own: &[f32], is_trained: bool| match variable {
                Some(variable) if is_trained => {
                    read += own.len();
                    variable.narrow(0, read - own.len(), own.len())?.reshape(shape)
                }
                _ => Tensor::from_slice(own, shape, x.device()),
            };
            let with_a = self.trained.as_ref().is_some_and(|trained| trained.with_a);
            let a = next((self.rank, inner), &group.a, with_a)?;
            let b = next((width, self.rank), &group.b, true)?;
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

    /// The targets in the order of their slots.
    const TARGETS: [LoraTarget; 7] = [
        LoraTarget::Q,
        LoraTarget::K,
        LoraTarget::V,
        LoraTarget::O,
        LoraTarget::Gate,
        LoraTarget::Up,
        LoraTarget::Down,
    ];

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

    /// The lowest layer with adapters, if any has some.
    pub fn lowest(&self) -> Option<usize> {
        self.layers.iter().position(|slots| slots.iter().any(Option::is_some))
    }

    /// What a training step moves in one layer, in the order of [`LoraTarget`]s.
    pub fn trained(&self, layer: usize) -> impl Iterator<Item = (LoraTarget, &Grouped)> {
        let slots = self.layers.get(layer).into_iter().flatten().zip(Self::TARGETS);
        let all = slots.filter_map(|(grouped, target)| Some((target, grouped.as_deref()?)));
        all.filter(|(_, grouped)| grouped.trained().is_some())
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
    use super::*;

    fn two() -> Grouped {
        // Rank 1, in 2, out 2; rows 1 and 2 have one adapter, row 4 another, rows 0 and 3 none.
        let group = |rows, a: [f32; 2], b: [f32; 2]| Group { rows, a: Arc::new(a.to_vec()), b: Arc::new(b.to_vec()) };
        let groups = vec![group(1..3, [1.0, 0.0], [10.0, 20.0]), group(4..5, [0.0, 1.0], [1.0, -1.0])];
        Grouped::new(1, 0.5, groups)
    }

    const X: [f32; 10] = [9.0, 9.0, 1.0, 2.0, 3.0, 4.0, 9.0, 9.0, 5.0, 6.0];

    #[test]
    fn each_group_has_its_own_adapter() {
        let mut out = vec![100.0; 10];
        two().add_to(&X, &mut out, 2, 2);
        assert_eq!(out, [100.0, 100.0, 105.0, 110.0, 115.0, 130.0, 100.0, 100.0, 103.0, 97.0]);
        let x = Tensor::from_slice(&X, (5, 2), &Device::Cpu).unwrap();
        let slow: Vec<f32> = two().on_any_device(&x, 2).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        assert_eq!(slow, [0.0, 0.0, 5.0, 10.0, 15.0, 30.0, 0.0, 0.0, 3.0, -3.0]);
    }

    #[test]
    fn gradients_by_hand() {
        let dy = [7.0, 7.0, 1.0, 0.0, 0.0, 1.0, 7.0, 7.0, 2.0, 1.0];
        // Group 1: x·A = (1, 3), so dB = ½ (1·1, 1·3). Group 2: x·A = 6, dB = ½ (2·6, 1·6).
        assert_eq!(two().gradient(&X, &dy, 2, 2, false), [0.5, 1.5, 6.0, 3.0]);
        // Group 1: dy·B = (10, 20), dA = ½ (10·(1, 2) + 20·(3, 4)). Group 2: dy·B = 1, dA = ½ (5, 6).
        assert_eq!(two().gradient(&X, &dy, 2, 2, true), [35.0, 50.0, 0.5, 1.5, 2.5, 3.0, 6.0, 3.0]);
        let mut dx = vec![0.0; 10];
        two().add_back(&dy, &mut dx, 2, 2);
        assert_eq!(dx, [0.0, 0.0, 5.0, 0.0, 10.0, 0.0, 0.0, 0.0, 0.0, 0.5]);
    }

    #[test]
    fn more_rows_and_columns_than_go_at_a_time() {
        let (rows, inner, width) = (2 * ROWS + 7, 3, 2 * B_ROWS + 5);
        let waves = |len: usize, step: f32| (0..len).map(|i| (i as f32 * step).sin()).collect::<Vec<f32>>();
        let group = Group { rows: 1..rows, a: Arc::new(waves(2 * inner, 0.9)), b: Arc::new(waves(2 * width, 0.4)) };
        let grouped = Grouped::new(2, 0.5, vec![group]).in_training(false, &Device::Cpu);
        let (x, dy) = (waves(rows * inner, 0.7), waves(rows * width, 0.3));
        let followed = Var::from_slice(&x, (rows, inner), &Device::Cpu).unwrap();
        let slow = grouped.on_any_device(&followed, width).unwrap();
        let seed = Tensor::from_slice(&dy, (rows, width), &Device::Cpu).unwrap();
        let gradients = (&slow * seed).unwrap().sum_all().unwrap().backward().unwrap();
        let close = |fast: &[f32], slow: &Tensor, what: &str| {
            let slow: Vec<f32> = slow.flatten_all().unwrap().to_vec1().unwrap();
            let far = fast.iter().zip(&slow).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(fast.len() == slow.len() && far < 1e-4, "{what}: {far}");
        };
        let (mut out, mut dx) = (vec![0.0; rows * width], vec![0.0; rows * inner]);
        grouped.add_to(&x, &mut out, inner, width);
        close(&out, &slow, "forward");
        grouped.add_back(&dy, &mut dx, inner, width);
        close(&dx, gradients.get(&followed).unwrap(), "back");
        let trained = grouped.variable().unwrap().unwrap();
        close(&grouped.gradient(&x, &dy, inner, width, false), gradients.get(trained).unwrap(), "B");
    }

    #[test]
    fn candles_own_operations_give_the_same_gradients() {
        for with_a in [false, true] {
            let grouped = two().in_training(with_a, &Device::Cpu);
            let x = Var::from_slice(&X, (5, 2), &Device::Cpu).unwrap();
            let dy = [7.0, 7.0, 1.0, 0.0, 0.0, 1.0, 7.0, 7.0, 2.0, 1.0];
            let out = grouped.on_any_device(&x, 2).unwrap();
            let loss = (out * Tensor::from_slice(&dy, (5, 2), &Device::Cpu).unwrap()).unwrap().sum_all().unwrap();
            let gradients = loss.backward().unwrap();
            let of = |tensor: &Tensor| gradients.get(tensor).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
            assert_eq!(of(grouped.variable().unwrap().unwrap()), two().gradient(&X, &dy, 2, 2, with_a));
            let mut dx = vec![0.0; 10];
            two().add_back(&dy, &mut dx, 2, 2);
            assert_eq!(of(&x), dx);
        }
    }
}
