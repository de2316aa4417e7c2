//! Perception by sight: straight arrows to the nearest food that no wall hides, and a compass to home.

use crate::{
    protocol::{Bearing, Cell, Direction, Observation, Thing},
    sim::ground::Ground,
};

/// Points straight to food within `radius` (steps along both axes together) that is in view, and to home from anywhere.
pub(super) fn sense(ground: &Ground, radius: u16, cell: Cell, observation: &mut Observation) {
    let distance = |to: &Cell| to.x.abs_diff(cell.x) + to.y.abs_diff(cell.y);
    let home = ground.home().iter().copied().min_by_key(|home| (distance(home), *home));
    observation.see(Thing::Home, home.map_or(Bearing::NONE, |home| straight(cell, home)));
    let in_view = |to: &Cell| ground.has(Thing::Food, *to) && is_visible(ground, cell, *to);
    let food = (0..=radius).find_map(|r| ring(cell, r, ground.size()).find(in_view));
    observation.see(Thing::Food, food.map_or(Bearing::NONE, |food| straight(cell, food)));
}

/// The arrows of a straight line, at most two.
fn straight(from: Cell, to: Cell) -> Bearing {
    let sides = [
        (Direction::North, to.y > from.y),
        (Direction::South, to.y < from.y),
        (Direction::East, to.x > from.x),
        (Direction::West, to.x < from.x),
    ];
    let arrows = sides.into_iter().filter(|(_, holds)| *holds).fold(Bearing::NONE, |b, (d, _)| b.with(d));
    if from == to { Bearing::HERE } else { arrows }
}

/// The cells exactly `radius` steps away, walls not heeded, from north clockwise to west.
fn ring(centre: Cell, radius: u16, size: u16) -> impl Iterator<Item = Cell> {
    let r = i32::from(radius);
    let offsets = (-r..=r).rev().flat_map(move |dy| {
        let dx = r - dy.abs();
        [dx, -dx].into_iter().take(if dx == 0 { 1 } else { 2 }).map(move |dx| (dx, dy))
    });
    offsets.filter_map(move |(dx, dy)| {
        let x = u16::try_from(i32::from(centre.x) + dx).ok().filter(|x| *x < size)?;
        let y = u16::try_from(i32::from(centre.y) + dy).ok().filter(|y| *y < size)?;
        Some(Cell::new(x, y))
    })
}

/// Whether no wall lies on the straight line between two cells (Bresenham, IBM Systems Journal 4, 1965).
fn is_visible(ground: &Ground, from: Cell, to: Cell) -> bool {
    let (mut x, mut y) = (i32::from(from.x), i32::from(from.y));
    let (end_x, end_y) = (i32::from(to.x), i32::from(to.y));
    let (dx, dy) = ((end_x - x).abs(), -(end_y - y).abs());
    let mut error = dx + dy;
    while (x, y) != (end_x, end_y) {
        if ground.has(Thing::Wall, Cell::new(x as u16, y as u16)) {
            return false;
        }
        let doubled = 2 * error;
        if doubled >= dy {
            error += dy;
            x += (end_x - x).signum();
        }
        if doubled <= dx {
            error += dx;
            y += (end_y - y).signum();
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_has_every_cell_at_its_distance_once() {
        let centre = Cell::new(3, 3);
        for radius in 0..4 {
            let cells: Vec<_> = ring(centre, radius, 7).collect();
            let expected = (0..49).map(|i| Cell::from_index(i, 7));
            let expected = expected.filter(|c| c.x.abs_diff(3) + c.y.abs_diff(3) == radius).count();
            assert_eq!(cells.len(), expected, "radius {radius}");
            assert!(cells.iter().all(|c| c.x.abs_diff(3) + c.y.abs_diff(3) == radius));
        }
        assert_eq!(ring(Cell::new(0, 0), 2, 7).count(), 3);
    }
}
