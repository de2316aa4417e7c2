//! Tiles of a product in int8: some rows by two registers of columns, whose sums stay in registers from the first block to the last.
//!
//! This module does *not* know which instructions its registers stand for.

use super::{
    int8::Job,
    panel::{BLOCK, Code, LINE, Panel, STEPS, WholeRows},
};

/// Registers of a set of instructions, and what is done with them.
///
/// # Safety
/// Every function needs a processor that has these instructions, and pointers to as many numbers as it reads or writes.
pub(super) trait Lanes {
    /// Numbers of 32 bits in a register.
    const LANES: usize;
    /// Steps that may be summed before [`Lanes::end`] for whole numbers up to `most`; none, where they must come in halves.
    const STEPS: fn(most: u32) -> usize;
    /// A register, or several, of whole numbers.
    type Whole: Copy;
    /// The same of real numbers.
    type Real: Copy;

    /// Four whole numbers of each column.
    unsafe fn fours(at: *const u32) -> Self::Whole;
    /// Four numbers of a row, for every column.
    unsafe fn four(at: *const [i8; 4]) -> Self::Whole;
    /// A whole number for every column.
    unsafe fn whole(at: *const i32) -> Self::Whole;
    /// What sums begin with that begin at `start`.
    unsafe fn begin(start: Self::Whole) -> Self::Whole;
    /// Sums, and the products of four numbers, up to `most` in the form that [`Instructions`](super::instructions::Instructions) lay them out
    /// in, with four.
    unsafe fn step(sum: Self::Whole, w: Self::Whole, x: Self::Whole, most: u32) -> Self::Whole;
    /// Sums of numbers up to `most`, or of the upper halves of bytes where `upper`, with what they were to begin with, `start`, where numbers
    /// have not been made less by their zero.
    unsafe fn end(sum: Self::Whole, start: Self::Whole, most: u32, upper: bool) -> Self::Whole;
    /// Real numbers, one of each column.
    unsafe fn reals(at: *const f32) -> Self::Real;
    /// A real number for every column.
    unsafe fn real(at: *const f32) -> Self::Real;
    /// `sum + whole · (w · x)`, each operation rounded.
    unsafe fn plus(sum: Self::Real, whole: Self::Whole, w: Self::Real, x: Self::Real) -> Self::Real;
    /// `sum − w · x`, each operation rounded.
    unsafe fn minus(sum: Self::Real, w: Self::Real, x: Self::Real) -> Self::Real;
    /// Zeros.
    unsafe fn zero() -> Self::Real;
    /// Writes the numbers.
    unsafe fn store(at: *mut f32, numbers: Self::Real);
    /// Has the line of the cache fetched in which something will be written.
    unsafe fn ahead(at: *const f32);
}

/// Implements [`Lanes`] with one intrinsic or expression for each function.
macro_rules! lanes {
    ($(#[doc = $doc:literal])+ $name:ident {
        $lanes:literal lanes of $whole:ident and $real:ident, steps $steps:expr,
        $($function:ident($($argument:ident: $type:ty),*) -> $result:ty = $body:expr;)+
    }) => {
        $(#[doc = $doc])+
        struct $name;

        impl $crate::brain::kernel::tile::Lanes for $name {
            const LANES: usize = $lanes;
            const STEPS: fn(u32) -> usize = $steps;
            type Whole = $whole;
            type Real = $real;
            $(
                #[inline(always)]
                unsafe fn $function($($argument: $type),*) -> $result {
                    // SAFETY: the caller answers for the instructions and the pointers.
                    #[allow(unused_unsafe, reason = "some bodies are no more than an argument")]
                    unsafe { $body }
                }
            )+
        }
    };
}
pub(super) use lanes;

/// Makes the job's columns of the product, with tiles of `M` rows, for which its rows must be laid out.
///
/// # Safety
/// As [`Lanes`] and [`Job`].
#[inline(always)]
pub(super) unsafe fn run<L: Lanes, W: WholeRows, const M: usize>(job: &Job<W>, panel: &mut Panel) {
    let (code, inner) = (job.weights.code(), job.x.inner);
    let form = job.x.with.form(code);
    panel.fill(job.weights, job.columns.clone(), inner, 2 * L::LANES / LINE, form);
    let x = job.x;
    let (tiles, blocks) = (x.rows.div_ceil(M), inner / BLOCK);
    // What the pointers of a tile will read.
    assert!(
        x.with.rows() == M && x.with.lines() == 2 * L::LANES / LINE && x.numbers.len() == tiles * blocks * STEPS * M
    );
    assert!(x.scales.len() == tiles * blocks * M && x.totals.len() == x.scales.len());
    assert!(x.starts.len() == x.scales.len() * code.scales());
    // SAFETY: the caller's promises, and the lengths just held.
    unsafe {
        match code {
            Code::Four => rows::<L, W, M, 15, 1, false>(job, panel),
            Code::FourLess => rows::<L, W, M, 15, 1, true>(job, panel),
            Code::Five => rows::<L, W, M, 31, 1, false>(job, panel),
            Code::FiveLess => rows::<L, W, M, 31, 1, true>(job, panel),
            Code::Six => rows::<L, W, M, 63, 2, false>(job, panel),
            Code::Eight => rows::<L, W, M, 255, 1, false>(job, panel),
        }
    }
}

/// All rows, for whole numbers up to `MOST`, `GROUPS` scales for a block, and something to subtract where `LESS`.
#[inline(always)]
unsafe fn rows<L: Lanes, W, const M: usize, const MOST: u32, const GROUPS: usize, const LESS: bool>(
    job: &Job<W>,
    panel: &Panel,
) {
    let mut sums = [[0.0; 2 * LINE]; M];
    for row in (0..job.x.rows).step_by(M) {
        // SAFETY: the caller's promises; a row of `sums` has room for two registers.
        unsafe {
            for row in row..(row + M).min(job.x.rows) {
                for line in job.columns.clone().step_by(LINE) {
                    L::ahead(job.target.at(row, line));
                }
            }
            tile::<L, W, M, MOST, GROUPS, LESS>(job, panel, row, &mut sums);
            for (row, sums) in (row..job.x.rows).zip(&sums) {
                job.target.put(row, job.columns.clone(), sums, job.adds);
            }
        }
    }
}

/// `M` rows from `row` on.
#[inline(always)]
unsafe fn tile<L: Lanes, W, const M: usize, const MOST: u32, const GROUPS: usize, const LESS: bool>(
    job: &Job<W>,
    panel: &Panel,
    row: usize,
    sums: &mut [[f32; 2 * LINE]; M],
) {
    let (x, blocks) = (job.x, job.x.inner / BLOCK);
    // SAFETY: `run` has held the lengths of everything read here, block by block to the end.
    unsafe {
        let mut fours = x.numbers.as_ptr().add(row * blocks * STEPS);
        let mut x_scale = x.scales.as_ptr().add(row * blocks);
        let mut totals = x.totals.as_ptr().add(row * blocks);
        let mut starts = x.starts.as_ptr().add(row * blocks * GROUPS);
        let mut w = panel.numbers.as_ptr().cast::<u32>();
        let mut w_scale = panel.scales.as_ptr().cast::<f32>();
        let mut less = panel.less.as_ptr().cast::<f32>();
        let mut all = [[L::zero(); 2]; M];
        for _ in 0..blocks {
            for _ in 0..GROUPS {
                let whole = group::<L, M, MOST, GROUPS>(&mut w, fours, starts);
                (fours, starts) = (fours.add(STEPS / GROUPS * M), starts.add(M));
                let scales = [L::reals(w_scale), L::reals(w_scale.add(L::LANES))];
                w_scale = w_scale.add(2 * L::LANES);
                for r in 0..M {
                    let x = L::real(x_scale.add(r));
                    for v in 0..2 {
                        all[r][v] = L::plus(all[r][v], whole[r][v], scales[v], x);
                    }
                }
            }
            if LESS {
                let lesses = [L::reals(less), L::reals(less.add(L::LANES))];
                less = less.add(2 * L::LANES);
                for r in 0..M {
                    let total = L::real(totals.add(r));
                    for v in 0..2 {
                        all[r][v] = L::minus(all[r][v], lesses[v], total);
                    }
                }
            }
            (x_scale, totals) = (x_scale.add(M), totals.add(M));
        }
        for (all, sums) in all.iter().zip(sums) {
            L::store(sums.as_mut_ptr(), all[0]);
            L::store(sums.as_mut_ptr().add(L::LANES), all[1]);
        }
    }
}

/// The sums of whole numbers of a block, or of a half of it where it has two scales.
#[inline(always)]
unsafe fn group<L: Lanes, const M: usize, const MOST: u32, const GROUPS: usize>(
    w: &mut *const u32,
    fours: *const [i8; 4],
    starts: *const i32,
) -> [[L::Whole; 2]; M] {
    let all = STEPS / GROUPS;
    let each = (L::STEPS)(MOST).min(all);
    // Bytes in halves are gone through twice, the lower ones first.
    let (each, parts) = if each == 0 { (all, 2) } else { (each, all / each) };
    // SAFETY: as `tile`.
    unsafe {
        // Loops, since closures that are not inlined would put all registers into memory.
        let mut whole = [[L::whole(starts); 2]; M];
        for r in 1..M {
            whole[r] = [L::whole(starts.add(r)); 2];
        }
        for part in 0..parts {
            let begun = whole;
            let mut sums = begun;
            for r in 0..M {
                for v in 0..2 {
                    sums[r][v] = L::begin(begun[r][v]);
                }
            }
            for step in 0..each {
                let two = [L::fours(*w), L::fours(w.add(L::LANES))];
                *w = w.add(2 * L::LANES);
                let at = (part * each + step) % all;
                for r in 0..M {
                    let x = L::four(fours.add(at * M + r));
                    for v in 0..2 {
                        sums[r][v] = L::step(sums[r][v], two[v], x, MOST);
                    }
                }
            }
            let upper = (L::STEPS)(MOST) == 0 && part == 1;
            for r in 0..M {
                for v in 0..2 {
                    whole[r][v] = L::end(sums[r][v], begun[r][v], MOST, upper);
                }
            }
        }
        whole
    }
}
