//! What lies in cells: home with its fire, walls, food, and what grows between them and means nothing.

use bevy::prelude::*;

use super::{
    atlas::{FIRE, FOODS, GLOW, HEARTH, HOME, MUSHROOM, PEBBLES, SHADOW, STONES, TUFT, Tile},
    canvas::{Canvas, Layer, Stamp},
    scene::Scene,
};
use crate::{
    palette,
    protocol::{Cell, Direction, Thing},
    sim::{Ground, Habitat},
};

/// Cells that are drawn one by one; where more can be seen they are painted into a picture, see `ground`.
pub(super) const MOST: f32 = 12_000.0;
/// Below so many pixels a cell has no ornaments.
const DETAIL: f32 = 10.0;
/// How many cells home's light reaches.
const LIGHT: f32 = 4.5;

/// Draws what lies in every cell that can be seen.
pub(super) fn draw_scenery(habitats: Query<(Entity, &Habitat, &Ground)>, scene: Scene, mut canvas: ResMut<Canvas>) {
    for (entity, habitat, ground) in &habitats {
        let Some(corner) = scene.corner(entity) else { continue };
        light_home(ground, corner, &scene, &mut canvas);
        let Some((from, to)) = seen_cells(scene.seen(), corner, ground.size()) else { continue };
        for cell in (from.y..to.y).flat_map(|y| (from.x..to.x).map(move |x| Cell::new(x, y))) {
            let dice = scatter(habitat.id.0, cell);
            let at = corner + Vec2::new(f32::from(cell.x), f32::from(cell.y)) + 0.5;
            if ground.has(Thing::Home, cell) {
                lay_home(ground, cell, at, &scene, &mut canvas);
            } else if ground.is_bare(cell) && scene.scale() >= DETAIL {
                decorate(dice, at, &scene, &mut canvas);
            }
            if ground.has(Thing::Wall, cell) {
                put_wall(dice, at, &scene, &mut canvas);
            }
            if ground.has(Thing::Food, cell) {
                put_food(dice, at, &scene, &mut canvas);
            }
        }
    }
}

/// The cells of a habitat that can be seen, from the first to before the last; `None` if they are too many, or none.
pub(super) fn seen_cells(seen: Rect, corner: Vec2, size: u16) -> Option<(Cell, Cell)> {
    let part = seen.intersect(Rect::from_corners(corner, corner + f32::from(size)));
    if part.is_empty() || part.width() * part.height() > MOST {
        return None;
    }
    let (from, to) = ((part.min - corner).floor(), (part.max - corner).ceil());
    Some((Cell::new(from.x as u16, from.y as u16), Cell::new((to.x as u16).min(size), (to.y as u16).min(size))))
}

/// A number that a cell has for ever, for ornaments: no draw, so that what is drawn changes nothing (the finalizer of
/// MurmurHash3, Appleby, 2011).
pub(super) const fn scatter(habitat: u32, cell: Cell) -> u32 {
    let mut hash = (cell.x as u32) | ((cell.y as u32) << 16);
    hash ^= habitat.wrapping_mul(0x9e37_79b9);
    hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
    hash ^ (hash >> 16)
}

/// A share of 1 out of some bits of the number.
fn share(dice: u32, shift: u32) -> f32 {
    (dice.rotate_right(shift) & 0xff) as f32 / 255.0
}

/// The light of home's fire on the ground, and the fire.
fn light_home(ground: &Ground, corner: Vec2, scene: &Scene, canvas: &mut Canvas) {
    let cells = ground.home();
    if cells.is_empty() {
        return;
    }
    let middle = |cell: &Cell| Vec2::new(f32::from(cell.x), f32::from(cell.y)) + 0.5;
    let sum: Vec2 = cells.iter().map(middle).sum();
    let wide = (cells.len() as f32).sqrt();
    let at = corner + sum / cells.len() as f32;
    let (colours, breath) = (scene.colours(), scene.breath(4.0, 0.0));
    let (outer, inner) = if scene.options.dark { (0.34, 0.3) } else { (0.3, 0.3) };
    let glow = |size: f32, alpha: f32| Stamp::new(GLOW, at, size, colours.fire).alpha(alpha);
    canvas.stamp(Layer::Floor, Stamp::new(GLOW, at, 2.0 * (wide + LIGHT), colours.home).alpha(outer + 0.03 * breath));
    canvas.stamp(Layer::Floor, glow(wide * 2.0 + 1.0, inner + 0.04 * breath));
    canvas.stamp(Layer::Things, Stamp::new(HEARTH, at, 1.15, colours.pebble));
    let fire = Stamp::new(FIRE, at + Vec2::Y * 0.12, 1.0, palette::ACCENT);
    canvas.stamp(Layer::Things, fire.size(Vec2::new(0.62, 0.72 + 0.02 * breath)));
    let fire = Stamp::new(FIRE, at + Vec2::Y * 0.05, 1.0, colours.fire);
    canvas.stamp(Layer::Things, fire.size(Vec2::new(0.4 - 0.01 * breath, 0.48 + 0.03 * breath)));
    canvas.stamp(Layer::Things, glow(1.6, 0.42 + 0.06 * breath));
}

/// One cell of home: four quarters, each with an edge where home ends.
fn lay_home(ground: &Ground, cell: Cell, at: Vec2, scene: &Scene, canvas: &mut Canvas) {
    let goes_on = |way| cell.neighbour(way, ground.size()).is_some_and(|next: Cell| ground.has(Thing::Home, next));
    let ways = [Direction::West, Direction::East, Direction::North, Direction::South].map(goes_on);
    for (right, down) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
        let (column, row) = (quarter(right, ways[right]), quarter(down, ways[2 + down]));
        let from = Vec2::new(column as f32, row as f32) * 64.0;
        // Half a pixel less, so that no line is seen between two quarters.
        let tile: Tile = HOME.part(from + 0.5, from + 63.5);
        let off = Vec2::new(right as f32 - 0.5, 0.5 - down as f32) * 0.5;
        canvas.stamp(Layer::Floor, Stamp::new(tile, at + off, 0.5, scene.colours().home));
    }
}

/// Which of the four quarters along home's picture: the edge on its side, or what goes on beyond the middle.
const fn quarter(side: usize, goes_on: bool) -> usize {
    match (side, goes_on) {
        (0, false) => 0,
        (0, true) => 2,
        (_, true) => 1,
        (_, false) => 3,
    }
}

fn put_wall(dice: u32, at: Vec2, scene: &Scene, canvas: &mut Canvas) {
    let shade = if scene.options.dark { 0.5 } else { 0.26 };
    let shadow = Stamp::new(SHADOW, at - Vec2::new(-0.05, 0.2), 1.0, [0; 3]).size(Vec2::new(1.3, 1.05)).alpha(shade);
    canvas.stamp(Layer::Floor, shadow);
    let stone = Stamp::new(STONES[dice as usize % STONES.len()], at + Vec2::Y * 0.04, 1.0, scene.colours().wall);
    let mirror = if dice & 64 == 0 { 1.0 } else { -1.0 };
    canvas.stamp(Layer::Things, stone.size(Vec2::new(1.06 * mirror, 1.06)));
}

fn put_food(dice: u32, at: Vec2, scene: &Scene, canvas: &mut Canvas) {
    let (leaves, fruit) = FOODS[(dice >> 8) as usize % FOODS.len()];
    let aside = Vec2::new(share(dice, 10) - 0.5, share(dice, 18) - 0.5) * 0.14;
    let size = 0.74 + 0.1 * share(dice, 3);
    let mirror = if dice & 32 == 0 { 1.0 } else { -1.0 };
    let shade = if scene.options.dark { 0.4 } else { 0.22 };
    let shadow = Stamp::new(SHADOW, at + aside - Vec2::Y * 0.24, 1.0, [0; 3]).size(Vec2::new(0.8, 0.4)).alpha(shade);
    canvas.stamp(Layer::Floor, shadow);
    let colours = scene.colours();
    let put = |tile, rgb| Stamp::new(tile, at + aside, 1.0, rgb).size(Vec2::new(size * mirror, size));
    canvas.stamp(Layer::Things, put(leaves, colours.leaf));
    canvas.stamp(Layer::Things, put(fruit, colours.berry));
}

/// Grass, pebbles or a mushroom in some of the bare cells.
fn decorate(dice: u32, at: Vec2, scene: &Scene, canvas: &mut Canvas) {
    let colours = scene.colours();
    let (tile, size, rgb) = match (dice >> 4) % 100 {
        0..16 => (TUFT, 0.3, colours.grass),
        16..23 => (PEBBLES, 0.3, colours.pebble),
        23..25 => (MUSHROOM, 0.24, colours.pebble),
        _ => return,
    };
    let aside = Vec2::new(share(dice, 9) - 0.5, share(dice, 17) - 0.5) * 0.6;
    canvas.stamp(Layer::Floor, Stamp::new(tile, at + aside, size, rgb).alpha(0.6));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_cells_in_sight_are_drawn() {
        let seen = Rect::new(-3.0, 7.5, 4.2, 30.0);
        assert_eq!(seen_cells(seen, Vec2::ZERO, 20), Some((Cell::new(0, 7), Cell::new(5, 20))));
        assert_eq!(seen_cells(seen, Vec2::new(40.0, 0.0), 20), None);
        assert_eq!(seen_cells(Rect::new(0.0, 0.0, 900.0, 900.0), Vec2::ZERO, 1024), None, "too many, one by one");
    }

    #[test]
    fn home_of_two_cells_is_its_picture_and_of_one_has_four_corners() {
        // West to east: the left cell's quarters, then the right one's.
        assert_eq!([quarter(0, false), quarter(1, true), quarter(0, true), quarter(1, false)], [0, 1, 2, 3]);
        assert_eq!([quarter(0, false), quarter(1, false)], [0, 3]);
    }
}
