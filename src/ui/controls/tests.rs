//! The column's buttons, sliders and words.

use bevy_egui::egui::{Rect, accesskit::Role, pos2};
use egui_kittest::kittest::Queryable;

use super::*;
use crate::{
    config::{RunConfig, SettingValue},
    ui::{
        setting::usual,
        trial::{Trial, taken, try_panel},
    },
};

type Panel = Trial<ControlsModel, ControlsState>;

fn model() -> ControlsModel {
    let values = Arc::new(RunConfig::default().values());
    let (settings, living, defaults) = (Arc::clone(&values), Arc::clone(&values), values);
    ControlsModel { speed: 12.0, seed: 41, settings, living, defaults, ..ControlsModel::default() }
}

fn harness(model: ControlsModel, state: ControlsState, size: (f32, f32), scale: f32) -> Panel {
    try_panel(show_controls, (model, state), size, scale)
}

fn click(label: &str, model: ControlsModel) -> Vec<UserCommand> {
    let mut seen = harness(model, ControlsState::default(), (260.0, 700.0), 1.0);
    seen.get_by_role_and_label(Role::Button, label).click();
    taken(&mut seen)
}

#[test]
fn every_button_says_what_it_wants() {
    let finished = ControlsModel { finished: true, ..model() };
    assert_eq!(click("▶  Play", model()), [UserCommand::Play]);
    assert_eq!(click("Pause", ControlsModel { playing: true, ..model() }), [UserCommand::Pause]);
    assert_eq!(click("One turn", model()), [UserCommand::StepTurn]);
    assert_eq!(click("To its end", model()), [UserCommand::StepGeneration]);
    assert_eq!(click("Start again", model()), [UserCommand::Restart { seed: 41 }]);
    assert_eq!(click("▶  Play", finished.clone()), [], "there is nothing left to play");
    assert_eq!(click("10 generations more", finished), [UserCommand::GoOn { generations: 10 }]);
}

#[test]
fn files_and_presets_are_asked_for_by_name() {
    let mut seen = harness(model(), ControlsState::default(), (260.0, 700.0), 1.0);
    seen.get_by_label("Presets and files").click();
    seen.run();
    for label in ["Original", "Save settings", "Load settings"] {
        seen.get_by_role_and_label(Role::Button, label).click();
        seen.run();
    }
    let file = PathBuf::from("settings.toml");
    let expected = [
        UserCommand::UsePreset("original".to_owned()),
        UserCommand::SaveSettings(file.clone()),
        UserCommand::LoadSettings(file),
    ];
    assert_eq!(seen.state().wishes, expected);
}

/// The column with one setting alone: the search finds it by its key.
fn only(key: &str) -> Panel {
    let state = ControlsState { search: key.to_owned(), ..ControlsState::default() };
    harness(model(), state, (260.0, 900.0), 1.0)
}

#[test]
fn each_slider_changes_its_setting_alone_and_keeps_to_its_range() {
    let numbers =
        specs().filter(|spec| matches!(spec.range, crate::config::Range::Real(..) | crate::config::Range::Whole(..)));
    let mut tried = 0;
    for spec in numbers.filter(|spec| spec.key != "run.seed") {
        let mut seen = only(spec.key);
        let name = title(spec.key);
        let rect: Rect = seen.get_all_by_role_and_label(Role::Slider, &name).next().unwrap().rect();
        // Far beyond the right end.
        seen.drag_at(pos2(rect.center().x, rect.center().y));
        seen.run_steps(2);
        seen.drop_at(pos2(rect.right() + 500.0, rect.center().y));
        seen.run_steps(2);
        let changes: Vec<_> = seen.state().wishes.clone();
        let Some(UserCommand::Change(change)) = changes.last() else { panic!("{}: {changes:?}", spec.key) };
        let [(key, text)] = &change[..] else { panic!("{change:?}") };
        assert_eq!(key, spec.key);
        let before = model().defaults.get(spec.key).cloned();
        let default = match before {
            Some(SettingValue::Real(real)) => real,
            Some(SettingValue::Whole(whole)) => whole as f64,
            other => panic!("{other:?}"),
        };
        let (low, high, _) = usual(spec, default);
        let value: f64 = text.parse().unwrap();
        assert!(low <= value && value <= high, "{key}: {value} in {low} to {high}");
        let changed = RunConfig::default().with(Preset::Default, &[(key.as_str(), text.as_str())]);
        // Two settings may not go together; then the sentence says so, and nothing changes.
        if let Ok(changed) = changed {
            let (was, now) = (RunConfig::default().values(), changed.values());
            let differing: Vec<_> = specs().filter(|one| was.get(one.key) != now.get(one.key)).collect();
            assert!(differing.iter().all(|one| one.key == spec.key), "{key} changes others");
        }
        tried += 1;
    }
    assert!(tried > 40, "{tried}");
}

#[test]
fn switches_and_words_change_what_they_name() {
    let mut seen = only("learning.enabled");
    seen.get_by_role_and_label(Role::CheckBox, "Agents learn").click();
    seen.run();
    let changed = |key: &str, value: &str| UserCommand::Change(vec![(key.to_owned(), value.to_owned())]);
    assert_eq!(seen.state().wishes, [changed("learning.enabled", "false")]);
    let mut seen = only("evolution.inheritance");
    seen.get_by_role(Role::ComboBox).click();
    seen.run();
    seen.get_by_label("baldwin").click();
    seen.run();
    assert_eq!(seen.state().wishes, [changed("evolution.inheritance", "baldwin")]);
    let mut seen = only("lora.targets");
    seen.get_by_label("gate").click();
    seen.run();
    assert_eq!(seen.state().wishes, [changed("lora.targets", "q,v,o,gate,down")]);
}

#[test]
fn changes_that_wait_are_counted_and_the_default_is_a_click_away() {
    let mut config = RunConfig::default();
    (config.habitat.size, config.mind.temperature) = (30, 1.5);
    let waiting = ControlsModel { settings: Arc::new(config.values()), ..model() };
    let state = ControlsState { search: "mind.temperature".to_owned(), ..ControlsState::default() };
    let mut seen = harness(waiting, state, (260.0, 700.0), 1.0);
    seen.get_by_label("1 change waits until the run starts again.");
    seen.get_by_label("↺").click();
    seen.run();
    assert_eq!(seen.state().wishes, [UserCommand::Change(vec![("mind.temperature".to_owned(), "0.7".to_owned())])]);
}

#[test]
fn nothing_reaches_beyond_the_column() {
    for width in [220.0, 272.0] {
        for scale in [1.0, 1.5] {
            let mut seen = harness(model(), ControlsState::default(), (width, 900.0), scale);
            seen.get_by_label("Presets and files").click();
            seen.run();
            for role in [Role::Button, Role::Slider, Role::SpinButton, Role::ComboBox, Role::TextInput] {
                for node in seen.get_all_by_role(role) {
                    assert!(node.rect().right() <= width + 0.5, "{role:?} at {} in {width}", node.rect());
                }
            }
        }
    }
}
