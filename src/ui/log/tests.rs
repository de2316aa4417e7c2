use bevy_egui::egui::{Rect, pos2, vec2};
use egui_kittest::kittest::Queryable;

use super::*;
use crate::ui::trial::{Trial, click, try_panel, write};

const LONG: &str = "The minds' worker thread has stopped (out of memory); it was started anew (1 of 3 times), and `rules` \
                    stood in for a turn.";

fn notice(text: &str, severity: Severity, turn: u32) -> Notice {
    Notice { time: format!("14:03:{turn:02}"), generation: 3, turn, text: text.to_owned(), severity, count: 1 }
}

fn model() -> LogModel {
    let mut model = LogModel::default();
    model.note(notice("A lesson was refused.", Severity::Warning, 10));
    model.note(notice(LONG, Severity::Error, 20));
    model.note(notice("The run is saved.", Severity::Note, 30));
    model.note(notice("The run is saved.", Severity::Note, 31));
    model
}

type Panel = Trial<LogModel, LogState>;

fn harness(model: LogModel, size: (f32, f32), scale: f32) -> Panel {
    try_panel(show_log, (model, LogState::default()), size, scale)
}

#[test]
fn an_empty_log_says_what_will_appear() {
    harness(LogModel::default(), (400.0, 300.0), 1.0).get_by_label_contains("What you should know is listed here");
}

#[test]
fn the_same_again_is_counted_and_old_notices_are_forgotten() {
    let mut model = model();
    assert_eq!(model.notices().count(), 3);
    let last = Notice { count: 2, ..notice("The run is saved.", Severity::Note, 31) };
    assert_eq!(model.notices().last(), Some(&last));
    model.note(notice("The run is saved.", Severity::Error, 32));
    assert_eq!(model.notices().count(), 4, "it matters more now");
    (0..5000).for_each(|number| model.note(notice(&number.to_string(), Severity::Note, 1)));
    assert_eq!(model.notices().count(), 1000);
    assert_eq!(model.notices().next().map(|notice| notice.text.clone()), Some("4000".to_owned()));
}

#[test]
fn notices_are_listed_newest_first_or_the_other_way_round() {
    let mut harness = harness(model(), (420.0, 400.0), 1.0);
    let top = |harness: &Panel, text: &str| harness.get_by_label(text).rect().top();
    assert!(top(&harness, "The run is saved.") < top(&harness, LONG));
    assert!(top(&harness, LONG) < top(&harness, "A lesson was refused."));
    harness.get_by_label("2 times");
    harness.get_by_label("✗ Error");
    harness.get_by_label("⚠ Warning");
    harness.get_by_label("14:03:31 · generation 3, turn 31");
    assert_eq!(click(&mut harness, "Newest first"), []);
    assert!(harness.state().state.oldest_first);
    assert!(top(&harness, "The run is saved.") > top(&harness, LONG));
}

#[test]
fn a_search_leaves_what_has_the_text() {
    let mut harness = harness(model(), (420.0, 400.0), 1.0);
    write(&mut harness, "Search the log", "REFUSED");
    harness.get_by_label("A lesson was refused.");
    assert!(harness.query_by_label(LONG).is_none());
    harness.state_mut().state.search = "error".to_owned();
    harness.run();
    harness.get_by_label(LONG);
    assert!(harness.query_by_label("A lesson was refused.").is_none());
    harness.state_mut().state.search = "xyz".to_owned();
    harness.run();
    harness.get_by_label("No notice has this text.");
}

#[test]
fn a_long_log_lists_the_newest_and_says_how_many_it_leaves_out() {
    let mut model = LogModel::default();
    (0..500).for_each(|number| model.note(notice(&format!("Number {number}."), Severity::Note, 1)));
    let harness = harness(model, (420.0, 20_000.0), 1.0);
    harness.get_by_label("Number 499.");
    harness.get_by_label("Number 300.");
    assert!(harness.query_by_label("Number 299.").is_none());
    harness.get_by_label("300 older ones are not listed; search for them.");
}

fn banners(banners: Vec<Banner>, width: f32) -> Trial<Vec<Banner>, ()> {
    let show = |ui: &mut Ui, banners: &Vec<Banner>, (): &mut ()| show_banners(ui, banners);
    try_panel(show, (banners, ()), (width, 200.0), 1.0)
}

#[test]
fn a_banner_says_what_matters_and_goes_when_it_is_dismissed() {
    let all = vec![
        Banner { severity: Severity::Error, text: LONG.to_owned() },
        Banner { severity: Severity::Note, text: "The second.".to_owned() },
        Banner::default(),
    ];
    let mut seen = banners(all, 700.0);
    seen.get_by_label(LONG);
    seen.get_by_label("✗ Error");
    seen.get_by_label("2 more");
    assert!(seen.query_by_label("The second.").is_none());
    assert_eq!(click(&mut seen, "Dismiss"), [UserCommand::Dismiss]);
    assert!(banners(Vec::new(), 700.0).query_by_label("Dismiss").is_none());
}

#[test]
fn nothing_is_cut_off() {
    for size in [(280.0, 400.0), (500.0, 300.0), (1200.0, 300.0)] {
        for scale in [1.0, 1.5] {
            let panel = Rect::from_min_size(pos2(0.0, 0.0), vec2(size.0, size.1));
            let log = harness(model(), size, scale);
            for label in ["Search the log", "Newest first", "A lesson was refused.", LONG, "✗ Error", "2 times"] {
                let rect = log.get_by_label(label).rect();
                assert!(panel.contains_rect(rect), "{label} at {rect} in {size:?}, scale {scale}");
            }
            assert!(!log.get_by_label("Search the log").rect().intersects(log.get_by_label("Newest first").rect()));
            // Banners go over the whole window.
            let width = size.0.max(500.0);
            let strip = banners(vec![Banner { severity: Severity::Warning, text: LONG.to_owned() }; 2], width);
            let parts = ["⚠ Warning", LONG, "1 more", "Dismiss"].map(|label| strip.get_by_label(label).rect());
            for (at, rect) in parts.iter().enumerate() {
                assert!(rect.left() >= 0.0 && rect.right() <= width && rect.bottom() <= 200.0, "part {at} at {rect}");
                assert!(parts[at + 1..].iter().all(|other| !rect.shrink(0.5).intersects(other.shrink(0.5))), "{at}");
            }
        }
    }
}
