use bevy_egui::egui::{Rect, pos2, vec2};
use egui_kittest::kittest::Queryable;
use egui_plot::PlotPoint;

use super::*;
use crate::{
    protocol::HabitatId,
    ui::trial::{Trial, click, try_panel},
};

/// Two habitats, three generations, and one that lives.
fn model(habitats: u32) -> FitnessModel {
    let values = |habitat: u32, generation: u32| GenerationValues {
        habitat: HabitatId(habitat),
        generation,
        mean: 10.0 * f64::from(generation) + f64::from(habitat),
        best: 50.0 + f64::from(generation),
        median: 8.0,
        lower_quartile: Some(4.0),
        upper_quartile: Some(12.0),
        deliveries: 17,
        deaths: 3,
        loss: Some(0.125),
        kl: Some(0.5),
        lines: 9,
        ..GenerationValues::default()
    };
    let mut model = FitnessModel::new((0..habitats).map(HabitatId), 500);
    for generation in 0..3 {
        (0..habitats).for_each(|habitat| model.note_generation(values(habitat, generation)));
    }
    let reference =
        |name: &str, level| Reference { name: name.to_owned(), curve: [[1.0, level]].into_iter().collect() };
    model.references = vec![reference("rules", 30.0), reference("random", -2.0)];
    model
}

fn harness(model: FitnessModel, size: (f32, f32), scale: f32) -> Trial<FitnessModel, FitnessState> {
    try_panel(show_fitness, (model, FitnessState::default()), size, scale)
}

#[test]
fn an_empty_panel_says_what_will_appear() {
    let harness = harness(FitnessModel::default(), (500.0, 200.0), 1.0);
    harness.get_by_label_contains("A curve of the agents' fitness grows here");
    assert!(harness.query_by_label("Export PNG").is_none());
}

#[test]
fn values_have_their_decimals_and_nought_has_no_sign() {
    let written =
        [(Quantity::Loss, -0.0004), (Quantity::Loss, -0.0006), (Quantity::Mean, -0.04), (Quantity::Deaths, 3.0)]
            .map(|(quantity, value)| quantity.write(value));
    assert_eq!(written, ["0.000", "-0.001", "0.0", "3"]);
}

#[test]
fn the_legend_has_the_newest_values() {
    let mut harness = harness(model(2), (900.0, 300.0), 1.0);
    for label in ["Mean 20.5", "Best 52.0", "Median 8.0", "Quartiles", "rules 30.0", "random -2.0"] {
        harness.get_by_label(label);
    }
    click(&mut harness, "Each habitat");
    for label in ["Habitat 0 20.0", "Habitat 1 21.0", "rules 30.0"] {
        harness.get_by_label(label);
    }
    assert!(harness.query_by_label("Mean 20.5").is_none());
    let living = GenerationValues { generation: 3, mean: 7.25, ..GenerationValues::default() };
    let rows = [living, GenerationValues { habitat: HabitatId(1), mean: 9.25, ..living }];
    harness.state_mut().model.note_turn(250, &rows);
    harness.run();
    harness.get_by_label("Habitat 0 7.2");
    click(&mut harness, "Together");
    harness.get_by_label("Mean 8.2");
}

#[test]
fn a_curve_hides_and_comes_back() {
    let mut harness = harness(model(1), (900.0, 300.0), 1.0);
    click(&mut harness, "Best 52.0");
    assert!(harness.state().state.hidden.contains("Best"));
    click(&mut harness, "Best 52.0");
    assert!(harness.state().state.hidden.is_empty());
}

#[test]
fn something_else_is_shown_beside_fitness() {
    let mut harness = harness(model(1), (900.0, 300.0), 1.0);
    for (beside, label) in [
        (Quantity::Deliveries, "Deliveries 17"),
        (Quantity::Deaths, "Deaths 3"),
        (Quantity::Loss, "Loss 0.125"),
        (Quantity::Kl, "KL 0.500"),
        (Quantity::Lines, "Lines 9"),
    ] {
        harness.state_mut().state.beside = Some(beside);
        harness.run();
        harness.get_by_label(label);
        harness.get_by_label("Mean 20.0");
    }
    harness.state_mut().state.beside = Some(Quantity::Entropy);
    harness.run();
    harness.get_by_label("Entropy has not been measured yet.");
}

#[test]
fn the_buttons_write_the_file_that_is_named() {
    let mut harness = harness(model(1), (900.0, 300.0), 1.0);
    assert_eq!(click(&mut harness, "Export PNG"), [UserCommand::ExportPlot("generations.png".into())]);
    assert_eq!(click(&mut harness, "Export CSV"), [UserCommand::ExportRows("generations.csv".into())]);
    harness.state_mut().state.file = " runs/a.b.PNG ".to_owned();
    harness.run();
    assert_eq!(click(&mut harness, "Export CSV"), [UserCommand::ExportRows("runs/a.b.csv".into())]);
    harness.state_mut().state.file.clear();
    harness.run();
    assert_eq!(click(&mut harness, "Export PNG"), [], "there is no file to write");
}

#[test]
fn in_a_narrow_panel_the_export_is_in_a_menu() {
    let mut harness = harness(model(1), (400.0, 300.0), 1.0);
    assert!(harness.query_by_label("Export PNG").is_none());
    click(&mut harness, "Export");
    assert_eq!(click(&mut harness, "Export PNG"), [UserCommand::ExportPlot("generations.png".into())]);
}

#[test]
fn values_under_the_pointer_have_names_units_and_a_time() {
    let at = |x, y| PlotPoint { x, y };
    assert_eq!(plot::describe("Best", Quantity::Mean, at(4.0, 12.34), 500), "Best: 12.3 fitness\ngeneration 3");
    assert_eq!(plot::describe("KL", Quantity::Kl, at(4.24, 0.5), 500), "KL: 0.500 nats\ngeneration 4, turn 120 of 500");
}

#[test]
fn nothing_is_cut_off() {
    for size in [(320.0, 120.0), (640.0, 200.0), (1200.0, 500.0)] {
        for scale in [1.0, 1.5] {
            let mut harness = harness(model(2), size, scale);
            harness.run();
            let panel = Rect::from_min_size(pos2(0.0, 0.0), vec2(size.0, size.1));
            let mut rects = Vec::new();
            for label in [
                "Fitness and",
                "Together",
                "Each habitat",
                "Export",
                "Export PNG",
                "Export CSV",
                "Mean 20.5",
                "random -2.0",
            ] {
                if let Some(node) = harness.query_by_label(label) {
                    assert!(panel.contains_rect(node.rect()), "{label} at {} in {size:?}, scale {scale}", node.rect());
                    rects.push((label, node.rect()));
                }
            }
            assert!(rects.len() >= 2, "{rects:?}");
            for (at, (one, rect)) in rects.iter().enumerate() {
                for (other, second) in &rects[at + 1..] {
                    assert!(!rect.shrink(0.5).intersects(second.shrink(0.5)), "{one} overlaps {other} in {size:?}");
                }
            }
        }
    }
}
