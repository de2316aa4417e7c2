//! Each action by hand: what it changes, and when it is invalid.

use bevy::prelude::Entity;

use super::*;
use crate::protocol::Direction;

struct Scene {
    config: RunConfig,
    ground: Ground,
    ledger: Ledger,
    taken: Vec<(Entity, Cell)>,
    cell: Cell,
    energy: f64,
    load: Option<Thing>,
    life: LifeRecord,
    nearer: f64,
}

impl Scene {
    /// Five by five cells, home at (0,0), food at (2,2), a wall at (3,2); the agent on the food.
    fn new() -> Self {
        let mut ground = Ground::new(5, 10);
        ground.place(Thing::Home, Cell::new(0, 0), Entity::PLACEHOLDER);
        ground.place(Thing::Food, Cell::new(2, 2), Entity::PLACEHOLDER);
        ground.place(Thing::Wall, Cell::new(3, 2), Entity::PLACEHOLDER);
        let cell = Cell::new(2, 2);
        ground.enter(cell);
        Self {
            config: RunConfig::default(),
            ground,
            ledger: Ledger::default(),
            taken: Vec::new(),
            cell,
            energy: 60.0,
            load: None,
            life: LifeRecord::default(),
            nearer: 0.0,
        }
    }

    fn act(&mut self, action: Action) -> Outcome {
        let mut acting = Acting {
            config: &self.config,
            ground: &mut self.ground,
            ledger: &mut self.ledger,
            taken: &mut self.taken,
            cell: &mut self.cell,
            energy: &mut self.energy,
            load: &mut self.load,
            life: &mut self.life,
            nearer: 0.0,
        };
        let outcome = perform(action, &mut acting);
        self.nearer = acting.nearer;
        outcome
    }
}

#[test]
fn a_step_moves_the_agent_and_walls_and_edges_stop_it() {
    let mut scene = Scene::new();
    assert_eq!(scene.act(Action::Move(Direction::East)), Outcome::Bumped);
    assert_eq!(scene.cell, Cell::new(2, 2));
    assert_eq!(scene.act(Action::Move(Direction::North)), Outcome::Moved);
    assert_eq!((scene.cell, scene.nearer), (Cell::new(2, 3), -1.0));
    assert_eq!((scene.ground.crowd(Cell::new(2, 2)), scene.ground.crowd(Cell::new(2, 3))), (0, 1));
    assert_eq!(scene.act(Action::Move(Direction::South)), Outcome::Moved);
    assert_eq!(scene.nearer, 1.0);
    scene.load = Some(Thing::Food);
    assert_eq!(scene.act(Action::Move(Direction::West)), Outcome::Moved);
    assert_eq!(scene.nearer, 1.0, "with a load, home is where to go");
    scene.cell = Cell::new(4, 4);
    assert_eq!(scene.act(Action::Move(Direction::East)), Outcome::Bumped);
    assert_eq!(scene.nearer, 0.0);
}

#[test]
fn food_is_taken_up_once_and_with_empty_hands() {
    let mut scene = Scene::new();
    assert_eq!(scene.act(Action::PickUp), Outcome::PickedUp);
    assert_eq!((scene.load, scene.energy, scene.life.food_collected), (Some(Thing::Food), 70.0, 1));
    assert_eq!(scene.taken, [(Entity::PLACEHOLDER, Cell::new(2, 2))]);
    assert_eq!(scene.act(Action::PickUp), Outcome::Invalid);
    scene.ground.place(Thing::Food, scene.cell, Entity::PLACEHOLDER);
    assert_eq!(scene.act(Action::PickUp), Outcome::Invalid, "hands are full");
    assert_eq!(scene.life.food_collected, 1);
}

#[test]
fn a_load_is_delivered_at_home_and_nowhere_else() {
    let mut scene = Scene::new();
    assert_eq!(scene.act(Action::Drop), Outcome::Invalid, "nothing to drop");
    scene.act(Action::PickUp);
    assert_eq!(scene.act(Action::Drop), Outcome::Invalid, "not at home");
    assert_eq!((scene.load, scene.ground.has(Thing::Food, scene.cell)), (Some(Thing::Food), false));
    scene.cell = Cell::new(0, 0);
    assert_eq!(scene.act(Action::Drop), Outcome::Delivered);
    assert_eq!((scene.load, scene.energy, scene.life.food_delivered), (None, 100.0, 1));
    assert_eq!(scene.act(Action::Drop), Outcome::Invalid);
}

#[test]
fn eating_takes_what_lies_here_first_then_the_load() {
    let mut scene = Scene::new();
    scene.load = Some(Thing::Food);
    scene.energy = 49.0;
    assert_eq!(scene.act(Action::Eat), Outcome::AteHungry);
    assert_eq!((scene.energy, scene.load), (89.0, Some(Thing::Food)));
    assert_eq!(scene.act(Action::Eat), Outcome::AteSated);
    assert_eq!((scene.energy, scene.load), (100.0, None));
    assert_eq!(scene.act(Action::Eat), Outcome::Invalid);
    assert_eq!((scene.ledger.eaten_off_ground, scene.ledger.eaten_from_hand), (1, 1));
}

#[test]
fn waiting_changes_nothing() {
    let mut scene = Scene::new();
    assert_eq!(scene.act(Action::Wait), Outcome::Waited);
    assert_eq!((scene.cell, scene.energy, scene.life), (Cell::new(2, 2), 60.0, LifeRecord::default()));
}
