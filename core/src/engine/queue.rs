//! A bounded queue of packets at the edge of a pipeline (rule S8).

use super::held::Bin;
use super::life::{Epoch, Epochs};
use super::stats::{DropReason, LinkStats};
use super::ticks::Ticks;
use crate::graph::{QueueLimits, QueuePolicy};
use crate::packet::Packet;
use std::collections::VecDeque;

/// A packet that waits.
pub(crate) struct Queued {
    pub(crate) packet: Packet,
    /// The epoch that it belongs to.
    pub(crate) epoch: Epoch,
    /// When what led to it was pushed.
    pub(crate) stamp: Ticks,
    /// When it came into the queue; zero: that was not timed.
    pub(crate) since: Ticks,
    /// Place in the order of emission over all outputs, or of arrival over all inputs.
    pub(crate) seq: u64,
}

/// Takes the first. A ring that is empty then begins at its front again, so that the same memory
/// serves for the next one, and few lines of the cache.
#[inline]
pub(super) fn take_first<T>(ring: &mut VecDeque<T>) -> Option<T> {
    let first = ring.pop_front();
    if ring.is_empty() {
        ring.clear();
    }
    first
}

/// How full something is, against its limits.
#[derive(Clone, Copy)]
pub(crate) struct Level {
    pub(crate) limits: QueueLimits,
    pub(crate) items: usize,
    pub(crate) bytes: usize,
    pub(crate) ns: u64,
}

impl Level {
    pub(crate) fn new(limits: QueueLimits) -> Self {
        Self { limits, items: 0, bytes: 0, ns: 0 }
    }

    #[inline]
    pub(crate) fn add(&mut self, packet: &Packet) {
        self.items += 1;
        self.bytes += packet.size();
        self.ns += duration_ns(packet);
    }

    #[inline]
    pub(crate) fn remove(&mut self, packet: &Packet) {
        self.items -= 1;
        self.bytes -= packet.size();
        self.ns -= duration_ns(packet);
    }

    /// Whether it is below every limit; one packet is always admitted.
    #[inline]
    pub(crate) fn has_room(&self) -> bool {
        self.items == 0
            || (self.items < self.limits.items
                && self.bytes < self.limits.bytes
                && self.ns < self.limits.time.nanos() as u64)
    }

    /// Whether work that leads here has to wait.
    #[inline]
    pub(crate) fn blocks(&self) -> bool {
        self.limits.policy == QueuePolicy::Block && !self.has_room()
    }
}

/// Duration for the counters; zero where there is none.
#[inline]
pub(crate) fn duration_ns(packet: &Packet) -> u64 {
    packet.duration().map_or(0, |d| d.nanos().max(0) as u64)
}

/// A bounded FIFO.
pub(crate) struct Queue {
    pub(crate) level: Level,
    /// The policy has dropped what would lie before the next packet.
    hole: bool,
    items: VecDeque<Queued>,
}

impl Queue {
    pub(crate) fn new(limits: QueueLimits) -> Self {
        Self { level: Level::new(limits), hole: false, items: VecDeque::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// Where its packets lie.
    pub(crate) fn ring(&self) -> &VecDeque<Queued> {
        &self.items
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(crate) fn front(&self) -> Option<&Queued> {
        self.items.front()
    }

    /// Appends a packet by the queue's policy and counts it. A `block` queue takes it even above
    /// its limit: who feeds it has asked for room before. Gives the drop that the policy led to;
    /// what follows the hole is marked as a break.
    pub(crate) fn push(
        &mut self,
        mut queued: Queued,
        stats: &LinkStats,
        bin: &mut Bin,
    ) -> Option<DropReason> {
        stats.enter(duration_ns(&queued.packet));
        let mut dropped = None;
        if !self.level.has_room() || self.level.limits.policy == QueuePolicy::KeepLatest {
            match self.level.limits.policy {
                QueuePolicy::Block => {}
                QueuePolicy::DropNewest => {
                    stats.drop(DropReason::DropNewest, duration_ns(&queued.packet));
                    self.hole = true;
                    bin.add(queued.packet);
                    return Some(DropReason::DropNewest);
                }
                QueuePolicy::DropOldest => {
                    while !self.level.has_room() {
                        self.drop_front(DropReason::DropOldest, stats, bin);
                        dropped = Some(DropReason::DropOldest);
                    }
                }
                QueuePolicy::KeepLatest => {
                    while !self.items.is_empty() {
                        self.drop_front(DropReason::KeepLatest, stats, bin);
                        dropped = Some(DropReason::KeepLatest);
                    }
                }
            }
        }
        if dropped.is_some() {
            match self.items.front_mut() {
                Some(next) => next.packet.set_discont(true),
                None => self.hole = true,
            }
        }
        if std::mem::take(&mut self.hole) {
            queued.packet.set_discont(true);
        }
        self.level.add(&queued.packet);
        self.items.push_back(queued);
        stats.high_water.raise(self.items.len() as u64);
        dropped
    }

    /// Counts a packet that goes past the queue because nothing waits in it.
    #[inline]
    pub(crate) fn pass(&self, packet: &Packet, stats: &LinkStats) {
        let ns = duration_ns(packet);
        stats.enter(ns);
        stats.take(ns);
    }

    /// Takes the oldest packet and counts it.
    pub(crate) fn pop(&mut self, stats: &LinkStats) -> Option<Queued> {
        let queued = take_first(&mut self.items)?;
        self.level.remove(&queued.packet);
        stats.take(duration_ns(&queued.packet));
        Some(queued)
    }

    fn drop_front(&mut self, reason: DropReason, stats: &LinkStats, bin: &mut Bin) {
        if let Some(queued) = self.items.pop_front() {
            self.level.remove(&queued.packet);
            stats.drop(reason, duration_ns(&queued.packet));
            bin.add(queued.packet);
        }
    }

    /// Drops everything that is forgotten in these epochs, where interrupts hit or not, and says
    /// how many packets that was.
    pub(crate) fn forget(
        &mut self,
        epochs: Epochs,
        hit: bool,
        stats: &LinkStats,
        bin: &mut Bin,
    ) -> u64 {
        let mut count = 0;
        // Epochs never go back along a queue, so what is stale lies in front.
        while self.items.front().is_some_and(|q| epochs.forget(q.epoch, hit)) {
            self.drop_front(DropReason::forgotten(epochs), stats, bin);
            count += 1;
        }
        count
    }

    /// Drops everything, and says how many packets that was.
    pub(crate) fn clear(&mut self, reason: DropReason, stats: &LinkStats, bin: &mut Bin) -> u64 {
        let count = self.items.len() as u64;
        while !self.items.is_empty() {
            self.drop_front(reason, stats, bin);
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::super::stats::Counter;
    use super::*;
    use crate::packet::{Audio, MediaTime};
    use proptest::prelude::*;

    fn limits(items: usize, policy: QueuePolicy) -> QueueLimits {
        QueueLimits { items, policy, ..QueueLimits::default() }
    }

    fn queued(n: usize) -> Queued {
        let audio = Audio::from_f32(vec![0.0; 480], 48_000, 1).expect("a good block");
        let packet = Packet::audio(audio).at(MediaTime::from_millis(n as i64));
        Queued { packet, epoch: 0, stamp: 0, since: 0, seq: n as u64 }
    }

    fn conserves(queue: &Queue, stats: &LinkStats) -> bool {
        let dropped: u64 = stats.dropped.iter().map(Counter::get).sum();
        stats.entered.get() == stats.taken.get() + dropped + queue.len() as u64
            && stats.entered_ns.get()
                == stats.taken_ns.get() + stats.dropped_ns.get() + queue.level.ns
    }

    #[test]
    fn each_policy_keeps_what_its_name_says() {
        for (policy, kept) in [
            (QueuePolicy::DropOldest, vec![3, 4]),
            (QueuePolicy::DropNewest, vec![0, 1]),
            (QueuePolicy::KeepLatest, vec![4]),
            (QueuePolicy::Block, vec![0, 1, 2, 3, 4]),
        ] {
            let (mut queue, stats) = (Queue::new(limits(2, policy)), LinkStats::default());
            (0..5).for_each(|n| {
                queue.push(queued(n), &stats, &mut Bin::default());
            });
            assert!(conserves(&queue, &stats));
            let left: Vec<u64> = std::iter::from_fn(|| queue.pop(&stats)).map(|q| q.seq).collect();
            assert_eq!(left, kept, "{policy:?}");
        }
    }

    #[test]
    fn what_follows_a_drop_is_a_break() {
        for (policy, breaks) in [
            (QueuePolicy::DropOldest, vec![true, false]),
            (QueuePolicy::DropNewest, vec![false, false, true]),
            (QueuePolicy::KeepLatest, vec![true]),
            (QueuePolicy::Block, vec![false; 4]),
        ] {
            let (mut queue, stats) = (Queue::new(limits(2, policy)), LinkStats::default());
            (0..3).for_each(|n| {
                queue.push(queued(n), &stats, &mut Bin::default());
            });
            let mut seen = Vec::new();
            if policy == QueuePolicy::DropNewest {
                seen.extend(queue.pop(&stats).map(|q| q.packet.is_discont()));
            }
            if policy == QueuePolicy::Block || policy == QueuePolicy::DropNewest {
                queue.push(queued(3), &stats, &mut Bin::default());
            }
            seen.extend(std::iter::from_fn(|| queue.pop(&stats)).map(|q| q.packet.is_discont()));
            assert_eq!(seen, breaks, "{policy:?}");
        }
    }

    #[test]
    fn bytes_and_time_are_limits_too_and_one_packet_always_fits() {
        for tight in [
            QueueLimits { bytes: 10, ..QueueLimits::default() },
            QueueLimits { time: MediaTime::from_millis(1), ..QueueLimits::default() },
        ] {
            let (mut queue, stats) = (Queue::new(tight), LinkStats::default());
            assert!(queue.level.has_room());
            queue.push(queued(0), &stats, &mut Bin::default());
            assert!(queue.level.blocks());
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost_uncounted(
            ops in prop::collection::vec(0u8..4, 0..200),
            items in 1usize..6,
            policy in 0usize..4,
        ) {
            let policies = [
                QueuePolicy::Block,
                QueuePolicy::DropOldest,
                QueuePolicy::DropNewest,
                QueuePolicy::KeepLatest,
            ];
            let (mut queue, stats) =
                (Queue::new(limits(items, policies[policy])), LinkStats::default());
            let mut last = None;
            for (n, op) in ops.into_iter().enumerate() {
                match op {
                    0..2 => { queue.push(queued(n), &stats, &mut Bin::default()); }
                    2 => if let Some(q) = queue.pop(&stats) {
                        prop_assert!(last.is_none_or(|l| l < q.seq), "out of order");
                        last = Some(q.seq);
                    },
                    _ => { queue.clear(DropReason::Reset, &stats, &mut Bin::default()); }
                }
                prop_assert!(conserves(&queue, &stats));
            }
        }
    }
}
