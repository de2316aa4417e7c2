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

/// The same colours by daylight: each of the panels' colours, and what takes its place on a light ground.
const DAYLIGHT: [(Rgb, Rgb); 21] = [
    (NIGHT, [226, 217, 201]),
    (PANEL, [247, 242, 233]),
    (INSET, [225, 214, 197]),
    (WALL_TOP, [206, 194, 177]),
    (HOME, [201, 113, 54]),
    (HOME_LIGHT, [150, 82, 30]),
    (FOOD, [82, 128, 50]),
    (FOOD_LIGHT, [58, 104, 34]),
    (ACCENT, [152, 88, 14]),
    (DANGER, [176, 50, 38]),
    (DEAD, [150, 142, 136]),
    (TEXT, [48, 42, 38]),
    (TEXT_WEAK, [108, 97, 88]),
    (AGENTS[0], [166, 108, 0]),
    (AGENTS[1], [30, 116, 168]),
    (AGENTS[2], [0, 122, 88]),
    (AGENTS[3], [138, 122, 0]),
    (AGENTS[4], [28, 84, 156]),
    (AGENTS[5], [186, 74, 18]),
    (AGENTS[6], [160, 76, 122]),
    (AGENTS[7], [110, 68, 156]),
];

/// What stands for a colour of the dark panels in the light ones; a colour that is not theirs is the same in both.
pub fn by_daylight(rgb: Rgb) -> Rgb {
    let own = |rgb| DAYLIGHT.iter().find(|(dark, _)| *dark == rgb).map(|(_, light)| *light);
    let of_line = |line: u32| {
        // Beyond the first eight: lighter and darker change places.
        let other = if lineage(line) == rgb { own(agent(line))? } else { return None };
        Some(if line < 16 { mix(other, [0, 0, 0], 72) } else { mix(other, [255, 255, 255], 60) })
    };
    own(rgb).or_else(|| (8..24).find_map(of_line)).unwrap_or(rgb)
}

/// Contrast of two colours, from 1 to 21 (WCAG 2.2, "contrast ratio").
pub fn contrast(one: Rgb, other: Rgb) -> f64 {
    let luminance = |rgb: Rgb| {
        let [r, g, b] = rgb.map(|channel| {
            let c = f64::from(channel) / 255.0;
            if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * r + 0.7152 * g + 0.0722 * b
    };
    let (a, b) = (luminance(one), luminance(other));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

/// From the least to the most: lightness grows evenly, so that steps of equal size look equal, also without colours
/// (the middle of "plasma", van der Walt & Smith, 2015). `part` runs from 0 to 1 and is held there.
pub fn ramp(part: f64) -> Rgb {
    const STOPS: [Rgb; 6] =
        [[106, 0, 168], [156, 23, 158], [196, 66, 124], [226, 107, 88], [248, 154, 60], [252, 206, 37]];
    let place = part.clamp(0.0, 1.0) * (STOPS.len() - 1) as f64;
    let (low, high) = (place.floor() as usize, place.ceil() as usize);
    std::array::from_fn(|channel| {
        let (from, to) = (f64::from(STOPS[low][channel]), f64::from(STOPS[high][channel]));
        (from + (to - from) * place.fract()).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stands_out_in_both_lights() {
        assert!((contrast([0, 0, 0], [255, 255, 255]) - 21.0).abs() < 1e-9);
        for rgb in [TEXT, TEXT_WEAK, ACCENT, DANGER] {
            for ground in [PANEL, NIGHT, INSET] {
                let (dark, light) = (contrast(rgb, ground), contrast(by_daylight(rgb), by_daylight(ground)));
                assert!(dark >= 3.9 && light >= 3.9, "{rgb:?} on {ground:?}: {dark:.2}, by daylight {light:.2}");
            }
        }
        for rgb in AGENTS {
            let (dark, light) = (contrast(rgb, PANEL), contrast(by_daylight(rgb), by_daylight(PANEL)));
            assert!(dark >= 3.0 && light >= 3.0, "{rgb:?}: {dark:.2}, by daylight {light:.2}");
        }
    }

    #[test]
    fn the_ramp_grows_lighter_and_keeps_to_its_ends() {
        assert_eq!((ramp(0.0), ramp(1.0)), ([106, 0, 168], [252, 206, 37]));
        assert_eq!((ramp(-3.0), ramp(7.0)), (ramp(0.0), ramp(1.0)));
        assert_eq!(ramp(0.1), [131, 12, 163], "half way to the second stop");
        // Lightness by the weights of sRGB's luma.
        let luma = |[r, g, b]: [u8; 3]| 0.299 * f64::from(r) + 0.587 * f64::from(g) + 0.114 * f64::from(b);
        let steps: Vec<_> = (0..=20).map(|step| luma(ramp(f64::from(step) / 20.0))).collect();
        assert!(steps.windows(2).all(|pair| pair[1] > pair[0]), "{steps:?}");
    }

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
