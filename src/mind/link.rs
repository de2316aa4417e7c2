//! The link to the worker thread: two bounded channels, the thread's handle, and a new thread where one has died.

use std::{
    any::Any,
    collections::VecDeque,
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use bevy::prelude::*;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};

use crate::protocol::{Counsel, Reply, Request};

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

/// What the thread does: serves requests until the channel closes.
type Work = dyn Fn(Receiver<Request>, Sender<Reply>) + Send + Sync;

/// One life of the worker thread.
struct Thread {
    requests: Sender<Request>,
    replies: Receiver<Reply>,
    handle: JoinHandle<()>,
}

/// The app's end of the link.
#[derive(Resource)]
pub struct WorkerLink {
    reads: bool,
    learns: bool,
    work: Arc<Work>,
    thread: Option<Thread>,
    /// Requests that the channel has had no room for yet, in order.
    outbox: VecDeque<Request>,
    /// What was asked beside the turns' questions and has not been answered, in order.
    errands: VecDeque<Request>,
    /// Turns' questions that have not been answered.
    open: usize,
    /// What a worker that has gone had answered and nobody has read yet.
    unread: VecDeque<Reply>,
}

impl WorkerLink {
    /// Starts a named thread that runs `work` on the other end of two bounded channels. It is run again if it dies.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn spawn(work: impl Fn(Receiver<Request>, Sender<Reply>) + Send + Sync + 'static) -> std::io::Result<Self> {
        let work = Arc::new(work);
        let mut link = Self {
            reads: true,
            learns: false,
            work,
            thread: None,
            outbox: VecDeque::new(),
            errands: VecDeque::new(),
            open: 0,
            unread: VecDeque::new(),
        };
        link.start()?;
        Ok(link)
    }

    /// The same link to minds that do not read prompts, and are spared them.
    #[must_use]
    pub const fn without_prompts(mut self) -> Self {
        self.reads = false;
        self
    }

    /// The same link to minds that learn and breed.
    #[must_use]
    pub const fn with_learning(mut self) -> Self {
        self.learns = true;
        self
    }

    /// Whether the minds learn and breed.
    pub const fn learns(&self) -> bool {
        self.learns
    }

    /// Whether the minds read prompts.
    pub const fn reads_prompts(&self) -> bool {
        self.reads
    }

    fn start(&mut self) -> std::io::Result<()> {
        let (requests, inbox) = bounded(CAPACITY);
        let (outbox, replies) = bounded(CAPACITY);
        let work = Arc::clone(&self.work);
        let thread = std::thread::Builder::new().name("evolora-worker".to_owned());
        let handle = thread.spawn(move || work(inbox, outbox))?;
        self.thread = Some(Thread { requests, replies, handle });
        Ok(())
    }

    /// Whether everything has been answered, and heard, that was asked beside the turns' questions.
    pub fn is_idle(&self) -> bool {
        self.errands.is_empty() && self.unread.is_empty()
    }

    /// Requests that have not been answered yet.
    pub fn queue(&self) -> usize {
        self.errands.len() + self.open
    }

    /// Sends a request; where the channel has no room it goes as soon as there is.
    ///
    /// # Errors
    /// The worker has gone.
    pub fn send(&mut self, request: Request) -> Result<(), LinkDown> {
        if matches!(request, Request::Think(_)) {
            self.open += 1;
        } else {
            self.errands.push_back(request.clone());
        }
        self.outbox.push_back(request);
        self.pump()
    }

    /// Moves requests from the outbox into the channel, as far as there is room. Never waits: the worker may itself be
    /// waiting for room to answer.
    fn pump(&mut self) -> Result<(), LinkDown> {
        let Some(thread) = &self.thread else { return Err(gone()) };
        while let Some(request) = self.outbox.pop_front() {
            match thread.requests.try_send(request) {
                Ok(()) => {}
                Err(TrySendError::Full(request)) => {
                    self.outbox.push_front(request);
                    return Ok(());
                }
                Err(TrySendError::Disconnected(_)) => return Err(gone()),
            }
        }
        Ok(())
    }

    /// Waits for the next reply, at most `patience`; `None` if it has not come by then.
    ///
    /// # Errors
    /// The worker has gone, and everything it said has been read.
    pub fn receive(&mut self, patience: Duration) -> Result<Option<Reply>, LinkDown> {
        if let Some(reply) = self.unread.pop_front() {
            return Ok(Some(reply));
        }
        let Some(thread) = &self.thread else { return Err(gone()) };
        let heard = match patience.is_zero() {
            true => thread.replies.try_recv().ok(),
            false => watch(|| thread.replies.try_recv().ok()),
        };
        let reply = match heard {
            Some(reply) => reply,
            None => match thread.replies.recv_timeout(patience) {
                Ok(reply) => reply,
                Err(RecvTimeoutError::Timeout) => return Ok(None),
                Err(RecvTimeoutError::Disconnected) => return Err(gone()),
            },
        };
        if answers_errand(&reply) {
            self.errands.pop_front();
        } else if matches!(reply, Reply::Thought(_) | Reply::Failed { .. }) {
            self.open = self.open.saturating_sub(1);
        }
        // A worker that has gone meanwhile is found out by the next call.
        let _ = self.pump();
        Ok(Some(reply))
    }

    /// Why a worker that has gone could not be used, if that was the last that it said: it may go before anybody listens.
    /// What else it said is kept to be received: errands that it had answered are not asked again.
    pub fn last_words(&mut self) -> Option<String> {
        let mut last = None;
        let said: Vec<Reply> = self.thread.as_ref()?.replies.try_iter().collect();
        for reply in said {
            if answers_errand(&reply) {
                self.errands.pop_front();
            }
            match reply {
                Reply::Unusable { reason } => last = Some(reason),
                other => self.unread.push_back(other),
            }
        }
        last
    }

    /// Buries a worker that has gone; gives what it died of, if it said.
    pub fn bury(&mut self) -> Option<String> {
        let thread = self.thread.take()?;
        drop((thread.requests, thread.replies));
        join_within(thread.handle, FAREWELL)?.err().and_then(|panic| said(&*panic))
    }

    /// Buries a worker that has gone and starts it anew; gives what the old one died of, if it said. The turn's question is
    /// lost with it. A generation that it was to make is asked for again; a lesson, a survey or a consultation at which it
    /// died is not, since it may die of it again.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn start_anew(&mut self) -> std::io::Result<Option<String>> {
        let cause = self.bury();
        self.start()?;
        if !matches!(self.errands.front(), Some(Request::Breed(_) | Request::Honour(_))) {
            let fatal = self.errands.pop_front();
            if let Some(Request::Consult(asked)) = fatal {
                let silent = Counsel::silent(&asked, "The minds' worker thread stopped over this; try other words.");
                self.unread.push_back(Reply::Consulted(silent));
            }
        }
        self.open = 0;
        self.outbox = self.errands.clone();
        let _ = self.pump();
        Ok(cause)
    }

    /// Leaves a worker behind that hangs: what it may still say is never read.
    pub fn abandon(&mut self) {
        self.thread = None;
        self.outbox.clear();
        self.errands.clear();
        self.open = 0;
        self.unread.clear();
    }
}

/// Whether a reply answers what was asked beside the turns' questions.
const fn answers_errand(reply: &Reply) -> bool {
    matches!(
        reply,
        Reply::Trained(_)
            | Reply::Bred(_)
            | Reply::Surveyed(_)
            | Reply::Honoured
            | Reply::Consulted(_)
            | Reply::Troubled { .. }
    )
}

fn gone() -> LinkDown {
    LinkDown("The minds' worker thread has stopped".to_owned())
}

/// What a panic said.
fn said(panic: &(dyn Any + Send)) -> Option<String> {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
}

/// Waits for a thread to end, but not for ever.
fn join_within(handle: JoinHandle<()>, limit: Duration) -> Option<std::thread::Result<()>> {
    let begun = Instant::now();
    while !handle.is_finished() {
        if begun.elapsed() > limit {
            return None;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Some(handle.join())
}

impl Drop for WorkerLink {
    /// Asks the worker to finish and waits for it, but not for ever: a thread that hangs is left behind.
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.requests.try_send(Request::Shutdown);
            // Closed channels wake a worker that waits to be asked, or for room to answer.
            drop((thread.requests, thread.replies));
            let _ = join_within(thread.handle, FAREWELL);
        }
    }
}
