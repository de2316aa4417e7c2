//! Changes of the world by hand, which can be taken back.

use std::collections::VecDeque;

use bevy::prelude::*;

use super::run::habitats;
use crate::{
    protocol::{AgentId, Cell, Edit, HabitatId, Thing},
    sim::{Clock, Food, GridPos, Ground, Habitat, Home, InHabitat, Roster, Wall},
};

/// Edits that can be taken back.
const KEPT: usize = 200;

/// What has been changed, as what undoes it.
#[derive(Resource, Debug, Default)]
pub(super) struct Edits {
    undo: VecDeque<Step>,
    redo: Vec<Step>,
}

/// An edit in its generation; in another one it has no meaning any more.
#[derive(Debug, Clone, Copy)]
struct Step {
    habitat: HabitatId,
    generation: u32,
    edit: Edit,
}

impl Edits {
    /// Whether an edit can be taken back, and made again.
    pub(super) fn can(&self) -> (bool, bool) {
        (!self.undo.is_empty(), !self.redo.is_empty())
    }
}

/// Makes an edit.
///
/// # Errors
/// A sentence: why it cannot be made.
pub(super) fn make(world: &mut World, habitat: HabitatId, edit: Edit) -> Result<(), String> {
    let (generation, inverse) = apply(world, habitat, edit)?;
    let mut edits = world.resource_mut::<Edits>();
    edits.redo.clear();
    edits.undo.push_back(Step { habitat, generation, edit: inverse });
    if edits.undo.len() > KEPT {
        edits.undo.pop_front();
    }
    Ok(())
}

/// Takes the last edit back, or makes it again.
///
/// # Errors
/// A sentence: why that cannot be.
pub(super) fn step_back(world: &mut World, again: bool) -> Result<(), String> {
    let mut edits = world.resource_mut::<Edits>();
    let Some(step) = (if again { edits.redo.pop() } else { edits.undo.pop_back() }) else { return Ok(()) };
    let entity = find(world, step.habitat)?;
    if world.get::<Clock>(entity).is_none_or(|clock| clock.generation != step.generation) {
        let mut edits = world.resource_mut::<Edits>();
        (edits.undo, edits.redo) = (VecDeque::new(), Vec::new());
        return Err("The edits were of another generation, whose map is gone.".to_owned());
    }
    let (generation, inverse) = apply(world, step.habitat, step.edit)?;
    let mut edits = world.resource_mut::<Edits>();
    let step = Step { habitat: step.habitat, generation, edit: inverse };
    if again {
        edits.undo.push_back(step)
    } else {
        edits.redo.push(step)
    }
    Ok(())
}

fn find(world: &mut World, habitat: HabitatId) -> Result<Entity, String> {
    let found =
        habitats(world).into_iter().find(|entity| world.get::<Habitat>(*entity).is_some_and(|one| one.id == habitat));
    found.ok_or_else(|| format!("There is no habitat {habitat}."))
}

/// Makes an edit and gives the generation and what would undo it.
fn apply(world: &mut World, habitat: HabitatId, edit: Edit) -> Result<(u32, Edit), String> {
    let entity = find(world, habitat)?;
    let generation = world.get::<Clock>(entity).map_or(0, |clock| clock.generation);
    let inverse = match edit {
        Edit::Food(cell) => toggle(world, entity, Thing::Food, cell).map(|()| edit)?,
        Edit::Wall(cell) => toggle(world, entity, Thing::Wall, cell).map(|()| edit)?,
        Edit::Home(cell) => toggle(world, entity, Thing::Home, cell).map(|()| edit)?,
        Edit::Agent(agent, cell) => Edit::Agent(agent, put_agent(world, entity, agent, cell)?),
    };
    Ok((generation, inverse))
}

/// Takes a thing away, or puts it where nothing is in its way.
fn toggle(world: &mut World, habitat: Entity, thing: Thing, cell: Cell) -> Result<(), String> {
    let Some(ground) = world.get::<Ground>(habitat) else { return Err("The habitat is gone.".to_owned()) };
    if let Some(there) = ground.at(thing, cell) {
        if thing == Thing::Home && ground.count(Thing::Home) == 1 {
            return Err("This is the last cell of home: agents need one.".to_owned());
        }
        world.despawn(there);
        return Ok(());
    }
    if !ground.is_bare(cell) {
        return Err("Something lies in that cell already: take it away first.".to_owned());
    }
    if thing == Thing::Wall && ground.crowd(cell) > 0 {
        return Err("Somebody stands in that cell: a wall would bury it.".to_owned());
    }
    let place = (GridPos(cell), InHabitat(habitat));
    match thing {
        Thing::Food => world.spawn((Food, place)),
        Thing::Home => world.spawn((Home, place)),
        _ => world.spawn((Wall, place)),
    };
    world.flush();
    Ok(())
}

/// Puts an agent into a cell; gives the one where it was.
fn put_agent(world: &mut World, habitat: Entity, agent: AgentId, cell: Cell) -> Result<Cell, String> {
    let body = world.get::<Roster>(habitat).and_then(|roster| roster.get(agent.0 as usize).copied());
    let gone = || "That agent is gone.".to_owned();
    let body = body.ok_or_else(gone)?;
    let was = world.get::<GridPos>(body).ok_or_else(gone)?.0;
    let mut ground = world.get_mut::<Ground>(habitat).ok_or_else(gone)?;
    if ground.has(Thing::Wall, cell) {
        return Err("There is a wall: nobody can stand in it.".to_owned());
    }
    ground.leave(was);
    ground.enter(cell);
    if let Some(mut place) = world.get_mut::<GridPos>(body) {
        place.0 = cell;
    }
    Ok(was)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        config::RunConfig,
        protocol::Streams,
        sim::{SimPlugin, spawn_habitat},
    };

    fn world() -> (App, Entity) {
        let mut app = App::new();
        app.add_plugins(SimPlugin).init_resource::<Edits>();
        let streams = Streams { seed: 1, habitat: HabitatId(0), unseen: false };
        let habitat = spawn_habitat(app.world_mut(), HabitatId(0), streams, Arc::new(RunConfig::default()));
        (app, habitat)
    }

    fn bare(world: &World, habitat: Entity) -> Cell {
        let ground = world.get::<Ground>(habitat).unwrap();
        let cells = (0..20).flat_map(|x| (0..20).map(move |y| Cell::new(x, y)));
        cells.into_iter().find(|cell| ground.is_bare(*cell) && ground.crowd(*cell) == 0).unwrap()
    }

    #[test]
    fn what_is_put_is_taken_away_and_back_again() {
        let (mut app, habitat) = world();
        let world = app.world_mut();
        let cell = bare(world, habitat);
        for (edit, thing) in
            [(Edit::Food(cell), Thing::Food), (Edit::Wall(cell), Thing::Wall), (Edit::Home(cell), Thing::Home)]
        {
            let has = |world: &World| world.get::<Ground>(habitat).unwrap().has(thing, cell);
            make(world, HabitatId(0), edit).unwrap();
            assert!(has(world));
            step_back(world, false).unwrap();
            assert!(!has(world));
            step_back(world, true).unwrap();
            assert!(has(world));
            assert_eq!(world.resource::<Edits>().can(), (true, false));
            make(world, HabitatId(0), edit).unwrap();
            assert!(!has(world), "a second time takes it away");
        }
    }

    #[test]
    fn agents_are_dragged_and_walls_are_in_the_way() {
        let (mut app, habitat) = world();
        let world = app.world_mut();
        let cell = bare(world, habitat);
        let body = world.get::<Roster>(habitat).unwrap().0[3];
        let was = world.get::<GridPos>(body).unwrap().0;
        make(world, HabitatId(0), Edit::Agent(AgentId(3), cell)).unwrap();
        assert_eq!(world.get::<GridPos>(body).unwrap().0, cell);
        assert!(make(world, HabitatId(0), Edit::Wall(cell)).unwrap_err().contains("Somebody stands"));
        step_back(world, false).unwrap();
        assert_eq!(world.get::<GridPos>(body).unwrap().0, was);
        let wall = world.get::<Ground>(habitat).unwrap().all(Thing::Wall).next().unwrap().0;
        assert!(make(world, HabitatId(0), Edit::Agent(AgentId(3), wall)).unwrap_err().contains("wall"));
        assert!(make(world, HabitatId(0), Edit::Food(wall)).unwrap_err().contains("already"));
        world.get_mut::<Clock>(habitat).unwrap().generation = 1;
        assert!(step_back(world, true).unwrap_err().contains("another generation"));
        assert_eq!(world.resource::<Edits>().can(), (false, false));
    }

    #[test]
    fn a_new_edit_ends_what_could_be_made_again_and_old_ones_are_forgotten() {
        let (mut app, habitat) = world();
        let world = app.world_mut();
        let food = Edit::Food(bare(world, habitat));
        make(world, HabitatId(0), food).unwrap();
        step_back(world, false).unwrap();
        assert_eq!(world.resource::<Edits>().can(), (false, true));
        (0..KEPT + 50).for_each(|_| make(world, HabitatId(0), food).unwrap());
        assert_eq!(world.resource::<Edits>().can(), (true, false));
        let mut taken_back = 0;
        while world.resource::<Edits>().can().0 {
            step_back(world, false).unwrap();
            taken_back += 1;
        }
        assert_eq!(taken_back, KEPT);
    }

    #[test]
    fn the_last_cell_of_home_stays() {
        let (mut app, habitat) = world();
        let world = app.world_mut();
        let homes: Vec<Cell> = world.get::<Ground>(habitat).unwrap().all(Thing::Home).map(|(cell, _)| cell).collect();
        homes[1..].iter().for_each(|cell| make(world, HabitatId(0), Edit::Home(*cell)).unwrap());
        assert!(make(world, HabitatId(0), Edit::Home(homes[0])).unwrap_err().contains("last cell of home"));
        assert_eq!(
            world.get::<Ground>(habitat).unwrap().all(Thing::Home).map(|(cell, _)| cell).collect::<Vec<_>>(),
            homes[..1]
        );
    }
}
