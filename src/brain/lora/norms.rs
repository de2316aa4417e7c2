//! How much an adapter changes each matrix.

use super::{Adapter, AdapterLayout, Pair, Site};

/// How much one matrix is changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SiteNorm {
    /// The matrix.
    pub site: Site,
    /// Frobenius norm of ΔW = (α/r)·B·A: √Σ of its squared entries.
    pub norm: f64,
}

impl AdapterLayout {
    /// The Frobenius norm of every ΔW of an adapter of this layout, without forming any:
    /// `‖B·A‖² = Σ (BᵀB)ᵢⱼ·(A·Aᵀ)ᵢⱼ`, with two matrices of r × r.
    pub fn norms(&self, adapter: &Adapter) -> Vec<SiteNorm> {
        let norm = |(site, pair): (&Site, &Pair)| SiteNorm { site: *site, norm: self.norm(pair) };
        self.sites.iter().zip(&adapter.pairs).map(norm).collect()
    }

    fn norm(&self, pair: &Pair) -> f64 {
        let rank = self.rank.max(1);
        let inner = pair.a.len() / rank;
        let mut squares = 0.0;
        for i in 0..rank {
            for j in 0..rank {
                // B [out, r] by columns, A [r, in] by rows.
                let columns = pair.b.chunks_exact(rank).map(|row| f64::from(row[i]) * f64::from(row[j])).sum::<f64>();
                let row = |at: usize| pair.a.get(at * inner..(at + 1) * inner).unwrap_or_default().iter();
                let rows = row(i).zip(row(j)).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
                squares += columns * rows;
            }
        }
        // Rounding may leave a hair below nothing.
        f64::from(self.scale()) * squares.max(0.0).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::LoraTarget;

    #[test]
    fn the_norm_is_that_of_the_product() {
        // B = [[1, 2], [0, −1], [3, 1]], A = [[2, 0], [1, −1]]: B·A = [[4, −2], [−1, 1], [7, −1]], whose squares sum to 72.
        let site = Site { layer: 1, target: LoraTarget::Q, out: 3, inner: 2 };
        let layout = AdapterLayout { rank: 2, alpha: 6.0, sites: vec![site, site] };
        let pair = |b: [f32; 6]| Pair { a: Arc::new(vec![2.0, 0.0, 1.0, -1.0]), b: Arc::new(b.to_vec()) };
        let adapter = Adapter { pairs: vec![pair([1.0, 2.0, 0.0, -1.0, 3.0, 1.0]), pair([0.0; 6])] };
        let norms = layout.norms(&adapter);
        assert!((norms[0].norm - 3.0 * 72_f64.sqrt()).abs() < 1e-12, "{norms:?}");
        assert_eq!((norms[0].site, norms[1].norm), (site, 0.0));
    }
}
