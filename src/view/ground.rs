//! The ground: a painted picture for each size of habitat, and over it, where wanted, one of how often each cell was
//! entered, and one of what lies in the cells, for habitats that are seen from too far to draw cells one by one.

mod paint;

use bevy::{
    asset::RenderAssetUsages,
    camera::visibility::NoFrustumCulling,
    ecs::system::SystemParam,
    image::{ImageSampler, ImageSamplerDescriptor},
    prelude::*,
    render::render_resource::{Extent3d, TextureDimension, TextureFormat},
};

use super::{Visits, canvas::Stamped, layout::RIM, scene::Scene, scenery::MOST};
use crate::{
    palette::{self, Rgb},
    protocol::{Cell, Thing},
    sim::{Clock, Ground, Habitat},
};

/// Seconds between two pictures of what changes.
const REST: f64 = 0.25;

/// A picture that changes, drawn over the ground and under the sprites.
#[derive(Debug)]
struct Plate {
    image: Handle<Image>,
    sprite: Entity,
    /// What it shows; painted anew when that is another.
    shows: Option<(Clock, bool)>,
    painted: f64,
}

/// What is drawn under one habitat's sprites.
#[derive(Debug)]
struct Under {
    habitat: Entity,
    size: u16,
    /// The ground itself.
    sprite: Entity,
    visits: Option<Plate>,
    map: Option<Plate>,
}

impl Under {
    fn sprites(&self) -> impl Iterator<Item = Entity> {
        let plates = [&self.visits, &self.map].into_iter().flatten();
        plates.map(|plate| plate.sprite).chain([self.sprite])
    }
}

/// All pictures of ground.
#[derive(Resource, Debug, Default)]
pub(super) struct Grounds {
    /// By size and light.
    painted: Vec<((u16, bool), Handle<Image>)>,
    under: Vec<Under>,
}

/// What the renderer draws for a picture.
type Shown = (&'static mut Sprite, &'static mut Transform, &'static mut Visibility);

/// Puts its ground under every habitat.
pub(super) fn draw_grounds(
    habitats: Query<(Entity, &Ground), With<Habitat>>,
    mut grounds: ResMut<Grounds>,
    mut images: ResMut<Assets<Image>>,
    mut sprites: Query<Shown, Without<Stamped>>,
    scene: Scene,
    mut commands: Commands,
) {
    let Grounds { painted, under } = &mut *grounds;
    under.retain(|one| {
        let stays = habitats.get(one.habitat).is_ok_and(|(_, ground)| ground.size() == one.size);
        if !stays {
            one.sprites().for_each(|entity| commands.entity(entity).despawn());
        }
        stays
    });
    let dark = scene.options.dark;
    painted.retain(|((size, light), _)| *light == dark && habitats.iter().any(|(_, ground)| ground.size() == *size));
    for (habitat, ground) in &habitats {
        if !under.iter().any(|one| one.habitat == habitat) {
            let sprite = commands.spawn(picture(Handle::default())).id();
            under.push(Under { habitat, size: ground.size(), sprite, visits: None, map: None });
        }
    }
    for one in under {
        let Ok((mut sprite, mut at, mut visibility)) = sprites.get_mut(one.sprite) else { continue };
        let image = image_of(painted, &mut images, (one.size, dark));
        if sprite.image != image {
            sprite.image = image;
        }
        let (size, corner) = (f32::from(one.size), scene.corner(one.habitat));
        place(&mut at, &mut visibility, corner, size, size + 2.0 * (RIM + paint::SHADOW), 0.0);
    }
}

/// Lays over the ground what is wanted there: how often cells were entered, and what lies in them where that is not drawn
/// one by one.
pub(super) fn draw_plates(
    habitats: Query<(&Ground, &Visits, &Clock), With<Habitat>>,
    mut grounds: ResMut<Grounds>,
    mut plates: Plates,
    scene: Scene,
) {
    let (colours, seen) = (scene.colours(), scene.seen());
    for one in &mut grounds.under {
        let (Ok((ground, visits, clock)), size) = (habitats.get(one.habitat), one.size) else { continue };
        let side = f32::from(size);
        let is_far = seen.width().min(side) * seen.height().min(side) > MOST;
        let most = visits.counts().iter().copied().max().unwrap_or_default().max(1) as f32;
        let heat = |cell: Cell| {
            let [r, g, b] = colours.visited;
            [r, g, b, (190.0 * (visits.count(cell) as f32 / most).sqrt()) as u8]
        };
        let lies = |cell: Cell| {
            let tint = |[r, g, b]: Rgb| [r, g, b, u8::MAX];
            match cell {
                cell if ground.has(Thing::Wall, cell) => tint(colours.wall),
                cell if ground.has(Thing::Home, cell) => tint(colours.home),
                cell if ground.has(Thing::Food, cell) => tint(palette::mix(colours.leaf, colours.berry, 60)),
                _ => [0; 4],
            }
        };
        let corner = scene.corner(one.habitat);
        let lay = |height| Lay { clock: *clock, size, corner, height };
        plates.show(&mut one.map, is_far, lay(1.0), &lies, &scene);
        plates.show(&mut one.visits, scene.options.visits, lay(2.0), &heat, &scene);
    }
}

/// Where a plate lies, and when.
struct Lay {
    clock: Clock,
    size: u16,
    corner: Option<Vec2>,
    height: f32,
}

/// What plates are made of.
#[derive(SystemParam)]
pub(super) struct Plates<'w, 's> {
    images: ResMut<'w, Assets<Image>>,
    sprites: Query<'w, 's, Shown, Without<Stamped>>,
    commands: Commands<'w, 's>,
}

impl Plates<'_, '_> {
    /// Shows a plate, painted anew when it is another turn, but not too often; or takes it away.
    fn show(
        &mut self,
        plate: &mut Option<Plate>,
        wanted: bool,
        Lay { clock, size, corner, height }: Lay,
        paint: &dyn Fn(Cell) -> [u8; 4],
        scene: &Scene,
    ) {
        if !wanted {
            if let Some(plate) = plate.take() {
                self.commands.entity(plate.sprite).despawn();
            }
            return;
        }
        let plate = plate.get_or_insert_with(|| {
            let pixels = vec![0; usize::from(size).pow(2) * 4];
            let blank = image(u32::from(size), pixels, height > 1.0, RenderAssetUsages::default());
            let image = self.images.add(blank);
            let sprite = self.commands.spawn(picture(image.clone())).id();
            Plate { image, sprite, shows: None, painted: f64::MIN }
        });
        let (shows, now) = (Some((clock, scene.options.dark)), scene.now());
        let is_due = now - plate.painted >= REST || !scene.options.animate;
        if plate.shows != shows
            && is_due
            && let Some(mut image) = self.images.get_mut(&plate.image)
        {
            let pixels = (0..usize::from(size).pow(2)).flat_map(|i| {
                // Pictures begin in the north.
                let cell = Cell::from_index(i, size);
                paint(Cell::new(cell.x, size - 1 - cell.y))
            });
            image.data = Some(pixels.collect());
            (plate.shows, plate.painted) = (shows, now);
        }
        if let Ok((_, mut at, mut visibility)) = self.sprites.get_mut(plate.sprite) {
            let side = f32::from(size);
            place(&mut at, &mut visibility, corner, side, side, height);
        }
    }
}

/// Puts a picture under a habitat, or hides it.
fn place(
    at: &mut Mut<Transform>,
    shown: &mut Mut<Visibility>,
    corner: Option<Vec2>,
    size: f32,
    side: f32,
    height: f32,
) {
    let Some(corner) = corner else {
        shown.set_if_neq(Visibility::Hidden);
        return;
    };
    shown.set_if_neq(Visibility::Inherited);
    let middle = (corner + size / 2.0).extend(height);
    at.set_if_neq(Transform::from_translation(middle).with_scale(Vec2::splat(side).extend(1.0)));
}

fn picture(image: Handle<Image>) -> impl Bundle {
    (Sprite { image, custom_size: Some(Vec2::ONE), ..default() }, Visibility::Hidden, NoFrustumCulling)
}

/// The ground of this size in this light, painted once.
fn image_of(
    painted: &mut Vec<((u16, bool), Handle<Image>)>,
    images: &mut Assets<Image>,
    key: (u16, bool),
) -> Handle<Image> {
    if let Some((_, image)) = painted.iter().find(|(known, _)| *known == key) {
        return image.clone();
    }
    let (side, pixels) = paint::ground(key.0, palette::scenery(key.1));
    let handle = images.add(image(side, pixels, true, RenderAssetUsages::RENDER_WORLD));
    painted.push((key, handle.clone()));
    handle
}

fn image(side: u32, pixels: Vec<u8>, soft: bool, usage: RenderAssetUsages) -> Image {
    let extent = Extent3d { width: side, height: side, depth_or_array_layers: 1 };
    let mut image = Image::new(extent, TextureDimension::D2, pixels, TextureFormat::Rgba8UnormSrgb, usage);
    let sampler = if soft { ImageSamplerDescriptor::linear() } else { ImageSamplerDescriptor::nearest() };
    image.sampler = ImageSampler::Descriptor(sampler);
    image
}
