//! What a node works with while it is called.

use super::MediaFormat;
use super::ticket::{Mailbox, Opened, Ticket, TicketId};
use crate::packet::{MediaTime, Packet, Pool};
use std::sync::Arc;

/// A packet that a node has given out, and the output port that it goes to.
#[derive(Debug, Clone)]
pub struct Emission {
    /// Index of the output port.
    pub port: usize,
    /// The packet.
    pub packet: Packet,
}

/// What a node works with while it is called: where its outputs go, where memory comes from.
///
/// Emitting never waits and never fails. What a call has emitted counts only if the call returns
/// `Ok`; after an error all of it is dropped.
pub struct Context<'a> {
    pub(crate) out: &'a mut Vec<Emission>,
    pub(crate) pool: &'a Pool,
    pub(crate) port: usize,
    pub(crate) lane: usize,
    pub(crate) lanes: usize,
    pub(crate) advanced: &'a mut [MediaTime],
    pub(crate) copied_bytes: &'a mut u64,
    pub(crate) tickets: Option<&'a TicketDesk>,
    pub(crate) opened: &'a mut Vec<Opened>,
    pub(crate) format: Option<&'a MediaFormat>,
    /// Set where the engine should ask what there is to tell.
    pub(crate) news: &'a mut bool,
}

/// Hands out tickets of one pipeline. A node reaches it through its context.
pub(crate) struct TicketDesk {
    pub(crate) mailbox: Arc<dyn Mailbox>,
    pub(crate) next: std::cell::Cell<TicketId>,
}

impl Context<'_> {
    /// Gives a packet to the output port of that index (0 is the default port).
    ///
    /// # Real-time
    /// rt-safe.
    pub fn emit(&mut self, port: usize, packet: impl Into<Packet>) {
        self.out.push(Emission { port, packet: packet.into() });
    }

    /// Memory for payloads.
    pub fn pool(&self) -> &Pool {
        self.pool
    }

    /// Index of the input port that the packet came to.
    pub fn port(&self) -> usize {
        self.port
    }

    /// Index of the connection that the packet came by, among all that lead to the node: by port,
    /// then in the manifest's order.
    pub fn lane(&self) -> usize {
        self.lane
    }

    /// How many connections lead to the node.
    pub fn lanes(&self) -> usize {
        self.lanes
    }

    /// Says that nothing that lies before `until` will come out of that output port any more. Types
    /// that keep time need not say so; others should where they can, so that a join behind them does
    /// not wait for what never comes.
    pub fn advance(&mut self, port: usize, until: MediaTime) {
        if let Some(bound) = self.advanced.get_mut(port) {
            *bound = until.max(*bound);
        }
    }

    /// Format of the stream at that input port, as last given to `configure`.
    pub fn format(&self) -> Option<&MediaFormat> {
        self.format
    }

    /// Says that the node copied so many bytes of media that a zero-copy way would not have. It
    /// shows in the metrics.
    pub fn count_copy(&mut self, bytes: usize) {
        *self.copied_bytes += bytes as u64;
    }

    /// Opens a ticket: the result of this call will come later, from any thread. Return
    /// `Flow::Pending` from the call that opened it.
    ///
    /// # Panics
    /// If the call has opened one already, and if the type's `max_in_flight` is 0. A ticket
    /// that `configure` or `resume` opens fails the node: they can't wait.
    pub fn ticket(&mut self) -> Ticket {
        self.try_ticket().expect("a type that opens tickets has a `max_in_flight` above 0")
    }

    /// As [`ticket`](Self::ticket); `None` for a type whose `max_in_flight` is 0.
    ///
    /// # Panics
    /// If the call has opened one already.
    pub fn try_ticket(&mut self) -> Option<Ticket> {
        assert!(self.opened.is_empty(), "a call opens at most one ticket");
        let desk = self.tickets?;
        let id = desk.next.get();
        desk.next.set(id.next());
        let (ticket, opened) = Ticket::open(id, desk.mailbox.clone());
        self.opened.push(opened);
        Some(ticket)
    }
}
