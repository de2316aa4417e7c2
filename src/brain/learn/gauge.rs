//! How much of something is there at the same time, and was at most.
//!
//! This module does *not* know what it is.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Bytes that are held now, by all threads together, and the most that ever were.
#[derive(Debug, Default)]
pub struct Gauge {
    now: AtomicU64,
    most: AtomicU64,
}

/// Bytes that count as held for as long as this lives.
#[derive(Debug)]
pub struct Held<'a> {
    gauge: &'a Gauge,
    bytes: u64,
}

impl Gauge {
    /// Counts some bytes as held from now on.
    pub fn hold(&self, bytes: u64) -> Held<'_> {
        let now = self.now.fetch_add(bytes, Relaxed) + bytes;
        self.most.fetch_max(now, Relaxed);
        Held { gauge: self, bytes }
    }

    /// The most bytes that were held at the same time so far.
    pub fn most(&self) -> u64 {
        self.most.load(Relaxed)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.gauge.now.fetch_sub(self.bytes, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_at_the_same_time() {
        let gauge = Gauge::default();
        let first = gauge.hold(30);
        drop(gauge.hold(12));
        assert_eq!(gauge.most(), 42);
        drop(first);
        drop(gauge.hold(41));
        assert_eq!(gauge.most(), 42, "one after the other");
    }
}
