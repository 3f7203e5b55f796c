//! Timers of pipelines, in order of their times.
//!
//! A segment has two at most: one that wakes it, and one that looks after a call that has to be back
//! in time.

use super::clock::Nanos;
use super::shared::Shared;
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

/// A timer of a segment.
pub(crate) struct Timer {
    pipeline: Weak<Shared>,
    segment: usize,
    what: What,
}

/// What a timer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum What {
    /// It wakes the segment.
    Wake,
    /// It looks after the segment's call.
    Watch,
}

impl Timer {
    /// Does what it is for.
    pub(crate) fn fire(self) {
        let Some(pipeline) = self.pipeline.upgrade() else { return };
        if self.what == What::Watch {
            pipeline.look_after(self.segment);
        } else {
            pipeline.segments[self.segment].rest.disarm();
            pipeline.wake(self.segment);
        }
    }
}

/// What a timer is for: a pipeline by its address, and a segment of it. The address is not reused while a timer holds on to
/// the pipeline's memory.
type Owner = (usize, usize, What);

/// Timers that have not come.
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
        what: What,
    ) -> bool {
        let owner = (Arc::as_ptr(pipeline).addr(), segment, what);
        if let Some(before) = before {
            self.order.remove(&(before, owner));
        }
        let first = self.first().is_none_or(|first| at < first);
        self.order.insert((at, owner), Timer { pipeline: Arc::downgrade(pipeline), segment, what });
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
