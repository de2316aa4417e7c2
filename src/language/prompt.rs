//! Writes an observation as a prompt, and reads a prompt back.

use std::fmt::Write;

use super::grammar::{ASK, AT, ENERGY, ENERGY_STEP, HAS, HERE, NOTHING, SEE, arrow, thing_word};
use crate::protocol::{Bearing, Cell, Direction, Observation, Thing};

/// Why a text is not a prompt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("This is not a prompt: {expected} was expected at \"{at}\".")]
pub struct PromptError {
    expected: &'static str,
    at: String,
}

/// The energy that a prompt tells: rounded to the grammar's step, halves up.
pub const fn rounded_energy(energy: u16) -> u16 {
    energy.saturating_add(ENERGY_STEP / 2) / ENERGY_STEP * ENERGY_STEP
}

/// The prompt for an observation: `At (5,3), E80, has food. See: home↑ wall← Action:`.
pub fn write_prompt(observation: &Observation) -> String {
    let mut out = String::with_capacity(96);
    let Cell { x, y } = observation.at;
    // Writing to a String cannot fail.
    let _ = write!(out, "{AT}{x},{y}{ENERGY}{}", rounded_energy(observation.energy));
    if let Some(load) = observation.carrying {
        out.push_str(HAS);
        out.push_str(thing_word(load));
    }
    out.push_str(SEE);
    let before = out.len();
    for thing in Thing::ALL {
        let bearing = observation.bearing(thing);
        if bearing.is_none() {
            continue;
        }
        out.push(' ');
        out.push_str(thing_word(thing));
        out.extend(bearing.directions().map(arrow));
        if bearing.is_here() {
            out.push_str(HERE);
        }
    }
    if out.len() == before {
        out.push_str(NOTHING);
    }
    out.push_str(ASK);
    out
}

/// Reads a prompt back: the same facts, with the energy as it was rounded.
///
/// # Errors
/// Names what was expected, and the rest of the text from there.
pub fn read_prompt(prompt: &str) -> Result<Observation, PromptError> {
    let mut reader = Reader { rest: prompt };
    reader.word(AT, "\"At (\"")?;
    let x = reader.number()?;
    reader.word(",", "a comma")?;
    let y = reader.number()?;
    reader.word(ENERGY, "\"), E\"")?;
    let energy = reader.number()?;
    let carrying = if reader.take(HAS) { Some(reader.thing()?) } else { None };
    reader.word(SEE, "\". See:\"")?;
    let mut observation = Observation::new(Cell::new(x, y), energy, carrying);
    if reader.take(NOTHING) {
        reader.end()?;
        return Ok(observation);
    }
    while reader.rest != ASK {
        reader.word(" ", "a sight or \" Action:\"")?;
        let thing = reader.thing()?;
        let bearing = reader.bearing()?;
        if !observation.bearing(thing).is_none() {
            return reader.fail("a thing not yet named");
        }
        observation.see(thing, bearing);
    }
    Ok(observation)
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn fail<T>(&self, expected: &'static str) -> Result<T, PromptError> {
        Err(PromptError { expected, at: self.rest.to_owned() })
    }

    fn take(&mut self, word: &str) -> bool {
        let rest = self.rest.strip_prefix(word);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn word(&mut self, word: &str, expected: &'static str) -> Result<(), PromptError> {
        if self.take(word) { Ok(()) } else { self.fail(expected) }
    }

    fn number(&mut self) -> Result<u16, PromptError> {
        let end = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at(end);
        match digits.parse() {
            Ok(number) => {
                self.rest = rest;
                Ok(number)
            }
            Err(_) => self.fail("a whole number"),
        }
    }

    fn thing(&mut self) -> Result<Thing, PromptError> {
        let found = Thing::ALL.into_iter().find(|thing| self.take(thing_word(*thing)));
        found.map_or_else(|| self.fail("a thing"), Ok)
    }

    fn bearing(&mut self) -> Result<Bearing, PromptError> {
        let mut arrows = [0; 4];
        let directions: Vec<Direction> =
            Direction::ALL.into_iter().filter(|d| self.take(arrow(*d).encode_utf8(&mut arrows))).collect();
        let mut bearing = Bearing::toward(&directions);
        if self.take(HERE) {
            bearing = bearing.with_here();
        }
        if bearing.is_none() { self.fail("arrows or \" here\"") } else { Ok(bearing) }
    }

    fn end(&mut self) -> Result<(), PromptError> {
        if self.rest == ASK { Ok(()) } else { self.fail("\" Action:\"") }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seen(thing: Thing, directions: &[Direction]) -> Observation {
        Observation::new(Cell::new(5, 3), 80, None).with(thing, Bearing::toward(directions))
    }

    #[test]
    fn the_originals_example_word_for_word() {
        let observation = Observation::new(Cell::new(5, 3), 80, Some(Thing::Food))
            .with(Thing::Home, Bearing::toward(&[Direction::North]))
            .with(Thing::Wall, Bearing::toward(&[Direction::West]));
        assert_eq!(write_prompt(&observation), "At (5,3), E80, has food. See: home↑ wall← Action:");
    }

    #[test]
    fn every_form_of_the_grammar() {
        let nothing = Observation::new(Cell::new(0, 19), 4, None);
        assert_eq!(write_prompt(&nothing), "At (0,19), E0. See: nothing Action:");
        let here = seen(Thing::Home, &[Direction::West, Direction::South])
            .with(Thing::Food, Bearing::HERE)
            .with(Thing::Edge, Bearing::toward(&[Direction::East]))
            .with(Thing::Agent, Bearing::toward(&Direction::ALL).with_here());
        let text = "At (5,3), E80. See: home↓← food here edge→ agent↑↓→← here Action:";
        assert_eq!(write_prompt(&here), text);
        assert_eq!(read_prompt(text), Ok(here));
    }

    #[test]
    fn energy_is_rounded_to_ten() {
        let told = [0, 4, 5, 14, 75, 79, 84, 85, 100].map(rounded_energy);
        assert_eq!(told, [0, 0, 10, 10, 80, 80, 80, 90, 100]);
    }

    #[test]
    fn a_broken_prompt_says_where() {
        let error = read_prompt("At (5,3), E80. See: home Action:").unwrap_err();
        assert_eq!(error.to_string(), "This is not a prompt: arrows or \" here\" was expected at \" Action:\".");
        for broken in [
            "",
            "At (5;3)",
            "At (5,3), E",
            "At (5,3), E80. See: tree↑ Action:",
            "At (5,3), E80. See: nothing",
            "At (5,3), E80. See: home↑ home↓ Action:",
            "At (99999,3), E80. See: nothing Action:",
        ] {
            assert!(read_prompt(broken).is_err(), "{broken}");
        }
    }

    fn any_observation() -> impl Strategy<Value = Observation> {
        let bearings = proptest::collection::vec((0_u8..16, any::<bool>()), Thing::COUNT);
        (any::<(u16, u16)>(), 0_u16..=10_000, any::<bool>(), bearings).prop_map(|((x, y), energy, load, bearings)| {
            let mut observation = Observation::new(Cell::new(x, y), energy, load.then_some(Thing::Food));
            for (thing, (arrows, here)) in Thing::ALL.into_iter().zip(bearings) {
                let directions: Vec<_> = Direction::ALL.into_iter().filter(|d| arrows & 1 << *d as u8 != 0).collect();
                let bearing = Bearing::toward(&directions);
                observation.see(thing, if here { bearing.with_here() } else { bearing });
            }
            observation
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn every_prompt_reads_back_as_the_same_facts(observation in any_observation()) {
            let read = read_prompt(&write_prompt(&observation));
            let mut told = observation;
            told.energy = rounded_energy(told.energy);
            prop_assert_eq!(read, Ok(told));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "(At \\([0-9]{0,6},[0-9]{0,3}\\), E[0-9]{0,5}|.{0,20})(\\. See:)?.{0,40}") {
            let _ = read_prompt(&text);
        }
    }
}
