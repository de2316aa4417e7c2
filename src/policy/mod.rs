//! The two scripted minds, `random` and `rules`: what the language model has to beat.
//!
//! Both are pure functions of an [`Observation`] and a random stream. They see what the language model sees,
//! rounded energy too, and no more.
//!
//! This room does *not* know the habitat, the channel to the worker, or any prompt.

use rand::{Rng, RngExt, seq::IndexedRandom};

use crate::protocol::{Action, Bearing, Direction, Observation, Thing};

/// Energy, as a prompt tells it, at or below which `rules` eats in place of carrying food home. Part of the mind, not
/// of the world: the mind knows no settings.
const LOW_ENERGY: u16 = 20;

/// Draws one of the eight actions, each with probability 1/8, whatever the state.
pub fn random(draws: &mut impl Rng) -> Action {
    Action::ALL[draws.random_range(0..Action::COUNT)]
}

/// The rule-based agent: food when hands are empty, home when they are full, eat when low, explore otherwise.
///
/// `energy` in the observation is taken as the prompt tells it: the caller rounds it.
pub fn rules(observation: &Observation, draws: &mut impl Rng) -> Action {
    let low = observation.energy <= LOW_ENERGY;
    let food = observation.bearing(Thing::Food);
    let home = observation.bearing(Thing::Home);
    match observation.carrying {
        Some(_) if home.is_here() => Action::Drop,
        Some(_) if low => Action::Eat,
        Some(_) => follow(home, observation, draws),
        None if food.is_here() && low => Action::Eat,
        None if food.is_here() => Action::PickUp,
        None => follow(food, observation, draws),
    }
}

/// A step along `bearing` that no wall stops; where there is none, a step anywhere.
fn follow(bearing: Bearing, observation: &Observation, draws: &mut impl Rng) -> Action {
    let blocked = |d| observation.bearing(Thing::Wall).has(d) || observation.bearing(Thing::Edge).has(d);
    let open =
        |directions: &mut dyn Iterator<Item = Direction>| directions.filter(|d| !blocked(*d)).collect::<Vec<_>>();
    let mut ways = open(&mut bearing.directions());
    if ways.is_empty() {
        ways = open(&mut Direction::ALL.into_iter());
    }
    ways.choose(draws).map_or(Action::Wait, |direction| Action::Move(*direction))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::protocol::{
        Cell,
        Direction::{East, North, South, West},
    };

    fn draws() -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(1)
    }

    fn at(energy: u16, carrying: bool) -> Observation {
        Observation::new(Cell::new(5, 5), energy, carrying.then_some(Thing::Food))
            .with(Thing::Home, Bearing::toward(&[West]))
            .with(Thing::Food, Bearing::toward(&[North]))
    }

    #[test]
    fn rules_does_what_it_says() {
        let decide = |observation: Observation| rules(&observation, &mut draws());
        assert_eq!(decide(at(80, false)), Action::Move(North));
        assert_eq!(decide(at(80, true)), Action::Move(West));
        assert_eq!(decide(at(80, true).with(Thing::Home, Bearing::HERE)), Action::Drop);
        assert_eq!(decide(at(80, false).with(Thing::Food, Bearing::HERE)), Action::PickUp);
        assert_eq!(decide(at(20, false).with(Thing::Food, Bearing::HERE)), Action::Eat);
        assert_eq!(decide(at(20, true)), Action::Eat);
        assert_eq!(decide(at(20, true).with(Thing::Home, Bearing::HERE)), Action::Drop);
    }

    #[test]
    fn rules_goes_round_walls_and_explores_where_it_sees_nothing() {
        let shut_in = at(80, false)
            .with(Thing::Wall, Bearing::toward(&[North, West]))
            .with(Thing::Edge, Bearing::toward(&[South]));
        assert_eq!(rules(&shut_in, &mut draws()), Action::Move(East));
        let enclosed = shut_in.with(Thing::Wall, Bearing::toward(&Direction::ALL));
        assert_eq!(rules(&enclosed, &mut draws()), Action::Wait);
        let blind = at(80, false).with(Thing::Food, Bearing::NONE);
        let mut stream = draws();
        let tried: Vec<_> = (0..64).map(|_| rules(&blind, &mut stream)).collect();
        assert!(Direction::ALL.into_iter().all(|d| tried.contains(&Action::Move(d))));
    }

    /// χ² with 7 degrees of freedom stays below its 99.9 % point, 24.3.
    #[test]
    fn random_is_uniform_over_the_eight() {
        let mut counts = [0_f64; Action::COUNT];
        let mut stream = draws();
        for _ in 0..8_000 {
            counts[random(&mut stream).index()] += 1.0;
        }
        let chi: f64 = counts.iter().map(|n| (n - 1000.0).powi(2) / 1000.0).sum();
        assert!(chi < 24.3, "χ² = {chi}, counts {counts:?}");
    }
}
