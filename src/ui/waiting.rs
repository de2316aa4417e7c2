//! What the person waits for, over the habitats.
//!
//! This module does *not* know what that is about, or when it ends.

use bevy_egui::egui::{Align2, Area, Context, Frame, Id, Pos2, RichText, Spinner};

use super::theme::{NORMAL, ink};
use crate::palette;

/// Shows what is waited for, around `middle`.
pub fn show_waiting(context: &Context, middle: Pos2, what: &str) {
    Area::new(Id::new("waiting")).fixed_pos(middle).pivot(Align2::CENTER_CENTER).interactable(false).show(
        context,
        |ui| {
            Frame::popup(ui.style()).inner_margin(14.0).show(ui, |ui| {
                ui.horizontal(|ui| {
                    ui.add(Spinner::new().size(16.0).color(ink(palette::ACCENT)));
                    ui.label(RichText::new(format!("{what} …")).size(NORMAL).color(ink(palette::TEXT)));
                });
            });
        },
    );
}
