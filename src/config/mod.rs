//! Settings: where they come from, what they may be, and the one validated [`RunConfig`] that comes of them.
//!
//! Built-in defaults ← preset ← `evolora.toml` ← `.env` ← environment ← flags. Every setting is one row of a
//! table in [`sections`]: type, default, name in the environment, range, unit and a line of explanation. The
//! command line, `evolora config`, the shipped templates and error messages all read that table.
//!
//! This room does *not* know what any setting is used for.

mod changes;
mod choices;
mod error;
mod layers;
mod preset;
mod sections;
mod spec;
mod template;
mod values;

pub use choices::{
    AllLayers, Arithmetic, Baseline, DecisionMode, Device, Genome, Inheritance, LoraLayers, LoraTarget, MindKind,
    ModelType, Objective, ParentSelection, PerceptionKind, Quantisation,
};
pub use error::ConfigError;
pub use layers::{ConfigFiles, Layer, LoadedConfig, Origin};
pub use preset::Preset;
pub use sections::{
    EnergySettings, EvolutionSettings, FitnessSettings, HabitatSettings, LearningSettings, LoraSettings, MindSettings,
    ModelSettings, RewardSettings, RunConfig, RunSettings,
};
pub use spec::{Applies, Range, Spec, find_spec, specs};
pub use template::{env_template, toml_template};
pub use values::{SettingValue, SettingValues};
