//! Bounds for what is remembered of a run that goes on for weeks: old rows are thinned, and of the dead those are kept whom
//! somebody may ask about.
//!
//! Only where there is a [`Retention`] is anything forgotten, and only a window has one. Where its run is written to a folder,
//! what is forgotten goes to a file there first, and the tables of that folder are whole.
//!
//! This module does *not* know who looks at what is kept.

use std::collections::{BTreeMap, BTreeSet};

use bevy::prelude::*;

use super::{
    files::{RecordError, RunFiles},
    history::{GenerationRow, History},
    lineage::{Ancestry, Lineage},
};
use crate::{
    mind::{Creatures, HallOfFame},
    protocol::{CreatureId, HabitatId},
    sim::{Clock, Habitat},
};

/// How much is remembered.
#[derive(Resource, Debug, Clone)]
pub struct Retention {
    /// Generations of each habitat of which every row is kept.
    pub recent: u32,
    /// Rows of older generations that are kept of each habitat at the most: every second, fourth, eighth, …
    pub older: u32,
    /// How many generations back the ancestors of the living are kept.
    pub kin: u32,
    /// Where what is forgotten goes, if the run is written to a folder.
    pub archive: Option<RunFiles>,
    /// Why nothing could be written there, in a sentence; then nothing is forgotten either.
    pub trouble: Option<String>,
    /// Rows, and individuals, from which on it is looked what can be forgotten.
    due: (usize, usize),
}

impl Default for Retention {
    fn default() -> Self {
        Self { recent: 1000, older: 1000, kin: 100, archive: None, trouble: None, due: (0, 0) }
    }
}

impl Retention {
    /// The usual, with what is forgotten written to this folder.
    pub fn with_archive(archive: Option<RunFiles>) -> Self {
        Self { archive, ..Self::default() }
    }

    /// Whether the row of a generation is kept once `newest` has ended.
    pub fn keeps(&self, generation: u32, newest: u32) -> bool {
        let old = (newest + 1).saturating_sub(self.recent);
        let stride = old.div_ceil(self.older.max(1)).max(1).next_power_of_two();
        generation >= old || generation.is_multiple_of(stride)
    }

    /// Forgets rows, if there are many more than before.
    fn thin(&mut self, history: &mut History) -> Result<(), RecordError> {
        if history.rows.len() < self.due.0 {
            return Ok(());
        }
        let mut newest: BTreeMap<HabitatId, u32> = BTreeMap::new();
        for row in &history.rows {
            let one = newest.entry(row.habitat).or_default();
            *one = (*one).max(row.generation);
        }
        let keeps = |row: &GenerationRow| newest.get(&row.habitat).is_none_or(|last| self.keeps(row.generation, *last));
        if let Some(files) = &self.archive {
            let gone: Vec<_> = history.rows.iter().filter(|row| !keeps(row)).cloned().collect();
            files.archive_generations(&gone)?;
        }
        history.rows.retain(keeps);
        self.due.0 = history.rows.len() + history.rows.len() / 4 + 64;
        Ok(())
    }

    /// Forgets the dead, if there are many more individuals than before.
    fn bury(&mut self, lineage: &mut Lineage, now: &[Kin]) -> Result<(), RecordError> {
        if lineage.creatures.len() < self.due.1 {
            return Ok(());
        }
        let kept: BTreeMap<HabitatId, BTreeSet<CreatureId>> =
            now.iter().map(|kin| (kin.habitat, kin.kept(lineage, self.kin))).collect();
        let keeps = |one: &Ancestry| kept.get(&one.habitat).is_none_or(|kept| kept.contains(&one.creature));
        if let Some(files) = &self.archive {
            let gone: Vec<_> = lineage.creatures.values().filter(|one| !keeps(one)).cloned().collect();
            files.archive_lineage(&gone)?;
        }
        lineage.creatures.retain(|_, one| keeps(one));
        self.due.1 = lineage.creatures.len() + lineage.creatures.len() / 4 + 64;
        Ok(())
    }
}

/// Who must be remembered of a habitat.
struct Kin {
    habitat: HabitatId,
    generation: u32,
    living: Vec<CreatureId>,
    honoured: Vec<CreatureId>,
}

impl Kin {
    /// The living, the hall of fame, who has died of late, and ancestors of the living that were born within the last `back`
    /// generations.
    fn kept(&self, lineage: &Lineage, back: u32) -> BTreeSet<CreatureId> {
        let mut kept: BTreeSet<_> = self.living.iter().chain(&self.honoured).copied().collect();
        let of_habitat = (self.habitat, CreatureId(0))..=(self.habitat, CreatureId(u32::MAX));
        let is_fresh = |one: &Ancestry| one.died.is_none_or(|died| died + 2 >= self.generation);
        kept.extend(lineage.creatures.range(of_habitat).filter(|(_, one)| is_fresh(one)).map(|(name, _)| name.1));
        let mut next = self.living.clone();
        while let Some(creature) = next.pop() {
            let Some(one) = lineage.creatures.get(&(self.habitat, creature)) else { continue };
            for parent in one.first_parent.into_iter().chain(one.second_parent) {
                let born = lineage.creatures.get(&(self.habitat, parent)).map(|parent| parent.born);
                if born.is_some_and(|born| born + back >= self.generation) && !kept.contains(&parent) {
                    kept.insert(parent);
                    next.push(parent);
                }
            }
        }
        kept
    }
}

/// Forgets what need not be remembered.
pub(super) fn forget(
    mut retention: ResMut<Retention>,
    mut history: ResMut<History>,
    mut lineage: ResMut<Lineage>,
    habitats: Query<(&Habitat, &Clock, &Creatures, &HallOfFame)>,
) {
    let kin = |(habitat, clock, creatures, hall): (&Habitat, &Clock, &Creatures, &HallOfFame)| Kin {
        habitat: habitat.id,
        generation: clock.generation,
        living: creatures.living.clone(),
        honoured: hall.standing(),
    };
    // Looked at first: who lives is gathered only when it is needed.
    let is_due = history.rows.len() >= retention.due.0 || lineage.creatures.len() >= retention.due.1;
    if !is_due {
        return;
    }
    let now: Vec<_> = habitats.iter().map(kin).collect();
    let done = retention.thin(&mut history).and_then(|()| retention.bury(&mut lineage, &now));
    retention.trouble = done.err().map(|error| error.to_string());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        mind::{Fallback, GenerationBegan, GenerationEnded, Lived},
        protocol::{AgentId, Birth, LifeRecord},
        sim::Ledger,
    };

    const HOME: HabitatId = HabitatId(2);
    const AGENTS: u32 = 4;

    /// A generation of which the first lives on, and whose others are the children of the first two.
    fn live(generation: u32, living: &[CreatureId], next: u32) -> (GenerationEnded, GenerationBegan) {
        let life = |creature: &CreatureId| Lived {
            agent: AgentId(0),
            creature: *creature,
            record: LifeRecord::default(),
            fitness: f64::from(generation),
        };
        let ended = GenerationEnded {
            habitat: HOME,
            clock: Clock { generation, turn: 9 },
            lives: living.iter().map(life).collect(),
            ledger: Ledger::default(),
            fallback: Fallback::default(),
        };
        let birth = |child| Birth { child: CreatureId(child), parents: [living[0], living[1]], share: 0.5 };
        let births: Vec<_> = (next..next + AGENTS - 1).map(birth).collect();
        // Elites are not for ever: every tenth generation is all new but for one of its children.
        let first = if generation.is_multiple_of(10) { living[1] } else { living[0] };
        let living = std::iter::once(first).chain(births.iter().map(|birth| birth.child)).collect();
        (ended, GenerationBegan { habitat: HOME, generation: generation + 1, living, births })
    }

    #[test]
    fn a_week_of_history_stays_within_bounds_and_can_be_used() {
        let folder = tempfile::tempdir().unwrap();
        let (mut history, mut lineage) = (History::default(), Lineage::default());
        let archive = Some(RunFiles::create(folder.path(), false).unwrap());
        let mut retention = Retention { recent: 500, older: 500, kin: 50, archive, ..Retention::default() };
        let champion = CreatureId(7);
        let (mut living, mut most) = ((0..AGENTS).map(CreatureId).collect::<Vec<_>>(), (0, 0));
        let (last, mut lived) = (300_000_u32, AGENTS);
        for generation in 0..last {
            let (ended, begun) = live(generation, &living, lived);
            lived += AGENTS - 1;
            history.rows.push(GenerationRow::from(&ended));
            lineage.note_lives(&ended);
            lineage.note_generation(&begun);
            living = begun.living;
            let kin = [Kin { habitat: HOME, generation, living: living.clone(), honoured: vec![champion] }];
            retention.thin(&mut history).unwrap();
            retention.bury(&mut lineage, &kin).unwrap();
            most = (most.0.max(history.rows.len()), most.1.max(lineage.creatures.len()));
        }
        assert!(most.0 <= 1000 + 250 + 64 && most.1 <= 2 * AGENTS as usize * 53, "{most:?}");
        // The curve goes from the first to the last, without holes at its end.
        let generations: Vec<_> = history.rows.iter().map(|row| row.generation).collect();
        assert!(generations.is_sorted() && generations[0] == 0);
        assert!(generations.ends_with(&(last - 500..last).collect::<Vec<_>>()));
        let steps = generations.windows(2).map(|two| two[1] - two[0]).max().unwrap();
        assert!(steps <= 1024, "{steps}");
        // Everybody's ancestors of the last generations are there, and so is the champion.
        assert!(lineage.creatures.contains_key(&(HOME, champion)));
        for creature in &living {
            let mut line = *creature;
            let mut seen = 0;
            while let Some(parent) = lineage.creatures.get(&(HOME, line)).and_then(|one| one.first_parent) {
                (line, seen) = (parent, seen + 1);
            }
            let born = lineage.creatures.get(&(HOME, line)).map(|one| one.born);
            assert!(seen >= 4 && born.is_none_or(|born| born + 60 >= last - 50), "{seen} {born:?}");
        }
        // And in the folder nothing is missing.
        let files = retention.archive.unwrap();
        files.write_generations(&history.sorted()).unwrap();
        files.write_lineage(&lineage.creatures.values().cloned().collect::<Vec<_>>()).unwrap();
        let lines = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        let rows = lines("generations.csv");
        assert_eq!(rows.lines().count(), last as usize + 1);
        let is_next = |(at, line): (usize, &str)| line.starts_with(&format!("2,{at},9,4,{at}.0,"));
        assert!(rows.lines().skip(1).enumerate().all(is_next));
        assert_eq!(lines("lineage.csv").lines().count(), lived as usize + 1);
    }

    #[test]
    fn rows_are_kept_ever_more_thinly() {
        let retention = Retention { recent: 10, older: 4, ..Retention::default() };
        let kept = |newest| (0..=newest).filter(|one| retention.keeps(*one, newest)).collect::<Vec<_>>();
        assert_eq!(kept(9), (0..10).collect::<Vec<_>>());
        assert_eq!(kept(13), (0..14).collect::<Vec<_>>());
        assert_eq!(kept(14), [&[0, 2, 4][..], &(5..15).collect::<Vec<_>>()].concat());
        assert_eq!(kept(40), [&[0, 8, 16, 24][..], &(31..41).collect::<Vec<_>>()].concat());
    }

    #[test]
    fn nothing_is_forgotten_that_cannot_be_kept_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let files = RunFiles::create(folder.path(), false).unwrap();
        std::fs::create_dir(folder.path().join("older_generations.csv")).unwrap();
        let mut retention = Retention { recent: 1, older: 1, archive: Some(files), ..Retention::default() };
        let row = |generation| GenerationRow { generation, ..GenerationRow::default() };
        let mut history = History::default();
        history.rows.extend((0..100).map(row));
        let error = retention.thin(&mut history).unwrap_err().to_string();
        assert!(error.contains("older_generations.csv cannot be written") && history.rows.len() == 100, "{error}");
    }
}
