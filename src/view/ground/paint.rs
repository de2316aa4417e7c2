//! Paints ground: earth and moss that vary gently, darker towards the rim, which throws a soft shadow around.
//!
//! Knows nothing of habitats but their size: the picture of one size is always the same.

use bevy::math::{FloatExt, Vec2};

use super::super::layout::RIM;
use crate::palette::{Rgb, Scenery};

/// Width of the shadow around the rim, in cells.
pub(super) const SHADOW: f32 = 0.6;
/// Pixels of a cell, where the ground is small enough.
const FINEST: f32 = 36.0;
/// Pixels of a side at most.
const LARGEST: f32 = 2048.0;
/// Radius of the ground's corners, in cells.
const ROUND: f32 = 0.5;

/// Ground of `size` × `size` cells with its rim and shadow: the pixels of a side, and RGBA from the upper left corner.
pub(super) fn ground(size: u16, colours: &Scenery) -> (u32, Vec<u8>) {
    let cells = f32::from(size) + 2.0 * (RIM + SHADOW);
    let side = (cells * FINEST).min(LARGEST).round().max(1.0);
    let mut pixels = Vec::with_capacity(side as usize * side as usize * 4);
    for row in 0..side as u32 {
        for column in 0..side as u32 {
            let at = (Vec2::new(column as f32, side - 1.0 - row as f32) + 0.5) / side * cells - (RIM + SHADOW);
            pixels.extend(pixel(at, f32::from(size), colours, side / cells));
        }
    }
    (side as u32, pixels)
}

/// The colour at a place of the ground; `fine` is how many pixels a cell has.
fn pixel(at: Vec2, size: f32, colours: &Scenery, fine: f32) -> [u8; 4] {
    // How far outside of the ground's edge; negative inside (the distance to a box with round corners).
    let off = (at - size / 2.0).abs() - (size / 2.0 - ROUND);
    let away = off.max(Vec2::ZERO).length() + off.max_element().min(0.0) - ROUND;
    let grain = noise(at * fine * 0.7, 5) - 0.5;
    if away > RIM {
        let fade = 1.0 - ((away - RIM) / SHADOW).min(1.0);
        return [0, 0, 0, (110.0 * fade * fade) as u8];
    }
    if away > 0.0 {
        // A rim of wood: its inner edge is lit where it faces up, and in the shade where it faces down.
        let down = smooth(0.0, size, at.y);
        let lit = 1.0 + 0.3 * (1.0 - away / RIM) * (0.7 - down) + 0.1 * grain;
        return shade(colours.rim, colours.rim, 0.0, lit);
    }
    let wide = noise(at * 0.22, 1) * 0.65 + noise(at * 0.55, 2) * 0.35;
    let moss = smooth(0.46, 0.64, wide + 0.1 * (noise(at * 2.3, 3) - 0.5));
    let mottle = 0.93 + 0.14 * noise(at * 1.4, 4) + 0.05 * grain;
    let cell = at.floor();
    // A hint of the cells.
    let chequer = if (cell.x + cell.y).rem_euclid(2.0) < 1.0 { 1.0 } else { 0.972 };
    let edge = 0.72 + 0.28 * smooth(-0.2, size.min(20.0) * 0.16, -away);
    shade(colours.ground, colours.moss, moss, mottle * chequer * edge)
}

fn shade(a: Rgb, b: Rgb, share: f32, light: f32) -> [u8; 4] {
    let channel = |i: usize| (f32::from(a[i]).lerp(f32::from(b[i]), share) * light).clamp(0.0, 255.0).round() as u8;
    [channel(0), channel(1), channel(2), 255]
}

/// 0 below `low`, 1 above `high`, and softly between.
fn smooth(low: f32, high: f32, x: f32) -> f32 {
    let share = ((x - low) / (high - low)).clamp(0.0, 1.0);
    share * share * (3.0 - 2.0 * share)
}

/// Smooth noise from 0 to 1 that changes over about a unit (value noise: values at whole places, blended between).
fn noise(at: Vec2, layer: u32) -> f32 {
    let (cell, part) = (at.floor(), at - at.floor());
    let blend = part * part * (3.0 - 2.0 * part);
    let value = |dx: f32, dy: f32| hash((cell.x + dx) as i32 as u32, (cell.y + dy) as i32 as u32, layer);
    let south = value(0.0, 0.0).lerp(value(1.0, 0.0), blend.x);
    let north = value(0.0, 1.0).lerp(value(1.0, 1.0), blend.x);
    south.lerp(north, blend.y)
}

/// A fixed value from 0 to 1 for a whole place: a pattern, no draw (the finalizer of MurmurHash3, Appleby, 2011).
fn hash(x: u32, y: u32, layer: u32) -> f32 {
    let mut bits = x.wrapping_mul(0x9e37_79b1) ^ y.wrapping_mul(0x85eb_ca77) ^ layer.wrapping_mul(0xc2b2_ae3d);
    bits = (bits ^ (bits >> 16)).wrapping_mul(0x85eb_ca6b);
    bits = (bits ^ (bits >> 13)).wrapping_mul(0xc2b2_ae35);
    ((bits ^ (bits >> 16)) & 0xffff) as f32 / 65_535.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::palette::{DAY, DUSK};

    #[test]
    fn ground_is_earth_within_a_rim_within_a_shadow() {
        let (side, pixels) = ground(20, &DUSK);
        assert_eq!(pixels.len(), side as usize * side as usize * 4);
        let at = |x: f32, y: f32| pixel(Vec2::new(x, y), 20.0, &DUSK, 36.0);
        assert_eq!(at(-RIM - 2.0 * SHADOW, 10.0), [0; 4], "beyond the shadow there is nothing");
        assert!((1..=110).contains(&at(-RIM - 0.1, 10.0)[3]));
        assert_eq!(at(10.0, 10.0)[3], 255);
        let bright = |[r, g, b, _]: [u8; 4]| u32::from(r) + u32::from(g) + u32::from(b);
        assert!(bright(at(0.1, 10.0)) < bright(at(10.0, 10.0)), "darker at the edge");
        let day = pixel(Vec2::splat(10.0), 20.0, &DAY, 36.0);
        assert!(bright(day) > 2 * bright(at(10.0, 10.0)), "{day:?}");
    }

    #[test]
    fn large_ground_has_a_picture_of_bounded_size() {
        assert_eq!(ground(200, &DUSK).0, 2048);
        assert_eq!(ground(8, &DUSK).0, 360);
    }
}
