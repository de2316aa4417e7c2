//! Plain code, compiled for every set of vector instructions that a processor may have.
//!
//! This module does *not* know what is reckoned.

/// Does some work with the widest vector instructions that this processor has. Of what the work calls, that counts for functions
/// that are always inlined.
#[inline]
pub(in crate::brain) fn wide<T>(work: impl FnOnce() -> T) -> T {
    pulp::Arch::new().dispatch(work)
}
