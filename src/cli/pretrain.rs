//! `evolora pretrain`: makes the default model from nothing.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::output::say;
use crate::{
    app::AppError,
    lab::pretrain::{LossPoint, PretrainPlan, Pretrained, pretrain},
    record::{check_place, write_csv},
};

/// Flags of `evolora pretrain`.
#[derive(Debug, Args)]
pub(super) struct PretrainArgs {
    /// Where the model goes: one GGUF file.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Seed of the corpus, the weights and the order; the same seed gives the same file.
    #[arg(long, default_value_t = PretrainPlan::default().seed)]
    seed: u64,
    /// Entries of a hidden row, a multiple of 16.
    #[arg(long, default_value_t = PretrainPlan::default().hidden)]
    hidden: usize,
    /// Layers.
    #[arg(long, default_value_t = PretrainPlan::default().layers)]
    layers: usize,
    /// Tokens of the vocabulary.
    #[arg(long, default_value_t = PretrainPlan::default().vocabulary)]
    vocabulary: usize,
    /// Steps of the optimiser.
    #[arg(long, default_value_t = PretrainPlan::default().recipe.steps)]
    steps: usize,
    /// Documents in a step.
    #[arg(long, default_value_t = PretrainPlan::default().recipe.batch)]
    batch: usize,
    /// The highest learning rate of AdamW.
    #[arg(long, default_value_t = PretrainPlan::default().recipe.learning_rate)]
    learning_rate: f64,
    /// Write the loss of every step into this CSV file.
    #[arg(long, value_name = "FILE")]
    curve: Option<PathBuf>,
    /// Print what came of it as JSON.
    #[arg(long)]
    json: bool,
}

impl PretrainArgs {
    fn plan(&self) -> PretrainPlan {
        let mut plan = PretrainPlan {
            seed: self.seed,
            hidden: self.hidden,
            layers: self.layers,
            vocabulary: self.vocabulary,
            ..PretrainPlan::default()
        };
        (plan.recipe.steps, plan.recipe.batch, plan.recipe.learning_rate) =
            (self.steps, self.batch, self.learning_rate);
        plan
    }
}

pub(super) fn run(args: &PretrainArgs) -> Result<ExitCode, AppError> {
    let plan = args.plan();
    if let Some(file) = &args.curve {
        check_place(file)?;
    }
    let bar = ProgressBar::new(plan.recipe.steps as u64);
    let style = ProgressStyle::with_template("{wide_bar} step {pos}/{len} · loss {msg} · {eta} left");
    let bar = style.map_or(bar.clone(), |style| bar.clone().with_style(style));
    let every = (plan.recipe.steps / 20).max(1);
    if !args.json {
        say("  step    tokens   loss (nats per token)");
    }
    let made = pretrain(&plan, &args.out, |point| {
        bar.inc(1);
        bar.set_message(format!("{:.3}", point.loss));
        if !args.json && (point.step == 1 || point.step.is_multiple_of(every)) {
            bar.suspend(|| say(&curve_line(&point)));
        }
    })?;
    bar.finish_and_clear();
    if let Some(file) = &args.curve {
        write_csv(file, &made.curve)?;
    }
    if args.json {
        say(&format!("{:#}", serde_json::json!(made)));
    } else {
        print_result(&made);
    }
    Ok(ExitCode::SUCCESS)
}

/// A point of the loss curve, with a bar as long as the loss.
fn curve_line(point: &LossPoint) -> String {
    let bar = "▪".repeat((point.loss * 8.0).clamp(0.0, 60.0) as usize);
    format!("{:>6}  {:>8}   {:.3} {bar}", point.step, point.tokens, point.loss)
}

fn print_result(made: &Pretrained) {
    say(&format!(
        "\n{} parameters, {} tokens; loss on unseen documents {:.3}",
        made.parameters, made.tokens, made.unseen_loss
    ));
    say("probe questions answered right:");
    for score in &made.probes {
        let share = 100.0 * score.right as f64 / score.asked.max(1) as f64;
        say(&format!("  {:<24} {:>5} of {:>5}  {share:>5.1} %", score.kind, score.right, score.asked));
    }
    say(&format!("written to {} ({:.0} KB)", made.file.display(), made.bytes as f64 / 1000.0));
}
