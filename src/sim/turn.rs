//! The second half of a turn: agents act and are rewarded, they tire, and the clock goes on.

use bevy::{ecs::query::QueryData, prelude::*};
use rand::seq::SliceRandom;

use super::{
    actions::{Acting, perform},
    agent::{Agent, Choice, Deed, Energy, LastTurn, Life, Load, Vitality},
    ground::Ground,
    habitat::{Clock, Finished, Habitat, HabitatConfig, Ledger, Roster},
    regrowth::Regrowth,
    reward::reward_of,
    things::{GridPos, InHabitat},
};
use crate::protocol::{Action, Cell, Outcome, StreamName};

/// What of an agent's body an act can change.
#[derive(QueryData)]
#[query_data(mutable)]
pub struct Body {
    place: &'static mut GridPos,
    energy: &'static mut Energy,
    load: &'static mut Load,
    life: &'static mut Life,
    choice: &'static mut Choice,
    last: &'static mut LastTurn,
    vitality: &'static Vitality,
}

/// What of a habitat acts can change.
#[derive(QueryData)]
#[query_data(mutable)]
pub struct Stage {
    habitat: &'static Habitat,
    config: &'static HabitatConfig,
    clock: &'static Clock,
    roster: &'static Roster,
    ground: &'static mut Ground,
    ledger: &'static mut Ledger,
    regrowth: &'static mut Regrowth,
}

/// Carries out every choice, in an order that is drawn anew each turn: so whoever reaches for the same piece of food
/// has the same chance at it, and the same seed gives it to the same agent.
pub fn act_agents(mut habitats: Query<Stage, Without<Finished>>, mut bodies: Query<Body>, mut commands: Commands) {
    let mut taken = Vec::new();
    for mut stage in &mut habitats {
        let mut order = stage.roster.0.clone();
        order.shuffle(&mut stage.habitat.streams.key(StreamName::Order).at(stage.clock.moment()));
        for entity in order {
            let Ok(mut body) = bodies.get_mut(entity) else { continue };
            body.last.0 = act(&mut stage, &mut body, &mut taken);
        }
        for (food, cell) in taken.drain(..) {
            stage.regrowth.waiting.push_back((stage.clock.turn, cell));
            commands.entity(food).despawn();
        }
    }
}

/// Carries out one agent's choice and rewards it; the dead have none.
fn act(stage: &mut StageItem, body: &mut BodyItem, taken: &mut Vec<(Entity, Cell)>) -> Option<Deed> {
    if !body.vitality.is_alive() {
        return None;
    }
    let (action, is_readable) = match std::mem::take(&mut *body.choice) {
        Choice::None => return None,
        Choice::Act(action) => (action, true),
        Choice::Unreadable => (Action::Wait, false),
    };
    let mut acting = Acting {
        config: stage.config,
        ground: &mut stage.ground,
        ledger: &mut stage.ledger,
        taken,
        cell: &mut body.place.0,
        energy: &mut body.energy.0,
        load: &mut body.load.0,
        life: &mut body.life.0,
        nearer: 0.0,
    };
    let outcome = if is_readable { perform(action, &mut acting) } else { Outcome::Unreadable };
    let table = &stage.config.reward;
    let (reward, shaping) = (reward_of(outcome, table), acting.nearer * table.shaping);
    acting.life.total_reward += reward;
    match outcome {
        Outcome::Invalid => stage.ledger.invalid += 1,
        Outcome::Bumped => stage.ledger.bumps += 1,
        _ => {}
    }
    Some(Deed { action, outcome, reward, shaping })
}

/// Takes the turn's energy; who has none left dies where it stands, and what it carried is lost.
pub fn tire_agents(
    mut habitats: Query<(&HabitatConfig, &mut Ground, &mut Ledger), Without<Finished>>,
    mut agents: Query<(&InHabitat, &GridPos, &mut Energy, &mut Load, &mut Life, &mut Vitality), With<Agent>>,
) {
    for (habitat, place, mut energy, mut load, mut life, mut vitality) in &mut agents {
        let Ok((config, mut ground, mut ledger)) = habitats.get_mut(habitat.0) else { continue };
        if !vitality.is_alive() {
            continue;
        }
        life.0.turns_alive += 1;
        energy.0 -= config.energy.per_turn;
        if energy.0 <= 0.0 {
            energy.0 = 0.0;
            *vitality = Vitality::Dead;
            ground.leave(place.0);
            ledger.deaths += 1;
            ledger.lost += u64::from(load.0.take().is_some());
        }
    }
}

/// Closes the turn.
pub fn advance_clock(mut clocks: Query<&mut Clock, Without<Finished>>) {
    for mut clock in &mut clocks {
        clock.turn += 1;
    }
}
