//! How agents get from cell to cell: they glide as long as a turn lasts, and stand apart where several share a cell.

use std::f32::consts::TAU;

use bevy::prelude::*;

use super::{ViewOptions, effects::Kind, watch::seen_as};
use crate::{
    protocol::{Action, AgentId, Direction},
    sim::{Agent, GridPos, InHabitat, LastTurn, Vitality},
};

/// The longest that a step takes, in seconds.
const LONGEST: f32 = 0.6;
/// From so many turns a second on agents are where they belong at once.
const HURRY: f32 = 30.0;
/// Below so many turns a second each step begins and ends softly; above they follow each other without a halt.
const CALM: f32 = 3.0;
/// Farther than this in one go, and it is put there, in cells.
const JUMP: f32 = 1.6;
/// How fast an agent grows and shrinks as others come and go: the share that is left shrinks by e in 1/8 s.
const GROWTH: f32 = 8.0;

/// How an agent is drawn. In cells, counted from its habitat's south-western corner.
#[derive(Component, Debug, Clone, PartialEq)]
pub struct Drawn {
    from: Vec2,
    to: Vec2,
    at: Vec2,
    begun: f64,
    lasts: f32,
    is_placed: bool,
    facing: Direction,
    size: f32,
    wanted_size: f32,
    born: f64,
    was_alive: Option<bool>,
}

impl Default for Drawn {
    fn default() -> Self {
        Self {
            from: Vec2::ZERO,
            to: Vec2::ZERO,
            at: Vec2::ZERO,
            begun: 0.0,
            lasts: 0.0,
            is_placed: false,
            facing: Direction::South,
            size: 1.0,
            wanted_size: 1.0,
            born: f64::MIN,
            was_alive: None,
        }
    }
}

impl Drawn {
    /// Where its middle is drawn now.
    pub const fn at(&self) -> Vec2 {
        self.at
    }

    /// Where it looks.
    pub const fn facing(&self) -> Direction {
        self.facing
    }

    /// How large it is, beside one that has a cell for itself.
    pub(super) const fn size(&self) -> f32 {
        self.size
    }

    /// How much of the present step it has behind it, from 0 to 1.
    pub(super) fn progress(&self, now: f64) -> f32 {
        if self.lasts > 0.0 { (((now - self.begun) as f32) / self.lasts).clamp(0.0, 1.0) } else { 1.0 }
    }

    /// Whether it is on its way to another cell, not only making room.
    pub(super) fn walks(&self) -> bool {
        self.from.distance(self.to) > 0.5
    }

    /// Seconds since it was first seen.
    pub(super) fn age(&self, now: f64) -> f32 {
        (now - self.born) as f32
    }

    /// Notes what it did last; says what is to be seen of it.
    pub(super) fn note(&mut self, last: &LastTurn, vitality: Vitality, now: f64) -> Option<Kind> {
        let before = self.was_alive.replace(vitality.is_alive());
        if before.is_none() {
            self.born = now;
            return vitality.is_alive().then_some(Kind::Born);
        }
        if before == Some(true) && !vitality.is_alive() {
            return Some(Kind::Died);
        }
        let deed = last.0?;
        self.facing = match deed.action {
            Action::Move(direction) => direction,
            Action::PickUp | Action::Drop | Action::Eat => Direction::South,
            Action::Wait => self.facing,
        };
        seen_as(deed.outcome)
    }

    /// Sets out for another place.
    fn set_out(&mut self, to: Vec2, now: f64, options: &ViewOptions) {
        if self.is_placed && self.to == to {
            return;
        }
        let pace = if options.pace > 0.0 { options.pace } else { CALM };
        let at_once = !self.is_placed || !options.animate || pace >= HURRY || self.at.distance(to) > JUMP;
        (self.from, self.to, self.begun) = (self.at, to, now);
        self.lasts = if at_once { 0.0 } else { pace.recip().min(LONGEST) };
        if at_once {
            (self.from, self.at, self.is_placed) = (to, to, true);
        }
    }
}

/// Whoever has moved, died or come.
type Moved = (With<Agent>, Or<(Changed<GridPos>, Changed<Vitality>, Added<Agent>)>);

/// Finds out where everybody belongs: the middle of its cell, or beside it where others are.
pub(super) fn set_goals(
    moved: Query<(), Moved>,
    mut gone: RemovedComponents<Agent>,
    mut agents: Query<(Entity, &Agent, &GridPos, &InHabitat, &Vitality, &mut Drawn)>,
    mut places: Local<Vec<(Entity, usize, AgentId, Entity)>>,
    (time, options): (Res<Time>, Res<ViewOptions>),
) {
    if moved.is_empty() && gone.read().count() == 0 {
        return;
    }
    let now = time.elapsed_secs_f64();
    places.clear();
    for (entity, agent, place, habitat, vitality, mut drawn) in &mut agents {
        if vitality.is_alive() {
            places.push((habitat.0, place.0.index(u16::MAX), agent.id, entity));
        } else {
            let aside = Vec2::from_angle(agent.id.0 as f32 * 2.4) * 0.14;
            drawn.wanted_size = 1.0;
            drawn.set_out(middle(place) + aside, now, &options);
        }
    }
    places.sort_unstable();
    for crowd in places.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
        for (rank, (.., entity)) in crowd.iter().enumerate() {
            let Ok((_, _, place, .., mut drawn)) = agents.get_mut(*entity) else { continue };
            let (aside, size) = stand(rank, crowd.len());
            drawn.wanted_size = size;
            drawn.set_out(middle(place) + aside, now, &options);
        }
    }
}

/// Where one of several stands, away from the middle of their cell, and how large it is.
fn stand(rank: usize, count: usize) -> (Vec2, f32) {
    let circle = |radius: f32, begin: f32| Vec2::from_angle(begin + TAU * rank as f32 / count as f32) * radius;
    match count {
        0 | 1 => (Vec2::ZERO, 1.0),
        2 => (circle(0.22, 0.0), 0.78),
        3 | 4 => (circle(0.25, TAU / 8.0), 0.66),
        _ => (circle(0.29, TAU / 4.0), 0.52),
    }
}

fn middle(place: &GridPos) -> Vec2 {
    Vec2::new(f32::from(place.x) + 0.5, f32::from(place.y) + 0.5)
}

/// Lets everybody be where it is by now.
pub(super) fn glide(mut agents: Query<&mut Drawn>, (time, options): (Res<Time>, Res<ViewOptions>)) {
    let now = time.elapsed_secs_f64();
    let share = if options.animate { 1.0 - (-GROWTH * time.delta_secs()).exp() } else { 1.0 };
    for mut drawn in &mut agents {
        let drawn = drawn.bypass_change_detection();
        let progress = if options.animate { drawn.progress(now) } else { 1.0 };
        let eased = if options.pace < CALM { progress * progress * (3.0 - 2.0 * progress) } else { progress };
        drawn.at = if progress < 1.0 { drawn.from.lerp(drawn.to, eased) } else { drawn.to };
        drawn.size += (drawn.wanted_size - drawn.size) * share;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_share_a_cell_do_not_cover_each_other() {
        for count in 1..=9_usize {
            let places: Vec<_> = (0..count).map(|rank| stand(rank, count)).collect();
            for (i, (a, size)) in places.iter().enumerate() {
                assert!(a.length() + size * 0.4 < 0.7, "{count} in a cell stay near it");
                for (b, _) in &places[..i] {
                    assert!(a.distance(*b) > 0.19, "{count}: {a} and {b}");
                }
            }
        }
    }
}
