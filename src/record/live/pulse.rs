//! The living generation's fitness, turn by turn.

use std::collections::BTreeMap;

use bevy::prelude::*;

use crate::{
    genetics::fitness,
    protocol::HabitatId,
    sim::{Clock, Finished, GenerationConfig, Habitat, Life, Roster},
};

/// Points that are kept of a generation; with more, every second goes.
const POINTS: usize = 512;

/// Fitness after a turn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PulsePoint {
    /// Turns that are over.
    pub turn: u32,
    /// Mean fitness so far.
    pub mean: f64,
    /// Fitness of the best so far.
    pub best: f64,
}

/// One habitat's living generation.
#[derive(Debug, Clone, PartialEq, Default)]
struct Course {
    generation: u32,
    /// Points at every so many turns.
    stride: u32,
    points: Vec<PulsePoint>,
    latest: Option<PulsePoint>,
}

/// The living generations' courses so far.
#[derive(Resource, Debug, Clone, PartialEq, Default)]
pub struct Pulse(BTreeMap<HabitatId, Course>);

impl Pulse {
    /// The generation that lives in a habitat, and its points so far, the latest among them; at most 513.
    pub fn of(&self, habitat: HabitatId) -> Option<(u32, Vec<PulsePoint>)> {
        let course = self.0.get(&habitat)?;
        let is_new = |latest: &PulsePoint| course.points.last().is_none_or(|last| last.turn < latest.turn);
        let points = course.points.iter().copied().chain(course.latest.filter(is_new));
        Some((course.generation, points.collect()))
    }

    fn note(&mut self, habitat: HabitatId, generation: u32, point: PulsePoint) {
        let course = self.0.entry(habitat).or_default();
        if course.generation != generation || course.latest.is_some_and(|latest| latest.turn > point.turn) {
            *course = Course { generation, ..Course::default() };
        }
        course.stride = course.stride.max(1);
        course.latest = Some(point);
        if point.turn.is_multiple_of(course.stride) {
            course.points.push(point);
        }
        if course.points.len() > POINTS {
            course.stride *= 2;
            let stride = course.stride;
            course.points.retain(|point| point.turn.is_multiple_of(stride));
        }
    }
}

/// Notes how the living generations do.
pub(super) fn feel(
    habitats: Query<(&Habitat, &Clock, &Roster, &GenerationConfig), Without<Finished>>,
    lives: Query<&Life>,
    mut pulse: ResMut<Pulse>,
) {
    for (habitat, clock, roster, begun) in &habitats {
        let (mut sum, mut best, mut count) = (0.0, f64::NEG_INFINITY, 0_u32);
        for life in lives.iter_many(roster.iter()) {
            let fitness = fitness(&life.0, &begun.fitness);
            (sum, best, count) = (sum + fitness, best.max(fitness), count + 1);
        }
        if count > 0 {
            let point = PulsePoint { turn: clock.turn, mean: sum / f64::from(count), best };
            pulse.note(habitat.id, clock.generation, point);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_generation_is_thinned_and_the_next_begins_anew() {
        let (mut pulse, home) = (Pulse::default(), HabitatId(3));
        let point = |turn: u32| PulsePoint { turn, mean: f64::from(turn), best: f64::from(2 * turn) };
        (1..=512).for_each(|turn| pulse.note(home, 0, point(turn)));
        assert_eq!(pulse.of(home).unwrap().1.len(), 512);
        (513..=1_000_003).for_each(|turn| pulse.note(home, 0, point(turn)));
        let (generation, points) = pulse.of(home).unwrap();
        assert!(generation == 0 && (256..=513).contains(&points.len()), "{}", points.len());
        assert_eq!(points.last(), Some(&point(1_000_003)), "the latest is always there");
        let steps: Vec<_> = points.windows(2).map(|two| two[1].turn - two[0].turn).collect();
        assert!(steps[..steps.len() - 1].iter().all(|step| *step == 2048), "evenly: {steps:?}");
        pulse.note(home, 1, point(1));
        assert_eq!(pulse.of(home), Some((1, vec![point(1)])));
        assert_eq!(pulse.of(HabitatId(0)), None);
    }
}
