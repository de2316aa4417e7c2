//! How panels look: colours from the palette, one typeface in three sizes.

use std::sync::Arc;

use bevy_egui::egui::{
    Color32, Context, CornerRadius, FontData, FontDefinitions, FontFamily, FontId, Margin, Stroke, TextStyle, Visuals,
    vec2,
};

use crate::palette::{self, Rgb};

/// Inter, which has the arrows of the prompts; SIL Open Font License, see `assets/fonts/OFL.txt`.
pub static FONT: &[u8] = include_bytes!("../../assets/fonts/Inter-Regular.otf");

/// Size of headings.
pub const LARGE: f32 = 20.0;
/// Size of text.
pub const NORMAL: f32 = 14.0;
/// Size of notes.
pub const SMALL: f32 = 12.0;

/// The colour as egui wants it.
pub const fn ink([r, g, b]: Rgb) -> Color32 {
    Color32::from_rgb(r, g, b)
}

/// Dresses egui.
pub fn apply(context: &Context) {
    let mut fonts = FontDefinitions::default();
    fonts.font_data.insert("inter".to_owned(), Arc::new(FontData::from_static(FONT)));
    for family in [FontFamily::Proportional, FontFamily::Monospace] {
        fonts.families.entry(family).or_default().insert(0, "inter".to_owned());
    }
    context.set_fonts(fonts);
    context.all_styles_mut(|style| {
        let font = |size| FontId::new(size, FontFamily::Proportional);
        style.text_styles = [
            (TextStyle::Heading, font(LARGE)),
            (TextStyle::Body, font(NORMAL)),
            (TextStyle::Button, font(NORMAL)),
            (TextStyle::Monospace, font(NORMAL)),
            (TextStyle::Small, font(SMALL)),
        ]
        .into();
        style.spacing.item_spacing = vec2(8.0, 8.0);
        style.spacing.button_padding = vec2(12.0, 6.0);
        style.visuals = visuals();
    });
}

/// The frame of a panel.
pub fn panel_frame() -> bevy_egui::egui::Frame {
    bevy_egui::egui::Frame::new().fill(ink(palette::PANEL)).inner_margin(Margin::symmetric(16, 12))
}

fn visuals() -> Visuals {
    let mut visuals = Visuals::dark();
    visuals.panel_fill = ink(palette::PANEL);
    visuals.window_fill = ink(palette::PANEL);
    visuals.extreme_bg_color = ink(palette::NIGHT);
    visuals.faint_bg_color = ink(palette::INSET);
    visuals.override_text_color = Some(ink(palette::TEXT));
    visuals.selection.bg_fill = ink(palette::HOME);
    visuals.selection.stroke = Stroke::new(1.0, ink(palette::NIGHT));
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
        widget.corner_radius = CornerRadius::same(6);
    }
    widgets.noninteractive.bg_stroke = Stroke::new(1.0, ink(palette::INSET));
    visuals.slider_trailing_fill = true;
    visuals
}
