//! The composition of all rooms: the only place that knows them all.

mod checkpoint;
mod creatures;
mod error;
mod find;
mod habitats;
mod headless;
mod mind_facts;
mod minds;
#[cfg(feature = "desktop")]
mod probe;
mod references;
mod report;
#[cfg(feature = "desktop")]
mod window;

pub use checkpoint::Changes;
pub use creatures::{Chosen, CreatureRecord, ImportPlan, Imported, export_creature, export_record, import_adapters};
pub use error::AppError;
pub use find::{FoundCreature, find_creature};
pub use habitats::HabitatPlan;
pub use headless::{Ended, RunReport, Simulation, Spent, UNSETTLED};
pub use mind_facts::{MemoryReport, MindLook, Standing, last_experiences, look_into, memory_report};
pub use minds::{Minds, llm_plan, spawn_worker, spawn_worker_with};
pub use references::{Reference, References, scripted_generation};
pub use report::{describe_run, write_tables};
#[cfg(feature = "desktop")]
pub use window::{FramePlan, FrameReport, Screenshot, WindowPlan, measure_frames, open_window};
