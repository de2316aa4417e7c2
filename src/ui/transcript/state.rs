//! What the panel remembers by itself: the filter, and which lines have passed it.

use std::{collections::VecDeque, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    filter::{Filter, Sieve},
    lines::{KeptLines, TranscriptSource},
};
use crate::protocol::CreatureName;

/// What the panel remembers by itself.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TranscriptState {
    /// Which lines are to be seen.
    pub filter: Filter,
    /// The lines that are held still.
    #[serde(skip)]
    pub(super) frozen: Option<Arc<KeptLines>>,
    /// The line that was clicked last.
    #[serde(skip)]
    pub(super) marked: Option<u64>,
    /// The numbers of the lines that have passed the filter, in order.
    #[serde(skip)]
    found: VecDeque<u64>,
    /// The number of the first line that has not been looked at.
    #[serde(skip)]
    next: u64,
    /// What they were held against.
    #[serde(skip)]
    sieved: Option<(Filter, Option<CreatureName>)>,
}

impl TranscriptState {
    /// The numbers of the lines that are to be seen.
    pub(super) const fn found(&self) -> &VecDeque<u64> {
        &self.found
    }

    /// Looks at lines that have come since the last time; at all of them only if the filter has changed, or lines have begun anew.
    pub(super) fn refresh(&mut self, source: &dyn TranscriptSource, selected: Option<CreatureName>) {
        // Whoever is selected matters only where the filter asks.
        let selected = selected.filter(|_| self.filter.selected_only);
        let span = source.span();
        let is_same = self.sieved.as_ref().is_some_and(|(filter, who)| *filter == self.filter && *who == selected);
        if !is_same || span.end < self.next {
            self.found.clear();
            self.next = span.start;
            self.sieved = Some((self.filter.clone(), selected));
        }
        while self.found.front().is_some_and(|first| *first < span.start) {
            self.found.pop_front();
        }
        let from = self.next.max(span.start);
        if from >= span.end {
            return;
        }
        let mut sieve = Sieve::new(&self.filter, selected);
        for number in from..span.end {
            if source.line(number).is_some_and(|line| sieve.lets_pass(&line)) {
                self.found.push_back(number);
            }
        }
        self.next = span.end;
    }

    /// Holds the lines still, or lets them go on.
    pub(super) fn hold(&mut self, source: &dyn TranscriptSource) {
        self.frozen = match self.frozen {
            Some(_) => None,
            None => Some(Arc::new(KeptLines::copy_of(source))),
        };
    }

    /// All lines that are to be seen, with tabs between their columns.
    pub(super) fn copy(&self, source: &dyn TranscriptSource, several: bool) -> String {
        let lines = self.found.iter().filter_map(|number| source.line(*number));
        let mut text = "generation\tturn\tagent\tprompt\treply\taction\treward\tprobability".to_owned();
        for line in lines {
            text.push('\n');
            text.push_str(&line.as_text(several));
        }
        text
    }
}
