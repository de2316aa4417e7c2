//! Wall, as a component.

use bevy::prelude::*;

use super::Fixture;
use crate::protocol::Thing;

/// A cell that nobody can enter or see through.
#[derive(Component, Debug, Clone, Copy, Default)]
pub struct Wall;

impl Fixture for Wall {
    const THING: Thing = Thing::Wall;
}
