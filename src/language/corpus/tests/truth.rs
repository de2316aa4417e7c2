//! What is true, worked out from the prompt a second time and in another way than the corpus does.

use crate::{
    language::{parse_reply, read_prompt},
    protocol::{
        Action, Bearing, Cell,
        Direction::{self, East, North, South, West},
        Observation, Thing,
    },
};

const COMPASS: [(Direction, &str, &str, &str); 4] = [
    (North, "north", "North", "↑"),
    (South, "south", "South", "↓"),
    (East, "east", "East", "→"),
    (West, "west", "West", "←"),
];

const THINGS: [(Thing, &str, &str); 5] = [
    (Thing::Home, "home", "Home"),
    (Thing::Food, "food", "Food"),
    (Thing::Wall, "wall", "Wall"),
    (Thing::Edge, "edge", "Edge"),
    (Thing::Agent, "agent", "Agent"),
];

/// A document's prompt, the act with its result, and the sentences.
pub(crate) struct Document {
    pub(crate) observation: Observation,
    pub(crate) act: Option<(Action, String)>,
    pub(crate) sentences: Vec<String>,
}

/// Takes a document apart; `None` for a fact.
pub(crate) fn read(text: &str) -> Option<Document> {
    let see = text.find("See:")?;
    let (end, is_act) = match text.find(" Action:") {
        Some(ask) => (ask, true),
        None => (see + text[see..].find('.').unwrap(), false),
    };
    let observation = read_prompt(&format!("{} Action:", &text[..end])).unwrap();
    let rest = &text[end..];
    let (act, rest) = if is_act {
        let (phrase, rest) = rest.strip_prefix(" Action: ").unwrap().split_once(". Result: ").unwrap();
        let (result, rest) = rest.split_once('.').unwrap();
        (Some((parse_reply(phrase).unwrap(), result.to_owned())), rest)
    } else {
        (None, rest.strip_prefix('.').unwrap())
    };
    let sentences = rest.split_inclusive('.').map(|sentence| sentence.trim_start().to_owned()).collect();
    Some(Document { observation, act, sentences })
}

fn words(keep: impl Fn(Direction) -> bool) -> Vec<String> {
    COMPASS.iter().filter(|row| keep(row.0)).map(|row| row.1.to_owned()).collect()
}

fn blocked(o: &Observation, d: Direction) -> bool {
    o.bearing(Thing::Wall).has(d) || o.bearing(Thing::Edge).has(d)
}

fn pair(text: &str) -> (i32, i32) {
    let (x, y) = text.strip_prefix('(').unwrap().strip_suffix(')').unwrap().split_once(',').unwrap();
    (x.parse().unwrap(), y.parse().unwrap())
}

/// All that truly fills `stem`; `None` if it is not the stem of a sentence.
pub(crate) fn right(stem: &str, o: &Observation) -> Option<Vec<String>> {
    let one = |word: &str| Some(vec![word.to_owned()]);
    for (thing, word, name) in THINGS {
        let bearing = o.bearing(thing);
        if stem == format!("{name} is") {
            let here = (bearing == Bearing::HERE).then(|| "here".to_owned());
            let unseen = (bearing == Bearing::NONE).then(|| "not seen".to_owned());
            return Some(words(|d| bearing.has(d)).into_iter().chain(here).chain(unseen).collect());
        }
        if stem == format!("To reach {word}: move") {
            return Some(words(|d| bearing.has(d) && !blocked(o, d)));
        }
    }
    for (direction, word, name, arrow) in COMPASS {
        let back = COMPASS.iter().find(|row| row.0.step() == (-direction.step().0, -direction.step().1)).unwrap();
        if stem == format!("To the {word}:") {
            let beside = THINGS[2..].iter().find(|row| o.bearing(row.0).has(direction));
            return one(beside.map_or("free", |row| row.1));
        } else if stem == format!("{arrow} is") {
            return one(word);
        } else if stem == format!("{name} is") {
            return one(arrow);
        } else if stem == format!("The opposite of {word} is") {
            return one(back.1);
        } else if let Some(cell) = stem.strip_prefix(&format!("{name} of ")).and_then(|s| s.strip_suffix(" is")) {
            let ((x, y), (dx, dy)) = (pair(cell), direction.step());
            return one(&format!("({},{})", x + i32::from(dx), y + i32::from(dy)));
        }
    }
    if let Some((a, b)) = stem.strip_prefix("From ").and_then(|s| s.strip_suffix(" is")?.split_once(" to ")) {
        let ((ax, ay), (bx, by)) = (pair(a), pair(b));
        return Some(words(|d| (i32::from(d.step().0), i32::from(d.step().1)) == (bx - ax, by - ay)));
    }
    match stem {
        "Free:" => Some(words(|d| !blocked(o, d))),
        "The agent carries" => one(if o.carrying == Some(Thing::Food) { "food" } else { "nothing" }),
        "Energy is" => one(["low", "low", "low", "low", "middle", "middle", "middle", "high", "high", "high", "high"]
            [usize::from(o.energy / 10)]),
        "Here:" => {
            let here: Vec<_> = THINGS[..2].iter().filter(|row| o.bearing(row.0).is_here()).collect();
            if here.is_empty() { one("nothing") } else { Some(here.iter().map(|row| row.1.to_owned()).collect()) }
        }
        _ => None,
    }
}

/// Checks a sentence, and gives its stem.
pub(crate) fn check(sentence: &str, o: &Observation, document: &str) -> String {
    let sentence = sentence.strip_suffix('.').unwrap();
    let split = |(i, _)| Some((&sentence[..i], &sentence[i + 1..], right(&sentence[..i], o)?));
    let (stem, told, right) = sentence.match_indices(' ').find_map(split).unwrap_or_else(|| panic!("{document}"));
    let mut told: Vec<_> = told.split(", ").flat_map(|part| part.split(" and ")).collect();
    if stem.starts_with("To reach") {
        assert!(told.len() == 1 && right.iter().any(|word| word == told[0]), "{document}");
    } else {
        told.sort_unstable();
        let mut right = right;
        right.sort_unstable();
        assert_eq!(told, right, "{document}");
    }
    stem.to_owned()
}

/// What the habitat answers to an act (as `sim/actions` does), and what the agent sees of itself afterwards.
pub(crate) fn answer(o: &Observation, action: Action) -> (String, Observation) {
    let carries = o.carrying.is_some();
    let here = |thing: Thing| o.bearing(thing) == Bearing::HERE;
    let (result, load) = match action {
        Action::Wait => ("waited".to_owned(), carries),
        Action::Move(d) if o.bearing(Thing::Wall).has(d) => ("bumped into wall".to_owned(), carries),
        Action::Move(d) if o.bearing(Thing::Edge).has(d) => ("bumped into edge".to_owned(), carries),
        Action::Move(d) => {
            let Cell { x, y } = o.at.neighbour(d, 35).unwrap();
            (format!("at ({x},{y})"), carries)
        }
        Action::PickUp => match (carries, here(Thing::Food)) {
            (true, _) => ("already has food".to_owned(), true),
            (false, true) => ("picked up food".to_owned(), true),
            (false, false) => ("no food here".to_owned(), false),
        },
        Action::Drop => match (carries, here(Thing::Home)) {
            (true, true) => ("dropped food at home".to_owned(), false),
            (true, false) => ("not at home".to_owned(), true),
            (false, _) => ("has no food".to_owned(), false),
        },
        Action::Eat => match (here(Thing::Food), carries) {
            (true, _) => ("ate food here".to_owned(), carries),
            (false, true) => ("ate carried food".to_owned(), false),
            (false, false) => ("no food".to_owned(), false),
        },
    };
    let mut after = *o;
    after.carrying = load.then_some(Thing::Food);
    (result, after)
}
