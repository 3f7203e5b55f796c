//! How packets leave a node: to the nodes behind it, to the queues of other segments, to the outputs.

use super::held::Held;
use super::item::Item;
use super::life::State;
use super::queue::{Level, Queued, duration_ns, take_first};
use super::routes::Dest;
use super::runner::{Leaving, Runner};
use super::shared::{Outputs, Shared};
use super::slot::{Pace, Stage};
use super::stats::DropReason;
use super::ticks;
use crate::graph::QueuePolicy;
use crate::node::Emission;
use crate::packet::Packet;
use std::sync::atomic::Ordering;

impl Runner {
    /// Gives what a node has emitted to whatever its ports are connected to.
    #[inline]
    pub(super) fn dispatch(&mut self, shared: &Shared, index: usize) {
        if !self.collector.is_empty() {
            self.give_out(shared, index);
        }
        if self.nodes[index].tells {
            self.tell_bounds(shared, index);
        }
    }

    pub(super) fn give_out(&mut self, shared: &Shared, index: usize) {
        let mut collector = std::mem::take(&mut self.collector);
        if self.parted && !self.nodes[index].hit {
            // What such a node gives belongs to the epoch in which it gives it.
            let (state, epochs) = shared.life.get();
            if epochs != self.epochs && !state.is_terminal() {
                self.come(shared, epochs);
            }
        }
        self.nodes[index].stats.emitted.add(collector.len() as u64);
        for Emission { port, packet } in collector.drain(..) {
            if self.nodes[index].is_source
                && let Some(end) = packet.end()
            {
                let slot = &mut self.nodes[index];
                if slot.pace == Pace::Waiting {
                    let begin = packet.pts().unwrap_or(end);
                    slot.pace = Pace::Since(shared.scheduler.clock.now(), begin);
                }
                slot.bound = slot.bound.max(end);
            }
            match self.routes.of(index, port) {
                [] => self.nodes[index].stats.unconnected.add(1),
                &[dest] => self.send(shared, dest, packet),
                [.., last] => {
                    let last = *last;
                    for nth in 0..self.routes.of(index, port).len() - 1 {
                        let dest = self.routes.of(index, port)[nth];
                        self.send(shared, dest, packet.clone());
                    }
                    self.send(shared, last, packet);
                }
            }
        }
        self.collector = collector;
    }

    #[inline]
    pub(super) fn send(&mut self, shared: &Shared, dest: Dest, packet: Packet) {
        match dest {
            Dest::Output(_) | Dest::Border { .. } => {
                let stamp = self.stamp;
                self.leaving.push_back(Leaving::Packet { to: dest, packet, stamp });
            }
            Dest::Edge { link, node, lane } => {
                let stats = &shared.links[link];
                if self.nodes[node].waits {
                    if !self.make_room(shared, link, node, lane, &packet) {
                        return;
                    }
                    self.levels[link].add(&packet);
                }
                if self.nodes[node].join.is_some() {
                    let (ns, stamp) = (duration_ns(&packet), self.stamp);
                    stats.enter(ns);
                    let packet = Some(packet);
                    self.take_item(
                        shared,
                        node,
                        Item { packet, lane, link: link as u32, stamp, ns },
                    );
                    stats.high_water.raise(self.levels[link].items as u64);
                    return;
                }
                let inbox = &mut self.nodes[node].inbox;
                let (packet, stamp) = (Some(packet), self.stamp);
                inbox.push_back(Item { packet, lane, link: link as u32, stamp, ns: 0 });
                stats.high_water.raise(inbox.len() as u64);
                // Read where it lies now: before the move that would cost a second copy.
                if let Some(item) = inbox.back_mut() {
                    item.ns = item.packet.as_ref().map_or(0, duration_ns);
                    stats.enter(item.ns);
                }
                self.active.insert(node);
            }
        }
    }

    /// Applies a lossy policy on a connection into a node that holds packets. False: the packet is
    /// dropped.
    #[inline(never)]
    pub(super) fn make_room(
        &mut self,
        shared: &Shared,
        link: usize,
        node: usize,
        lane: u16,
        packet: &Packet,
    ) -> bool {
        let policy = self.levels[link].limits.policy;
        let reason = match policy {
            QueuePolicy::Block => return true,
            QueuePolicy::DropNewest if !self.levels[link].has_room() => {
                shared.links[link].enter(duration_ns(packet));
                shared.drop(link, DropReason::DropNewest, packet);
                return false;
            }
            QueuePolicy::DropNewest => return true,
            QueuePolicy::DropOldest => DropReason::DropOldest,
            QueuePolicy::KeepLatest => DropReason::KeepLatest,
        };
        let keep = |level: &Level| match policy {
            QueuePolicy::KeepLatest => level.items == 0,
            _ => level.has_room(),
        };
        while !keep(&self.levels[link]) {
            let slot = &mut self.nodes[node];
            let oldest = match &mut slot.join {
                Some(join) => join.drop_first(usize::from(lane)),
                None => {
                    let of_link = |item: &Item| item.link as usize == link;
                    let oldest = slot.inbox.iter().position(of_link);
                    oldest.and_then(|i| slot.inbox.remove(i))
                }
            };
            let Some(Item { packet: Some(packet), .. }) = oldest else { break };
            self.levels[link].remove(&packet);
            shared.drop(link, reason, &packet);
        }
        true
    }

    /// Tells whatever a node's outputs lead to that nothing more will come.
    pub(super) fn end_outputs(&mut self, shared: &Shared, index: usize) {
        self.nodes[index].discard_changes();
        self.report(shared, index);
        for port in 0..self.routes.ports(index) {
            for nth in 0..self.routes.of(index, port).len() {
                match self.routes.of(index, port)[nth] {
                    Dest::Edge { node, lane, .. } => self.take_end(node, lane),
                    to => self.leaving.push_back(Leaving::End { to }),
                }
            }
        }
        if !self.ended && self.nodes.iter().all(|n| n.stage == Stage::Ended) {
            self.flush(shared);
            // Whoever sees the end sees counters that are final.
            self.publish(shared);
            self.ended = true;
            if shared.ended.fetch_add(1, Ordering::AcqRel) + 1 == shared.segments.len() {
                shared.finished.store(true, Ordering::Release);
                shared.wait.notify();
            }
        }
    }

    /// Puts what has left the nodes into the queues outside; not once it is stale or the pipeline
    /// over, which the next look at its state deals with.
    #[inline]
    pub(super) fn flush(&mut self, shared: &Shared) {
        if !self.leaving.is_empty() {
            self.put_all(shared);
        }
    }

    fn put_all(&mut self, shared: &Shared) {
        let (mut outputs, mut any_output) = (None, false);
        while let Some(leaving) = self.leaving.front() {
            let went = match leaving.to() {
                Dest::Output(output) => {
                    any_output = true;
                    self.put_out(shared, outputs.get_or_insert_with(|| shared.outputs()), output)
                }
                Dest::Border { entry, .. } => {
                    // One lock at a time.
                    outputs = None;
                    self.put_across(shared, entry)
                }
                Dest::Edge { .. } => unreachable!("what stays in the segment does not leave"),
            };
            if !went {
                return;
            }
        }
        drop(outputs);
        if any_output {
            shared.wait.notify_waiting();
        }
    }

    /// Whether the life that a queue's lock shows lets this runner's packets in.
    pub(super) fn may_leave(&self, shared: &Shared) -> Option<State> {
        // Read under the lock: who begins an epoch, closes or cancels goes through the queues
        // afterwards.
        let (state, epochs) = shared.life.get();
        let over = matches!(state, State::Closed | State::Cancelled);
        (epochs == self.epochs && !over).then_some(state)
    }

    /// Puts what leaves first into an output's queue. False: it stays.
    fn put_out(&mut self, shared: &Shared, held: &mut Held<'_, Outputs>, output: usize) -> bool {
        let Some(state) = self.may_leave(shared) else { return false };
        let (Outputs { list, seq }, bin) = held.parts();
        let (packet, stamp) = match take_first(&mut self.leaving) {
            Some(Leaving::Packet { packet, stamp, .. }) => (packet, stamp),
            _ => {
                list[output].ended = true;
                return true;
            }
        };
        let closing = state == State::Closing;
        let link = shared.output_link(output);
        if self.timing {
            let taken = ticks::between(stamp, self.tick);
            shared.latency[output].record(taken);
        }
        let queue = &mut list[output].queue;
        if closing && queue.level.blocks() {
            shared.links[link].enter(duration_ns(&packet));
            shared.drop(link, DropReason::Closed, &packet);
            bin.add(packet);
            return true;
        }
        *seq += 1;
        let (epoch, since, seq) = (self.epochs.now, self.tick, *seq);
        let queued = Queued { packet, epoch, stamp, since, seq };
        if let Some(reason) = queue.push(queued, &shared.links[link], bin) {
            shared.drop_event(link, reason, 1);
        }
        let blocks = !closing && queue.level.blocks();
        shared.blocked[output].store(blocks, Ordering::Relaxed);
        true
    }

    /// Puts what leaves first into the queue before another segment. False: it stays.
    fn put_across(&mut self, shared: &Shared, index: usize) -> bool {
        let mut held = shared.entry_now(index);
        if self.may_leave(shared).is_none() {
            return false;
        }
        let (link, to) = (shared.ways[index].link, shared.ways[index].to);
        let mut dropped = None;
        match take_first(&mut self.leaving) {
            Some(Leaving::Packet { packet, stamp, .. }) => {
                let seq = shared.arrivals.fetch_add(1, Ordering::Relaxed);
                let (epoch, since) = (self.epochs.now, self.tick);
                let queued = Queued { packet, epoch, stamp, since, seq };
                dropped = shared.enqueue(index, &mut held, queued);
            }
            Some(Leaving::Gap { until, .. }) => {
                let new = held.gap.replace(until).is_none();
                shared.segments[to].backlog.fetch_add(usize::from(new), Ordering::AcqRel);
            }
            Some(Leaving::End { .. }) | None => {
                held.ended = true;
                shared.segments[to].backlog.fetch_add(1, Ordering::AcqRel);
            }
        }
        drop(held);
        if let Some(reason) = dropped {
            shared.drop_event(link, reason, 1);
        }
        shared.wake(to);
        true
    }
}
