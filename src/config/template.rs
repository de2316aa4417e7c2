//! The commented `evolora.toml` and `.env.example` that ship, written from the table of settings.

use std::fmt::Write;

use toml::{Table, Value};

use super::{
    sections::{RunConfig, SECTIONS},
    spec::{Applies, Spec},
};

/// A commented `evolora.toml` in which every setting has its default.
pub fn toml_template() -> String {
    let mut out = String::from(
        "# Settings of Evolora. Every line shows a default: take out its # to change it.\n\
         # `evolora config` prints what comes of this file, .env, the environment and flags.\n\n\
         # Begin from a named set of values: \"default\" or \"original\".\n# preset = \"default\"\n",
    );
    let defaults = defaults();
    for section in SECTIONS {
        let _ = write!(out, "\n#{}\n[{}]\n", section.help, section.name);
        for spec in section.specs {
            let name = spec.key.rsplit('.').next().unwrap_or(spec.key);
            let _ = writeln!(out, "# {}\n# {name} = {}", comment(spec), default_of(&defaults, spec));
        }
    }
    out
}

/// A commented `.env.example` in which every setting has its default.
pub fn env_template() -> String {
    let mut out = String::from(
        "# Copy to .env and take out the # of what you change. Every name works in the environment too,\n\
         # there also with EVOLORA_ before it. `evolora config` prints what comes of it.\n\n# PRESET=default\n",
    );
    let defaults = defaults();
    for section in SECTIONS {
        let _ = write!(out, "\n#{}\n", section.help);
        for spec in section.specs {
            let value = match default_of(&defaults, spec) {
                Value::String(word) => word,
                Value::Array(words) => words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","),
                other => other.to_string(),
            };
            let _ = writeln!(out, "# {}={value}", spec.env);
        }
    }
    out
}

fn comment(spec: &Spec) -> String {
    let unit = if spec.unit.is_empty() { String::new() } else { format!(" [{}]", spec.unit) };
    let applies = match spec.applies {
        Applies::Turn => "from the next turn",
        Applies::Generation => "from the next generation",
        Applies::Restart => "when a run starts",
    };
    format!("{} {}{unit}; applies {applies}.", spec.help.trim(), capitalised(&spec.range.to_string()))
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().collect::<String>() + letters.as_str())
}

fn defaults() -> Table {
    Table::try_from(RunConfig::default()).unwrap_or_default()
}

fn default_of(defaults: &Table, spec: &Spec) -> Value {
    let value = spec.key.split_once('.').and_then(|(section, name)| defaults.get(section)?.get(name));
    value.cloned().unwrap_or_else(|| Value::String(String::new()))
}
