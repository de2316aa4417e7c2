//! A population as a file, and back: safetensors, whose metadata tells which tensor is whose.
//!
//! Numbers that creatures share, as A where it is the same for all, are in the file once, and are shared again when it is
//! read. Tensors are f32, named `0`, `1`, … in the order in which they are first needed.
//!
//! This module does *not* know what a run is, or when it is saved.

use std::{borrow::Cow, cell::Cell, collections::HashMap, path::Path, sync::Arc};

use safetensors::{Dtype, SafeTensorError, SafeTensors, View};
use serde::{Deserialize, Serialize};

use super::{
    error::{BrainError, Result},
    learn::Moments,
    lora::{Adapter, AdapterLayout, Pair},
    offload::{Kept, KeptAdapter, Place},
    population::{Mind, Name, Population},
};

/// Where the table of contents is in the file's metadata.
const CONTENTS: &str = "evolora.population";

/// An adapter: for each site the tensors of A and B.
type Tensors = Vec<(usize, usize)>;

/// One mind, in tensors.
#[derive(Debug, Serialize, Deserialize)]
struct KeptMind {
    name: Name,
    adapter: Tensors,
    genome: Option<Tensors>,
    steps: u64,
    first: Vec<usize>,
    second: Vec<usize>,
}

/// Which tensor is whose.
#[derive(Debug, Serialize, Deserialize)]
struct Contents {
    layout: Option<AdapterLayout>,
    minds: Vec<KeptMind>,
    founders: Vec<Tensors>,
    hall: Vec<(Name, Tensors)>,
}

/// Numbers that go into the file.
#[derive(Default)]
struct Pool {
    tensors: Vec<Kept>,
    known: HashMap<Place, usize>,
}

impl Pool {
    fn put(&mut self, numbers: &Kept) -> usize {
        let next = self.tensors.len();
        let at = *self.known.entry(numbers.place()).or_insert(next);
        if at == next {
            self.tensors.push(numbers.clone());
        }
        at
    }

    fn adapter(&mut self, adapter: &Adapter) -> Tensors {
        self.kept(&adapter.clone().into())
    }

    fn kept(&mut self, adapter: &KeptAdapter) -> Tensors {
        adapter.pairs.iter().map(|[a, b]| (self.put(a), self.put(b))).collect()
    }

    fn numbers(&mut self, numbers: &[Kept]) -> Vec<usize> {
        numbers.iter().map(|numbers| self.put(numbers)).collect()
    }
}

/// A tensor on its way into a file, and where it is told if it cannot be read.
struct Row<'a>(&'a Kept, [usize; 1], &'a Cell<Option<BrainError>>);

impl View for Row<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.1
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let numbers = self.0.read().unwrap_or_else(|error| {
            self.2.set(Some(error));
            Arc::new(vec![0.0; self.0.len()])
        });
        numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<_>>().into()
    }

    fn data_len(&self) -> usize {
        self.0.len() * size_of::<f32>()
    }
}

impl Population {
    /// Writes everybody's adapters, genomes and moments, and the hall of fame, into a file.
    ///
    /// # Errors
    /// It cannot be written, or what was put aside cannot be read.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut pool = Pool::default();
        let minds = self.minds.iter().map(|(name, mind)| KeptMind {
            name: *name,
            adapter: pool.kept(&mind.adapter),
            genome: mind.genome.as_ref().map(|genome| pool.kept(genome)),
            steps: mind.moments.steps,
            first: pool.numbers(&mind.moments.first),
            second: pool.numbers(&mind.moments.second),
        });
        let minds = minds.collect();
        let founders = self.founders.iter().map(|adapter| pool.adapter(adapter)).collect();
        let hall = self.hall.iter().map(|(name, adapter)| (*name, pool.kept(adapter))).collect();
        let contents = Contents { layout: self.layout.clone(), minds, founders, hall };
        let contents = serde_json::to_string(&contents).map_err(|error| BrainError::file(path, error))?;
        let unread = Cell::new(None);
        let rows = pool.tensors.iter().enumerate();
        let rows = rows.map(|(at, numbers)| (at.to_string(), Row(numbers, [numbers.len()], &unread)));
        let metadata = HashMap::from([(CONTENTS.to_owned(), contents)]);
        safetensors::serialize_to_file(rows, Some(metadata), path).map_err(|error| match error {
            SafeTensorError::IoError(error) => BrainError::write(path, error),
            other => BrainError::file(path, other),
        })?;
        unread.take().map_or(Ok(()), Err)
    }

    /// Reads what [`Population::write`] has written, bit for bit.
    ///
    /// # Errors
    /// It cannot be read, or is no such file.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|error| BrainError::read(path, error))?;
        Self::parse(&bytes).map_err(|what| BrainError::file(path, what))
    }

    fn parse(bytes: &[u8]) -> std::result::Result<Self, String> {
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| error.to_string())?;
        let contents = header.metadata().as_ref().and_then(|metadata| metadata.get(CONTENTS));
        let contents = contents.ok_or("it holds no population")?;
        let contents: Contents = serde_json::from_str(contents).map_err(|error| error.to_string())?;
        let file = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
        let tensor = |at: usize| {
            let view = file.tensor(&at.to_string()).map_err(|error| error.to_string())?;
            if view.dtype() != Dtype::F32 {
                return Err(format!("tensor {at} is not f32"));
            }
            let number = |bytes: &[u8]| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            Ok(Arc::new(view.data().chunks_exact(4).map(number).collect::<Vec<f32>>()))
        };
        let tensors: Vec<_> = (0..file.len()).map(tensor).collect::<std::result::Result<_, String>>()?;
        let find = |at: usize| tensors.get(at).cloned().ok_or_else(|| format!("it has no tensor {at}"));
        let adapter = |kept: &Tensors| {
            let pair = |(a, b): &(usize, usize)| Ok(Pair { a: find(*a)?, b: find(*b)? });
            kept.iter().map(pair).collect::<std::result::Result<_, String>>().map(|pairs| Adapter { pairs })
        };
        let numbers = |kept: &[usize]| {
            kept.iter().map(|at| find(*at).map(Kept::Here)).collect::<std::result::Result<_, String>>()
        };
        let mind = |kept: &KeptMind| {
            let (first, second) = (numbers(&kept.first)?, numbers(&kept.second)?);
            let moments = Arc::new(Moments { steps: kept.steps, first, second });
            let genome = kept.genome.as_ref().map(adapter).transpose()?.map(Into::into);
            Ok((kept.name, Mind { adapter: adapter(&kept.adapter)?.into(), genome, moments }))
        };
        let minds = contents.minds.iter().map(mind).collect::<std::result::Result<_, String>>()?;
        let hall = contents.hall.iter().map(|(name, kept)| Ok((*name, adapter(kept)?.into())));
        let hall = hall.collect::<std::result::Result<_, String>>()?;
        let founders = contents.founders.iter().map(adapter).collect::<std::result::Result<_, String>>()?;
        Ok(Self { layout: contents.layout, minds, founders, hall })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        brain::lora::Site,
        config::LoraTarget,
        protocol::{CreatureId, HabitatId},
    };

    fn population() -> Population {
        let a = Arc::new(vec![0.5, -1.5e-30, 3.0]);
        let adapter = |b: f32| Adapter { pairs: vec![Pair { a: Arc::clone(&a), b: Arc::new(vec![b, -0.0]) }] };
        let moments = Moments {
            steps: 7,
            first: vec![vec![0.1, f32::MIN_POSITIVE].into()],
            second: vec![vec![1e-38, 2.0].into()],
        };
        let mind = |b| Mind {
            adapter: adapter(b).into(),
            genome: Some(adapter(b + 1.0).into()),
            moments: Arc::new(moments.clone()),
        };
        let name = |creature| (HabitatId(3), CreatureId(creature));
        let site = Site { layer: 1, target: LoraTarget::Down, out: 2, inner: 3 };
        Population {
            layout: Some(AdapterLayout { rank: 1, alpha: 2.5, sites: vec![site] }),
            minds: [(name(4), mind(0.25)), (name(9), Mind::newborn(adapter(8.0), false))].into(),
            founders: vec![adapter(0.5)],
            hall: [(name(1), adapter(-1.0).into())].into(),
        }
    }

    #[test]
    fn a_population_comes_back_bit_for_bit() {
        let folder = tempfile::tempdir().unwrap();
        let (path, kept) = (folder.path().join("minds.safetensors"), population());
        kept.write(&path).unwrap();
        let read = Population::read(&path).unwrap();
        assert_eq!(read, kept);
        let adapter = |at: usize| read.minds.values().nth(at).unwrap().adapter.read().unwrap();
        assert!(adapter(0).pairs[0].b[1].is_sign_negative(), "−0 is −0");
        let a = |at: usize| Arc::clone(&adapter(at).pairs[0].a);
        assert!(Arc::ptr_eq(&a(0), &a(1)), "what was shared is shared again");
        let again = folder.path().join("again");
        read.write(&again).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), std::fs::read(&again).unwrap());
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let (mut population, layout) = (population(), population().layout.unwrap());
        assert!(population.check(&layout).is_ok());
        let wide = AdapterLayout { rank: 2, ..layout.clone() };
        assert!(population.check(&wide).unwrap_err().to_string().contains("creature 4 of habitat 3"));
        let mind = population.minds.values_mut().next().unwrap();
        mind.moments = Arc::new(Moments { steps: 1, first: vec![vec![0.0; 9].into()], second: Vec::new() });
        assert!(population.check(&layout).unwrap_err().to_string().contains("moments of creature 4"));
        population.minds.clear();
        population.hall.values_mut().next().unwrap().pairs[0][1] = vec![f32::NAN, 0.0].into();
        assert!(population.check(&layout).unwrap_err().to_string().contains("creature 1"));
    }

    #[test]
    fn a_file_that_holds_no_population_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        for bytes in [&b"nothing"[..], b"\x02\0\0\0\0\0\0\0{}"] {
            std::fs::write(&path, bytes).unwrap();
            assert!(Population::read(&path).is_err());
        }
        assert!(Population::read(&folder.path().join("none")).is_err());
    }
}
