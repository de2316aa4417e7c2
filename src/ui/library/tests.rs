use std::path::PathBuf;

use bevy_egui::egui;
use egui_kittest::kittest::Queryable;

use super::*;
use crate::ui::{
    legible::assert_legible,
    trial::{Trial, click, click_one_of, try_panel, write},
};

fn choice(name: &str, bytes: u64, is_here: bool, is_used: bool) -> ModelChoice {
    ModelChoice { name: name.to_owned(), word: name.to_owned(), bytes: Some(bytes), is_here, is_used }
}

fn model() -> LibraryModel {
    LibraryModel {
        models: vec![
            choice("evolora-206k", 440_000, true, true),
            choice("smollm-135m-instruct", 144_800_000, true, false),
            choice("tinystories-33m", 290_100_000, false, false),
        ],
        runs: vec![RunChoice { folder: PathBuf::from("runs/first"), note: "generation 7 of 10, seed 42".to_owned() }],
        suggested_run: PathBuf::from("runs/seed-42"),
        best: Some(BestShown {
            name: "Ada (171)".to_owned(),
            fitness: 812.25,
            suggested: PathBuf::from("creatures/best.card"),
        }),
        ..LibraryModel::default()
    }
}

fn harness(model: LibraryModel) -> Trial<LibraryModel, LibraryState> {
    try_panel(show_library, (model, LibraryState::default()), (420.0, 1400.0), 1.0)
}

#[test]
fn another_model_says_what_it_costs_before_it_is_used() {
    let mut harness = harness(model());
    harness.get_by_label("✓ in use");
    harness.get_by_label("144.8 MB, on this machine");
    harness.get_by_label("290.1 MB, to be fetched");
    assert_eq!(click_one_of(&mut harness, "Use", false), [], "nothing is done yet");
    harness.get_by_label("Everything starts again from generation 0 with smollm-135m-instruct. The run on show is not kept anywhere and is lost: save it first, if it is dear to you.");
    assert_eq!(click(&mut harness, "Leave it"), []);
    assert!(harness.query_by_label("Start again").is_none());
    click_one_of(&mut harness, "Use", false);
    assert_eq!(click(&mut harness, "Start again"), [UserCommand::UseModel("smollm-135m-instruct".to_owned())]);
    assert!(harness.query_by_label("Start again").is_none());
}

#[test]
fn any_file_can_be_a_model() {
    let mut harness = harness(LibraryModel { kept_in: Some(PathBuf::from("runs/mine")), ..model() });
    assert_eq!(click_one_of(&mut harness, "Use", true), [], "there is no path");
    assert!(harness.query_by_label("Start again").is_none());
    write(&mut harness, "Model file or name", " models/x.gguf ");
    click_one_of(&mut harness, "Use", true);
    harness.get_by_label(
        "Everything starts again from generation 0 with models/x.gguf. The run on show stays in runs/mine.",
    );
    assert_eq!(click(&mut harness, "Start again"), [UserCommand::UseModel("models/x.gguf".to_owned())]);
}

#[test]
fn a_download_is_asked_for_and_shows_how_far_it_is() {
    let mut harness = harness(model());
    assert_eq!(click(&mut harness, "Download"), []);
    harness.get_by_label_contains("tinystories-33m (290.1 MB) is fetched from the Hugging Face hub");
    assert_eq!(click(&mut harness, "Fetch it"), [UserCommand::DownloadModel("tinystories-33m".to_owned())]);
    let download = Download { name: "tinystories-33m".to_owned(), done: 29_010_000, total: Some(290_100_000) };
    harness.state_mut().model.download = Some(download);
    harness.run_steps(2);
    assert_eq!(harness.get_all_by_label("tinystories-33m: 29.0 of 290.1 MB, 10 %").count(), 2, "a bar and its words");
    assert_eq!(click(&mut harness, "Download"), []);
    assert!(harness.query_by_label("Fetch it").is_none(), "one at a time");
}

#[test]
fn runs_are_kept_and_gone_on_with() {
    let mut harness = harness(model());
    assert_eq!(click(&mut harness, "Save as"), [UserCommand::SaveRun(PathBuf::from("runs/seed-42"))]);
    assert_eq!(click(&mut harness, "Resume"), []);
    harness.get_by_label_contains(
        "The run in runs/first goes on where it was kept last, with its own settings and model.",
    );
    assert_eq!(click(&mut harness, "Go on with it"), [UserCommand::OpenRun(PathBuf::from("runs/first"))]);
    write(&mut harness, "Folder of a run", "elsewhere/run");
    assert_eq!(click(&mut harness, "Open"), []);
    harness.get_by_label_contains("The run in elsewhere/run goes on");
    assert_eq!(click(&mut harness, "Go on with it"), [UserCommand::OpenRun(PathBuf::from("elsewhere/run"))]);
    harness.state_mut().model.kept_in = Some(PathBuf::from("runs/first"));
    harness.run_steps(2);
    harness.get_by_label("on show");
    harness.get_by_label("It is kept in runs/first, at every generation's end.");
    assert!(harness.query_by_label("Resume").is_none());
}

#[test]
fn creatures_come_in_and_go_out() {
    let mut harness = harness(model());
    harness.get_by_label_contains("It may also be dropped on the window.");
    assert_eq!(click(&mut harness, "Import"), [], "there is no path");
    write(&mut harness, "Card to bring in", "a.card");
    assert_eq!(click(&mut harness, "Import"), [UserCommand::ImportCard(PathBuf::from("a.card"))]);
    harness.get_by_label_contains("Agent Ada (171), fitness 812.2");
    assert_eq!(click(&mut harness, "Export best"), [UserCommand::ExportBest(PathBuf::from("creatures/best.card"))]);
    harness.state_mut().model.imported = Some("a.card".to_owned());
    harness.run_steps(2);
    harness.get_by_label("At the next start everybody begins with a.card.");
    harness.state_mut().model.best = None;
    harness.run_steps(2);
    harness.get_by_label_contains("When the first generation has ended");
}

#[test]
fn news_are_sentences() {
    let news = LibraryModel {
        trouble: Some("The file x.gguf is no model.".to_owned()),
        done: Some("The run is kept in runs/a.".to_owned()),
        progress: Some("The run in runs/b is being read.".to_owned()),
        ..LibraryModel::default()
    };
    let harness = harness(news);
    harness.get_by_label("The file x.gguf is no model.");
    harness.get_by_label("✓ The run is kept in runs/a.");
    harness.get_by_label("The run in runs/b is being read.");
    harness.get_by_label_contains("Models that are here");
    harness.get_by_label_contains("Runs that were kept");
}

#[test]
fn everything_can_be_read_at_every_size() {
    let mut state = LibraryState::default();
    let mut model = model();
    model.download = Some(Download { name: "tinystories-33m".to_owned(), done: 1, total: Some(2) });
    model.trouble =
        Some("The model cannot be used: its file ends in the middle of a tensor. Fetch it again.".to_owned());
    let show =
        |model: LibraryModel| move |ui: &mut egui::Ui, state: &mut LibraryState| drop(show_library(ui, &model, state));
    // Long names are cut; their whole is told when the pointer rests on them.
    let may_be_cut =
        |text: &str| text.starts_with("smollm") || text.starts_with("tinystories-33m") || text.starts_with("evolora");
    assert_legible(&state, show(model.clone()), may_be_cut);
    state.pending = Some(super::model::Pending::UseModel("smollm-135m-instruct".to_owned()));
    assert_legible(&state, show(model.clone()), may_be_cut);
    state.pending = Some(super::model::Pending::OpenRun(PathBuf::from("runs/first")));
    assert_legible(&state, show(model), may_be_cut);
}
