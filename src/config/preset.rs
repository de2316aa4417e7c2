//! Named sets of values, laid between the defaults and the person's own settings.

use toml::{Table, Value};

/// A named set of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// The built-in defaults.
    Default,
    /// The values of the Python system that this program replaces.
    Original,
}

impl Preset {
    /// The names of all presets.
    pub const WORDS: &'static [&'static str] = &["default", "original"];

    /// The preset called `name`.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "default" => Some(Self::Default),
            "original" => Some(Self::Original),
            _ => None,
        }
    }

    /// The values it sets, by key.
    pub fn values(self) -> Table {
        let text = |word: &str| Value::String(word.to_owned());
        let rows = match self {
            Self::Default => Vec::new(),
            Self::Original => vec![
                ("lora.rank", Value::Integer(8)),
                ("lora.targets", Value::Array(vec![text("q"), text("v")])),
                ("learning.learning_rate", Value::Float(1e-4)),
                ("learning.batch_size", Value::Integer(4)),
                ("learning.objective", text("original")),
                ("learning.sharing", Value::Float(0.0)),
                ("learning.entropy", Value::Float(0.0)),
                ("reward.shaping", Value::Float(0.0)),
                ("mind.max_tokens", Value::Integer(30)),
                ("mind.temperature", Value::Float(0.7)),
                ("mind.exploration", Value::Float(0.0)),
                ("evolution.mutation_rate", Value::Float(0.1)),
                ("evolution.elite_ratio", Value::Float(0.2)),
            ],
        };
        rows.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }
}
