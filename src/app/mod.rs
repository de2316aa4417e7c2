//! The composition of all rooms: the only place that knows them all.

mod error;
mod headless;
mod minds;

pub use error::AppError;
pub use headless::{Ended, RunReport, Simulation};
pub use minds::spawn_worker;
