//! The situations in which minds are compared: a fixed set that covers what an agent can be about to do.
//!
//! This module does *not* know who is compared, or how.

use std::sync::{Arc, OnceLock};

use crate::{
    language::write_prompt,
    protocol::{Bearing, Cell, Direction, Observation, Thing},
};

/// The situations as prompts, always the same ones in the same order.
pub fn probe_prompts() -> Arc<Vec<String>> {
    static PROMPTS: OnceLock<Arc<Vec<String>>> = OnceLock::new();
    Arc::clone(PROMPTS.get_or_init(|| Arc::new(probes().iter().map(write_prompt).collect())))
}

/// The situations: with and without food in hand, food here, in each direction and out of reach, at home and away from it,
/// hungry and not.
pub fn probes() -> Vec<Observation> {
    use Direction::{East, North, South, West};
    let (none, here) = (Bearing::NONE, Bearing::HERE);
    let to = |direction| Bearing::toward(&[direction]);
    let away = |x, y, energy, carries: bool, home, food| {
        let carried = carries.then_some(Thing::Food);
        Observation::new(Cell::new(x, y), energy, carried).with(Thing::Home, home).with(Thing::Food, food)
    };
    vec![
        away(4, 12, 80, false, to(South).with(East), here),
        away(15, 3, 30, false, to(North).with(West), here),
        away(7, 7, 90, false, to(North).with(East), to(North)),
        away(12, 16, 60, false, to(South).with(West), to(South)),
        away(2, 9, 70, false, to(East), to(East)),
        away(17, 10, 40, false, to(West), to(West)),
        away(5, 15, 50, false, to(South).with(East), to(North).with(West)),
        away(10, 10, 80, false, here, to(South)),
        away(9, 9, 80, false, here, none),
        away(9, 10, 70, true, here, to(East)),
        away(10, 9, 30, true, here, none),
        away(9, 4, 60, true, to(North), none),
        away(14, 9, 90, true, to(West), to(North)),
        away(3, 10, 40, true, to(East), here),
        away(10, 15, 20, true, to(South), to(South)),
        away(6, 5, 70, true, to(North).with(East), to(West)).with(Thing::Wall, to(North)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn situations_differ_and_read_like_any_other() {
        let prompts = probe_prompts();
        assert_eq!((prompts.len(), prompts[0].as_str()), (16, "At (4,12), E80. See: home↓→ food here Action:"));
        let mut distinct: Vec<_> = prompts.iter().collect();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), 16);
    }
}
