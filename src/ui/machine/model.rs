//! What the machine panel shows, and what follows from it: medians, sums, hints.
//!
//! This module does *not* know how anything was measured.

/// A decision that takes longer than this is slow, in milliseconds.
pub const SLOW: f64 = 100.0;
/// What the minds may take of memory, in bytes.
pub const MEMORY_LINE: u64 = 100_000_000;
/// From this part of the line on memory is near it.
const NEAR: f64 = 0.9;

/// How the minds' worker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Worker {
    /// There is none: `rules` or `random` decides, by the settings.
    #[default]
    Absent,
    /// It loads its model.
    Loading,
    /// It answers.
    Ready,
    /// It is gone for good; `rules` stands in.
    Down,
}

/// One question to the minds, answered for all agents that waited.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Round {
    /// How long it took, in milliseconds.
    pub ms: f64,
    /// Agents that were decided for.
    pub decisions: u32,
}

/// The language model.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ModelFacts {
    /// Its name.
    pub name: String,
    /// Where it came from.
    pub file: String,
    /// How its weights are kept: `f32`, `q8_0`.
    pub quantisation: String,
    /// Bytes of weights that stay in the file and take no memory of the program's own.
    pub in_file: u64,
    /// How many weights it has.
    pub parameters: u64,
    /// SHA-256 of its files, in hexadecimal.
    pub sha256: String,
}

/// What takes memory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Memory {
    /// The model's weights.
    pub model: u64,
    /// Everybody's adapters.
    pub adapters: u64,
    /// What the optimiser remembers of them.
    pub moments: u64,
    /// Keys and values of tokens.
    pub caches: u64,
    /// Experience from which lessons are made.
    pub buffers: u64,
    /// Everything else that counts.
    pub rest: u64,
}

impl Memory {
    /// Its parts by name, the model first.
    pub const fn parts(&self) -> [(&'static str, u64); 6] {
        [
            ("Model", self.model),
            ("Adapters", self.adapters),
            ("Optimiser moments", self.moments),
            ("Caches", self.caches),
            ("Experience buffers", self.buffers),
            ("Rest", self.rest),
        ]
    }

    /// All of it.
    pub fn total(&self) -> u64 {
        self.parts().iter().map(|(_, bytes)| bytes).sum()
    }
}

/// What the panel shows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MachineModel {
    /// The minds' worker.
    pub worker: Worker,
    /// How often it was started anew.
    pub restarts: u32,
    /// Whether the model is on a GPU.
    pub gpu: bool,
    /// The latest rounds, the newest last; some hundred of them.
    pub rounds: Vec<Round>,
    /// Decisions in the last second.
    pub decisions_per_second: Option<f64>,
    /// Median time of a training step, in milliseconds.
    pub training_ms: Option<f64>,
    /// Requests that wait for the worker.
    pub queue: u32,
    /// Pictures in the last second.
    pub frames_per_second: f64,
    /// Turns in the last second.
    pub turns_per_second: f64,
    /// The model; `None` before it is loaded and where there is none.
    pub facts: Option<ModelFacts>,
    /// Memory that counts against the line.
    pub memory: Memory,
    /// Memory of the whole process, in bytes.
    pub resident: Option<u64>,
    /// Memory that the window's pictures take, in bytes.
    pub graphics: Option<u64>,
}

impl MachineModel {
    /// Median and 95th percentile of whole rounds, in milliseconds.
    pub fn round_ms(&self) -> Option<(f64, f64)> {
        middle_and_slow(self.rounds.iter().map(|round| round.ms))
    }

    /// The same of single decisions: a round's time divided by its agents.
    pub fn decision_ms(&self) -> Option<(f64, f64)> {
        let decided = self.rounds.iter().filter(|round| round.decisions > 0);
        middle_and_slow(decided.map(|round| round.ms / f64::from(round.decisions)))
    }

    /// What could be done where something is slow or large, in sentences.
    pub fn hints(&self) -> Vec<String> {
        let mut hints = Vec::new();
        if let Some((median, _)) = self.decision_ms().filter(|(median, _)| *median > SLOW) {
            let gpu = if self.gpu { "" } else { ", or a build for the GPU (--features cuda or metal)" };
            hints.push(format!(
                "A decision takes {:.0} ms, more than {SLOW:.0} ms. Faster: a smaller model, adapters in its top layers \
                 only (LORA_LAYERS), fewer tokens in the prompt{gpu}.",
                median.ceil()
            ));
        }
        let (total, line) = (self.memory.total(), MEMORY_LINE);
        if total as f64 >= NEAR * line as f64 {
            let place = if total > line { "over" } else { "near" };
            hints.push(format!(
                "The minds take {:.1} MB, {place} the line of {:.0} MB. Less: a smaller model, coarser weights (QUANT=q4_0, or \
                 a quantised GGUF file, in which layers may stay: STREAM_WEIGHTS), adapters of lower rank or in fewer layers (LORA_LAYERS), fewer agents.",
                total as f64 / 1e6,
                line as f64 / 1e6
            ));
        }
        hints
    }
}

/// The median and the 95th percentile (the smallest value that at least 95 % do not exceed).
fn middle_and_slow(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let mut sorted: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    let median = f64::midpoint(sorted[last / 2], sorted[sorted.len() / 2]);
    Some((median, sorted[(sorted.len() * 95).div_ceil(100) - 1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounds(ms: impl IntoIterator<Item = f64>, decisions: u32) -> Vec<Round> {
        ms.into_iter().map(|ms| Round { ms, decisions }).collect()
    }

    #[test]
    fn medians_and_percentiles() {
        let of = |rounds| MachineModel { rounds, ..MachineModel::default() };
        assert_eq!(of(vec![]).round_ms(), None);
        assert_eq!(of(rounds([7.0], 2)).round_ms(), Some((7.0, 7.0)));
        assert_eq!(of(rounds([4.0, 1.0, 3.0, 2.0], 1)).round_ms(), Some((2.5, 4.0)));
        let hundred = of(rounds((1..=100).rev().map(f64::from), 20));
        assert_eq!(hundred.round_ms(), Some((50.5, 95.0)));
        assert_eq!(hundred.decision_ms(), Some((2.525, 4.75)));
        assert_eq!(of(rounds([9.0], 0)).decision_ms(), None, "nobody was decided for");
    }

    #[test]
    fn hints_come_beyond_100_ms_and_from_nine_tenths_of_the_line_on() {
        let model = |ms, bytes| MachineModel {
            rounds: rounds([ms], 1),
            memory: Memory { model: bytes, ..Memory::default() },
            ..MachineModel::default()
        };
        assert!(model(100.0, 89_999_999).hints().is_empty());
        let slow = model(100.5, 0).hints();
        assert!(slow.len() == 1 && slow[0].starts_with("A decision takes 101 ms, more than 100 ms."), "{slow:?}");
        for word in ["a smaller model", "LORA_LAYERS", "fewer tokens", "--features cuda"] {
            assert!(slow[0].contains(word), "{word}: {}", slow[0]);
        }
        assert!(!MachineModel { gpu: true, ..model(200.0, 0) }.hints()[0].contains("GPU"));
        assert!(model(1.0, 90_000_000).hints()[0].starts_with("The minds take 90.0 MB, near the line of 100 MB."));
        assert!(model(1.0, 100_000_001).hints()[0].contains("over the line"));
        assert_eq!(model(101.0, 100_000_001).hints().len(), 2);
    }

    #[test]
    fn memory_sums_up() {
        let memory = Memory { model: 1, adapters: 2, moments: 4, caches: 8, buffers: 16, rest: 32 };
        assert_eq!(memory.total(), 63);
    }
}
