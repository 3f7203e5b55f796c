//! Timers of pipelines, in order of their times.

use super::shared::Shared;
use super::time::Nanos;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Weak;

/// A timer that has come.
pub(crate) struct Timer {
    pipeline: Weak<Shared>,
    /// The segment that it is for; `None`: whoever waits for the pipeline.
    segment: Option<usize>,
}

impl Timer {
    /// Wakes whom it is for.
    pub(crate) fn fire(self) {
        if let Some(pipeline) = self.pipeline.upgrade() {
            match self.segment {
                Some(segment) => pipeline.wake(segment),
                None => pipeline.wait.notify(),
            }
        }
    }
}

/// Timers that have not come.
#[derive(Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<Entry>>,
    next: u64,
}

struct Entry {
    at: Nanos,
    /// Of equal times the first that was set comes first.
    seq: u64,
    timer: Timer,
}

impl Timers {
    /// Sets a timer. Says whether it is now the first to come.
    pub(crate) fn set(
        &mut self,
        at: Nanos,
        pipeline: Weak<Shared>,
        segment: Option<usize>,
    ) -> bool {
        let first = self.first().is_none_or(|first| at < first);
        let seq = self.next;
        self.next += 1;
        self.heap.push(Reverse(Entry { at, seq, timer: Timer { pipeline, segment } }));
        first
    }

    /// When the first one comes.
    pub(crate) fn first(&self) -> Option<Nanos> {
        self.heap.peek().map(|entry| entry.0.at)
    }

    /// Takes those that have come, in order.
    pub(crate) fn take_due(&mut self, now: Nanos) -> Vec<Timer> {
        let mut due = Vec::new();
        while self.first().is_some_and(|at| at <= now)
            && let Some(Reverse(entry)) = self.heap.pop()
        {
            due.push(entry.timer);
        }
        due
    }
}

impl Entry {
    fn key(&self) -> (Nanos, u64) {
        (self.at, self.seq)
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}
