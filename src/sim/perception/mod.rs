//! What agents see. Home and food by the habitat's kind of perception; walls, edges and agents beside the cell always.

mod scent;
mod sight;

use bevy::prelude::*;

use super::{
    agent::{Agent, Energy, Load, Seen, Vitality},
    ground::Ground,
    habitat::{GenerationConfig, HabitatConfig},
    things::{GridPos, InHabitat},
};
use crate::{
    config::PerceptionKind,
    protocol::{Cell, Direction, Observation, Thing},
};

/// Below this many agents, sharing the work between threads costs more than it gives.
const PARALLEL_FROM: usize = 1024;

/// Lets every living agent look around. A pure reading of the ground: the threads' number and order change nothing.
pub fn observe_agents(
    habitats: Query<(&Ground, &HabitatConfig, &GenerationConfig)>,
    mut agents: Query<(&InHabitat, &GridPos, &Energy, &Load, &Vitality, &mut Seen), With<Agent>>,
) {
    let look = |(habitat, place, energy, load, vitality, mut seen): (
        &InHabitat,
        &GridPos,
        &Energy,
        &Load,
        &Vitality,
        Mut<Seen>,
    )| {
        if let Ok((ground, config, begun)) = habitats.get(habitat.0)
            && vitality.is_alive()
        {
            let senses = (begun.habitat.perception, config.habitat.sight_radius);
            seen.0 = observe(ground, senses, place.0, energy.0, load.0);
        }
    };
    if agents.iter().len() < PARALLEL_FROM {
        agents.iter_mut().for_each(look);
    } else {
        agents.par_iter_mut().for_each(look);
    }
}

/// What an agent in `cell` sees.
fn observe(
    ground: &Ground,
    (perception, sight_radius): (PerceptionKind, u16),
    cell: Cell,
    energy: f64,
    load: Option<Thing>,
) -> Observation {
    let mut observation = Observation::new(cell, energy.round().clamp(0.0, f64::from(u16::MAX)) as u16, load);
    match perception {
        PerceptionKind::Scent => scent::sense(ground, cell, &mut observation),
        PerceptionKind::Sight => sight::sense(ground, sight_radius, cell, &mut observation),
    }
    look_beside(ground, cell, &mut observation);
    observation
}

fn look_beside(ground: &Ground, cell: Cell, observation: &mut Observation) {
    for direction in Direction::ALL {
        let mut beside = |thing| observation.see(thing, observation.bearing(thing).with(direction));
        match cell.neighbour(direction, ground.size()) {
            None => beside(Thing::Edge),
            Some(next) if ground.has(Thing::Wall, next) => beside(Thing::Wall),
            Some(next) if ground.crowd(next) > 0 => beside(Thing::Agent),
            Some(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        language::write_prompt,
        protocol::Thing::{Food, Home, Wall},
    };

    /// A ground drawn by hand, north up: `#` wall, `f` food, `H` home, `a` another agent.
    fn ground(rows: &[&str]) -> Ground {
        let size = rows.len() as u16;
        let mut ground = Ground::new(size, 10);
        for (y, row) in rows.iter().rev().enumerate() {
            for (x, mark) in row.chars().enumerate() {
                let cell = Cell::new(x as u16, y as u16);
                match mark {
                    '#' => assert!(ground.place(Wall, cell, Entity::PLACEHOLDER)),
                    'f' => assert!(ground.place(Food, cell, Entity::PLACEHOLDER)),
                    'H' => assert!(ground.place(Home, cell, Entity::PLACEHOLDER)),
                    'a' => ground.enter(cell),
                    _ => {}
                }
            }
        }
        ground
    }

    fn prompt(rows: &[&str], perception: PerceptionKind, cell: (u16, u16)) -> String {
        write_prompt(&observe(&ground(rows), (perception, 5), Cell::new(cell.0, cell.1), 79.4, Some(Food)))
    }

    const MAP: &[&str] = &[
        "......", //
        ".....f", //
        "..#...", //
        ".a.#..", //
        "..#.#.", //
        "H...#f",
    ];

    #[test]
    fn scent_follows_the_shortest_path() {
        // (3,1) has walls north, east and west of it: the only way out is south, and food is 11 steps away by it.
        let text = prompt(MAP, PerceptionKind::Scent, (3, 1));
        assert_eq!(text, "At (3,1), E80, has food. See: home↓ wall↑→← Action:");
        let text = prompt(MAP, PerceptionKind::Scent, (2, 2));
        assert_eq!(text, "At (2,2), E80, has food. See: home← food← wall↑↓→ agent← Action:");
    }

    #[test]
    fn sight_is_straight_and_walls_stop_it() {
        // The food at (5,0) is two steps away, but behind the wall; that at (5,4) is in view from (3,5).
        let text = prompt(MAP, PerceptionKind::Sight, (3, 0));
        assert_eq!(text, "At (3,0), E80, has food. See: home← wall→ edge↓ Action:");
        let text = prompt(MAP, PerceptionKind::Sight, (3, 5));
        assert_eq!(text, "At (3,5), E80, has food. See: home↓← food↓→ edge↑ Action:");
    }

    #[test]
    fn what_lies_here_is_said() {
        let text = prompt(MAP, PerceptionKind::Scent, (0, 0));
        assert_eq!(text, "At (0,0), E80, has food. See: home here food↑→ edge↓← Action:");
        for perception in [PerceptionKind::Scent, PerceptionKind::Sight] {
            let text = prompt(MAP, perception, (5, 0));
            assert!(text.contains("food here"), "{text}");
        }
    }
}
