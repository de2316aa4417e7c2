//! The link to the worker thread: two bounded channels and the thread's handle.

use std::{
    thread::JoinHandle,
    time::{Duration, Instant},
};

use bevy::prelude::*;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use crate::protocol::{Reply, Request};

/// Requests that may wait in the channel.
const CAPACITY: usize = 16;
/// How long the end of the program waits for the worker to finish.
const FAREWELL: Duration = Duration::from_secs(2);

/// How long either end looks into the channel before it goes to sleep: waking a thread costs more than a scripted
/// mind's whole turn.
const ALERT: Duration = Duration::from_micros(100);

/// Waits until `ready` gives something, at most for [`ALERT`], without going to sleep.
fn watch<T>(mut ready: impl FnMut() -> Option<T>) -> Option<T> {
    let begun = Instant::now();
    loop {
        if let Some(found) = ready() {
            return Some(found);
        }
        if begun.elapsed() > ALERT {
            return None;
        }
        std::thread::yield_now();
    }
}

/// The next request, for a worker that answers fast. `None` once the app has gone.
pub(super) fn next_request(requests: &Receiver<Request>) -> Option<Request> {
    watch(|| requests.try_recv().ok()).or_else(|| requests.recv().ok())
}

/// Why the worker cannot be reached, in a sentence for the person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LinkDown(pub String);

/// Whether the minds can be reached. While they cannot, agents go on with `rules`.
#[derive(Resource, Debug, Clone, Default)]
pub struct WorkerState {
    down: Option<LinkDown>,
}

impl WorkerState {
    /// Whether the worker answers.
    pub const fn is_up(&self) -> bool {
        self.down.is_none()
    }

    /// What the person should know.
    pub const fn complaint(&self) -> Option<&LinkDown> {
        self.down.as_ref()
    }

    /// Notes that the worker has gone.
    pub fn note(&mut self, down: LinkDown) {
        self.down.get_or_insert(down);
    }
}

/// The app's end of the link.
#[derive(Resource, Debug)]
pub struct WorkerLink {
    reads: bool,
    requests: Option<Sender<Request>>,
    replies: Receiver<Reply>,
    thread: Option<JoinHandle<()>>,
}

impl WorkerLink {
    /// Starts a named thread that runs `work` on the other end of two bounded channels.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn spawn(work: impl FnOnce(Receiver<Request>, Sender<Reply>) + Send + 'static) -> std::io::Result<Self> {
        let (requests, inbox) = bounded(CAPACITY);
        let (outbox, replies) = bounded(CAPACITY);
        let thread = std::thread::Builder::new().name("evolora-worker".to_owned());
        let thread = thread.spawn(move || work(inbox, outbox))?;
        Ok(Self { reads: true, requests: Some(requests), replies, thread: Some(thread) })
    }

    /// The same link to minds that do not read prompts, and are spared them.
    #[must_use]
    pub const fn without_prompts(mut self) -> Self {
        self.reads = false;
        self
    }

    /// Whether the minds read prompts.
    pub const fn reads_prompts(&self) -> bool {
        self.reads
    }

    /// Sends a request; waits while the channel is full.
    ///
    /// # Errors
    /// The worker has gone.
    pub fn send(&self, request: Request) -> Result<(), LinkDown> {
        let sent = self.requests.as_ref().map(|requests| requests.send(request));
        if matches!(sent, Some(Ok(()))) { Ok(()) } else { Err(gone()) }
    }

    /// Waits for the next reply, at most `patience`; `None` if it has not come by then.
    ///
    /// # Errors
    /// The worker has gone, and everything it said has been read.
    pub fn receive(&self, patience: Duration) -> Result<Option<Reply>, LinkDown> {
        if let Some(reply) = watch(|| self.replies.try_recv().ok()) {
            return Ok(Some(reply));
        }
        match self.replies.recv_timeout(patience) {
            Ok(reply) => Ok(Some(reply)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(gone()),
        }
    }
}

fn gone() -> LinkDown {
    LinkDown("The minds' worker thread has stopped; agents go on with `rules`.".to_owned())
}

impl Drop for WorkerLink {
    /// Asks the worker to finish and waits for it, but not for ever: a thread that hangs is left behind.
    fn drop(&mut self) {
        if let Some(requests) = self.requests.take() {
            let _ = requests.try_send(Request::Shutdown);
        }
        let begun = Instant::now();
        while self.thread.as_ref().is_some_and(|thread| !thread.is_finished()) && begun.elapsed() < FAREWELL {
            // The worker may wait for room to answer: make some.
            while self.replies.try_recv().is_ok() {}
            std::thread::sleep(Duration::from_millis(1));
        }
        if let Some(thread) = self.thread.take().filter(JoinHandle::is_finished) {
            let _ = thread.join();
        }
    }
}
