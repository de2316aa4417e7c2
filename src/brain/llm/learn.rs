//! Learning: lessons become updates of adapters.

use std::{sync::Arc, time::Instant};

use super::Llm;
use crate::{
    brain::{
        catalog::{TOKENS, row_bytes},
        error::Result,
        learn::{Exercise, HiddenStates, Moments, Slope, Target, Teacher, Uses, norm, update},
        lora::Adapter,
        population::{Mind, Name, Population},
    },
    protocol::{Learned, LearningRule, Lesson, Sample, Train, Trained},
};

/// Lessons in a batch of a small model: tensors stay below the 65,536 numbers from which candle divides work among a pool
/// of its own, whose waiting threads would take the processors from ours.
const SMALL_BATCH: usize = 1;
/// Lessons in a batch of a large model, at most.
const LARGE_BATCH: usize = 8;

/// Lessons that are under way at the same time. Every one of them has its mind twice, as it was and as it becomes, until all of
/// them are over.
const AT_ONCE: usize = 64;

const fn name(lesson: &Lesson) -> Name {
    (lesson.habitat, lesson.creature)
}

/// A lesson under way: the adapter and the moments as they become, and what is told of them.
struct Pupil<'a> {
    lesson: &'a Lesson,
    adapter: Adapter,
    moments: Moments,
    learned: Learned,
    /// Updates that it has had before.
    steps: u64,
}

impl Llm {
    /// Lets everybody learn who has a lesson. Whoever's numbers would not be finite learns nothing, and says so.
    pub fn train(&mut self, train: &Train) -> Trained {
        let begun = Instant::now();
        let most = self.lessons_at_once(train);
        // As when deciding, a batch holds agents of one habitat; they have one rule.
        let habitats = train.lessons.chunk_by(|a, b| a.habitat == b.habitat);
        let batches: Vec<_> = habitats.flat_map(|habitat| habitat.chunks(most)).collect();
        let mut learned = Vec::with_capacity(train.lessons.len());
        // What a step keeps for its way back has the room that adapters of those have who do nothing meanwhile.
        self.make_room();
        // Of a large model one batch is dealt with after the other anyway.
        let at_once = if self.is_small() { AT_ONCE / most } else { 1 };
        for some in batches.chunks(at_once) {
            self.train_some(some, &mut learned);
        }
        // What was read with an older adapter is not what the new one would have read.
        for report in &learned {
            self.prefixes.remove(&(report.habitat, report.creature));
        }
        self.shelf.note_hidden(self.hidden_uses().unwrap_or_default());
        Trained { learned, elapsed: begun.elapsed() }
    }

    /// Puts everybody's adapters aside, where there is a place for them.
    fn make_room(&self) {
        let aside = |population: &mut Population| Ok(population.put_adapters_aside(&self.offload, self.trains_a()));
        if self.offload.is_there()
            && let Ok((bytes, _)) = self.shelf.moving(aside)
        {
            self.shelf.note_aside(bytes);
        }
    }

    /// How often hidden states below the lowest adapter were there, and were not, if any are kept.
    pub fn hidden_uses(&self) -> Option<Uses> {
        self.hidden.as_ref().map(HiddenStates::uses)
    }

    const fn room(&self) -> usize {
        (self.plan.activations as usize) << 20
    }

    /// Lessons in a batch: of a large model as many as leave behind no more than there is room for, by an estimate.
    fn lessons_at_once(&self, train: &Train) -> usize {
        if self.is_small() {
            return SMALL_BATCH;
        }
        let samples = train.lessons.iter().flat_map(|lesson| &lesson.steps).map(Vec::len).max().unwrap_or(0);
        let layers = self.loaded.model.layers() - self.layout.lowest().unwrap_or(0);
        let lesson = samples * TOKENS as usize * layers * row_bytes(&self.loaded.model.shape());
        (self.room() / lesson.max(1)).clamp(1, LARGE_BATCH)
    }

    /// Some batches of lessons, and what came of each lesson.
    fn train_some(&self, batches: &[&[Lesson]], learned: &mut Vec<Learned>) {
        let population = self.shelf.open();
        // Whoever has experience has been asked, and so has a mind.
        let known = |lesson| Some((lesson, population.minds.get(&name(lesson))?.clone()));
        let classes: Vec<Vec<_>> = batches.iter().map(|batch| batch.iter().filter_map(known).collect()).collect();
        drop(population);
        let taught: Vec<Vec<_>> = self.think_through_each(classes, |class| {
            let mut pupils: Vec<_> = class.into_iter().map(|(lesson, mind)| Pupil::of(lesson, &mind)).collect();
            self.teach(&mut pupils);
            pupils
        });
        let aside = |Pupil { lesson, adapter, moments, mut learned, steps }| {
            let is_new = learned.refused.is_none() && moments.steps > steps;
            if !is_new {
                // Steps before the one that was refused are taken back, too.
                learned.version = steps;
            }
            let new = is_new.then(|| (self.put_aside(&adapter.into()), Arc::new(self.offload.moments(moments))));
            (name(lesson), new, learned)
        };
        let taught: Vec<_> = taught.into_iter().flatten().map(aside).collect();
        let mut population = self.shelf.open();
        for (name, new, report) in taught {
            if let Some((mind, (adapter, moments))) = population.minds.get_mut(&name).zip(new) {
                (mind.adapter, mind.moments) = (adapter, moments);
            }
            learned.push(report);
        }
    }

    /// All steps of a batch's lessons.
    fn teach(&self, pupils: &mut [Pupil]) {
        let Some(rule) = pupils.first().map(|pupil| pupil.lesson.rule) else { return };
        let rule = &rule;
        let steps = pupils.iter().map(|pupil| pupil.lesson.steps.len()).max().unwrap_or(0);
        for step in 0..steps {
            let has_step = |pupil: &&mut Pupil| {
                pupil.learned.refused.is_none()
                    && pupil.lesson.steps.get(step).is_some_and(|samples| !samples.is_empty())
            };
            let mut present: Vec<_> = pupils.iter_mut().filter(has_step).collect();
            if present.is_empty() {
                continue;
            }
            let samples: Vec<&[Sample]> = present.iter().map(|pupil| pupil.lesson.steps[step].as_slice()).collect();
            let adapters: Vec<&Adapter> = present.iter().map(|pupil| &pupil.adapter).collect();
            match self.slopes_of(&samples, &adapters, rule) {
                Ok(slopes) => {
                    for (pupil, slope) in present.iter_mut().zip(slopes) {
                        pupil.learned.samples += pupil.lesson.steps[step].len() as u32;
                        self.move_on(pupil, &slope, rule);
                    }
                }
                Err(error) => present.iter_mut().for_each(|pupil| pupil.learned.refused = Some(error.to_string())),
            }
        }
    }

    fn slopes_of(&self, samples: &[&[Sample]], adapters: &[&Adapter], rule: &LearningRule) -> Result<Vec<Slope>> {
        let encode = |sample: &Sample| self.loaded.tokenizer.encode(&sample.prompt);
        let prompts: Vec<Vec<_>> =
            samples.iter().map(|samples| samples.iter().map(encode).collect()).collect::<Result<_>>()?;
        let target = |sample: &Sample| Target {
            reply: sample.action.index(),
            weight: sample.weight,
            log_acted: sample.log_acted,
        };
        let targets: Vec<Vec<_>> = samples.iter().map(|samples| samples.iter().map(target).collect()).collect();
        let exercise = |((adapter, prompts), targets)| Exercise { adapter, prompts, targets };
        let exercises: Vec<_> = adapters
            .iter()
            .copied()
            .zip(prompts.iter().map(Vec::as_slice))
            .zip(targets.iter().map(Vec::as_slice))
            .map(exercise)
            .collect();
        let teacher = Teacher {
            model: &self.loaded.model,
            scorer: &self.scorer,
            layout: &self.layout,
            with_a: self.trains_a(),
            room: if self.is_small() { usize::MAX } else { self.room() },
            hidden: self.hidden.as_ref(),
            activations: self.shelf.activations(),
        };
        teacher.slopes(rule, &exercises)
    }

    /// One update of one mind.
    fn move_on(&self, pupil: &mut Pupil, slope: &Slope, rule: &LearningRule) {
        let report = &mut pupil.learned;
        (report.loss, report.entropy) = (slope.loss, slope.entropy);
        report.kl = (rule.kl > 0.0).then_some(slope.kl);
        report.gradient = norm(&slope.gradient);
        if !slope.loss.is_finite() {
            report.refused = Some(format!("its loss is {}", slope.loss));
            return;
        }
        match update(&pupil.adapter, &pupil.moments, &slope.gradient, rule, self.trains_a()) {
            Ok((adapter, moments)) => {
                report.version = moments.steps;
                (pupil.adapter, pupil.moments) = (adapter, moments);
            }
            Err(why) => report.refused = Some(why),
        }
    }
}

impl<'a> Pupil<'a> {
    /// Somebody with a lesson. Whose adapter cannot be read any more learns nothing.
    fn of(lesson: &'a Lesson, mind: &Mind) -> Self {
        let mut learned = blank_report(lesson, mind);
        let adapter = mind.adapter.read().unwrap_or_else(|error| {
            learned.refused = Some(error.to_string());
            Adapter { pairs: Vec::new() }
        });
        let (moments, steps) = (Moments::clone(&mind.moments), mind.moments.steps);
        Self { lesson, adapter, moments, learned, steps }
    }
}

fn blank_report(lesson: &Lesson, mind: &Mind) -> Learned {
    Learned {
        habitat: lesson.habitat,
        creature: lesson.creature,
        loss: 0.0,
        entropy: 0.0,
        kl: None,
        gradient: 0.0,
        version: mind.moments.steps,
        samples: 0,
        refused: None,
    }
}
