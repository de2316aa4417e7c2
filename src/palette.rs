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
/// The habitat's ground.
pub const GROUND: Rgb = [66, 57, 48];
/// Every second cell of the ground.
pub const GROUND_ALTERNATE: Rgb = [71, 62, 52];
/// Walls.
pub const WALL: Rgb = [31, 28, 30];
/// The lit upper side of walls.
pub const WALL_TOP: Rgb = [92, 83, 84];
/// Home.
pub const HOME: Rgb = [214, 140, 84];
/// Home's hearth.
pub const HOME_LIGHT: Rgb = [250, 205, 140];
/// Food.
pub const FOOD: Rgb = [126, 176, 92];
/// The lit side of food.
pub const FOOD_LIGHT: Rgb = [186, 219, 134];
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

/// The colour of the agent with this number.
pub const fn agent(number: u32) -> Rgb {
    AGENTS[number as usize % AGENTS.len()]
}

/// The same colours by daylight: each of the panels' colours, and what takes its place on a light ground.
const DAYLIGHT: [(Rgb, Rgb); 21] = [
    (NIGHT, [226, 217, 201]),
    (PANEL, [247, 242, 233]),
    (INSET, [230, 221, 206]),
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
    DAYLIGHT.iter().find(|(dark, _)| *dark == rgb).map_or(rgb, |(_, light)| *light)
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
}
