//! The way forward through attention, head by head in products of small matrices: of rows i with the keys j that they see,
//!
//! ```text
//! S = scale · Q·Kᵀ        P = softmax(S) where j is seen, else 0        O = P·V
//! ```
//!
//! Q and O `[rows, head]`, K and V `[keys, head]`, S and P `[rows, keys]`. What a row comes to does not depend on what stands
//! beside it: sums go over the keys in their order, and those that are not seen add nothing.
//!
//! This module does *not* know positions, weights or layers.

use std::{cell::Cell, ops::Range};

use super::{Attend, Inputs, back::stretches, softmax};
use crate::brain::{
    kernel::{Factor, outer_product, to_registers, with_each},
    model::{
        batch::{Sight, rows_of},
        lanes::wide,
    },
};

/// Rows of a stretch that are dealt with at a time.
pub(super) const ROWS: usize = 32;

thread_local! {
    /// Room to work in, kept from stretch to stretch: what is there before is written over, or never read.
    static ROOM: Cell<Room> = Cell::default();
}

/// What a head of a stretch is made in.
#[derive(Default)]
struct Room {
    /// The rows that a stretch begins with.
    before: Vec<usize>,
    /// Keys as columns: `[head, keys]`.
    k_turned: Vec<f32>,
    /// Values: `[keys, lanes]`.
    v: Vec<f32>,
    /// Scores, and then weights, of some rows: `[ROWS, keys]`.
    weights: Vec<f32>,
    /// The result of these rows: `[ROWS, lanes]`.
    out: Vec<f32>,
    /// The weights of one row over the keys that it sees.
    own: Vec<f32>,
}

/// A stretch of rows that see only each other and what they begin with, and those of them that see.
struct Stretch<'a> {
    op: &'a Attend,
    x: &'a Inputs<'a>,
    /// The rows that queries are of, where these are not all.
    only: Option<&'a [u32]>,
    rows: Range<usize>,
    /// The places of its queries among all.
    places: Range<usize>,
    /// How many rows it begins with.
    begins: usize,
    /// Keys, and entries of a head, in whole registers.
    keys: usize,
    lanes: usize,
}

/// The columns of the keys that a row sees: of the rows that its stretch begins with, of its trunk, and of its branch.
pub(super) struct Seen([Range<usize>; 3]);

impl Seen {
    /// Those of a row of the stretch that begins with `begins` rows of others and then with row `first`.
    #[inline(always)]
    pub(super) fn of(sight: &Sight, begins: usize, first: usize, window: Option<usize>) -> Self {
        let count = begins + sight.trunk.len() + sight.branch.len();
        let mut hidden = window.map_or(0, |window| count.saturating_sub(window));
        let mut spans = [0..begins, 0..0, 0..0];
        for (span, keys) in spans[1..].iter_mut().zip([&sight.trunk, &sight.branch]) {
            if !keys.is_empty() {
                *span = begins + keys.start - first..begins + keys.end - first;
            }
        }
        for span in &mut spans {
            let cut = hidden.min(span.len());
            (span.start, hidden) = (span.start + cut, hidden - cut);
        }
        Self(spans)
    }

    /// What of a row's numbers stands there, without the rest.
    #[inline(always)]
    pub(super) fn take(&self, row: &[f32], own: &mut Vec<f32>) {
        own.clear();
        self.0.iter().for_each(|span| own.extend_from_slice(&row[span.clone()]));
    }

    /// Puts them back.
    #[inline(always)]
    pub(super) fn put(&self, own: &[f32], row: &mut [f32]) {
        let mut rest = own;
        for span in &self.0 {
            let (some, after) = rest.split_at(span.len());
            row[span.clone()].copy_from_slice(some);
            rest = after;
        }
    }

    /// The columns, in their order.
    #[inline(always)]
    pub(super) fn columns(&self) -> impl Iterator<Item = usize> {
        self.0.iter().cloned().flatten()
    }
}

impl Attend {
    /// The result for the queries of all rows, or of those that are named, in their order; there are as many keys as rows, and no row sees
    /// a later one. Stretches of rows that see nothing of each other but what they begin with are divided among threads.
    pub(super) fn by_stretches(&self, x: &Inputs, only: Option<&[u32]>) -> Vec<f32> {
        let mut all = vec![0.0; x.q.len()];
        let (mut rest, mut done, mut parts) = (&mut all[..], 0, Vec::new());
        for rows in stretches(&self.sights) {
            let end = only.map_or(rows.end, |some| some.partition_point(|row| (*row as usize) < rows.end));
            let (own, after) = rest.split_at_mut((end - done) * x.width);
            parts.push((rows, done..end, own));
            (rest, done) = (after, end);
        }
        with_each(x.q.len(), parts.into_iter(), |(rows, places, out)| {
            if places.is_empty() {
                return;
            }
            let mut room = ROOM.take();
            room.before.clear();
            // Rows of one stretch begin with the same.
            room.before.extend(rows_of(&self.sights[rows.start].before));
            let (begins, lanes) = (room.before.len(), to_registers(self.layer.head));
            let keys = to_registers(begins + rows.len());
            Stretch { op: self, x, only, rows, places, begins, keys, lanes }.make(out, &mut room);
            ROOM.set(room);
        });
        all
    }
}

impl Stretch<'_> {
    /// The row of a query.
    #[inline(always)]
    fn row_of(&self, place: usize) -> usize {
        self.only.map_or(place, |rows| rows[place] as usize)
    }

    /// Its queries' results, into `out`.
    fn make(&self, out: &mut [f32], room: &mut Room) {
        let (layer, some) = (&self.op.layer, self.places.len().min(ROWS));
        room.k_turned.resize(layer.head * self.keys, 0.0);
        room.v.resize(self.keys * self.lanes, 0.0);
        room.weights.resize(some * self.keys, 0.0);
        room.out.resize(some * self.lanes, 0.0);
        let group = layer.heads / layer.kv_heads;
        for kv_head in 0..layer.kv_heads {
            self.take_keys(kv_head * layer.head, room);
            for from in self.places.clone().step_by(ROWS) {
                let places = from..(from + ROWS).min(self.places.end);
                let out = &mut out[(from - self.places.start) * self.x.width..];
                for head in kv_head * group..(kv_head + 1) * group {
                    self.head(places.clone(), head, room);
                    let found = room.out.chunks_exact(self.lanes).take(places.len());
                    for (to, found) in out.chunks_exact_mut(self.x.width).zip(found) {
                        to[head * layer.head..(head + 1) * layer.head].copy_from_slice(&found[..layer.head]);
                    }
                }
            }
        }
    }

    /// Takes up keys and values of a head, whose entries begin `at` numbers into a row.
    fn take_keys(&self, at: usize, room: &mut Room) {
        let (head, width) = (self.op.layer.head, self.x.kv_width);
        let rows = room.before.iter().copied().chain(self.rows.clone());
        for (place, row) in rows.enumerate() {
            let (k, v) = (&self.x.k[row * width + at..][..head], &self.x.v[row * width + at..][..head]);
            room.v[place * self.lanes..][..head].copy_from_slice(v);
            let turned = room.k_turned[place..].iter_mut().step_by(self.keys);
            turned.zip(k).for_each(|(to, number)| *to = *number);
        }
    }

    /// One head's result of some queries, into the room.
    fn head(&self, places: Range<usize>, h: usize, room: &mut Room) {
        let (head, keys, lanes, width) = (self.op.layer.head, self.keys, self.lanes, self.x.width);
        let count = places.len();
        // No row sees a later one.
        let seen = self.begins + self.row_of(places.end - 1) + 1 - self.rows.start;
        let q = Factor::part(&self.x.q[places.start * width + h * head..], count, head, width);
        let weights = &mut room.weights[..count * keys];
        outer_product(Factor::new(&room.k_turned, head, keys), q, weights, false);
        wide(
            #[inline(always)]
            || self.weigh(places, weights, &mut room.own),
        );
        let weights = Factor::part(weights, count, seen, keys);
        let v = Factor::new(&room.v[..seen * lanes], seen, lanes);
        outer_product(v, weights, &mut room.out[..count * lanes], false);
    }

    /// q·k of some queries `[places, keys]` become weights; `own` is room to work in.
    #[inline(always)]
    fn weigh(&self, places: Range<usize>, weights: &mut [f32], own: &mut Vec<f32>) {
        let layer = &self.op.layer;
        for (at, place) in places.enumerate() {
            let sight = &self.op.sights[self.row_of(place)];
            let seen = Seen::of(sight, self.begins, self.rows.start, layer.window);
            let weights = &mut weights[at * self.keys..][..self.keys];
            seen.take(weights, own);
            own.iter_mut().for_each(|score| *score *= layer.scale);
            softmax(own);
            weights.fill(0.0);
            seen.put(own, weights);
        }
    }
}
