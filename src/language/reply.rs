//! Reads an action out of what a person or a model wrote.

use super::grammar::{NEGATIONS, SYNONYMS, action_phrase};
use crate::protocol::Action;

/// Why no action can be read out of a reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// There are no words in it.
    #[error("The reply is empty; one of the eight actions was expected, for example \"move north\".")]
    Empty,
    /// None of its words names an action.
    #[error("The reply \"{0}\" names no action; one of {list} was expected.", list = all_phrases())]
    Unknown(String),
    /// It names two actions at once.
    #[error("The reply \"{reply}\" names two actions, \"{}\" and \"{}\"; exactly one was expected.", action_phrase(*.first), action_phrase(*.second))]
    Ambiguous {
        /// The reply.
        reply: String,
        /// The action named first.
        first: Action,
        /// The other one.
        second: Action,
    },
    /// It says what not to do.
    #[error("The reply \"{0}\" says what not to do; what to do was expected.")]
    Negated(String),
}

fn all_phrases() -> String {
    Action::ALL.map(action_phrase).join(", ")
}

/// The action that a reply names: `move north`, `Move North.`, `go north`, `north`, `pick up food`, `move_north`.
///
/// The first clause that names or denies an action counts, up to a full stop, comma, line break or "then"; what a model
/// says before it ("Okay.") and after it is passed over. A "right" that opens a longer reply is no direction.
///
/// # Errors
/// Nothing said, no action named, two named at once, or one denied.
pub fn parse_reply(reply: &str) -> Result<Action, ReplyError> {
    let all = clauses(reply);
    if all.is_empty() {
        return Err(ReplyError::Empty);
    }
    let mut read: Vec<_> = all.iter().map(|clause| (clause, read_clause(clause, reply))).collect();
    read.retain(|(_, read)| !matches!(read, Err(ReplyError::Unknown(_))));
    let skipped = usize::from(read.len() > 1 && read[0].0 == "right");
    read.into_iter().nth(skipped).map_or_else(|| Err(ReplyError::Unknown(shortened(reply))), |(_, read)| read)
}

/// As much of a reply as an error message can hold.
fn shortened(reply: &str) -> String {
    reply.trim().chars().take(80).collect()
}

/// The action that one clause names.
fn read_clause(clause: &str, reply: &str) -> Result<Action, ReplyError> {
    let words: Vec<&str> = clause.split(' ').collect();
    let mut found = None;
    let mut at = 0;
    while at < words.len() {
        if NEGATIONS.contains(&words[at]) {
            return Err(ReplyError::Negated(shortened(reply)));
        }
        let Some((action, length)) = longest_match(&words[at..]) else {
            at += 1;
            continue;
        };
        at += length;
        match found {
            None => found = Some(action),
            Some(first) if first != action => {
                return Err(ReplyError::Ambiguous { reply: shortened(reply), first, second: action });
            }
            Some(_) => {}
        }
    }
    found.ok_or_else(|| ReplyError::Unknown(shortened(reply)))
}

/// The clauses that have words, in lower case, words divided by single spaces.
fn clauses(reply: &str) -> Vec<String> {
    let lower = reply.to_lowercase().replace(" then ", ".");
    let clean = |c: char| c.is_alphanumeric() || "↑↓→←'".contains(c);
    let clauses = lower.split(['.', ',', ';', '!', '?', '\n', ':']).map(|clause| {
        let spaced: String = clause.chars().map(|c| if clean(c) { c } else { ' ' }).collect();
        spaced.split_whitespace().filter(|word| *word != "action").collect::<Vec<_>>().join(" ")
    });
    clauses.filter(|clause| !clause.is_empty()).collect()
}

/// The action named by the longest phrase that `words` begin with, and the number of its words.
fn longest_match(words: &[&str]) -> Option<(Action, usize)> {
    let begins = |phrase: &str| {
        let count = phrase.split(' ').count();
        (count <= words.len() && phrase.split(' ').eq(words[..count].iter().copied())).then_some(count)
    };
    let matches = SYNONYMS.iter().filter_map(|(phrase, action)| Some((*action, begins(phrase)?)));
    matches.max_by_key(|(_, length)| *length)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::Direction::{East, North, South, West};

    #[test]
    fn what_people_and_models_write() {
        let cases = [
            ("move north", Action::Move(North)),
            ("Move North.", Action::Move(North)),
            ("go north", Action::Move(North)),
            ("north", Action::Move(North)),
            (" NORTH!\nAt (5,4), E79", Action::Move(North)),
            ("move_south", Action::Move(South)),
            ("I will go to the east, then wait", Action::Move(East)),
            ("Action: move west", Action::Move(West)),
            ("move ↑", Action::Move(North)),
            ("go left", Action::Move(West)),
            ("walk up", Action::Move(North)),
            ("pick up", Action::PickUp),
            ("pick up food", Action::PickUp),
            ("Pick up the food.", Action::PickUp),
            ("pick_up", Action::PickUp),
            ("pick it up", Action::PickUp),
            ("grab the food", Action::PickUp),
            ("drop", Action::Drop),
            ("drop the food here", Action::Drop),
            ("put it down", Action::Drop),
            ("eat food", Action::Eat),
            ("Eat.", Action::Eat),
            ("wait", Action::Wait),
            ("stay here", Action::Wait),
            ("do nothing", Action::Wait),
            ("\"move north\"", Action::Move(North)),
            ("move north and keep going north", Action::Move(North)),
            ("Sure, move north", Action::Move(North)),
            ("Okay. Move north.", Action::Move(North)),
            ("Answer: north", Action::Move(North)),
            ("Right, move north", Action::Move(North)),
            ("right", Action::Move(East)),
            ("move north, not south", Action::Move(North)),
        ];
        for (reply, action) in cases {
            assert_eq!(parse_reply(reply), Ok(action), "{reply}");
        }
    }

    #[test]
    fn every_phrase_of_the_grammar_is_understood() {
        for action in Action::ALL {
            assert_eq!(parse_reply(action_phrase(action)), Ok(action));
        }
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let message = |reply| parse_reply(reply).unwrap_err().to_string();
        assert!(message(" \n. ").contains("is empty"));
        assert!(message("Once upon a time").contains("\"Once upon a time\" names no action; one of move north,"));
        assert!(message("north or south").contains("two actions, \"move north\" and \"move south\""));
        assert!(message("do not eat").contains("says what not to do"));
        assert!(message("don't move north").contains("says what not to do"));
    }

    proptest! {
        #[test]
        fn no_reply_makes_it_panic(reply in ".{0,80}") {
            let _ = parse_reply(&reply);
        }
    }
}
