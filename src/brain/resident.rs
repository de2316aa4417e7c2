//! What the system says of the memory that this process has.
//!
//! This module does *not* know what the memory is for.

/// Memory of this process, in bytes, as Linux tells it in `/proc/self/status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Resident {
    /// The most that has been resident so far (`VmHWM`).
    pub peak: u64,
    /// What is resident now (`VmRSS`).
    pub now: u64,
    /// Of that, what the program has taken (`RssAnon`).
    pub taken: u64,
    /// Pages of files: the program itself and its libraries, and what is mapped (`RssFile`).
    pub mapped: u64,
}

impl Resident {
    /// Asks the system; nothing where it does not tell.
    pub fn read() -> Option<Self> {
        Self::parse(&std::fs::read_to_string("/proc/self/status").ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let find = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key))?;
            Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
        };
        let (peak, now) = (find("VmHWM:")?, find("VmRSS:")?);
        Some(Self { peak, now, taken: find("RssAnon:")?, mapped: find("RssFile:")? })
    }

    /// What something gives, and the bytes by which what the program has taken grew meanwhile; 0 where the system does not tell.
    pub(super) fn grown<T>(make: impl FnOnce() -> T) -> (T, u64) {
        let before = Self::read();
        let made = make();
        let grown = before.zip(Self::read()).map_or(0, |(before, after)| after.taken.saturating_sub(before.taken));
        (made, grown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_linux_writes_is_read() {
        let text = "Name:\tx\nVmHWM:\t  1000 kB\nVmRSS:\t 900 kB\nRssAnon:\t 600 kB\nRssFile:\t 300 kB\n";
        let expected = Resident { peak: 1_024_000, now: 921_600, taken: 614_400, mapped: 307_200 };
        assert_eq!(Resident::parse(text), Some(expected));
        assert_eq!(Resident::parse("Name:\tx\nVmHWM:\t 1000 kB\n"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_is_taken_is_seen() {
        // Other tests take memory and give it back meanwhile.
        let taken = || Resident::grown(|| std::hint::black_box(vec![1_u8; 64 << 20])).1;
        assert!((0..50).any(|_| (60 << 20..80 << 20).contains(&taken())));
    }
}
