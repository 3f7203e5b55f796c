//! Timers of pipelines, in order of their times.

use super::clock::Nanos;
use super::shared::Shared;
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

/// A timer of a segment.
pub(crate) struct Timer {
    pipeline: Weak<Shared>,
    segment: usize,
}

impl Timer {
    /// Wakes whom it is for.
    pub(crate) fn fire(self) {
        if let Some(pipeline) = self.pipeline.upgrade() {
            pipeline.segments[self.segment].rest.disarm();
            pipeline.wake(self.segment);
        }
    }
}

/// A segment of a pipeline: address and number. The address is not reused while a timer holds on to
/// the pipeline's memory.
type Owner = (usize, usize);

/// Timers that have not come, at most one of a segment.
#[derive(Default)]
pub(crate) struct Timers {
    order: BTreeMap<(Nanos, Owner), Timer>,
}

impl Timers {
    /// Sets the timer of a segment, in place of that which was set for `before`. Says whether it is
    /// now the first to come.
    pub(crate) fn set(
        &mut self,
        at: Nanos,
        before: Option<Nanos>,
        pipeline: &Arc<Shared>,
        segment: usize,
    ) -> bool {
        let owner = (Arc::as_ptr(pipeline).addr(), segment);
        if let Some(before) = before {
            self.order.remove(&(before, owner));
        }
        let first = self.first().is_none_or(|first| at < first);
        self.order.insert((at, owner), Timer { pipeline: Arc::downgrade(pipeline), segment });
        first
    }

    /// When the first one comes.
    pub(crate) fn first(&self) -> Option<Nanos> {
        self.order.first_key_value().map(|((at, _), _)| *at)
    }

    /// Takes those that have come, in order.
    pub(crate) fn take_due(&mut self, now: Nanos) -> Vec<Timer> {
        let mut due = Vec::new();
        while let Some(entry) = self.order.first_entry()
            && entry.key().0 <= now
        {
            due.push(entry.remove());
        }
        due
    }
}
