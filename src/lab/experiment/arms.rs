//! The arms of an experiment: which settings each one changes.

use super::error::ExperimentError;
use crate::{
    config::{MindKind, Preset, RunConfig},
    mind::is_learning,
};

/// One arm: everything is as the experiment's settings say, save for what it changes.
#[derive(Debug, PartialEq, Eq)]
pub struct Arm {
    /// Its name.
    pub name: &'static str,
    /// What it is, for the person.
    pub help: &'static str,
    /// The preset whose values it takes first.
    pub preset: Preset,
    /// Then these settings, by key and value.
    pub changes: &'static [(&'static str, &'static str)],
}

/// The arm that every fitness is held against.
pub(super) const RULES: &str = "rules";

const STILL: (&str, &str) = ("evolution.enabled", "false");

const fn arm(name: &'static str, help: &'static str, changes: &'static [(&'static str, &'static str)]) -> Arm {
    Arm { name, help, preset: Preset::Default, changes }
}

/// Every arm, in the order in which they are shown.
pub const ARMS: &[Arm] = &[
    arm("random", "the scripted mind that draws its actions", &[("mind.kind", "random")]),
    arm(RULES, "the scripted mind that shows what there is to reach", &[("mind.kind", "rules")]),
    arm("base", "the model as it ships: neither learning nor evolution", &[("learning.enabled", "false"), STILL]),
    Arm {
        name: "original",
        help: "the original's recipe (the values of --preset original; none is the habitat's), learning and evolution",
        preset: Preset::Original,
        changes: &[],
    },
    arm("learning", "learning alone", &[STILL]),
    arm("evolution", "evolution alone", &[("learning.enabled", "false")]),
    arm("both", "learning and evolution; children get what was learned (Lamarck)", &[]),
    arm(
        "baldwin",
        "learning and evolution; children get what their parents were born with",
        &[("evolution.inheritance", "baldwin")],
    ),
    arm(
        "darwin",
        "children get what was never learned: nobody learns, and it lives as `evolution` does",
        &[("evolution.inheritance", "darwin")],
    ),
    arm("share-0.1", "a tenth of the samples is others' experience", &[("learning.sharing", "0.1")]),
    arm("share-0.25", "a quarter of the samples is others' experience", &[("learning.sharing", "0.25")]),
    arm("share-0.75", "three quarters of the samples are others' experience", &[("learning.sharing", "0.75")]),
    arm("share-0.1-learning", "the same without evolution", &[("learning.sharing", "0.1"), STILL]),
    arm("share-0.25-learning", "the same without evolution", &[("learning.sharing", "0.25"), STILL]),
    arm("share-0.75-learning", "the same without evolution", &[("learning.sharing", "0.75"), STILL]),
    arm(
        "shared-a",
        "all share one A, and B is the genome, with learning and evolution",
        &[("lora.genome", "shared-a")],
    ),
];

/// Settings that are the arms' or the seeds' matter, which the experiment's own settings leave at their defaults.
pub(super) const TAKEN: &[(&str, &str)] = &[
    ("mind.kind", "--arms"),
    ("learning.enabled", "--arms"),
    ("learning.sharing", "--arms"),
    ("evolution.enabled", "--arms"),
    ("evolution.inheritance", "--arms"),
    ("lora.genome", "--arms"),
    ("run.seed", "--seeds"),
    ("run.habitats", "--seeds"),
    ("run.first_habitat", "--seeds"),
];

/// Turns names into arms, in the table's order: names separated by commas, or `all`. `rules` is always among them.
///
/// # Errors
/// There is no such arm.
pub fn choose_arms(text: &str) -> Result<Vec<&'static Arm>, ExperimentError> {
    let names: Vec<&str> = text.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    if let Some(name) = names.iter().find(|name| **name != "all" && !ARMS.iter().any(|arm| arm.name == **name)) {
        return Err(ExperimentError::UnknownArm((*name).to_owned()));
    }
    let is_chosen = |arm: &&Arm| arm.name == RULES || names.contains(&"all") || names.contains(&arm.name);
    Ok(ARMS.iter().filter(is_chosen).collect())
}

impl Arm {
    /// The settings that it lives by, with this seed.
    ///
    /// # Errors
    /// As for every source of settings.
    pub fn settings(&self, config: &RunConfig, seed: u64) -> Result<RunConfig, ExperimentError> {
        let mut config = config.with(self.preset, self.changes)?;
        config.run.seed = seed;
        Ok(config)
    }

    /// Whether a language model decides in it, so that everybody has an adapter.
    pub fn has_adapters(&self, config: &RunConfig) -> bool {
        self.settings(config, config.run.seed).is_ok_and(|config| config.mind.kind == MindKind::Llm)
    }

    /// Whether agents learn in it, so that it has a champion worth playing.
    ///
    /// # Errors
    /// As [`Arm::settings`].
    pub fn learns(&self, config: &RunConfig) -> Result<bool, ExperimentError> {
        let config = self.settings(config, config.run.seed)?;
        Ok(config.mind.kind == MindKind::Llm && is_learning(&config))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::experiment::differences;

    /// What each arm may change, written here anew.
    const EXPECTED: &[(&str, &str)] = &[
        ("random", "mind.kind=random"),
        ("rules", "mind.kind=rules"),
        ("base", "evolution.enabled=false learning.enabled=false"),
        (
            "original",
            "learning.batch_size=4 learning.entropy=0.0 learning.learning_rate=0.0001 learning.objective=original \
             lora.targets=q,v mind.exploration=0.0 reward.shaping=0.0",
        ),
        ("learning", "evolution.enabled=false"),
        ("evolution", "learning.enabled=false"),
        ("both", ""),
        ("baldwin", "evolution.inheritance=baldwin"),
        ("darwin", "evolution.inheritance=darwin"),
        ("share-0.1", "learning.sharing=0.1"),
        ("share-0.25", "learning.sharing=0.25"),
        ("share-0.75", "learning.sharing=0.75"),
        ("share-0.1-learning", "evolution.enabled=false learning.sharing=0.1"),
        ("share-0.25-learning", "evolution.enabled=false learning.sharing=0.25"),
        ("share-0.75-learning", "evolution.enabled=false learning.sharing=0.75"),
        ("shared-a", "lora.genome=shared-a"),
    ];

    #[test]
    fn an_arm_changes_what_it_says_and_nothing_else() {
        let config = RunConfig::default();
        let names: Vec<_> = ARMS.iter().map(|arm| arm.name).collect();
        assert_eq!(names, EXPECTED.iter().map(|(name, _)| *name).collect::<Vec<_>>());
        for (arm, (name, expected)) in ARMS.iter().zip(EXPECTED) {
            let changed = differences(&config, &arm.settings(&config, config.run.seed).unwrap());
            let changed: Vec<_> = changed.iter().map(ToString::to_string).collect();
            assert_eq!(changed.join(" "), *expected, "{name}");
        }
    }

    #[test]
    fn arms_are_chosen_by_name() {
        let names = |text: &str| choose_arms(text).unwrap().iter().map(|arm| arm.name).collect::<Vec<_>>();
        assert_eq!(names("both, base"), ["rules", "base", "both"]);
        assert_eq!(names("all").len(), ARMS.len());
        let error = choose_arms("both,boths").unwrap_err().to_string();
        assert!(error.contains("`boths`") && error.contains("shared-a"), "{error}");
        let learn = ARMS.iter().filter(|arm| arm.learns(&RunConfig::default()).unwrap()).count();
        assert_eq!(learn, 11, "all but random, rules, base, evolution and darwin");
    }
}
