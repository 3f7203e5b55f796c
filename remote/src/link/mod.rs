//! A node's line to its server: calls go out, answers come in, and when the connection breaks both
//! go on where they were.
//!
//! Calls wait in one queue until they are answered, so nothing has to be put aside for the time when
//! the connection breaks: a new stream begins with the first call that the server has not seen.

mod answers;
mod moving;
mod sender;
mod stream;
mod tend;

pub(crate) use sender::introduce;
pub use tend::leave;

use crate::parts::{ENVELOPE, WHOLE_BYTES, too_large};
use crate::reactor;
use crate::settings::Settings;
use crate::v1::stream_node_request::{self as up, call::Call};
use crate::v1::stream_node_response as down;
use moving::Moving;
use remotemedia_core::error::Error;
use remotemedia_core::node::{Ticket, Trip};
use remotemedia_core::packet::{MediaTime, Packet, Pool};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// A node's line to its server. Dropping it ends the session.
pub(crate) struct Link(Arc<Line>);

struct Line {
    settings: Settings,
    what: up::open::What,
    pool: Pool,
    latency: AtomicI64,
    state: Mutex<State>,
    /// The node is gone: nothing more is tried for it.
    gone: Notify,
}

#[derive(Default)]
struct State {
    /// What is not answered, in order.
    calls: VecDeque<Waiting>,
    /// How many of them the present stream has sent; `None`: it is not known yet.
    sent: Option<usize>,
    /// The last number that was given to a call.
    last: u64,
    /// The last call whose answer has come.
    answered: u64,
    /// Answers that have come, in all sessions.
    progress: u64,
    /// Number of the present stream; an older one has nothing to send any more.
    stream: u64,
    sender: Option<Waker>,
    /// A task looks after it.
    tended: bool,
    /// A sign of life is due.
    beat: bool,
    /// Calls that may be without an answer, as the server says, and bytes of a message.
    credit: usize,
    most: Option<usize>,
    /// Bytes of answers that the server has not been told have come.
    unacknowledged: usize,
    closing: bool,
    /// Connections that lead to the node.
    lanes: u32,
    /// Outputs that nothing before a time will come out of, and nobody has been told.
    bounds: Vec<(usize, MediaTime)>,
    /// What the node held was lost when no call was there to say so.
    lost: Option<Error>,
    /// The server is about to end: nothing new goes to it.
    moving: Option<Moving>,
    /// What came out of the node's inside as it moved: it goes before all that is to come.
    tail: Vec<(usize, Packet)>,
    /// What is about to come out of it has been forgotten meanwhile.
    stale: bool,
    /// It has moved: the outputs that have begun anew since. `None`: it has not.
    begun: Option<Vec<usize>>,
}

struct Waiting {
    /// When it was made, and when this session sent it.
    came: Instant,
    sent: Option<Instant>,
    /// Zero: it has not been sent in this session.
    seq: u64,
    call: Call,
    /// `None` where nobody waits for the answer.
    ticket: Option<Ticket>,
    /// Nobody ever did: what comes of it, the next call has to say.
    mute: bool,
}

impl Waiting {
    fn new(call: Call, ticket: Option<Ticket>) -> Self {
        let mute = ticket.is_none();
        Self { came: Instant::now(), sent: None, seq: 0, call, ticket, mute }
    }

    /// Where its time went, if it is one that was sent only once.
    fn trip(&self, answer: &down::Answer) -> Option<Trip> {
        let sent = self.sent?;
        let server_queue = Duration::from_nanos(answer.queue_ns);
        let node = Duration::from_nanos(answer.node_ns);
        let wire = sent.elapsed().saturating_sub(server_queue).saturating_sub(node);
        Some(Trip { queue: sent - self.came, wire, server_queue, node })
    }
}

impl Link {
    /// A line that connects when it is first used.
    pub(crate) fn new(settings: Settings, what: up::open::What) -> Self {
        let (pool, latency, state) = (Pool::new(), AtomicI64::new(0), Mutex::default());
        Self(Arc::new(Line { settings, what, pool, latency, state, gone: Notify::new() }))
    }

    /// Sends a call; its answer completes the ticket. Never waits.
    pub(crate) fn call(&self, lanes: usize, call: Call, ticket: Ticket) {
        let bytes = call.encoded_len();
        let mut state = self.0.lock();
        let most = state.most.unwrap_or(WHOLE_BYTES);
        if bytes > most - ENVELOPE.min(most) {
            drop(state);
            return ticket.fail(too_large("the packet", bytes as u64, most));
        }
        if let Some(lost) = state.lost.take() {
            drop(state);
            return ticket.fail(lost);
        }
        state.lanes = lanes as u32;
        self.put(state, call, Some(ticket));
    }

    /// Makes the node forget. What was not sent is not sent any more, and nobody waits for what was.
    pub(crate) fn reset(&self) {
        let mut state = self.0.lock();
        let sent = state.sent.unwrap_or_else(|| state.calls.iter().filter(|c| c.seq > 0).count());
        let sent = sent.min(state.calls.len());
        // Dropped when nothing is locked.
        let mut forgotten = Vec::new();
        let mut kept = VecDeque::new();
        for (index, mut waiting) in state.calls.drain(..).enumerate() {
            let wanted = waiting.ticket.is_none();
            forgotten.extend(waiting.ticket.take());
            if wanted || waiting.seq > 0 || index < sent {
                kept.push_back(waiting);
            }
        }
        state.calls = kept;
        state.bounds.clear();
        (state.tail, state.begun) = (Vec::new(), None);
        state.stale = state.moving == Some(Moving::Tail);
        // Before anything was sent there is nothing to forget.
        match state.last {
            0 => drop(state),
            _ => self.put(state, Call::Reset(up::Reset {}), None),
        }
        drop(forgotten);
    }

    /// Sets live params.
    pub(crate) fn set_params(&self, params: String) {
        self.put(self.0.lock(), Call::Params(params), None);
    }

    /// By how much the node's outputs lag behind its inputs, as its last answer said.
    pub(crate) fn latency(&self) -> MediaTime {
        MediaTime::from_nanos(self.0.latency.load(Ordering::Acquire))
    }

    /// Outputs that nothing before a time will come out of: what is new.
    pub(crate) fn take_bounds(&self) -> Vec<(usize, MediaTime)> {
        std::mem::take(&mut self.0.lock().bounds)
    }

    fn put(&self, mut state: MutexGuard<'_, State>, call: Call, ticket: Option<Ticket>) {
        state.calls.push_back(Waiting::new(call, ticket));
        let tended = std::mem::replace(&mut state.tended, true);
        state.wake();
        drop(state);
        if tended {
            return;
        }
        match reactor::handle() {
            Ok(reactor) => {
                drop(reactor.spawn(tend::tend(Arc::clone(&self.0), tend::Tended::begin())))
            }
            Err(error) => self.0.fail(&error),
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.closing = true;
        // Who waited for it has gone.
        let forgotten = std::mem::take(&mut state.calls);
        state.sent = Some(0);
        if state.last > 0 {
            // What was sent is not to keep the server busy.
            state.calls.push_back(Waiting::new(Call::Reset(up::Reset {}), None));
        }
        state.wake();
        drop(state);
        self.0.gone.notify_one();
        drop(forgotten);
    }
}

impl Line {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether there is anything that has not been sent.
    fn has_to_say(&self) -> bool {
        let waits = self.sent.is_some_and(|sent| sent < self.calls.len());
        waits || self.beat || self.closing || self.moving.is_some()
    }

    /// There may be something to send.
    fn wake(&mut self) {
        if let Some(sender) = self.sender.take() {
            sender.wake();
        }
    }
}
