use bevy_egui::egui::{self, Modifiers, PointerButton, Rect};
use egui_kittest::kittest::Queryable;

use super::*;
use crate::ui::trial::{Trial, try_panel};

fn one(creature: u32, born: u32, died: Option<u32>, parents: Option<(u32, u32, f64)>) -> Relative {
    Relative {
        creature: CreatureId(creature),
        born,
        died,
        parents: parents.map_or([None; 2], |(first, second, _)| [first, second].map(|parent| Some(CreatureId(parent)))),
        share: parents.map(|(_, _, share)| share),
        founder: CreatureId(parents.map_or(creature, |(first, ..)| first)),
        fitness: (born < 2).then_some(10.0 * f64::from(creature)),
        ..Relative::default()
    }
}

/// Three generations; creature 1 lives through all of them.
fn model() -> LineageModel {
    let mut creatures = vec![
        one(0, 0, Some(0), None),
        one(1, 0, None, None),
        one(2, 0, Some(0), None),
        one(3, 1, Some(1), Some((0, 1, 0.625))),
        one(4, 1, Some(1), Some((1, 2, 0.5))),
        one(5, 2, None, Some((3, 1, 0.25))),
        one(6, 2, None, Some((4, 3, 0.5))),
    ];
    creatures[1].name = Some("Ada".to_owned());
    creatures[3].energy_lost = Some(0.031);
    LineageModel { habitat: HabitatId(2), revision: 1, generation: 2, creatures, selected: None }
}

type Panel = Trial<LineageModel, LineageState>;

fn harness(model: LineageModel, size: (f32, f32), scale: f32) -> Panel {
    try_panel(show_lineage, (model, LineageState::default()), size, scale)
}

/// Nodes are painted; the pointer finds them.
fn press(harness: &mut Panel, label: &str) {
    let at = harness.get_by_label(label).rect().center();
    harness.hover_at(at);
    harness.run();
    for pressed in [true, false] {
        harness.event(egui::Event::PointerButton {
            pos: at,
            button: PointerButton::Primary,
            pressed,
            modifiers: Modifiers::NONE,
        });
        harness.run();
    }
}

#[test]
fn an_empty_panel_says_what_will_appear() {
    let harness = harness(LineageModel::default(), (500.0, 200.0), 1.0);
    harness.get_by_label_contains("The family tree grows here");
}

#[test]
fn everybody_has_a_node_in_every_generation_and_a_click_selects_also_the_dead() {
    let mut harness = harness(model(), (700.0, 300.0), 1.0);
    for label in [
        "Creature 0, generation 0",
        "Creature 1, Ada, generation 0",
        "Creature 1, Ada, generation 1",
        "Creature 1, Ada, generation 2",
        "Creature 4, generation 1",
        "Creature 6, generation 2",
    ] {
        harness.get_by_label(label);
    }
    assert!(harness.query_by_label("Creature 0, generation 1").is_none(), "it is dead");
    press(&mut harness, "Creature 0, generation 0");
    press(&mut harness, "Creature 1, Ada, generation 2");
    let select = |creature| UserCommand::Select(Some((HabitatId(2), CreatureId(creature))));
    assert_eq!(harness.state().wishes, [select(0), select(1)]);
}

#[test]
fn columns_are_generations_and_lives_are_level() {
    let harness = harness(model(), (700.0, 300.0), 1.0);
    let at = |label: &str| harness.get_by_label(label).rect().center();
    let ada = [0, 1, 2].map(|generation| at(&format!("Creature 1, Ada, generation {generation}")));
    assert!(ada[0].y == ada[1].y && ada[1].y == ada[2].y, "one straight line");
    assert!(((ada[1].x - ada[0].x) - (ada[2].x - ada[1].x)).abs() < 0.01);
    assert_eq!(at("Creature 3, generation 1").x, ada[1].x);
    assert_eq!(at("Creature 6, generation 2").x, ada[2].x);
}

#[test]
fn a_creature_is_described_in_full() {
    let mut model = model();
    model.creatures[5].name = Some("Bo".to_owned());
    let layout = Layout::new(&model.creatures, model.generation);
    let text = |at: usize| describe(&model, &layout, &model.creatures[at]);
    assert_eq!(text(0), "Creature 0\nFounder\nLived in generation 0\nBest fitness 0.0");
    assert_eq!(
        text(3),
        "Creature 3\nChild of 0 (62 %) and Ada (1) (38 %)\nLived in generation 1\nLine of founder 0\nBest fitness 30.0\n\
         Energy lost when it was made 3.1 %"
    );
    assert_eq!(
        text(5),
        "Bo, creature 5\nChild of 3 (25 %) and Ada (1) (75 %)\nAlive since generation 2\nLine of founder 3"
    );
}

#[test]
fn hovering_describes_who_is_there() {
    let mut harness = harness(model(), (700.0, 300.0), 1.0);
    let at = harness.get_by_label("Creature 3, generation 1").rect().center();
    harness.hover_at(at);
    harness.run();
    harness.run_steps(60);
    harness.get_by_label_contains("Child of 0 (62 %) and Ada (1) (38 %)");
}

#[test]
fn the_selected_one_and_its_ancestors_are_known_and_a_change_gives_new_places() {
    let mut harness = harness(model(), (700.0, 300.0), 1.0);
    assert!(harness.state().state.cache.ancestors.is_empty());
    harness.state_mut().model.selected = Some(CreatureId(5));
    harness.run();
    assert_eq!(harness.state().state.cache.ancestors.iter().copied().collect::<Vec<_>>(), [0, 1, 3, 5]);
    harness.state_mut().model.creatures[4].fitness = Some(99.0);
    harness.run();
    assert_eq!(harness.state().state.cache.range, (0.0, 40.0), "nothing is computed without a new revision");
    harness.state_mut().model.revision += 1;
    harness.run();
    assert_eq!(harness.state().state.cache.range, (0.0, 99.0));
    let youngest = one(7, 2, None, Some((4, 4, 0.5)));
    harness.state_mut().model.creatures.push(youngest);
    harness.run();
    harness.get_by_label("Creature 7, generation 2");
}

#[test]
fn the_mouse_moves_zooms_and_brings_everything_back() {
    let mut harness = harness(model(), (700.0, 300.0), 1.0);
    let place = |harness: &Panel, label: &str| harness.get_by_label(label).rect().center();
    let (three, four) = ("Creature 3, generation 1", "Creature 4, generation 1");
    let before = (place(&harness, three), place(&harness, four));
    let empty = pos2(600.0, 60.0);
    harness.drag_at(empty);
    harness.run();
    harness.hover_at(empty + vec2(-30.0, 12.0));
    harness.run();
    harness.drop_at(empty + vec2(-30.0, 12.0));
    harness.run();
    let moved = place(&harness, three) - before.0;
    assert!((moved - vec2(-30.0, 12.0)).length() < 0.5, "{moved}");
    let around = place(&harness, three);
    harness.hover_at(around);
    harness.event(egui::Event::MouseWheel {
        unit: egui::MouseWheelUnit::Point,
        delta: vec2(0.0, 120.0),
        phase: egui::TouchPhase::Move,
        modifiers: Modifiers::NONE,
    });
    // What the pointer rests on is told after a while.
    harness.run_steps(8);
    assert!((place(&harness, three) - around).length() < 0.5, "what is under the pointer stays there");
    let (zoomed, was) = ((place(&harness, four) - around).length(), (before.1 - before.0).length());
    assert!(zoomed > 1.2 * was, "{zoomed} {was}");
    harness.get_by_label("Newest").click();
    harness.run_steps(8);
    assert_eq!((place(&harness, three), place(&harness, four)), before);
}

#[test]
fn the_whole_tree_fits_at_every_size() {
    for size in [(320.0, 120.0), (640.0, 240.0), (1200.0, 500.0)] {
        for scale in [1.0, 1.5] {
            let mut harness = harness(model(), size, scale);
            harness.get_by_label("Whole").click();
            harness.run();
            let panel = Rect::from_min_size(pos2(0.0, 0.0), vec2(size.0, size.1));
            for label in ["Line", "Fitness", "Newest", "Whole", "Creature 0, generation 0", "Creature 6, generation 2"]
            {
                let rect = harness.get_by_label(label).rect();
                assert!(panel.contains_rect(rect), "{label} at {rect} in {size:?}, scale {scale}");
            }
            let nodes: Vec<_> = harness.get_all_by_label_contains(", generation ").map(|node| node.rect()).collect();
            assert_eq!(nodes.len(), 9, "7 creatures, one of them in 3 generations");
            for (at, rect) in nodes.iter().enumerate() {
                assert!(
                    nodes[at + 1..].iter().all(|other| !rect.intersects(*other)),
                    "{rect} is overlapped in {size:?}"
                );
            }
        }
    }
}

/// Forty generations of seven who all die with their own.
fn long() -> LineageModel {
    let creatures = (0..40)
        .flat_map(|generation| (0..7).map(move |at| one(7 * generation + at, generation, Some(generation), None)));
    LineageModel { revision: 1, generation: 39, creatures: creatures.collect(), ..LineageModel::default() }
}

#[test]
fn the_whole_of_a_long_tree_fits_and_no_drag_loses_it() {
    for size in [(640.0, 240.0), (1200.0, 500.0)] {
        let mut harness = harness(long(), size, 1.0);
        let panel = Rect::from_min_size(pos2(0.0, 0.0), vec2(size.0, size.1));
        let seen = |harness: &Panel| {
            harness.query_all_by_label_contains(", generation ").filter(|node| panel.contains_rect(node.rect())).count()
        };
        assert!(seen(&harness) < 200, "the newest are seen");
        harness.get_by_label("Whole").click();
        harness.run_steps(3);
        assert_eq!(seen(&harness), 280);
        for way in [vec2(-5000.0, 0.0), vec2(0.0, 5000.0)] {
            let empty = panel.center();
            harness.drag_at(empty);
            harness.run();
            harness.hover_at(empty + way);
            harness.run();
            harness.drop_at(empty + way);
            harness.run();
            let seen = seen(&harness);
            assert!(0 < seen && seen < 280, "{seen} are left in sight");
        }
    }
}

#[test]
fn a_click_beside_everybody_selects_nobody_and_a_second_one_shows_the_whole_tree() {
    let mut harness = harness(model(), (700.0, 300.0), 1.0);
    let beside = harness.get_by_label("Creature 0, generation 0").rect().center() - vec2(0.0, 30.0);
    harness.hover_at(beside);
    harness.run();
    let click = |harness: &mut Panel| {
        for pressed in [true, false] {
            let modifiers = Modifiers::NONE;
            harness.input_mut().events.push(egui::Event::PointerButton {
                pos: beside,
                button: PointerButton::Primary,
                pressed,
                modifiers,
            });
        }
    };
    assert_eq!(harness.state().state.view, View::Newest);
    click(&mut harness);
    harness.step();
    assert_eq!((&harness.state().wishes[..], harness.state().state.view), (&[][..], View::Newest));
    // Two in a moment.
    harness.run_steps(6);
    click(&mut harness);
    click(&mut harness);
    harness.step();
    assert_eq!((&harness.state().wishes[..], harness.state().state.view), (&[][..], View::Whole));
}
