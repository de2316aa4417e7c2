//! Sentences about what a prompt says: each is a stem and all the words that truly fill it.

use rand::{Rng, seq::IndexedRandom};

use super::{
    shuffled,
    words::{
        AND, BESIDE, CARRIES, COMMA, ENERGY, FREE, HERE, IN_PLACE, IS, LEVELS, LOW_UP_TO, MIDDLE_UP_TO, NOTHING, OPEN,
        REACH, UNSEEN, direction_word, thing_name,
    },
};
use crate::{
    language::{grammar::thing_word, rounded_energy},
    protocol::{Direction, Observation, Thing},
};

/// What a sentence can be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Topic {
    /// Where a kind of thing lies.
    Where(Thing),
    /// Which step leads to it.
    Reach(Thing),
    /// Which steps nothing blocks.
    Free,
    /// What the agent carries.
    Load,
    /// How much energy is left.
    Energy,
    /// What lies in a neighbouring cell.
    Beside(Direction),
    /// What lies in the agent's own cell.
    Here,
}

/// How often each topic comes up in a description, against the others.
const TOPICS: &[(Topic, u32)] = &[
    (Topic::Where(Thing::Home), 4),
    (Topic::Where(Thing::Food), 4),
    (Topic::Where(Thing::Wall), 2),
    (Topic::Where(Thing::Edge), 1),
    (Topic::Where(Thing::Agent), 1),
    (Topic::Reach(Thing::Home), 5),
    (Topic::Reach(Thing::Food), 5),
    (Topic::Free, 4),
    (Topic::Load, 4),
    (Topic::Energy, 4),
    (Topic::Beside(Direction::North), 2),
    (Topic::Beside(Direction::South), 2),
    (Topic::Beside(Direction::East), 2),
    (Topic::Beside(Direction::West), 2),
    (Topic::Here, 4),
];

/// How a sentence names several answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    /// Any one of them.
    One,
    /// All of them in random order, with this between.
    All(&'static str),
}

/// A stem with its right answers, and those that a question would offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) stem: String,
    pub(super) answers: Vec<String>,
    pub(super) choices: Vec<String>,
    pub(super) naming: Naming,
}

impl Claim {
    /// The claim whose answers and choices are these words.
    pub(super) fn new(stem: impl Into<String>, answers: &[&str], choices: &[&str], naming: Naming) -> Self {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Self { stem: stem.into(), answers: owned(answers), choices: owned(choices), naming }
    }

    /// The claim as a sentence.
    pub(super) fn sentence(&self, draws: &mut impl Rng) -> String {
        let told = match self.naming {
            Naming::One => self.answers.choose(draws).cloned().unwrap_or_default(),
            Naming::All(between) => shuffled(self.answers.clone(), draws).join(between),
        };
        format!("{} {told}.", self.stem)
    }
}

/// Every topic that `observation` has an answer to, as a claim, with its weight.
pub(super) fn all(observation: &Observation) -> Vec<(Claim, u32)> {
    TOPICS.iter().filter_map(|(topic, weight)| Some((claim(*topic, observation)?, *weight))).collect()
}

/// The words for all four directions.
pub(super) fn direction_words() -> [&'static str; 4] {
    Direction::ALL.map(direction_word)
}

/// What `observation` says about `topic`, or `None` where it gives no answer.
pub(super) fn claim(topic: Topic, observation: &Observation) -> Option<Claim> {
    let four = direction_words();
    let claim = match topic {
        Topic::Where(thing) => {
            // Home is always in view; what stops or stands beside an agent is never in its own cell.
            let choices = match thing {
                Thing::Home => [&four[..], &[IN_PLACE]].concat(),
                Thing::Food => [&four[..], &[IN_PLACE, UNSEEN]].concat(),
                Thing::Wall | Thing::Edge | Thing::Agent => [&four[..], &[UNSEEN]].concat(),
            };
            Claim::new(format!("{}{IS}", thing_name(thing)), &places(thing, observation), &choices, Naming::All(AND))
        }
        Topic::Reach(thing) => {
            let bearing = observation.bearing(thing);
            let ways = free(observation).filter(|d| bearing.has(*d)).map(direction_word).collect::<Vec<_>>();
            let [before, after] = REACH;
            Claim::new(format!("{before}{}{after}", thing_word(thing)), &ways, &four, Naming::One)
        }
        Topic::Free => {
            let ways: Vec<_> = free(observation).map(direction_word).collect();
            Claim::new(FREE, &ways, &four, Naming::All(COMMA))
        }
        Topic::Load => {
            let load = observation.carrying.map_or(NOTHING, thing_word);
            Claim::new(CARRIES, &[load], &[thing_word(Thing::Food), NOTHING], Naming::One)
        }
        Topic::Energy => Claim::new(ENERGY, &[level(observation.energy)], &LEVELS, Naming::One),
        Topic::Beside(direction) => {
            let [before, after] = BESIDE;
            let choices = [thing_word(Thing::Wall), thing_word(Thing::Edge), thing_word(Thing::Agent), OPEN];
            let stem = format!("{before}{}{after}", direction_word(direction));
            Claim::new(stem, &[beside(direction, observation)], &choices, Naming::One)
        }
        Topic::Here => {
            let choices = [thing_word(Thing::Home), thing_word(Thing::Food), NOTHING];
            Claim::new(HERE, &here(observation), &choices, Naming::All(AND))
        }
    };
    (!claim.answers.is_empty()).then_some(claim)
}

fn places(thing: Thing, observation: &Observation) -> Vec<&'static str> {
    let bearing = observation.bearing(thing);
    let mut places: Vec<_> = bearing.directions().map(direction_word).collect();
    places.extend(bearing.is_here().then_some(IN_PLACE));
    places.extend(bearing.is_none().then_some(UNSEEN));
    places
}

/// The directions in which neither a wall nor the edge is. Agents stop nobody.
fn free(observation: &Observation) -> impl Iterator<Item = Direction> {
    let (wall, edge) = (observation.bearing(Thing::Wall), observation.bearing(Thing::Edge));
    Direction::ALL.into_iter().filter(move |d| !wall.has(*d) && !edge.has(*d))
}

fn level(energy: u16) -> &'static str {
    let told = rounded_energy(energy);
    LEVELS[usize::from(told > LOW_UP_TO) + usize::from(told > MIDDLE_UP_TO)]
}

fn beside(direction: Direction, observation: &Observation) -> &'static str {
    let neighbours = [Thing::Wall, Thing::Edge, Thing::Agent];
    neighbours.into_iter().find(|thing| observation.bearing(*thing).has(direction)).map_or(OPEN, thing_word)
}

fn here(observation: &Observation) -> Vec<&'static str> {
    let lies = |thing: &Thing| observation.bearing(*thing).is_here();
    let found: Vec<_> = [Thing::Home, Thing::Food].into_iter().filter(lies).map(thing_word).collect();
    if found.is_empty() { vec![NOTHING] } else { found }
}
