//! Which settings differ between two, and when a change of them takes effect.

use toml::Table;

use super::{Applies, RunConfig, Spec, specs};

impl RunConfig {
    /// The settings whose values differ in `other`, in the order of the file.
    pub fn differences(&self, other: &Self) -> Vec<&'static Spec> {
        let table = |config: &Self| Table::try_from(config).unwrap_or_default();
        let (mine, theirs) = (table(self), table(other));
        let value = |table: &Table, spec: &Spec| {
            let (section, name) = spec.key.split_once('.')?;
            table.get(section)?.get(name).cloned()
        };
        specs().filter(|spec| value(&mine, spec) != value(&theirs, spec)).collect()
    }

    /// Why these settings cannot take the place of these while a run goes on, in a sentence, if they cannot.
    pub fn refusal_of(&self, other: &Self) -> Option<String> {
        if let Err(error) = other.check() {
            return Some(error.to_string());
        }
        let changed = self.differences(other);
        let first = changed.into_iter().find(|spec| spec.applies == Applies::Restart)?;
        Some(format!("`{}` can only change when the run starts anew: restart it with the new value.", first.key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_named_and_a_restart_is_refused() {
        let (was, mut is) = (RunConfig::default(), RunConfig::default());
        assert!(was.differences(&is).is_empty() && was.refusal_of(&is).is_none());
        (is.mind.temperature, is.run.turns, is.reward.wait) = (1.5, 7, -0.3);
        let keys: Vec<_> = was.differences(&is).iter().map(|spec| spec.key).collect();
        assert_eq!(keys, ["run.turns", "reward.wait", "mind.temperature"]);
        assert_eq!(was.refusal_of(&is), None);
        is.learning.buffer = 7;
        let sentence = was.refusal_of(&is).unwrap();
        assert!(sentence.starts_with("`learning.buffer` can only change when the run starts anew"), "{sentence}");
        is.learning.buffer = was.learning.buffer;
        is.energy.start = 500.0;
        let sentence = was.refusal_of(&is).unwrap();
        assert!(sentence.contains("energy.start") && sentence.contains("energy.max"), "{sentence}");
    }
}
