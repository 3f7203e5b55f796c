//! The mailbox: where completed tickets wait until the holder of the turn applies them.

use super::wait::Wait;
use crate::node::{Mailbox, Outcome, TicketId};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

pub(crate) struct Mail {
    delivered: Mutex<Vec<(TicketId, Outcome)>>,
    pending: AtomicBool,
    wait: Arc<Wait>,
}

impl Mail {
    pub(crate) fn new(wait: Arc<Wait>) -> Self {
        Self { delivered: Mutex::default(), pending: AtomicBool::new(false), wait }
    }

    /// Whether something waits. One atomic load, for the runner's loop.
    #[inline]
    pub(crate) fn is_pending(&self) -> bool {
        self.pending.load(Ordering::Acquire)
    }

    /// Takes what waits, in order of delivery.
    pub(crate) fn take(&self) -> Vec<(TicketId, Outcome)> {
        let mut delivered = self.delivered.lock().unwrap_or_else(PoisonError::into_inner);
        self.pending.store(false, Ordering::Release);
        std::mem::take(&mut delivered)
    }
}

impl Mailbox for Mail {
    fn deliver(&self, ticket: TicketId, outcome: Outcome) {
        {
            let mut delivered = self.delivered.lock().unwrap_or_else(PoisonError::into_inner);
            delivered.push((ticket, outcome));
            self.pending.store(true, Ordering::Release);
        }
        self.wait.notify();
    }
}
