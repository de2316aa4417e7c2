//! The laws of the habitat, held against whole runs: nothing is lost, nobody walks through walls, the dead lie still.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::collections::BTreeMap;

use bevy::prelude::*;
use crossbeam_channel::{Receiver, Sender};
use evolora::{
    Simulation,
    config::{PerceptionKind, RunConfig},
    mind::WorkerLink,
    policy,
    protocol::{Action, LifeRecord, Reply, Request, Thing, Thinker, Thought, Thoughts},
    sim::{
        Agent, Clock, Energy, Finished, Food, GridPos, Ground, Habitat, HabitatConfig, InHabitat, LastTurn, Ledger,
        Life, Load, Regrowth, Roster, Vitality, Wall,
    },
};
use proptest::prelude::*;
use rand::RngExt;

/// A mind that does sensible things and nonsense by turns, so that every rule is used.
fn erratic(thinker: &Thinker) -> Action {
    let mut draws = thinker.draws.at(thinker.moment);
    if draws.random_bool(0.6) { policy::rules(&thinker.observation, &mut draws) } else { policy::random(&mut draws) }
}

/// A worker on the other end of the link that decides by `mind`.
fn worker(mind: impl Fn(&Thinker) -> Action + Send + Sync + 'static) -> WorkerLink {
    let work = move |requests: Receiver<Request>, replies: Sender<Reply>| {
        while let Ok(Request::Think(question)) = requests.recv() {
            let think = |thinker: &Thinker| Thought {
                habitat: thinker.habitat,
                agent: thinker.agent,
                text: "".into(),
                action: Some(mind(thinker)),
                policy: [0.125; Action::COUNT],
                explored: 0.0,
                log_probabilities: [0.125_f32.ln(); Action::COUNT],
                log_probability: 0.125_f32.ln(),
                tokens: 0,
                elapsed: std::time::Duration::ZERO,
            };
            let thoughts = question.thinkers.iter().map(think).collect();
            let _ = replies.send(Reply::Thought(Thoughts {
                epoch: question.epoch,
                thoughts,
                elapsed: std::time::Duration::ZERO,
            }));
        }
    };
    WorkerLink::spawn(work).unwrap()
}

fn simulation(config: RunConfig, mind: impl Fn(&Thinker) -> Action + Send + Sync + 'static) -> Simulation {
    Simulation::with_link(config, worker(mind), false).unwrap()
}

/// Settings of small, crowded, quickly dying worlds.
fn any_config() -> impl Strategy<Value = RunConfig> {
    let rest = (0_u32..6, 0.0..15.0_f64, 1_u32..4, any::<bool>());
    (any::<u32>(), 6_u16..14, 1_u32..12, 0.0..0.5_f64, 0.0..0.3_f64, rest).prop_map(
        |(seed, size, agents, food, walls, (regrow, cost, habitats, sight))| {
            let mut config = RunConfig::default();
            config.run.seed = u64::from(seed);
            config.run.turns = 30;
            config.run.generations = 2;
            config.habitat.size = size;
            config.habitat.agents = agents;
            config.habitat.food = food;
            config.habitat.walls = walls;
            config.habitat.regrow_turns = regrow;
            config.energy.per_turn = cost;
            config.run.habitats = habitats;
            config.habitat.perception = if sight { PerceptionKind::Sight } else { PerceptionKind::Scent };
            config
        },
    )
}

/// Checks every law in every habitat.
fn check_laws(world: &mut World) -> Result<(), TestCaseError> {
    let mut foods: BTreeMap<(Entity, u16, u16), u32> = BTreeMap::new();
    for (habitat, place) in world.query_filtered::<(&InHabitat, &GridPos), With<Food>>().iter(world) {
        *foods.entry((habitat.0, place.x, place.y)).or_default() += 1;
    }
    let mut habitats = world.query::<(Entity, &Ground, &Ledger, &Roster, &Regrowth, &HabitatConfig, &Clock)>();
    for (entity, ground, ledger, roster, regrowth, config, _) in habitats.iter(world) {
        let on_ground = foods.iter().filter(|((habitat, ..), _)| *habitat == entity).count() as u64;
        prop_assert!(foods.values().all(|n| *n == 1), "two pieces of food in a cell");
        prop_assert_eq!(u64::from(ground.count(Thing::Food)), on_ground, "the index knows every piece");
        prop_assert_eq!(ledger.placed + ledger.regrown, on_ground + ledger.picked_up + ledger.eaten_off_ground);
        prop_assert_eq!(on_ground + regrowth.waiting.len() as u64, ledger.placed, "what is taken grows back");
        let mut carried = 0;
        let (mut collected, mut delivered, mut dead) = (0, 0, 0);
        prop_assert_eq!(roster.len() as u32, config.habitat.agents, "agents are neither made nor lost");
        for agent in roster.iter() {
            let place = world.get::<GridPos>(*agent).unwrap().0;
            prop_assert!(place.x < ground.size() && place.y < ground.size(), "outside");
            prop_assert!(!ground.has(Thing::Wall, place), "in a wall");
            let energy = world.get::<Energy>(*agent).unwrap().0;
            prop_assert!((0.0..=config.energy.max).contains(&energy), "energy {energy}");
            let is_alive = world.get::<Vitality>(*agent).unwrap().is_alive();
            prop_assert_eq!(is_alive, energy > 0.0);
            let life = world.get::<Life>(*agent).unwrap().0;
            carried += u64::from(world.get::<Load>(*agent).unwrap().0.is_some());
            collected += u64::from(life.food_collected);
            delivered += u64::from(life.food_delivered);
            dead += u64::from(!is_alive);
        }
        prop_assert_eq!(
            ledger.picked_up,
            ledger.delivered + ledger.eaten_from_hand + ledger.lost + carried,
            "every piece taken up is somewhere"
        );
        prop_assert_eq!((collected, delivered, dead), (ledger.picked_up, ledger.delivered, ledger.deaths));
    }
    Ok(())
}

/// An agent's whole state, to see whether anything touched it.
fn state(world: &World, agent: Entity) -> (GridPos, Energy, Load, LifeRecord) {
    (
        *world.get::<GridPos>(agent).unwrap(),
        *world.get::<Energy>(agent).unwrap(),
        *world.get::<Load>(agent).unwrap(),
        world.get::<Life>(agent).unwrap().0,
    )
}

fn agents(world: &mut World) -> Vec<(Entity, bool)> {
    let mut query = world.query_filtered::<(Entity, &Vitality), With<Agent>>();
    query.iter(world).map(|(entity, vitality)| (entity, vitality.is_alive())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn nothing_is_made_or_lost_and_nobody_walks_through_walls(config in any_config()) {
        let mut simulation = simulation(config, erratic);
        check_laws(simulation.world_mut())?;
        while !simulation.is_finished() {
            simulation.step();
            check_laws(simulation.world_mut())?;
        }
    }

    /// Energy by an account of its own: what each deed gives, less the turn's cost, within 0 and the most.
    #[test]
    fn energy_is_what_the_rules_say(config in any_config()) {
        let mut simulation = simulation(config.clone(), erratic);
        let rules = config.energy;
        for _ in 0..config.run.turns - 1 {
            let world = simulation.world_mut();
            let before: BTreeMap<Entity, f64> =
                agents(world).into_iter().map(|(agent, _)| (agent, world.get::<Energy>(agent).unwrap().0)).collect();
            simulation.step();
            let world = simulation.world_mut();
            for (agent, _) in agents(world) {
                let Some(was) = before.get(&agent) else { continue };
                let gained = world.get::<LastTurn>(agent).unwrap().0.map_or(0.0, |deed| {
                    use evolora::protocol::Outcome::{AteHungry, AteSated, Delivered, PickedUp};
                    match deed.outcome {
                        PickedUp => rules.pick_up,
                        Delivered => rules.delivery,
                        AteHungry | AteSated => rules.eating,
                        _ => 0.0,
                    }
                });
                let due = if *was > 0.0 { ((was + gained).min(rules.max) - rules.per_turn).max(0.0) } else { 0.0 };
                let is = world.get::<Energy>(agent).unwrap().0;
                prop_assert!((is - due).abs() < 1e-9, "{} became {}, not {}", was, is, due);
            }
        }
    }

    #[test]
    fn the_dead_do_nothing_and_are_not_asked(mut config in any_config()) {
        config.energy.per_turn += 5.0;
        config.run.generations = 1;
        let (asked, who) = crossbeam_channel::unbounded();
        let mut simulation = simulation(config, move |thinker| {
            let _ = asked.send((thinker.habitat, thinker.agent));
            erratic(thinker)
        });
        while !simulation.is_finished() {
            let world = simulation.world_mut();
            let dead: Vec<_> = agents(world).into_iter().filter(|(_, alive)| !alive).map(|(agent, _)| agent).collect();
            let name = |agent: &Entity| {
                let habitat = world.get::<InHabitat>(*agent).unwrap().0;
                (world.get::<Habitat>(habitat).unwrap().id, world.get::<Agent>(*agent).unwrap().id)
            };
            let before: Vec<_> = dead.iter().map(|agent| (state(world, *agent), name(agent))).collect();
            simulation.step();
            let world = simulation.world_mut();
            let asked: Vec<_> = who.try_iter().collect();
            for (agent, (was, id)) in dead.into_iter().zip(before) {
                prop_assert_eq!(state(world, agent), was);
                prop_assert!(!asked.contains(&id), "a dead agent was asked");
                let habitat = world.get::<InHabitat>(agent).unwrap().0;
                // Where everybody is dead, time itself stands still.
                let is_finished = world.get::<Finished>(habitat).is_some();
                prop_assert!(is_finished || world.get::<LastTurn>(agent).unwrap().0.is_none());
            }
        }
    }
}

/// Two agents on one piece of food, again and again: each gets it about as often, and the same seed the same way.
#[test]
fn food_that_two_reach_for_goes_to_each_as_often() {
    let wins = |seed: u64| -> Vec<bool> {
        let mut config = RunConfig::default();
        config.run.seed = seed;
        config.run.turns = 400;
        config.habitat.agents = 2;
        config.habitat.food = 0.0;
        config.habitat.walls = 0.0;
        config.energy.per_turn = 0.0;
        let mut simulation = simulation(config, |_| Action::PickUp);
        let mut won = Vec::new();
        for _ in 0..399 {
            let world = simulation.world_mut();
            let (habitat, roster) = world
                .query::<(Entity, &Roster)>()
                .iter(world)
                .map(|(entity, roster)| (entity, roster.0.clone()))
                .next()
                .unwrap();
            let place = GridPos(evolora::protocol::Cell::new(3, 3));
            for agent in &roster {
                world.entity_mut(*agent).insert((place, Load(None)));
            }
            world.spawn((Food, place, InHabitat(habitat)));
            simulation.step();
            let world = simulation.world_mut();
            let carries = |agent: Entity| world.get::<Load>(agent).unwrap().0.is_some();
            assert_ne!(carries(roster[0]), carries(roster[1]), "exactly one gets it");
            won.push(carries(roster[0]));
            let grown: Vec<_> = world.query_filtered::<Entity, With<Food>>().iter(world).collect();
            grown.into_iter().for_each(|food| {
                world.despawn(food);
            });
        }
        won
    };
    let first = wins(5);
    assert_eq!(first, wins(5));
    assert_ne!(first, wins(6));
    let share = first.iter().filter(|won| **won).count();
    // Binomial(399, 1/2): four standard deviations are 40.
    assert!((160..=239).contains(&share), "the first of the two won {share} of 399");
}

#[test]
fn taken_food_grows_back_after_its_time_on_another_cell() {
    for wait in [0, 3] {
        let mut config = RunConfig::default();
        config.habitat.regrow_turns = wait;
        config.habitat.food = 0.0;
        config.habitat.agents = 1;
        let mut simulation = simulation(config, |_| Action::PickUp);
        let world = simulation.world_mut();
        let (habitat, agent) = world.query::<(Entity, &Roster)>().iter(world).map(|(h, r)| (h, r[0])).next().unwrap();
        let place = *world.get::<GridPos>(agent).unwrap();
        world.spawn((Food, place, InHabitat(habitat)));
        for turn in 0..=wait {
            simulation.step();
            let world = simulation.world_mut();
            let food: Vec<_> = world.query_filtered::<&GridPos, With<Food>>().iter(world).copied().collect();
            assert_eq!(food.len(), usize::from(turn == wait), "turn {turn} of {wait}");
            assert!(!food.contains(&place));
        }
    }
}

/// Walls that come and go while a run goes on: the arrows follow at once.
#[test]
fn an_edited_habitat_keeps_its_distance_maps_true() {
    let mut config = RunConfig::default();
    config.habitat.walls = 0.0;
    let mut simulation = simulation(config, erratic);
    let world = simulation.world_mut();
    let habitat = world.query_filtered::<Entity, With<Habitat>>().iter(world).next().unwrap();
    let cell = evolora::protocol::Cell::new;
    let distance = |world: &World| world.get::<Ground>(habitat).unwrap().to_home().distance(cell(0, 9));
    assert_eq!(distance(world), 9);
    let walls: Vec<_> = (0..19).map(|y| world.spawn((Wall, GridPos(cell(4, y)), InHabitat(habitat))).id()).collect();
    // Up to row 19, over the wall, and down again.
    assert_eq!(distance(world), 10 + 9 + 9);
    world.despawn(walls[9]);
    assert_eq!(distance(world), 9);
}

/// A second piece on a cell that has one is taken away: nothing is left over when the generation ends.
#[test]
fn a_cell_holds_one_thing_of_a_kind() {
    let mut config = RunConfig::default();
    config.habitat.food = 0.0;
    let mut simulation = simulation(config, erratic);
    let world = simulation.world_mut();
    let habitat = world.query_filtered::<Entity, With<Habitat>>().iter(world).next().unwrap();
    let piece = (Food, GridPos(evolora::protocol::Cell::new(1, 1)), InHabitat(habitat));
    let first = world.spawn(piece).id();
    world.spawn(piece);
    world.flush();
    let left: Vec<_> = world.query_filtered::<Entity, With<Food>>().iter(world).collect();
    assert_eq!(left, [first]);
}
