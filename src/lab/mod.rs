//! What measures and makes: evaluation on unseen maps, the statistics of it, the pre-training of the
//! default model.
//!
//! This room does *not* know the command line, the window, or how results are shown.

pub mod bench;
pub mod bench_arithmetic;
pub mod bench_memory;
pub mod bench_train;
pub mod bench_turn;
pub mod eval;
pub mod experiment;
pub mod machine;
pub mod pretrain;
pub mod solo;
pub mod statistics;
