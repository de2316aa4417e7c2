//! What the panel *What if* shows.

use crate::protocol::{Counsel, CreatureId, CreatureName};

/// What the panel shows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WhatIfModel {
    /// Who can be asked, in the order of the columns; empty where nobody is selected.
    pub minds: Vec<MindChoice>,
    /// The prompt of the selected agent's last turn.
    pub last_prompt: Option<String>,
    /// Answers that have come, in any order; the latest few are enough, and old ones are ignored.
    pub answers: Vec<Counsel>,
}

/// One who can be asked.
#[derive(Debug, Clone, PartialEq)]
pub struct MindChoice {
    /// What it is to the selected one.
    pub role: Role,
    /// Whose mind it is; `None` is the bare model.
    pub who: Option<CreatureName>,
    /// The name that the person gave it.
    pub title: Option<String>,
    /// Why it cannot be asked, as a clause: "its mind is not kept".
    pub absent: Option<String>,
}

/// What somebody who can be asked is to the selected one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The selected one itself.
    Selected,
    /// The parent with the first share.
    FirstParent,
    /// The other parent.
    SecondParent,
    /// The best that ever lived.
    Champion,
    /// The model without an adapter.
    Bare,
}

impl MindChoice {
    /// What it is, in a word.
    pub(super) const fn role_word(&self) -> &'static str {
        match self.role {
            Role::Selected => "agent",
            Role::FirstParent | Role::SecondParent => "parent",
            Role::Champion => "best",
            Role::Bare => "bare",
        }
    }

    /// What it is and who: `parent 4`, `bare model`.
    pub(super) fn words(&self) -> String {
        let name = self.title.as_deref().filter(|title| !title.is_empty());
        match self.who {
            Some((_, CreatureId(number))) => {
                let of = name.map_or_else(|| number.to_string(), |name| format!("{name} ({number})"));
                format!("{} {of}", self.role_word())
            }
            None if self.role == Role::Bare => "bare model".to_owned(),
            None => self.role_word().to_owned(),
        }
    }

    /// The two lines above its column.
    pub(super) fn heading(&self) -> [String; 2] {
        let second = match self.who {
            Some((_, creature)) => creature.to_string(),
            None if self.role == Role::Bare => "model".to_owned(),
            None => String::new(),
        };
        [self.role_word().to_owned(), second]
    }
}
