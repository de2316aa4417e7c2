//! What is remembered of a run: a row per generation, everybody who has lived, and the files that keep it.
//!
//! This room does *not* know how anything came about, the worker, or the window.

mod archive;
mod checkpoint;
mod files;
mod hall;
mod history;
mod lineage;
mod live;
mod retention;

pub use checkpoint::{Checkpoint, Checkpoints, ModelMark, RunState};
pub use files::{RecordError, RunFiles, check_place, lock_folder, replace_file, write_csv};
pub use hall::{HallRow, best_of_halls, hall_rows};
pub use history::{GenerationRow, History, RecordPlugin, quantile};
pub use lineage::{Ancestry, DiversityMeasured, Lineage};
pub use live::{
    Line, MachineLog, Notice, NoticeKind, Notices, Pulse, PulsePoint, Ring, Round, Transcript, WatchPlugin,
    forget_watched,
};
pub use retention::Retention;
