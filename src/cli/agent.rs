//! `evolora agent`: one agent, turn by turn in the terminal.

use std::{io::IsTerminal, path::PathBuf, process::ExitCode};

use clap::Args;

use super::{output::say, settings::SettingsArgs};
use crate::{
    app::AppError,
    config::DecisionMode,
    lab::solo::{Solo, Turn, ask_once},
};

/// Turns that are played where no source of settings says how many.
const TURNS: u32 = 20;
/// Characters of the longest bar.
const BAR: f32 = 30.0;

/// Flags of `evolora agent`.
#[derive(Debug, Args)]
pub(super) struct AgentArgs {
    /// Ask this one question, in place of playing.
    #[arg(long, value_name = "TEXT")]
    prompt: Option<String>,
    /// Give the agent this adapter (a creature card, a PEFT folder or a GGUF adapter) in place of the one that LORA_ADAPTER
    /// names. With neither the bare base model answers.
    #[arg(long, value_name = "PATH")]
    adapter: Option<PathBuf>,
    /// Let it say what it likes; the reply is then parsed.
    #[arg(long)]
    free: bool,
    /// Print one JSON object a turn.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

pub(super) fn run(args: &AgentArgs) -> Result<ExitCode, AppError> {
    let loaded = args.settings.load()?;
    // One agent, in one habitat, in one life; or one question.
    let once: &[&str] =
        if args.prompt.is_some() { &["--turns", "--size", "--perception", "--first-habitat"] } else { &[] };
    args.settings.note_idle(&[&["--agents", "--habitats", "--generations"], once].concat());
    let mut config = loaded.config.clone();
    if args.free {
        config.mind.mode = DecisionMode::Free;
    }
    if let Some(adapter) = &args.adapter {
        config.lora.adapter = adapter.to_string_lossy().into_owned();
    }
    if let Some(prompt) = &args.prompt {
        show(&ask_once(&config, prompt)?, None, args.json);
        return Ok(ExitCode::SUCCESS);
    }
    if loaded.origin("run.turns") == "default" {
        config.run.turns = TURNS;
    }
    let turns = config.run.turns;
    let mut solo = Solo::new(config)?;
    let (mut sum, mut played) = (0.0, 0);
    for number in 1..=turns {
        let Some(turn) = solo.step()? else { break };
        sum += turn.reward.unwrap_or_default();
        played = number;
        show(&turn, Some(number), args.json);
    }
    if !args.json {
        let end = if played < turns { format!("the agent died after {played} turns; ") } else { String::new() };
        say(&format!("\n{end}sum of rewards: {sum:.2}"));
    }
    Ok(ExitCode::SUCCESS)
}

fn show(turn: &Turn, number: Option<u32>, json: bool) {
    if json {
        // Numbers, texts and lists: nothing here that JSON could not hold.
        say(&serde_json::to_string(turn).unwrap_or_default());
        return;
    }
    if number.is_some_and(|number| number == 1) {
        say("probability of each action as it is drawn, at the temperature; log P at temperature 1");
    }
    let number = number.map(|number| format!("turn {number}  ")).unwrap_or_default();
    say(&format!("\n{number}{}", bold(&printable(&turn.seen))));
    for share in &turn.actions {
        let mark = if share.action == turn.reply { "▶" } else { " " };
        let bar = "█".repeat((share.prob * BAR).round() as usize);
        say(&format!(
            "  {mark} {:<10} {:>5.1} %  log P {:>7.2}  {bar}",
            share.action,
            100.0 * share.prob,
            share.logprob
        ));
    }
    let outcome = turn.outcome.as_ref().map(|outcome| format!(" → {outcome}")).unwrap_or_default();
    let reward = turn.reward.map(|reward| format!(", reward {reward:+.2}")).unwrap_or_default();
    let (reply, log) = (printable(&turn.reply), turn.log_probability);
    say(&format!("  \"{reply}\" (log P {log:.2}){outcome}{reward}, {} tokens, {:.2} ms", turn.tokens, turn.ms));
}

/// A text without characters that would steer the terminal: these are shown by their names.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() }).collect()
}

/// Bold, where a person reads it.
fn bold(text: &str) -> String {
    if std::io::stdout().is_terminal() { format!("\u{1b}[1m{text}\u{1b}[0m") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn nothing_steers_the_terminal() {
        assert_eq!(printable("home↑ \u{1b}[31m\0\u{7}é"), "home↑ \\u{1b}[31m\\u{0}\\u{7}é");
    }
}
