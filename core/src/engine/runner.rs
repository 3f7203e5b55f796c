//! The runner: works packets through the nodes of a segment, on the thread that holds its turn.
//!
//! It takes a packet from an entry only if every exit that the packet can lead to has room
//! (rule S2), and works it to the end: node after node in topological order. Exits are the
//! pipeline's outputs, the connections to other segments and those into nodes that open tickets;
//! nothing waits anywhere else.

use super::clock::Nanos;
use super::event::{Event, ParamsOutcome};
use super::held::Held;
use super::life::{Epochs, State};
use super::mail::Mail;
use super::queue::{Level, Queued, duration_ns};
use super::routes::{Dest, NodeSet, exits};
use super::shared::{Outputs, Shared};
use super::slot::{Desk, Item, NodeSlot, Pace, Stage, Step, Waiting};
use super::stats::{DropReason, NodeStats};
use super::ticks::{self, Ticks};
use super::workers;
use crate::error::Result;
use crate::graph::{Graph, Lane, QueuePolicy, Timing};
use crate::node::{AnyNode, Emission, Mailbox, TicketDesk, TicketId};
use crate::packet::{MediaTime, Packet};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A turn takes at most this many packets that others left, so that no caller works for all.
const FAIR_SHARE: usize = 64;

/// How far a run goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Drive {
    /// Works off what was pushed; sources rest.
    Pushed,
    /// Drives sources too, until that output (`None`: any) has a packet.
    Until(Option<usize>),
    /// Drives sources too, until everything is blocked or done.
    All,
    /// Takes note of what was asked for, and runs no packets.
    Control,
    /// On a worker: as `All`, but no longer than until that time and for so many packets as one
    /// turn may take.
    Worker {
        /// In ticks.
        until: Ticks,
        /// So many.
        packets: usize,
    },
}

/// Something on its way to a queue outside the segment: `to` is an output or a border.
pub(super) enum Leaving {
    Packet {
        to: Dest,
        packet: Packet,
        stamp: Ticks,
    },
    /// Nothing before that time will come.
    Gap {
        to: Dest,
        until: MediaTime,
    },
    End {
        to: Dest,
    },
}

/// The part of a segment that only the holder of its turn touches. Nodes go by their place in it.
pub(crate) struct Runner {
    /// Which segment it is.
    pub(super) segment: usize,
    lane: Lane,
    pub(super) nodes: Vec<NodeSlot>,
    /// Per node, per lane: the link that it comes by.
    pub(super) feeders: Vec<Vec<usize>>,
    /// Whether some nodes join.
    has_joins: bool,
    /// Whether some join waits only for a time.
    pub(super) has_patience: bool,
    /// Per node of the graph: its place here.
    pub(super) places: Vec<usize>,
    /// Per node, per output port.
    pub(super) routes: Vec<Vec<Vec<Dest>>>,
    /// Per node: the exits that its emissions can lead to.
    pub(super) exits: Vec<Vec<Dest>>,
    /// Per edge that is an exit: how full it is. Links of other edges have a level, too, unused.
    pub(super) levels: Vec<Level>,
    /// Nodes with something in their inbox that may be able to go on.
    pub(super) active: NodeSet,
    /// Nodes that returned `More`.
    pub(super) paused: NodeSet,
    /// Nodes whose inbox waits for a ticket or for room.
    pub(super) blocked: NodeSet,
    pub(super) sources: Vec<usize>,
    /// What leads into the segment.
    pub(super) entries: Vec<Way>,
    pub(super) collector: Vec<Emission>,
    pub(super) opened: Vec<TicketId>,
    /// A result that is complete waits in a node for room.
    pub(super) held_back: bool,
    /// Something was done since `take_worked` was called.
    pub(super) worked: bool,
    pub(super) leaving: VecDeque<Leaving>,
    pub(super) tickets: TicketDesk,
    pub(super) epochs: Epochs,
    /// Whether interrupts hit some of its nodes and others not.
    pub(super) parted: bool,
    /// Whether some of its nodes open tickets, and whether some of these have to be in time.
    has_tickets: bool,
    has_deadlines: bool,
    /// Whether all nodes have ended, and that is known.
    pub(super) ended: bool,
    /// The node that is being called, for the report of a panic.
    pub(super) current: usize,
    /// When what is being worked on was pushed.
    pub(super) stamp: Ticks,
    /// When the clock was last read; zero: not in this run.
    pub(super) tick: Ticks,
    pub(super) timing: bool,
    /// The time of the current call is booked already.
    pub(super) booked: bool,
    pub(super) timed: Timing,
    pub(super) runs: u32,
    /// Scratch of `publish`, per connection.
    pub(super) counts: Vec<u64>,
    /// Whether `publish` has said that something waits.
    any_queued: bool,
}

/// An entry of the segment, and the node and lane that it leads to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way {
    pub(super) entry: usize,
    pub(super) node: usize,
    pub(super) lane: u16,
    /// Packets that its queue takes.
    items: usize,
}

impl Runner {
    /// The runner of a segment, with the graph's nodes that are in it, in their order.
    pub(crate) fn new(
        graph: &Graph,
        segment: usize,
        nodes: Vec<Box<dyn AnyNode>>,
        mailbox: Arc<dyn Mailbox>,
    ) -> Self {
        let here = |n: usize| graph.nodes[n].segment == segment;
        let mut places = vec![usize::MAX; graph.nodes.len()];
        let mut slots = Vec::with_capacity(nodes.len());
        for (index, node) in (0..graph.nodes.len()).filter(|&n| here(n)).zip(nodes) {
            places[index] = slots.len();
            slots.push(NodeSlot::new(index, &graph.nodes[index], node));
        }
        let outputs = |slot: &NodeSlot| graph.nodes[slot.index].ports.outputs.len();
        let mut routes: Vec<Vec<Vec<Dest>>> =
            slots.iter().map(|slot| vec![Vec::new(); outputs(slot)]).collect();
        let lanes = graph.lanes();
        let mut entries = Vec::new();
        for (entry, endpoint) in graph.inputs.iter().enumerate() {
            if here(endpoint.port.node) {
                let node = places[endpoint.port.node];
                let (lane, items) = (lanes.of_input(entry), endpoint.queue.items);
                entries.push(Way { entry, node, lane, items });
            }
        }
        let mut border = 0;
        for (link, edge) in graph.edges.iter().enumerate() {
            let (from, node) = (places[edge.from.node], places[edge.to.node]);
            let (lane, entry) = (lanes.of_edge(link), graph.inputs.len() + border);
            let dest = match graph.is_border(edge) {
                true => {
                    border += 1;
                    Dest::Border { entry, exit: graph.outputs.len() + border - 1 }
                }
                false => Dest::Edge { link, node, lane },
            };
            if here(edge.from.node) {
                routes[from][edge.from.port].push(dest);
            }
            if here(edge.to.node) && graph.is_border(edge) {
                entries.push(Way { entry, node, lane, items: edge.queue.items });
            }
        }
        for (output, endpoint) in graph.outputs.iter().enumerate() {
            if here(endpoint.port.node) {
                let from = places[endpoint.port.node];
                routes[from][endpoint.port.port].push(Dest::Output(output));
            }
        }
        let mut feeders = Vec::new();
        for slot in &mut slots {
            let (ports, links) = lanes.of_node(slot.index);
            ports.iter().for_each(|port| slot.links_in[usize::from(*port)] += 1);
            slot.set_lanes(ports, graph.nodes[slot.index].ports.join);
            feeders.push(links);
        }
        for slot in &mut slots {
            slot.open.copy_from_slice(&slot.links_in);
        }
        let exits = exits(&slots, &routes);
        let sources = (0..slots.len()).filter(|&n| slots[n].is_source).collect();
        let hits = |hit: bool| slots.iter().any(|slot| slot.hit == hit);
        Self {
            segment,
            lane: graph.segments[segment],
            feeders,
            has_joins: slots.iter().any(|slot| slot.join.is_some()),
            has_patience: slots.iter().any(|slot| slot.max_wait.is_some()),
            places,
            routes,
            exits,
            levels: graph.edges.iter().map(|e| Level::new(e.queue)).collect(),
            active: NodeSet::new(slots.len()),
            paused: NodeSet::new(slots.len()),
            blocked: NodeSet::new(slots.len()),
            sources,
            entries,
            collector: Vec::new(),
            opened: Vec::new(),
            held_back: false,
            worked: false,
            leaving: VecDeque::new(),
            tickets: TicketDesk { mailbox, next: std::cell::Cell::new(TicketId::FIRST) },
            epochs: Epochs::default(),
            parted: hits(true) && hits(false),
            has_tickets: slots.iter().any(|slot| slot.max_in_flight > 0),
            has_deadlines: slots.iter().any(|s| s.max_in_flight > 0 && s.deadline.is_some()),
            ended: false,
            current: 0,
            stamp: 0,
            tick: 0,
            timing: true,
            booked: false,
            timed: graph.timing,
            runs: 0,
            counts: vec![0; graph.edges.len()],
            any_queued: false,
            nodes: slots,
        }
    }

    /// Puts the counters of its nodes into a list for the graph's nodes.
    pub(crate) fn tell_stats(&self, of: &mut [Arc<NodeStats>]) {
        for slot in &self.nodes {
            of[slot.index] = slot.stats.clone();
        }
    }

    /// Whether something was done since the last call, so that whoever waits should look again.
    pub(crate) fn take_worked(&mut self) -> bool {
        std::mem::take(&mut self.worked)
    }

    /// Id of the node that is being called.
    pub(crate) fn current_id(&self) -> Arc<str> {
        self.nodes[self.current].id.clone()
    }

    /// Works until `drive` is satisfied or nothing can go on. True: the time of this turn is over,
    /// and there may be more.
    pub(crate) fn run(&mut self, shared: &Shared, drive: Drive) -> Result<bool> {
        let mut taken = 0;
        self.runs = self.runs.wrapping_add(1);
        self.timing = match self.timed {
            Timing::All => true,
            Timing::Sampled => self.runs.is_multiple_of(16),
            Timing::None => false,
        };
        if self.tick == 0 && self.timing {
            self.tick = ticks::now();
        }
        let mail = &*shared.segments[self.segment].mail;
        self.active.append(&mut self.blocked);
        if self.has_joins {
            self.take_room(shared);
        }
        if self.has_patience {
            self.lose_patience(shared);
        }
        let more = loop {
            let (state, epochs) = shared.life.get();
            if state.is_terminal() {
                self.clear(shared, state);
                break false;
            }
            if epochs != self.epochs {
                self.come(shared, epochs);
            }
            if mail.is_pending() {
                self.collect_mail(mail);
                self.commit(shared)?;
            } else if self.held_back {
                self.commit(shared)?;
            }
            if shared.live.is_pending(self.segment) {
                self.take_changes(shared);
            }
            if self.has_deadlines {
                self.give_up_late(shared)?;
            }
            if drive == Drive::Control {
                break false;
            }
            if let Some(node) = self.active.pop_first() {
                self.run_node(shared, node)?;
                continue;
            }
            self.flush(shared);
            if let Drive::Worker { until, packets } = drive {
                if taken >= packets || (taken > 0 && ticks::is_after(ticks::now(), until)) {
                    break true;
                }
                if taken > 0 && workers::owes_help() {
                    shared.scheduler.help(self.lane);
                }
                taken += 1;
            }
            if self.resume_paused(shared)? {
                continue;
            }
            let fair = drive != Drive::Pushed || taken < FAIR_SHARE;
            if fair && self.take_entry(shared) {
                taken += usize::from(drive == Drive::Pushed);
                continue;
            }
            if self.has_joins && self.unblock(shared) {
                continue;
            }
            let satisfied = match drive {
                Drive::Pushed | Drive::Control => true,
                Drive::Until(which) => shared.has_output(which),
                Drive::All => false,
                Drive::Worker { .. } => !shared.started.load(Ordering::Acquire),
            };
            if satisfied || !self.drive_source(shared)? {
                break false;
            }
        };
        self.publish(shared);
        self.tick = 0;
        Ok(more)
    }

    /// Runs one node until its inbox is empty or it can't go on.
    fn run_node(&mut self, shared: &Shared, index: usize) -> Result<()> {
        use Stage::{Draining, Paused, Retrying};
        if matches!(self.nodes[index].stage, Paused | Draining | Retrying { .. }) {
            // It comes back from `resume_paused` with its inbox.
            return Ok(());
        }
        self.current = index;
        self.work(shared, index)?;
        if !std::mem::take(&mut self.booked) {
            self.time(index);
        }
        Ok(())
    }

    /// Books the time since the clock was last read on a node: one reading per node.
    #[inline]
    fn time(&mut self, index: usize) {
        if self.timing {
            let now = ticks::now();
            self.nodes[index].stats.time(now.wrapping_sub(self.tick));
            self.tick = now;
        }
    }

    fn work(&mut self, shared: &Shared, index: usize) -> Result<()> {
        loop {
            let slot = &self.nodes[index];
            if slot.inbox.is_empty() && (slot.join.is_none() || !self.release(shared, index)) {
                break;
            }
            let slot = &self.nodes[index];
            let Some(item) = slot.inbox.front() else { break };
            if item.packet.is_some() {
                self.stamp = item.stamp;
            }
            let in_flight = slot.is_full() && item.is_work();
            if slot.waits && (item.is_work() || slot.join.is_some()) {
                let no_room = !self.has_room(shared, index);
                if no_room || in_flight {
                    self.nodes[index].no_room = no_room;
                    self.blocked.insert(index);
                    return Ok(());
                }
            }
            let (slot, mut desk) = self.desk(shared, index);
            let step = slot.step(&mut desk)?;
            self.worked |= !matches!(step, Step::Blocked);
            self.report(shared, index);
            self.booked = false;
            if matches!(step, Step::Done) {
                self.express(shared, index)?;
            } else {
                self.dispatch(shared, index);
            }
            match step {
                Step::Done => {}
                Step::Waits => self.held_back |= self.nodes[index].may_commit(),
                Step::More => {
                    self.paused.insert(index);
                    return Ok(());
                }
                Step::Blocked => {
                    self.blocked.insert(index);
                    return Ok(());
                }
                Step::Ended => self.end_outputs(shared, index),
            }
        }
        Ok(())
    }

    /// Carries a single packet that a node has emitted straight through the nodes behind it, as far
    /// as each has one follower that is ready: what chains consist of. Whatever is not as simple as
    /// that goes the general way, by `dispatch`.
    fn express(&mut self, shared: &Shared, mut index: usize) -> Result<()> {
        while let [Emission { port, packet }] = self.collector.as_slice() {
            let Some(&[Dest::Edge { link, node, lane: to }]) =
                self.routes[index].get(*port).map(Vec::as_slice)
            else {
                break;
            };
            if self.nodes[index].tells
                || !self.nodes[node].is_open_to(packet, to)
                || self.wants_attention(shared)
            {
                break;
            }
            let slot = &mut self.nodes[node];
            let (ns, stats) = (duration_ns(packet), &shared.links[link]);
            stats.enter(ns);
            stats.take(ns);
            stats.high_water.raise(1);
            slot.reach(packet);
            self.nodes[index].stats.emitted.add(1);
            self.time(index);
            self.booked = true;
            let Some(Emission { packet, .. }) = self.collector.pop() else { break };
            (index, self.current) = (node, node);
            let (slot, mut desk) = self.desk(shared, node);
            if let Step::More = slot.pass(&mut desk, to, packet)? {
                self.paused.insert(node);
                break;
            }
        }
        self.dispatch(shared, index);
        if self.booked {
            self.time(index);
        }
        Ok(())
    }

    /// Whether something has come that has to be seen before the next packet.
    #[inline]
    fn wants_attention(&self, shared: &Shared) -> bool {
        let (state, epochs) = shared.life.get();
        let segment = &shared.segments[self.segment];
        state.is_terminal()
            || epochs != self.epochs
            || segment.mail.is_pending()
            || shared.live.is_pending(self.segment)
    }

    fn desk<'a>(&'a mut self, shared: &'a Shared, index: usize) -> (&'a mut NodeSlot, Desk<'a>) {
        let desk = Desk {
            out: &mut self.collector,
            opened: &mut self.opened,
            pool: &shared.pool,
            tickets: &self.tickets,
            links: &shared.links,
            levels: &mut self.levels,
            clock: &shared.scheduler.clock,
        };
        (&mut self.nodes[index], desk)
    }

    /// Makes events of what a node's slot has noted.
    #[inline]
    pub(super) fn report(&mut self, shared: &Shared, index: usize) {
        let slot = &mut self.nodes[index];
        if !slot.acks.is_empty() {
            for (seq, outcome) in slot.acks.drain(..) {
                let applied = matches!(outcome, ParamsOutcome::Applied(_));
                shared.live.settle(slot.index, seq, applied);
                shared.event(Event::Params { seq, node: slot.id.clone(), outcome });
            }
        }
        if std::mem::take(&mut slot.news) {
            slot.tell(shared);
        }
    }

    /// Gives what a node has emitted to whatever its ports are connected to.
    #[inline]
    fn dispatch(&mut self, shared: &Shared, index: usize) {
        if !self.collector.is_empty() {
            self.give_out(shared, index);
        }
        if self.nodes[index].tells {
            self.tell_bounds(shared, index);
        }
    }

    fn give_out(&mut self, shared: &Shared, index: usize) {
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
            match self.routes[index].get(port).map(Vec::as_slice) {
                None | Some([]) => self.nodes[index].stats.unconnected.add(1),
                Some(&[dest]) => self.send(shared, dest, packet),
                Some(dests) => {
                    for nth in 0..dests.len() - 1 {
                        let dest = self.routes[index][port][nth];
                        self.send(shared, dest, packet.clone());
                    }
                    let last = self.routes[index][port][self.routes[index][port].len() - 1];
                    self.send(shared, last, packet);
                }
            }
        }
        self.collector = collector;
    }

    #[inline]
    fn send(&mut self, shared: &Shared, dest: Dest, packet: Packet) {
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
    fn make_room(
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
    fn end_outputs(&mut self, shared: &Shared, index: usize) {
        self.nodes[index].discard_changes();
        self.report(shared, index);
        for port in 0..self.routes[index].len() {
            for nth in 0..self.routes[index][port].len() {
                match self.routes[index][port][nth] {
                    Dest::Edge { node, lane, .. } => self.take_end(node, lane),
                    to => self.leaving.push_back(Leaving::End { to }),
                }
            }
        }
        if !self.ended && self.nodes.iter().all(|n| n.stage == Stage::Ended) {
            self.flush(shared);
            self.ended = true;
            if shared.ended.fetch_add(1, Ordering::AcqRel) + 1 == shared.segments.len() {
                shared.finished.store(true, Ordering::Release);
                shared.wait.notify();
            }
        }
    }

    /// Whether every exit that the node's emissions can lead to takes more.
    #[inline]
    fn has_room(&self, shared: &Shared, index: usize) -> bool {
        self.exits[index].iter().all(|exit| match *exit {
            Dest::Output(exit) | Dest::Border { exit, .. } => {
                !shared.blocked[exit].load(Ordering::Relaxed)
            }
            Dest::Edge { link, node, lane } => {
                !self.levels[link].blocks() || self.awaits(node, usize::from(lane))
            }
        })
    }

    /// Whether the exit behind an entry (its own node, if packets wait for it) takes more.
    fn can_enter(&self, shared: &Shared, way: Way) -> bool {
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

    /// Resumes the last node that returned `More` and has room. Later nodes come first, so that
    /// what they hold is out before more comes.
    fn resume_paused(&mut self, shared: &Shared) -> Result<bool> {
        if self.paused.is_empty() {
            return Ok(false);
        }
        let mut from = self.nodes.len();
        while let Some(index) = self.paused.last_below(from) {
            let early = self.nodes[index].wait.is_some_and(|at| at > shared.scheduler.clock.now());
            if early || !self.has_room(shared, index) {
                from = index;
                continue;
            }
            self.resume(shared, index)?;
            return Ok(true);
        }
        Ok(false)
    }

    fn resume(&mut self, shared: &Shared, index: usize) -> Result<()> {
        (self.current, self.worked) = (index, true);
        if self.nodes[index].is_source {
            self.stamp = self.tick;
        }
        let (slot, mut desk) = self.desk(shared, index);
        let step = slot.resume(&mut desk)?;
        self.report(shared, index);
        self.time(index);
        self.dispatch(shared, index);
        match step {
            Step::Ended => self.end_outputs(shared, index),
            Step::Done | Step::Waits => {
                self.held_back |= self.nodes[index].may_commit();
                self.paused.remove(index);
                self.active.insert(index);
            }
            _ => {}
        }
        Ok(())
    }

    /// Lets nodes go on that waited for room which a join behind them has made meanwhile.
    fn unblock(&mut self, shared: &Shared) -> bool {
        let (mut any, mut from) = (false, self.nodes.len());
        while let Some(index) = self.blocked.last_below(from) {
            from = index;
            if self.nodes[index].no_room && self.has_room(shared, index) {
                self.nodes[index].no_room = false;
                self.blocked.remove(index);
                self.active.insert(index);
                any = true;
            }
        }
        any
    }

    /// Calls the source that lies furthest behind, if there is one that has room.
    fn drive_source(&mut self, shared: &Shared) -> Result<bool> {
        if shared.stopping.load(Ordering::Acquire) {
            return Ok(self.end_sources(shared));
        }
        let now = || shared.scheduler.clock.now();
        let ready = |&n: &usize| {
            self.nodes[n].stage != Stage::Ended
                && self.has_room(shared, n)
                && self.nodes[n].source_due().is_none_or(|at| at <= now())
        };
        let next = self.sources.iter().copied().filter(ready).min_by_key(|&n| self.nodes[n].bound);
        match next {
            Some(index) => self.resume(shared, index).map(|()| true),
            None => Ok(false),
        }
    }

    /// Ends the sources before they are done. Says whether there were any.
    fn end_sources(&mut self, shared: &Shared) -> bool {
        let mut any = false;
        for nth in 0..self.sources.len() {
            let index = self.sources[nth];
            if self.nodes[index].stage != Stage::Ended {
                self.nodes[index].stage = Stage::Ended;
                self.end_outputs(shared, index);
                any = true;
            }
        }
        any
    }

    /// Whether a packet of that entry, in these epochs, could be worked on now.
    pub(crate) fn can_take(&self, shared: &Shared, entry: usize, epochs: Epochs) -> bool {
        self.epochs == epochs && self.way(entry).is_some_and(|way| self.can_enter(shared, way))
    }

    #[inline]
    fn way(&self, entry: usize) -> Option<Way> {
        self.entries.iter().copied().find(|way| way.entry == entry)
    }

    /// Takes a packet that comes straight from a push; see `can_take`.
    pub(crate) fn take(&mut self, shared: &Shared, entry: usize, packet: Packet, stamp: Ticks) {
        let Some(way) = self.way(entry) else { return };
        self.enter(shared, way, packet, stamp);
        self.tick = stamp;
    }

    /// Gives a node a packet that an entry has counted.
    #[inline]
    fn enter(&mut self, shared: &Shared, way: Way, packet: Packet, stamp: Ticks) {
        let Way { node, lane, .. } = way;
        let slot = &mut self.nodes[node];
        slot.stats.taken.add(1);
        // What is pushed into an input as audio goes on at its end, or later; times are rounded.
        let end = packet.as_audio().and(packet.end()).filter(|_| slot.join.is_some());
        let end = end.map(|end| end - MediaTime::from_nanos(1));
        self.take_item(shared, node, Item::counted(packet, lane, stamp));
        if let Some(end) = end {
            self.take_gap(node, lane, end);
        }
    }

    /// Takes the packet (or end) that came first among those that have room ahead.
    fn take_entry(&mut self, shared: &Shared) -> bool {
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
                let Queued { packet, stamp, .. } = queued;
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

    /// Puts what has left the nodes into the queues outside; not once it is stale or the pipeline
    /// over, which the next look at its state deals with.
    #[inline]
    pub(super) fn flush(&mut self, shared: &Shared) {
        if self.leaving.is_empty() {
            return;
        }
        let mut outputs = None;
        let mut any_output = false;
        while let Some(leaving) = self.leaving.pop_front() {
            let (Leaving::Packet { to, .. } | Leaving::Gap { to, .. } | Leaving::End { to }) =
                &leaving;
            let unsent = match *to {
                Dest::Output(output) => {
                    any_output = true;
                    let held = outputs.get_or_insert_with(|| shared.outputs());
                    self.put_out(shared, held, output, leaving)
                }
                Dest::Border { entry, .. } => {
                    // One lock at a time.
                    outputs = None;
                    self.put_across(shared, entry, leaving)
                }
                Dest::Edge { .. } => None,
            };
            if let Some(leaving) = unsent {
                self.leaving.push_front(leaving);
                return;
            }
        }
        drop(outputs);
        if any_output {
            shared.wait.notify_waiting();
        }
    }

    /// Whether the life that a queue's lock shows lets this runner's packets in.
    fn may_leave(&self, shared: &Shared) -> Option<State> {
        // Read under the lock: who begins an epoch, closes or cancels goes through the queues
        // afterwards.
        let (state, epochs) = shared.life.get();
        let over = matches!(state, State::Closed | State::Cancelled);
        (epochs == self.epochs && !over).then_some(state)
    }

    fn put_out(
        &mut self,
        shared: &Shared,
        held: &mut Held<'_, Outputs>,
        output: usize,
        leaving: Leaving,
    ) -> Option<Leaving> {
        let Some(state) = self.may_leave(shared) else { return Some(leaving) };
        let closing = state == State::Closing;
        let (Outputs { list, seq }, bin) = held.parts();
        let Leaving::Packet { packet, stamp, .. } = leaving else {
            list[output].ended = true;
            return None;
        };
        let link = shared.output_link(output);
        if self.timing {
            let taken = self.tick.wrapping_sub(stamp);
            shared.latency[output].get_or_init(Box::default).record(taken);
        }
        let queue = &mut list[output].queue;
        if closing && queue.level.blocks() {
            shared.links[link].enter(duration_ns(&packet));
            shared.drop(link, DropReason::Closed, &packet);
            bin.add(packet);
            return None;
        }
        *seq += 1;
        let queued = Queued { packet, epoch: self.epochs.now, stamp, seq: *seq };
        if let Some(reason) = queue.push(queued, &shared.links[link], bin) {
            shared.drop_event(link, reason, 1);
        }
        let blocks = !closing && queue.level.blocks();
        shared.blocked[output].store(blocks, Ordering::Relaxed);
        None
    }

    fn put_across(&mut self, shared: &Shared, index: usize, leaving: Leaving) -> Option<Leaving> {
        let mut held = shared.entry_now(index);
        if self.may_leave(shared).is_none() {
            return Some(leaving);
        }
        let (link, to) = (shared.ways[index].link, shared.ways[index].to);
        let mut dropped = None;
        match leaving {
            Leaving::Packet { packet, stamp, .. } => {
                let seq = shared.arrivals.fetch_add(1, Ordering::Relaxed);
                let queued = Queued { packet, epoch: self.epochs.now, stamp, seq };
                dropped = shared.enqueue(index, &mut held, queued);
            }
            Leaving::Gap { until, .. } => {
                let new = held.gap.replace(until).is_none();
                shared.segments[to].backlog.fetch_add(usize::from(new), Ordering::AcqRel);
            }
            Leaving::End { .. } => {
                held.ended = true;
                shared.segments[to].backlog.fetch_add(1, Ordering::AcqRel);
            }
        }
        drop(held);
        if let Some(reason) = dropped {
            shared.drop_event(link, reason, 1);
        }
        shared.wake(to);
        None
    }

    /// Notes the results that tickets have brought.
    fn collect_mail(&mut self, mail: &Mail) {
        self.worked = true;
        for (ticket, outcome) in mail.take() {
            let waiting = self.nodes.iter_mut().flat_map(|n| n.waiting.iter_mut());
            // A ticket of an older epoch has no place any more.
            if let Some(waiting) = { waiting }.find(|w| w.ticket == Some(ticket)) {
                waiting.outcome = Some(outcome);
            } else {
                self.nodes.iter_mut().for_each(|n| n.zombies.retain(|zombie| *zombie != ticket));
            }
        }
    }

    /// Commits what is complete at the head of each ticket node's line, in the order of the
    /// inputs, while there is room.
    fn commit(&mut self, shared: &Shared) -> Result<()> {
        self.held_back = false;
        for index in 0..self.nodes.len() {
            while self.nodes[index].may_commit() {
                if !self.has_room(shared, index) {
                    self.held_back = true;
                    break;
                }
                let Some(Waiting { ticket, outcome, early, stamp, tail, reached, weight, .. }) =
                    self.nodes[index].waiting.pop_front()
                else {
                    break;
                };
                (self.current, self.worked) = (index, true);
                if !tail {
                    self.stamp = stamp;
                }
                self.collector.extend(early);
                match outcome {
                    Some(Ok(emissions)) => self.collector.extend(emissions),
                    Some(Err(error)) => {
                        self.collector.clear();
                        let (slot, mut desk) = self.desk(shared, index);
                        if let Step::More =
                            slot.ticket_failed(&mut desk, error, stamp, tail, weight)?
                        {
                            self.paused.insert(index);
                        }
                        self.report(shared, index);
                        self.dispatch(shared, index);
                        self.active.insert(index);
                        continue;
                    }
                    None => {}
                }
                if ticket.is_some() && self.nodes[index].guarded {
                    self.nodes[index].ticket_done();
                    self.report(shared, index);
                }
                if ticket.is_some() && !tail {
                    self.nodes[index].stats.done.add(weight);
                }
                self.nodes[index].committed = reached.or(self.nodes[index].committed);
                if self.nodes[index].any_broken {
                    let mut emissions = std::mem::take(&mut self.collector);
                    self.nodes[index].mark(&mut emissions);
                    self.collector = emissions;
                }
                self.dispatch(shared, index);
                self.flush(shared);
                self.active.insert(index);
            }
        }
        Ok(())
    }

    /// Gives up the tickets whose time is over.
    fn give_up_late(&mut self, shared: &Shared) -> Result<()> {
        let now = shared.scheduler.clock.now();
        let late: usize = self.nodes.iter_mut().map(|slot| slot.give_up_late(now)).sum();
        if late > 0 { self.commit(shared) } else { Ok(()) }
    }

    fn take_changes(&mut self, shared: &Shared) {
        self.worked = true;
        for (node, change) in shared.live.take(self.segment) {
            let index = self.places[node];
            self.current = index;
            self.nodes[index].change(change);
            self.report(shared, index);
        }
    }

    /// When something in the segment goes on by itself.
    fn due(&self, shared: &Shared) -> Option<Nanos> {
        let mut due: Option<Nanos> = None;
        // What has no room goes on when somebody makes it.
        let mut note = |at: Option<Nanos>, index| {
            if at.is_some() && self.has_room(shared, index) {
                due = due.into_iter().chain(at).min();
            }
        };
        let mut from = self.nodes.len();
        while let Some(index) = self.paused.last_below(from) {
            note(self.nodes[index].wait, index);
            from = index;
        }
        for &index in self.sources.iter().filter(|&&n| self.nodes[n].stage != Stage::Ended) {
            note(self.nodes[index].source_due(), index);
        }
        if self.has_deadlines {
            let open = self.nodes.iter().flat_map(|n| &n.waiting).filter(|w| w.outcome.is_none());
            due = due.into_iter().chain(open.filter_map(|w| w.until)).min();
        }
        due.into_iter().chain(self.patience()).min()
    }

    /// Makes known how the run has left the segment: what waits on each connection, counted in the
    /// inboxes themselves, and what would have to come before it goes on.
    pub(super) fn publish(&mut self, shared: &Shared) {
        let open = |n: &NodeSlot| {
            n.has_too_many_zombies() || n.waiting.iter().any(|w| w.outcome.is_none())
        };
        let waits = self.has_tickets.then(|| self.nodes.iter().find(|n| open(n))).flatten();
        let in_flight = waits.map(|n| n.index);
        let position = self.sources.iter().map(|&n| self.nodes[n].bound.nanos()).min();
        let due = self.due(shared);
        let rest = &shared.segments[self.segment].rest;
        rest.set(in_flight, due, position);
        if self.has_tickets {
            let late = |n: &NodeSlot| n.deadline.is_some() && !n.has_too_many_zombies();
            rest.set_timeless(self.nodes.iter().any(|n| open(n) && !late(n)));
        }
        if let Some(due) = due
            && (self.lane != Lane::Caller || shared.watched.load(Ordering::SeqCst))
        {
            shared.arm(self.segment, due);
        }
        if shared.has_joins {
            self.tell_starving(shared);
        }
        let holds = self.has_joins || !self.blocked.is_empty() || !self.paused.is_empty();
        if !holds && !self.any_queued {
            return;
        }
        self.counts.fill(0);
        for slot in &self.nodes {
            let sets = slot.set.iter().flatten();
            let joining = slot.join.iter().flat_map(|join| join.iter());
            for item in slot.inbox.iter().chain(sets).chain(joining) {
                if item.has_link() {
                    self.counts[item.link as usize] += 1;
                }
            }
        }
        for (link, edge) in shared.graph.edges.iter().enumerate() {
            if self.places[edge.to.node] != usize::MAX {
                shared.queued[link].store(self.counts[link], Ordering::Relaxed);
            }
        }
        self.any_queued = self.counts.iter().any(|&n| n > 0);
    }
}
