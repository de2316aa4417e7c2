//! `evolora import`: creature cards of adapters, made here or elsewhere.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;

use super::{output::say, settings::SettingsArgs};
use crate::{
    app::{AppError, ImportPlan, Imported, import_adapters},
    brain::lora::Creature,
};

/// Flags of `evolora import`.
#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// The adapters: PEFT folders, GGUF adapters of llama.cpp, or creature cards. They must fit the model that the settings
    /// name.
    #[arg(required = true, value_name = "PATH")]
    files: Vec<PathBuf>,
    /// The folder that the cards go to.
    #[arg(long, value_name = "DIR", default_value = "creatures")]
    out: PathBuf,
    /// Also take cards that were made on another model, if their shapes fit: they will mean something else, unless it is the
    /// same model in another file.
    #[arg(long)]
    any_model: bool,
    /// Write over cards that are there already.
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

pub(super) fn run(args: &ImportArgs) -> Result<ExitCode, AppError> {
    let config = args.settings.load()?.config;
    let plan = ImportPlan {
        files: args.files.clone(),
        folder: args.out.clone(),
        any_model: args.any_model,
        overwrite: args.overwrite,
    };
    let all = import_adapters(&config.model, &plan)?;
    let model = config.model.path.trim();
    let model = if model.is_empty() { String::new() } else { format!(" --model {}", quoted(model)) };
    let founder = |cards: &str| format!("evolora{model} --set {}", quoted(&format!("lora.adapter={cards}")));
    for one in &all {
        say(&line(one));
        say(&format!("  as a founder: {}", founder(&one.card.to_string_lossy())));
    }
    if all.len() > 1 {
        let first = &all[0].creature.layout;
        if all.iter().all(|one| one.creature.layout == *first) {
            let cards: Vec<_> = all.iter().map(|one| one.card.to_string_lossy()).collect();
            say(&format!("all of them, in turn: {}", founder(&cards.join(","))));
        } else {
            say("They differ in rank, alpha or matrices, so they cannot be founders of one population.");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What has become of one adapter.
fn line(one: &Imported) -> String {
    let Imported { from, format, card, bytes, creature } = one;
    let kilobytes = *bytes as f64 / 1e3;
    format!(
        "{} ({kilobytes:.0} KB) of the {format} {}: {}{}",
        card.display(),
        from.display(),
        creature.layout,
        known(creature)
    )
}

/// What is known of a creature beside its adapter.
fn known(creature: &Creature) -> String {
    let (lineage, scores) = (&creature.lineage, &creature.scores);
    let mut parts = Vec::new();
    if let Some(number) = lineage.creature {
        let habitat = lineage.habitat.map(|habitat| format!(" of habitat {habitat}")).unwrap_or_default();
        parts.push(format!("creature {number}{habitat}"));
    }
    if let Some(born) = lineage.born {
        parts.push(format!("born in generation {born}"));
    }
    if let Some(fitness) = scores.best_fitness.or(scores.fitness) {
        let rules = scores.rules_fitness.map(|rules| format!(" (`rules` {rules:.1})")).unwrap_or_default();
        parts.push(format!("fitness {fitness:.1}{rules}"));
    }
    if parts.is_empty() { String::new() } else { format!("; {}", parts.join(", ")) }
}

/// A word of a command line, in quotes where the shell would part it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-=,:+@%~".contains(c);
    if word.chars().all(is_plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn commands_can_be_pasted() {
        assert_eq!(quoted("lora.adapter=creatures/a.card,b.card"), "lora.adapter=creatures/a.card,b.card");
        assert_eq!(quoted("it's mine"), "'it'\\''s mine'");
    }
}
