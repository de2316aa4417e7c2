//! What measures: evaluation on unseen maps, and the statistics of it.
//!
//! This room does *not* know the command line, the window, or how results are shown.

pub mod eval;
pub mod statistics;
