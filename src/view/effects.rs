//! What is seen for a moment: somebody picks up, delivers, eats, is born, dies, learns. Small, fading, and few.

use std::{collections::VecDeque, f32::consts::PI};

use bevy::prelude::*;

use super::{
    Drawn, Learned, Persona,
    atlas::{DOT, GLOW, LEAF, PULSE, SPARK},
    bodies::colour_of,
    canvas::{Canvas, Layer, Stamp},
    scene::Scene,
};
use crate::{
    palette::{self, Rgb},
    sim::{Agent, InHabitat},
};

/// Effects at a time; the oldest give way.
pub(super) const MOST: usize = 96;

/// What is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    PickedUp,
    Delivered,
    Ate,
    Born,
    Died,
    Learned,
}

impl Kind {
    /// How long, in seconds.
    pub(super) const fn lasts(self) -> f32 {
        match self {
            Self::PickedUp | Self::Ate => 0.6,
            Self::Born => 0.8,
            Self::Delivered => 1.0,
            Self::Learned => 1.3,
            Self::Died => 1.8,
        }
    }
}

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Effect {
    pub kind: Kind,
    pub agent: Entity,
    /// In seconds of the program's clock.
    pub begun: f64,
}

/// All that are seen now, oldest first.
#[derive(Resource, Debug, Default)]
pub struct Effects(VecDeque<Effect>);

impl Effects {
    pub(super) fn add(&mut self, effect: Effect) {
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        self.0.push_back(effect);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Effect> {
        self.0.iter()
    }
}

/// Draws effects, and forgets those that are over.
pub(super) fn draw_effects(
    mut effects: ResMut<Effects>,
    mut learned: MessageReader<Learned>,
    agents: Query<(&Agent, &Drawn, &Persona, &InHabitat)>,
    scene: Scene,
    mut canvas: ResMut<Canvas>,
) {
    let now = scene.now();
    for Learned(agent) in learned.read() {
        effects.add(Effect { kind: Kind::Learned, agent: *agent, begun: now });
    }
    let goes_on =
        |effect: &Effect| ((now - effect.begun) as f32) < effect.kind.lasts() && agents.contains(effect.agent);
    effects.0.retain(|effect| scene.options.animate && goes_on(effect));
    let seen = scene.seen();
    for effect in effects.iter() {
        let Ok((agent, drawn, persona, habitat)) = agents.get(effect.agent) else { continue };
        let Some(at) = scene.corner(habitat.0).map(|corner| corner + drawn.at()).filter(|at| seen.contains(*at)) else {
            continue;
        };
        let share = ((now - effect.begun) as f32 / effect.kind.lasts()).clamp(0.0, 1.0);
        paint(&mut canvas, effect.kind, at, share, colour_of(agent, persona), &scene);
    }
}

/// Comes softly and goes softly.
fn swell(share: f32) -> f32 {
    (share * PI).sin()
}

fn paint(canvas: &mut Canvas, kind: Kind, at: Vec2, share: f32, rgb: Rgb, scene: &Scene) {
    let colours = scene.colours();
    let out = 1.0 - (1.0 - share).powi(2);
    let mut put = |stamp| canvas.stamp(Layer::Life, stamp);
    match kind {
        Kind::PickedUp => (0..3).for_each(|i| {
            let way = Vec2::from_angle(PI * (0.2 + 0.3 * i as f32));
            let leaf = Stamp::new(LEAF, at + way * (0.25 + 0.45 * out), 0.2, colours.leaf).alpha(1.0 - share);
            put(Stamp { angle: way.to_angle() + share, ..leaf });
        }),
        Kind::Ate => (0..4).for_each(|i| {
            let way = Vec2::from_angle(PI * (0.1 + 0.266 * i as f32));
            let fall = Vec2::Y * 0.35 * share * share;
            let crumb = Stamp::new(DOT, at + way * (0.3 + 0.25 * out) - fall, 0.09, colours.berry);
            put(crumb.alpha(1.0 - share));
        }),
        Kind::Delivered => {
            put(Stamp::new(GLOW, at, 1.2 + out, colours.fire).alpha(0.5 * swell(share)));
            for i in 0..3_u8 {
                let aside = f32::from(i) - 1.0;
                let up = Vec2::new(aside * 0.32, 0.3 + 0.6 * out - 0.12 * aside.abs());
                put(Stamp::new(SPARK, at + up, 0.34 - 0.08 * aside.abs(), colours.fire).alpha(swell(share)));
            }
        }
        Kind::Born => put(Stamp::new(PULSE, at, 0.5 + 1.1 * out, rgb).alpha(0.7 * (1.0 - share))),
        Kind::Learned => {
            put(Stamp::new(PULSE, at, 0.7 + 1.1 * out, colours.accent).alpha(0.6 * swell(share)));
            put(Stamp::new(SPARK, at + Vec2::Y * (0.5 + 0.25 * out), 0.26, colours.accent).alpha(swell(share)));
        }
        Kind::Died => {
            put(Stamp::new(PULSE, at, 0.6 + 0.8 * out, palette::DEAD).alpha(0.6 * (1.0 - share)));
            let drift = Vec2::new(0.08 * (share * 6.0).sin(), 0.2 + 1.1 * share);
            put(Stamp::new(GLOW, at + drift, 0.55, colours.ink).alpha(0.7 * swell(share)));
        }
    }
}
