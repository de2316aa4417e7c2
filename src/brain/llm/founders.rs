//! Whom a population begins with: adapters out of files, or blank ones.
//!
//! This module does *not* know what founders learn, or how adapters are kept in files.

use std::{collections::BTreeMap, path::Path};

use rand_chacha::ChaCha8Rng;

use crate::{
    brain::{
        error::{BrainError, Result},
        load::LoadedModel,
        lora::{Adapter, AdapterLayout, load_adapter, shared_a},
    },
    config::{Genome, LoraSettings},
    protocol::{CreatureId, HabitatId, Moment, StreamName, Streams},
};

/// The adapters that founders begin with.
pub(super) struct Founders {
    /// Those that the settings name; founders take them in turn.
    read: Vec<Adapter>,
    /// Where they name none: one that changes nothing, by the seed of the habitat.
    blanks: BTreeMap<u64, Adapter>,
}

/// What one founder begins with.
pub(super) struct Founder {
    /// The adapter.
    pub adapter: Adapter,
    /// Whether its B shall be varied: everybody's, but for the first that has an adapter of a file.
    pub varies: bool,
}

impl Founders {
    /// Reads the adapters that the settings name, and the layout that all have.
    ///
    /// # Errors
    /// One cannot be used, or they have not one layout.
    pub(super) fn of(settings: &LoraSettings, loaded: &LoadedModel) -> Result<(AdapterLayout, Self)> {
        let paths = settings.adapter.split(',').map(str::trim).filter(|path| !path.is_empty());
        let read = |path: &str| load_adapter(Path::new(path), loaded).map(|read| (path.to_owned(), read));
        let mut all = paths.map(read).collect::<Result<Vec<_>>>()?.into_iter();
        let blanks = BTreeMap::new();
        let Some((first, (layout, adapter))) = all.next() else {
            let layout = AdapterLayout::choose(settings, &loaded.model.sites(), loaded.model.layers())?;
            return Ok((layout, Self { read: Vec::new(), blanks }));
        };
        let mut read = vec![adapter];
        for (path, (other, adapter)) in all {
            if other != layout {
                return Err(BrainError::Setting(format!(
                    "The adapters {first} ({layout}) and {path} ({other}) cannot be founders of one population, whose adapters \
                     must all have one rank, one alpha and the same matrices"
                )));
            }
            read.push(adapter);
        }
        Ok((layout, Self { read, blanks }))
    }

    /// Those that a run began with which goes on, and the layout that all have.
    ///
    /// # Errors
    /// The model has not the matrices of the layout.
    pub(super) fn inherited(
        layout: &AdapterLayout,
        read: &[Adapter],
        loaded: &LoadedModel,
    ) -> Result<(AdapterLayout, Self)> {
        let sites = loaded.model.sites();
        if let Some(site) = layout.sites.iter().find(|site| !sites.contains(site)) {
            return Err(BrainError::Setting(format!(
                "The run's adapters sit on {} of layer {}, which the model {} has not",
                site.target, site.layer, loaded.name
            )));
        }
        Ok((layout.clone(), Self { read: read.to_vec(), blanks: BTreeMap::new() }))
    }

    /// The adapters of files.
    pub(super) fn read(&self) -> &[Adapter] {
        &self.read
    }

    /// What a founder begins with, in a habitat of this seed; `draws` are its own.
    pub(super) fn found(
        &mut self,
        layout: &AdapterLayout,
        genome: Genome,
        seed: u64,
        creature: CreatureId,
        draws: &mut ChaCha8Rng,
    ) -> Founder {
        let (number, count) = (creature.0 as usize, self.read.len());
        if let Some(read) = number.checked_rem(count).and_then(|place| self.read.get(place)) {
            return Founder { adapter: read.clone(), varies: number >= count };
        }
        let adapter = match genome {
            Genome::FreeAb => layout.blank(&shared_a(layout, draws)),
            Genome::SharedA => {
                let blank = || layout.blank(&shared_a(layout, &mut shared_draws(seed)));
                self.blanks.entry(seed).or_insert_with(blank).clone()
            }
        };
        Founder { adapter, varies: true }
    }
}

/// The stream that A is drawn from which all creatures of a seed share.
fn shared_draws(seed: u64) -> ChaCha8Rng {
    let streams = Streams { seed, habitat: HabitatId(0), unseen: false };
    streams.key(StreamName::Adapter).at(Moment::new(0, 0))
}
