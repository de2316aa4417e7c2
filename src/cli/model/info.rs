//! `evolora model info`.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::{size, table};
use crate::{
    app::AppError,
    brain::{
        catalog::{MemoryNeed, ModelInfo, free_memory, inspect, memory_need},
        quantise, streams,
    },
    cli::{output::say, settings::SettingsArgs},
    config::DecisionMode,
};

/// Flags of `evolora model info`.
#[derive(Debug, Args)]
pub(in crate::cli) struct InfoArgs {
    /// The model: a file, a folder, or a name that `evolora model list` shows; the settings' where it is not said.
    model: Option<String>,
    /// List every tensor.
    #[arg(long)]
    tensors: bool,
    /// Print what is known as JSON, every tensor among it.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

pub(super) fn run(args: &InfoArgs) -> Result<ExitCode, AppError> {
    let mut config = args.settings.load()?.config;
    if let Some(model) = &args.model {
        config.model.path.clone_from(model);
    }
    let info = inspect(&config.model)?;
    let agents = u64::from(config.habitat.agents) * u64::from(config.run.habitats);
    let mut need = memory_need(&info, quantise(config.model.quant), &config.lora, agents)?;
    if config.mind.mode == DecisionMode::Free {
        need = need.with_free_replies(&info.shape, config.mind.max_tokens as usize, agents);
    }
    let is_streamed = streams(&config.model, &info);
    if is_streamed {
        need = need.with_layers_in_their_file(&info);
    }
    if args.json {
        print_json(&info, &need);
    } else {
        print(&info, &need, agents);
        if is_streamed {
            say("  quantised layers stay in their file and are read for each product (STREAM_WEIGHTS)");
        }
        if args.tensors {
            print_tensors(&info);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print_json(info: &ModelInfo, need: &MemoryNeed) {
    let ((hidden, inner), (heads, kv_heads)) = (info.shape.widths(), info.shape.heads());
    say(&format!(
        "{:#}",
        json!({
            "name": info.name,
            "path": info.path,
            "format": info.format.to_string(),
            "architecture": info.shape.family(),
            "parameters": info.shape.parameters(),
            "layers": info.shape.layers(),
            "hidden": hidden,
            "mlp": inner,
            "heads": heads,
            "kv_heads": kv_heads,
            "vocabulary": info.shape.vocabulary(),
            "context": info.shape.context(),
            "bytes": info.file_bytes(),
            "kinds": info.kinds(),
            "memory": need,
            "tensors": info.tensors,
        })
    ));
}

fn print(info: &ModelInfo, need: &MemoryNeed, agents: u64) {
    let ((hidden, inner), (heads, kv_heads)) = (info.shape.widths(), info.shape.heads());
    let shape = &info.shape;
    for (what, value) in [
        ("name", info.name.clone()),
        ("where", info.path.display().to_string()),
        ("format", info.format.to_string()),
        ("architecture", shape.family().to_owned()),
        ("parameters", format!("{:.3} M", shape.parameters() as f64 / 1e6)),
        ("layers", shape.layers().to_string()),
        ("hidden, MLP", format!("{hidden}, {inner}")),
        ("heads, key/value", format!("{heads}, {kv_heads}")),
        ("vocabulary", format!("{} tokens", shape.vocabulary())),
        ("context", format!("{} tokens", shape.context())),
        ("weights in the file", size(info.file_bytes())),
    ] {
        say(&format!("{what:<20} {value}"));
    }
    say("\nweights by type:");
    let mut rows = table(&["type", "tensors", "weights", "size", "bits each"], &[1, 2, 3, 4]);
    for share in info.kinds() {
        let bits = share.bytes as f64 * 8.0 / share.elements.max(1) as f64;
        let count = format!("{:.3} M", share.elements as f64 / 1e6);
        rows.add_row([&share.kind, &share.tensors.to_string(), &count, &size(share.bytes), &format!("{bits:.2}")]);
    }
    say(&rows.trim_fmt());
    let free = free_memory().map_or_else(String::new, |free| format!("; {} are free", size(free)));
    say(&format!("\nmemory with {agents} agents, about {}{free}:", size(need.total())));
    for (what, bytes) in [
        ("weights", need.weights),
        ("adapters", need.adapters),
        ("while it thinks", need.work),
        ("the program itself", need.program),
        ("more, as it loads", need.loading),
    ] {
        say(&format!("  {what:<18} {:>10}", size(bytes)));
    }
}

fn print_tensors(info: &ModelInfo) {
    say("");
    let mut rows = table(&["tensor", "type", "shape", "size"], &[3]);
    for tensor in &info.tensors {
        let shape: Vec<_> = tensor.shape.iter().map(usize::to_string).collect();
        rows.add_row([&tensor.name, &tensor.kind, &shape.join(" × "), &size(tensor.bytes)]);
    }
    say(&rows.trim_fmt());
}
