//! Merging and mutating adapters, exactly in their effect ΔW = (α/r)·B·A.
//!
//! Merging A and B each for itself would not merge the effect: cross terms B₁A₂ would appear. Two ways that do:
//!
//! - **shared A**: every creature has the same A, so ΔW is linear in B, and `B = w·B₁ + (1 − w)·B₂` is exact;
//! - **free A and B**: `w·B₁A₁ + (1 − w)·B₂A₂ = [w·B₁ | (1 − w)·B₂]·[A₁ ; A₂]` has rank 2r at most. QR of both sides and an SVD of
//!   the 2r × 2r core give the best approximation of rank r (Eckart and Young 1936) without ever forming ΔW.
//!
//! This module does *not* know who mates with whom.

use std::sync::Arc;

use nalgebra::DMatrix;
use rand::{Rng, RngExt};
use rand_distr::{Distribution, StandardNormal};

use super::lora::{Adapter, AdapterLayout, Pair, Site};

/// A child's adapter, and the part of the merged adapters' energy that its rank had no room for.
#[derive(Debug, Clone)]
pub struct Merged {
    /// The adapter.
    pub adapter: Adapter,
    /// 1 − Σ of the kept squared singular values / Σ of all: 0 where the merge is exact.
    pub energy_lost: f64,
}

/// Merges two adapters of one layout: ΔW = share · ΔW₁ + (1 − share) · ΔW₂, matrix by matrix.
///
/// # Errors
/// A clause, where a matrix has no singular value decomposition (a number in it is not finite).
pub fn merge(layout: &AdapterLayout, first: &Adapter, second: &Adapter, share: f64) -> Result<Merged, String> {
    let (mut pairs, mut lost, mut all) = (Vec::with_capacity(layout.sites.len()), 0.0, 0.0);
    for (site, (one, two)) in layout.sites.iter().zip(first.pairs.iter().zip(&second.pairs)) {
        if one.a == two.a {
            let mix = |(x, y): (&f32, &f32)| blend(*x, *y, share);
            let b = one.b.iter().zip(two.b.iter()).map(mix).collect();
            pairs.push(Pair { a: Arc::clone(&one.a), b: Arc::new(b) });
            continue;
        }
        let core = merge_free(site, layout.rank, one, two, share)?;
        lost += core.lost;
        all += core.all;
        pairs.push(core.pair);
    }
    let energy_lost = if all > 0.0 { lost / all } else { 0.0 };
    Ok(Merged { adapter: Adapter { pairs }, energy_lost })
}

/// `share · x + (1 − share) · y`, and x itself where both are the same or the share is 1.
fn blend(x: f32, y: f32, share: f64) -> f32 {
    (f64::from(y) + share * (f64::from(x) - f64::from(y))) as f32
}

/// One matrix's child, and its energies.
struct Core {
    pair: Pair,
    lost: f64,
    all: f64,
}

fn merge_free(site: &Site, rank: usize, one: &Pair, two: &Pair, share: f64) -> Result<Core, String> {
    let matrix = |rows, columns, numbers: &[f32]| {
        DMatrix::from_row_iterator(rows, columns, numbers.iter().map(|x| f64::from(*x)))
    };
    // Left [out, 2r] and right [2r, in].
    let mut left = DMatrix::zeros(site.out, 2 * rank);
    left.columns_mut(0, rank).copy_from(&(matrix(site.out, rank, &one.b) * share));
    left.columns_mut(rank, rank).copy_from(&(matrix(site.out, rank, &two.b) * (1.0 - share)));
    let mut right = DMatrix::zeros(2 * rank, site.inner);
    right.rows_mut(0, rank).copy_from(&matrix(rank, site.inner, &one.a));
    right.rows_mut(rank, rank).copy_from(&matrix(rank, site.inner, &two.a));
    if left.iter().chain(right.iter()).any(|x| !x.is_finite()) {
        return Err(format!(
            "the adapter on {} of layer {} holds numbers that are not finite",
            site.target, site.layer
        ));
    }
    let (q_left, r_left) = left.qr().unpack();
    let (q_right, r_right) = right.transpose().qr().unpack();
    let svd = (r_left * r_right.transpose()).svd(true, true);
    let (Some(u), Some(v)) = (svd.u, svd.v_t) else {
        return Err(format!("the adapter on {} of layer {} has no singular values", site.target, site.layer));
    };
    let mut order: Vec<usize> = (0..svd.singular_values.len()).collect();
    order.sort_by(|x, y| svd.singular_values[*y].total_cmp(&svd.singular_values[*x]));
    let energy = |at: &usize| svd.singular_values[*at].powi(2);
    let kept = &order[..rank.min(order.len())];
    // Each side gets √σ, so that neither A nor B is far larger than the other.
    let (mut b, mut a) = (vec![0.0; site.out * rank], vec![0.0; rank * site.inner]);
    for (place, at) in kept.iter().enumerate() {
        let root = svd.singular_values[*at].sqrt();
        let (column, row) = (&q_left * u.column(*at) * root, &q_right * v.row(*at).transpose() * root);
        column.iter().enumerate().for_each(|(out, x)| b[out * rank + place] = *x as f32);
        row.iter().zip(&mut a[place * site.inner..]).for_each(|(x, a)| *a = *x as f32);
    }
    let lost = order[kept.len()..].iter().map(energy).sum();
    Ok(Core { pair: Pair { a: Arc::new(a), b: Arc::new(b) }, lost, all: order.iter().map(energy).sum() })
}

/// Adds noise to a part `rate` of the entries of every matrix of the genome: normal, with a standard deviation of `size` times the
/// root mean square of that matrix. With `with_a`, A is part of the genome.
pub fn mutate(adapter: &Adapter, rate: f64, size: f64, with_a: bool, draws: &mut impl Rng) -> Adapter {
    let mut noisy = |numbers: &Arc<Vec<f32>>| {
        let deviation = size * root_mean_square(numbers);
        if rate == 0.0 || deviation == 0.0 {
            return Arc::clone(numbers);
        }
        let mut one = |x: &f32| {
            if draws.random::<f64>() < rate {
                let noise: f64 = StandardNormal.sample(draws);
                (f64::from(*x) + deviation * noise) as f32
            } else {
                *x
            }
        };
        Arc::new(numbers.iter().map(&mut one).collect())
    };
    let pair = |pair: &Pair| {
        let a = if with_a { noisy(&pair.a) } else { Arc::clone(&pair.a) };
        Pair { a, b: noisy(&pair.b) }
    };
    Adapter { pairs: adapter.pairs.iter().map(pair).collect() }
}

fn root_mean_square(numbers: &[f32]) -> f64 {
    (numbers.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / numbers.len().max(1) as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::config::LoraTarget;

    const RANK: usize = 3;

    fn layout() -> AdapterLayout {
        let site = |layer, target, out, inner| Site { layer, target, out, inner };
        let sites = vec![site(0, LoraTarget::Q, 8, 10), site(0, LoraTarget::Down, 6, 12), site(1, LoraTarget::V, 7, 9)];
        AdapterLayout { rank: RANK, alpha: 6.0, sites }
    }

    fn adapter(draws: &mut ChaCha8Rng, a: Option<&Adapter>) -> Adapter {
        let mut numbers = |n: usize| Arc::new((0..n).map(|_| draws.random_range(-1.0..1.0)).collect::<Vec<f32>>());
        let pair = |(at, site): (usize, &Site)| Pair {
            a: a.map_or_else(|| numbers(RANK * site.inner), |a| Arc::clone(&a.pairs[at].a)),
            b: numbers(RANK * site.out),
        };
        Adapter { pairs: layout().sites.iter().enumerate().map(pair).collect() }
    }

    /// B·A of one site, `[out, in]`.
    fn effect(adapter: &Adapter, at: usize) -> DMatrix<f64> {
        let (site, pair) = (layout().sites[at], &adapter.pairs[at]);
        let matrix = |rows, columns, numbers: &[f32]| {
            DMatrix::from_row_iterator(rows, columns, numbers.iter().map(|x| f64::from(*x)))
        };
        matrix(site.out, RANK, &pair.b) * matrix(RANK, site.inner, &pair.a)
    }

    /// The largest |ΔW − expected| over all sites, relative to |expected|.
    fn apart(adapter: &Adapter, expected: impl Fn(usize) -> DMatrix<f64>) -> f64 {
        let one = |at| (effect(adapter, at) - expected(at)).norm() / expected(at).norm();
        (0..3).map(one).fold(0.0, f64::max)
    }

    proptest! {
        #[test]
        fn merging_is_exact_in_its_effect_where_a_is_shared(seed in any::<u64>(), share in 0.0..=1.0_f64) {
            let mut draws = ChaCha8Rng::seed_from_u64(seed);
            let p = adapter(&mut draws, None);
            let q = adapter(&mut draws, Some(&p));
            let child = merge(&layout(), &p, &q, share).unwrap();
            prop_assert_eq!(child.energy_lost, 0.0);
            let mix = |at| effect(&p, at) * share + effect(&q, at) * (1.0 - share);
            prop_assert!(apart(&child.adapter, mix) < 1e-6);
            let other = merge(&layout(), &q, &p, 1.0 - share).unwrap();
            prop_assert!(apart(&other.adapter, |at| effect(&child.adapter, at)) < 1e-6, "symmetric");
            prop_assert!(apart(&merge(&layout(), &p, &p, share).unwrap().adapter, |at| effect(&p, at)) == 0.0);
            prop_assert!(apart(&merge(&layout(), &p, &q, 1.0).unwrap().adapter, |at| effect(&p, at)) < 1e-7);
        }

        #[test]
        fn merging_free_a_and_b_is_the_best_that_the_rank_allows(seed in any::<u64>(), share in 0.05..0.95_f64) {
            let mut draws = ChaCha8Rng::seed_from_u64(seed);
            let (p, q) = (adapter(&mut draws, None), adapter(&mut draws, None));
            let child = merge(&layout(), &p, &q, share).unwrap();
            let (mut lost, mut all) = (0.0, 0.0);
            for at in 0..3 {
                let whole = effect(&p, at) * share + effect(&q, at) * (1.0 - share);
                // The slow way: singular values of ΔW itself.
                let mut values: Vec<f64> = whole.singular_values().iter().copied().collect();
                values.sort_by(|a, b| b.total_cmp(a));
                let rest: f64 = values[RANK..].iter().map(|s| s * s).sum();
                let gap = (effect(&child.adapter, at) - &whole).norm_squared();
                prop_assert!((gap - rest).abs() < 1e-4 * whole.norm_squared(), "{gap} and {rest}");
                lost += rest;
                all += whole.norm_squared();
            }
            prop_assert!((child.energy_lost - lost / all).abs() < 1e-5);
            // A copy in another basis has the same effect, and so is the same parent: nothing is lost.
            let turned = merge(&layout(), &p, &q, 1.0).unwrap();
            prop_assert!(turned.energy_lost < 1e-9 && apart(&turned.adapter, |at| effect(&p, at)) < 1e-5);
            let twins = merge(&layout(), &p, &turned.adapter, share).unwrap();
            prop_assert!(twins.energy_lost < 1e-9 && apart(&twins.adapter, |at| effect(&p, at)) < 1e-5);
            let other = merge(&layout(), &q, &p, 1.0 - share).unwrap();
            prop_assert!(apart(&other.adapter, |at| effect(&child.adapter, at)) < 1e-3, "symmetric");
        }
    }

    #[test]
    fn merging_a_and_b_apart_would_not_be_exact() {
        let mut draws = ChaCha8Rng::seed_from_u64(1);
        let (p, q) = (adapter(&mut draws, None), adapter(&mut draws, None));
        let half = |x: &Arc<Vec<f32>>, y: &Arc<Vec<f32>>| {
            Arc::new(x.iter().zip(y.iter()).map(|(x, y)| (x + y) / 2.0).collect())
        };
        let pairs =
            p.pairs.iter().zip(&q.pairs).map(|(p, q)| Pair { a: half(&p.a, &q.a), b: half(&p.b, &q.b) }).collect();
        let apart_merged = apart(&Adapter { pairs }, |at| (effect(&p, at) + effect(&q, at)) * 0.5);
        let exact = merge(&layout(), &p, &q, 0.5).unwrap();
        assert!(apart_merged > 0.5 && exact.energy_lost < 0.5, "{apart_merged} {}", exact.energy_lost);
    }

    #[test]
    fn mutations_are_as_many_and_as_large_as_set() {
        let mut draws = ChaCha8Rng::seed_from_u64(2);
        let pair =
            Pair { a: Arc::new(vec![1.0; 10]), b: Arc::new((0..100_000).map(|i| (i as f32).sin() * 3.0).collect()) };
        let parent = Adapter { pairs: vec![pair] };
        let child = mutate(&parent, 0.1, 0.2, false, &mut draws);
        let noise: Vec<f64> =
            parent.pairs[0].b.iter().zip(child.pairs[0].b.iter()).map(|(x, y)| f64::from(y - x)).collect();
        let moved: Vec<f64> = noise.into_iter().filter(|x| *x != 0.0).collect();
        // 10,000 of 100,000: a standard deviation is 95. The root mean square of 3·sin is 3/√2.
        assert!(moved.len().abs_diff(10_000) < 400, "{}", moved.len());
        let deviation = (moved.iter().map(|x| x * x).sum::<f64>() / moved.len() as f64).sqrt();
        assert!((deviation / (0.2 * 3.0 / 2_f64.sqrt()) - 1.0).abs() < 0.03, "{deviation}");
        assert!(Arc::ptr_eq(&child.pairs[0].a, &parent.pairs[0].a), "A is nobody's own");
        let with_a = mutate(&parent, 1.0, 0.2, true, &mut draws);
        assert!(with_a.pairs[0].a.iter().all(|a| *a != 1.0));
        // What is zero has no size to measure noise by.
        let blank = Adapter { pairs: vec![Pair { a: Arc::new(vec![1.0]), b: Arc::new(vec![0.0; 10]) }] };
        assert!(mutate(&blank, 1.0, 0.5, false, &mut draws).is_blank());
    }

    #[test]
    fn numbers_that_are_not_finite_are_not_merged() {
        let mut draws = ChaCha8Rng::seed_from_u64(3);
        let (p, mut q) = (adapter(&mut draws, None), adapter(&mut draws, None));
        Arc::make_mut(&mut q.pairs[1].b)[0] = f32::NAN;
        assert_eq!(
            merge(&layout(), &p, &q, 0.5).unwrap_err(),
            "the adapter on down of layer 0 holds numbers that are not finite"
        );
    }
}
