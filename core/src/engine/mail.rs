//! The mailbox: where a segment's completed tickets wait until the holder of its turn applies them.

use super::letters::Letters;
use super::shared::Shared;
use crate::node::{Mailbox, Outcome, TicketId, Trip};
use std::sync::{OnceLock, Weak};

/// A ticket with its result, and where the time went.
type Letter = (TicketId, Outcome, Option<Trip>);

#[repr(align(64))]
pub(crate) struct Mail {
    letters: Letters<Letter>,
    /// The pipeline and the segment. Set as soon as there is one.
    home: OnceLock<(Weak<Shared>, usize)>,
}

impl Mail {
    pub(crate) fn new() -> Self {
        Self { letters: Letters::new(), home: OnceLock::new() }
    }

    /// Tells it whose it is.
    pub(crate) fn belongs_to(&self, pipeline: Weak<Shared>, segment: usize) {
        // Called once, by who makes the pipeline.
        let _ = self.home.set((pipeline, segment));
    }

    /// Whether something waits.
    #[inline]
    pub(crate) fn is_pending(&self) -> bool {
        self.letters.any()
    }

    /// Takes what waits, in order of delivery.
    pub(crate) fn take(&self) -> Vec<Letter> {
        self.letters.take()
    }
}

impl Mailbox for Mail {
    fn deliver(&self, ticket: TicketId, outcome: Outcome, trip: Option<Trip>) {
        self.letters.leave((ticket, outcome, trip));
        if let Some((pipeline, segment)) = self.home.get()
            && let Some(pipeline) = pipeline.upgrade()
        {
            pipeline.wake(*segment);
        }
    }
}
