use std::{path::PathBuf, sync::Arc};

use bevy_egui::egui;
use egui_kittest::kittest::Queryable;

use super::{memory::norm_grid, mind::card_path, table::sorted, *};
use crate::{
    protocol::{Action, CreatureId, CreatureName, Direction, HabitatId, Outcome, Thing},
    ui::{
        legible::assert_legible,
        trial::{Trial, click, try_panel, write},
    },
};

fn name(number: u32) -> CreatureName {
    (HabitatId(0), CreatureId(number))
}

fn row(number: u32, energy: f32, fitness: f64) -> AgentRow {
    AgentRow {
        name: name(number),
        line: CreatureId(number % 3),
        energy,
        fitness,
        alive: energy > 0.0,
        ..AgentRow::default()
    }
}

fn rows() -> Vec<AgentRow> {
    let mut rows = vec![row(7, 55.0, 12.5), row(3, 0.0, 101.25), row(21, 80.0, -4.0)];
    rows[0].title = Some("zoe".to_owned());
    rows[2].title = Some("Ada".to_owned());
    rows[0].carrying = Some(Thing::Food);
    (rows[0].delivered, rows[1].delivered, rows[2].delivered) = (2, 9, 0);
    (rows[0].born, rows[1].born, rows[2].born) = (4, 0, 5);
    rows
}

const PROMPT: &str = "At (5,3), E80, has food. See: home↑ wall← edge→ agent↑↓→← here Action:";

fn mind() -> Mind {
    let turn = ShownTurn {
        turn: 31,
        prompt: PROMPT.to_owned(),
        reply: " move north".to_owned(),
        action: Action::Move(Direction::North),
        outcome: Some(Outcome::Moved),
        policy: [0.6213, 0.1, 0.05, 0.05, 0.1, 0.05, 0.02, 0.0087],
        explored: 0.25,
        stood_in: false,
    };
    let remember = |turn: u32| Remembered {
        turn,
        saw: PROMPT.to_owned(),
        did: Action::Eat,
        outcome: Some(Outcome::AteHungry),
        reward: if turn == 30 { -0.1 } else { 1.0 },
        log_acted: -1.25,
        version: 3,
    };
    let norm = |layer, matrix: &str, norm| NormRow { layer, matrix: matrix.to_owned(), norm };
    Mind {
        name: name(7),
        line: CreatureId(2),
        parents: vec![CreatureId(4), CreatureId(5)],
        share: Some(0.75),
        children: vec![CreatureId(30), CreatureId(31)],
        born: 4,
        alive: true,
        age: 2,
        elite: true,
        energy: Some((55.0, 100.0)),
        carrying: Some(Thing::Food),
        fitness: 12.5,
        best_fitness: Some(88.0),
        delivered: 2,
        turn: Some(turn),
        rewards: (0..40).map(|turn| (turn, if turn % 7 == 0 { -0.5 } else { 0.25 })).collect(),
        memory: (0..=30).map(remember).collect(),
        capacity: 200,
        norms: vec![norm(1, "q_proj", 0.5), norm(0, "q_proj", 0.25), norm(0, "v_proj", 1.0)],
        lessons: 46,
        loss: Some(0.1234),
        ..Mind::default()
    }
}

fn model() -> AgentModel {
    AgentModel { agents: rows(), selected: Some(Arc::new(mind())), ..AgentModel::default() }
}

type Panel = Trial<AgentModel, AgentState>;

fn harness(model: AgentModel) -> Panel {
    try_panel(show_agent, (model, AgentState::default()), (900.0, 2600.0), 1.0)
}

#[test]
fn experiences_have_room_in_a_low_panel() {
    let mut panel: Panel = try_panel(show_agent, (model(), AgentState::default()), (330.0, 600.0), 1.0);
    panel.get_by_label("Export card").scroll_to_me();
    panel.run_steps(20);
    let rows = panel.get_all_by_label(crate::ui::words::outcome_word(Outcome::AteHungry)).count();
    assert!(rows >= 5, "{rows}");
}

#[test]
fn rows_are_sorted_by_every_column_both_ways() {
    let rows = rows();
    let order =
        |sort, descending| sorted(&rows, sort, descending).iter().map(|at| rows[*at].name.1.0).collect::<Vec<_>>();
    assert_eq!(order(SortBy::Number, false), [3, 7, 21]);
    assert_eq!(order(SortBy::Number, true), [21, 7, 3]);
    assert_eq!(order(SortBy::Title, false), [21, 7, 3], "capitals do not matter, and those without a name are last");
    assert_eq!(order(SortBy::Energy, true), [21, 7, 3]);
    assert_eq!(order(SortBy::Fitness, true), [3, 7, 21]);
    assert_eq!(order(SortBy::Fitness, false), [21, 7, 3]);
    assert_eq!(order(SortBy::Carrying, true), [7, 3, 21], "equals stay in the order of their numbers");
    assert_eq!(order(SortBy::Delivered, true), [3, 7, 21]);
    assert_eq!(order(SortBy::Born, true), [21, 7, 3]);
    assert_eq!(order(SortBy::Alive, true), [7, 21, 3]);
    let mut several = rows.clone();
    several[0].name.0 = HabitatId(1);
    assert_eq!(sorted(&several, SortBy::Habitat, false), [1, 2, 0]);
}

#[test]
fn a_click_on_a_heading_sorts_and_a_second_one_turns_it_round() {
    let mut harness = harness(AgentModel { selected: None, ..model() });
    let above =
        |harness: &Panel, a: &str, b: &str| harness.get_by_label(a).rect().top() < harness.get_by_label(b).rect().top();
    assert!(above(&harness, "12.5", "-4.0"));
    click(&mut harness, "fitness");
    assert_eq!((harness.state().state.sort, harness.state().state.descending), (SortBy::Fitness, true));
    assert!(above(&harness, "101.2", "12.5") && above(&harness, "12.5", "-4.0"));
    click(&mut harness, "fitness");
    assert!(above(&harness, "-4.0", "12.5") && above(&harness, "12.5", "101.2"));
    click(&mut harness, "no.");
    assert_eq!((harness.state().state.sort, harness.state().state.descending), (SortBy::Number, false));
}

#[test]
fn a_click_anywhere_on_a_row_opens_that_mind() {
    let mut harness = harness(AgentModel { selected: None, ..model() });
    for (label, number) in [("101.2", 3), ("zoe", 7), ("21", 21)] {
        assert_eq!(click(&mut harness, label), [UserCommand::Select(Some(name(number)))], "{label}");
    }
}

#[test]
fn several_habitats_have_a_column() {
    let mut agents = rows();
    agents[1].name.0 = HabitatId(3);
    let harness = harness(AgentModel { agents, several: true, ..AgentModel::default() });
    harness.get_by_label("hab.");
    assert_eq!(harness.get_all_by_label("3").count(), 2, "habitat 3, creature 3");
}

#[test]
fn every_button_says_what_it_wants() {
    let mut harness = harness(model());
    assert_eq!(click(&mut harness, "Follow"), [UserCommand::Follow(true)]);
    assert_eq!(click(&mut harness, "Duplicate"), [UserCommand::Duplicate(name(7))]);
    assert_eq!(click(&mut harness, "Close"), [UserCommand::Select(None)]);
    assert_eq!(click(&mut harness, "4 · 75 %"), [UserCommand::Select(Some(name(4)))]);
    assert_eq!(click(&mut harness, "5 · 25 %"), [UserCommand::Select(Some(name(5)))]);
    assert_eq!(click(&mut harness, "31"), [UserCommand::Select(Some(name(31)))]);
    assert_eq!(click(&mut harness, "Rename"), [], "there is no new name");
    write(&mut harness, "Name", "Bo ");
    assert_eq!(click(&mut harness, "Rename"), [UserCommand::Rename(name(7), "Bo".to_owned())]);
    let card = PathBuf::from("creatures/7.card");
    assert_eq!(click(&mut harness, "Export card"), [UserCommand::ExportCard(name(7), card)]);
    harness.state_mut().model.following = true;
    harness.run_steps(2);
    assert_eq!(click(&mut harness, "Stop following"), [UserCommand::Follow(false)]);
}

#[test]
fn another_mind_has_another_name_and_card() {
    let mut harness = harness(model());
    let other = Mind { name: name(21), title: Some("Ada L.".to_owned()), ..mind() };
    harness.state_mut().model.selected = Some(Arc::new(other));
    harness.run_steps(2);
    let card = PathBuf::from("creatures/Ada-L-.card");
    assert_eq!(click(&mut harness, "Export card"), [UserCommand::ExportCard(name(21), card)]);
    assert_eq!(card_path(&mind(), true), "creatures/0-7.card", "numbers are counted in every habitat");
}

#[test]
fn the_turn_is_shown_as_it_was() {
    let mut harness = harness(model());
    harness.get_by_label("Turn 31");
    assert!(harness.get_all_by_label(PROMPT).count() >= 1);
    harness.get_by_label(" move north");
    harness.get_by_label("move north 62.1 %, chosen");
    harness.get_by_label("pick up 10.0 %");
    harness.get_by_label("wait 0.9 %");
    let tops = Action::ALL.map(|action| {
        let label = crate::language::action_phrase(action);
        harness.get_all_by_label_contains(&format!("{label} ")).next().unwrap().rect().top()
    });
    assert!(tops.is_sorted(), "the actions stand in their order: {tops:?}");
    harness.get_by_label("Drawn by exploration, not by the mind: 25.0 % likely.");
    harness.get_by_label("What came of it: moved.");
    let mut other = mind();
    let turn = other.turn.as_mut().unwrap();
    (turn.stood_in, turn.policy) = (true, [0.0; 8]);
    harness.state_mut().model.selected = Some(Arc::new(other));
    harness.run_steps(2);
    harness.get_by_label("The mind did not answer: `rules` decided in its stead.");
    harness.get_by_label("No action was weighed: the words were read as \"move north\".");
    assert!(harness.query_by_label_contains(", chosen").is_none());
}

#[test]
fn the_values_are_the_models() {
    let harness = harness(model());
    harness.get_by_label("Agent 7");
    harness.get_by_label("★ elite");
    harness.get_by_label("Energy 55 of 100");
    harness.get_by_label("88.0");
    harness.get_by_label("46");
    harness.get_by_label("0.123");
    harness.get_by_label("31 of at most 200 experiences, the newest first");
    // 34 times a quarter less 6 halves.
    let rewards = "Rewards of the last 40 turns: +5.50 in all, from −0.50 to +0.25";
    assert_eq!(harness.get_all_by_label(rewards).count(), 2, "the picture and its words");
    harness.get_by_label("layer 0: q 0.25, v 1.00");
    harness.get_by_label("layer 1: q 0.50, v –");
    let place = |label: &str| harness.get_by_label(label).rect();
    assert!(
        place("−0.10").top() < harness.get_all_by_label("+1.00").next().unwrap().rect().top(),
        "the newest is on top"
    );
}

#[test]
fn bars_of_the_adapter_are_relative_to_its_largest() {
    let (headings, rows) = norm_grid(&mind().norms);
    assert_eq!(headings, [["q".to_owned(), String::new()], ["v".to_owned(), String::new()]]);
    let parts: Vec<_> = rows.iter().map(|(name, cells)| (name.as_str(), cells[0].part, cells[1].part)).collect();
    assert_eq!(parts, [("layer 0", Some(0.25), Some(1.0)), ("layer 1", Some(0.5), None)]);
}

#[test]
fn of_the_dead_what_is_known_is_shown() {
    let dead = Mind {
        name: name(3),
        born: 1,
        died: Some(2),
        fitness: 64.5,
        parents: vec![CreatureId(0), CreatureId(1)],
        ..Mind::default()
    };
    let mut harness = harness(AgentModel { agents: rows(), selected: Some(Arc::new(dead)), ..AgentModel::default() });
    harness.get_by_label("lived until generation 2");
    harness.get_by_label("64.5");
    harness.get_by_label("Nothing of its turns is kept.");
    assert_eq!(click(&mut harness, "Follow"), [], "who is dead goes nowhere");
    assert_eq!(click(&mut harness, "Duplicate"), []);
}

#[test]
fn an_empty_panel_says_what_will_appear() {
    let harness = harness(AgentModel::default());
    harness.get_by_label_contains("All agents appear here");
    harness.get_by_label_contains("Click an agent");
}

#[test]
fn everything_can_be_read_at_every_size() {
    // The prompts of the table of experiences are scrolled to.
    let may_be_cut = |text: &str| text == PROMPT || text == "saw" || text == "version";
    let mut one = model();
    one.agents = (0..40).map(|number| row(number + 100, 100.0, 1234.5)).collect();
    let show = |model: AgentModel| move |ui: &mut egui::Ui, state: &mut AgentState| drop(show_agent(ui, &model, state));
    assert_legible(&AgentState::default(), show(one.clone()), may_be_cut);
    let long = Mind { title: Some("Maximilian the Second of the Green Meadow".to_owned()), ..mind() };
    one.selected = Some(Arc::new(Mind { rewards: Vec::new(), turn: None, ..long }));
    assert_legible(&AgentState::default(), show(one), may_be_cut);
}
