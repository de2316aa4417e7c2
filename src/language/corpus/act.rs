//! An action in a state, and what the habitat would answer, as far as the prompt lets one tell.

use rand::{Rng, RngExt, seq::IndexedRandom};

use super::{
    claim::{Topic, claim},
    words::{
        ATE_HERE, ATE_LOAD, BUMPED, DROPPED, HANDS_EMPTY, HANDS_FULL, NONE_HERE, NONE_TO_EAT, NOT_HOME, NOW_AT,
        PICKED_UP, RESULT, WAITED,
    },
};
use crate::{
    language::{action_phrase, grammar::thing_word, write_prompt},
    protocol::{Action, Cell, Direction, Observation, Thing},
};

/// Chance, in percent, that a sentence about the state after the act follows.
const AFTERMATH: u32 = 35;

/// What surely holds of what the agent sees when it has stayed where it was, beside its load. Others may have taken the
/// food, other agents may have moved, and energy may be told as the next lower step.
const LASTING: [Topic; 5] =
    [Topic::Where(Thing::Home), Topic::Reach(Thing::Home), Topic::Free, Topic::Where(Thing::Wall), Topic::Load];

/// What came of an act.
struct Deed {
    result: String,
    load: Option<Thing>,
    stays: bool,
}

/// The whole prompt, one of the eight actions each with the same chance, and its result.
pub(super) fn document(observation: &Observation, draws: &mut impl Rng) -> String {
    let action = Action::ALL[draws.random_range(0..Action::COUNT)];
    let deed = perform(action, observation);
    let prompt = write_prompt(observation);
    let mut text = format!("{prompt} {}{RESULT}{}.", action_phrase(action), deed.result);
    if draws.random_ratio(AFTERMATH, 100) {
        let mut after = *observation;
        after.carrying = deed.load;
        let topic = if deed.stays { LASTING.choose(draws).copied() } else { None };
        let told = claim(topic.unwrap_or(Topic::Load), &after).or_else(|| claim(Topic::Load, &after));
        if let Some(told) = told {
            text.push(' ');
            text.push_str(&told.sentence(draws));
        }
    }
    text
}

/// What the corpus says comes of an action: the words between "Result: " and the full stop.
pub fn result_of(action: Action, observation: &Observation) -> String {
    perform(action, observation).result
}

/// The rules of the habitat. Whether another agent is quicker to the food cannot be known here.
fn perform(action: Action, observation: &Observation) -> Deed {
    let load = observation.carrying;
    let (food_here, at_home) = (observation.bearing(Thing::Food).is_here(), observation.bearing(Thing::Home).is_here());
    let stays = |result: &str, load| Deed { result: result.to_owned(), load, stays: true };
    match action {
        Action::Move(direction) => step(direction, observation),
        Action::PickUp if load.is_some() => stays(HANDS_FULL, load),
        Action::PickUp if food_here => stays(PICKED_UP, Some(Thing::Food)),
        Action::PickUp => stays(NONE_HERE, None),
        Action::Drop if load.is_none() => stays(HANDS_EMPTY, None),
        Action::Drop if at_home => stays(DROPPED, None),
        Action::Drop => stays(NOT_HOME, load),
        Action::Eat if food_here => stays(ATE_HERE, load),
        Action::Eat if load.is_some() => stays(ATE_LOAD, None),
        Action::Eat => stays(NONE_TO_EAT, None),
        Action::Wait => stays(WAITED, load),
    }
}

fn step(direction: Direction, observation: &Observation) -> Deed {
    let load = observation.carrying;
    let stopped = [Thing::Wall, Thing::Edge].into_iter().find(|thing| observation.bearing(*thing).has(direction));
    // Where the habitat ends is told by the edge alone, so any cell that has a number will do.
    match (stopped, observation.at.neighbour(direction, u16::MAX)) {
        (None, Some(Cell { x, y })) => Deed { result: format!("{NOW_AT}({x},{y})"), load, stays: false },
        (stopped, _) => {
            let result = format!("{BUMPED}{}", thing_word(stopped.unwrap_or(Thing::Edge)));
            Deed { result, load, stays: true }
        }
    }
}
