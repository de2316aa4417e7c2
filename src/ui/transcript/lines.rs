//! Lines of the transcript, and where they are kept.

use std::{collections::VecDeque, ops::Range};

use crate::{
    language::action_phrase,
    protocol::{Action, CreatureId, CreatureName},
    ui::words::{NOTHING, called, percent, signed},
};

/// One turn of one agent, borrowed from where it is kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TranscriptLine<'a> {
    /// The generation.
    pub generation: u32,
    /// The turn in it.
    pub turn: u32,
    /// Whose turn.
    pub who: CreatureName,
    /// The name that the person gave it.
    pub title: Option<&'a str>,
    /// Its founder: the number gives the colour of its line.
    pub line: CreatureId,
    /// What it was told; empty for minds that do not read.
    pub prompt: &'a str,
    /// What it said.
    pub reply: &'a str,
    /// What it did.
    pub action: Action,
    /// What it got.
    pub reward: f64,
    /// Probability of what it did; `None` where nothing was weighed.
    pub probability: Option<f32>,
    /// Whether `rules` decided in the mind's stead.
    pub stood_in: bool,
}

impl TranscriptLine<'_> {
    /// The line with tabs between its columns.
    pub(super) fn as_text(&self, several: bool) -> String {
        let probability = self.probability.map_or_else(|| NOTHING.to_owned(), percent);
        [
            &self.generation.to_string(),
            &self.turn.to_string(),
            &called(self.who, self.title, several),
            self.prompt,
            self.reply,
            action_phrase(self.action),
            &signed(self.reward),
            &probability,
        ]
        .join("\t")
    }
}

/// Where lines are kept. A line keeps its number for as long as it is kept; the next has the next number.
pub trait TranscriptSource {
    /// The numbers of the lines that are kept.
    fn span(&self) -> Range<u64>;

    /// The line with this number; `None` where it is not kept.
    fn line(&self, number: u64) -> Option<TranscriptLine<'_>>;
}

/// A line that owns its words.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptLine {
    /// The generation and the turn in it.
    pub at: (u32, u32),
    /// Whose turn.
    pub who: CreatureName,
    /// The name that the person gave it.
    pub title: Option<Box<str>>,
    /// Its founder.
    pub line: CreatureId,
    /// What it was told.
    pub prompt: Box<str>,
    /// What it said.
    pub reply: Box<str>,
    /// What it did.
    pub action: Action,
    /// What it got.
    pub reward: f64,
    /// Probability of what it did.
    pub probability: Option<f32>,
    /// Whether `rules` decided in the mind's stead.
    pub stood_in: bool,
}

impl From<TranscriptLine<'_>> for KeptLine {
    fn from(line: TranscriptLine<'_>) -> Self {
        Self {
            at: (line.generation, line.turn),
            who: line.who,
            title: line.title.map(Into::into),
            line: line.line,
            prompt: line.prompt.into(),
            reply: line.reply.into(),
            action: line.action,
            reward: line.reward,
            probability: line.probability,
            stood_in: line.stood_in,
        }
    }
}

/// Lines in memory: as many as there is room for, the oldest out first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct KeptLines {
    first: u64,
    lines: VecDeque<KeptLine>,
}

impl KeptLines {
    /// Adds a line, and forgets the oldest beyond `most`.
    pub fn push(&mut self, line: KeptLine, most: usize) {
        self.lines.push_back(line);
        while self.lines.len() > most {
            self.lines.pop_front();
            self.first += 1;
        }
    }

    /// A copy of all lines of `source`, with their numbers.
    pub fn copy_of(source: &dyn TranscriptSource) -> Self {
        let span = source.span();
        Self { first: span.start, lines: span.filter_map(|number| source.line(number)).map(Into::into).collect() }
    }
}

impl TranscriptSource for KeptLines {
    fn span(&self) -> Range<u64> {
        self.first..self.first + self.lines.len() as u64
    }

    fn line(&self, number: u64) -> Option<TranscriptLine<'_>> {
        let at = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.lines.get(at).map(|line| TranscriptLine {
            generation: line.at.0,
            turn: line.at.1,
            who: line.who,
            title: line.title.as_deref(),
            line: line.line,
            prompt: &line.prompt,
            reply: &line.reply,
            action: line.action,
            reward: line.reward,
            probability: line.probability,
            stood_in: line.stood_in,
        })
    }
}
