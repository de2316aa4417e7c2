//! The corpus by hand-written states, and by many drawn ones whose every sentence is checked.

mod corpus_wide;
mod truth;

use std::collections::BTreeSet;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::{act, body, claim, description};
use crate::{
    language::read_prompt,
    protocol::{Direction, Observation, Thing},
};

fn stream(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

fn seen(prompt: &str) -> Observation {
    read_prompt(prompt).unwrap()
}

/// All that is said of a topic in many draws.
fn told(topic: claim::Topic, observation: &Observation) -> Vec<String> {
    let Some(claim) = claim::claim(topic, observation) else { return Vec::new() };
    let mut draws = stream(3);
    (0..200).map(|_| claim.sentence(&mut draws)).collect::<BTreeSet<_>>().into_iter().collect()
}

#[test]
fn the_originals_example_described() {
    use claim::Topic::{Beside, Energy, Free, Here, Load, Reach, Where};
    let o = seen("At (5,3), E80, has food. See: home↑ wall← Action:");
    assert_eq!(body(&o), "At (5,3), E80, has food. See: home↑ wall←.");
    assert_eq!(told(Where(Thing::Home), &o), ["Home is north."]);
    assert_eq!(told(Where(Thing::Food), &o), ["Food is not seen."]);
    assert_eq!(told(Where(Thing::Wall), &o), ["Wall is west."]);
    assert_eq!(told(Reach(Thing::Home), &o), ["To reach home: move north."]);
    assert!(told(Reach(Thing::Food), &o).is_empty());
    assert_eq!(told(Free, &o).len(), 6, "three ways in every order");
    assert!(told(Free, &o).contains(&"Free: south, east, north.".to_owned()));
    assert_eq!(told(Load, &o), ["The agent carries food."]);
    assert_eq!(told(Energy, &o), ["Energy is high."]);
    assert_eq!(told(Beside(Direction::West), &o), ["To the west: wall."]);
    assert_eq!(told(Beside(Direction::East), &o), ["To the east: free."]);
    assert_eq!(told(Here, &o), ["Here: nothing."]);
}

#[test]
fn two_arrows_food_here_and_a_corner_described() {
    use claim::Topic::{Beside, Energy, Free, Here, Load, Reach, Where};
    let o = seen("At (0,0), E30. See: home↑→ food here edge↓← agent↑ Action:");
    assert_eq!(told(Where(Thing::Home), &o), ["Home is east and north.", "Home is north and east."]);
    assert_eq!(told(Where(Thing::Food), &o), ["Food is here."]);
    assert_eq!(told(Where(Thing::Edge), &o), ["Edge is south and west.", "Edge is west and south."]);
    assert_eq!(told(Where(Thing::Agent), &o), ["Agent is north."]);
    assert_eq!(told(Reach(Thing::Home), &o), ["To reach home: move east.", "To reach home: move north."]);
    assert_eq!(told(Free, &o), ["Free: east, north.", "Free: north, east."]);
    assert_eq!(told(Load, &o), ["The agent carries nothing."]);
    assert_eq!(told(Energy, &o), ["Energy is low."]);
    assert_eq!(told(Beside(Direction::North), &o), ["To the north: agent."]);
    assert_eq!(told(Beside(Direction::South), &o), ["To the south: edge."]);
    assert_eq!(told(Here, &o), ["Here: food."]);
    let mut o = seen("At (7,7), E40. See: home here food↑ wall↑ Action:");
    assert_eq!(told(Where(Thing::Home), &o), ["Home is here."]);
    assert!(told(Reach(Thing::Food), &o).is_empty(), "the arrow points at the wall");
    assert_eq!(told(Here, &o), ["Here: home."]);
    for (energy, level) in [(34, "low"), (35, "middle"), (64, "middle"), (65, "high")] {
        o.energy = energy;
        assert_eq!(told(Energy, &o), [format!("Energy is {level}.")], "of the energy that the prompt tells");
    }
}

#[test]
fn a_description_has_one_to_three_different_sentences() {
    let o = seen("At (5,3), E80, has food. See: home↑ wall← Action:");
    let mut draws = stream(5);
    let mut counts = [0; 5];
    for _ in 0..600 {
        let text = description(&o, &mut draws);
        let rest = text.strip_prefix("At (5,3), E80, has food. See: home↑ wall←. ").unwrap();
        let sentences: Vec<_> = rest.split_inclusive('.').map(str::trim).collect();
        counts[sentences.len()] += 1;
        let stems: BTreeSet<_> = sentences.iter().map(|s| truth::check(s, &o, &text)).collect();
        assert_eq!(stems.len(), sentences.len(), "{text}");
    }
    assert!(counts[0] == 0 && counts[4] == 0 && counts[1..4].iter().all(|n| *n > 150), "{counts:?}");
}

/// The eight acts of a state with their results, without what is said after.
fn acts(prompt: &str) -> BTreeSet<String> {
    let mut draws = stream(4);
    let act = |_| {
        let text = act::document(&seen(prompt), &mut draws);
        let rest = text.strip_prefix(prompt).unwrap();
        rest.split_inclusive('.').take(2).collect::<String>()
    };
    (0..400).map(act).collect()
}

#[track_caller]
fn assert_acts(prompt: &str, expected: [&str; 8]) {
    assert_eq!(acts(prompt), expected.map(str::to_owned).into_iter().collect(), "{prompt}");
}

#[test]
fn what_comes_of_each_act() {
    assert_acts(
        "At (5,3), E80, has food. See: home↑ wall← Action:",
        [
            " move north. Result: at (5,4).",
            " move south. Result: at (5,2).",
            " move east. Result: at (6,3).",
            " move west. Result: bumped into wall.",
            " pick up. Result: already has food.",
            " drop. Result: not at home.",
            " eat. Result: ate carried food.",
            " wait. Result: waited.",
        ],
    );
    assert_acts(
        "At (0,0), E30. See: home↑→ food here edge↓← agent↑ Action:",
        [
            " move north. Result: at (0,1).",
            " move south. Result: bumped into edge.",
            " move east. Result: at (1,0).",
            " move west. Result: bumped into edge.",
            " pick up. Result: picked up food.",
            " drop. Result: has no food.",
            " eat. Result: ate food here.",
            " wait. Result: waited.",
        ],
    );
    let drop_and_eat = |prompt: &str| acts(prompt).into_iter().filter(|t| !t.contains("move")).collect::<Vec<_>>();
    assert_eq!(
        drop_and_eat("At (9,9), E50, has food. See: home here Action:"),
        [
            " drop. Result: dropped food at home.",
            " eat. Result: ate carried food.",
            " pick up. Result: already has food.",
            " wait. Result: waited.",
        ]
    );
    assert_eq!(
        drop_and_eat("At (9,9), E50. See: home← food→ Action:"),
        [
            " drop. Result: has no food.",
            " eat. Result: no food.",
            " pick up. Result: no food here.",
            " wait. Result: waited.",
        ]
    );
    assert_eq!(
        drop_and_eat("At (9,9), E50, has food. See: home← food here Action:"),
        [
            " drop. Result: not at home.",
            " eat. Result: ate food here.",
            " pick up. Result: already has food.",
            " wait. Result: waited.",
        ]
    );
}

#[test]
fn what_is_said_after_an_act_holds_then() {
    let mut draws = stream(6);
    let o = seen("At (9,9), E50, has food. See: home← food here wall↑ agent↓ Action:");
    let all: BTreeSet<_> = (0..4000).map(|_| act::document(&o, &mut draws)).collect();
    let after = |act: &str| {
        let opening = format!("At (9,9), E50, has food. See: home← food here wall↑ agent↓ Action: {act}");
        let free = |rest: &str| if rest.starts_with(" Free: ") { " Free:".to_owned() } else { rest.to_owned() };
        all.iter().filter_map(|text| Some(free(text.strip_prefix(&opening)?))).collect::<BTreeSet<_>>()
    };
    let lasting =
        ["", " Free:", " Home is west.", " The agent carries food.", " To reach home: move west.", " Wall is north."];
    assert_eq!(after("wait. Result: waited."), lasting.map(str::to_owned).into());
    let moved = ["", " The agent carries food."];
    assert_eq!(after("move east. Result: at (10,9)."), moved.map(str::to_owned).into());
    let o = seen("At (9,9), E50, has food. See: home here Action:");
    let all: BTreeSet<_> = (0..2000).map(|_| act::document(&o, &mut draws)).collect();
    assert!(all.iter().any(|text| text.ends_with("Result: dropped food at home. The agent carries nothing.")));
}
