//! What the person must know: what went wrong, and where the run is.

use bevy::prelude::*;

use super::Ring;
use crate::{
    mind::{GenerationBegan, GenerationEnded, WorkerState},
    protocol::HabitatId,
    sim::{Clock, Habitat},
};

/// Notices that are kept.
const KEPT: usize = 500;

/// How much a notice matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeKind {
    /// Where the run is.
    Info,
    /// Something went wrong.
    Warning,
}

/// A sentence for the person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Its number since the start, from 0.
    pub number: u64,
    /// How much it matters.
    pub kind: NoticeKind,
    /// The sentence.
    pub text: String,
    /// How often in a row it was said.
    pub count: u32,
    /// The habitat that it is about, where it is about one.
    pub habitat: Option<HabitatId>,
    /// The generation and the turn of that habitat, or of the first one, when it was said last.
    pub at: (u32, u32),
}

/// The last 500 notices.
#[derive(Resource, Debug, Clone)]
pub struct Notices {
    /// The notices, oldest first.
    pub list: Ring<Notice>,
    /// How many there have been since the start.
    pub total: u64,
    /// The worker's complaints that have been heard.
    heard: u64,
}

impl Default for Notices {
    fn default() -> Self {
        Self { list: Ring::new(KEPT), total: 0, heard: 0 }
    }
}

impl Notices {
    /// Notes a sentence, said at a generation and a turn; the same one again is counted.
    pub fn say(&mut self, kind: NoticeKind, text: String, habitat: Option<HabitatId>, at: (u32, u32)) {
        let is_same = |last: &&mut Notice| (last.kind, last.habitat, &last.text) == (kind, habitat, &text);
        if let Some(last) = self.list.items.back_mut().filter(is_same) {
            (last.count, last.at) = (last.count + 1, at);
            return;
        }
        self.list.push(Notice { number: self.total, kind, text, count: 1, habitat, at });
        self.total += 1;
    }
}

/// Notes what went wrong with the minds, each complaint once.
pub(super) fn hear_complaints(
    state: Res<WorkerState>,
    habitats: Query<(&Habitat, &Clock)>,
    mut notices: ResMut<Notices>,
) {
    // A new worker's complaints are counted anew.
    if state.complaints() < notices.heard {
        notices.heard = 0;
    }
    if state.complaints() == notices.heard {
        return;
    }
    let first = habitats.iter().min_by_key(|(habitat, _)| habitat.id);
    let at = first.map_or((0, 0), |(_, clock)| (clock.generation, clock.turn));
    let all: Vec<_> = state.complaints_after(notices.heard).map(|(_, text)| text.to_owned()).collect();
    notices.heard = state.complaints();
    all.into_iter().for_each(|text| notices.say(NoticeKind::Warning, text, None, at));
}

/// Notes generations that end and begin.
pub(super) fn note_generations(
    mut ended: MessageReader<GenerationEnded>,
    mut begun: MessageReader<GenerationBegan>,
    mut notices: ResMut<Notices>,
) {
    for GenerationEnded { habitat, clock, lives, .. } in ended.read() {
        let mean = lives.iter().map(|life| life.fitness).sum::<f64>() / lives.len().max(1) as f64;
        let best = lives.iter().map(|life| life.fitness).fold(f64::NEG_INFINITY, f64::max);
        let text = format!("Generation {} has ended: mean fitness {mean:.1}, best {best:.1}.", clock.generation);
        notices.say(NoticeKind::Info, text, Some(*habitat), (clock.generation, clock.turn));
    }
    for GenerationBegan { habitat, generation, births, .. } in begun.read() {
        let text = format!("Generation {generation} has begun: {} born.", births.len());
        notices.say(NoticeKind::Info, text, Some(*habitat), (*generation, 0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_sentence_is_counted_and_the_list_is_bounded() {
        let mut notices = Notices::default();
        let mut say = |text: &str, turn| notices.say(NoticeKind::Warning, text.to_owned(), None, (0, turn));
        [("a", 1), ("a", 2), ("b", 3), ("a", 4)].into_iter().for_each(|(text, turn)| say(text, turn));
        let all: Vec<_> = notices.list.iter().map(|one| (one.text.as_str(), one.count, one.at.1)).collect();
        assert_eq!(all, [("a", 2, 2), ("b", 1, 3), ("a", 1, 4)]);
        (0..600).for_each(|i| notices.say(NoticeKind::Info, i.to_string(), None, (0, 0)));
        assert_eq!((notices.list.len(), notices.total), (500, 603));
        assert_eq!(notices.list.last().map(|one| one.number), Some(602));
    }
}
