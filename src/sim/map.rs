//! Draws a new map: home in the middle, walls that close nothing off, food, and where agents start.

use rand::{Rng, RngExt, seq::SliceRandom};

use crate::{
    config::HabitatSettings,
    protocol::{Cell, Direction},
};

/// Where everything lies when a generation begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapPlan {
    /// Cells along each side.
    pub size: u16,
    /// The cells of home.
    pub home: Vec<Cell>,
    /// The cells that are walls.
    pub walls: Vec<Cell>,
    /// The cells that hold food.
    pub food: Vec<Cell>,
    free: Vec<Cell>,
}

impl MapPlan {
    /// Draws a cell in which an agent may start: any but walls.
    pub fn draw_start(&self, draws: &mut impl Rng) -> Cell {
        let n = draws.random_range(0..self.free.len() + self.home.len());
        if n < self.free.len() { self.free[n] } else { self.home[n - self.free.len()] }
    }
}

/// Draws a map. A cell becomes a wall only if its open surroundings stay joined without it, so that home can be
/// reached from every open cell, however many walls there are.
pub fn plan_map(settings: &HabitatSettings, draws: &mut impl Rng) -> MapPlan {
    let size = settings.size;
    let cells = size as usize * size as usize;
    let start = (size - settings.home_size) / 2;
    let inside = |cell: Cell, margin: u16| {
        let span = start.saturating_sub(margin)..start + settings.home_size + margin;
        span.contains(&cell.x) && span.contains(&cell.y)
    };
    let mut order: Vec<Cell> = (0..cells).map(|i| Cell::from_index(i, size)).collect();
    let home = order.iter().copied().filter(|cell| inside(*cell, 0)).collect();
    order.shuffle(draws);

    let wanted = (settings.walls * cells as f64).round() as usize;
    let mut open = vec![true; cells];
    let mut walls = Vec::with_capacity(wanted);
    for cell in order.iter().copied().filter(|cell| !inside(*cell, 1)) {
        if walls.len() == wanted {
            break;
        }
        if stays_joined(cell, size, &open) {
            open[cell.index(size)] = false;
            walls.push(cell);
        }
    }
    let mut free: Vec<Cell> = order.into_iter().filter(|cell| open[cell.index(size)] && !inside(*cell, 0)).collect();
    // Walls were tried in this order, and those that remain lie late in it: draw anew.
    free.shuffle(draws);
    let food = free[..(settings.food * free.len() as f64).round() as usize].to_vec();
    MapPlan { size, home, walls, food, free }
}

/// Whether the open neighbours of `cell` are joined to each other through the eight cells around it (a *simple
/// point* of digital topology). If so, closing `cell` cuts nothing off.
fn stays_joined(cell: Cell, size: u16, open: &[bool]) -> bool {
    use Direction::{East, North, South, West};
    let ring =
        [&[North][..], &[North, East], &[East], &[East, South], &[South], &[South, West], &[West], &[West, North]];
    let around = ring.map(|steps| {
        let end = steps.iter().try_fold(cell, |at, step| at.neighbour(*step, size));
        end.is_some_and(|at| open[at.index(size)])
    });
    let sides = (0..4).filter(|side| around[2 * side]).count();
    // Going round, a corner joins its two sides when all three are open.
    let joints = (0..4).filter(|side| around[2 * side] && around[2 * side + 1] && around[(2 * side + 2) % 8]).count();
    sides > 0 && (joints == 4 || sides - joints == 1)
}

#[cfg(test)]
mod tests {
    use pathfinding::directed::bfs::bfs_reach;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn plan(settings: &HabitatSettings, seed: u64) -> MapPlan {
        plan_map(settings, &mut ChaCha8Rng::seed_from_u64(seed))
    }

    #[test]
    fn the_default_map_is_as_described() {
        let map = plan(&HabitatSettings::default(), 7);
        assert_eq!(map.home, [Cell::new(9, 9), Cell::new(10, 9), Cell::new(9, 10), Cell::new(10, 10)]);
        assert_eq!(map.walls.len(), 24);
        assert_eq!(map.food.len(), 56); // 15 % of 400 − 24 − 4 = 372 free cells
        let near_home = |c: &Cell| (8..12).contains(&c.x) && (8..12).contains(&c.y);
        assert!(!map.walls.iter().any(near_home));
    }

    #[test]
    fn a_seed_is_a_map() {
        let settings = HabitatSettings::default();
        assert_eq!(plan(&settings, 1), plan(&settings, 1));
        assert_ne!(plan(&settings, 1).walls, plan(&settings, 2).walls);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn home_is_reached_from_every_open_cell(
            seed in any::<u64>(), size in 6_u16..26, home_size in 1_u16..5, walls in 0.0..0.5_f64, food in 0.0..0.9_f64,
        ) {
            let map = plan(&HabitatSettings { size, home_size, walls, food, ..HabitatSettings::default() }, seed);
            let open = |c: &Cell| !map.walls.contains(c);
            let ways = |c: &Cell| {
                Direction::ALL.into_iter().filter_map(|d| c.neighbour(d, size)).filter(open).collect::<Vec<_>>()
            };
            let reached = bfs_reach(map.home[0], ways).count();
            prop_assert_eq!(reached, usize::from(size).pow(2) - map.walls.len());
            prop_assert!(map.food.iter().all(|c| open(c) && !map.home.contains(c)));
            let start = map.draw_start(&mut ChaCha8Rng::seed_from_u64(seed));
            prop_assert!(open(&start));
        }
    }
}
