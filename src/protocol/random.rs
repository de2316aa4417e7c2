//! Named random streams, seeded and counter-based: no state to keep, so nothing to save or to share.
//!
//! A stream is a ChaCha8 keystream. Its key holds the seed, the habitat, the agent and the name of the use;
//! the moment (generation and turn, or a count) picks a part of it that overlaps no other. So a draw depends on
//! what it is for and when, never on who drew before. The idea: Salmon et al., "Parallel random numbers:
//! as easy as 1, 2, 3" (SC 2011).

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{AgentId, HabitatId};

/// What a stream is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StreamName {
    /// Where home's surroundings get walls and food.
    Map,
    /// Where agents start.
    Spawn,
    /// Where taken food grows back.
    Regrowth,
    /// Who acts first in a turn.
    Order,
    /// Which action a mind samples.
    Act,
    /// Where adapters begin.
    Adapter,
    /// What a model is pre-trained on.
    Corpus,
    /// Where a model's weights begin.
    Weights,
    /// Which experiences are learned from.
    Replay,
    /// Who mates with whom, and by which shares.
    Mating,
    /// What mutates.
    Mutation,
    /// What minds say that are asked by hand.
    Consult,
}

impl StreamName {
    const fn bytes(self) -> [u8; 8] {
        match self {
            Self::Map => *b"map     ",
            Self::Spawn => *b"spawn   ",
            Self::Regrowth => *b"regrowth",
            Self::Order => *b"order   ",
            Self::Act => *b"act     ",
            Self::Adapter => *b"adapter ",
            Self::Corpus => *b"corpus  ",
            Self::Weights => *b"weights ",
            Self::Replay => *b"replay  ",
            Self::Mating => *b"mating  ",
            Self::Mutation => *b"mutation",
            Self::Consult => *b"consult ",
        }
    }
}

/// A moment in a habitat's life, or the count of an event: which part of a stream to draw from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Moment(u64);

impl Moment {
    /// The given turn (or n-th event) of the given generation.
    pub const fn new(generation: u32, turn: u32) -> Self {
        Self((generation as u64) << 32 | turn as u64)
    }
}

/// The random streams of one habitat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Streams {
    /// The seed of the run.
    pub seed: u64,
    /// The habitat that draws.
    pub habitat: HabitatId,
    /// True for maps that no run ever lives on: an evaluation's.
    pub unseen: bool,
}

impl Streams {
    /// The key of the habitat's own stream called `name`.
    pub const fn key(&self, name: StreamName) -> StreamKey {
        self.agent_key(name, AgentId(u32::MAX))
    }

    /// The key of one agent's stream called `name`.
    pub const fn agent_key(&self, name: StreamName, agent: AgentId) -> StreamKey {
        StreamKey { streams: *self, agent, name }
    }
}

/// Names one random stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamKey {
    streams: Streams,
    agent: AgentId,
    name: StreamName,
}

impl StreamKey {
    /// The seed that it comes from.
    pub const fn seed(&self) -> u64 {
        self.streams.seed
    }

    /// The stream of an individual, or of whatever else is numbered, called `name`, in the same habitat.
    pub const fn beside(&self, name: StreamName, number: u32) -> Self {
        Self { streams: self.streams, agent: AgentId(number), name }
    }

    /// The generator of this stream at `moment`.
    pub fn at(&self, moment: Moment) -> ChaCha8Rng {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&self.streams.seed.to_le_bytes());
        key[8..12].copy_from_slice(&self.streams.habitat.0.to_le_bytes());
        key[12..16].copy_from_slice(&self.agent.0.to_le_bytes());
        key[16..24].copy_from_slice(&self.name.bytes());
        key[24] = u8::from(self.streams.unseen);
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(moment.0);
        rng
    }
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;

    fn first(streams: Streams, name: StreamName, agent: u32, moment: Moment) -> u64 {
        streams.agent_key(name, AgentId(agent)).at(moment).next_u64()
    }

    #[test]
    fn every_part_of_the_name_makes_another_stream() {
        let base = Streams { seed: 1, habitat: HabitatId(2), unseen: false };
        let moment = Moment::new(3, 4);
        let all = [
            first(base, StreamName::Act, 5, moment),
            first(Streams { seed: 2, ..base }, StreamName::Act, 5, moment),
            first(Streams { habitat: HabitatId(3), ..base }, StreamName::Act, 5, moment),
            first(Streams { unseen: true, ..base }, StreamName::Act, 5, moment),
            first(base, StreamName::Order, 5, moment),
            first(base, StreamName::Act, 6, moment),
            first(base, StreamName::Act, 5, Moment::new(4, 4)),
            first(base, StreamName::Act, 5, Moment::new(3, 5)),
        ];
        for (i, a) in all.iter().enumerate() {
            assert!(all[i + 1..].iter().all(|b| a != b), "stream {i} repeats");
        }
    }

    /// A fixed number: the day it changes, every seed means another run.
    #[test]
    fn a_stream_is_the_same_for_ever() {
        let streams = Streams { seed: 42, habitat: HabitatId(0), unseen: false };
        assert_eq!(first(streams, StreamName::Map, 0, Moment::new(0, 0)), 3_572_681_077_639_119_114);
    }
}
