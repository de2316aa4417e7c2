//! Adam (Kingma and Ba 2014, arXiv:1412.6980) for one adapter, with the gradient's length limited (Pascanu et al. 2012,
//! arXiv:1211.5063).
//!
//! An update that would put a number into an adapter that is not finite is refused, and nothing changes.
//!
//! This module does *not* know where gradients come from.

use std::sync::Arc;

use super::super::{
    kernel::{wide, with_each},
    lora::{Adapter, Pair},
    offload::Kept,
};
use crate::protocol::LearningRule;

const BETA_1: f64 = 0.9;
const BETA_2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// One number per trained number, site by site: A's, where A is trained, and then B's.
pub type Numbers = Vec<Vec<f32>>;

/// Adam's running means for one adapter.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Moments {
    /// Updates so far.
    pub steps: u64,
    /// Running mean of the gradient, site by site as [`Numbers`]; empty before the first update.
    pub first: Vec<Kept>,
    /// Running mean of its square.
    pub second: Vec<Kept>,
}

impl Moments {
    /// Whether they are those of a B, or of an A and a B, or there are none yet.
    pub fn fits(&self, adapter: &Adapter) -> bool {
        let fits = |numbers: &[Kept]| {
            let of = |(numbers, pair): (&Kept, &Pair)| {
                numbers.len() == pair.b.len() || numbers.len() == pair.a.len() + pair.b.len()
            };
            numbers.is_empty() || (numbers.len() == adapter.pairs.len() && numbers.iter().zip(&adapter.pairs).all(of))
        };
        fits(&self.first) && fits(&self.second)
    }

    /// Bytes that they take in memory.
    pub fn bytes(&self) -> usize {
        self.first.iter().chain(&self.second).map(Kept::bytes).sum()
    }
}

/// The length of a gradient: √Σg².
pub fn norm(gradient: &Numbers) -> f64 {
    gradient.iter().flatten().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt()
}

/// One update: the adapter and the moments after it. `gradient` is in the order of [`Numbers`].
///
/// `m ← β₁m + (1 − β₁)g`, `v ← β₂v + (1 − β₂)g²`, `θ ← θ − η · m̂ / (√v̂ + ε)`, where g is scaled down to the rule's longest
/// gradient and m̂, v̂ are m and v without their bias towards zero.
///
/// # Errors
/// A clause that says what would not be finite, or that the moments cannot be read back; nothing has changed then.
pub fn update(
    adapter: &Adapter,
    moments: &Moments,
    gradient: &Numbers,
    rule: &LearningRule,
    with_a: bool,
) -> Result<(Adapter, Moments), String> {
    if gradient.len() != adapter.pairs.len() {
        return Err("its gradient belongs to another adapter".to_owned());
    }
    let length = norm(gradient);
    if !length.is_finite() {
        return Err("its gradient is not finite".to_owned());
    }
    let next = Next {
        adapter,
        moments,
        gradient,
        scale: if length > rule.gradient_clip { rule.gradient_clip / length } else { 1.0 },
        steps: moments.steps + 1,
        learning_rate: rule.learning_rate,
        with_a,
    };
    let mut sites: Vec<_> = gradient.iter().map(|_| None).collect();
    let numbers = gradient.iter().map(Vec::len).sum::<usize>();
    // One number is less work than elsewhere; and agents of a small model are divided among threads already.
    with_each(numbers / 2, sites.iter_mut().enumerate(), |(site, found)| *found = Some(next.site(site)));
    let mut pairs = Vec::with_capacity(sites.len());
    let mut moments = Moments { steps: next.steps, ..Moments::default() };
    for site in sites.into_iter().flatten() {
        let (pair, [first, second]) = site?;
        pairs.push(pair);
        moments.first.push(first.into());
        moments.second.push(second.into());
    }
    Ok((Adapter { pairs }, moments))
}

/// An update under way.
struct Next<'a> {
    adapter: &'a Adapter,
    moments: &'a Moments,
    gradient: &'a Numbers,
    /// What the gradient is multiplied with.
    scale: f64,
    steps: u64,
    learning_rate: f64,
    with_a: bool,
}

impl Next<'_> {
    /// One site's pair and moments after it, or what would not be finite.
    fn site(&self, site: usize) -> Result<(Pair, [Vec<f32>; 2]), String> {
        let (pair, gradient) = (&self.adapter.pairs[site], &self.gradient[site]);
        let (mut a, mut b) = (if self.with_a { pair.a.to_vec() } else { Vec::new() }, pair.b.to_vec());
        let split = a.len();
        let mut first = self.means(self.moments.first.get(site), gradient, split, |g| (BETA_1, g))?;
        let mut second = self.means(self.moments.second.get(site), gradient, split, |g| (BETA_2, g * g))?;
        for (weights, own) in [(&mut a, 0..split), (&mut b, split..gradient.len())] {
            let moments = [&mut first[own.clone()], &mut second[own.clone()]];
            wide(
                #[inline(always)]
                || self.adam(weights, &gradient[own], moments),
            );
        }
        if !a.iter().chain(&b).all(|weight| weight.is_finite()) {
            return Err("a weight would not be finite".to_owned());
        }
        let a = if self.with_a { Arc::new(a) } else { Arc::clone(&pair.a) };
        Ok((Pair { a, b: Arc::new(b) }, [first, second]))
    }

    /// A running mean of what `of` says is averaged of each gradient, with which decay, as it was before this update: of A's numbers, of
    /// which there are `split`, and of B's.
    fn means(
        &self,
        known: Option<&Kept>,
        gradient: &[f32],
        split: usize,
        of: impl Fn(f64) -> (f64, f64),
    ) -> Result<Vec<f32>, String> {
        // Where A has come to be trained, or is not trained any more, B's mean stays. What has none is taken to have had this
        // gradient in all updates before: after the first, that is none.
        let before = i32::try_from(self.steps - 1).unwrap_or(i32::MAX);
        let anew = |g: &f32| {
            let (beta, averaged) = of(f64::from(*g) * self.scale);
            ((1.0 - beta.powi(before)) * averaged) as f32
        };
        let of_b = gradient.len() - split;
        let Some(known) = known.filter(|known| known.len() >= of_b) else {
            return Ok(gradient.iter().map(anew).collect());
        };
        let known = known.read().map(Arc::unwrap_or_clone).map_err(|error| error.to_string())?;
        if known.len() == gradient.len() {
            return Ok(known);
        }
        Ok(gradient[..split].iter().map(anew).chain(known[known.len() - of_b..].iter().copied()).collect())
    }

    /// The update of some weights and their moments.
    #[inline(always)]
    fn adam(&self, weights: &mut [f32], gradient: &[f32], [first, second]: [&mut [f32]; 2]) {
        let unbias = |beta: f64| 1.0 - beta.powi(i32::try_from(self.steps).unwrap_or(i32::MAX));
        let (unbias_1, unbias_2) = (unbias(BETA_1), unbias(BETA_2));
        for (((weight, g), m), v) in weights.iter_mut().zip(gradient).zip(first).zip(second) {
            let g = f64::from(*g) * self.scale;
            let (mean, square) = (
                BETA_1.mul_add(f64::from(*m), (1.0 - BETA_1) * g),
                BETA_2.mul_add(f64::from(*v), (1.0 - BETA_2) * g * g),
            );
            let step = self.learning_rate * (mean / unbias_1) / ((square / unbias_2).sqrt() + EPSILON);
            *weight = (f64::from(*weight) - step) as f32;
            (*m, *v) = (mean as f32, square as f32);
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};
    use candle_nn::{AdamW, Optimizer, ParamsAdamW};

    use super::*;

    fn adapter() -> Adapter {
        Adapter { pairs: vec![Pair { a: Arc::new(vec![0.5, -0.5]), b: Arc::new(vec![1.0, 2.0, 3.0]) }] }
    }

    fn rule() -> LearningRule {
        LearningRule { learning_rate: 0.1, gradient_clip: 1e9, ..LearningRule::default() }
    }

    #[test]
    fn the_first_step_by_hand() {
        // Without bias m̂ = g and v̂ = g²: every weight moves by the learning rate against the sign of its gradient.
        let (after, moments) =
            update(&adapter(), &Moments::default(), &vec![vec![4.0, -0.01, 0.0]], &rule(), false).unwrap();
        let b = &after.pairs[0].b;
        assert!((b[0] - 0.9).abs() < 1e-6 && (b[1] - 2.1).abs() < 1e-5 && b[2] == 3.0, "{b:?}");
        assert_eq!(after.pairs[0].a, adapter().pairs[0].a);
        assert_eq!((moments.steps, moments.first[0].len()), (1, 3));
        assert!(
            (moments.first[0].read().unwrap()[0] - 0.4).abs() < 1e-6
                && (moments.second[0].read().unwrap()[0] - 0.016).abs() < 1e-6
        );
    }

    #[test]
    fn ten_steps_equal_candles_adam() {
        let weights = Var::from_slice(&[1_f32, 2.0, 3.0], 3, &Device::Cpu).unwrap();
        let params = ParamsAdamW { lr: 0.1, weight_decay: 0.0, ..ParamsAdamW::default() };
        let mut theirs = AdamW::new(vec![weights.clone()], params).unwrap();
        let (mut ours, mut moments) = (adapter(), Moments::default());
        for step in 0..10 {
            // The loss Σ w³·(step + 1): the gradient is 3w²·(step + 1).
            let factor = f64::from(step + 1);
            theirs.backward_step(&(weights.powf(3.0).unwrap().sum_all().unwrap() * factor).unwrap()).unwrap();
            let gradient = ours.pairs[0].b.iter().map(|w| 3.0 * w * w * factor as f32).collect();
            (ours, moments) = update(&ours, &moments, &vec![gradient], &rule(), false).unwrap();
        }
        let theirs: Vec<f32> = weights.to_vec1().unwrap();
        assert!(ours.pairs[0].b.iter().zip(&theirs).all(|(a, b)| (a - b).abs() < 1e-5), "{ours:?} {theirs:?}");
    }

    #[test]
    fn a_long_gradient_is_scaled_down() {
        let clipped = LearningRule { gradient_clip: 1.0, ..rule() };
        let (_, moments) =
            update(&adapter(), &Moments::default(), &vec![vec![3.0, 4.0, 0.0]], &clipped, false).unwrap();
        assert!(
            (moments.first[0].read().unwrap()[0] - 0.06).abs() < 1e-6
                && (moments.first[0].read().unwrap()[1] - 0.08).abs() < 1e-6
        );
    }

    #[test]
    fn what_is_not_finite_is_refused() {
        for bad in [f32::NAN, f32::INFINITY] {
            let refused = update(&adapter(), &Moments::default(), &vec![vec![bad, 0.0, 0.0]], &rule(), false);
            assert_eq!(refused.unwrap_err(), "its gradient is not finite");
        }
        let far = LearningRule { learning_rate: f64::MAX, ..rule() };
        let refused = update(&adapter(), &Moments::default(), &vec![vec![1.0, 1.0, 1.0]], &far, false);
        assert_eq!(refused.unwrap_err(), "a weight would not be finite");
    }

    #[test]
    fn moments_of_b_stay_where_a_comes_to_be_trained_or_not() {
        let (before, of_b) =
            update(&adapter(), &Moments::default(), &vec![vec![1.0, 1.0, 1.0]], &rule(), false).unwrap();
        let gradient = vec![vec![1.0, -1.0, 1.0, 0.0, 0.0]];
        let (after, moments) = update(&before, &of_b, &gradient, &rule(), true).unwrap();
        assert_eq!((moments.steps, moments.first[0].len(), moments.second[0].len()), (2, 5, 5));
        let first = moments.first[0].read().unwrap();
        // B's: 0.9 · 0.1 + 0.1 · g. A's, as if it had had this gradient before: (1 − 0.9²) · g.
        let close = |a: &[f32], b: &[f32]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6);
        assert!(close(&first, &[0.19, -0.19, 0.19, 0.09, 0.09]), "{first:?}");
        // So A's first step is as long as any first one: the learning rate.
        let a = &after.pairs[0].a;
        assert!((a[0] - 0.4).abs() < 1e-5 && (a[1] + 0.4).abs() < 1e-5, "{a:?}");
        let (_, of_b) = update(&after, &moments, &vec![vec![0.0, 1.0, 0.0]], &rule(), false).unwrap();
        let first = of_b.first[0].read().unwrap();
        assert!(close(&first, &[0.171, 0.181, 0.081]), "{first:?}");
    }

    #[test]
    fn a_moves_where_it_is_trained() {
        let (after, moments) =
            update(&adapter(), &Moments::default(), &vec![vec![1.0, -1.0, 1.0, 0.0, 0.0]], &rule(), true).unwrap();
        assert!((after.pairs[0].a[0] - 0.4).abs() < 1e-5 && (after.pairs[0].a[1] + 0.4).abs() < 1e-5);
        assert!((after.pairs[0].b[0] - 0.9).abs() < 1e-5 && after.pairs[0].b[1] == 2.0);
        assert_eq!(moments.first[0].len(), 5);
    }
}
