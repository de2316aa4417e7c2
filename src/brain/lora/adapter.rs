//! One agent's adapter, and which matrices adapters sit on.

use std::{ops::Range, sync::Arc};

use candle_core::Device;
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use super::grouped::{ActiveAdapters, Group, Grouped};
use crate::{
    brain::error::{BrainError, Result},
    config::{LoraLayers, LoraSettings, LoraTarget},
};

/// A matrix that can be adapted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// The layer, counted from the bottom.
    pub layer: usize,
    /// The matrix.
    pub target: LoraTarget,
    /// Entries of its result.
    pub out: usize,
    /// Entries of its input.
    pub inner: usize,
}

/// Rank, scale and sites that all adapters of a population share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AdapterLayout {
    /// r.
    pub rank: usize,
    /// α; the adapter's part is scaled by α/r.
    pub alpha: f32,
    /// The matrices that are adapted.
    pub sites: Vec<Site>,
}

/// A `[r, in]` and B `[out, r]` of one matrix, as f32 masters.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// A `[r, in]`; shared among agents where only B is a creature's own.
    pub a: Arc<Vec<f32>>,
    /// B `[out, r]`.
    pub b: Arc<Vec<f32>>,
}

/// One adapter: a pair for every site of its layout, in that order.
#[derive(Debug, Clone, PartialEq)]
pub struct Adapter {
    /// The pairs.
    pub pairs: Vec<Pair>,
}

impl Adapter {
    /// Whether it changes nothing: B is zero everywhere.
    pub fn is_blank(&self) -> bool {
        self.pairs.iter().all(|pair| pair.b.iter().all(|b| *b == 0.0))
    }

    /// Bytes that its numbers take, those that it shares among them.
    pub fn bytes(&self) -> usize {
        self.pairs.iter().map(|pair| (pair.a.len() + pair.b.len()) * size_of::<f32>()).sum()
    }

    /// The same adapter, with a number from ±`spread` added to every entry of B.
    #[must_use]
    pub fn varied(&self, spread: f32, draws: &mut impl Rng) -> Self {
        if spread == 0.0 {
            return self.clone();
        }
        let vary = |pair: &Pair| {
            let b = pair.b.iter().map(|b| b + draws.random_range(-spread..=spread)).collect();
            Pair { a: Arc::clone(&pair.a), b: Arc::new(b) }
        };
        Self { pairs: self.pairs.iter().map(vary).collect() }
    }
}

impl AdapterLayout {
    /// The lowest layer that has an adapter.
    pub fn lowest(&self) -> Option<usize> {
        self.sites.iter().map(|site| site.layer).min()
    }

    /// The sites that the settings choose among `all` sites of a model with `layers` layers.
    ///
    /// # Errors
    /// The model has none of the matrices that the settings name.
    pub fn choose(settings: &LoraSettings, all: &[Site], layers: usize) -> Result<Self> {
        let first = match settings.layers {
            LoraLayers::All(_) => 0,
            LoraLayers::Top(n) => layers.saturating_sub(n as usize),
        };
        let chosen = |site: &&Site| site.layer >= first && settings.targets.contains(&site.target);
        let sites: Vec<_> = all.iter().filter(chosen).copied().collect();
        if sites.is_empty() && !settings.targets.is_empty() && first < layers {
            let words: Vec<_> = settings.targets.iter().map(|target| target.word()).collect();
            return Err(BrainError::Setting(format!("This model has none of the matrices {}", words.join(", "))));
        }
        Ok(Self { rank: settings.rank as usize, alpha: settings.alpha as f32, sites })
    }

    /// α/r.
    pub fn scale(&self) -> f32 {
        self.alpha / self.rank as f32
    }

    /// Whether an adapter has this rank and these sites, and finite numbers.
    pub fn fits(&self, adapter: &Adapter) -> bool {
        let finite = |numbers: &[f32]| numbers.iter().all(|number| number.is_finite());
        let fits = |(site, pair): (&Site, &Pair)| {
            pair.a.len() == self.rank * site.inner
                && pair.b.len() == self.rank * site.out
                && finite(&pair.a)
                && finite(&pair.b)
        };
        adapter.pairs.len() == self.sites.len() && self.sites.iter().zip(&adapter.pairs).all(fits)
    }

    /// Bytes that one adapter takes, without what it shares.
    pub fn bytes(&self, shares_a: bool) -> usize {
        let numbers = self.sites.iter().map(|site| self.rank * (site.out + if shares_a { 0 } else { site.inner }));
        numbers.sum::<usize>() * size_of::<f32>()
    }

    /// A new adapter that changes nothing: B is zero.
    pub fn blank(&self, a: &[Arc<Vec<f32>>]) -> Adapter {
        let pair = |(site, a): (&Site, &Arc<Vec<f32>>)| Pair {
            a: Arc::clone(a),
            b: Arc::new(vec![0.0; site.out * self.rank]),
        };
        Adapter { pairs: self.sites.iter().zip(a).map(pair).collect() }
    }

    /// What a batch needs in which `rows` belong to each adapter; the rows lie one after the other. An adapter whose B
    /// is zero costs nothing.
    pub fn activate(&self, owners: &[(Range<usize>, &Adapter)]) -> ActiveAdapters {
        let mut active = ActiveAdapters::none();
        for (at, site) in self.sites.iter().enumerate() {
            let groups = groups(at, owners, |pair| pair.b.iter().any(|b| *b != 0.0));
            if !groups.is_empty() {
                active.set(site.layer, site.target, Grouped::new(self.rank, self.scale(), groups));
            }
        }
        active
    }

    /// The same for a training step, on whose tape every adapter is, blank ones too; with its A, or B alone.
    ///
    /// # Errors
    /// There is no room.
    pub fn activate_to_train(
        &self,
        owners: &[(Range<usize>, &Adapter)],
        with_a: bool,
        device: &Device,
    ) -> Result<ActiveAdapters> {
        let mut active = ActiveAdapters::none();
        for (at, site) in self.sites.iter().enumerate() {
            let grouped = Grouped::new(self.rank, self.scale(), groups(at, owners, |_| true));
            active.set(site.layer, site.target, grouped.in_training(with_a, device));
        }
        Ok(active)
    }
}

/// The groups of one site, of those adapters whose pair `counts`.
fn groups(at: usize, owners: &[(Range<usize>, &Adapter)], counts: impl Fn(&Pair) -> bool) -> Vec<Group> {
    let group = |(rows, adapter): &(Range<usize>, &Adapter)| {
        let pair = adapter.pairs.get(at).filter(|pair| counts(pair))?;
        Some(Group { rows: rows.clone(), a: Arc::clone(&pair.a), b: Arc::clone(&pair.b) })
    };
    owners.iter().filter_map(group).collect()
}

/// A for every site, drawn uniformly from ±1/√in: PEFT's `kaiming_uniform_(a = √5)`. One for everybody, or one each.
pub fn shared_a(layout: &AdapterLayout, draws: &mut impl Rng) -> Vec<Arc<Vec<f32>>> {
    let draw = |site: &Site, draws: &mut _| {
        let most = (site.inner as f32).sqrt().recip();
        (0..layout.rank * site.inner).map(|_| RngExt::random_range(draws, -most..=most)).collect()
    };
    layout.sites.iter().map(|site| Arc::new(draw(site, draws))).collect()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::config::AllLayers;

    fn sites() -> Vec<Site> {
        let targets = [(LoraTarget::Q, 6, 4), (LoraTarget::Down, 4, 8)];
        (0..3).flat_map(|layer| targets.map(|(target, out, inner)| Site { layer, target, out, inner })).collect()
    }

    fn choose(targets: &[LoraTarget], layers: LoraLayers) -> Result<AdapterLayout> {
        let settings = LoraSettings { rank: 2, targets: targets.to_vec(), layers, ..LoraSettings::default() };
        AdapterLayout::choose(&settings, &sites(), 3)
    }

    #[test]
    fn settings_choose_the_matrices() {
        let all =
            choose(&[LoraTarget::Q, LoraTarget::Gate, LoraTarget::Down], LoraLayers::All(AllLayers::All)).unwrap();
        assert_eq!(all.sites, sites());
        let top = choose(&[LoraTarget::Down], LoraLayers::Top(2)).unwrap();
        assert_eq!(
            top.sites.iter().map(|site| (site.layer, site.target)).collect::<Vec<_>>(),
            [(1, LoraTarget::Down), (2, LoraTarget::Down)]
        );
        // Two layers of rank 2: A [2, 8] and B [4, 2], in four bytes a number.
        assert_eq!((top.bytes(true), top.bytes(false)), (2 * 8 * 4, 2 * (8 + 16) * 4));
        assert_eq!(choose(&[LoraTarget::Q], LoraLayers::Top(0)).unwrap().sites, []);
        assert!(choose(&[LoraTarget::Gate], LoraLayers::Top(2)).unwrap_err().to_string().contains("gate"));
    }

    #[test]
    fn a_is_drawn_once_and_b_varies_with_the_agent() {
        let layout = choose(&[LoraTarget::Q], LoraLayers::All(AllLayers::All)).unwrap();
        let draw = |seed| shared_a(&layout, &mut ChaCha8Rng::seed_from_u64(seed));
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        assert!(draw(1).iter().flat_map(|a| a.iter()).all(|a| a.abs() <= 0.5), "±1/√4");
        let blank = layout.blank(&draw(1));
        assert!(blank.is_blank() && layout.activate(&[(0..3, &blank)]).at(0, LoraTarget::Q).is_none());
        let varied = blank.varied(0.1, &mut ChaCha8Rng::seed_from_u64(3));
        assert!(!varied.is_blank() && Arc::ptr_eq(&varied.pairs[0].a, &blank.pairs[0].a));
        assert!(varied.pairs.iter().flat_map(|pair| pair.b.iter()).all(|b| b.abs() <= 0.1));
        assert!(layout.activate(&[(0..3, &varied)]).at(0, LoraTarget::Q).is_some());
    }
}
