//! Tickets: results that come later, from any thread.
//!
//! Async work, host languages, workers and remote servers all look the same to the engine: a
//! node's `process` opens a [`Ticket`] and returns `Flow::Pending`; whoever does the work completes
//! the ticket. That only drops the result into a mailbox and wakes; the engine applies it later,
//! in the order of the inputs.

use super::context::Emission;
use crate::error::{Error, detail};
use crate::packet::Packet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Number of a ticket within its pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TicketId(u64);

impl TicketId {
    pub(crate) const FIRST: Self = Self(1);

    pub(crate) fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// What became of a ticket: the packets for the output ports, or an error.
pub(crate) type Outcome = Result<Vec<Emission>, Error>;

/// Where the time of work went that was done on another machine. All of it together is what lies
/// between the node's call and the ticket's completion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Trip {
    /// It waited here to be sent.
    pub queue: Duration,
    /// It was on its way, there and back.
    pub wire: Duration,
    /// It waited there for its turn.
    pub server_queue: Duration,
    /// The node there worked on it.
    pub node: Duration,
}

/// Where completed tickets are dropped. Must not block and must not call back.
pub(crate) trait Mailbox: Send + Sync {
    fn deliver(&self, ticket: TicketId, outcome: Outcome, trip: Option<Trip>);
}

/// The engine's side of an open ticket. Once it is gone, nobody wants the result any more.
pub(crate) struct Opened {
    pub(crate) id: TicketId,
    cancelled: Arc<AtomicBool>,
}

impl Opened {
    /// Tells whoever has the ticket that its result is not wanted.
    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.cancel();
    }
}

/// The right to deliver one result later. Dropping it unused is an error of the node.
#[must_use = "a ticket that is dropped fails its node"]
pub struct Ticket {
    id: TicketId,
    mailbox: Option<Arc<dyn Mailbox>>,
    cancelled: Arc<AtomicBool>,
    trip: Option<Trip>,
}

impl Ticket {
    /// A ticket, and what the engine keeps of it.
    pub(crate) fn open(id: TicketId, mailbox: Arc<dyn Mailbox>) -> (Self, Opened) {
        let cancelled = Arc::new(AtomicBool::new(false));
        let opened = Opened { id, cancelled: cancelled.clone() };
        (Self { id, mailbox: Some(mailbox), cancelled, trip: None }, opened)
    }

    /// Whether nobody wants the result any more: an interrupt or reset has forgotten what it belongs
    /// to, its deadline has passed, or the pipeline is over. Work that looks now and then can end
    /// early; what is delivered all the same is dropped. Any thread; never waits.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    /// Its number.
    pub fn id(&self) -> TicketId {
        self.id
    }

    /// Says where the time went, for the node's metrics; before the result is delivered.
    pub fn went(&mut self, trip: Trip) {
        self.trip = Some(trip);
    }

    /// Delivers the packets, each with the index of its output port. Any thread; never waits.
    pub fn complete(mut self, outputs: impl IntoIterator<Item = (usize, Packet)>) {
        let outputs = outputs.into_iter().map(|(port, packet)| Emission { port, packet }).collect();
        self.deliver(Ok(outputs));
    }

    /// Delivers a failure. Any thread; never waits.
    pub fn fail(mut self, error: Error) {
        self.deliver(Err(error));
    }

    fn deliver(&mut self, outcome: Outcome) {
        if let Some(mailbox) = self.mailbox.take() {
            mailbox.deliver(self.id, outcome, self.trip);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.mailbox.is_some() {
            self.deliver(Err(Error::new(
                detail::NODE_TICKET_DROPPED,
                "work that the node had started was dropped without a result",
            )));
        }
    }
}
