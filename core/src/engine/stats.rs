//! Counters and histograms: always on, one writer each, readable at any time.

use super::event::Recovery;
use super::life::Epochs;
use super::ticks::Ticks;
use crate::node::Trip;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// A counter with one writer at a time. Readers see a value that was true at some moment.
#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// Counts `n` more. Only the one writer may call it.
    #[inline]
    pub(crate) fn add(&self, n: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }

    /// Raises the value to `n`, if it is lower. Only the one writer may call it.
    #[inline]
    pub(crate) fn raise(&self, n: u64) {
        if n > self.0.load(Ordering::Relaxed) {
            self.0.store(n, Ordering::Relaxed);
        }
    }

    /// Sets the value of what is no counter. Only the one writer may call it.
    pub(crate) fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Why a packet was dropped: the closed list of rule S8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum DropReason {
    /// The queue's policy is `drop_oldest` and it was full.
    DropOldest,
    /// The queue's policy is `drop_newest` and it was full.
    DropNewest,
    /// The queue's policy is `keep_latest`.
    KeepLatest,
    /// It came before the port's bound, and the input says `late: drop`.
    Late,
    /// A reset or rewind forgot it.
    Reset,
    /// An interrupt forgot it.
    Interrupted,
    /// The pipeline was closed and nobody pulled it.
    Closed,
    /// The pipeline was cancelled.
    Cancelled,
    /// A join found no partner for it.
    Unmatched,
    /// A node failed before it could be processed, or while it was.
    Failed,
}

impl DropReason {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::DropOldest,
        Self::DropNewest,
        Self::KeepLatest,
        Self::Late,
        Self::Reset,
        Self::Interrupted,
        Self::Closed,
        Self::Cancelled,
        Self::Unmatched,
        Self::Failed,
    ];

    /// Why something was dropped that these epochs forget.
    pub(crate) fn forgotten(epochs: Epochs) -> Self {
        if epochs.is_reset() { Self::Reset } else { Self::Interrupted }
    }

    /// Its name in events and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::DropOldest => "drop_oldest",
            Self::DropNewest => "drop_newest",
            Self::KeepLatest => "keep_latest",
            Self::Late => "late",
            Self::Reset => "reset",
            Self::Interrupted => "interrupted",
            Self::Closed => "closed",
            Self::Cancelled => "cancelled",
            Self::Unmatched => "unmatched",
            Self::Failed => "failed",
        }
    }
}

/// Counters of a link: a connection, an input or an output. `in = taken + dropped + queued`. What
/// every packet needs lies in one line of the cache.
#[derive(Default)]
#[repr(C, align(64))]
pub(crate) struct LinkStats {
    pub(crate) entered: Counter,
    pub(crate) entered_ns: Counter,
    pub(crate) taken: Counter,
    pub(crate) taken_ns: Counter,
    pub(crate) high_water: Counter,
    /// How long packets have waited that did not go past the queue.
    pub(crate) waits: Histogram,
    pub(crate) dropped_ns: Counter,
    pub(crate) dropped: [Counter; DropReason::ALL.len()],
}

impl LinkStats {
    #[inline]
    pub(crate) fn enter(&self, ns: u64) {
        self.entered.add(1);
        self.entered_ns.add(ns);
    }

    #[inline]
    pub(crate) fn take(&self, ns: u64) {
        self.taken.add(1);
        self.taken_ns.add(ns);
    }

    pub(crate) fn drop(&self, reason: DropReason, ns: u64) {
        self.dropped[reason as usize].add(1);
        self.dropped_ns.add(ns);
    }
}

/// Counters of a node: `taken = done + failed + unmatched + held`. What every packet needs lies in
/// one line of the cache.
#[derive(Default)]
#[repr(C, align(64))]
pub(crate) struct NodeStats {
    pub(crate) taken: Counter,
    pub(crate) done: Counter,
    pub(crate) emitted: Counter,
    pub(crate) calls: Counter,
    pub(crate) busy_ticks: Counter,
    pub(crate) times: Histogram,
    pub(crate) failed: Counter,
    pub(crate) unmatched: Counter,
    pub(crate) unconnected: Counter,
    pub(crate) copied_bytes: Counter,
    pub(crate) latency_ns: Counter,
    /// What was done about errors, by `Recovery`.
    pub(crate) recovered: [Counter; Recovery::ALL.len()],
    /// Tickets that were given up, or forgotten by an interrupt or reset.
    pub(crate) zombies: Counter,
    /// State of the breaker.
    pub(crate) breaker: Counter,
    /// Where the time of its calls went, if they are made on another machine.
    pub(crate) trips: OnceLock<Box<Trips>>,
}

impl NodeStats {
    /// Counts the time of one run of the node.
    #[inline]
    pub(crate) fn time(&self, ticks: Ticks) {
        self.calls.add(1);
        self.busy_ticks.add(ticks);
        self.times.record(ticks);
    }
}

/// Where the time of calls went that were made on another machine, in nanoseconds.
#[derive(Default)]
pub(crate) struct Trips([Histogram; 4]);

impl Trips {
    pub(crate) fn record(&self, trip: Trip) {
        let parts = [trip.queue, trip.wire, trip.server_queue, trip.node];
        for (histogram, time) in self.0.iter().zip(parts) {
            histogram.record(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
        }
    }

    /// Each part with its name.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (&'static str, &Histogram)> {
        ["queue_us", "wire_us", "server_queue_us", "node_us"].into_iter().zip(&self.0)
    }
}

/// Logarithmic buckets, four to an octave: values within 19 % of each other share one.
const BUCKETS: usize = 4 * 48;

/// A histogram of ticks in less than a kilobyte, most of it made for the first value. One writer.
/// What every value changes lies beside the counters of what is measured, but for its bucket.
pub(crate) struct Histogram {
    min: Counter,
    max: Counter,
    buckets: OnceLock<Box<Buckets>>,
}

type Buckets = [AtomicU32; BUCKETS];

impl Default for Histogram {
    fn default() -> Self {
        let min = Counter(AtomicU64::new(u64::MAX));
        Self { min, max: Counter::default(), buckets: OnceLock::new() }
    }
}

impl Histogram {
    #[inline]
    pub(crate) fn record(&self, value: u64) {
        let none = || Box::new([const { AtomicU32::new(0) }; BUCKETS]);
        let bucket = &self.buckets.get_or_init(none)[bucket_of(value)];
        bucket.store(bucket.load(Ordering::Relaxed).saturating_add(1), Ordering::Relaxed);
        if value < self.min.get() {
            self.min.set(value);
        }
        self.max.raise(value);
    }

    /// Counts of the buckets, from the smallest values to the largest.
    fn counts(&self) -> impl Iterator<Item = u64> {
        let buckets = self.buckets.get().into_iter().flat_map(|buckets| buckets.iter());
        buckets.map(|bucket| u64::from(bucket.load(Ordering::Relaxed)))
    }

    /// The bucket of most values.
    pub(crate) fn usual(&self) -> Option<&AtomicU32> {
        self.buckets.get()?.iter().max_by_key(|bucket| bucket.load(Ordering::Relaxed))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.buckets.get().is_none()
    }

    pub(crate) fn count(&self) -> u64 {
        self.counts().sum()
    }

    pub(crate) fn min(&self) -> u64 {
        if self.count() == 0 { 0 } else { self.min.get() }
    }

    pub(crate) fn max(&self) -> u64 {
        self.max.get()
    }

    /// The value below which the share `q` (0…1) of all values lies: the middle of its bucket.
    pub(crate) fn quantile(&self, q: f64) -> u64 {
        let count = self.count();
        let rank = ((count as f64 * q).ceil() as u64).max(1);
        let mut seen = 0;
        for (index, in_bucket) in self.counts().enumerate() {
            seen += in_bucket;
            if seen >= rank && count > 0 {
                let middle = u64::midpoint(low_end(index), low_end(index + 1));
                return middle.clamp(self.min(), self.max());
            }
        }
        0
    }
}

#[inline]
fn bucket_of(value: u64) -> usize {
    if value < 4 {
        return value as usize;
    }
    let octave = 63 - value.leading_zeros() as usize;
    let quarter = (value >> (octave - 2)) as usize & 3;
    ((octave - 1) * 4 + quarter).min(BUCKETS - 1)
}

/// Smallest value of a bucket.
fn low_end(bucket: usize) -> u64 {
    if bucket < 4 {
        return bucket as u64;
    }
    let (octave, quarter) = (bucket / 4 + 1, bucket as u64 % 4);
    (4 + quarter) << (octave - 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_in_its_bucket() {
        for value in (0..2000).chain((0..48).map(|s| (1u64 << s) + 1)) {
            let bucket = bucket_of(value);
            assert!(low_end(bucket) <= value && value < low_end(bucket + 1), "{value}");
        }
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_are_right_to_a_fifth() {
        let histogram = Histogram::default();
        assert_eq!((histogram.quantile(0.5), histogram.min()), (0, 0));
        (1..=1000).for_each(|v| histogram.record(v));
        for (q, truth) in [(0.01, 10.0), (0.5, 500.0), (0.99, 990.0)] {
            let value = histogram.quantile(q) as f64;
            assert!((value / truth - 1.0).abs() < 0.2, "quantile {q}: {value}");
        }
        assert_eq!((histogram.min(), histogram.max()), (1, 1000));
    }

    #[test]
    fn a_histogram_takes_less_than_a_kilobyte() {
        assert!(size_of::<Histogram>() + size_of::<Buckets>() <= 1024);
    }
}
