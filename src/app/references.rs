//! What `rules` and `random` reach on the very maps that a run lives on, to be drawn beside its curve.
//!
//! Maps, food, starting cells and everybody's random streams depend on the seed, the habitat and the generation alone, so that
//! any generation can be lived without those before it. That is done on a thread of its own.
//!
//! Settings that changed in the middle of a generation are taken as they were when it began.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    thread::JoinHandle,
};

use bevy::prelude::*;
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded, unbounded};

use super::{error::AppError, habitats::HabitatPlan, headless::Simulation, minds::spawn_worker};
use crate::{
    config::{MindKind, RunConfig},
    protocol::{HabitatId, Streams},
    record::GenerationRow,
    sim::{Clock, Habitat, repopulate},
};

/// Generations that may wait to be lived.
const WAITING: usize = 64;
/// Results that are kept.
const KEPT: usize = 16_384;

/// Mean fitness of the scripted minds on one map.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reference {
    /// That of `rules`.
    pub rules: f64,
    /// That of `random`.
    pub random: f64,
}

/// What a scripted mind reaches in one generation of a habitat, which is lived alone and from its beginning.
///
/// # Errors
/// The settings cannot be used, or the system has no thread to give.
pub fn scripted_generation(
    config: &RunConfig,
    streams: Streams,
    generation: u32,
    mind: MindKind,
) -> Result<GenerationRow, AppError> {
    let mut config = config.clone();
    (config.mind.kind, config.run.habitats) = (mind, 1);
    config.run.generations = generation.saturating_add(1);
    let minds = spawn_worker(&config)?;
    let plan = HabitatPlan { id: streams.habitat, streams, config: Arc::new(config.clone()), minds: Vec::new() };
    let mut simulation = Simulation::with_habitats(&config, vec![plan], minds)?;
    if let Some(before) = generation.checked_sub(1) {
        let world = simulation.world_mut();
        let habitats: Vec<Entity> = world.query_filtered::<Entity, With<Habitat>>().iter(world).collect();
        for habitat in habitats {
            world.entity_mut(habitat).insert(Clock { generation: before, turn: 0 });
            repopulate(world, habitat);
        }
    }
    let rows = simulation.run()?.rows;
    rows.into_iter().next().ok_or_else(|| AppError::Mind("The generation has left no row.".to_owned()))
}

/// One generation that is to be lived by the scripted minds.
struct Question {
    habitat: HabitatId,
    generation: u32,
    streams: Streams,
    config: Arc<RunConfig>,
}

type Answer = ((HabitatId, u32), Option<Reference>);

/// The scripted minds' results, by habitat and generation, and the thread that finds them.
#[derive(Resource)]
pub struct References {
    known: BTreeMap<(HabitatId, u32), Option<Reference>>,
    asked: BTreeSet<(HabitatId, u32)>,
    questions: Option<Sender<Question>>,
    answers: Receiver<Answer>,
    thread: Option<JoinHandle<()>>,
}

impl References {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn start() -> std::io::Result<Self> {
        let (questions, inbox) = bounded::<Question>(WAITING);
        let (outbox, answers) = unbounded();
        let thread = std::thread::Builder::new().name("evolora-references".to_owned());
        let thread = thread.spawn(move || {
            for Question { habitat, generation, streams, config } in inbox {
                let live = |mind| scripted_generation(&config, streams, generation, mind).map(|row| row.mean_fitness);
                let found =
                    live(MindKind::Rules).and_then(|rules| Ok(Reference { rules, random: live(MindKind::Random)? }));
                if outbox.send(((habitat, generation), found.ok())).is_err() {
                    return;
                }
            }
        })?;
        let (known, asked) = (BTreeMap::new(), BTreeSet::new());
        Ok(Self { known, asked, questions: Some(questions), answers, thread: Some(thread) })
    }

    /// Asks for a generation, unless it is known or has been asked for. `config` are the settings with which it began. Never
    /// waits: where too many are asked for it is forgotten, and may be asked for again. True if the answer is there or will
    /// come.
    pub fn ask(&mut self, habitat: &Habitat, generation: u32, config: &Arc<RunConfig>) -> bool {
        let key = (habitat.id, generation);
        if self.known.contains_key(&key) || self.asked.contains(&key) {
            return true;
        }
        let question =
            Question { habitat: habitat.id, generation, streams: habitat.streams, config: Arc::clone(config) };
        let Some(questions) = &self.questions else { return false };
        match questions.try_send(question) {
            Ok(()) => self.asked.insert(key),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
        }
    }

    /// Takes in what has been found; true if there is anything new. For every frame.
    pub fn poll(&mut self) -> bool {
        let mut is_new = false;
        while let Ok((key, reference)) = self.answers.try_recv() {
            self.asked.remove(&key);
            self.known.insert(key, reference);
            is_new = true;
        }
        while self.known.len() > KEPT {
            // Every second of each habitat, so that a curve can still be drawn.
            let mut at = 0_usize;
            self.known.retain(|_, _| {
                at += 1;
                at % 2 == 1
            });
        }
        is_new
    }

    /// What the scripted minds reached in a generation of a habitat, if that is known.
    pub fn of(&self, habitat: HabitatId, generation: u32) -> Option<Reference> {
        self.known.get(&(habitat, generation)).copied().flatten()
    }

    /// All that is known of a habitat, by generation.
    pub fn all(&self, habitat: HabitatId) -> impl Iterator<Item = (u32, Reference)> {
        let known = self.known.range((habitat, 0)..=(habitat, u32::MAX));
        known.filter_map(|((_, generation), reference)| Some((*generation, (*reference)?)))
    }
}

impl Drop for References {
    /// Lets the thread end after the generation that it lives just now; nobody waits for it.
    fn drop(&mut self) {
        self.questions = None;
        drop(self.thread.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(mind: MindKind) -> RunConfig {
        let mut config = RunConfig::default();
        (config.mind.kind, config.run.generations, config.run.turns) = (mind, 4, 60);
        (config.run.habitats, config.run.first_habitat, config.habitat.regrow_turns) = (2, 3, 2);
        (config.energy.start, config.habitat.agents) = (40.0, 6);
        config
    }

    #[test]
    fn any_generation_is_lived_bit_for_bit_without_those_before_it() {
        for mind in [MindKind::Rules, MindKind::Random] {
            let rows = Simulation::new(config(mind)).unwrap().run().unwrap().rows;
            assert_eq!(rows.len(), 8);
            for row in rows {
                let streams = Streams { seed: 42, habitat: row.habitat, unseen: false };
                let alone = scripted_generation(&config(MindKind::Llm), streams, row.generation, mind).unwrap();
                assert_eq!(alone, row, "{mind}");
            }
        }
    }

    #[test]
    fn generations_are_asked_for_without_waiting() {
        let mut references = References::start().unwrap();
        let streams = Streams { seed: 42, habitat: HabitatId(3), unseen: false };
        let (habitat, shared) = (Habitat { id: HabitatId(3), streams }, Arc::new(config(MindKind::Llm)));
        assert!(references.ask(&habitat, 2, &shared) && references.ask(&habitat, 2, &shared), "once");
        assert_eq!(references.of(HabitatId(3), 2), None);
        let mut asked = 1;
        while references.ask(&habitat, 2 + asked, &shared) {
            asked += 1;
        }
        assert!((WAITING as u32..=WAITING as u32 + 8).contains(&asked), "then it is full: {asked}");
        while references.of(HabitatId(3), 2).is_none() {
            references.poll();
            std::thread::yield_now();
        }
        let alone = |mind| scripted_generation(&shared, streams, 2, mind).unwrap().mean_fitness;
        let expected = Reference { rules: alone(MindKind::Rules), random: alone(MindKind::Random) };
        assert_eq!(references.of(HabitatId(3), 2), Some(expected));
        assert_eq!(references.all(HabitatId(3)).next(), Some((2, expected)));
        assert!(expected.rules > expected.random);
    }
}
