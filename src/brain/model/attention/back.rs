//! The way back through attention, head by head in products of small matrices: of rows i with the keys j that they see,
//!
//! ```text
//! P  = softmax(scale · Q·Kᵀ)         dP = dO·Vᵀ        dS = scale · P ⊙ (dP − Σⱼ P⊙dP)
//! dQ = dS·K        dK = dSᵀ·Q        dV = Pᵀ·dO
//! ```
//!
//! Q and dO `[rows, head]`, K and V `[keys, head]`, P, dP and dS `[rows, keys]` with zero where nothing is seen.
//!
//! This module does *not* know positions, weights or layers.

use std::{array, ops::Range};

use super::{Attend, Inputs, softmax};
use crate::brain::{
    kernel::{Factor, outer_product, to_registers, with_each},
    model::{
        batch::{Sight, rows_of},
        lanes::{add_scaled, dot, wide},
    },
};

/// Rows of a stretch that are dealt with at a time.
const ROWS: usize = 32;

/// The gradients of q, k and v, or parts of them.
type Slopes<'a> = [&'a mut [f32]; 3];

impl Attend {
    /// The gradients of q, k and v for the gradient of the output. Stretches of rows that see nothing of each other, but for what
    /// they begin with, are divided among threads; what each finds for rows that it begins with is added in their order.
    pub(super) fn gradients(&self, x: &Inputs, grad: &[f32], rows: usize) -> [Vec<f32>; 3] {
        let (mut dq, mut dk, mut dv) = (vec![0.0; x.q.len()], vec![0.0; x.k.len()], vec![0.0; x.v.len()]);
        let mut parts = Vec::new();
        let (mut q_rest, mut k_rest, mut v_rest) = (&mut dq[..], &mut dk[..], &mut dv[..]);
        for stretch in stretches(&self.sights) {
            let (q, q_after) = q_rest.split_at_mut(stretch.len() * x.width);
            let (k, k_after) = k_rest.split_at_mut(stretch.len() * x.kv_width);
            let (v, v_after) = v_rest.split_at_mut(stretch.len() * x.kv_width);
            parts.push((stretch, [q, k, v]));
            (q_rest, k_rest, v_rest) = (q_after, k_after, v_after);
        }
        let mut shared: Vec<_> = parts.iter().map(|_| Default::default()).collect();
        let part = |((rows, slopes), found): ((Range<usize>, Slopes), &mut (Vec<usize>, [Vec<f32>; 2]))| {
            // Rows of one stretch begin with the same.
            let before = rows.clone().take(1).flat_map(|row| rows_of(&self.sights[row].before)).collect();
            *found = Stretch::new(self, x, grad, rows, before).gradients(slopes);
        };
        let each = parts.into_iter().zip(&mut shared);
        with_each(rows * x.width, each, part);
        for (before, own) in shared {
            for (all, own) in [&mut dk, &mut dv].into_iter().zip(&own) {
                for (row, own) in before.iter().zip(own.chunks_exact(x.kv_width)) {
                    add_scaled(&mut all[row * x.kv_width..][..x.kv_width], own, 1.0);
                }
            }
        }
        [dq, dk, dv]
    }
}

/// Rows that see only each other and what they begin with.
struct Stretch<'a> {
    op: &'a Attend,
    x: &'a Inputs<'a>,
    grad: &'a [f32],
    rows: Range<usize>,
    /// The rows that they begin with.
    before: Vec<usize>,
    /// Entries of a head, and keys, in whole registers.
    lanes: usize,
    keys: usize,
    /// Keys and values of a head, and their gradients: `[keys, lanes]`.
    k: Vec<f32>,
    v: Vec<f32>,
    dk: Vec<f32>,
    dv: Vec<f32>,
    /// Keys and values as columns: `[head, keys]`.
    k_turned: Vec<f32>,
    v_turned: Vec<f32>,
    /// Queries of some rows, and the gradients of the output and of the queries: `[ROWS, lanes]`.
    q: Vec<f32>,
    out: Vec<f32>,
    dq: Vec<f32>,
    /// Weights and the gradients of the scores of these rows: `[ROWS, keys]`; and turned: `[keys, ROWS]`.
    weights: Vec<f32>,
    scores: Vec<f32>,
    weights_turned: Vec<f32>,
    scores_turned: Vec<f32>,
}

impl<'a> Stretch<'a> {
    fn new(op: &'a Attend, x: &'a Inputs, grad: &'a [f32], rows: Range<usize>, before: Vec<usize>) -> Self {
        let (head, keys) = (op.layer.head, to_registers(before.len() + rows.len()));
        let lanes = to_registers(head);
        let some = rows.len().min(ROWS);
        let room = |length| vec![0.0; length];
        let [k, v, dk, dv] = array::from_fn(|_| room(keys * lanes));
        let [k_turned, v_turned] = array::from_fn(|_| room(head * keys));
        let [q, out, dq] = array::from_fn(|_| room(some * lanes));
        let [weights, scores, weights_turned, scores_turned] = array::from_fn(|_| room(some * keys));
        Self {
            op,
            x,
            grad,
            rows,
            before,
            lanes,
            keys,
            k,
            v,
            dk,
            dv,
            k_turned,
            v_turned,
            q,
            out,
            dq,
            weights,
            scores,
            weights_turned,
            scores_turned,
        }
    }

    /// The gradients of its own q, k and v, and the rows that it begins with and the gradients of their k and v.
    fn gradients(mut self, [dq, dk, dv]: Slopes) -> (Vec<usize>, [Vec<f32>; 2]) {
        let (layer, kv_width) = (&self.op.layer, self.x.kv_width);
        let begins = self.before.len();
        let mut shared = [vec![0.0; begins * kv_width], vec![0.0; begins * kv_width]];
        let group = layer.heads / layer.kv_heads;
        // Rows that nobody reads of the last layer have none.
        let has_gradient =
            |row: &usize| self.grad[row * self.x.width..(row + 1) * self.x.width].iter().any(|g| *g != 0.0);
        let with_gradient: Vec<_> = self.rows.clone().filter(has_gradient).collect();
        for kv_head in 0..layer.kv_heads {
            let at = kv_head * layer.head;
            self.take_keys(at);
            for rows in with_gradient.chunks(ROWS) {
                for head in kv_head * group..(kv_head + 1) * group {
                    self.head(rows, head);
                    for (row, found) in rows.iter().zip(self.dq.chunks_exact(self.lanes)) {
                        let to = &mut dq[(row - self.rows.start) * self.x.width + head * layer.head..];
                        to[..layer.head].copy_from_slice(&found[..layer.head]);
                    }
                }
            }
            let [shared_dk, shared_dv] = &mut shared;
            for (found, shared, own) in [(&self.dk, shared_dk, &mut *dk), (&self.dv, shared_dv, &mut *dv)] {
                let (of_shared, of_own) = found.split_at(begins * self.lanes);
                put(of_shared, self.lanes, shared, kv_width, at, layer.head);
                put(of_own, self.lanes, own, kv_width, at, layer.head);
            }
        }
        (self.before, shared)
    }

    /// Takes up keys and values of a head, whose entries begin `at` numbers into a row.
    fn take_keys(&mut self, at: usize) {
        let (head, width) = (self.op.layer.head, self.x.kv_width);
        let rows = self.before.iter().copied().chain(self.rows.clone());
        for (place, row) in rows.enumerate() {
            for (all, own, turned) in
                [(self.x.k, &mut self.k, &mut self.k_turned), (self.x.v, &mut self.v, &mut self.v_turned)]
            {
                let all = &all[row * width + at..][..head];
                own[place * self.lanes..][..head].copy_from_slice(all);
                turned[place..].iter_mut().step_by(self.keys).zip(all).for_each(|(to, number)| *to = *number);
            }
        }
        self.dk.fill(0.0);
        self.dv.fill(0.0);
    }

    /// `dq` of some rows and one head; `dk` and `dv` grow.
    fn head(&mut self, rows: &[usize], h: usize) {
        let (head, lanes, keys) = (self.op.layer.head, self.lanes, self.keys);
        let count = rows.len();
        // No row sees a later one.
        let seen = rows.last().map_or(0, |last| self.before.len() + last + 1 - self.rows.start);
        for (place, row) in rows.iter().enumerate() {
            let all = row * self.x.width + h * head..row * self.x.width + (h + 1) * head;
            self.q[place * lanes..][..head].copy_from_slice(&self.x.q[all.clone()]);
            self.out[place * lanes..][..head].copy_from_slice(&self.grad[all]);
        }
        let (q, out) = (&self.q[..count * lanes], &self.out[..count * lanes]);
        let of_head = |numbers| Factor::part(numbers, count, head, lanes);
        let turned = |numbers| Factor::new(numbers, head, keys);
        outer_product(turned(&self.k_turned), of_head(q), &mut self.weights[..count * keys], false);
        outer_product(turned(&self.v_turned), of_head(out), &mut self.scores[..count * keys], false);
        wide(
            #[inline(always)]
            || self.weigh(rows),
        );
        let (q, out) = (&self.q[..count * lanes], &self.out[..count * lanes]);
        let by_key = |numbers| Factor::part(numbers, seen, count, ROWS.min(self.rows.len()));
        let by_row = Factor::part(&self.scores[..count * keys], count, seen, keys);
        outer_product(Factor::new(out, count, lanes), by_key(&self.weights_turned), &mut self.dv[..seen * lanes], true);
        outer_product(Factor::new(q, count, lanes), by_key(&self.scores_turned), &mut self.dk[..seen * lanes], true);
        let k = Factor::new(&self.k[..seen * lanes], seen, lanes);
        outer_product(k, by_row, &mut self.dq[..count * lanes], false);
    }

    /// `weights`, which are q·k, become weights, and `scores`, which are the gradients of the weights, those of q·k.
    #[inline(always)]
    fn weigh(&mut self, rows: &[usize]) {
        let (scale, keys, begins) = (self.op.layer.scale, self.keys, self.before.len());
        let step = ROWS.min(self.rows.len());
        let (mut columns, mut own, mut slopes) = (Vec::new(), Vec::new(), Vec::new());
        for (place, row) in rows.iter().enumerate() {
            let sight = &self.op.sights[*row];
            let hidden = self.op.layer.window.map_or(0, |window| sight.len().saturating_sub(window));
            let after = sight.trunk.clone().chain(sight.branch.clone()).map(|key| begins + key - self.rows.start);
            columns.clear();
            columns.extend((0..begins).chain(after).skip(hidden));
            let weights = &mut self.weights[place * keys..][..keys];
            let scores = &mut self.scores[place * keys..][..keys];
            own.clear();
            own.extend(columns.iter().map(|column| scale * weights[*column]));
            softmax(&mut own);
            slopes.clear();
            slopes.extend(columns.iter().map(|column| scores[*column]));
            let mean = dot(&own, &slopes);
            slopes.iter_mut().zip(&own).for_each(|(slope, weight)| *slope = weight * (*slope - mean) * scale);
            scores.fill(0.0);
            for turned in [&mut self.weights_turned, &mut self.scores_turned] {
                turned[place..].iter_mut().step_by(step).for_each(|number| *number = 0.0);
            }
            for ((column, weight), slope) in columns.iter().zip(&own).zip(&slopes) {
                scores[*column] = *slope;
                self.weights_turned[column * step + place] = *weight;
                self.scores_turned[column * step + place] = *slope;
            }
        }
    }
}

/// Puts the first `head` of every `lanes` numbers into rows of `width`, from entry `at` on, as many as there are.
fn put(found: &[f32], lanes: usize, to: &mut [f32], width: usize, at: usize, head: usize) {
    for (to, found) in to.chunks_exact_mut(width).zip(found.chunks_exact(lanes)) {
        to[at..at + head].copy_from_slice(&found[..head]);
    }
}

/// Cuts rows into stretches that see nothing of each other but what they begin with, where there are as many keys as rows.
pub(super) fn stretches(sights: &[Sight]) -> Vec<Range<usize>> {
    let first = |sight: &Sight| if sight.trunk.is_empty() { sight.branch.start } else { sight.trunk.start };
    // How far the rows before each see, at most.
    let (mut furthest, mut before) = (0, Vec::with_capacity(sights.len()));
    for sight in sights {
        before.push(furthest);
        furthest = furthest.max(if sight.branch.is_empty() { sight.trunk.end } else { sight.branch.end });
    }
    let (mut stretches, mut end, mut lowest) = (Vec::new(), sights.len(), usize::MAX);
    for (row, sight) in sights.iter().enumerate().rev() {
        lowest = lowest.min(first(sight));
        if lowest >= row && before[row] <= row {
            stretches.push(row..end);
            (end, lowest) = (row, usize::MAX);
        }
    }
    stretches.reverse();
    stretches
}
