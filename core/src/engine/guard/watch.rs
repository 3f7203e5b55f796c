//! The watch: notes calls that have to be back in time, and finds those that are not.
//!
//! There is one for each segment with deadlines. A call notes its begin, which is two writes and a
//! reading of the clock; one timer of the segment looks after it, at most once per deadline.

use crate::engine::clock::{Clock, Nanos};
use crate::engine::shared::Shared;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};

/// No call is being made.
const IDLE: u64 = 0;
/// One is, for too long: it was found out.
const HUNG: u64 = u64::MAX;

/// Calls of a segment's nodes, one at a time.
pub(crate) struct Watch {
    /// When the call has to be back, plus one.
    due: AtomicU64,
    /// When it began.
    begin: AtomicU64,
    /// Its node, by its place in the graph.
    node: AtomicUsize,
    /// A timer is set.
    armed: AtomicBool,
    home: OnceLock<(Weak<Shared>, usize)>,
}

/// What a timer finds.
pub(crate) enum Look {
    /// Nothing is being called.
    Nothing,
    /// A call is in time so far; look again then.
    At(Nanos),
    /// The call of that node is too late, and has run for so long.
    Late(usize, Nanos),
}

impl Watch {
    pub(super) fn new() -> Self {
        Self {
            due: AtomicU64::new(IDLE),
            begin: AtomicU64::new(0),
            node: AtomicUsize::new(0),
            armed: AtomicBool::new(false),
            home: OnceLock::new(),
        }
    }

    /// Tells it whose it is.
    pub(crate) fn belongs_to(&self, pipeline: Weak<Shared>, segment: usize) {
        // Called once, by who makes the pipeline.
        let _ = self.home.set((pipeline, segment));
    }

    /// A call of a node begins. It has so long.
    pub(super) fn begin(&self, clock: &Clock, node: usize, time: Nanos) {
        let now = clock.now();
        let due = now.saturating_add(time).min(HUNG - 2);
        self.node.store(node, Ordering::Relaxed);
        self.begin.store(now, Ordering::Relaxed);
        // Whoever sees that it is due sees the rest. Sequentially consistent with `armed`: either
        // the timer sees this call, or this call sees that there is no timer.
        self.due.store(due + 1, Ordering::SeqCst);
        if !self.armed.load(Ordering::SeqCst)
            && let Some((pipeline, segment)) = self.home.get()
            && let Some(pipeline) = pipeline.upgrade()
            && !self.armed.swap(true, Ordering::SeqCst)
        {
            pipeline.scheduler.watch(due, &pipeline, *segment);
        }
    }

    /// The call is over. False: it was found to be late.
    pub(super) fn end(&self) -> bool {
        let due = self.due.load(Ordering::Relaxed);
        due != HUNG
            && self.due.compare_exchange(due, IDLE, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Whether a call was found to be late.
    pub(crate) fn is_hung(&self) -> bool {
        self.due.load(Ordering::Acquire) == HUNG
    }

    /// Looks, when the timer has come.
    pub(crate) fn look(&self, now: Nanos) -> Look {
        self.armed.store(false, Ordering::SeqCst);
        let due = self.due.load(Ordering::SeqCst);
        if due == IDLE || due == HUNG {
            return Look::Nothing;
        }
        if due - 1 > now {
            // Unless the call that begins just now has done it.
            return match self.armed.swap(true, Ordering::SeqCst) {
                true => Look::Nothing,
                false => Look::At(due - 1),
            };
        }
        let (node, begin) = (self.node.load(Ordering::Relaxed), self.begin.load(Ordering::Relaxed));
        match self.due.compare_exchange(due, HUNG, Ordering::AcqRel, Ordering::Relaxed) {
            Ok(_) => Look::Late(node, now.saturating_sub(begin)),
            Err(_) => match self.armed.swap(true, Ordering::SeqCst) {
                true => Look::Nothing,
                // Another call; it has not begun before.
                false => Look::At(due),
            },
        }
    }
}

/// A call that has to be back in time, of one node.
pub(super) struct Watched {
    pub(super) watch: Arc<Watch>,
    pub(super) node: usize,
    pub(super) time: Nanos,
}
