//! What the fitness panel shows: curves of generations that are over, and of the ones that live.
//!
//! This module does *not* know how curves are drawn, or where the numbers come from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::curve::Curve;
use crate::protocol::HabitatId;

/// What there is a curve of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Quantity {
    /// Mean fitness.
    Mean,
    /// Fitness of the best.
    Best,
    /// Median fitness.
    Median,
    /// A quarter of all are below it.
    LowerQuartile,
    /// A quarter of all are above it.
    UpperQuartile,
    /// Pieces of food delivered.
    Deliveries,
    /// Agents that died.
    Deaths,
    /// Mean loss of the lessons.
    Loss,
    /// Mean entropy of what was learned from.
    Entropy,
    /// How far the lessons moved the policies from the bare model's.
    Kl,
    /// How different the minds are.
    Diversity,
    /// Founders' lines that live.
    Lines,
}

impl Quantity {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Mean,
        Self::Best,
        Self::Median,
        Self::LowerQuartile,
        Self::UpperQuartile,
        Self::Deliveries,
        Self::Deaths,
        Self::Loss,
        Self::Entropy,
        Self::Kl,
        Self::Diversity,
        Self::Lines,
    ];

    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mean => "Mean",
            Self::Best => "Best",
            Self::Median => "Median",
            Self::LowerQuartile => "Lower quartile",
            Self::UpperQuartile => "Upper quartile",
            Self::Deliveries => "Deliveries",
            Self::Deaths => "Deaths",
            Self::Loss => "Loss",
            Self::Entropy => "Entropy",
            Self::Kl => "KL",
            Self::Diversity => "Diversity",
            Self::Lines => "Lines",
        }
    }

    /// What its numbers count.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Mean | Self::Best | Self::Median | Self::LowerQuartile | Self::UpperQuartile => "fitness",
            Self::Deliveries => "pieces of food",
            Self::Deaths => "agents",
            Self::Loss => "loss",
            Self::Entropy | Self::Kl | Self::Diversity => "nats",
            Self::Lines => "founders' lines",
        }
    }

    /// A value of it in words, without its unit.
    pub fn write(self, value: f64) -> String {
        let decimals = match self {
            Self::Deaths | Self::Deliveries | Self::Lines if value.fract() == 0.0 => 0,
            Self::Loss | Self::Entropy | Self::Kl | Self::Diversity => 3,
            _ => 1,
        };
        let text = format!("{value:.decimals$}");
        match text.strip_prefix('-') {
            // What rounds to nought has no sign.
            Some(nought) if nought.bytes().all(|byte| matches!(byte, b'0' | b'.')) => nought.to_owned(),
            _ => text,
        }
    }
}

/// A generation of one habitat in numbers; what has not been measured is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct GenerationValues {
    /// The habitat.
    pub habitat: HabitatId,
    /// The generation, from 0.
    pub generation: u32,
    /// Mean fitness.
    pub mean: f64,
    /// Fitness of the best.
    pub best: f64,
    /// Median fitness.
    pub median: f64,
    /// A quarter of all are below it.
    pub lower_quartile: Option<f64>,
    /// A quarter of all are above it.
    pub upper_quartile: Option<f64>,
    /// Pieces of food delivered by all together.
    pub deliveries: u64,
    /// Agents that died.
    pub deaths: u64,
    /// Mean loss of the lessons.
    pub loss: Option<f64>,
    /// Mean entropy of what was learned from, in nats.
    pub entropy: Option<f64>,
    /// KL of what was learned from the bare model's policy, in nats.
    pub kl: Option<f64>,
    /// Mean KL between any two minds, in nats.
    pub diversity: Option<f64>,
    /// Founders' lines that live.
    pub lines: u32,
}

impl GenerationValues {
    /// The value of one quantity.
    pub fn value(&self, quantity: Quantity) -> Option<f64> {
        match quantity {
            Quantity::Mean => Some(self.mean),
            Quantity::Best => Some(self.best),
            Quantity::Median => Some(self.median),
            Quantity::LowerQuartile => self.lower_quartile,
            Quantity::UpperQuartile => self.upper_quartile,
            Quantity::Deliveries => Some(self.deliveries as f64),
            Quantity::Deaths => Some(self.deaths as f64),
            Quantity::Loss => self.loss,
            Quantity::Entropy => self.entropy,
            Quantity::Kl => self.kl,
            Quantity::Diversity => self.diversity,
            Quantity::Lines => Some(f64::from(self.lines)),
        }
    }
}

/// A curve for every quantity.
pub(super) type Curves = BTreeMap<Quantity, Curve>;

/// The curves of one habitat, or of all together.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct CurveSet {
    /// Generations that are over; x is how many had been lived by then: generation 0 ends at 1.
    pub(super) over: Curves,
    /// The one that lives; x is its number and the part of its turns that is over.
    pub(super) living: Curves,
}

/// What another mind came to on the same maps.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reference {
    /// Who: `rules`, `random`.
    pub name: String,
    /// Its mean fitness; x as for generations that are over. Of a single point a level line is drawn.
    pub curve: Curve,
}

/// What the panel shows. It keeps at most about 2000 points a curve, however long the run; whoever fills it keeps it
/// and adds what is new.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FitnessModel {
    /// Turns per generation.
    pub turns: u32,
    /// The minds to compare with.
    pub references: Vec<Reference>,
    habitats: BTreeMap<HabitatId, CurveSet>,
    together: CurveSet,
    /// Generations that are not over in all habitats.
    waiting: BTreeMap<u32, Vec<GenerationValues>>,
}

impl FitnessModel {
    /// No curves yet, for habitats whose generations have this many turns.
    pub fn new(habitats: impl IntoIterator<Item = HabitatId>, turns: u32) -> Self {
        let habitats = habitats.into_iter().map(|habitat| (habitat, CurveSet::default())).collect();
        Self { turns, habitats, ..Self::default() }
    }

    /// Adds a generation that is over. Those of a habitat come in order.
    pub fn note_generation(&mut self, values: GenerationValues) {
        let set = self.habitats.entry(values.habitat).or_default();
        set.living.clear();
        let x = f64::from(values.generation) + 1.0;
        push(&mut set.over, x, |quantity| values.value(quantity));
        let all = self.waiting.entry(values.generation).or_default();
        all.push(values);
        if all.len() == self.habitats.len() {
            push(&mut self.together.over, x, |quantity| sum_up(all, quantity));
            self.together.living.clear();
            self.waiting.remove(&values.generation);
        }
    }

    /// Adds what the living generations have come to after `turn` turns, a row per habitat.
    pub fn note_turn(&mut self, turn: u32, rows: &[GenerationValues]) {
        let part = f64::from(turn) / f64::from(self.turns.max(1));
        for row in rows {
            let set = self.habitats.entry(row.habitat).or_default();
            extend(&mut set.living, f64::from(row.generation) + part, |quantity| row.value(quantity));
        }
        if let Some(first) = rows.first().filter(|first| rows.iter().all(|row| row.generation == first.generation)) {
            extend(&mut self.together.living, f64::from(first.generation) + part, |quantity| sum_up(rows, quantity));
        }
    }

    /// How many habitats there are.
    pub fn habitats(&self) -> usize {
        self.habitats.len()
    }

    /// Whether there is nothing to draw.
    pub fn is_empty(&self) -> bool {
        self.habitats.values().all(|set| set.over.is_empty() && set.living.is_empty())
    }

    pub(super) const fn together(&self) -> &CurveSet {
        &self.together
    }

    pub(super) fn each(&self) -> impl Iterator<Item = (HabitatId, &CurveSet)> {
        self.habitats.iter().map(|(habitat, set)| (*habitat, set))
    }
}

fn push(curves: &mut Curves, x: f64, value: impl Fn(Quantity) -> Option<f64>) {
    for quantity in Quantity::ALL {
        if let Some(y) = value(quantity) {
            curves.entry(quantity).or_default().push(x, y);
        }
    }
}

/// The same, for a curve that begins anew where x does not grow.
fn extend(curves: &mut Curves, x: f64, value: impl Fn(Quantity) -> Option<f64>) {
    let last = curves.get(&Quantity::Mean).and_then(Curve::newest).map(|[x, _]| x);
    match last {
        Some(last) if last == x => return,
        // Another generation, or one that was begun again.
        Some(last) if last > x || last.ceil() < x => curves.clear(),
        _ => {}
    }
    push(curves, x, value);
}

/// Several habitats as one: the best of all, and the mean of everything else over those where it was measured.
fn sum_up(rows: &[GenerationValues], quantity: Quantity) -> Option<f64> {
    let values: Vec<f64> = rows.iter().filter_map(|row| row.value(quantity)).collect();
    if values.is_empty() {
        return None;
    }
    Some(match quantity {
        Quantity::Best => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        _ => values.iter().sum::<f64>() / values.len() as f64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(habitat: u32, generation: u32, mean: f64) -> GenerationValues {
        let loss = (habitat == 0).then_some(0.5);
        GenerationValues { habitat: HabitatId(habitat), generation, mean, best: 2.0 * mean, loss, ..Default::default() }
    }

    fn points(set: &Curves, quantity: Quantity) -> Vec<[f64; 2]> {
        set.get(&quantity).map(Curve::points).unwrap_or_default()
    }

    #[test]
    fn several_habitats_become_one_curve_when_all_are_through() {
        let mut model = FitnessModel::new([HabitatId(0), HabitatId(1)], 100);
        model.note_generation(row(0, 0, 10.0));
        assert!(model.together().over.is_empty(), "the other one still lives");
        model.note_generation(row(1, 0, 20.0));
        assert_eq!(points(&model.together().over, Quantity::Mean), [[1.0, 15.0]]);
        assert_eq!(points(&model.together().over, Quantity::Best), [[1.0, 40.0]], "the best of all");
        assert_eq!(points(&model.together().over, Quantity::Loss), [[1.0, 0.5]], "of those that learned");
        assert!(points(&model.together().over, Quantity::Kl).is_empty());
        let each: Vec<_> = model.each().map(|(habitat, set)| (habitat.0, points(&set.over, Quantity::Mean))).collect();
        assert_eq!(each, [(0, vec![[1.0, 10.0]]), (1, vec![[1.0, 20.0]])]);
    }

    #[test]
    fn live_points_stand_inside_their_generation_and_go_when_it_ends() {
        let mut model = FitnessModel::new([HabitatId(0)], 100);
        model.note_turn(25, &[row(0, 3, 1.0)]);
        model.note_turn(25, &[row(0, 3, 1.0)]);
        model.note_turn(50, &[row(0, 3, 2.0)]);
        assert_eq!(points(&model.together().living, Quantity::Mean), [[3.25, 1.0], [3.5, 2.0]]);
        model.note_generation(row(0, 3, 4.0));
        assert!(points(&model.together().living, Quantity::Mean).is_empty());
        assert!(model.each().all(|(_, set)| set.living.is_empty()), "nor those of the habitat alone");
        assert_eq!(points(&model.together().over, Quantity::Mean), [[4.0, 4.0]]);
        model.note_turn(50, &[row(0, 4, 2.0)]);
        model.note_turn(10, &[row(0, 4, 1.0)]);
        assert_eq!(points(&model.together().living, Quantity::Mean), [[4.1, 1.0]], "a generation that is begun again");
        model.note_turn(10, &[row(0, 6, 1.0)]);
        assert_eq!(points(&model.together().living, Quantity::Mean), [[6.1, 1.0]], "generations that were not watched");
    }

    #[test]
    fn a_week_of_generations_stays_small() {
        let mut model = FitnessModel::new([HabitatId(0)], 100);
        (0..300_000).for_each(|generation| model.note_generation(row(0, generation, f64::from(generation % 100))));
        for curve in model.together().over.values() {
            assert!(curve.points().len() <= 2001);
        }
        assert!(model.waiting.is_empty());
    }
}
