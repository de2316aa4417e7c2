//! What holds of the whole corpus, by many draws.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    super::{KINDS, document, probe, state, words},
    stream,
    truth::{self, answer, check, read, right},
};
use crate::{
    language::{corpus::ProbeKind, write_prompt},
    protocol::{Action, Bearing, Cell, Direction, Observation, Thing},
};

const MANY: usize = 20_000;

fn corpus(seed: u64, n: usize) -> Vec<String> {
    let mut draws = stream(seed);
    (0..n).map(|_| document(&mut draws)).collect()
}

#[test]
fn a_seed_is_a_corpus() {
    assert_eq!(corpus(1, 500), corpus(1, 500));
    assert_ne!(corpus(1, 500), corpus(2, 500));
}

/// Fixed texts: the day they change, every base model means another one.
#[test]
fn the_first_documents_of_a_seed() {
    let first = [
        "At (3,2), E0. See: home↑→ food here. To reach home: move north. Food is here. Agent is not seen.",
        "At (15,7), E10, has food. See: home↓→ food here. The agent carries food. To reach home: move south. \
         To the west: free.",
        "At (17,2), E20. See: home↑ food→← wall↓ Action: move west. Result: at (16,2).",
        "At (8,18), E60. See: home↓← food→ edge↑ Action: move north. Result: bumped into edge. Wall is not seen.",
        "At (24,13), E30, has food. See: home here food↓→ wall← Action: move north. Result: at (24,14). \
         The agent carries food.",
        "At (28,26), E90. See: home↑← food↑ agent↑. To reach food: move north. The agent carries nothing.",
    ];
    assert_eq!(corpus(7, 6), first);
}

#[test]
fn documents_are_short_lines_that_value_nothing() {
    let banned = ["reward", "rewards", "good", "bad", "should", "best", "better", "must", "want", "score", "fitness"];
    for text in corpus(2, MANY) {
        assert!(text.len() <= 220 && !text.contains('\n') && text.ends_with('.'), "{text}");
        assert!(!text.starts_with(' ') && !text.contains("  ") && !text.contains('{'), "{text}");
        let mut all = text.split(|c: char| !c.is_alphabetic());
        assert!(!all.any(|word| banned.contains(&word.to_lowercase().as_str())), "{text}");
    }
}

#[test]
fn kinds_come_as_often_as_the_table_says() {
    let mut counts = [0_u32; 3];
    for text in corpus(3, MANY) {
        counts[read(&text).map_or(2, |document| usize::from(document.act.is_some()))] += 1;
    }
    assert_eq!(KINDS.iter().map(|(_, weight)| weight).sum::<u32>(), 100);
    for (count, (kind, weight)) in counts.into_iter().zip(KINDS) {
        assert!(count.abs_diff(200 * weight) < 300, "{kind:?}: {count}"); // Over four standard errors of at most 71.
    }
}

/// χ² with 7 degrees of freedom stays below its 99.9 % point, 24.3, in every kind of state.
#[test]
fn acts_are_uniform_whatever_the_state() {
    type Case = (&'static str, fn(&Observation) -> bool);
    const CASES: [Case; 8] = [
        ("any", |_| true),
        ("food here", |o| o.bearing(Thing::Food).is_here()),
        ("home here", |o| o.bearing(Thing::Home).is_here()),
        ("loaded at home", |o| o.bearing(Thing::Home).is_here() && o.carrying.is_some()),
        ("loaded", |o| o.carrying.is_some()),
        ("low energy", |o| o.energy <= 20),
        ("food north", |o| o.bearing(Thing::Food).has(Direction::North)),
        ("wall", |o| !o.bearing(Thing::Wall).is_none()),
    ];
    let mut counts = [[0_f64; Action::COUNT]; CASES.len()];
    let acts = corpus(4, 25_000).into_iter().filter_map(|text| {
        let document = read(&text)?;
        Some((document.act?.0, document.observation))
    });
    for (action, observation) in acts.take(8_000) {
        for (counts, (_, holds)) in counts.iter_mut().zip(CASES) {
            counts[action.index()] += f64::from(u8::from(holds(&observation)));
        }
    }
    assert_eq!(counts[0].iter().sum::<f64>(), 8_000.0);
    for (counts, (case, _)) in counts.iter().zip(CASES) {
        let mean = counts.iter().sum::<f64>() / 8.0;
        let chi: f64 = counts.iter().map(|n| (n - mean).powi(2) / mean).sum();
        assert!(mean > 40.0 && chi < 24.3, "{case}: χ² = {chi}, counts {counts:?}");
    }
}

#[test]
fn every_sentence_is_true() {
    let mut seen = BTreeMap::<String, u32>::new();
    for text in corpus(5, MANY) {
        let Some(document) = read(&text) else {
            if !words::RULES.contains(&text.as_str()) {
                check(&text, &Observation::new(Cell::new(0, 0), 0, None), &text);
            }
            continue;
        };
        let mut state = document.observation;
        if let Some((action, result)) = document.act {
            let (expected, after) = answer(&state, action);
            assert_eq!(result, expected, "{text}");
            state = after;
        }
        for sentence in document.sentences {
            *seen.entry(check(&sentence, &state, &text)).or_default() += 1;
        }
    }
    assert_eq!(seen.len(), 15, "{seen:?}");
    assert!(seen.values().all(|n| *n > 200), "{seen:?}");
}

#[test]
fn states_are_such_as_agents_meet() {
    let mut draws = stream(6);
    let (mut homes, mut foods, mut walls, mut agents) =
        <(BTreeSet<_>, BTreeSet<_>, BTreeSet<_>, BTreeSet<_>)>::default();
    let picture = |bearing: Bearing| (bearing.directions().collect::<Vec<_>>(), bearing.is_here());
    let (mut at_wall, mut arrows) = (0, 0);
    for _ in 0..MANY {
        let o = state::draw(&mut draws);
        let text = write_prompt(&o);
        let [home, food, wall, edge, agent] = Thing::ALL.map(|thing| o.bearing(thing));
        assert!(o.at.x < 35 && o.at.y < 35 && o.energy <= 100, "{text}");
        assert_eq!(edge.has(Direction::West), o.at.x == 0, "{text}");
        assert_eq!(edge.has(Direction::South), o.at.y == 0, "{text}");
        assert!(!edge.has(Direction::East) || o.at.x >= 13, "{text}");
        assert!(!edge.has(Direction::North) || o.at.y >= 13, "{text}");
        assert!(!home.is_none(), "{text}");
        assert!(!(home.is_here() && food.is_here()), "{text}");
        for direction in Direction::ALL {
            let beside = [wall, edge, agent].into_iter().filter(|bearing| bearing.has(direction)).count();
            assert!(beside <= 1, "{text}");
            assert!(!(edge.has(direction) && (home.has(direction) || food.has(direction))), "{text}");
            at_wall += u32::from(wall.has(direction) && food.has(direction));
            arrows += u32::from(wall.has(direction));
        }
        assert!(wall.directions().chain(edge.directions()).count() < 4, "{text}");
        assert!([wall, edge, agent].iter().all(|bearing| !bearing.is_here()), "{text}");
        homes.insert(picture(home));
        foods.insert(picture(food));
        walls.insert(picture(wall));
        agents.insert(picture(agent));
    }
    let most = |seen: &BTreeSet<(Vec<Direction>, bool)>| seen.iter().map(|(arrows, _)| arrows.len()).max();
    assert_eq!((homes.len(), most(&homes)), (4 + 6 + 1, Some(2)), "one or two arrows of four, or here");
    assert_eq!((foods.len(), most(&foods)), (4 + 6 + 1 + 1, Some(2)), "or not seen");
    assert_eq!(walls.len(), 1 + 4 + 6 + 4, "all but four");
    assert!(agents.len() > 4, "none, and each side");
    let share = f64::from(at_wall) / f64::from(arrows);
    assert!((0.01..0.08).contains(&share), "sight points at walls, scent does not: {share}");
}

#[test]
fn probes_offer_what_is_right_and_what_is_not() {
    let mut draws = stream(8);
    let mut tally = BTreeMap::<ProbeKind, BTreeMap<String, u32>>::new();
    for _ in 0..13_000 {
        let probe = probe(&mut draws);
        let first = |text: &String| text.strip_prefix(' ').unwrap().split(' ').next().unwrap().to_owned();
        let firsts: BTreeSet<_> = probe.choices.iter().map(first).collect();
        assert_eq!(firsts.len(), probe.choices.len(), "{probe:?}");
        assert!(!probe.answers.is_empty() && probe.answers.len() < probe.choices.len(), "{probe:?}");
        assert!(probe.answers.iter().all(|answer| probe.choices.contains(answer)), "{probe:?}");
        let nowhere = Observation::new(Cell::new(0, 0), 0, None);
        let (state, stem) = match read(&format!("{}.", probe.question)) {
            Some(mut document) => (document.observation, document.sentences.remove(0)),
            None => (nowhere, format!("{}.", probe.question)),
        };
        let mut expected = right(stem.strip_suffix('.').unwrap(), &state).unwrap_or_else(|| panic!("{probe:?}"));
        let mut answers: Vec<_> = probe.answers.iter().map(|answer| answer[1..].to_owned()).collect();
        expected.sort_unstable();
        answers.sort_unstable();
        assert_eq!(answers, expected, "{probe:?}");
        for choice in probe.choices {
            *tally.entry(probe.kind).or_default().entry(choice.clone()).or_default() +=
                u32::from(probe.answers.contains(&choice));
        }
    }
    assert!(tally.keys().copied().eq(ProbeKind::ALL));
    let words: BTreeSet<_> = ProbeKind::ALL.iter().map(|kind| kind.word()).collect();
    assert_eq!(words.len(), ProbeKind::ALL.len());
    for (kind, answers) in &tally {
        // One choice each time at least, each as often as the next: about 1000 probes of a kind.
        let fair = 1000 / answers.len() as u32;
        assert!(answers.values().all(|n| *n > fair * 2 / 3), "{kind:?}: {answers:?}");
        let single = !matches!(kind, ProbeKind::Free);
        assert!(!single || answers.values().all(|n| *n < 620), "{kind:?}: {answers:?}");
    }
}

#[test]
fn the_reader_of_these_tests_takes_a_document_apart() {
    let document = read("At (5,3), E80, has food. See: home↑. Home is north. Here: nothing.").unwrap();
    assert_eq!(document.sentences, ["Home is north.", "Here: nothing."]);
    let lie = std::panic::catch_unwind(|| check("Home is south.", &document.observation, ""));
    assert!(lie.is_err());
    let half = document.observation.with(Thing::Home, Bearing::toward(&[Direction::North, Direction::East]));
    assert!(std::panic::catch_unwind(|| check("Home is north.", &half, "")).is_err());
    assert!(truth::read("↑ is north.").is_none());
}
