//! How panels look: colours from the palette, by night or by day, and one typeface in three sizes.

use std::{cell::Cell, sync::Arc};

use bevy_egui::egui::{
    Color32, Context, CornerRadius, FontData, FontDefinitions, FontFamily, FontId, Frame, Margin, Shadow, Stroke,
    TextStyle, Theme, ThemePreference, Visuals, epaint::FontColorTransferFunction, vec2,
};

use crate::palette::{self, Rgb};

/// Inter, which has the arrows of the prompts; SIL Open Font License, see `assets/fonts/OFL.txt`.
pub static FONT: &[u8] = include_bytes!("../../assets/fonts/Inter-Regular.otf");

/// Size of headings.
pub const LARGE: f32 = 18.0;
/// Size of text.
pub const NORMAL: f32 = 14.0;
/// Size of notes.
pub const SMALL: f32 = 12.0;

thread_local! {
    /// Whether this thread's panels are light. Panels are drawn by one thread.
    static IS_LIGHT: Cell<bool> = const { Cell::new(false) };
}

/// The colour as egui wants it, by night or by day.
pub fn ink(rgb: Rgb) -> Color32 {
    let [r, g, b] = if IS_LIGHT.get() { palette::by_daylight(rgb) } else { rgb };
    Color32::from_rgb(r, g, b)
}

/// A colour with `share` of 255 parts of another in it, by night or by day.
pub fn mixed(one: Rgb, other: Rgb, share: u8) -> Color32 {
    let (one, other) = (ink(one), ink(other));
    let [r, g, b] = palette::mix([one.r(), one.g(), one.b()], [other.r(), other.g(), other.b()], share);
    Color32::from_rgb(r, g, b)
}

/// Chooses night or day for what this thread draws from now on.
pub fn choose(dark: bool) {
    IS_LIGHT.set(!dark);
}

/// Dresses egui, by night or by day.
pub fn apply(context: &Context, dark: bool) {
    choose(dark);
    context.set_theme(if dark { ThemePreference::Dark } else { ThemePreference::Light });
    context.style_mut_of(if dark { Theme::Dark } else { Theme::Light }, |style| {
        let font = |size| FontId::new(size, FontFamily::Proportional);
        style.text_styles = [
            (TextStyle::Heading, font(LARGE)),
            (TextStyle::Body, font(NORMAL)),
            (TextStyle::Button, font(NORMAL)),
            (TextStyle::Monospace, font(NORMAL)),
            (TextStyle::Small, font(SMALL)),
        ]
        .into();
        style.spacing.item_spacing = vec2(8.0, 6.0);
        style.spacing.button_padding = vec2(10.0, 5.0);
        style.spacing.interact_size.y = 24.0;
        style.spacing.window_margin = Margin::symmetric(18, 14);
        style.visuals = visuals(dark);
    });
}

/// Gives egui the typeface. Once is enough.
pub fn set_fonts(context: &Context) {
    let mut fonts = FontDefinitions::default();
    fonts.font_data.insert("inter".to_owned(), Arc::new(FontData::from_static(FONT)));
    for family in [FontFamily::Proportional, FontFamily::Monospace] {
        fonts.families.entry(family).or_default().insert(0, "inter".to_owned());
    }
    context.set_fonts(fonts);
}

/// The frame of a panel.
pub fn panel_frame() -> Frame {
    Frame::new().fill(ink(palette::PANEL)).inner_margin(Margin::symmetric(14, 10))
}

/// A card within a panel: what belongs together.
pub fn card() -> Frame {
    // By day what lies in it must stand out from it as well.
    let fill = if IS_LIGHT.get() { mixed(palette::PANEL, palette::NIGHT, 90) } else { ink(palette::NIGHT) };
    Frame::new().fill(fill).corner_radius(8).inner_margin(Margin::symmetric(12, 10))
}

fn visuals(dark: bool) -> Visuals {
    let mut visuals = if dark { Visuals::dark() } else { Visuals::light() };
    // The picture is blended in linear light, which makes light strokes on dark bold, and dark ones on light thin.
    visuals.text_options.color_transfer_function =
        if dark { FontColorTransferFunction::Off } else { FontColorTransferFunction::TwoCoverageMinusCoverageSq };
    visuals.panel_fill = ink(palette::PANEL);
    visuals.window_fill = ink(palette::PANEL);
    visuals.window_stroke = Stroke::new(1.0, ink(palette::INSET));
    visuals.window_corner_radius = CornerRadius::same(10);
    let soft =
        Shadow { offset: [0, 4], blur: 18, spread: 0, color: Color32::from_black_alpha(if dark { 96 } else { 40 }) };
    (visuals.window_shadow, visuals.popup_shadow) = (soft, soft);
    visuals.extreme_bg_color = ink(palette::NIGHT);
    visuals.faint_bg_color = mixed(palette::PANEL, palette::INSET, 110);
    visuals.hyperlink_color = ink(palette::ACCENT);
    visuals.selection.bg_fill = mixed(palette::PANEL, palette::HOME, if dark { 160 } else { 110 });
    visuals.selection.stroke = Stroke::new(1.0, ink(palette::TEXT));
    let widgets = &mut visuals.widgets;
    for (widget, fill) in [
        (&mut widgets.noninteractive, palette::PANEL),
        (&mut widgets.inactive, palette::INSET),
        (&mut widgets.hovered, palette::WALL_TOP),
        (&mut widgets.active, palette::HOME),
        (&mut widgets.open, palette::INSET),
    ] {
        widget.bg_fill = ink(fill);
        widget.weak_bg_fill = ink(fill);
        widget.bg_stroke = Stroke::NONE;
        widget.fg_stroke.color = ink(palette::TEXT);
        widget.corner_radius = CornerRadius::same(6);
    }
    // Boxes to be ticked, and what sliders run on, are seen before anything is in them.
    widgets.inactive.bg_fill = mixed(palette::INSET, palette::WALL_TOP, if dark { 60 } else { 255 });
    widgets.noninteractive.bg_stroke = Stroke::new(1.0, ink(palette::INSET));
    visuals.slider_trailing_fill = true;
    visuals
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    /// What stands in a file's code, tests apart, and is not ASCII.
    fn signs(file: &Path) -> BTreeSet<char> {
        let text = fs::read_to_string(file).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        lines.flat_map(str::chars).filter(|c| !c.is_ascii() && !c.is_whitespace()).collect()
    }

    /// The same of all files in a folder of `src`, and in its folders.
    fn all_signs(folder: &Path) -> BTreeSet<char> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let of = |path: std::path::PathBuf| match path.is_dir() {
            true => all_signs(&path),
            false if path.ends_with("tests.rs") => BTreeSet::new(),
            false => signs(&path),
        };
        entries.flat_map(of).collect()
    }

    #[test]
    fn every_sign_that_is_written_is_in_the_font() {
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let context = Context::default();
        set_fonts(&context);
        // Fonts are there from the next frame on.
        (0..2).for_each(|_| drop(context.run_ui(Default::default(), |_| ())));
        let font = FontId::proportional(NORMAL);
        let has = |sign: char| context.fonts_mut(|fonts| fonts.has_glyph(&font, sign));
        assert!(has('A') && !has('\u{13000}'), "the fonts are there, and do not have hieroglyphs");
        let written: BTreeSet<char> = ["ui", "app", "view", "language", "config", "protocol", "record", "mind"]
            .into_iter()
            .flat_map(|room| all_signs(&src.join(room)))
            .collect();
        assert!(written.contains(&'↑') && written.contains(&'▶'), "{written:?}");
        let missing: Vec<_> = written.into_iter().filter(|sign| !has(*sign)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
