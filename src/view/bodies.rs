//! Agents: round little creatures that look where they walk, carry what they found, and show how they are.

use std::f32::consts::PI;

use bevy::{ecs::query::QueryData, prelude::*};

use super::{
    Drawn, Persona,
    atlas::{BODY, CLOSED, CROWN, DOT, EYES, GLOW, LIDS, LOAD, MARKINGS, PUPILS, RING, SHADOW, SHEEN, SPROUT, square},
    canvas::{Canvas, Layer, Stamp},
    scene::Scene,
};
use crate::{
    palette::{self, Rgb},
    protocol::Direction,
    sim::{Agent, Energy, HabitatConfig, InHabitat, Load, Vitality},
};

/// Width of a body, in cells.
const BODY_SIZE: f32 = 1.04;
/// Below so many pixels a body is a dot, and without details.
const DETAIL: (f32, f32) = (7.0, 13.0);
/// The part of what counts as hungry below which an agent is dying.
const DYING: f64 = 0.3;
/// Seconds that a newborn takes to its full size.
const GROWING: f32 = 0.45;

/// How an agent is, as far as one can see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    Well,
    Hungry,
    Dying,
    Dead,
}

impl Mood {
    pub(super) fn of(vitality: Vitality, energy: f64, hungry: f64) -> Self {
        match energy {
            _ if !vitality.is_alive() => Self::Dead,
            energy if energy < hungry * DYING => Self::Dying,
            energy if energy < hungry => Self::Hungry,
            _ => Self::Well,
        }
    }
}

/// The colour of an agent.
pub(super) fn colour_of(agent: &Agent, persona: &Persona) -> Rgb {
    persona.line.map_or_else(|| palette::lineage(agent.id.0), palette::lineage)
}

/// What of an agent is drawn.
#[derive(QueryData)]
pub(super) struct Look {
    entity: Entity,
    agent: &'static Agent,
    drawn: &'static Drawn,
    energy: &'static Energy,
    load: &'static Load,
    vitality: &'static Vitality,
    persona: &'static Persona,
    habitat: &'static InHabitat,
}

/// Draws every agent that can be seen: the dead first, then from north to south.
pub(super) fn draw_agents(
    agents: Query<Look>,
    configs: Query<&HabitatConfig>,
    scene: Scene,
    mut canvas: ResMut<Canvas>,
) {
    let seen = scene.seen();
    let mut order: Vec<_> = agents
        .iter()
        .filter_map(|look| Some((scene.corner(look.habitat.0)? + look.drawn.at(), look)))
        .filter(|(at, _)| seen.contains(*at))
        .collect();
    order.sort_by(|(a, one), (b, other)| {
        let living = one.vitality.is_alive().cmp(&other.vitality.is_alive());
        living.then(b.y.total_cmp(&a.y)).then(one.agent.id.cmp(&other.agent.id))
    });
    for (at, look) in &order {
        let Ok(config) = configs.get(look.habitat.0) else { continue };
        let energy = &config.energy;
        let mood = Mood::of(*look.vitality, look.energy.0, energy.hungry);
        Painter::new(*at, look, mood, &scene).paint(&mut canvas, (look.energy.0 / energy.max) as f32);
    }
}

/// Paints one agent.
struct Painter<'a, 'w, 's> {
    look: &'a LookItem<'a, 'a>,
    scene: &'a Scene<'w, 's>,
    mood: Mood,
    /// Where it stands.
    ground: Vec2,
    /// The middle of its body.
    at: Vec2,
    /// Width of the body, in cells.
    size: f32,
    /// What its breath makes of it.
    shape: Vec2,
    rgb: Rgb,
}

impl<'a, 'w, 's> Painter<'a, 'w, 's> {
    fn new(ground: Vec2, look: &'a LookItem<'a, 'a>, mood: Mood, scene: &'a Scene<'w, 's>) -> Self {
        let (drawn, now) = (look.drawn, scene.now());
        let animate = scene.options.animate;
        let age = if animate { (drawn.age(now) / GROWING).clamp(0.0, 1.0) } else { 1.0 };
        let size = BODY_SIZE * drawn.size() * (1.0 - (1.0 - age).powi(3)).max(0.05);
        let progress = drawn.progress(now);
        let hop = if animate && drawn.walks() { (progress * PI).sin() * 0.07 } else { 0.0 };
        let breath = scene.breath(3.2, f64::from(look.agent.id.0) * 0.37) * 0.015;
        let shape = match mood {
            Mood::Dead => Vec2::new(1.04, 0.72),
            Mood::Dying => Vec2::new(1.03 - breath, 0.88 + breath),
            Mood::Well | Mood::Hungry => Vec2::new(1.0 - breath, 1.0 + breath),
        };
        let rgb = colour_of(look.agent, look.persona);
        let rgb = match mood {
            Mood::Dead => palette::mix(rgb, palette::DEAD, 180),
            Mood::Dying => palette::mix(rgb, palette::DEAD, 110),
            Mood::Well | Mood::Hungry => rgb,
        };
        let at = ground + Vec2::Y * (hop + 0.05 * size - (1.0 - shape.y) * size * 0.4);
        Self { look, scene, mood, ground, at, size, shape, rgb }
    }

    /// A sprite of the body's size, laid over it.
    fn over(&self, tile: super::atlas::Tile, rgb: Rgb) -> Stamp {
        Stamp::new(tile, self.at, 1.0, rgb).size(self.shape * self.size)
    }

    /// A small sprite beside the body's middle; all in parts of its width.
    fn beside(&self, tile: super::atlas::Tile, off: Vec2, size: f32, rgb: Rgb) -> Stamp {
        Stamp::new(tile, self.at + off * self.shape * self.size, self.size * size, rgb)
    }

    fn paint(&self, canvas: &mut Canvas, energy: f32) {
        let pixels = self.size * self.scene.scale();
        let mut put = |stamp| canvas.stamp(Layer::Life, stamp);
        self.marks(&mut put);
        if pixels < DETAIL.0 {
            // However far away, an agent is seen.
            let size = self.size.max(4.0 / self.scene.scale());
            return put(Stamp::new(DOT, self.ground, size, self.rgb));
        }
        let faded = if self.mood == Mood::Dead { 0.75 } else { 1.0 };
        let feet = self.ground - Vec2::Y * self.size * 0.36;
        put(Stamp::new(SHADOW, feet, 1.0, [0; 3]).size(Vec2::new(1.05, 0.5) * self.size).alpha(0.42 * faded));
        put(self.over(BODY, self.rgb).alpha(faded));
        if pixels >= DETAIL.1 {
            let cycle = self.look.persona.line.unwrap_or_default() as usize / palette::AGENTS.len();
            if let Some(tile) = cycle.checked_sub(1).map(|cycle| MARKINGS[cycle % MARKINGS.len()]) {
                put(self.over(tile, palette::mix(self.rgb, [255; 3], 130)).alpha(faded));
            }
            put(self.over(SHEEN, [255; 3]).alpha(0.5 * faded));
        }
        self.face(&mut put);
        self.belongings(&mut put);
        // Where many stand close and small, only the bars of those who lack something are drawn.
        if self.mood != Mood::Dead && (pixels >= DETAIL.1 || self.mood != Mood::Well) {
            self.bar(&mut put, energy.clamp(0.0, 1.0));
        }
    }

    /// What lies under the agent: whether it is selected, or dying.
    fn marks(&self, put: &mut impl FnMut(Stamp)) {
        let colours = self.scene.colours();
        if self.mood == Mood::Dying {
            put(Stamp::new(GLOW, self.ground, self.size * 1.9, palette::DANGER).alpha(0.55));
        }
        if self.scene.options.selected == Some(self.look.entity) {
            let wide = (self.size * 1.3).max(14.0 / self.scene.scale());
            put(Stamp::new(GLOW, self.ground, wide * 1.5, colours.accent).alpha(0.4));
            put(Stamp::new(RING, self.ground, wide, colours.accent));
        }
    }

    fn face(&self, put: &mut impl FnMut(Stamp)) {
        let gaze = match self.look.drawn.facing() {
            Direction::North => Vec2::new(0.0, 0.10),
            Direction::South => Vec2::new(0.0, -0.03),
            Direction::East => Vec2::new(0.11, 0.02),
            Direction::West => Vec2::new(-0.11, 0.02),
        };
        let looking = |stamp: Stamp, gaze: Vec2| Stamp { at: stamp.at + gaze * self.size, ..stamp };
        if self.mood == Mood::Dead {
            return put(self.over(CLOSED, [255; 3]));
        }
        put(looking(self.over(EYES, [255; 3]), gaze));
        put(looking(self.over(PUPILS, [255; 3]), gaze * 1.35));
        match self.mood {
            Mood::Hungry => put(looking(self.over(LIDS, self.rgb), gaze)),
            Mood::Dying => put(looking(self.over(LIDS, self.rgb), gaze - Vec2::Y * 0.045)),
            Mood::Well | Mood::Dead => {}
        }
    }

    /// What it carries and wears.
    fn belongings(&self, put: &mut impl FnMut(Stamp)) {
        let (look, colours) = (self.look, self.scene.colours());
        if look.load.0.is_some() {
            let side = if look.drawn.facing() == Direction::West { -1.0 } else { 1.0 };
            put(self.beside(LOAD, Vec2::new(0.36 * side, -0.1), 0.44, colours.berry));
        }
        if look.persona.elite {
            put(self.beside(CROWN, Vec2::new(0.0, 0.46), 0.42, palette::ACCENT));
        } else if look.persona.newborn {
            put(self.beside(SPROUT, Vec2::new(0.0, 0.5), 0.38, palette::FOOD_LIGHT));
        }
    }

    fn bar(&self, put: &mut impl FnMut(Stamp), energy: f32) {
        let pixel = self.scene.scale().recip();
        let (wide, high) = (self.size * 0.72, (self.size * 0.1).max(2.0 * pixel));
        let at = self.ground - Vec2::Y * self.size * 0.54;
        let rim = (0.02 * self.size).max(pixel);
        put(Stamp::new(square(), at, 1.0, palette::NIGHT).size(Vec2::new(wide, high) + 2.0 * rim).alpha(0.75));
        let rgb = if self.mood == Mood::Well { palette::ACCENT } else { palette::DANGER };
        let left = at - Vec2::X * wide * (1.0 - energy) / 2.0;
        put(Stamp::new(square(), left, 1.0, rgb).size(Vec2::new(wide * energy, high)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_an_agent_is_follows_from_its_energy() {
        let mood = |energy| Mood::of(Vitality::Alive, energy, 50.0);
        assert_eq!([100.0, 50.0, 49.9, 15.0, 14.9, 0.1].map(mood), {
            use Mood::{Dying, Hungry, Well};
            [Well, Well, Hungry, Hungry, Dying, Dying]
        });
        assert_eq!(Mood::of(Vitality::Dead, 0.0, 50.0), Mood::Dead);
    }

    #[test]
    fn a_line_has_its_colour_and_an_agent_without_one_that_of_its_place() {
        let agent = Agent { id: crate::protocol::AgentId(3) };
        let persona = |line| Persona { line, ..Persona::default() };
        assert_eq!(colour_of(&agent, &persona(None)), palette::AGENTS[3]);
        assert_eq!(colour_of(&agent, &persona(Some(5))), palette::AGENTS[5]);
    }
}
