//! The whole grammar of prompts and replies, as tables.
//!
//! ```text
//! prompt   = "At (" x "," y "), E" energy [ ", has " thing ] ". See: " sights " Action:"
//! sights   = "nothing" | sight { " " sight }
//! sight    = thing [ arrows ] [ " here" ]          at least one of the two
//! thing    = "home" | "food" | "wall" | "edge" | "agent"
//! arrows   = one to four of ↑ ↓ → ←, in this order
//! energy   = whole points, rounded to 10
//! reply    = "move north" | "move south" | "move east" | "move west" | "pick up" | "drop" | "eat" | "wait"
//! ```
//!
//! A new kind of thing or action is a row here.

use crate::protocol::{Action, Direction, Thing};

/// What opens the prompt, before the position.
pub const AT: &str = "At (";
/// What stands between position and energy.
pub const ENERGY: &str = "), E";
/// What stands before the load.
pub const HAS: &str = ", has ";
/// What stands before the sights.
pub const SEE: &str = ". See:";
/// What is said when nothing is in view.
pub const NOTHING: &str = " nothing";
/// What marks a thing in the agent's own cell.
pub const HERE: &str = " here";
/// What closes the prompt and asks for the reply.
pub const ASK: &str = " Action:";
/// Energy is told in steps of this many points.
pub const ENERGY_STEP: u16 = 10;

/// The word for a kind of thing.
pub const fn thing_word(thing: Thing) -> &'static str {
    match thing {
        Thing::Home => "home",
        Thing::Food => "food",
        Thing::Wall => "wall",
        Thing::Edge => "edge",
        Thing::Agent => "agent",
    }
}

/// The arrow for a direction.
pub const fn arrow(direction: Direction) -> char {
    match direction {
        Direction::North => '↑',
        Direction::South => '↓',
        Direction::East => '→',
        Direction::West => '←',
    }
}

/// The reply that stands for an action.
pub const fn action_phrase(action: Action) -> &'static str {
    match action {
        Action::Move(Direction::North) => "move north",
        Action::Move(Direction::South) => "move south",
        Action::Move(Direction::East) => "move east",
        Action::Move(Direction::West) => "move west",
        Action::PickUp => "pick up",
        Action::Drop => "drop",
        Action::Eat => "eat",
        Action::Wait => "wait",
    }
}

/// What a model that was taught to chat is told before the prompt: what the prompt says, and the replies on offer. It
/// does not tell what is worth doing.
pub fn instruction() -> String {
    let phrases = Action::ALL.map(action_phrase).join(", ");
    format!(
        "You are an agent on a grid. Each message says where you are, your energy (E), what you carry and what you see; \
         arrows point the way. Reply with one of these actions and nothing else: {phrases}."
    )
}

/// Words by which people and models name an action, beside its phrase. Lower case, words divided by one space.
pub const SYNONYMS: &[(&str, Action)] = &[
    ("north", Action::Move(Direction::North)),
    ("up", Action::Move(Direction::North)),
    ("↑", Action::Move(Direction::North)),
    ("south", Action::Move(Direction::South)),
    ("down", Action::Move(Direction::South)),
    ("↓", Action::Move(Direction::South)),
    ("east", Action::Move(Direction::East)),
    ("right", Action::Move(Direction::East)),
    ("→", Action::Move(Direction::East)),
    ("west", Action::Move(Direction::West)),
    ("left", Action::Move(Direction::West)),
    ("←", Action::Move(Direction::West)),
    ("pick it up", Action::PickUp),
    ("pick food up", Action::PickUp),
    ("pick the food up", Action::PickUp),
    ("pick up", Action::PickUp),
    ("pick", Action::PickUp),
    ("pickup", Action::PickUp),
    ("take", Action::PickUp),
    ("grab", Action::PickUp),
    ("collect", Action::PickUp),
    ("put down", Action::Drop),
    ("put it down", Action::Drop),
    ("drop", Action::Drop),
    ("deliver", Action::Drop),
    ("eat", Action::Eat),
    ("wait", Action::Wait),
    ("stay", Action::Wait),
    ("rest", Action::Wait),
    ("do nothing", Action::Wait),
    ("nothing", Action::Wait),
];

/// Words that turn a reply into its opposite, so that it cannot be taken for an action.
pub const NEGATIONS: &[&str] = &["not", "never", "don", "dont", "cannot", "can't", "don't"];
