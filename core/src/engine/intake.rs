//! How packets come into a segment: straight from a push, or from the queues before it.

use super::item::Item;
use super::life::Epochs;
use super::queue::Queued;
use super::runner::{Runner, Way};
use super::shared::Shared;
use super::ticks::{self, Ticks};
use crate::error::Result;
use crate::packet::{MediaTime, Packet};
use std::sync::atomic::Ordering;

impl Runner {
    /// Whether the exit behind an entry (its own node, if packets wait for it) takes more.
    pub(super) fn can_enter(&self, shared: &Shared, way: Way) -> bool {
        let slot = &self.nodes[way.node];
        match &slot.join {
            Some(join) => {
                // Where packets do not wait for ever, they wait inside, so that it is known how long.
                let lane = usize::from(way.lane);
                let most = if slot.max_wait.is_some() { way.items } else { 1 };
                join.len(lane) < most || self.awaits(way.node, lane)
            }
            None if slot.waits => slot.inbox.is_empty(),
            None => self.has_room(shared, way.node),
        }
    }

    /// Which of its entries that one is, if a packet of it in these epochs could be worked on now.
    #[inline]
    pub(crate) fn can_take(&self, shared: &Shared, entry: usize, epochs: Epochs) -> Option<usize> {
        let nth = self.entries.iter().position(|way| way.entry == entry)?;
        (self.epochs == epochs && self.can_enter(shared, self.entries[nth])).then_some(nth)
    }

    /// Takes a packet that comes straight from a push; see `can_take`.
    #[inline]
    pub(crate) fn take(&mut self, shared: &Shared, nth: usize, packet: Packet, stamp: Ticks) {
        let way = self.entries[nth];
        (self.tick, self.stamp) = (stamp, stamp);
        if self.nodes[way.node].direct {
            self.coming = Some((way, packet));
        } else {
            // It is there before a join looks whether it has waited long enough.
            self.enter(shared, way, packet, stamp);
        }
    }

    /// Works on the packet that came straight from a push: at once, if its node takes it as it is.
    #[inline]
    pub(super) fn take_coming(&mut self, shared: &Shared) -> Result<()> {
        let Some((way, packet)) = self.coming.take() else { return Ok(()) };
        let Way { node, lane, .. } = way;
        if !self.nodes[node].is_open_to(&packet, lane) || self.wants_attention(shared) {
            self.enter(shared, way, packet, self.stamp);
            return Ok(());
        }
        self.worked = true;
        if self.pass(shared, node, lane, packet)? {
            self.express(shared, node)?;
        } else {
            self.dispatch(shared, node);
        }
        if !std::mem::take(&mut self.booked) {
            self.time(node);
        }
        Ok(())
    }

    /// Gives a node a packet that an entry has counted.
    #[inline]
    pub(super) fn enter(&mut self, shared: &Shared, way: Way, packet: Packet, stamp: Ticks) {
        let Way { node, lane, .. } = way;
        let slot = &mut self.nodes[node];
        slot.stats.taken.add(1);
        if slot.join.is_none() {
            slot.inbox.push_back(Item::counted(packet, lane, stamp));
            self.active.insert(node);
            return;
        }
        // What is pushed into an input as audio goes on at its end, or later; times are rounded.
        let end = packet.as_audio().and(packet.end());
        let end = end.map(|end| end - MediaTime::from_nanos(1));
        self.take_item(shared, node, Item::counted(packet, lane, stamp));
        if let Some(end) = end {
            self.take_gap(node, lane, end);
        }
    }

    /// Takes the packet (or end) that came first among those that have room ahead.
    pub(super) fn take_entry(&mut self, shared: &Shared) -> bool {
        let backlog = &shared.segments[self.segment].backlog;
        if backlog.load(Ordering::Acquire) == 0 {
            return false;
        }
        let mut next: Option<(u64, Way)> = None;
        for &way in &self.entries {
            let entry = shared.entry_now(way.entry);
            if entry.epochs != self.epochs {
                // An epoch has begun; the next look at the state comes into it.
                continue;
            }
            let seq = match entry.queue.front() {
                Some(queued) if self.can_enter(shared, way) => queued.seq,
                None if entry.gap.is_some() || (entry.ended && !entry.end_taken) => 0,
                _ => continue,
            };
            if next.is_none_or(|(first, _)| seq < first) {
                next = Some((seq, way));
            }
        }
        let Some((_, way @ Way { entry: index, node, lane, .. })) = next else { return false };
        let mut entry = shared.entry_now(index);
        if entry.epochs != self.epochs {
            return false;
        }
        match entry.queue.pop(&shared.links[shared.ways[index].link]) {
            Some(queued) => {
                let Queued { packet, stamp, since, .. } = queued;
                if self.timing && since > 0 {
                    shared.links[shared.ways[index].link]
                        .waits
                        .record(ticks::between(since, self.tick));
                }
                shared.freed(index, &entry);
                self.enter(shared, way, packet, stamp);
            }
            None => match entry.gap.take() {
                Some(until) => self.take_gap(node, lane, until),
                None => {
                    entry.end_taken = true;
                    self.take_end(node, lane);
                }
            },
        }
        drop(entry);
        backlog.fetch_sub(1, Ordering::AcqRel);
        self.worked = true;
        true
    }
}
