use std::{cell::Cell, ops::Range};

use bevy_egui::egui::{self, OutputCommand};
use egui_kittest::kittest::Queryable;

use super::{filter::Sieve, *};
use crate::{
    protocol::{Action, CreatureId, Direction, HabitatId},
    ui::{
        legible::assert_legible,
        trial::{Trial, click, try_panel, write},
    },
};

/// Lines that count how often they are read.
#[derive(Default)]
struct Counted {
    lines: KeptLines,
    reads: Cell<usize>,
}

impl TranscriptSource for Counted {
    fn span(&self) -> Range<u64> {
        self.lines.span()
    }

    fn line(&self, number: u64) -> Option<TranscriptLine<'_>> {
        self.reads.set(self.reads.get() + 1);
        self.lines.line(number)
    }
}

fn line(number: u32) -> KeptLine {
    let action = if number.is_multiple_of(5) { Action::Eat } else { Action::Move(Direction::North) };
    KeptLine {
        at: (number / 1000, number % 1000),
        who: (HabitatId(number % 2), CreatureId(number % 20)),
        title: None,
        line: CreatureId(number % 7),
        prompt: format!("Prompt no. {number}: food↑").into(),
        reply: format!("Reply {number}").into(),
        action,
        reward: if number.is_multiple_of(5) { 1.0 } else { -0.25 },
        probability: Some(0.5),
        stood_in: false,
    }
}

fn lines(count: u32) -> Counted {
    let mut lines = KeptLines::default();
    (0..count).for_each(|number| lines.push(line(number), 20_000));
    Counted { lines, reads: Cell::new(0) }
}

/// The lines and who is selected.
type Shown = (Counted, Option<CreatureName>);
type Panel = Trial<Shown, TranscriptState>;

fn harness(source: Counted, size: (f32, f32)) -> Panel {
    let show = |ui: &mut egui::Ui, (source, selected): &Shown, state: &mut TranscriptState| {
        show_transcript(ui, &TranscriptModel { lines: source, selected: *selected, habitats: 2 }, state)
    };
    try_panel(show, ((source, None), TranscriptState::default()), size, 1.0)
}

/// The numbers of the lines that are to be seen, if a filter is as `change` makes it.
fn found(count: u32, selected: Option<CreatureName>, change: impl FnOnce(&mut Filter)) -> Vec<u64> {
    let mut state = TranscriptState::default();
    change(&mut state.filter);
    state.refresh(&lines(count), selected);
    state.found().iter().copied().collect()
}

#[test]
fn every_filter_lets_pass_what_it_says() {
    assert_eq!(found(6, None, |_| ()), [0, 1, 2, 3, 4, 5]);
    assert_eq!(found(13, None, |filter| filter.text = " prompt NO. 1".to_owned()), [1, 10, 11, 12]);
    assert_eq!(found(13, None, |filter| filter.text = "reply 12".to_owned()), [12]);
    assert_eq!(found(13, None, |filter| filter.text = "FOOD↑".to_owned()).len(), 13);
    assert_eq!(found(13, None, |filter| filter.text = "nobody said that".to_owned()), [0_u64; 0]);
    assert_eq!(found(11, None, |filter| filter.action = ActionKind::Eat), [0, 5, 10]);
    assert_eq!(found(4, None, |filter| filter.action = ActionKind::Move), [1, 2, 3]);
    assert_eq!(found(11, None, |filter| (filter.reward, filter.bound) = (RewardIs::Above, 0.5)), [0, 5, 10]);
    assert_eq!(found(4, None, |filter| (filter.reward, filter.bound) = (RewardIs::Below, -0.1)), [1, 2, 3]);
    assert_eq!(found(4, None, |filter| (filter.reward, filter.bound) = (RewardIs::Below, -0.25)), [0_u64; 0]);
    assert_eq!(found(5, None, |filter| filter.habitat = Some(1)), [1, 3]);
    let selected = Some((HabitatId(1), CreatureId(3)));
    assert_eq!(found(44, selected, |filter| filter.selected_only = true), [3, 23, 43]);
    assert_eq!(found(44, None, |filter| filter.selected_only = true), [0_u64; 0]);
    let wait = Filter { action: ActionKind::Wait, ..Filter::default() };
    let mut sieve = Sieve::new(&wait, None);
    let kept = lines(6);
    assert!((0..6).all(|number| !sieve.lets_pass(&kept.line(number).unwrap())));
}

#[test]
fn only_what_is_new_is_looked_at_and_only_what_is_seen_is_made() {
    let mut harness = harness(lines(20_000), (900.0, 400.0));
    let seen = harness.get_all_by_label_contains("Prompt no. ").count();
    assert!((5..40).contains(&seen), "{seen} rows are made");
    let reads = |harness: &mut Panel| {
        harness.state_mut().model.0.reads.set(0);
        harness.run_steps(1);
        harness.state().model.0.reads.get()
    };
    assert!(reads(&mut harness) < 40, "a frame without news reads what is to be seen");
    (20_000..20_020).for_each(|number| harness.state_mut().model.0.lines.push(line(number), 20_000));
    assert!(reads(&mut harness) < 60, "and one with 20 new lines these as well");
    harness.state_mut().state.filter.text = "no. 20".to_owned();
    assert!(reads(&mut harness) >= 20_000, "another filter is held against all of them");
    assert!(reads(&mut harness) < 40);
    assert_eq!(harness.state().state.found().len(), 1 + 10 + 100 + 20, "20, 200 to 209, 2000 to 2099, 20000 to 20019");
}

#[test]
fn lines_that_are_kept_no_more_are_seen_no_more_and_a_new_run_begins_anew() {
    let mut state = TranscriptState::default();
    let mut kept = KeptLines::default();
    (0..10).for_each(|number| kept.push(line(number), 4));
    state.refresh(&kept, None);
    assert_eq!(state.found().iter().copied().collect::<Vec<_>>(), [6, 7, 8, 9]);
    kept.push(line(10), 4);
    state.refresh(&kept, None);
    assert_eq!(state.found().iter().copied().collect::<Vec<_>>(), [7, 8, 9, 10]);
    assert_eq!(kept.line(6), None);
    assert_eq!(kept.line(7).unwrap().turn, 7);
    let mut anew = KeptLines::default();
    anew.push(line(1), 4);
    state.refresh(&anew, None);
    assert_eq!(state.found().iter().copied().collect::<Vec<_>>(), [0]);
}

#[test]
fn the_newest_line_is_seen_until_lines_are_held_still() {
    let mut harness = harness(lines(300), (900.0, 400.0));
    harness.get_by_label("Prompt no. 299: food↑");
    harness.get_by_label("300 of 300 lines");
    (300..350).for_each(|number| harness.state_mut().model.0.lines.push(line(number), 300));
    harness.run_steps(3);
    harness.get_by_label("Prompt no. 349: food↑");
    click(&mut harness, "Hold");
    (350..1000).for_each(|number| harness.state_mut().model.0.lines.push(line(number), 300));
    harness.run_steps(3);
    harness.get_by_label("Prompt no. 349: food↑");
    harness.get_by_label("300 of 300 lines · held");
    click(&mut harness, "Go on");
    harness.get_by_label("Prompt no. 999: food↑");
}

#[test]
fn a_click_selects_the_agent_and_lines_can_be_copied() {
    let mut harness = harness(lines(3), (900.0, 400.0));
    let copied = |harness: &Panel| {
        let commands = harness.output().platform_output.commands.clone();
        commands.into_iter().find_map(|one| if let OutputCommand::CopyText(text) = one { Some(text) } else { None })
    };
    assert_eq!(click(&mut harness, "Prompt no. 1: food↑"), [UserCommand::Select(Some((HabitatId(1), CreatureId(1))))]);
    let mut after = |label: &str| {
        harness.get_by_label(label).click();
        (0..4).find_map(|_| {
            harness.step();
            copied(&harness)
        })
    };
    let text = "0\t1\t1 · 1\tPrompt no. 1: food↑\tReply 1\tmove north\t−0.25\t50.0 %";
    assert_eq!(after("Copy line").as_deref(), Some(text));
    let all = after("Copy all").unwrap();
    assert_eq!(all.lines().count(), 4, "with the names of the columns");
    assert_eq!(all.lines().nth(2), Some(text));
}

#[test]
fn the_fields_change_the_filter() {
    let mut harness = harness(lines(50), (900.0, 500.0));
    write(&mut harness, "Search", "no. 49");
    harness.get_by_label("1 of 50 lines");
    click(&mut harness, "Clear");
    harness.get_by_label("50 of 50 lines");
    harness.state_mut().model.1 = Some((HabitatId(0), CreatureId(4)));
    harness.run_steps(2);
    click(&mut harness, "Selected only");
    harness.get_by_label("3 of 50 lines");
    click(&mut harness, "Clear");
    for (field, choice, count) in
        [("any action", "eat", 10), ("any reward", "reward below", 40), ("all habitats", "habitat 1", 25)]
    {
        harness.get_by_value(field).click();
        harness.run_steps(4);
        harness.get_all_by_label(choice).last().unwrap().click();
        harness.run_steps(4);
        harness.get_by_label(&format!("{count} of 50 lines"));
        click(&mut harness, "Clear");
    }
}

#[test]
fn in_a_narrow_panel_every_field_has_a_place() {
    let mut harness = harness(lines(9), (302.0, 560.0));
    harness.state_mut().state.filter.reward = RewardIs::Above;
    harness.run_steps(3);
    let values = ["any action", "reward above", "all habitats"].map(|value| harness.get_by_value(value).rect());
    let labels =
        ["Search", "Selected only", "Clear", "Hold", "Copy all"].map(|label| harness.get_by_label(label).rect());
    for rect in values.into_iter().chain(labels) {
        assert!(rect.left() >= 0.0 && rect.right() <= 302.0, "{rect}");
    }
}

#[test]
fn an_empty_panel_says_what_will_appear() {
    harness(lines(0), (900.0, 400.0)).get_by_label_contains("appears here, turn by turn");
    let mut harness = harness(lines(9), (900.0, 400.0));
    harness.state_mut().state.filter.text = "xyz".to_owned();
    harness.run_steps(2);
    harness.get_by_label_contains("No line is as the filter asks");
}

#[test]
fn everything_can_be_read_at_every_size() {
    let mut kept = KeptLines::default();
    let mut one = line(1);
    one.prompt = "At (5,3), E80, has food. See: home↑ wall← edge→ food↑→ agent↑↓→← here Action:".into();
    one.reply = "move north".into();
    (0..100).for_each(|_| kept.push(one.clone(), 100));
    let show = move |ui: &mut egui::Ui, state: &mut TranscriptState| {
        let model = TranscriptModel { lines: &kept, selected: None, habitats: 2 };
        drop(show_transcript(ui, &model, state));
    };
    let mut state = TranscriptState::default();
    state.filter.reward = RewardIs::Above;
    state.filter.bound = -1.0;
    // In a narrow panel the prompt is cut, and what stands behind it is scrolled to.
    let behind = ["prompt", "reply", "action", "reward", "prob.", "move north", "−0.25", "50.0 %"];
    assert_legible(&state, show, |text| text.starts_with("At (") || behind.contains(&text));
}
