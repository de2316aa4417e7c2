//! The flags that change settings, shared by all commands.

use std::path::PathBuf;

use clap::Args;

use super::output::complain;
use crate::{
    app::{AppError, Changes},
    config::{ConfigError, ConfigFiles, LoadedConfig, Range, find_spec},
};

/// Agents that a bench asks at most: as many as a habitat may have.
pub(super) fn most_agents() -> u32 {
    match find_spec("habitat.agents").map(|spec| spec.range) {
        Some(Range::Whole(_, most)) => u32::try_from(most).unwrap_or(u32::MAX),
        _ => u32::MAX,
    }
}

/// Flags for settings. They are laid over `evolora.toml`, `.env` and the environment.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Settings")]
pub(super) struct SettingsArgs {
    /// Read this file in place of ./evolora.toml.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Begin from a named set of values: default or original.
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// Change any setting: --set reward.delivery=30. `evolora config` lists them.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Who decides: random, rules or llm.
    #[arg(long, value_name = "MIND")]
    mind: Option<String>,
    /// The language model: a file, a folder, or a name that `evolora model list` shows; the one that ships where this is
    /// not said.
    #[arg(long, value_name = "PATH")]
    model: Option<String>,
    /// Temperature of sampling; 0 takes the likeliest.
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    temperature: Option<String>,
    /// Agents in each habitat.
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    agents: Option<String>,
    /// Generations in a run.
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    generations: Option<String>,
    /// Turns in a generation.
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    turns: Option<String>,
    /// Seed of every random stream.
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    seed: Option<String>,
    /// Habitats side by side.
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    habitats: Option<String>,
    /// Number of the first habitat.
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    first_habitat: Option<String>,
    /// Threads for the habitats and the model, 0 for one per core.
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    threads: Option<String>,
    /// Cells along each side of a habitat.
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    size: Option<String>,
    /// How agents find food and home: scent or sight.
    #[arg(long, value_name = "KIND")]
    perception: Option<String>,
}

impl SettingsArgs {
    /// What these flags change in a run that goes on, which otherwise keeps the settings that it began with.
    pub(super) fn changes(&self) -> Result<Changes, AppError> {
        let heard = ["--generations", "--threads", "--model"];
        if let Some(flag) = self.given().find(|flag| !heard.contains(flag)) {
            return Err(AppError::KeptSetting(flag));
        }
        let number = |flag, value: &Option<String>| {
            let parse = |value: &String| value.parse().map_err(|_| AppError::NoNumber { flag, value: value.clone() });
            value.as_ref().map(parse).transpose()
        };
        Ok(Changes {
            generations: number("--generations", &self.generations)?,
            threads: number("--threads", &self.threads)?,
            model: self.model.clone(),
        })
    }

    /// The flags that were given.
    fn given(&self) -> impl Iterator<Item = &'static str> {
        let all = [
            ("--config", self.config.is_some()),
            ("--preset", self.preset.is_some()),
            ("--set", !self.set.is_empty()),
            ("--mind", self.mind.is_some()),
            ("--model", self.model.is_some()),
            ("--temperature", self.temperature.is_some()),
            ("--agents", self.agents.is_some()),
            ("--generations", self.generations.is_some()),
            ("--turns", self.turns.is_some()),
            ("--seed", self.seed.is_some()),
            ("--habitats", self.habitats.is_some()),
            ("--first-habitat", self.first_habitat.is_some()),
            ("--threads", self.threads.is_some()),
            ("--size", self.size.is_some()),
            ("--perception", self.perception.is_some()),
        ];
        all.into_iter().filter_map(|(flag, given)| given.then_some(flag))
    }

    /// Says of those flags that were given and that a command has no use for that they change nothing.
    pub(super) fn note_idle(&self, useless: &[&str]) {
        if let Some(sentence) = self.idle(useless) {
            complain(&sentence);
        }
    }

    /// The sentence.
    fn idle(&self, useless: &[&str]) -> Option<String> {
        let given: Vec<_> = self.given().filter(|flag| useless.contains(flag)).collect();
        let verb = if given.len() == 1 { "changes" } else { "change" };
        (!given.is_empty()).then(|| format!("{} {verb} nothing here.", given.join(", ")))
    }

    /// Reads every source of settings as [`SettingsArgs::load`] does, but takes `--agents` for numbers of agents that are to be
    /// measured one after the other, separated by commas.
    pub(super) fn load_with_sizes(&self) -> Result<(LoadedConfig, Option<Vec<u32>>), AppError> {
        let most = most_agents();
        let one = |word: &str| word.trim().parse().ok().filter(|size| (1..=most).contains(size));
        let sizes = |list: &String| {
            let what = "whole numbers, separated by commas,";
            let wrong = || AppError::Sizes { what, most, value: list.clone() };
            list.split(',').map(one).collect::<Option<Vec<u32>>>().ok_or_else(wrong)
        };
        let sizes = self.agents.as_ref().map(sizes).transpose()?;
        Ok((Self { agents: None, ..self.clone() }.load()?, sizes))
    }

    /// Reads every source of settings, these flags last.
    pub(super) fn load(&self) -> Result<LoadedConfig, ConfigError> {
        let named = [
            ("--mind", "mind.kind", &self.mind),
            ("--model", "model.path", &self.model),
            ("--temperature", "mind.temperature", &self.temperature),
            ("--agents", "habitat.agents", &self.agents),
            ("--generations", "run.generations", &self.generations),
            ("--turns", "run.turns", &self.turns),
            ("--seed", "run.seed", &self.seed),
            ("--habitats", "run.habitats", &self.habitats),
            ("--first-habitat", "run.first_habitat", &self.first_habitat),
            ("--threads", "run.threads", &self.threads),
            ("--size", "habitat.size", &self.size),
            ("--perception", "habitat.perception", &self.perception),
        ];
        let given = named.into_iter().filter_map(|(flag, key, value)| Some((flag, key, value.clone()?)));
        let files = ConfigFiles {
            file: self.config.clone(),
            preset: self.preset.clone(),
            assignments: self.set.clone(),
            flags: given.collect(),
            ..ConfigFiles::in_folder(".")
        };
        files.load()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        settings: SettingsArgs,
    }

    #[test]
    fn flags_that_change_nothing_are_named() {
        let given = |words: &[&str]| Program::try_parse_from([&["evolora"], words].concat()).unwrap().settings;
        let useless = ["--turns", "--habitats"];
        assert_eq!(given(&["--seed", "7", "--set", "run.turns=3"]).idle(&useless), None);
        assert_eq!(given(&["--turns", "3"]).idle(&useless).unwrap(), "--turns changes nothing here.");
        let both = given(&["--habitats", "4", "--seed", "7", "--turns", "3"]).idle(&useless).unwrap();
        assert_eq!(both, "--turns, --habitats change nothing here.");
    }
}
