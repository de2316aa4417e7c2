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

use std::{cell::Cell, ops::Range};

use super::{
    Attend, Inputs,
    forward::{ROWS, Seen},
    softmax,
};
use crate::brain::{
    kernel::{Factor, outer_product, to_registers, with_each},
    model::{
        batch::{Sight, rows_of},
        lanes::{add_scaled, dot, wide},
    },
};

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
            *found = Stretch::new(self, x, grad, rows).gradients(slopes);
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

thread_local! {
    /// Room to work in, kept from stretch to stretch: what is there before is written over, or never read.
    static ROOM: Cell<Room> = Cell::default();
}

/// What a head of a stretch is made in.
#[derive(Default)]
struct Room {
    /// The rows that a stretch begins with.
    before: Vec<usize>,
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
    /// The weights of one row over the keys that it sees, and their gradients.
    own: Vec<f32>,
    slopes: Vec<f32>,
}

impl Room {
    /// Makes room for `some` rows at a time of a stretch with so many keys, in heads of `head` entries.
    fn fit(&mut self, (head, lanes): (usize, usize), keys: usize, some: usize) {
        let fit = |of: &mut Vec<f32>, count| of.resize(count, 0.0);
        [&mut self.k, &mut self.v, &mut self.dk, &mut self.dv].into_iter().for_each(|of| fit(of, keys * lanes));
        [&mut self.k_turned, &mut self.v_turned].into_iter().for_each(|of| fit(of, head * keys));
        [&mut self.q, &mut self.out, &mut self.dq].into_iter().for_each(|of| fit(of, some * lanes));
        let by_row = [&mut self.weights, &mut self.scores, &mut self.weights_turned, &mut self.scores_turned];
        by_row.into_iter().for_each(|of| fit(of, some * keys));
    }
}

/// Rows that see only each other and what they begin with.
struct Stretch<'a> {
    op: &'a Attend,
    x: &'a Inputs<'a>,
    grad: &'a [f32],
    rows: Range<usize>,
    /// Entries of a head, and keys, in whole registers.
    lanes: usize,
    keys: usize,
    room: Room,
}

impl<'a> Stretch<'a> {
    fn new(op: &'a Attend, x: &'a Inputs, grad: &'a [f32], rows: Range<usize>) -> Self {
        let mut room = ROOM.take();
        room.before.clear();
        // Rows of one stretch begin with the same.
        room.before.extend(rows.clone().take(1).flat_map(|row| rows_of(&op.sights[row].before)));
        let (lanes, keys) = (to_registers(op.layer.head), to_registers(room.before.len() + rows.len()));
        room.fit((op.layer.head, lanes), keys, rows.len().min(ROWS));
        Self { op, x, grad, rows, lanes, keys, room }
    }

    /// The gradients of its own q, k and v, and the rows that it begins with and the gradients of their k and v.
    fn gradients(mut self, [dq, dk, dv]: Slopes) -> (Vec<usize>, [Vec<f32>; 2]) {
        let (layer, kv_width) = (&self.op.layer, self.x.kv_width);
        let begins = self.room.before.len();
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
                    for (row, found) in rows.iter().zip(self.room.dq.chunks_exact(self.lanes)) {
                        let to = &mut dq[(row - self.rows.start) * self.x.width + head * layer.head..];
                        to[..layer.head].copy_from_slice(&found[..layer.head]);
                    }
                }
            }
            let [shared_dk, shared_dv] = &mut shared;
            for (found, shared, own) in [(&self.room.dk, shared_dk, &mut *dk), (&self.room.dv, shared_dv, &mut *dv)] {
                let (of_shared, of_own) = found.split_at(begins * self.lanes);
                put(of_shared, self.lanes, shared, kv_width, at, layer.head);
                put(of_own, self.lanes, own, kv_width, at, layer.head);
            }
        }
        let before = self.room.before.clone();
        ROOM.set(self.room);
        (before, shared)
    }

    /// Takes up keys and values of a head, whose entries begin `at` numbers into a row.
    fn take_keys(&mut self, at: usize) {
        let (head, width, room) = (self.op.layer.head, self.x.kv_width, &mut self.room);
        let rows = room.before.iter().copied().chain(self.rows.clone());
        for (place, row) in rows.enumerate() {
            for (all, own, turned) in
                [(self.x.k, &mut room.k, &mut room.k_turned), (self.x.v, &mut room.v, &mut room.v_turned)]
            {
                let all = &all[row * width + at..][..head];
                own[place * self.lanes..][..head].copy_from_slice(all);
                turned[place..].iter_mut().step_by(self.keys).zip(all).for_each(|(to, number)| *to = *number);
            }
        }
        room.dk.fill(0.0);
        room.dv.fill(0.0);
    }

    /// `dq` of some rows and one head; `dk` and `dv` grow.
    fn head(&mut self, rows: &[usize], h: usize) {
        let (head, lanes, keys) = (self.op.layer.head, self.lanes, self.keys);
        let (count, room) = (rows.len(), &mut self.room);
        // No row sees a later one.
        let seen = rows.last().map_or(0, |last| room.before.len() + last + 1 - self.rows.start);
        for (place, row) in rows.iter().enumerate() {
            let all = row * self.x.width + h * head..row * self.x.width + (h + 1) * head;
            room.q[place * lanes..][..head].copy_from_slice(&self.x.q[all.clone()]);
            room.out[place * lanes..][..head].copy_from_slice(&self.grad[all]);
        }
        let (q, out) = (&room.q[..count * lanes], &room.out[..count * lanes]);
        let of_head = |numbers| Factor::part(numbers, count, head, lanes);
        let turned = |numbers| Factor::new(numbers, head, keys);
        outer_product(turned(&room.k_turned), of_head(q), &mut room.weights[..count * keys], false);
        outer_product(turned(&room.v_turned), of_head(out), &mut room.scores[..count * keys], false);
        wide(
            #[inline(always)]
            || self.weigh(rows, seen),
        );
        let room = &mut self.room;
        let (q, out) = (&room.q[..count * lanes], &room.out[..count * lanes]);
        let by_key = |numbers| Factor::part(numbers, seen, count, ROWS.min(self.rows.len()));
        let by_row = Factor::part(&room.scores[..count * keys], count, seen, keys);
        outer_product(Factor::new(out, count, lanes), by_key(&room.weights_turned), &mut room.dv[..seen * lanes], true);
        outer_product(Factor::new(q, count, lanes), by_key(&room.scores_turned), &mut room.dk[..seen * lanes], true);
        let k = Factor::new(&room.k[..seen * lanes], seen, lanes);
        outer_product(k, by_row, &mut room.dq[..count * lanes], false);
    }

    /// `weights`, which are q·k, become weights, and `scores`, which are the gradients of the weights, those of q·k; all rows together see
    /// the first `seen` keys at most.
    #[inline(always)]
    fn weigh(&mut self, rows: &[usize], seen: usize) {
        let (scale, keys, room) = (self.op.layer.scale, self.keys, &mut self.room);
        let step = ROWS.min(self.rows.len());
        room.weights_turned[..seen * step].fill(0.0);
        room.scores_turned[..seen * step].fill(0.0);
        let (own, slopes) = (&mut room.own, &mut room.slopes);
        for (place, row) in rows.iter().enumerate() {
            let sees = Seen::of(&self.op.sights[*row], room.before.len(), self.rows.start, self.op.layer.window);
            let scores = &mut room.scores[place * keys..][..keys];
            sees.take(&room.weights[place * keys..][..keys], own);
            own.iter_mut().for_each(|weight| *weight *= scale);
            softmax(own);
            sees.take(scores, slopes);
            let mean = dot(own, slopes);
            slopes.iter_mut().zip(&*own).for_each(|(slope, weight)| *slope = weight * (*slope - mean) * scale);
            scores.fill(0.0);
            sees.put(slopes, scores);
            for ((column, weight), slope) in sees.columns().zip(&*own).zip(&*slopes) {
                room.weights_turned[column * step + place] = *weight;
                room.scores_turned[column * step + place] = *slope;
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
