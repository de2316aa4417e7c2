//! The sprites: one picture for all of them, so that the renderer draws everything in one go.
//!
//! `assets/sprites.svg` is its source and says how the picture is made.

use bevy::{
    asset::RenderAssetUsages,
    image::{CompressedImageFormats, ImageFilterMode, ImageSampler, ImageSamplerDescriptor, ImageType},
    prelude::*,
};

/// The picture, with the program.
static SPRITES: &[u8] = include_bytes!("../../assets/sprites.png");
/// The typeface of labels and speech.
static FONT: &[u8] = include_bytes!("../../assets/fonts/Inter-Regular.otf");

/// Pixels of a tile's side.
pub(super) const TILE: f32 = 128.0;
/// How often the picture is halved for drawing it small.
const HALVINGS: u32 = 5;

/// A part of the picture, in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Tile(pub Rect);

impl Tile {
    const fn at(column: u16, row: u16) -> Self {
        let min = Vec2::new(column as f32 * TILE, row as f32 * TILE);
        Self(Rect { min, max: Vec2::new(min.x + TILE, min.y + TILE) })
    }

    /// Tiles side by side, from here to the right.
    const fn row<const N: usize>(column: u16, row: u16) -> [Self; N] {
        let mut tiles = [Self::at(column, row); N];
        let mut next = 1;
        while next < N {
            tiles[next] = Self::at(column + next as u16, row);
            next += 1;
        }
        tiles
    }

    /// A part of this part: from `min` to `max`, in pixels of the tile.
    pub(super) fn part(self, min: Vec2, max: Vec2) -> Self {
        Self(Rect { min: self.0.min + min, max: self.0.min + max })
    }
}

pub(super) const BODY: Tile = Tile::at(0, 0);
pub(super) const SHEEN: Tile = Tile::at(1, 0);
/// What tells lines apart whose colours are alike.
pub(super) const MARKINGS: [Tile; 3] = Tile::row(2, 0);
pub(super) const EYES: Tile = Tile::at(5, 0);
pub(super) const PUPILS: Tile = Tile::at(6, 0);
pub(super) const LIDS: Tile = Tile::at(7, 0);
pub(super) const CROWN: Tile = Tile::at(0, 1);
pub(super) const SPROUT: Tile = Tile::at(1, 1);
pub(super) const SHADOW: Tile = Tile::at(2, 1);
pub(super) const GLOW: Tile = Tile::at(3, 1);
pub(super) const RING: Tile = Tile::at(4, 1);
pub(super) const PULSE: Tile = Tile::at(5, 1);
pub(super) const SPARK: Tile = Tile::at(6, 1);
pub(super) const LOAD: Tile = Tile::at(7, 1);
pub(super) const STONES: [Tile; 4] = Tile::row(0, 2);
/// Food: leaves, and the fruit that goes over them.
pub(super) const FOODS: [(Tile, Tile); 2] = [(Tile::at(4, 2), Tile::at(6, 2)), (Tile::at(5, 2), Tile::at(7, 2))];
/// The upper left corner of home, which is two tiles wide and high.
pub(super) const HOME: Tile = Tile::at(0, 3);
pub(super) const HEARTH: Tile = Tile::at(2, 3);
pub(super) const FIRE: Tile = Tile::at(3, 3);
pub(super) const PANEL: Tile = Tile::at(4, 3);
pub(super) const TAIL: Tile = Tile::at(5, 3);
pub(super) const MARK: Tile = Tile::at(6, 3);
const SQUARE: Tile = Tile::at(7, 3);
pub(super) const CLOSED: Tile = Tile::at(2, 4);
pub(super) const DOT: Tile = Tile::at(3, 4);
/// What grows and lies about for its own sake.
pub(super) const TUFT: Tile = Tile::at(4, 4);
pub(super) const PEBBLES: Tile = Tile::at(5, 4);
pub(super) const MUSHROOM: Tile = Tile::at(6, 4);
pub(super) const LEAF: Tile = Tile::at(7, 4);

/// A plain square, well away from its neighbours however small it is drawn.
pub(super) fn square() -> Tile {
    SQUARE.part(Vec2::splat(48.0), Vec2::splat(80.0))
}

/// The picture and the typeface, as the renderer knows them.
#[derive(Resource)]
pub(super) struct Atlas {
    pub image: Handle<Image>,
    pub font: Handle<Font>,
}

impl FromWorld for Atlas {
    fn from_world(world: &mut World) -> Self {
        let image = world.get_resource_mut::<Assets<Image>>().map(|mut images| match decode() {
            Ok(image) => images.add(image),
            Err(reason) => {
                error!("The habitat's sprites cannot be read ({reason}); everything is drawn as plain squares.");
                Handle::default()
            }
        });
        let font = world.get_resource_mut::<Assets<Font>>().map(|mut fonts| fonts.add(Font::from_bytes(FONT.to_vec())));
        Self { image: image.unwrap_or_default(), font: font.unwrap_or_default() }
    }
}

/// Reads the picture and makes it ready for being drawn small: halved, and halved again.
fn decode() -> Result<Image, String> {
    let (formats, usage) = (CompressedImageFormats::NONE, RenderAssetUsages::RENDER_WORLD);
    let sampler = ImageSampler::Descriptor(ImageSamplerDescriptor {
        mipmap_filter: ImageFilterMode::Linear,
        ..ImageSamplerDescriptor::linear()
    });
    let read = Image::from_buffer(SPRITES, ImageType::Extension("png"), formats, true, sampler, usage);
    let mut image = read.map_err(|error| error.to_string())?;
    let (width, height) = (image.width() as usize, image.height() as usize);
    let pixels = image.data.take().ok_or("it holds no pixels")?;
    if pixels.len() != width * height * 4 {
        return Err("it does not have four bytes a pixel".to_owned());
    }
    image.data = Some(halve(pixels, width, height));
    image.texture_descriptor.mip_level_count = HALVINGS + 1;
    Ok(image)
}

/// The picture, followed by itself at half, a quarter, … of its size. What is invisible takes the colour of what is
/// near it, or edges would be dark when drawn between pixels.
fn halve(pixels: Vec<u8>, width: usize, height: usize) -> Vec<u8> {
    let mut levels = vec![(pixels, width, height)];
    for level in 0..HALVINGS as usize {
        let (finer, width, height) = &levels[level];
        let (columns, rows) = (width / 2, height / 2);
        let mut coarser = Vec::with_capacity(columns * rows * 4);
        for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))) {
            let four = [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(x, y)| 4 * ((2 * row + y) * width + 2 * column + x));
            let weight: u32 = four.iter().map(|at| u32::from(finer[at + 3])).sum();
            let channel = |c: usize| {
                let sum: u32 = four.iter().map(|at| u32::from(finer[at + c]) * u32::from(finer[at + 3])).sum();
                sum.checked_div(weight).unwrap_or(0) as u8
            };
            coarser.extend([channel(0), channel(1), channel(2), weight.div_ceil(4) as u8]);
        }
        levels.push((coarser, columns, rows));
    }
    for level in (0..HALVINGS as usize).rev() {
        let (fine, coarse) = levels.split_at_mut(level + 1);
        let ((finer, width, _), (coarser, columns, rows)) = (&mut fine[level], &coarse[0]);
        for at in (0..finer.len()).step_by(4) {
            if finer[at + 3] == 0 {
                let (row, column) = (at / 4 / *width / 2, at / 4 % *width / 2);
                let from = 4 * (row.min(rows - 1) * columns + column.min(columns - 1));
                finer[at..at + 3].copy_from_slice(&coarser[from..from + 3]);
            }
        }
    }
    levels.into_iter().flat_map(|(pixels, _, _)| pixels).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sprites_are_in_the_program() {
        let image = decode().unwrap();
        assert_eq!((image.width(), image.height()), (1024, 640));
        let all: usize = (0..=HALVINGS).map(|level| (1024 >> level) * (640 >> level) * 4).sum();
        assert_eq!(image.data.unwrap().len(), all);
    }

    #[test]
    fn a_halved_picture_keeps_its_colours() {
        // A white pixel beside three invisible black ones, eight times in each direction and more.
        let side = 1 << HALVINGS;
        let mut pixels = vec![0; side * side * 4];
        for at in (0..pixels.len())
            .step_by(4)
            .filter(|at| (at / 4 % side).is_multiple_of(2) && (at / 4 / side).is_multiple_of(2))
        {
            pixels[at..at + 4].fill(255);
        }
        let halved = halve(pixels, side, side);
        assert_eq!(halved[..8], [255, 255, 255, 255, 255, 255, 255, 0], "the invisible one is white, too");
        let next = side * side * 4;
        assert_eq!(halved[next..next + 4], [255, 255, 255, 64], "a quarter of it is to be seen, as bright as before");
    }
}
