use bevy_egui::egui::{Rect, pos2};
use egui_kittest::kittest::Queryable;

use super::*;
use crate::ui::trial::{Trial, try_panel};

fn model() -> MachineModel {
    MachineModel {
        worker: Worker::Ready,
        restarts: 2,
        rounds: (1..=20).map(|ms| Round { ms: f64::from(10 * ms), decisions: 20 }).collect(),
        decisions_per_second: Some(133.4),
        training_ms: Some(61.25),
        queue: 3,
        frames_per_second: 59.94,
        turns_per_second: 12.04,
        facts: Some(ModelFacts {
            name: "tinystories-3m".to_owned(),
            file: "models/tinystories-3m/model.safetensors".to_owned(),
            quantisation: "q8_0".to_owned(),
            in_file: 60_040_000,
            parameters: 8_278_400,
            sha256: "0123456789abcdef0123456789abcdef".to_owned(),
        }),
        memory: Memory {
            model: 28_160_000,
            adapters: 1_310_000,
            moments: 2_620_000,
            caches: 4_000_000,
            buffers: 500_000,
            rest: 9_000_000,
        },
        resident: Some(311_000_000),
        graphics: Some(88_000_000),
        ..MachineModel::default()
    }
}

fn harness(model: MachineModel, size: (f32, f32), scale: f32) -> Trial<MachineModel, ()> {
    let show = |ui: &mut Ui, model: &MachineModel, (): &mut ()| {
        show_machine(ui, model);
        Vec::new()
    };
    try_panel(show, (model, ()), size, scale)
}

#[test]
fn the_numbers_are_those_of_the_model() {
    let harness = harness(model(), (400.0, 900.0), 1.0);
    for label in [
        "105", // ms, the median of 10, 20, …, 200
        "190", // ms, p95
        "5.2", // ms per decision
        "9.5", "133", "61.2", "3", "59.9", "12.0", "28.2", "1.3", "2.6", "4.0", "0.5", "9.0", "45.6", "311.0", "88.0",
    ] {
        assert_eq!(harness.get_all_by_label(label).count(), 1, "{label}");
    }
    harness.get_by_label("Together, of 100");
    harness.get_by_label("Memory: 45.6 of 100.0 MB");
    harness.get_by_label("ready, restarted 2 times");
    harness.get_by_label("tinystories-3m");
    harness.get_by_label("8\u{2009}278\u{2009}400, q8_0");
    harness.get_by_label("0123456789ab");
    harness.get_by_label("CPU");
    harness.get_by_label("60.0 MB of weights stay there");
    harness.get_by_label("Round times");
    harness.get_by_label("The last 20 rounds; the longest took 200 ms.");
}

#[test]
fn the_worker_is_described_and_slowness_is_explained() {
    let slow = MachineModel {
        worker: Worker::Down,
        restarts: 1,
        rounds: vec![Round { ms: 3000.0, decisions: 20 }],
        memory: Memory { model: 95_000_000, ..Memory::default() },
        ..model()
    };
    let seen = harness(slow, (400.0, 900.0), 1.0);
    seen.get_by_label("down, restarted once");
    seen.get_by_label("`rules` stands in for the minds.");
    seen.get_by_label_contains("A decision takes 150 ms");
    seen.get_by_label_contains("near the line of 100 MB");
    let quiet = harness(model(), (400.0, 900.0), 1.0);
    assert!(quiet.query_by_label_contains("A decision takes").is_none());
    assert!(quiet.query_by_label_contains("the line of").is_none());
}

#[test]
fn before_anything_is_known_it_says_what_will_appear() {
    let loading = MachineModel { worker: Worker::Loading, ..MachineModel::default() };
    let seen = harness(loading, (400.0, 700.0), 1.0);
    seen.get_by_label("loading");
    seen.get_by_label_contains("appear here when it is loaded");
    seen.get_by_label_contains("A curve of the rounds' times appears here");
    harness(MachineModel::default(), (400.0, 700.0), 1.0).get_by_label("No language model decides in this run.");
}

#[test]
fn nothing_is_cut_off_and_columns_do_not_meet() {
    for size in [(260.0, 900.0), (420.0, 900.0), (900.0, 500.0)] {
        for scale in [1.0, 1.5] {
            let harness = harness(model(), size, scale);
            let panel = Rect::from_min_size(pos2(0.0, 0.0), vec2(size.0, size.1));
            let labels = [
                "Pace",
                "Memory",
                "Minds",
                "A decision, median",
                "5.2",
                "133",
                "Optimiser moments",
                "45.6",
                "Together, of 100",
                "tinystories-3m",
            ];
            for label in labels {
                let rect = harness.get_by_label(label).rect();
                assert!(panel.contains_rect(rect), "{label} at {rect} in {size:?}, scale {scale}");
            }
            let right = |label: &str| harness.get_by_label(label).rect().right();
            assert!((right("5.2") - right("133")).abs() < 0.6 && (right("28.2") - right("45.6")).abs() < 0.6);
            assert!(right("Optimiser moments") <= harness.get_by_label("2.6").rect().left());
        }
    }
}
