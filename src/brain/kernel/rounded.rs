//! Rows of numbers rounded to int8, each 32 with a scale of their own: llama.cpp's Q8_0, but with the scale in f32.
//!
//! This module does *not* know weights.

use std::cell::Cell;

use super::{
    instructions::Instructions,
    panel::{BLOCK, Code, STEPS},
    team::with_each,
    wide::wide,
};

thread_local! {
    /// Room for a row that a thread rounds.
    static ROW: Cell<Vec<i8>> = const { Cell::new(Vec::new()) };
}

/// Rows of numbers, rounded. As many as a tile has lie beside each other; the last tile may be short of rows, and what stands in
/// their place counts for nothing.
#[derive(Debug)]
pub(in crate::brain) struct Rounded {
    /// The instructions that it is laid out for.
    pub(super) with: Instructions,
    /// Number of rows.
    pub(super) rows: usize,
    /// Length of a row.
    pub(super) inner: usize,
    /// −127 to 127: `[tiles, inner / 4, rows of a tile, 4]`.
    pub(super) numbers: Vec<[i8; 4]>,
    /// `[tiles, inner / 32, rows of a tile]`.
    pub(super) scales: Vec<f32>,
    /// The blocks' sums, times their scales: `[tiles, inner / 32, rows of a tile]`.
    pub(super) totals: Vec<f32>,
    /// What sums with weights of a code begin with, −zero times the sum of the numbers, for each scale of the weights: `[tiles, inner /
    /// 32, scales, rows of a tile]`.
    pub(super) starts: Vec<i32>,
    /// The sums of half blocks: `[tiles, inner / 32, 2, rows of a tile]`.
    sums: Vec<i32>,
    /// The code that `starts` are for.
    code: Option<Code>,
}

impl Default for Rounded {
    fn default() -> Self {
        Self::laid_out_for(Instructions::best())
    }
}

impl Rounded {
    /// No rows, for some instructions that this processor has.
    pub(super) fn laid_out_for(with: Instructions) -> Self {
        let (numbers, scales, totals) = (Vec::new(), Vec::new(), Vec::new());
        Self { with, rows: 0, inner: 0, numbers, scales, totals, starts: Vec::new(), sums: Vec::new(), code: None }
    }

    /// Rounds x `[rows, inner]`, half to even. A block in which something is no number has none in any result.
    ///
    /// # Panics
    /// If `inner` is no multiple of 32, or x has no such shape.
    pub(in crate::brain) fn fill(&mut self, x: &[f32], inner: usize) {
        assert!(inner > 0 && inner.is_multiple_of(BLOCK) && x.len().is_multiple_of(inner), "shape of rows to round");
        let (rows, blocks, tile) = (x.len() / inner, inner / BLOCK, self.with.rows());
        let tiles = rows.div_ceil(tile);
        (self.rows, self.inner, self.code) = (rows, inner, None);
        self.numbers.resize(tiles * inner / 4 * tile, [0; 4]);
        self.scales.resize(tiles * blocks * tile, 0.0);
        self.totals.resize(tiles * blocks * tile, 0.0);
        self.sums.resize(tiles * blocks * 2 * tile, 0);
        let part = |(x, ((numbers, scales), (totals, sums)))| {
            wide(
                #[inline(always)]
                || Part { x, inner, tile, numbers, scales, totals, sums }.round(),
            );
        };
        let numbers = self.numbers.chunks_mut(inner / 4 * tile).zip(self.scales.chunks_mut(blocks * tile));
        let sums = self.totals.chunks_mut(blocks * tile).zip(self.sums.chunks_mut(blocks * 2 * tile));
        with_each(x.len(), x.chunks(inner * tile).zip(numbers.zip(sums)), part);
    }

    /// Length of a row.
    pub(in crate::brain) const fn inner(&self) -> usize {
        self.inner
    }

    /// Makes ready for weights of a code.
    pub(super) fn begin(&mut self, code: Code) {
        if self.code == Some(code) {
            return;
        }
        self.code = Some(code);
        let zero = -i32::from(code.zero());
        if code.scales() == 2 {
            self.starts.resize(self.sums.len(), 0);
            self.starts.iter_mut().zip(&self.sums).for_each(|(start, sum)| *start = zero * sum);
            return;
        }
        let tile = self.with.rows();
        self.starts.resize(self.sums.len() / 2, 0);
        for (starts, sums) in self.starts.chunks_exact_mut(tile).zip(self.sums.chunks_exact(2 * tile)) {
            let halves = sums[..tile].iter().zip(&sums[tile..]);
            starts.iter_mut().zip(halves).for_each(|(start, (a, b))| *start = zero * (a + b));
        }
    }
}

/// The rows of one tile.
struct Part<'a> {
    x: &'a [f32],
    inner: usize,
    tile: usize,
    numbers: &'a mut [[i8; 4]],
    scales: &'a mut [f32],
    totals: &'a mut [f32],
    sums: &'a mut [i32],
}

impl Part<'_> {
    #[inline(always)]
    fn round(self) {
        let tile = self.tile;
        let mut own = ROW.take();
        own.resize(self.inner, 0);
        for (r, x) in self.x.chunks_exact(self.inner).enumerate() {
            let blocks = x.as_chunks::<BLOCK>().0.iter().zip(own.as_chunks_mut::<BLOCK>().0);
            for (block, (x, own)) in blocks.enumerate() {
                let (scale, halves) = round_block(x, own);
                self.scales[block * tile + r] = scale;
                self.totals[block * tile + r] = scale * (halves[0] + halves[1]) as f32;
                self.sums[block * 2 * tile + r] = halves[0];
                self.sums[(block * 2 + 1) * tile + r] = halves[1];
            }
            let fours = self.numbers[r..].iter_mut().step_by(tile).zip(own.as_chunks::<4>().0);
            fours.for_each(|(to, four)| *to = *four);
        }
        ROW.set(own);
    }
}

/// Rounds one block; gives its scale, max|x| / 127, and the sums of its halves.
#[inline(always)]
fn round_block(x: &[f32; BLOCK], numbers: &mut [i8; BLOCK]) -> (f32, [i32; 2]) {
    const HALF: usize = STEPS * 2;
    /// 1.5·2²³: a small number that is added to it stands in the lowest bits, rounded half to even.
    const MAGIC: f32 = 12_582_912.0;
    // As bits, magnitudes have the order of their numbers, and what is no number is above all.
    let most = f32::from_bits(x.iter().map(|x| x.to_bits() & 0x7fff_ffff).fold(0, u32::max));
    let inverse = if most > 0.0 { 127.0 / most } else { 0.0 };
    let mut sums = [0; 2];
    let halves = x.as_chunks::<HALF>().0.iter().zip(numbers.as_chunks_mut::<HALF>().0);
    for ((x, numbers), sum) in halves.zip(&mut sums) {
        let whole: [i32; HALF] = std::array::from_fn(|i| ((x[i] * inverse + MAGIC).to_bits() as i32) << 24 >> 24);
        numbers.iter_mut().zip(&whole).for_each(|(number, whole)| *number = *whole as i8);
        *sum = whole.iter().sum();
    }
    (most / 127.0, sums)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_by_hand() {
        let mut x = [0.0; BLOCK];
        // The largest is 127 · 0.5, so that numbers are twice their value, half to even.
        x[..8].copy_from_slice(&[-63.5, 1.0, 0.25, 0.75, -0.25, -0.75, 10.3, 3.0]);
        x[20] = 2.0;
        let mut numbers = [9; BLOCK];
        let (scale, sums) = round_block(&x, &mut numbers);
        assert_eq!((scale, &numbers[..9], numbers[20]), (0.5, &[-127, 2, 0, 2, 0, -2, 21, 6, 0][..], 4));
        assert_eq!(sums, [-98, 4]);
        assert_eq!(round_block(&[0.0; BLOCK], &mut numbers), (0.0, [0, 0]));
        assert_eq!(numbers, [0; BLOCK]);
        x[31] = f32::NAN;
        assert!(round_block(&x, &mut numbers).0.is_nan(), "what is no number must not be lost");
        x[31] = f32::NEG_INFINITY;
        assert_eq!(round_block(&x, &mut numbers).0, f32::INFINITY);
    }

    #[test]
    fn rows_lie_as_tiles_read_them_with_every_instruction() {
        let (rows, inner) = (13, 64);
        let x: Vec<f32> = (0..rows * inner).map(|i| (i as f32 * 0.7).sin() * (i % 37) as f32).collect();
        for with in Instructions::here() {
            let (mut rounded, tile) = (Rounded::laid_out_for(with), with.rows());
            rounded.fill(&x, inner);
            for (r, x) in x.chunks(inner).enumerate() {
                for (block, x) in x.as_chunks::<BLOCK>().0.iter().enumerate() {
                    let mut own = [0; BLOCK];
                    let (scale, sums) = round_block(x, &mut own);
                    let at = (r / tile * inner / BLOCK + block) * tile + r % tile;
                    assert_eq!((rounded.scales[at], rounded.totals[at]), (scale, scale * (sums[0] + sums[1]) as f32));
                    for (step, four) in own.as_chunks::<4>().0.iter().enumerate() {
                        let at = ((r / tile * inner / BLOCK + block) * STEPS + step) * tile + r % tile;
                        assert_eq!(rounded.numbers[at], *four, "{with:?}: row {r}, block {block}");
                    }
                    rounded.begin(Code::Five);
                    assert_eq!(rounded.starts[at], -16 * (sums[0] + sums[1]));
                    rounded.begin(Code::Six);
                    let half = (r / tile * inner / BLOCK + block) * 2 * tile + r % tile;
                    assert_eq!([rounded.starts[half], rounded.starts[half + tile]], sums.map(|sum| -32 * sum));
                }
            }
        }
    }
}
