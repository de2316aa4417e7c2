//! Threads that make one product after the other together, and do not go to sleep between them: to be woken takes longer than many a
//! product's part.
//!
//! One thread goes through the work; wherever it comes to something that has parts, the pool's other threads take some of them. Each begins
//! with a stretch of its own, whose parts follow each other, and goes on with the last parts of others' (Blumofe and Leiserson 1999,
//! "Scheduling Multithreaded Computations by Work Stealing").
//!
//! This module does *not* know what the parts are.

use std::{
    cell::{Cell, UnsafeCell},
    mem,
    ops::Range,
    ptr,
    sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering::SeqCst},
    thread,
    time::Duration,
};

use rayon::{Yield, prelude::*};

/// How often a thread that has nothing to do looks again before it lets others have its processor, and before it sleeps for moments, so
/// that it takes no processor from others where there is nothing to do for long.
const LOOKS: [u32; 2] = [64, 512];
/// Such a moment.
const MOMENT: Duration = Duration::from_micros(50);

/// Numbers that one thread goes through alone: to divide fewer takes longer.
const ALONE: usize = 1 << 15;

/// Whether there is a team. A second one does without: threads of two could wait for each other.
static THERE: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// The team whose work this thread goes through.
    static TEAM: Cell<*const Team> = const { Cell::new(ptr::null()) };
}

/// Makes `work`, whose parts (see [`in_parts`]) the other threads of the caller's pool help with; where that is not possible, it is made as
/// the pool does.
pub(in crate::brain) fn together<T>(work: impl FnOnce() -> T) -> T {
    let size = rayon::current_num_threads();
    let Some(own) = rayon::current_thread_index().filter(|_| size > 1 && !THERE.swap(true, SeqCst)) else {
        return work();
    };
    let team = Team::of(size);
    rayon::in_place_scope(|scope| {
        let (team, _end) = (&team, End(&team));
        scope.spawn_broadcast(move |_, thread| {
            if thread.index() != own {
                team.stay(thread.index());
            }
        });
        // Whoever is not there yet might come upon this within something else that the work waits for.
        let mut looks = 0;
        while team.there.load(SeqCst) < size - 1 {
            rest(&mut looks);
        }
        TEAM.set(team);
        work()
    })
}

/// Calls `part` with every number below `count`, on all threads of the team, or of the pool where there is none.
///
/// # Panics
/// If a part does.
pub(in crate::brain) fn in_parts(count: usize, part: impl Fn(usize) + Sync) {
    let team = TEAM.get();
    if count < 2 {
        (0..count).for_each(part);
    } else if team.is_null() {
        (0..count).into_par_iter().for_each(&part);
    } else {
        // SAFETY: `together` sets it for the time of its work, and outlives that.
        unsafe { &*team }.make(count, &part);
    }
}

/// Calls `work` with every one of some things, which hold so many `numbers` together: as [`in_parts`] where these are worth it, else on
/// the caller's thread.
pub(in crate::brain) fn with_each<T: Send>(numbers: usize, things: impl Iterator<Item = T>, work: impl Fn(T) + Sync) {
    if numbers <= ALONE {
        return things.for_each(work);
    }
    let things: Vec<_> = things.map(Given::new).collect();
    // SAFETY: every number comes once.
    in_parts(things.len(), |at| unsafe { things[at].take() }.into_iter().for_each(&work));
}

/// A thing that one thread takes.
struct Given<T>(UnsafeCell<Option<T>>);
// SAFETY: whoever takes it promises to be alone.
unsafe impl<T: Send> Sync for Given<T> {}

impl<T> Given<T> {
    const fn new(thing: T) -> Self {
        Self(UnsafeCell::new(Some(thing)))
    }

    /// It, the first time.
    ///
    /// # Safety
    /// Nobody else may call this meanwhile.
    unsafe fn take(&self) -> Option<T> {
        // SAFETY: as the caller says.
        unsafe { (*self.0.get()).take() }
    }
}

/// Something that does not share lines of the cache with others, of which a processor may fetch two at a time.
#[derive(Default)]
#[repr(align(128))]
struct Apart<T>(T);

/// What a team shares.
struct Team {
    size: usize,
    /// Helpers that are there.
    there: AtomicUsize,
    /// What is to be done now, or null.
    job: Apart<AtomicPtr<Job<'static>>>,
    /// Which job that is, or will be.
    number: AtomicU64,
    /// Threads that may be looking at it.
    inside: Apart<AtomicUsize>,
    /// Whether the work is done.
    over: AtomicBool,
}

/// The end of a team's work, whichever way that ends.
struct End<'a>(&'a Team);

impl Drop for End<'_> {
    fn drop(&mut self) {
        TEAM.set(ptr::null());
        self.0.over.store(true, SeqCst);
        THERE.store(false, SeqCst);
    }
}

/// The end of a job: nobody begins with it any more, and nobody is at it.
struct Close<'a>(&'a Team);

impl Drop for Close<'_> {
    fn drop(&mut self) {
        self.0.job.0.store(ptr::null_mut(), SeqCst);
        let mut looks = 0;
        while self.0.inside.0.load(SeqCst) > 0 {
            rest(&mut looks);
        }
        TEAM.set(self.0);
    }
}

/// A thread that may be looking at the job.
struct Inside<'a>(&'a Team);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.inside.0.fetch_sub(1, SeqCst);
    }
}

impl Team {
    fn of(size: usize) -> Self {
        Self {
            size,
            there: AtomicUsize::new(0),
            job: Apart::default(),
            number: AtomicU64::new(0),
            inside: Apart::default(),
            over: AtomicBool::new(false),
        }
    }

    /// Makes all parts of a job, with all threads that are there.
    fn make(&self, count: usize, part: &(dyn Fn(usize) + Sync)) {
        let cut = |at: usize| at * count / self.size;
        let stretches: Vec<_> = (0..self.size).map(|at| Stretch::new(cut(at)..cut(at + 1))).collect();
        let job = Job { part, stretches: &stretches, failed: AtomicBool::new(false) };
        // What parts are made of is divided by the pool.
        TEAM.set(ptr::null());
        let close = Close(self);
        self.number.fetch_add(1, SeqCst);
        // That it lives no longer may be forgotten: whatever happens, it is closed before.
        self.job.0.store(ptr::from_ref(&job).cast_mut().cast(), SeqCst);
        job.take_part(rayon::current_thread_index().unwrap_or(0));
        drop(close);
        // The pool tells what it was, once the work is over.
        assert!(!job.failed.load(SeqCst), "a part of some work failed on another thread");
    }

    /// Takes part in whatever comes until the work is done.
    fn stay(&self, thread: usize) {
        self.there.fetch_add(1, SeqCst);
        let (mut looks, mut seen) = (0, 0);
        while !self.over.load(SeqCst) {
            if self.help(thread, &mut seen) || rayon::yield_now() == Some(Yield::Executed) {
                looks = 0;
            } else {
                rest(&mut looks);
            }
        }
    }

    /// Takes part in the job, if there is one that this thread has not `seen` the end of.
    fn help(&self, thread: usize, seen: &mut u64) -> bool {
        if self.job.0.load(SeqCst).is_null() || self.number.load(SeqCst) == *seen {
            return false;
        }
        self.inside.0.fetch_add(1, SeqCst);
        let _inside = Inside(self);
        // SAFETY: a job that is there after this thread has said that it is inside stays until it is not.
        let Some(job) = (unsafe { self.job.0.load(SeqCst).as_ref() }) else { return false };
        *seen = self.number.load(SeqCst);
        job.take_part(thread)
    }
}

/// Waits a moment.
fn rest(looks: &mut u32) {
    *looks = looks.saturating_add(1);
    match *looks {
        few if few < LOOKS[0] => std::hint::spin_loop(),
        some if some < LOOKS[1] => thread::yield_now(),
        _ => thread::sleep(MOMENT),
    }
}

/// Something that has parts.
struct Job<'a> {
    part: &'a (dyn Fn(usize) + Sync),
    /// One for each thread.
    stretches: &'a [Apart<Stretch>],
    /// Whether a part has failed.
    failed: AtomicBool,
}

/// A part under way: if it is not forgotten, it has failed.
struct UnderWay<'a>(&'a AtomicBool);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

impl Job<'_> {
    /// Makes parts until none is left, and says whether there was one.
    fn take_part(&self, thread: usize) -> bool {
        let own = thread % self.stretches.len();
        let mut any = false;
        while let Some(at) = self.stretches[own].0.first() {
            self.make(at);
            any = true;
        }
        for other in 1..self.stretches.len() {
            while let Some(at) = self.stretches[(own + other) % self.stretches.len()].0.last() {
                self.make(at);
                any = true;
            }
        }
        any
    }

    /// Makes one part.
    fn make(&self, at: usize) {
        let under_way = UnderWay(&self.failed);
        (self.part)(at);
        mem::forget(under_way);
    }
}

/// Parts that nobody has taken: the first, and the end.
struct Stretch(AtomicU64);

impl Stretch {
    fn new(parts: Range<usize>) -> Apart<Self> {
        Apart(Self(AtomicU64::new((parts.start as u64) << 32 | parts.end as u64)))
    }

    /// Takes the first.
    fn first(&self) -> Option<usize> {
        self.take(|begin, end| (begin, begin + 1, end))
    }

    /// Takes the last.
    fn last(&self) -> Option<usize> {
        self.take(|begin, end| (end - 1, begin, end - 1))
    }

    /// Takes a part: which, and what is left.
    fn take(&self, which: impl Fn(u64, u64) -> (u64, u64, u64)) -> Option<usize> {
        let next = |all: u64| {
            let (begin, end) = (all >> 32, all & u64::from(u32::MAX));
            let (_, begin, end) = (begin < end).then(|| which(begin, end))?;
            Some(begin << 32 | end)
        };
        let all = self.0.fetch_update(SeqCst, SeqCst, next).ok()?;
        Some(which(all >> 32, all & u64::from(u32::MAX)).0 as usize)
    }
}

#[cfg(test)]
mod tests;
