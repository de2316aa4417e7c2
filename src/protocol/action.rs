//! What an agent can do, and what came of it.

use serde::{Deserialize, Serialize};

use super::Direction;

/// One act of one agent in one turn. All of them are on offer in every state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Step into the neighbouring cell.
    Move(Direction),
    /// Take what lies in the own cell.
    PickUp,
    /// Lay down what is carried; delivers it at home and is invalid elsewhere.
    Drop,
    /// Eat what lies in the own cell, else what is carried.
    Eat,
    /// Do nothing.
    Wait,
}

impl Action {
    /// How many actions there are.
    pub const COUNT: usize = 8;

    /// Every action, in the order in which probabilities are listed.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Move(Direction::North),
        Self::Move(Direction::South),
        Self::Move(Direction::East),
        Self::Move(Direction::West),
        Self::PickUp,
        Self::Drop,
        Self::Eat,
        Self::Wait,
    ];

    /// The place of this action in [`Action::ALL`].
    pub const fn index(self) -> usize {
        match self {
            Self::Move(direction) => direction as usize,
            Self::PickUp => 4,
            Self::Drop => 5,
            Self::Eat => 6,
            Self::Wait => 7,
        }
    }
}

/// What came of an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Stepped into the next cell.
    Moved,
    /// Walked into a wall or the edge and stayed where it was.
    Bumped,
    /// Took up a piece of food.
    PickedUp,
    /// Laid a piece of food down at home.
    Delivered,
    /// Ate while hungry.
    AteHungry,
    /// Ate without need.
    AteSated,
    /// Did nothing, by choice.
    Waited,
    /// Tried what the state does not allow.
    Invalid,
    /// Said what names no action, and so did nothing.
    Unreadable,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_is_the_place_in_the_list() {
        for (i, action) in Action::ALL.into_iter().enumerate() {
            assert_eq!(action.index(), i, "{action:?}");
        }
    }
}
