//! Rows of numbers become columns, eight by eight.
//!
//! This module does *not* know what the numbers are.

#[cfg(target_arch = "x86_64")]
use pulp::{Simd, WithSimd};

/// Numbers of a side of what is turned at a time.
pub(super) const SIDE: usize = 8;

/// `SIDE` rows of as many numbers.
type Square = [[f32; SIDE]; SIDE];

/// Turns a matrix of whole squares: `to[c · to_step + r] = from[r · from_step + c]`, for r below `rows` and c below `columns`. Where there are
/// fewer rows than a square has, the others count as zero; columns come in whole squares.
///
/// # Panics
/// If a square would lie beyond `from` or `to`.
pub(super) fn turn(from: &[f32], from_step: usize, to: &mut [f32], to_step: usize, rows: usize, columns: usize) {
    assert!(rows <= SIDE && columns.is_multiple_of(SIDE), "whole squares");
    let job = Turn { from, from_step, to, to_step, rows, columns };
    #[cfg(target_arch = "x86_64")]
    if let Some(v3) = pulp::x86::V3::try_new() {
        return Simd::vectorize(v3, Wide { job, v3 });
    }
    job.make(plain);
}

/// What is turned.
struct Turn<'a> {
    from: &'a [f32],
    from_step: usize,
    to: &'a mut [f32],
    to_step: usize,
    rows: usize,
    columns: usize,
}

impl Turn<'_> {
    /// Turns it, square by square.
    #[inline(always)]
    fn make(self, turned: impl Fn(Square) -> Square) {
        for column in (0..self.columns).step_by(SIDE) {
            let mut square = [[0.0; SIDE]; SIDE];
            for (row, line) in square.iter_mut().enumerate().take(self.rows) {
                line.copy_from_slice(&self.from[row * self.from_step + column..][..SIDE]);
            }
            for (at, line) in turned(square).iter().enumerate() {
                self.to[(column + at) * self.to_step..][..SIDE].copy_from_slice(line);
            }
        }
    }
}

/// One square, number by number.
fn plain(square: Square) -> Square {
    std::array::from_fn(|column| std::array::from_fn(|row| square[row][column]))
}

/// The same with registers of eight numbers.
#[cfg(target_arch = "x86_64")]
struct Wide<'a> {
    job: Turn<'a>,
    v3: pulp::x86::V3,
}

#[cfg(target_arch = "x86_64")]
impl WithSimd for Wide<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let avx = self.v3.avx;
        self.job.make(
            #[inline(always)]
            |square| {
                let r = square.map(pulp::cast);
                // Numbers of two rows by turns, then of four, then of all.
                let (mut pairs, mut fours) = (r, r);
                for at in 0..SIDE / 2 {
                    pairs[2 * at] = avx._mm256_unpacklo_ps(r[2 * at], r[2 * at + 1]);
                    pairs[2 * at + 1] = avx._mm256_unpackhi_ps(r[2 * at], r[2 * at + 1]);
                }
                for half in [0, SIDE / 2] {
                    for at in 0..2 {
                        let (a, b) = (pairs[half + at], pairs[half + at + 2]);
                        fours[half + 2 * at] = avx._mm256_shuffle_ps::<0b01_00_01_00>(a, b);
                        fours[half + 2 * at + 1] = avx._mm256_shuffle_ps::<0b11_10_11_10>(a, b);
                    }
                }
                let mut all = r;
                for at in 0..SIDE / 2 {
                    let (a, b) = (fours[at], fours[at + SIDE / 2]);
                    all[at] = avx._mm256_permute2f128_ps::<0x20>(a, b);
                    all[at + SIDE / 2] = avx._mm256_permute2f128_ps::<0x31>(a, b);
                }
                all.map(pulp::cast)
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_columns() {
        let (rows, columns, from_step, to_step) = (SIDE, 24, 29, 11);
        let from: Vec<f32> = (0..rows * from_step).map(|at| at as f32).collect();
        for rows in [0, 1, 5, 8] {
            let mut to = vec![-1.0; columns * to_step];
            turn(&from, from_step, &mut to, to_step, rows, columns);
            for (at, number) in to.iter().enumerate() {
                let (column, row) = (at / to_step, at % to_step);
                let expected = match row {
                    _ if row >= SIDE => -1.0,
                    _ if row >= rows => 0.0,
                    _ => (row * from_step + column) as f32,
                };
                assert_eq!(*number, expected, "{rows} rows: row {row}, column {column}");
            }
        }
        // By hand and with registers of eight the same.
        let square = std::array::from_fn(|row| std::array::from_fn(|column| (row * SIDE + column) as f32));
        let mut to = vec![0.0; SIDE * SIDE];
        turn(square.as_flattened(), SIDE, &mut to, SIDE, SIDE, SIDE);
        assert_eq!(to, plain(square).as_flattened());
    }
}
