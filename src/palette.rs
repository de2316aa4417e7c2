//! Every colour of the program, in one place: a terrarium at dusk.
//!
//! Colours are sRGB, 8 bits a channel, so that the renderer and the panels can both use them.
//! This room does *not* know either.

/// A colour: red, green, blue.
pub type Rgb = [u8; 3];

/// Behind everything.
pub const NIGHT: Rgb = [24, 22, 28];
/// Panels.
pub const PANEL: Rgb = [33, 30, 37];
/// Lines, and what is set into a panel.
pub const INSET: Rgb = [46, 42, 50];
/// The habitat's ground at dusk.
pub const GROUND: Rgb = [88, 73, 57];
/// The lit upper side of walls at dusk.
pub const WALL_TOP: Rgb = [134, 124, 124];
/// Home.
pub const HOME: Rgb = [214, 140, 84];
/// Home's hearth.
pub const HOME_LIGHT: Rgb = [250, 205, 140];
/// Food.
pub const FOOD: Rgb = [126, 176, 92];
/// The lit side of food.
pub const FOOD_LIGHT: Rgb = [186, 219, 134];
/// What grows on food, and what agents carry.
pub const BERRY: Rgb = [216, 92, 124];
/// What asks to be looked at.
pub const ACCENT: Rgb = [240, 186, 108];
/// Danger: hunger, failure.
pub const DANGER: Rgb = [222, 96, 82];
/// The dead.
pub const DEAD: Rgb = [104, 99, 102];
/// Text.
pub const TEXT: Rgb = [232, 224, 214];
/// Text of less weight.
pub const TEXT_WEAK: Rgb = [160, 150, 146];

/// Agents, told apart by people of every colour vision when they stand side by side
/// (after Okabe & Ito, "Color Universal Design", 2008, lightened for a dark ground).
pub const AGENTS: [Rgb; 8] = [
    [236, 174, 60],
    [110, 190, 238],
    [64, 184, 146],
    [242, 228, 110],
    [76, 140, 214],
    [232, 122, 66],
    [220, 150, 190],
    [170, 130, 214],
];

/// The habitat's colours under one light.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scenery {
    /// Around the habitats.
    pub backdrop: Rgb,
    /// The habitats' edge.
    pub rim: Rgb,
    /// Bare earth.
    pub ground: Rgb,
    /// Earth with moss on it.
    pub moss: Rgb,
    /// Grass and pebbles, which mean nothing.
    pub grass: Rgb,
    /// What lies on the ground and means nothing.
    pub pebble: Rgb,
    /// The lit side of stones.
    pub wall: Rgb,
    /// Home's floor.
    pub home: Rgb,
    /// Fire, and the light it throws.
    pub fire: Rgb,
    /// The leaves of food.
    pub leaf: Rgb,
    /// The fruit of food.
    pub berry: Rgb,
    /// Cells that were entered often.
    pub visited: Rgb,
    /// What asks to be looked at.
    pub accent: Rgb,
    /// Speech and labels.
    pub ink: Rgb,
    /// What speech is written on.
    pub paper: Rgb,
}

/// A terrarium at dusk.
pub const DUSK: Scenery = Scenery {
    backdrop: NIGHT,
    rim: [52, 46, 46],
    ground: GROUND,
    moss: [74, 80, 53],
    grass: [98, 104, 66],
    pebble: [112, 100, 88],
    wall: WALL_TOP,
    home: HOME,
    fire: HOME_LIGHT,
    leaf: FOOD,
    berry: BERRY,
    visited: [250, 196, 96],
    accent: ACCENT,
    ink: TEXT,
    paper: [44, 39, 48],
};

/// The same in the sun.
pub const DAY: Scenery = Scenery {
    backdrop: [233, 226, 213],
    rim: [170, 152, 128],
    ground: [211, 190, 152],
    moss: [178, 184, 124],
    grass: [138, 154, 88],
    pebble: [226, 214, 194],
    wall: [176, 168, 162],
    home: [224, 150, 92],
    fire: [255, 226, 160],
    leaf: [92, 152, 70],
    berry: [200, 62, 104],
    visited: [186, 74, 40],
    accent: [196, 104, 30],
    ink: [58, 48, 44],
    paper: [255, 252, 246],
};

/// The habitat's colours at dusk or in the sun.
pub const fn scenery(dark: bool) -> &'static Scenery {
    if dark { &DUSK } else { &DAY }
}

/// The colour of a line of founders. Beyond eight lines the colours come again, lighter, then darker.
pub const fn lineage(line: u32) -> Rgb {
    let rgb = agent(line);
    match line / AGENTS.len() as u32 % 3 {
        0 => rgb,
        1 => mix(rgb, [255, 255, 255], 90),
        _ => mix(rgb, [0, 0, 0], 72),
    }
}

/// A colour with `share` of 255 parts of another in it.
pub const fn mix(a: Rgb, b: Rgb, share: u8) -> Rgb {
    [mix_one(a[0], b[0], share), mix_one(a[1], b[1], share), mix_one(a[2], b[2], share)]
}

const fn mix_one(a: u8, b: u8, share: u8) -> u8 {
    ((a as u32 * (255 - share as u32) + b as u32 * share as u32 + 127) / 255) as u8
}

/// The colour of the agent with this number.
pub const fn agent(number: u32) -> Rgb {
    AGENTS[number as usize % AGENTS.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_mix_and_twenty_four_lines_differ() {
        assert_eq!(mix([0, 100, 200], [255, 200, 0], 0), [0, 100, 200]);
        assert_eq!(mix([0, 100, 200], [255, 200, 0], 255), [255, 200, 0]);
        assert_eq!(mix([0, 100, 200], [255, 200, 0], 51), [51, 120, 160]); // a fifth
        assert_eq!(lineage(6), AGENTS[6]);
        let all: Vec<_> = (0..24).map(lineage).collect();
        for (i, rgb) in all.iter().enumerate() {
            assert!(!all[..i].contains(rgb), "line {i}");
        }
    }
}
