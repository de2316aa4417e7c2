//! Agents: a disc in the agent's colour, what it carries, and a bar of energy.

use bevy::prelude::*;

use super::{
    Corner,
    scenery::{Shapes, transform},
};
use crate::{
    palette,
    sim::{Agent, Energy, GridPos, HabitatConfig, InHabitat, Load, Vitality},
};

/// How fast a drawn agent follows its cell: the share of the way that is left shrinks by e in 1/12 s.
const FOLLOW: f32 = 12.0;
/// Farther than this in one go, and it is put there.
const JUMP: f32 = 3.0;
/// Width of a full energy bar, in cells.
const BAR: f32 = 0.7;

/// The parts of a drawn agent.
#[derive(Component, Debug, Clone, Copy)]
pub(super) struct Parts {
    disc: Entity,
    load: Entity,
    bar: Entity,
    /// Where the bar begins.
    left: f32,
}

/// Gives new agents their shapes.
pub(super) fn dress_agents(
    mut commands: Commands,
    new: Query<(Entity, &Agent, &GridPos, &InHabitat), Without<Parts>>,
    corners: Query<&Corner>,
    mut shapes: ResMut<Shapes>,
    mut materials: ResMut<Assets<ColorMaterial>>,
) {
    for (entity, agent, place, habitat) in &new {
        let Ok(corner) = corners.get(habitat.0) else { continue };
        // Agents that share a cell stand a little apart, each always on the same side.
        let apart = Vec2::from_angle(agent.id.0 as f32 * 2.4) * 0.17;
        let (disc, block) = (shapes.disc.clone(), shapes.block.clone());
        let mut part = |mesh: &Handle<Mesh>, rgb, offset: Vec2, z: f32, scale: Vec2| {
            let at = Transform::from_translation((offset + apart).extend(z)).with_scale(scale.extend(1.0));
            (Mesh2d(mesh.clone()), shapes.paint(rgb, &mut materials), at, Visibility::Inherited)
        };
        let round = |scale| Vec2::splat(scale);
        // A later agent lies above an earlier one with all its parts: they are nearer to each other than two agents.
        let rim = part(&disc, palette::NIGHT, Vec2::ZERO, 0.0, round(0.62));
        let body = part(&disc, palette::agent(agent.id.0), Vec2::ZERO, 0.0002, round(0.52));
        let load = part(&disc, palette::FOOD_LIGHT, Vec2::new(0.16, 0.16), 0.0004, round(0.3));
        let track = part(&block, palette::NIGHT, Vec2::new(0.0, -0.38), 0.0006, Vec2::new(BAR + 0.06, 0.13));
        let bar = part(&block, palette::ACCENT, Vec2::new(0.0, -0.38), 0.0008, Vec2::new(BAR, 0.08));
        commands.spawn((rim, ChildOf(entity)));
        commands.spawn((track, ChildOf(entity)));
        let parts = Parts {
            left: apart.x - BAR / 2.0,
            disc: commands.spawn((body, ChildOf(entity))).id(),
            load: commands.spawn((load, ChildOf(entity))).id(),
            bar: commands.spawn((bar, ChildOf(entity))).id(),
        };
        let z = 2.0 + agent.id.0 as f32 * 0.001;
        commands.entity(entity).insert((parts, transform(corner, place, z), Visibility::default()));
    }
}

/// Moves every drawn agent towards its cell.
pub(super) fn glide_agents(
    mut agents: Query<(&GridPos, &InHabitat, &mut Transform), With<Parts>>,
    corners: Query<&Corner>,
    time: Res<Time>,
) {
    let share = 1.0 - (-FOLLOW * time.delta_secs()).exp();
    for (place, habitat, mut at) in &mut agents {
        let Ok(corner) = corners.get(habitat.0) else { continue };
        let goal = transform(corner, place, at.translation.z).translation;
        let way = goal - at.translation;
        at.translation = if way.length() > JUMP { goal } else { at.translation + way * share };
    }
}

/// Shows load, energy and death.
pub(super) fn show_state(
    agents: Query<(&Agent, &Parts, &Energy, &Load, &Vitality, &InHabitat)>,
    configs: Query<&HabitatConfig>,
    mut looks: Query<(&mut Transform, &mut Visibility, &mut MeshMaterial2d<ColorMaterial>), Without<Agent>>,
    mut shapes: ResMut<Shapes>,
    mut materials: ResMut<Assets<ColorMaterial>>,
) {
    for (agent, parts, energy, load, vitality, habitat) in &agents {
        let Ok(config) = configs.get(habitat.0) else { continue };
        if let Ok((_, mut visibility, _)) = looks.get_mut(parts.load) {
            visibility.set_if_neq(if load.0.is_some() { Visibility::Inherited } else { Visibility::Hidden });
        }
        if let Ok((_, _, mut paint)) = looks.get_mut(parts.disc) {
            let rgb = if vitality.is_alive() { palette::agent(agent.id.0) } else { palette::DEAD };
            paint.set_if_neq(shapes.paint(rgb, &mut materials));
        }
        if let Ok((mut bar, _, mut paint)) = looks.get_mut(parts.bar) {
            let full = (energy.0 / config.energy.max) as f32;
            bar.scale.x = BAR * full;
            // It shrinks towards the left.
            bar.translation.x = parts.left + BAR * full / 2.0;
            let rgb = if energy.0 < config.energy.hungry { palette::DANGER } else { palette::ACCENT };
            paint.set_if_neq(shapes.paint(rgb, &mut materials));
        }
    }
}
