//! Things that lie in cells: food, home, walls.
//!
//! Each is an entity with a marker component, a [`GridPos`] and an [`InHabitat`]. Whoever spawns or despawns one,
//! observers keep the habitat's [`Ground`] true, and with it the distance maps.

mod food;
mod home;
mod wall;

use bevy::prelude::*;

pub use food::Food;
pub use home::Home;
pub use wall::Wall;

use super::ground::Ground;
use crate::protocol::{Cell, Thing};

/// The cell in which something is.
#[derive(Component, Debug, Clone, Copy, PartialEq, Eq, Deref, DerefMut)]
pub struct GridPos(pub Cell);

/// The habitat to which something belongs.
#[derive(Component, Debug, Clone, Copy, PartialEq, Eq)]
pub struct InHabitat(pub Entity);

/// A kind of thing that lies in a cell, at most one of a kind per cell.
pub trait Fixture: Component {
    /// What agents call it.
    const THING: Thing;
}

/// Teaches the app every kind of thing. A new kind is a row here.
pub(super) fn register_things(app: &mut App) {
    register::<Food>(app);
    register::<Home>(app);
    register::<Wall>(app);
}

fn register<F: Fixture>(app: &mut App) {
    app.add_observer(note_placed::<F>).add_observer(note_taken::<F>);
}

/// A second thing of a kind in a cell is taken away again.
fn note_placed<F: Fixture>(
    added: On<Add, F>,
    places: Query<(&GridPos, &InHabitat)>,
    mut grounds: Query<&mut Ground>,
    mut commands: Commands,
) {
    if let Ok((place, habitat)) = places.get(added.entity)
        && let Ok(mut ground) = grounds.get_mut(habitat.0)
        && !ground.place(F::THING, place.0, added.entity)
    {
        commands.entity(added.entity).despawn();
    }
}

fn note_taken<F: Fixture>(
    removed: On<Remove, F>,
    places: Query<(&GridPos, &InHabitat)>,
    mut grounds: Query<&mut Ground>,
) {
    if let Ok((place, habitat)) = places.get(removed.entity)
        && let Ok(mut ground) = grounds.get_mut(habitat.0)
        && ground.at(F::THING, place.0) == Some(removed.entity)
    {
        ground.take(F::THING, place.0);
    }
}
