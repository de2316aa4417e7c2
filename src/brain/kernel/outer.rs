//! Tiles of a product in f32: up to eight rows by up to three registers of columns, whose sums stay in registers from the first
//! outer product to the last (Goto and van de Geijn 2008, "Anatomy of High-Performance Matrix Multiplication").
//!
//! This module does *not* know which factor is the weights.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::factor::{Factor, Pieces};

/// Registers of columns that a tile has at most, by how many registers there are: with 32 of them 8 · 3 sums, 3 of columns and one more
/// are 28; with 16 of them 6 · 2, 2 and one are 15.
const fn wide(registers: usize) -> usize {
    if registers >= 32 { 3 } else { 2 }
}

/// Rows that a tile has at most, by how many registers of columns it has, too.
const fn tall(registers: usize, wide: usize) -> usize {
    if registers >= 32 || wide == 1 { 8 } else { 6 }
}

/// Numbers of the widest register.
pub(super) const LANES: usize = 16;
/// Half as many: so many columns alone are made in registers of half the width.
pub(super) const HALF: usize = LANES / 2;
/// Columns that tiles of the widest registers have at most.
pub(super) const PANEL: usize = wide(32) * LANES;

/// Columns that are to lie without a gap: those of a tile, so that what it reads comes in whole lines of the cache, one after the other.
/// Where these are no whole lines, [`PANEL`], of which a tile takes some.
pub(super) fn panel() -> usize {
    pulp::Arch::new().dispatch(Columns)
}

struct Columns;

impl WithSimd for Columns {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        let columns = wide(S::REGISTER_COUNT) * S::F32_LANES;
        if columns.is_multiple_of(LANES) { columns } else { PANEL }
    }
}

/// What is fetched into the cache while a tile is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ahead {
    /// Nothing: it is there.
    Nothing,
    /// The rows of b after the tile's, which lie without a gap within a piece; and after the last of them those that begin here.
    Rows(*const f32),
    /// As many rows and columns as a has, in such pieces, from here on.
    Columns(*const f32),
}

/// `c[m, l] = Σₛ b[m, s] · a[s, l]`, or `+=` where `adds`: a `[depth, lanes]`, b `[rows, depth]`, neither transposed. One of them may come in
/// pieces of its depth.
pub(super) struct Outer<'a> {
    /// Columns side by side: a multiple of [`LANES`], or [`HALF`] of that.
    pub(super) a: Factor<'a>,
    /// Numbers that each stand for a whole register.
    pub(super) b: Factor<'a>,
    /// Where c begins.
    pub(super) c: *mut f32,
    /// Numbers from the beginning of a row of c to that of the next.
    pub(super) c_step: usize,
    /// Whether c grows.
    pub(super) adds: bool,
    /// What will be needed next.
    pub(super) ahead: Ahead,
}

impl Outer<'_> {
    /// Makes it, on the caller's thread. Each sum is made in the order of s, whatever stands beside it.
    ///
    /// # Panics
    /// If the shapes do not fit.
    ///
    /// # Safety
    /// c must have as many rows and columns as the product, and nobody else may read or write them meanwhile.
    pub(super) unsafe fn make(self) {
        let (lanes, depth) = self.a.lying();
        let fits = lanes == HALF || lanes.is_multiple_of(LANES);
        let (a, b) = (self.a.pieces(), self.b.pieces());
        let in_depth = a.columns == usize::MAX && b.rows == usize::MAX && (a == Pieces::ONE || b == Pieces::ONE);
        assert!(self.b.lying().0 == depth && fits && in_depth, "shapes of a product");
        #[cfg(target_arch = "x86_64")]
        if lanes == HALF
            && let Some(half) = pulp::x86::V3::try_new()
        {
            return Simd::vectorize(half, self);
        }
        pulp::Arch::new().dispatch(self);
    }
}

/// As many numbers, in whole registers, as `count` need at least.
pub(in crate::brain) const fn to_registers(count: usize) -> usize {
    if count <= HALF { HALF } else { count.next_multiple_of(LANES) }
}

/// `out[m, l] = Σₛ b[m, s] · a[s, l]`, or `+=` where `adds`, on the caller's thread, for small factors, which lie in the cache: a
/// `[depth, lanes]`, b `[rows, depth]`, neither transposed, out `[rows, lanes]`. Each sum is made in the order of s, whatever stands
/// beside it.
///
/// # Panics
/// If the shapes do not fit, or lanes are no whole registers (see [`to_registers`]).
pub(in crate::brain) fn outer_product(a: Factor, b: Factor, out: &mut [f32], adds: bool) {
    let ((lanes, _), (_, rows)) = (a.lying(), b.lying());
    assert_eq!(out.len(), rows * lanes, "shapes of a product");
    // SAFETY: out has this shape, and is borrowed.
    unsafe { Outer { a, b, c: out.as_mut_ptr(), c_step: lanes, adds, ahead: Ahead::Nothing }.make() }
}

impl WithSimd for Outer<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        assert!(self.a.lying().0.is_multiple_of(S::F32_LANES), "columns in whole registers");
        let ((lanes, depth), rows) = (self.a.lying(), self.b.lying().1);
        let each = self.a.pieces().rows.min(self.b.pieces().columns);
        let (a, b) = (Walk::down(self.a), Walk::along(self.b));
        for panel in parts(lanes / S::F32_LANES, wide(S::REGISTER_COUNT)) {
            let column = panel.start * S::F32_LANES;
            let a = a.from(column);
            let lines = panel.len() * S::F32_LANES / LANES;
            for (at, tile) in parts(rows, tall(S::REGISTER_COUNT, panel.len())).enumerate() {
                let ahead = match self.ahead {
                    Ahead::Rows(after) if column == 0 => {
                        let begin = if tile.end == rows { after } else { b.begin.wrapping_add(tile.end * b.step) };
                        b.through(begin, tile.len(), each)
                    }
                    // A line of the cache of each row at a time.
                    Ahead::Columns(begin) if at < lines => Walk { begin, ..a }.from(column + at * LANES),
                    _ => a,
                };
                // SAFETY: factors hold their shapes, and the caller answers for c.
                unsafe {
                    let c = self.c.add(tile.start * self.c_step + column);
                    let b = b.from(tile.start * b.step);
                    let one = Tile { a, b, ahead, depth, each, c, c_step: self.c_step, adds: self.adds };
                    one.of_shape(simd, panel.len(), tile.len());
                }
            }
        }
    }
}

/// Cuts a number of things into as few parts as have at most `most` of them, which are as even as can be.
pub(super) fn parts(all: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    let count = all.div_ceil(most);
    (0..count).map(move |at| at * all / count..(at + 1) * all / count)
}

/// A way through numbers, piece by piece.
#[derive(Clone, Copy)]
struct Walk {
    /// Where it begins.
    begin: *const f32,
    /// Numbers from row to row.
    step: usize,
    /// Numbers from the end of a piece to the beginning of the next.
    leap: usize,
}

impl Walk {
    /// From row to row of a factor.
    fn down(factor: Factor) -> Self {
        let ((begin, step), pieces) = (factor.begin(), factor.pieces());
        Self { begin, step, leap: if pieces == Pieces::ONE { 0 } else { pieces.step.wrapping_sub(pieces.rows * step) } }
    }

    /// From column to column.
    fn along(factor: Factor) -> Self {
        let ((begin, step), pieces) = (factor.begin(), factor.pieces());
        Self { begin, step, leap: if pieces == Pieces::ONE { 0 } else { pieces.step - pieces.columns } }
    }

    /// The same, so many numbers further on.
    const fn from(self, numbers: usize) -> Self {
        Self { begin: self.begin.wrapping_add(numbers), ..self }
    }

    /// Through as many rows as `rows`, which lie without a gap from `begin` on, in the time of a way along them; pieces have `each` columns.
    const fn through(self, begin: *const f32, rows: usize, each: usize) -> Self {
        let leap = if self.leap == 0 { 0 } else { (self.leap + each).wrapping_sub(rows * each) };
        Self { begin, step: rows, leap }
    }
}

/// One tile: its ways through the factors and what is fetched, and where its result begins.
struct Tile {
    /// From row to row.
    a: Walk,
    /// From column to column of all rows.
    b: Walk,
    ahead: Walk,
    depth: usize,
    /// Steps to the end of a piece.
    each: usize,
    c: *mut f32,
    c_step: usize,
    adds: bool,
}

impl Tile {
    /// Makes it with as many registers of columns and rows as are named.
    #[inline(always)]
    unsafe fn of_shape<S: Simd>(&self, simd: S, wide: usize, tall: usize) {
        let is_apart = self.b.leap > 0;
        macro_rules! shapes {
            ($($wide:literal: $($tall:literal)+;)+) => {
                // SAFETY: as the caller says.
                unsafe {
                    match (wide, tall) {
                        $($(($wide, $tall) if is_apart => self.make::<S, $wide, $tall, true>(simd),)+)+
                        $($(($wide, $tall) => self.make::<S, $wide, $tall, false>(simd),)+)+
                        _ => unreachable!("a tile of {wide} registers by {tall} rows"),
                    }
                }
            };
        }
        shapes! {
            1: 1 2 3 4 5 6 7 8;
            2: 1 2 3 4 5 6 7 8;
            3: 1 2 3 4 5 6 7 8;
        }
    }

    /// Makes it; `APART` where b comes in pieces.
    ///
    /// # Safety
    /// All that is read and written must be there.
    #[inline(always)]
    unsafe fn make<S: Simd, const W: usize, const M: usize, const APART: bool>(&self, simd: S) {
        // SAFETY: the caller's promise.
        unsafe {
            let mut sums = [[simd.splat_f32s(0.0); W]; M];
            let (mut a, mut b, mut ahead) = (self.a.begin, self.b.begin, self.ahead.begin);
            let mut left = self.depth;
            while left > 0 {
                let steps = left.min(self.each);
                // Where rows end, the processor does not guess where they go on: the next piece of b's, which lie without a gap.
                let mut near = b.wrapping_add(if APART { self.each + self.b.leap } else { 0 });
                for s in 0..steps {
                    fetch(ahead);
                    if APART {
                        fetch(near);
                    }
                    let mut columns = [simd.splat_f32s(0.0); W];
                    for w in 0..W {
                        columns[w] = a.add(w * S::F32_LANES).cast::<S::f32s>().read_unaligned();
                    }
                    for m in 0..M {
                        let b = simd.splat_f32s(*b.add(m * self.b.step + s));
                        for w in 0..W {
                            sums[m][w] = simd.mul_add_e_f32s(b, columns[w], sums[m][w]);
                        }
                    }
                    (a, ahead, near) =
                        (a.wrapping_add(self.a.step), ahead.wrapping_add(self.ahead.step), near.wrapping_add(M));
                }
                (a, ahead) = (a.wrapping_add(self.a.leap), ahead.wrapping_add(self.ahead.leap));
                b = b.wrapping_add(steps + self.b.leap);
                left -= steps;
            }
            for m in 0..M {
                for w in 0..W {
                    let to = self.c.add(m * self.c_step + w * S::F32_LANES).cast::<S::f32s>();
                    let sum = if self.adds { simd.add_f32s(to.read_unaligned(), sums[m][w]) } else { sums[m][w] };
                    to.write_unaligned(sum);
                }
            }
        }
    }
}

/// Has the line of the cache fetched where a number is, if there is one.
#[inline(always)]
fn fetch(at: *const f32) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: this reads nothing that the program could see, and no address is wrong for it.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(at.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}
