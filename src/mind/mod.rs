//! Joins bodies to minds: the two schedules of a turn, the link to the worker, and what happens at a generation's end.
//!
//! **Ask**: observe → write prompt → send. **Resolve**: receive → act → upkeep → evolve → record.
//! Between the two lies the channel. Headless waits there; the window looks in every frame.
//!
//! This room does *not* know candle, tensors, how a mind decides, or any window.

mod ask;
mod link;
mod receive;
mod resolve;
mod scripted;
mod state;

use bevy::{
    ecs::schedule::{ScheduleLabel, SingleThreadedExecutor},
    prelude::*,
};

pub use ask::Asked;
pub use link::{LinkDown, WorkerLink};
pub use receive::{give_minds_up, patience, wait_for_thoughts, wait_until_ready};
pub use resolve::{Fallback, GenerationEnded, Inbox, LastThought, sum_up};
pub use scripted::{ScriptedMind, spawn_scripted_worker};
pub use state::WorkerState;

use crate::sim;

/// The first half of a turn: agents look around and their minds are asked.
#[derive(ScheduleLabel, Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ask;

/// The second half of a turn: the answer is in the [`Inbox`], and agents act on it.
#[derive(ScheduleLabel, Debug, Clone, PartialEq, Eq, Hash)]
pub struct Resolve;

/// The steps of [`Ask`], in order.
#[derive(SystemSet, Debug, Clone, PartialEq, Eq, Hash)]
pub enum AskSystems {
    /// Agents look around.
    Observe,
    /// The worker is asked.
    Send,
}

/// The steps of [`Resolve`], in order.
#[derive(SystemSet, Debug, Clone, PartialEq, Eq, Hash)]
pub enum ResolveSystems {
    /// Thoughts become choices.
    Receive,
    /// Choices become deeds, with their rewards.
    Act,
    /// Agents tire, food grows back, the clock goes on.
    Upkeep,
    /// Generations that are over end, and the next begin.
    Evolve,
    /// What has happened is written down.
    Record,
}

/// Adds the two schedules of a turn to an app, which must have a [`WorkerLink`].
#[derive(Debug, Default)]
pub struct MindPlugin;

impl Plugin for MindPlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<Asked>()
            .init_resource::<Inbox>()
            .init_resource::<WorkerState>()
            .add_message::<GenerationEnded>()
            .register_required_components::<sim::Agent, LastThought>();
        app.init_schedule(Ask)
            .init_schedule(Resolve)
            .edit_schedule(Ask, run_on_one_thread)
            .edit_schedule(Resolve, run_on_one_thread)
            .configure_sets(Ask, (AskSystems::Observe, AskSystems::Send).chain())
            .configure_sets(
                Resolve,
                (
                    ResolveSystems::Receive,
                    ResolveSystems::Act,
                    ResolveSystems::Upkeep,
                    ResolveSystems::Evolve,
                    ResolveSystems::Record,
                )
                    .chain(),
            )
            .add_systems(Ask, sim::observe_agents.in_set(AskSystems::Observe))
            .add_systems(Ask, ask::ask_minds.in_set(AskSystems::Send))
            .add_systems(Resolve, resolve::receive_thoughts.in_set(ResolveSystems::Receive))
            .add_systems(Resolve, sim::act_agents.in_set(ResolveSystems::Act))
            .add_systems(
                Resolve,
                (sim::tire_agents, sim::regrow_food, sim::advance_clock).chain().in_set(ResolveSystems::Upkeep),
            )
            .add_systems(Resolve, resolve::end_generations.in_set(ResolveSystems::Evolve));
    }
}

/// A turn's systems follow each other anyway; handing them from thread to thread would cost more than they do.
fn run_on_one_thread(schedule: &mut Schedule) {
    schedule.set_executor(SingleThreadedExecutor::new());
}
