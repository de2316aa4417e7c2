//! Food, as a component.

use bevy::prelude::*;

use super::Fixture;
use crate::protocol::Thing;

/// A piece of food: may be taken up, carried, eaten, and delivered at home.
#[derive(Component, Debug, Clone, Copy, Default)]
pub struct Food;

impl Fixture for Food {
    const THING: Thing = Thing::Food;
}
