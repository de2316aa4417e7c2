//! What is drawn in a frame: stamps, each a sprite somewhere, made anew every frame by whoever draws; entities for the
//! renderer follow them, and only where something has changed.
//!
//! So there is nothing to dress or undress: what is gone from the world is gone from the picture, and the number of
//! entities is that of the stamps, whatever has passed.

use bevy::{camera::visibility::NoFrustumCulling, prelude::*, sprite::Anchor};

use super::{
    atlas::{Atlas, PANEL, Tile},
    color,
};
use crate::palette::Rgb;

/// What lies over what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layer {
    /// Light, home, and what means nothing.
    Floor,
    /// Walls and food.
    Things,
    /// Trails, agents, effects, and what they say.
    Life,
}

/// The height of a layer, and of what is written, over the ground.
const HEIGHTS: [f32; 3] = [10.0, 100.0, 300.0];
/// The height of what is written.
const TEXT_HEIGHT: f32 = 900.0;
/// What a stamp lies over the one before.
const STEP: f32 = 1e-4;
/// Entities that a layer keeps although it does not need them now.
const SPARE: usize = 256;

/// A sprite somewhere.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Stamp {
    pub tile: Tile,
    /// The middle.
    pub at: Vec2,
    /// Width and height in cells; negative mirrors it.
    pub size: Vec2,
    /// How far it is turned, in radians.
    pub angle: f32,
    pub tint: Srgba,
}

impl Stamp {
    pub(super) fn new(tile: Tile, at: Vec2, size: f32, rgb: Rgb) -> Self {
        Self { tile, at, size: Vec2::splat(size), angle: 0.0, tint: color(rgb) }
    }

    pub(super) fn alpha(mut self, alpha: f32) -> Self {
        self.tint.alpha = alpha;
        self
    }

    pub(super) fn size(mut self, size: Vec2) -> Self {
        self.size = size;
        self
    }
}

/// Something written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Note {
    pub text: String,
    /// Where its anchor is.
    pub at: Vec2,
    pub anchor: Anchor,
    /// Its height in points.
    pub points: f32,
    pub rgb: Rgb,
}

#[derive(Debug, Default)]
struct Sheet {
    wanted: Vec<Stamp>,
    shown: Vec<Stamp>,
    pool: Vec<Entity>,
}

/// What is drawn now.
#[derive(Resource, Debug, Default)]
pub(super) struct Canvas {
    sheets: [Sheet; 3],
    wanted: Vec<Note>,
    shown: Vec<Note>,
    pool: Vec<Entity>,
}

impl Canvas {
    pub(super) fn stamp(&mut self, layer: Layer, stamp: Stamp) {
        self.sheets[layer as usize].wanted.push(stamp);
    }

    pub(super) fn write(&mut self, note: Note) {
        self.wanted.push(note);
    }

    /// A panel with round corners, `corner` cells each.
    pub(super) fn panel(&mut self, layer: Layer, place: Rect, corner: f32, tint: Srgba) {
        let corner = corner.min(place.width() / 2.0).min(place.height() / 2.0);
        let across = [place.min.x, place.min.x + corner, place.max.x - corner, place.max.x];
        let down = [place.max.y, place.max.y - corner, place.min.y + corner, place.min.y];
        let cuts = [8.0, 50.0, 78.0, 120.0];
        for (row, column) in (0..3).flat_map(|row| (0..3).map(move |column| (row, column))) {
            let (left, right, top, bottom) = (across[column], across[column + 1], down[row], down[row + 1]);
            let tile = PANEL.part(Vec2::new(cuts[column], cuts[row]), Vec2::new(cuts[column + 1], cuts[row + 1]));
            let at = Vec2::new(left + right, top + bottom) / 2.0;
            self.stamp(layer, Stamp { tile, at, size: Vec2::new(right - left, top - bottom), angle: 0.0, tint });
        }
    }
}

/// Marks what the renderer draws for a stamp.
#[derive(Component)]
pub(super) struct Stamped;

/// Lets the renderer's sprites follow the stamps.
pub(super) fn show_stamps(
    mut canvas: ResMut<Canvas>,
    mut sprites: Query<(&mut Sprite, &mut Transform, &mut Visibility), With<Stamped>>,
    atlas: Res<Atlas>,
    mut commands: Commands,
) {
    for (sheet, height) in canvas.sheets.iter_mut().zip(HEIGHTS) {
        for (i, stamp) in sheet.wanted.iter().enumerate() {
            if sheet.shown.get(i) == Some(stamp) {
                continue;
            }
            let place = Transform {
                translation: stamp.at.extend(height + i as f32 * STEP),
                rotation: Quat::from_rotation_z(stamp.angle),
                scale: stamp.size.extend(1.0),
            };
            if let Some((mut sprite, mut at, mut visibility)) = sheet.pool.get(i).and_then(|e| sprites.get_mut(*e).ok())
            {
                (sprite.rect, sprite.color, *at) = (Some(stamp.tile.0), stamp.tint.into(), place);
                visibility.set_if_neq(Visibility::Inherited);
                continue;
            }
            let sprite = Sprite {
                image: atlas.image.clone(),
                rect: Some(stamp.tile.0),
                color: stamp.tint.into(),
                custom_size: Some(Vec2::ONE),
                ..default()
            };
            let entity = commands.spawn((Stamped, sprite, place, NoFrustumCulling)).id();
            keep(&mut sheet.pool, i, entity);
        }
        let count = sheet.wanted.len();
        for entity in sheet.pool.iter().take(sheet.shown.len()).skip(count) {
            if let Ok((_, _, mut visibility)) = sprites.get_mut(*entity) {
                visibility.set_if_neq(Visibility::Hidden);
            }
        }
        if sheet.pool.len() > 2 * count + SPARE {
            sheet.pool.drain(count + SPARE..).for_each(|entity| commands.entity(entity).despawn());
        }
        std::mem::swap(&mut sheet.wanted, &mut sheet.shown);
        sheet.wanted.clear();
    }
}

/// Notes the entity of the stamp or note with this number.
fn keep(pool: &mut Vec<Entity>, i: usize, entity: Entity) {
    match pool.get_mut(i) {
        Some(gone) => *gone = entity,
        None => pool.push(entity),
    }
}

/// Marks what the renderer draws for a note.
#[derive(Component)]
pub(super) struct Written;

/// Lets the renderer's texts follow the notes.
pub(super) fn show_notes(
    mut canvas: ResMut<Canvas>,
    mut texts: Query<NoteParts, With<Written>>,
    atlas: Res<Atlas>,
    eye: Res<super::camera::Eye>,
    mut commands: Commands,
) {
    let Canvas { wanted, shown, pool, .. } = &mut *canvas;
    let scale = Vec2::splat(eye.point()).extend(1.0);
    for (i, note) in wanted.iter().enumerate() {
        let place = Transform::from_translation(note.at.extend(TEXT_HEIGHT + i as f32 * STEP)).with_scale(scale);
        let font = || TextFont { font: atlas.font.clone().into(), ..TextFont::from_font_size(note.points) };
        if let Some((mut text, mut at, mut anchor, mut ink, mut size, mut visibility)) =
            pool.get(i).and_then(|entity| texts.get_mut(*entity).ok())
        {
            at.set_if_neq(place);
            visibility.set_if_neq(Visibility::Inherited);
            let before = shown.get(i);
            if before.is_none_or(|before| (&before.text, before.points) != (&note.text, note.points)) {
                (text.0, *size) = (note.text.clone(), font());
            }
            anchor.set_if_neq(note.anchor);
            ink.set_if_neq(TextColor(color(note.rgb).into()));
            continue;
        }
        let ink = TextColor(color(note.rgb).into());
        let layout = TextLayout::new(Justify::Left, LineBreak::NoWrap);
        let text = (Text2d(note.text.clone()), font(), ink, layout, note.anchor);
        let entity = commands.spawn((Written, text, place, NoFrustumCulling)).id();
        keep(pool, i, entity);
    }
    for entity in pool.drain(wanted.len()..) {
        commands.entity(entity).despawn();
    }
    std::mem::swap(wanted, shown);
    wanted.clear();
}

/// What of a drawn note can change.
type NoteParts = (
    &'static mut Text2d,
    &'static mut Transform,
    &'static mut Anchor,
    &'static mut TextColor,
    &'static mut TextFont,
    &'static mut Visibility,
);
