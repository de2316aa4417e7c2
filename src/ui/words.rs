//! How panels write what the protocol names: outcomes, creatures, shares, rewards. Actions are called as the grammar calls them.
//!
//! This module does *not* know any panel.

use crate::protocol::{CreatureName, Outcome, Thing};

/// What is shown where there is no number.
pub(super) const NOTHING: &str = "–";

/// What came of an act.
pub(super) const fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Moved => "moved",
        Outcome::Bumped => "bumped",
        Outcome::PickedUp => "picked up",
        Outcome::Delivered => "delivered",
        Outcome::AteHungry => "ate, hungry",
        Outcome::AteSated => "ate, sated",
        Outcome::Waited => "waited",
        Outcome::Invalid => "invalid",
        Outcome::Unreadable => "unreadable",
    }
}

/// What can be carried.
pub(super) const fn thing_word(thing: Thing) -> &'static str {
    match thing {
        Thing::Home => "home",
        Thing::Food => "food",
        Thing::Wall => "wall",
        Thing::Edge => "edge",
        Thing::Agent => "agent",
    }
}

/// A creature by its number, with its habitat where there are several: `17`, or `2 · 17`.
pub(super) fn number_of((habitat, creature): CreatureName, several: bool) -> String {
    if several { format!("{habitat} · {creature}") } else { creature.to_string() }
}

/// A creature by its name, if it has one, and its number: `17`, or `Ada (17)`.
pub(super) fn called(name: CreatureName, title: Option<&str>, several: bool) -> String {
    let number = number_of(name, several);
    title.filter(|title| !title.is_empty()).map_or_else(|| number.clone(), |title| format!("{title} ({number})"))
}

/// A number whose sign is always to be seen, with two decimals: `+1.00`, `−0.10`, `0.00`.
pub(super) fn signed(value: f64) -> String {
    let text = format!("{:.2}", value.abs());
    let is_zero = !text.bytes().any(|byte| (b'1'..=b'9').contains(&byte));
    match value {
        _ if !value.is_finite() => NOTHING.to_owned(),
        _ if is_zero => text,
        value if value < 0.0 => format!("−{text}"),
        _ => format!("+{text}"),
    }
}

/// A probability in per cent, with one decimal.
pub(super) fn percent(share: f32) -> String {
    if share.is_finite() { format!("{:.1} %", share * 100.0) } else { NOTHING.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{CreatureId, HabitatId};

    #[test]
    fn a_creature_is_called_by_its_name_and_number() {
        let name = (HabitatId(2), CreatureId(17));
        assert_eq!(called(name, None, false), "17");
        assert_eq!(called(name, Some(""), true), "2 · 17");
        assert_eq!(called(name, Some("Ada"), false), "Ada (17)");
    }

    #[test]
    fn signs_are_to_be_seen() {
        let written = [1.0, -0.1, 0.0, -0.001, 12.345, f64::NAN].map(signed);
        assert_eq!(written, ["+1.00", "−0.10", "0.00", "0.00", "+12.35", "–"]);
        assert_eq!([0.6213, 0.0, 1.0, f32::NAN].map(percent), ["62.1 %", "0.0 %", "100.0 %", "–"]);
    }
}
