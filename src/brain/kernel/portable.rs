//! The product in int8 as every processor can do it, and as all others must: the same sums in the same order.

use super::{
    int8::Job,
    panel::{BLOCK, LINE, Panel, WholeRows},
};

/// Makes the job's columns of the product.
///
/// # Safety
/// As [`Job`].
pub(super) unsafe fn run<W: WholeRows>(job: &Job<W>, panel: &mut Panel) {
    let (inner, code, x) = (job.x.inner, job.weights.code(), job.x);
    let (blocks, groups, zero) = (inner / BLOCK, code.scales(), code.zero());
    panel.unpack(job.weights, job.columns.clone(), inner);
    panel.rows.iter_mut().for_each(|number| *number = number.wrapping_sub(zero));
    let rows = x
        .numbers
        .as_flattened()
        .chunks_exact(inner)
        .zip(x.scales.chunks_exact(blocks))
        .zip(x.totals.chunks_exact(blocks));
    for (row, ((numbers, scales), totals)) in rows.enumerate() {
        let mut sums = [0.0; LINE];
        for (c, sum) in sums.iter_mut().enumerate().take(job.columns.len()) {
            let w = panel.rows[c * inner..][..inner].chunks_exact(BLOCK / groups);
            let parts = w.zip(numbers.chunks_exact(BLOCK / groups)).zip(&panel.row_scales[c * blocks * groups..]);
            for (at, ((w, x), w_scale)) in parts.enumerate() {
                *sum += dot(x, w) as f32 * (w_scale * scales[at / groups]);
                if code.is_less() {
                    *sum -= panel.row_less[c * blocks + at] * totals[at];
                }
            }
        }
        // SAFETY: as the caller promises.
        unsafe { job.target.put(row, job.columns.clone(), &sums, job.adds) };
    }
}

/// Σ x·w, where w are signed bytes.
fn dot(x: &[i8], w: &[u8]) -> i32 {
    x.iter().zip(w).map(|(x, w)| i32::from(*x) * i32::from(*w as i8)).sum()
}
