//! Watches turns go by: where agents were, which cells they entered, what they did.

use std::collections::VecDeque;

use bevy::prelude::*;

use super::{
    ViewOptions,
    effects::{Effect, Effects},
    motion::Drawn,
};
use crate::{
    protocol::{Cell, Outcome},
    sim::{Agent, Clock, GridPos, Ground, Habitat, InHabitat, LastTurn, Vitality},
};

/// Cells of an agent's way that are remembered.
pub const TRAIL: usize = 30;

/// The cells that an agent was in, the present one last.
#[derive(Component, Debug, Clone, PartialEq, Eq, Default)]
pub struct Trail(VecDeque<Cell>);

impl Trail {
    /// The cells, oldest first; neighbours in this order differ.
    pub fn cells(&self) -> impl ExactSizeIterator<Item = Cell> + DoubleEndedIterator {
        self.0.iter().copied()
    }

    /// Notes where the agent is; says whether it has just come there.
    fn note(&mut self, cell: Cell) -> bool {
        if self.0.back() == Some(&cell) {
            return false;
        }
        if self.0.len() == TRAIL {
            self.0.pop_front();
        }
        self.0.push_back(cell);
        true
    }
}

/// How often each cell was entered in this generation, births included.
#[derive(Component, Debug, Clone, PartialEq, Eq, Default)]
pub struct Visits {
    size: u16,
    counts: Vec<u32>,
    noted: Option<Clock>,
}

impl Visits {
    /// How often `cell` was entered.
    pub fn count(&self, cell: Cell) -> u32 {
        self.counts.get(cell.index(self.size)).copied().unwrap_or_default()
    }

    /// By cell, in row-major order from the south-western one.
    pub fn counts(&self) -> &[u32] {
        &self.counts
    }

    /// Whether this is another turn than the last one that was noted. A new generation begins with bare counts.
    fn begin(&mut self, clock: Clock, size: u16) -> bool {
        let goes_on = self.noted.is_some_and(|noted| noted.generation == clock.generation && noted.turn <= clock.turn);
        if !goes_on || self.size != size {
            let cells = usize::from(size).pow(2);
            (self.size, self.counts) = (size, vec![0; cells]);
        }
        self.noted.replace(clock) != Some(clock)
    }

    fn add(&mut self, cell: Cell) {
        if let Some(count) = self.counts.get_mut(cell.index(self.size)) {
            *count = count.saturating_add(1);
        }
    }
}

/// Notes the turn that has passed in each habitat, if one has. [`ViewPlugin`](super::ViewPlugin) does so once a frame; where
/// several turns pass in a frame, add this system behind the turn's others, so that none is missed.
pub fn watch_turn(
    mut habitats: Query<(&Clock, &Ground, &mut Visits), With<Habitat>>,
    mut agents: Query<(Entity, &GridPos, &InHabitat, &LastTurn, &Vitality, &mut Trail, &mut Drawn), With<Agent>>,
    (time, options): (Res<Time>, Res<ViewOptions>),
    mut effects: ResMut<Effects>,
    mut passed: Local<Vec<Entity>>,
    mut all: Local<Vec<Entity>>,
    entities: Query<Entity, With<Habitat>>,
) {
    passed.clear();
    all.clear();
    all.extend(&entities);
    for habitat in &all {
        if let Ok((clock, ground, mut visits)) = habitats.get_mut(*habitat)
            && visits.noted != Some(*clock)
            && visits.begin(*clock, ground.size())
        {
            passed.push(*habitat);
        }
    }
    if passed.is_empty() {
        return;
    }
    let now = time.elapsed_secs_f64();
    for (entity, place, habitat, last, vitality, mut trail, mut drawn) in &mut agents {
        if !passed.contains(&habitat.0) {
            continue;
        }
        if vitality.is_alive()
            && trail.note(place.0)
            && let Ok((.., mut visits)) = habitats.get_mut(habitat.0)
        {
            visits.add(place.0);
        }
        let effect = drawn.note(last, *vitality, now);
        if let Some(kind) = effect.filter(|_| options.animate) {
            effects.add(Effect { kind, agent: entity, begun: now });
        }
    }
}

/// What came of an act is seen as this, if it is seen.
pub(super) const fn seen_as(outcome: Outcome) -> Option<super::effects::Kind> {
    use super::effects::Kind;
    match outcome {
        Outcome::PickedUp => Some(Kind::PickedUp),
        Outcome::Delivered => Some(Kind::Delivered),
        Outcome::AteHungry | Outcome::AteSated => Some(Kind::Ate),
        Outcome::Moved | Outcome::Bumped | Outcome::Waited | Outcome::Invalid | Outcome::Unreadable => None,
    }
}
