//! What leaves and enters the program: a creature's adapter with what is known of it, and the model that it was made on.
//!
//! This module does *not* know files.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Adapter, AdapterLayout, RowOrder, Site};
use crate::{
    brain::{
        catalog::repository_of,
        error::{BrainError, Result},
        load::LoadedModel,
        model::ModelShape,
    },
    config::LoraTarget,
};

/// What an adapter must know of the model that it sits on.
#[derive(Debug, Clone, PartialEq)]
pub struct Base {
    /// What it is called.
    pub name: String,
    /// Its repository on the Hugging Face hub, if its folder lies in that hub's cache.
    pub repository: Option<String>,
    /// SHA-256 of its files, in hexadecimal.
    pub sha256: String,
    /// Its shape.
    pub shape: ModelShape,
}

impl Base {
    /// That of a model.
    pub fn of(loaded: &LoadedModel) -> Self {
        let folder = loaded.path.is_dir().then(|| loaded.path.canonicalize().ok()).flatten();
        Self {
            name: loaded.name.clone(),
            repository: folder.as_deref().and_then(repository_of),
            sha256: loaded.sha256.clone(),
            shape: loaded.model.shape(),
        }
    }

    /// The order of its rows.
    pub fn rows(&self) -> RowOrder {
        RowOrder::of(&self.shape)
    }

    /// Its matrix of this name, if it has one.
    pub fn site(&self, layer: usize, target: LoraTarget) -> Option<Site> {
        self.shape.sites().into_iter().find(|site| site.layer == layer && site.target == target)
    }
}

/// Where a creature comes from, as far as that is known.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CardLineage {
    /// The habitat that it lived in.
    pub habitat: Option<u32>,
    /// Its number in that habitat.
    pub creature: Option<u32>,
    /// The generation that it was born in.
    pub born: Option<u32>,
    /// Its parents' numbers.
    pub parents: Option<[u32; 2]>,
    /// The first parent's share in it.
    pub share: Option<f64>,
    /// The founder of its line.
    pub founder: Option<u32>,
}

/// How well a creature did, and where, as far as that is known.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ScoreCard {
    /// Fitness in the last generation that it lived through.
    pub fitness: Option<f64>,
    /// The best of its generations.
    pub best_fitness: Option<f64>,
    /// Mean fitness of `rules` on the same map.
    pub rules_fitness: Option<f64>,
    /// Pieces of food that it took up.
    pub food_collected: Option<u64>,
    /// Pieces of food that it brought home.
    pub food_delivered: Option<u64>,
    /// Turns that it was alive.
    pub turns_alive: Option<u64>,
    /// The generation that these numbers are from.
    pub generation: Option<u32>,
    /// Seed of the run.
    pub seed: Option<u64>,
    /// Version of the program.
    pub version: Option<String>,
    /// Commit that the program was built from.
    pub commit: Option<String>,
}

/// A creature's adapter, in the row order of its model, and what is known of it.
#[derive(Debug, Clone)]
pub struct Creature {
    /// Rank, scale and sites.
    pub layout: AdapterLayout,
    /// The adapter.
    pub adapter: Adapter,
    /// Where it comes from.
    pub lineage: CardLineage,
    /// How well it did.
    pub scores: ScoreCard,
    /// The file that it was read from, where it was not made here.
    pub made_from: Option<String>,
}

impl Creature {
    /// One of which nothing is known but its adapter.
    pub fn unknown(layout: AdapterLayout, adapter: Adapter) -> Self {
        let (lineage, scores) = (CardLineage::default(), ScoreCard::default());
        Self { layout, adapter, lineage, scores, made_from: None }
    }

    /// Refuses what cannot be an adapter of `base`, before it is written.
    ///
    /// # Errors
    /// A sentence that names the matrix.
    pub fn check(&self, base: &Base) -> Result<()> {
        let AdapterLayout { rank, alpha, sites } = &self.layout;
        let refuse = |what: String| Err(BrainError::Setting(format!("This adapter cannot be exported: {what}")));
        if *rank == 0 || !alpha.is_finite() || sites.is_empty() || sites.len() != self.adapter.pairs.len() {
            let pairs = self.adapter.pairs.len();
            return refuse(format!(
                "it has the rank {rank}, alpha {alpha} and {pairs} pairs for {} matrices",
                sites.len()
            ));
        }
        for (site, pair) in sites.iter().zip(&self.adapter.pairs) {
            let Site { layer, target, .. } = site;
            if base.site(*layer, *target) != Some(*site) {
                return refuse(format!("the model {} has no such matrix {target} in layer {layer}", base.name));
            }
            if pair.a.len() != rank * site.inner || pair.b.len() != site.out * rank {
                return refuse(format!("its part on {target} of layer {layer} is of another shape"));
            }
            if !pair.a.iter().chain(pair.b.iter()).all(|x| x.is_finite()) {
                return refuse(format!("its part on {target} of layer {layer} holds numbers that are not finite"));
            }
        }
        Ok(())
    }
}

impl fmt::Display for AdapterLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut layers: Vec<_> = self.sites.iter().map(|site| site.layer).collect();
        let mut targets: Vec<_> = self.sites.iter().map(|site| site.target).collect();
        layers.sort_unstable();
        layers.dedup();
        targets.sort_unstable_by_key(|target| LoraTarget::WORDS.iter().position(|word| *word == target.word()));
        targets.dedup();
        let targets: Vec<_> = targets.iter().map(|target| target.word()).collect();
        let (sites, s) = (self.sites.len(), if layers.len() == 1 { "" } else { "s" });
        let (rank, alpha) = (self.rank, self.alpha);
        write!(f, "rank {rank}, alpha {alpha}, {sites} matrices ({}) in {} layer{s}", targets.join(" "), layers.len())
    }
}
