//! The reward of an act, from the table in the settings.

use crate::{config::RewardSettings, protocol::Outcome};

/// Reward of one turn that had this outcome: the turn's own cost and the act's row.
pub const fn reward_of(outcome: Outcome, table: &RewardSettings) -> f64 {
    table.turn
        + match outcome {
            Outcome::Moved => 0.0,
            Outcome::Bumped => table.bump,
            Outcome::PickedUp => table.pick_up,
            Outcome::Delivered => table.delivery,
            Outcome::AteHungry => table.eat_hungry,
            Outcome::AteSated => table.eat_sated,
            Outcome::Waited => table.wait,
            Outcome::Invalid => table.invalid,
            Outcome::Unreadable => table.unreadable,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_table() {
        let table = RewardSettings::default();
        let cases = [
            (Outcome::Moved, -0.05),
            (Outcome::Bumped, -1.05),
            (Outcome::PickedUp, 4.95),
            (Outcome::Delivered, 24.95),
            (Outcome::AteHungry, 4.95),
            (Outcome::AteSated, -1.05),
            (Outcome::Waited, -0.25),
            (Outcome::Invalid, -0.55),
            (Outcome::Unreadable, -0.55),
        ];
        for (outcome, reward) in cases {
            assert!((reward_of(outcome, &table) - reward).abs() < 1e-12, "{outcome:?}");
        }
    }
}
