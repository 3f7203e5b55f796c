//! The mailbox: where a segment's completed tickets wait until the holder of its turn applies them.

use super::shared::Shared;
use crate::node::{Mailbox, Outcome, TicketId};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError, Weak};

pub(crate) struct Mail {
    delivered: Mutex<Vec<(TicketId, Outcome)>>,
    pending: AtomicBool,
    /// The pipeline and the segment. Set as soon as there is one.
    home: OnceLock<(Weak<Shared>, usize)>,
}

impl Mail {
    pub(crate) fn new() -> Self {
        Self { delivered: Mutex::default(), pending: AtomicBool::new(false), home: OnceLock::new() }
    }

    /// Tells it whose it is.
    pub(crate) fn belongs_to(&self, pipeline: Weak<Shared>, segment: usize) {
        // Called once, by who makes the pipeline.
        let _ = self.home.set((pipeline, segment));
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
        if let Some((pipeline, segment)) = self.home.get()
            && let Some(pipeline) = pipeline.upgrade()
        {
            pipeline.wake(*segment);
        }
    }
}
