//! Plain data that the rooms of the program hand each other.
//!
//! What an agent sees ([`Observation`]), what it may do ([`Action`]), what is asked of the worker ([`Request`])
//! and what comes back ([`Reply`]), what the person wants ([`UserCommand`]), and the named random streams.
//!
//! This room does *not* know Bevy, candle, settings, text prompts or how anything is carried out.

mod action;
mod breeding;
mod command;
mod consult;
mod ids;
mod learning;
mod life;
mod observation;
mod random;
mod space;
mod worker;

pub use action::{Action, Outcome};
pub use breeding::{Birth, Born, Bred, Breed, Honour, Policy, Survey, Surveyed};
pub use command::{Consult, CreatureName, Edit, Look, Overlay, UserCommand};
pub use consult::{Consultation, Counsel, Manner, Opinion};
pub use ids::{AgentId, CreatureId, HabitatId};
pub use learning::{Learned, LearningRule, Lesson, Sample, Train, Trained};
pub use life::LifeRecord;
pub use observation::{Observation, Thing};
pub use random::{Moment, StreamKey, StreamName, Streams};
pub use space::{Bearing, Cell, Direction};
pub use worker::{MindFacts, Reply, Request, Think, Thinker, Thought, Thoughts};
