//! One connection that leads to a join: what waits on it, and what is known about what will come.

use crate::packet::MediaTime;
use std::collections::VecDeque;

/// What a join can hold.
pub(crate) trait Timed {
    /// When it is.
    fn pts(&self) -> Option<MediaTime>;

    /// The same once more, for a packet that serves several sets. The first to come out is the one
    /// that was pushed; who counts packets counts that one alone.
    fn again(&self) -> Self;
}

struct Entry<T> {
    item: T,
    /// Its time, as the join has it.
    at: MediaTime,
    /// Its place in the order of arrival over all lanes.
    arrival: u64,
    /// A set has had it, and it is kept for others.
    served: bool,
}

/// How it stands with the partner for something at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Partner {
    /// It is the lane's first.
    First,
    /// There is none.
    None,
    /// A nearer one may come.
    Open,
}

/// Times never go back along the queue, and the bound does not lie before its last.
pub(super) struct Lane<T> {
    queue: VecDeque<Entry<T>>,
    /// Nothing earlier will come.
    bound: MediaTime,
    ended: bool,
}

/// Before every time: nothing is known.
pub(super) const NEVER: MediaTime = MediaTime::from_nanos(i64::MIN);

impl<T: Timed> Lane<T> {
    pub(super) fn new() -> Self {
        Self { queue: VecDeque::new(), bound: NEVER, ended: false }
    }

    /// Appends what has come. Without a time, or with one that lies before the bound, it counts as
    /// at the bound.
    pub(super) fn push(&mut self, item: T, arrival: u64) {
        let unknown = if self.bound == NEVER { MediaTime::ZERO } else { self.bound };
        let at = item.pts().map_or(unknown, |pts| pts.max(self.bound));
        self.bound = at;
        self.queue.push_back(Entry { item, at, arrival, served: false });
    }

    pub(super) fn raise(&mut self, bound: MediaTime) {
        self.bound = self.bound.max(bound);
    }

    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    /// Takes the first, whether a set has had it or not.
    pub(super) fn pop(&mut self) -> Option<T> {
        self.queue.pop_front().map(|entry| entry.item)
    }

    /// Takes the first out of the way. Gives it only if no set has had it.
    pub(super) fn discard(&mut self) -> Option<T> {
        self.queue.pop_front().filter(|entry| !entry.served).map(|entry| entry.item)
    }

    /// Takes the first that no set has had.
    pub(super) fn drop_first(&mut self) -> Option<T> {
        let first = self.queue.iter().position(|entry| !entry.served)?;
        self.queue.remove(first).map(|entry| entry.item)
    }

    /// Gives the first to a set and keeps it for others.
    pub(super) fn serve(&mut self) -> Option<T> {
        let first = self.queue.front_mut()?;
        let again = first.item.again();
        let before = std::mem::replace(&mut first.served, true);
        Some(if before { again } else { std::mem::replace(&mut first.item, again) })
    }

    /// Forgets what is known about what will come, all but the end.
    pub(super) fn forget_bound(&mut self) {
        self.bound = NEVER;
    }

    pub(super) fn reopen(&mut self) {
        self.ended = false;
    }

    /// What no set has had.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.queue.iter().filter(|entry| !entry.served).map(|entry| &entry.item)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// How many wait that no set has had.
    pub(super) fn waiting(&self) -> usize {
        // Only the first can have served: what is before it has gone by then.
        self.queue.len() - usize::from(self.queue.front().is_some_and(|first| first.served))
    }

    /// Time of the first that no set has had.
    pub(super) fn waiting_at(&self) -> Option<MediaTime> {
        self.queue.iter().find(|entry| !entry.served).map(|entry| entry.at)
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether nothing will come out of it any more.
    pub(super) fn is_over(&self) -> bool {
        self.ended && self.queue.is_empty()
    }

    pub(super) fn bound(&self) -> MediaTime {
        self.bound
    }

    /// Time of the first.
    pub(super) fn at(&self) -> Option<MediaTime> {
        self.queue.front().map(|entry| entry.at)
    }

    /// Place of the first in the order of arrival.
    pub(super) fn arrival(&self) -> Option<u64> {
        self.queue.front().map(|entry| entry.arrival)
    }

    /// Nothing before this will come out of it.
    pub(super) fn floor(&self) -> MediaTime {
        self.at().unwrap_or(self.bound)
    }

    /// Whether the first is of no use to what has arrived as the `since`th or later, because another
    /// has come after it.
    pub(super) fn is_replaced(&self, since: u64) -> bool {
        self.queue.get(1).is_some_and(|next| next.arrival < since)
    }

    /// Whether the first can't be the nearest to anything that lies at `from` or later.
    pub(super) fn is_behind(&self, from: MediaTime, tolerance: MediaTime) -> bool {
        let Some(first) = self.at() else { return false };
        // What is nearer to `from` and lies later is nearer to all that lies later still.
        let next = self.queue.iter().map(|entry| entry.at).find(|at| *at > first);
        first + tolerance < from || next.is_some_and(|next| span(next, from) < span(first, from))
    }

    /// The partner for something at `at`, once all that is behind it has been discarded.
    pub(super) fn partner(&self, at: MediaTime, tolerance: MediaTime) -> Partner {
        let first = self.at();
        let near = first.is_some_and(|first| span(first, at) <= tolerance);
        let decided = self.ended
            || match first {
                Some(first) if first >= at => true,
                // As near on the other side is not nearer.
                Some(first) if near => self.bound >= at + (at - first),
                _ => self.bound > at + tolerance,
            };
        match (decided, near) {
            (false, _) => Partner::Open,
            (true, true) => Partner::First,
            (true, false) => Partner::None,
        }
    }
}

fn span(a: MediaTime, b: MediaTime) -> MediaTime {
    a.max(b) - a.min(b)
}
