//! Every word of the corpus beyond the grammar of prompts and replies, in one place: a tokenizer of a few hundred
//! entries is trained on them, so a new word costs another one its own token.
//!
//! A *stem* opens a sentence; what fills it comes after a space, and a full stop ends it.

use crate::protocol::{Direction, Thing};

/// Where a kind of thing lies. The thing, with a capital, comes before.
pub(super) const IS: &str = " is";
/// Which step brings nearer to a thing: the thing stands between the two.
pub(super) const REACH: [&str; 2] = ["To reach ", ": move"];
/// Which directions nothing blocks.
pub(super) const FREE: &str = "Free:";
/// What the agent has in its hands.
pub(super) const CARRIES: &str = "The agent carries";
/// How much energy is left.
pub(super) const ENERGY: &str = "Energy is";
/// What lies in a neighbouring cell: the direction stands between the two.
pub(super) const BESIDE: [&str; 2] = ["To the ", ":"];
/// What lies in the agent's own cell.
pub(super) const HERE: &str = "Here:";

/// For a thing in the agent's own cell.
pub(super) const IN_PLACE: &str = "here";
/// For a thing that is not in view.
pub(super) const UNSEEN: &str = "not seen";
/// For empty hands and an empty cell.
pub(super) const NOTHING: &str = "nothing";
/// For a neighbouring cell in which nobody and nothing is.
pub(super) const OPEN: &str = "free";
/// For energy up to [`LOW_UP_TO`], up to [`MIDDLE_UP_TO`], and above.
pub(super) const LEVELS: [&str; 3] = ["low", "middle", "high"];
/// Points of energy, as a prompt tells them, that still count as low.
pub(super) const LOW_UP_TO: u16 = 30;
/// Points of energy, as a prompt tells them, that still count as middle.
pub(super) const MIDDLE_UP_TO: u16 = 60;

/// Between places.
pub(super) const AND: &str = " and ";
/// Between directions in a list.
pub(super) const COMMA: &str = ", ";

/// Between an action and what came of it.
pub(super) const RESULT: &str = ". Result: ";
/// A step that was made: the new cell comes after.
pub(super) const NOW_AT: &str = "at ";
/// A step that was stopped: by what comes after.
pub(super) const BUMPED: &str = "bumped into ";
/// Picking up with empty hands where food lies.
pub(super) const PICKED_UP: &str = "picked up food";
/// Picking up with full hands.
pub(super) const HANDS_FULL: &str = "already has food";
/// Picking up where no food lies.
pub(super) const NONE_HERE: &str = "no food here";
/// Dropping at home.
pub(super) const DROPPED: &str = "dropped food at home";
/// Dropping elsewhere.
pub(super) const NOT_HOME: &str = "not at home";
/// Dropping with empty hands.
pub(super) const HANDS_EMPTY: &str = "has no food";
/// Eating where food lies.
pub(super) const ATE_HERE: &str = "ate food here";
/// Eating what was carried.
pub(super) const ATE_LOAD: &str = "ate carried food";
/// Eating with neither.
pub(super) const NONE_TO_EAT: &str = "no food";
/// Waiting.
pub(super) const WAITED: &str = "waited";

/// Before a direction, whose opposite is then named.
pub(super) const OPPOSITE: &str = "The opposite of ";
/// Between a direction and a cell.
pub(super) const OF: &str = " of ";
/// Around the first of two neighbouring cells.
pub(super) const FROM_TO: [&str; 2] = ["From ", " to "];
/// What else is true anywhere.
pub(super) const RULES: &[&str] = &[
    "Action move north goes north.",
    "Action move south goes south.",
    "Action move east goes east.",
    "Action move west goes west.",
    "Action pick up takes food here.",
    "Action drop leaves food at home.",
    "Action eat takes food here.",
    "Action wait does nothing.",
    "A wall stops an agent.",
    "An edge stops an agent.",
    "An agent carries food or nothing.",
];

/// The word for a direction.
pub(super) const fn direction_word(direction: Direction) -> &'static str {
    match direction {
        Direction::North => "north",
        Direction::South => "south",
        Direction::East => "east",
        Direction::West => "west",
    }
}

/// The word for a direction that opens a sentence.
pub(super) const fn direction_name(direction: Direction) -> &'static str {
    match direction {
        Direction::North => "North",
        Direction::South => "South",
        Direction::East => "East",
        Direction::West => "West",
    }
}

/// The word for a kind of thing that opens a sentence.
pub(super) const fn thing_name(thing: Thing) -> &'static str {
    match thing {
        Thing::Home => "Home",
        Thing::Food => "Food",
        Thing::Wall => "Wall",
        Thing::Edge => "Edge",
        Thing::Agent => "Agent",
    }
}
