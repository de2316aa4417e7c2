//! Ground, home, walls and food.

use bevy::{
    asset::RenderAssetUsages,
    image::ImageSampler,
    prelude::*,
    render::render_resource::{Extent3d, TextureDimension, TextureFormat},
};

use super::{Corner, color, corner, in_order};
use crate::{
    palette::{self, Rgb},
    sim::{Food, GridPos, Ground, Habitat, Home, InHabitat, Wall},
};

/// Width of the rim around a habitat, both sides together, in cells.
const RIM: f32 = 0.3;

/// Shapes and colours that many things share, made once.
#[derive(Resource)]
pub(super) struct Shapes {
    pub block: Handle<Mesh>,
    pub disc: Handle<Mesh>,
    colors: Vec<(Rgb, Handle<ColorMaterial>)>,
}

impl FromWorld for Shapes {
    fn from_world(world: &mut World) -> Self {
        let mut meshes = world.resource_mut::<Assets<Mesh>>();
        Self { block: meshes.add(Rectangle::new(0.94, 0.94)), disc: meshes.add(Circle::new(0.5)), colors: Vec::new() }
    }
}

impl Shapes {
    /// The material of one plain colour.
    pub(super) fn paint(&mut self, rgb: Rgb, materials: &mut Assets<ColorMaterial>) -> MeshMaterial2d<ColorMaterial> {
        let known = self.colors.iter().find(|(known, _)| *known == rgb).map(|(_, handle)| handle.clone());
        MeshMaterial2d(known.unwrap_or_else(|| {
            let handle = materials.add(ColorMaterial::from_color(color(rgb)));
            self.colors.push((rgb, handle.clone()));
            handle
        }))
    }
}

/// Lays out new habitats and their ground: a picture of one pixel a cell, drawn large.
pub(super) fn dress_grounds(
    mut commands: Commands,
    new: Query<(Entity, &Ground), (With<Habitat>, Without<Corner>)>,
    all: Query<(Entity, &Habitat)>,
    mut images: ResMut<Assets<Image>>,
) {
    if new.is_empty() {
        return;
    }
    let order = in_order(&all);
    for (entity, ground) in &new {
        let index = order.iter().position(|other| *other == entity).unwrap_or_default();
        let size = ground.size();
        let at = corner(index, order.len(), size);
        let length = f32::from(size);
        let middle = Vec2::splat(length / 2.0);
        let square = |side: f32| Some(Vec2::splat(side));
        let rim = Sprite { color: color(palette::INSET), custom_size: square(length + RIM), ..default() };
        let floor = Sprite { image: images.add(checkered(size)), custom_size: square(length), ..default() };
        commands
            .entity(entity)
            .insert((Corner(at), Transform::from_translation(at.extend(0.0)), Visibility::default()))
            .with_children(|parts| {
                parts.spawn((rim, Transform::from_translation(middle.extend(0.0))));
                parts.spawn((floor, Transform::from_translation(middle.extend(0.1))));
            });
    }
}

/// A checkerboard of the ground's two colours, one pixel a cell.
fn checkered(size: u16) -> Image {
    let cells = (0..size).flat_map(|y| (0..size).map(move |x| (x, y)));
    let pixels = cells.flat_map(|(x, y)| {
        let [r, g, b] = if (x + y) % 2 == 0 { palette::GROUND_ALTERNATE } else { palette::GROUND };
        [r, g, b, u8::MAX]
    });
    let extent = Extent3d { width: u32::from(size), height: u32::from(size), depth_or_array_layers: 1 };
    let format = TextureFormat::Rgba8UnormSrgb;
    let mut image = Image::new(extent, TextureDimension::D2, pixels.collect(), format, RenderAssetUsages::RENDER_WORLD);
    image.sampler = ImageSampler::nearest();
    image
}

/// What a thing is drawn with.
type Look = (f32, [(f32, Vec2, Rgb); 2]);

/// Gives new things their shapes.
pub(super) fn dress_things(
    mut commands: Commands,
    homes: Query<(Entity, &GridPos, &InHabitat), Added<Home>>,
    walls: Query<(Entity, &GridPos, &InHabitat), Added<Wall>>,
    food: Query<(Entity, &GridPos, &InHabitat), Added<Food>>,
    corners: Query<&Corner>,
    mut shapes: ResMut<Shapes>,
    mut materials: ResMut<Assets<ColorMaterial>>,
) {
    let home: Look = (1.0, [(1.0, Vec2::ZERO, palette::HOME), (0.5, Vec2::ZERO, palette::HOME_LIGHT)]);
    let wall: Look = (1.1, [(1.0, Vec2::ZERO, palette::WALL), (0.86, Vec2::new(0.0, 0.06), palette::WALL_TOP)]);
    let meal: Look = (1.2, [(0.46, Vec2::ZERO, palette::FOOD), (0.2, Vec2::new(-0.06, 0.07), palette::FOOD_LIGHT)]);
    let all = homes.iter().map(|thing| (thing, home, false));
    let all = all.chain(walls.iter().map(|thing| (thing, wall, false)));
    let all = all.chain(food.iter().map(|thing| (thing, meal, true)));
    for ((entity, place, habitat), (z, layers), is_round) in all {
        let Ok(corner) = corners.get(habitat.0) else { continue };
        let mesh = if is_round { shapes.disc.clone() } else { shapes.block.clone() };
        let parts = layers.map(|(scale, offset, rgb)| {
            let transform = Transform::from_translation(offset.extend(0.0)).with_scale(Vec3::new(scale, scale, 1.0));
            (Mesh2d(mesh.clone()), shapes.paint(rgb, &mut materials), transform)
        });
        let [under, mut over] = parts;
        over.2.translation.z = 0.05;
        commands.entity(entity).insert((transform(corner, place, z), Visibility::default())).with_children(
            |children| {
                children.spawn(under);
                children.spawn(over);
            },
        );
    }
}

/// The middle of a cell, `z` above the ground.
pub(super) fn transform(corner: &Corner, place: &GridPos, z: f32) -> Transform {
    let middle = Vec2::new(f32::from(place.x) + 0.5, f32::from(place.y) + 0.5);
    Transform::from_translation((corner.0 + middle).extend(z))
}
