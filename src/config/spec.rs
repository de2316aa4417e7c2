//! One row of the table of settings, and how a raw value is held against it.

use toml::Value;

/// When a change of a setting takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applies {
    /// From the next turn.
    Turn,
    /// From the next generation.
    Generation,
    /// Only when the run starts anew.
    Restart,
}

/// What values a setting may take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Range {
    /// `true` or `false`.
    Switch,
    /// A whole number, both ends included.
    Whole(u64, u64),
    /// A number, both ends included.
    Real(f64, f64),
    /// One of these words.
    Choice(&'static [&'static str]),
    /// One of these words, or a whole number from 1 up to the given one.
    ChoiceOrWhole(&'static [&'static str], u64),
    /// Any number of these words, each at most once, separated by commas in `.env` and the environment.
    List(&'static [&'static str]),
    /// Any text.
    Text,
}

impl std::fmt::Display for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Switch => write!(f, "true or false"),
            Self::Whole(min, max) => write!(f, "a whole number from {min} to {max}"),
            Self::Real(min, max) => write!(f, "a number from {min} to {max}"),
            Self::Choice(words) => write!(f, "one of {}", words.join(", ")),
            Self::ChoiceOrWhole(words, max) => write!(f, "{} or a whole number from 1 to {max}", words.join(", ")),
            Self::List(words) => write!(f, "a list of any of {}", words.join(", ")),
            Self::Text => write!(f, "text"),
        }
    }
}

/// A setting: its names, its range, and what it is for.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// Section and name, as in `evolora.toml`: `habitat.agents`.
    pub key: &'static str,
    /// Name in `.env` and in the environment: `AGENTS`.
    pub env: &'static str,
    /// What values it may take.
    pub range: Range,
    /// The unit, or empty.
    pub unit: &'static str,
    /// When a change takes effect.
    pub applies: Applies,
    /// One sentence for the person.
    pub help: &'static str,
}

/// Why a raw value does not fit its setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Misfit {
    Type,
    Range,
}

impl Spec {
    /// Reads a value written as plain text, as `.env`, the environment and `--set` have it.
    pub(super) fn read_text(&self, text: &str) -> Value {
        match self.range {
            Range::Switch => match text.to_ascii_lowercase().as_str() {
                "true" | "1" | "yes" | "on" => Value::Boolean(true),
                "false" | "0" | "no" | "off" => Value::Boolean(false),
                _ => Value::String(text.to_owned()),
            },
            Range::Real(..) => text.parse().map_or_else(|_| Value::String(text.to_owned()), Value::Float),
            Range::Whole(..) | Range::ChoiceOrWhole(..) => {
                text.parse().map_or_else(|_| Value::String(text.to_ascii_lowercase()), Value::Integer)
            }
            Range::Choice(_) => Value::String(text.to_ascii_lowercase()),
            Range::List(_) => {
                let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
                Value::Array(words.map(|word| Value::String(word.to_ascii_lowercase())).collect())
            }
            Range::Text => Value::String(text.to_owned()),
        }
    }

    /// Holds a value against type and range.
    pub(super) fn check(&self, value: &Value) -> Result<(), Misfit> {
        let fits = |fits: bool| if fits { Ok(()) } else { Err(Misfit::Range) };
        let whole = |i: i64, min: u64, max: u64| fits(u64::try_from(i).is_ok_and(|i| (min..=max).contains(&i)));
        let one_of = |word: &str, words: &[&str]| fits(words.contains(&word));
        match (self.range, value) {
            (Range::Switch, Value::Boolean(_)) | (Range::Text, Value::String(_)) => Ok(()),
            (Range::Whole(min, max), Value::Integer(i)) => whole(*i, min, max),
            (Range::ChoiceOrWhole(_, max), Value::Integer(i)) => whole(*i, 1, max),
            (Range::Real(min, max), Value::Float(x)) => fits((min..=max).contains(x)),
            (Range::Real(min, max), Value::Integer(i)) => fits((min..=max).contains(&(*i as f64))),
            (Range::Choice(words) | Range::ChoiceOrWhole(words, _), Value::String(word)) => one_of(word, words),
            (Range::List(words), Value::Array(items)) => {
                let known = |item: &Value| item.as_str().is_some_and(|word| words.contains(&word));
                let twice = |i: usize| items[..i].contains(&items[i]);
                fits((0..items.len()).all(|i| known(&items[i]) && !twice(i)))
            }
            _ => Err(Misfit::Type),
        }
    }
}

/// Every setting, in the order of the file.
pub fn specs() -> impl Iterator<Item = &'static Spec> {
    super::sections::SECTIONS.iter().flat_map(|section| section.specs.iter())
}

/// The setting with this key (`habitat.agents`), if there is one.
pub fn find_spec(key: &str) -> Option<&'static Spec> {
    specs().find(|spec| spec.key == key)
}
