//! `evolora import`, as people run it.

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

use super::reference;

fn evolora(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evolora"));
    command.current_dir(folder).args(arguments).stdin(Stdio::null());
    let is_setting = |name: &str| name.starts_with("EVOLORA_") || evolora::config::specs().any(|spec| spec.env == name);
    for (name, _) in std::env::vars().filter(|(name, _)| is_setting(name)) {
        command.env_remove(name);
    }
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn complaint(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn adapters_become_cards_that_runs_begin_with() {
    let folder = tempfile::tempdir().unwrap();
    let model = reference("llama-f32.gguf");
    let sources = ["peft/llama-1", "export/elsewhere.gguf"].map(|name| reference(name).to_string_lossy().into_owned());
    let import = ["import", &sources[0], &sources[1], "--model", model.to_str().unwrap()];
    let text = said(&evolora(folder.path(), &import));
    let lines: Vec<_> = text.lines().collect();
    let layout = "rank 4, alpha 8, 14 matrices (q k v o gate up down) in 2 layers";
    let begin = format!("creatures/llama-1.card (36 KB) of the PEFT folder {}: {layout}", sources[0]);
    assert!(lines[0].starts_with(&begin), "{text}");
    let use_it = format!("evolora --model {} --set lora.adapter=creatures", model.display());
    assert_eq!(lines[1], format!("  as a founder: {use_it}/llama-1.card"));
    assert_eq!(lines[4], format!("all of them, in turn: {use_it}/llama-1.card,creatures/elsewhere.card"));
    assert_eq!(fs::read_dir(folder.path().join("creatures")).unwrap().count(), 2);
    // What is there is not written over, and nothing is written if one cannot be.
    let again = complaint(&evolora(folder.path(), &import));
    assert!(again.contains("creatures/llama-1.card is there already"), "{again}");
    let mut over = import.to_vec();
    over.push("--overwrite");
    assert_eq!(said(&evolora(folder.path(), &over)), text);
    // The printed command's setting works.
    let set = lines[4].rsplit(' ').next().unwrap();
    let run = ["headless", "--model", model.to_str().unwrap(), "--set", set, "--generations", "2", "--turns", "15"];
    let rows = said(&evolora(folder.path(), &run));
    assert!(rows.lines().count() > 2, "{rows}");
}

#[test]
fn what_cannot_be_imported_is_said_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| reference(name).to_string_lossy().into_owned();
    // For the model that ships these are of another shape.
    let refused = complaint(&evolora(folder.path(), &["import", &path("peft/llama-1"), "--out", "a/b"]));
    assert!(refused.contains("lora_B.weight has the shape [32, 4], and [64, 4] was expected"), "{refused}");
    let neo = path("gpt-neo-hf");
    let card = path("export/of-gguf.card");
    let refused = complaint(&evolora(folder.path(), &["import", &card, "--model", &neo]));
    assert!(refused.contains("it was made on the model ") && refused.contains("gpt-neo-hf ("), "{refused}");
    let hf = path("llama-hf");
    let text = said(&evolora(folder.path(), &["import", &card, "--model", &hf, "--any-model", "--out", "any"]));
    assert!(text.starts_with("any/of-gguf.card (") && text.contains(" of the creature card "), "{text}");
    let twice = [&path("peft/llama-1"), &path("peft/llama-1/adapter_config.json")];
    let refused = complaint(&evolora(folder.path(), &["import", twice[0], twice[1], "--model", &hf]));
    assert!(refused.contains("would both become creatures/llama-1.card"), "{refused}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "only `any` is there");
}
