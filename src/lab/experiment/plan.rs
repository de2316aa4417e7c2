//! What an experiment is to do.

use std::collections::BTreeSet;

use super::{
    arms::{Arm, TAKEN},
    champion::ChampionPlan,
    differences::differences,
    error::ExperimentError,
};
use crate::config::RunConfig;

/// The most seeds of one experiment.
const MOST_SEEDS: usize = 1000;

/// What an experiment is to do.
#[derive(Debug, Clone)]
pub struct ExperimentPlan {
    /// What all arms have in common.
    pub config: RunConfig,
    /// The arms, `rules` among them.
    pub arms: Vec<&'static Arm>,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// How champions are found and played.
    pub champions: ChampionPlan,
    /// The arms whose champions are played.
    pub with_champions: Vec<&'static str>,
}

/// Habitats that may live side by side.
const MOST_HABITATS: u64 = 10_000;

impl ExperimentPlan {
    /// Refuses settings that say what arms and seeds are to say.
    ///
    /// # Errors
    /// The first such setting.
    pub fn check(&self) -> Result<(), ExperimentError> {
        for difference in differences(&RunConfig::default(), &self.config) {
            if let Some((key, flag)) = TAKEN.iter().find(|(key, _)| *key == difference.key) {
                return Err(ExperimentError::Taken { key, value: difference.new, flag });
            }
        }
        // Candidates are played side by side, each on its own habitats: found out now, not after an arm has lived.
        let ChampionPlan { candidates, validation_maps, maps, .. } = self.champions;
        let habitats = self.seeds.len() as u64 * u64::from((candidates * validation_maps).max(maps));
        if !self.with_champions.is_empty() && habitats > MOST_HABITATS {
            return Err(ExperimentError::Champions(habitats));
        }
        Ok(())
    }

    /// The one command line that makes all of it again.
    pub fn command(&self) -> String {
        let names = |arms: &[&str]| arms.join(",");
        let arms = names(&self.arms.iter().map(|arm| arm.name).collect::<Vec<_>>());
        let seeds = self.seeds.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let mut words = format!("evolora experiment --arms {arms} --seeds {seeds}");
        for difference in differences(&RunConfig::default(), &self.config) {
            let assignment = difference.to_string();
            let quote = if assignment.contains(|c: char| !(c.is_ascii_alphanumeric() || "._=,/-".contains(c))) {
                "'"
            } else {
                ""
            };
            words += &format!(" --set {quote}{assignment}{quote}");
        }
        let champions = if self.with_champions.is_empty() { "none".to_owned() } else { names(&self.with_champions) };
        let ChampionPlan { candidates, validation_maps, maps, turns } = self.champions;
        words += &format!(" --champions {champions}");
        if !self.with_champions.is_empty() {
            words += &format!(
                " --candidates {candidates} --validation-maps {validation_maps} --maps {maps} --champion-turns {turns}"
            );
        }
        words + " --out DIR"
    }
}

/// Reads seeds: `42-46`, `42,43`, or both.
///
/// # Errors
/// They are no seeds, too many, or one is there twice.
pub fn read_seeds(text: &str) -> Result<Vec<u64>, ExperimentError> {
    let wrong = || ExperimentError::Seeds(text.to_owned());
    let number = |text: &str| text.trim().parse::<u64>().ok().filter(|seed| *seed <= i64::MAX as u64).ok_or_else(wrong);
    let mut seeds = Vec::new();
    for part in text.split(',') {
        let (first, last) = match part.split_once('-') {
            Some((first, last)) => (number(first)?, number(last)?),
            None => (number(part)?, number(part)?),
        };
        if last < first || last - first >= MOST_SEEDS as u64 {
            return Err(wrong());
        }
        seeds.extend(first..=last);
    }
    let distinct: BTreeSet<_> = seeds.iter().collect();
    if distinct.len() < seeds.len() || seeds.len() > MOST_SEEDS { Err(wrong()) } else { Ok(seeds) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::experiment::choose_arms;

    #[test]
    fn seeds_are_read() {
        assert_eq!(read_seeds("42-44, 7").unwrap(), [42, 43, 44, 7]);
        for wrong in ["", "a", "5-3", "1,1", "1-3,2", "0-1000", "1.5", "-4", "18446744073709551615"] {
            assert!(read_seeds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_arms_say_is_refused_in_the_settings() {
        let mut plan = ExperimentPlan {
            config: RunConfig::default(),
            arms: choose_arms("both").unwrap(),
            seeds: vec![42, 43],
            champions: ChampionPlan::default(),
            with_champions: vec!["both"],
        };
        plan.check().unwrap();
        plan.config.run.turns = 300;
        plan.config.model.path = "my models/a.gguf".to_owned();
        plan.check().unwrap();
        assert_eq!(
            plan.command(),
            "evolora experiment --arms rules,both --seeds 42,43 --set 'model.path=my models/a.gguf' --set run.turns=300 \
             --champions both --candidates 10 --validation-maps 30 --maps 20 --champion-turns 500 --out DIR"
        );
        plan.champions.validation_maps = 1000;
        assert!(plan.check().unwrap_err().to_string().contains("20000 habitats"));
        plan.champions.validation_maps = 3;
        plan.config.learning.sharing = 0.5;
        let error = plan.check().unwrap_err().to_string();
        assert!(error.contains("`learning.sharing` is 0.5") && error.contains("--arms"), "{error}");
    }
}
