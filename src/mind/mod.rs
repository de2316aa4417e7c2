//! Joins bodies to minds: the two schedules of a turn, the link to the worker, and what happens at a generation's end.
//!
//! **Ask**: observe → write prompt → send. **Resolve**: receive → act → upkeep → learn → evolve → record.
//! Between the two lies the channel. Headless waits there; the window looks in every frame.
//!
//! This room does *not* know candle, tensors, how a mind decides, or any window.

mod ask;
mod change;
mod consult;
mod creatures;
mod duplicate;
mod evolve;
mod hall;
mod learn;
mod lesson;
mod link;
mod memory;
mod probe;
mod receive;
mod resolve;
mod scripted;
mod snapshot;
mod state;

use bevy::{
    ecs::schedule::{ScheduleLabel, SingleThreadedExecutor},
    prelude::*,
};

pub use ask::{Asked, manner};
pub use change::{ComingSettings, change_settings, is_between_turns, settings_of};
pub use consult::{Consulted, consult, consultation, listen};
pub use creatures::Creatures;
pub use duplicate::{CreatureReplaced, duplicate};
pub use evolve::{GenerationBegan, go_on};
pub use hall::{HallOfFame, Honoured};
pub use learn::{AgentsLearned, is_learning, learning_rule};
pub use link::{LinkDown, WorkerLink};
pub use memory::{Experience, Memories, Memory};
pub use probe::{probe_prompts, probes};
pub use receive::{
    ChildrenBorn, CreaturesSurveyed, Mail, give_minds_up, patience, wait_for_errands, wait_for_thoughts,
    wait_until_ready,
};
pub use resolve::{Fallback, GenerationEnded, Inbox, LastThought, Lived, sum_up};
pub use scripted::{ScriptedMind, spawn_scripted_worker, spawn_slow_worker};
pub use snapshot::{Snapshot, restore_snapshot, save_habitats};
pub use state::WorkerState;

use crate::sim;

/// The first half of a turn: agents look around and their minds are asked.
#[derive(ScheduleLabel, Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ask;

/// The second half of a turn: the answer is in the [`Inbox`], and agents act on it.
#[derive(ScheduleLabel, Debug, Clone, PartialEq, Eq, Hash)]
pub struct Resolve;

/// What is left to note when no turn follows: answers that came after the last one.
#[derive(ScheduleLabel, Debug, Clone, PartialEq, Eq, Hash)]
pub struct Close;

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
    /// Agents remember the turn, and learn when it is time.
    Learn,
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
            .init_resource::<Mail>()
            .init_resource::<consult::Consulted>()
            .init_resource::<change::ComingSettings>()
            .add_message::<GenerationEnded>()
            .add_message::<GenerationBegan>()
            .add_message::<AgentsLearned>()
            .add_message::<ChildrenBorn>()
            .add_message::<CreaturesSurveyed>()
            .add_message::<CreatureReplaced>()
            .register_required_components::<sim::Agent, LastThought>()
            .register_required_components::<sim::Habitat, Fallback>()
            .register_required_components::<sim::Habitat, Creatures>()
            .register_required_components::<sim::Habitat, Memories>()
            .register_required_components::<sim::Habitat, HallOfFame>();
        app.init_schedule(Ask)
            .init_schedule(Resolve)
            .init_schedule(Close)
            .edit_schedule(Ask, run_on_one_thread)
            .edit_schedule(Resolve, run_on_one_thread)
            .edit_schedule(Close, run_on_one_thread)
            .configure_sets(Close, (ResolveSystems::Receive, ResolveSystems::Record).chain())
            .configure_sets(Ask, (AskSystems::Observe, AskSystems::Send).chain())
            .configure_sets(
                Resolve,
                (
                    ResolveSystems::Receive,
                    ResolveSystems::Act,
                    ResolveSystems::Upkeep,
                    ResolveSystems::Learn,
                    ResolveSystems::Evolve,
                    ResolveSystems::Record,
                )
                    .chain(),
            )
            .add_systems(
                Ask,
                (change::take_settings, sim::observe_agents, creatures::settle_creatures, memory::remember_sequel)
                    .chain()
                    .in_set(AskSystems::Observe),
            )
            .add_systems(Ask, ask::ask_minds.in_set(AskSystems::Send))
            .add_systems(
                Resolve,
                (receive::read_mail, resolve::receive_thoughts).chain().in_set(ResolveSystems::Receive),
            )
            .add_systems(Close, receive::read_mail.in_set(ResolveSystems::Receive))
            .add_systems(Resolve, sim::act_agents.in_set(ResolveSystems::Act))
            .add_systems(
                Resolve,
                (sim::tire_agents, sim::regrow_food, sim::advance_clock).chain().in_set(ResolveSystems::Upkeep),
            )
            .add_systems(Resolve, (memory::remember_turn, learn::send_lessons).chain().in_set(ResolveSystems::Learn))
            .add_systems(Resolve, evolve::end_generations.in_set(ResolveSystems::Evolve));
    }
}

/// A turn's systems follow each other anyway; handing them from thread to thread would cost more than they do.
fn run_on_one_thread(schedule: &mut Schedule) {
    schedule.set_executor(SingleThreadedExecutor::new());
}
