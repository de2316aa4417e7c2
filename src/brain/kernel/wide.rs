//! Plain code, compiled for every set of vector instructions that a processor may have.
//!
//! This module does *not* know what is reckoned.

/// Does some work with the widest vector instructions that this processor has. That counts for what is inlined into here alone, so
/// that the closure is to be marked `#[inline(always)]`, and what it calls, too.
#[inline]
pub(in crate::brain) fn wide<T>(work: impl FnOnce() -> T) -> T {
    pulp::Arch::new().dispatch(work)
}
