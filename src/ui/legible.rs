//! For tests: is every text of a panel whole, within its place, and apart from all others?

use bevy_egui::egui::{self, Rect, Shape, Vec2, epaint::ClippedShape, vec2};
use egui_kittest::Harness;

/// Sizes of a panel, in points, and scales at which it must be legible.
pub(super) const SIZES: [(f32, f32); 3] = [(302.0, 560.0), (360.0, 900.0), (900.0, 420.0)];
/// Scales of the whole window.
pub(super) const SCALES: [f32; 2] = [1.0, 1.5];

/// Every text that is drawn: what it says, where it lies, where it may be drawn, and whether it had to be cut.
pub(crate) fn texts(shapes: &[ClippedShape]) -> Vec<(String, Rect, Rect, bool)> {
    fn walk(shape: &Shape, clip: Rect, found: &mut Vec<(String, Rect, Rect, bool)>) {
        match shape {
            Shape::Vec(all) => all.iter().for_each(|one| walk(one, clip, found)),
            Shape::Text(text) if !text.galley.job.text.trim().is_empty() => {
                let rect = text.galley.mesh_bounds.translate(text.pos.to_vec2());
                found.push((text.galley.job.text.clone(), rect, clip, text.galley.elided));
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    shapes.iter().for_each(|one| walk(&one.shape, one.clip_rect, &mut found));
    found
}

/// What is wrong with the texts that are to be seen; those of which `may_be_cut` says so may be cut or reach out of their place.
pub(crate) fn faults(shapes: &[ClippedShape], may_be_cut: &dyn Fn(&str) -> bool) -> Vec<String> {
    let all: Vec<_> = texts(shapes).into_iter().filter(|(_, rect, clip, _)| clip.intersects(*rect)).collect();
    let mut faults = Vec::new();
    for (at, (text, rect, clip, elided)) in all.iter().enumerate() {
        let is_within = rect.left() >= clip.left() - 1.0 && rect.right() <= clip.right() + 1.0;
        if (*elided || !is_within) && !may_be_cut(text) {
            faults.push(format!("cut: {text:?} at {rect} in {clip}"));
        }
        for (other, place, other_clip, _) in &all[at + 1..] {
            let both = rect.intersect(*clip).intersect(place.intersect(*other_clip));
            if both.width() > 1.0 && both.height() > 1.0 {
                faults.push(format!("over each other: {text:?} at {rect} and {other:?} at {place}"));
            }
        }
    }
    faults
}

/// Shows a panel in every size at every scale, and fails where a text is cut or lies over another.
pub(super) fn assert_legible<S: Clone>(
    state: &S,
    show: impl Fn(&mut egui::Ui, &mut S) + Clone,
    may_be_cut: impl Fn(&str) -> bool,
) {
    for (width, height) in SIZES {
        for scale in SCALES {
            let show = show.clone();
            let mut dressed = false;
            let mut harness =
                Harness::builder().with_size(Vec2::new(width, height)).with_pixels_per_point(scale).build_ui_state(
                    move |ui: &mut egui::Ui, state: &mut S| {
                        if !std::mem::replace(&mut dressed, true) {
                            super::theme::set_fonts(ui.ctx());
                            super::theme::apply(ui.ctx(), true);
                            return;
                        }
                        show(ui, state);
                    },
                    state.clone(),
                );
            harness.run_steps(6);
            let room = Rect::from_min_size(egui::Pos2::ZERO, vec2(width, height));
            let shapes = &harness.output().shapes;
            assert!(texts(shapes).len() > 3, "something is to be read");
            let mut faults = faults(shapes, &may_be_cut);
            for (text, rect, clip, _) in texts(shapes) {
                if clip.intersects(rect) && (rect.left() < -1.0 || clip.intersect(rect).right() > room.right() + 1.0) {
                    faults.push(format!("out of the panel: {text:?} at {rect}"));
                }
            }
            assert!(faults.is_empty(), "{width} × {height} at {scale}:\n{}", faults.join("\n"));
        }
    }
}

mod tests {
    use super::*;

    #[test]
    fn what_is_cut_or_lies_over_another_is_found() {
        let say = |ui: &mut egui::Ui, at: Rect, text: &str| {
            let label = egui::Label::new(text).truncate();
            ui.put(at, label);
        };
        let harness = Harness::builder().with_size(Vec2::new(300.0, 100.0)).build_ui(move |ui| {
            let place = |x: f32, width: f32| Rect::from_min_size(egui::pos2(x, 20.0), vec2(width, 20.0));
            say(ui, place(0.0, 40.0), "a text that is much too long");
            say(ui, place(100.0, 90.0), "one");
            say(ui, place(105.0, 90.0), "two");
        });
        let faults = faults(&harness.output().shapes, &|_| false);
        assert_eq!(faults.len(), 2, "{faults:?}");
        assert!(faults.iter().any(|fault| fault.starts_with("cut: \"a text")));
        assert!(faults.iter().any(|fault| fault.starts_with("over each other: \"one\"")));
    }
}
