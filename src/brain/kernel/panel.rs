//! Weights as whole numbers, some columns of the result at a time, laid out as tiles read them.
//!
//! This module does *not* know how weights lie in a file, or with which instructions they are multiplied.

use std::ops::Range;

/// Numbers that share a scale.
pub(in crate::brain) const BLOCK: usize = 32;
/// Steps through a block: each takes four numbers.
pub(super) const STEPS: usize = BLOCK / 4;
/// Columns of a line.
pub(super) const LINE: usize = 16;

/// What the whole numbers of a matrix are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::brain) enum Code {
    /// 0 to 15, less 8.
    Four,
    /// 0 to 15, and each block has a number that is subtracted.
    FourLess,
    /// 0 to 31, less 16.
    Five,
    /// 0 to 31, and each block has a number that is subtracted.
    FiveLess,
    /// 0 to 63, less 32, with a scale for each half of a block.
    Six,
    /// 0 to 255, less 128.
    Eight,
}

impl Code {
    /// What is subtracted from the whole numbers.
    pub(in crate::brain) const fn zero(self) -> u8 {
        match self {
            Self::Four => 8,
            Self::Five => 16,
            Self::Six => 32,
            Self::Eight => 128,
            Self::FourLess | Self::FiveLess => 0,
        }
    }

    /// Scales of a block.
    pub(in crate::brain) const fn scales(self) -> usize {
        if matches!(self, Self::Six) { 2 } else { 1 }
    }

    /// Whether each block has a number that is subtracted.
    pub(in crate::brain) const fn is_less(self) -> bool {
        matches!(self, Self::FourLess | Self::FiveLess)
    }
}

/// How whole numbers stand in a panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As they are.
    Plain,
    /// Bytes less 128, for instructions with which sums of pairs of larger ones would not fit into 16 bits.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "no other processors' instructions need it"))]
    Signed,
    /// Bytes in halves of four bits each, for instructions to which bytes are signed.
    #[cfg_attr(not(target_arch = "aarch64"), allow(dead_code, reason = "no other processors' instructions need it"))]
    Halves,
}

/// Weights `[out, in]`, `in` a multiple of 32: whole numbers less the code's zero, times the scale of their block or half block,
/// less what is subtracted in their block.
pub(in crate::brain) trait WholeRows: Sync {
    /// What the numbers are like.
    fn code(&self) -> Code;

    /// Writes one row: its whole numbers `[in]`, its scales `[in / 32, Code::scales]`, and what is subtracted `[in / 32]`, or nothing
    /// where the code has none. To be inlined, so that it is made of the instructions of whoever calls.
    fn unpack(&self, row: usize, numbers: &mut [u8], scales: &mut [f32], less: &mut [f32]);
}

/// Numbers of sixteen columns beside each other, in a line of the cache.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C, align(64))]
pub(super) struct Line<T>(pub(super) [T; LINE]);

/// Some columns' weights.
#[derive(Debug, Default)]
pub(super) struct Panel {
    /// Four whole numbers of each column, the first in the lowest byte: `[inner / 4, lines]`. Where they come in halves (see [`Form`]), the lower
    /// ones of a block come first, of all columns, and then the upper ones.
    pub(super) numbers: Vec<Line<u32>>,
    /// `[inner / 32, scales of a block, lines]`.
    pub(super) scales: Vec<Line<f32>>,
    /// `[inner / 32, lines]`, if anything is subtracted.
    pub(super) less: Vec<Line<f32>>,
    /// The whole numbers of sixteen columns, one column after the other.
    pub(super) rows: Vec<u8>,
    /// The same of their scales.
    pub(super) row_scales: Vec<f32>,
    /// The same of what is subtracted.
    pub(super) row_less: Vec<f32>,
}

impl Panel {
    /// Takes up at most sixteen columns of weights with rows of `inner` numbers, one after the other; those that are missing are zero.
    #[inline(always)]
    pub(super) fn unpack<W: WholeRows>(&mut self, weights: &W, columns: Range<usize>, inner: usize) {
        let code = weights.code();
        let (scales, less) = (inner / BLOCK * code.scales(), if code.is_less() { inner / BLOCK } else { 0 });
        self.rows.resize(LINE * inner, 0);
        self.row_scales.resize(LINE * scales, 0.0);
        self.row_less.resize(LINE * less, 0.0);
        for c in 0..LINE {
            let numbers = &mut self.rows[c * inner..][..inner];
            let (scales, less) = (&mut self.row_scales[c * scales..][..scales], &mut self.row_less[c * less..][..less]);
            if columns.start + c < columns.end {
                weights.unpack(columns.start + c, numbers, scales, less);
            } else {
                numbers.fill(0);
                scales.fill(0.0);
                less.fill(0.0);
            }
        }
    }

    /// Takes up at most `lines` · 16 columns, beside each other.
    #[inline(always)]
    pub(super) fn fill<W: WholeRows>(
        &mut self,
        weights: &W,
        columns: Range<usize>,
        inner: usize,
        lines: usize,
        form: Form,
    ) {
        let (code, blocks) = (weights.code(), inner / BLOCK);
        self.numbers.resize(inner / 4 * lines * if form == Form::Halves { 2 } else { 1 }, Line::default());
        self.scales.resize(blocks * code.scales() * lines, Line::default());
        self.less.resize(if code.is_less() { blocks * lines } else { 0 }, Line::default());
        for line in 0..lines {
            self.unpack(weights, (columns.start + line * LINE).min(columns.end)..columns.end, inner);
            let to = &mut self.numbers[line..];
            match form {
                Form::Plain => weave_fours(&self.rows, to, lines, 0),
                Form::Signed => weave_fours(&self.rows, to, lines, 0x8080_8080),
                Form::Halves => weave_halves(&self.rows, to, lines),
            }
            weave(&self.row_scales, &mut self.scales[line..], lines);
            if code.is_less() {
                weave(&self.row_less, &mut self.less[line..], lines);
            }
        }
    }
}

/// Sixteen rows, taken apart.
#[inline(always)]
fn sixteen<T>(rows: &[T]) -> [&[T]; LINE] {
    let each = rows.len() / LINE;
    std::array::from_fn(|c| &rows[c * each..][..each])
}

/// Puts sixteen rows' numbers beside each other: every `step`-th line takes the next of each row.
#[inline(always)]
fn weave(rows: &[f32], lines: &mut [Line<f32>], step: usize) {
    let rows = sixteen(rows);
    for (at, line) in lines.iter_mut().step_by(step).enumerate() {
        line.0 = std::array::from_fn(|c| rows[c][at]);
    }
}

/// The same with four bytes of each row at a time, of which the bits `flipped` change.
#[inline(always)]
fn weave_fours(rows: &[u8], lines: &mut [Line<u32>], step: usize, flipped: u32) {
    let rows = sixteen(rows.as_chunks::<4>().0);
    for (at, line) in lines.iter_mut().step_by(step).enumerate() {
        line.0 = std::array::from_fn(|c| u32::from_le_bytes(rows[c][at]) ^ flipped);
    }
}

/// The same with the lower halves of a block's bytes first, and then the upper ones.
#[inline(always)]
fn weave_halves(rows: &[u8], lines: &mut [Line<u32>], step: usize) {
    const LOWER: u32 = 0x0f0f_0f0f;
    let rows = sixteen(rows.as_chunks::<4>().0);
    for at in 0..rows[0].len() {
        let four: [u32; LINE] = std::array::from_fn(|c| u32::from_le_bytes(rows[c][at]));
        let to = (at / STEPS * 2 * STEPS + at % STEPS) * step;
        lines[to].0 = four.map(|four| four & LOWER);
        lines[to + STEPS * step].0 = four.map(|four| four >> 4 & LOWER);
    }
}
