//! What this machine can do at most, measured when it is asked: products in f32 and int8, and copies. What is measured of a mind is held
//! against it.
//!
//! This module does *not* know what is benched.

use std::{hint::black_box, time::Instant};

use serde::Serialize;

use crate::{
    brain::{
        instructions,
        lora::{AdapterLayout, Site},
        model::{LanguageModel, ModelShape},
        peak_flops, peak_int8,
    },
    config::LoraTarget,
};

/// Seconds for each of the three measurements.
const SECONDS: f64 = 0.6;
/// Numbers that a thread copies at a time, too many for any cache: 64 MiB.
const COPIED: usize = 1 << 24;

/// What a machine reaches with a number of threads.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Machine {
    /// Threads.
    pub threads: usize,
    /// 10⁹ floating-point operations per second in f32 products of the best of a few shapes.
    pub gemm_gflops: f64,
    /// 10⁹ operations per second in this program's own products of int8 with bytes; those with fewer bits may be faster.
    pub int8_gops: f64,
    /// The processor's instructions that this program's own products use: in f32, and in int8.
    pub instructions: [&'static str; 2],
    /// 10⁹ bytes per second that are read and written when memory is copied, counted once each.
    pub copy_gbytes: f64,
}

impl Machine {
    /// Measures this machine, for about two seconds, with so many threads, but no more than cores; 0 is one per core. It is done before anything else is
    /// measured: what it takes of memory for that does not count as the process's peak afterwards.
    pub fn measure(threads: u32) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        // The fastest moments of threads that take turns would add up to what no machine does.
        let threads = if threads == 0 { cores } else { cores.min(threads as usize) };
        let copy_gbytes = copy_rate(threads) / 1e9;
        let int8_gops = peak_int8(threads, SECONDS) / 1e9;
        let gemm_gflops = peak_flops(threads, SECONDS) / 1e9;
        let measured = Self { threads, gemm_gflops, int8_gops, instructions: instructions(), copy_gbytes };
        // Linux forgets the peak of this process by this; where there is no such file, no peak is told either.
        let _ = std::fs::write("/proc/self/clear_refs", "5");
        measured
    }

    /// In words.
    pub fn say(&self) -> String {
        format!(
            "this machine with {}: {:.0} GFLOP/s in f32 products, {:.0} GOP/s in int8 ones with bytes, {:.1} GB/s when copying; \
             the program's own products use {} in f32 and {} in int8",
            in_threads(self.threads),
            self.gemm_gflops,
            self.int8_gops,
            self.copy_gbytes,
            self.instructions[0],
            self.instructions[1]
        )
    }
}

/// A number of threads in words.
pub fn in_threads(count: usize) -> String {
    format!("{count} thread{}", if count == 1 { "" } else { "s" })
}

/// Bytes per second that `threads` threads read and write together, each with memory of its own.
fn copy_rate(threads: usize) -> f64 {
    let one = || {
        let (from, mut to) = (vec![1.0_f32; COPIED], vec![2.0_f32; COPIED]);
        let (begun, mut fastest) = (Instant::now(), f64::INFINITY);
        while fastest.is_infinite() || begun.elapsed().as_secs_f64() < SECONDS {
            let copy = Instant::now();
            to.copy_from_slice(&from);
            black_box(&mut to);
            fastest = fastest.min(copy.elapsed().as_secs_f64());
        }
        2.0 * size_of_val(from.as_slice()) as f64 / fastest
    };
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(one)).collect();
        runs.into_iter().filter_map(|run| run.join().ok()).sum()
    })
}

/// What a round must do, however it is done: what the machine needs for that is the limit.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Work {
    /// Floating-point operations in products with weights and adapters; a multiplication and an addition are two.
    pub flop: f64,
    /// Bytes of weights and adapters that are read once.
    pub bytes: f64,
}

/// How near a measured time comes to what the machine can do.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Reached {
    /// 10⁹ floating-point operations per second, of those that the work asks for where nothing is kept from before, and nothing is
    /// computed once for several.
    pub gflops: f64,
    /// Milliseconds that the work would take at the machine's measured limit, in f32.
    pub floor_ms: f64,
    /// That limit as a share of the time measured: above 1 where less was computed (kept from before, shared), or in fewer bits.
    pub share_of_limit: f64,
}

impl Work {
    /// What a time in milliseconds comes to.
    pub fn reached(&self, ms: f64, machine: &Machine) -> Reached {
        let floor_ms = (self.flop / machine.gemm_gflops).max(self.bytes / machine.copy_gbytes) / 1e6;
        Reached { gflops: self.flop / ms / 1e6, floor_ms, share_of_limit: floor_ms / ms }
    }

    /// This and other work.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { flop: self.flop + other.flop, bytes: self.bytes + other.bytes }
    }

    /// The part that falls to one of `agents` agents.
    #[must_use]
    pub fn share(self, agents: u32) -> Self {
        Self { flop: self.flop / f64::from(agents), bytes: self.bytes / f64::from(agents) }
    }
}

/// Weights, or numbers of an adapter, by the rows that they are multiplied with.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Numbers {
    /// With the row of every token.
    all: f64,
    /// With the rows alone that are read in the end: of the last layer, all but its keys and values.
    last: f64,
}

impl Numbers {
    /// Those of some sites, each of which has so many.
    fn of<'a>(sites: impl Iterator<Item = &'a Site>, layers: usize, each: impl Fn(&Site) -> usize) -> Self {
        let mut numbers = Self::default();
        for site in sites {
            let is_seen = matches!(site.target, LoraTarget::K | LoraTarget::V);
            let is_last = site.layer + 1 == layers && !is_seen;
            *(if is_last { &mut numbers.last } else { &mut numbers.all }) += each(site) as f64;
        }
        numbers
    }

    /// Multiplications with so many tokens' rows, of which some are read.
    fn times(self, rows: Rows) -> f64 {
        self.all * rows.tokens + self.last * rows.read
    }
}

/// Whether a site makes queries, keys or values.
const fn is_before_attention(site: &Site) -> bool {
    matches!(site.target, LoraTarget::Q | LoraTarget::K | LoraTarget::V)
}

/// Rows of each agent in a round.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rows {
    /// Of tokens.
    pub tokens: f64,
    /// Of those, the ones whose logits are read.
    pub read: f64,
}

impl Rows {
    /// So many times as many.
    #[must_use]
    pub fn times(self, count: f64) -> Self {
        Self { tokens: self.tokens * count, read: self.read * count }
    }
}

/// What a model and its adapters cost per token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Costs {
    /// Weights of all layers: without embedding, output matrix and norms.
    weights: Numbers,
    /// Of those, the ones through which a gradient goes back: what lies in the lowest adapted layer, without its queries, keys and
    /// values, and above it.
    back: Numbers,
    /// Numbers of one adapter.
    adapter: Numbers,
    /// Bytes of the weights.
    bytes: f64,
}

impl Costs {
    /// Those of a model with adapters of a layout.
    pub fn of(model: &LanguageModel, layout: &AdapterLayout) -> Self {
        let bytes = model.bytes() + model.streamed_bytes() + model.stored_bytes();
        Self::new(&model.shape(), layout, bytes as f64 / model.parameters() as f64)
    }

    /// The same of a shape whose weights take so many bytes together.
    pub fn of_shape(shape: &ModelShape, bytes: u64, layout: &AdapterLayout) -> Self {
        Self::new(shape, layout, bytes as f64 / shape.parameters() as f64)
    }

    /// Those of a shape whose weights take `each` bytes on average.
    fn new(shape: &ModelShape, layout: &AdapterLayout, each: f64) -> Self {
        let first = layout.lowest().unwrap_or(usize::MAX);
        let (sites, layers) = (shape.sites(), shape.layers());
        let goes_back = |site: &&Site| site.layer > first || (site.layer == first && !is_before_attention(site));
        let size = |site: &Site| site.out * site.inner;
        let weights = Numbers::of(sites.iter(), layers, size);
        Self {
            weights,
            back: Numbers::of(sites.iter().filter(goes_back), layers, size),
            adapter: Numbers::of(layout.sites.iter(), layers, |site| layout.rank * (site.out + site.inner)),
            bytes: (weights.all + weights.last) * each,
        }
    }

    /// A round in which `agents` agents decide by so many rows each.
    pub fn deciding(&self, agents: u32, rows: Rows) -> Work {
        let agents = f64::from(agents);
        let products = self.weights.times(rows) + self.adapter.times(rows);
        Work { flop: 2.0 * products * agents, bytes: self.read(agents) }
    }

    /// A round in which `agents` agents learn from so many rows each: forward through all layers, and back through those
    /// that an adapter lies in or below; an adapter's products are three times as many as forward.
    pub fn learning(&self, agents: u32, rows: Rows) -> Work {
        let agents = f64::from(agents);
        let products = self.weights.times(rows) + self.back.times(rows) + 3.0 * self.adapter.times(rows);
        Work { flop: 2.0 * products * agents, bytes: self.read(agents) }
    }

    fn read(&self, agents: f64) -> f64 {
        self.bytes + agents * (self.adapter.all + self.adapter.last) * size_of::<f32>() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::bench::SMOLLM_135M;

    fn layout(layers: std::ops::Range<usize>) -> AdapterLayout {
        let site = |layer| Site { layer, target: LoraTarget::Q, out: 576, inner: 576 };
        AdapterLayout { rank: 8, alpha: 16.0, sites: layers.map(site).collect() }
    }

    #[test]
    fn threads_in_words() {
        assert_eq!([1, 2].map(in_threads), ["1 thread", "2 threads"]);
    }

    #[test]
    fn the_work_of_a_known_shape() {
        // A layer of SmolLM-135M: k and v 192×576; q and o 576×576, three of the MLP 1536×576.
        let (seen, after) = (2.0 * 192.0 * 576.0, 576.0 * 576.0 + 3.0 * 1536.0 * 576.0);
        let (q, pair) = (576.0 * 576.0, 8.0 * (576.0 + 576.0));
        let layer = seen + q + after;
        let shape = ModelShape::Llama(SMOLLM_135M);
        let costs = Costs::new(&shape, &layout(0..30), 0.5);
        // Of the last layer, all but keys and values is asked for two rows alone.
        let work = costs.deciding(20, Rows { tokens: 23.0, read: 2.0 });
        let products = (29.0 * layer + seen + 29.0 * pair) * 23.0 + (q + after + pair) * 2.0;
        assert!((work.flop / (2.0 * products * 20.0) - 1.0).abs() < 1e-12, "{work:?}");
        assert_eq!(work.bytes, 15.0 * layer + 20.0 * 30.0 * pair * 4.0);
        assert!((2.0 * 30.0 * layer / 0.21e9 - 1.0).abs() < 0.02, "0.21 GFLOP a token");
        // The top ten: back through a third of the layers, and not through the lowest one's queries, keys and values.
        let top = Costs::new(&shape, &layout(20..30), 0.5).learning(1, Rows { tokens: 92.0, read: 8.0 });
        let forward = (29.0 * layer + seen) * 92.0 + (q + after) * 8.0;
        let back = (after + 8.0 * layer + seen) * 92.0 + (q + after) * 8.0;
        let pairs = 3.0 * pair * (9.0 * 92.0 + 8.0);
        assert!((top.flop / (2.0 * (forward + back + pairs)) - 1.0).abs() < 1e-12, "{top:?}");
    }

    #[test]
    fn the_limit_is_whatever_takes_longer() {
        let machine =
            Machine { threads: 2, gemm_gflops: 100.0, int8_gops: 300.0, instructions: ["a"; 2], copy_gbytes: 10.0 };
        let products = Work { flop: 4e9, bytes: 1e6 }.reached(80.0, &machine);
        assert_eq!((products.gflops, products.floor_ms, products.share_of_limit), (50.0, 40.0, 0.5));
        let reading = Work { flop: 1e9, bytes: 2e8 }.share(2).reached(20.0, &machine);
        assert_eq!((reading.gflops, reading.floor_ms, reading.share_of_limit), (25.0, 10.0, 0.5));
    }
}
