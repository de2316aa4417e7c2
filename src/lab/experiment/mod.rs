//! Arms × seeds: the same habitats lived by different minds, and what came of it, with confidence intervals.
//!
//! An arm is one run with a habitat for each seed, which share the model; habitat k lives the life that
//! `evolora headless --seed k` lives. `rules` lives on the same maps, and every fitness is divided by its. Everything that
//! was lived is kept in a cell, a file per arm and seed, and all tables and plots are made from the cells alone.
//!
//! This module does *not* know the command line, or how progress is shown.

mod arms;
mod cards;
mod champion;
mod differences;
mod error;
mod folder;
mod origin;
mod plan;
mod plot;
mod report;
mod run;
mod tables;

pub use arms::{ARMS, Arm, choose_arms};
pub use champion::{Champion, ChampionPlan, MapResult};
pub use differences::{Difference, differences};
pub use error::ExperimentError;
pub use folder::{Cell, ExperimentFolder};
pub use origin::commit;
pub use plan::{ExperimentPlan, read_seeds};
pub use run::{Stage, Step, run_experiment};
pub use tables::{ArmSummary, GenerationResult, Results};
