//! Home, as a component.

use bevy::prelude::*;

use super::Fixture;
use crate::protocol::Thing;

/// A cell of home: where food is delivered.
#[derive(Component, Debug, Clone, Copy, Default)]
pub struct Home;

impl Fixture for Home {
    const THING: Thing = Thing::Home;
}
