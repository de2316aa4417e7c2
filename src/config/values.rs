//! Settings by their keys: read for panels and files, and held beside each other.

use toml::{Table, Value};

use super::{
    sections::RunConfig,
    spec::{Range, Spec, specs},
};

/// The value of one setting.
#[derive(Debug, Clone, PartialEq)]
pub enum SettingValue {
    /// On or off.
    Switch(bool),
    /// A whole number.
    Whole(u64),
    /// A number.
    Real(f64),
    /// One word, or text.
    Word(String),
    /// Any number of words.
    Words(Vec<String>),
}

impl SettingValue {
    fn of(value: &Value, range: Range) -> Self {
        match value {
            Value::Boolean(on) => Self::Switch(*on),
            // A number without a point may stand for a real one.
            Value::Integer(whole) if matches!(range, Range::Real(..)) => Self::Real(*whole as f64),
            Value::Integer(whole) => Self::Whole(u64::try_from(*whole).unwrap_or_default()),
            Value::Float(real) => Self::Real(*real),
            Value::Array(words) => Self::Words(words.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
            other => Self::Word(other.as_str().map_or_else(|| other.to_string(), str::to_owned)),
        }
    }
}

impl std::fmt::Display for SettingValue {
    /// As `--set` takes it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Switch(on) => write!(f, "{on}"),
            Self::Whole(whole) => write!(f, "{whole}"),
            Self::Real(real) => write!(f, "{real}"),
            Self::Word(word) => write!(f, "{word}"),
            Self::Words(words) => write!(f, "{}", words.join(",")),
        }
    }
}

/// Every setting's value, in the order of the table.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SettingValues(Vec<(&'static str, SettingValue)>);

impl SettingValues {
    /// The value of the setting with this key.
    pub fn get(&self, key: &str) -> Option<&SettingValue> {
        self.0.iter().find(|(other, _)| *other == key).map(|(_, value)| value)
    }
}

impl RunConfig {
    /// Every setting's value.
    pub fn values(&self) -> SettingValues {
        let table = Table::try_from(self).unwrap_or_default();
        let value = |spec: &'static Spec| {
            let (section, name) = spec.key.split_once('.')?;
            Some((spec.key, SettingValue::of(table.get(section)?.get(name)?, spec.range)))
        };
        SettingValues(specs().filter_map(value).collect())
    }

    /// The settings as a file that `--config` reads.
    pub fn to_toml(&self) -> String {
        let settings = toml::to_string(self).unwrap_or_default();
        format!("# Settings of Evolora, written by its window. `evolora --config FILE` begins with them.\n\n{settings}")
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::config::Preset;

    #[test]
    fn values_are_those_of_the_settings() {
        let mut config = RunConfig::default();
        (config.reward.delivery, config.run.turns, config.learning.enabled) = (30.0, 7, false);
        let values = config.values();
        let get = |key: &str| values.get(key).unwrap().clone();
        assert_eq!(get("reward.delivery"), SettingValue::Real(30.0));
        assert_eq!(get("run.turns"), SettingValue::Whole(7));
        assert_eq!(get("learning.enabled"), SettingValue::Switch(false));
        assert_eq!(get("lora.layers"), SettingValue::Word("all".to_owned()));
        assert_eq!(get("lora.targets").to_string(), "q,v,o,down");
        assert_eq!(values.0.len(), specs().count());
        assert_eq!(values.get("reward.none"), None);
    }

    #[test]
    fn every_value_can_be_written_and_read_again() {
        let mut config = RunConfig::default();
        (config.energy.start, config.mind.temperature, config.run.seed) = (63.5, 1.25, 7);
        config.lora.layers = crate::config::LoraLayers::Top(3);
        for (key, value) in config.values().0 {
            let text = value.to_string();
            let same = config.with(Preset::Default, &[(key, text.as_str())]).unwrap();
            assert_eq!(same, config, "{key} = {text}");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine.toml");
        fs::write(&path, config.to_toml()).unwrap();
        assert_eq!(RunConfig::from_file(&path).unwrap(), config);
        let error = RunConfig::from_file(folder.path().join("none.toml")).unwrap_err().to_string();
        assert!(error.contains("none.toml"), "{error}");
    }
}
