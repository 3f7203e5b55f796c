//! The runner: works packets through the nodes, on the thread that holds the turn.
//!
//! It takes a packet from an input only if every exit that the packet can lead to has room
//! (rule S2), and works it to the end: node after node in topological order. Exits are the
//! pipeline's outputs and the connections into nodes that open tickets; nothing waits anywhere
//! else.

use super::answer::{PortSet, Reason};
use super::clock::{self, Ticks};
use super::event::{Event, ParamsOutcome};
use super::life::{Epoch, State};
use super::queue::{Level, Queued, duration_ns};
use super::routes::{Dest, NodeSet, exits};
use super::shared::Shared;
use super::slot::{Desk, Item, NO_LINK, NodeSlot, Stage, Step, Waiting};
use super::stats::{DropReason, NodeStats};
use crate::error::Result;
use crate::graph::{Graph, QueuePolicy, Timing};
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
}

/// Something on its way to an output queue.
pub(super) enum Leaving {
    Packet { output: usize, packet: Packet, stamp: Ticks },
    End { output: usize },
}

/// The part of a pipeline that only the holder of the turn touches.
pub(crate) struct Runner {
    pub(super) nodes: Vec<NodeSlot>,
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
    /// Per pipeline input: the node and port behind it.
    pub(super) inputs: Vec<(usize, u16)>,
    pub(super) collector: Vec<Emission>,
    pub(super) opened: Vec<TicketId>,
    /// A result that is complete waits in a node for room.
    pub(super) held_back: bool,
    /// Something was done since `take_worked` was called.
    pub(super) worked: bool,
    pub(super) leaving: VecDeque<Leaving>,
    pub(super) tickets: TicketDesk,
    pub(super) epoch: Epoch,
    pub(super) seq: u64,
    /// The node that is being called, for the report of a panic.
    pub(crate) current: usize,
    /// When what is being worked on was pushed.
    pub(super) stamp: Ticks,
    /// When the clock was last read; zero: not in this run.
    pub(super) tick: Ticks,
    pub(super) timing: bool,
    /// The time of the current call is booked already.
    pub(super) booked: bool,
    pub(super) timed: Timing,
    pub(super) runs: u32,
    /// Scratch of `publish`.
    pub(super) counts: Vec<u64>,
}

impl Runner {
    pub(crate) fn new(
        graph: &Graph,
        nodes: Vec<Box<dyn AnyNode>>,
        mailbox: Arc<dyn Mailbox>,
    ) -> Self {
        let mut slots: Vec<NodeSlot> =
            graph.nodes.iter().zip(nodes).map(|(spec, node)| NodeSlot::new(spec, node)).collect();
        let mut routes: Vec<Vec<Vec<Dest>>> =
            graph.nodes.iter().map(|n| vec![Vec::new(); n.ports.outputs.len()]).collect();
        for (link, edge) in graph.edges.iter().enumerate() {
            let dest = Dest::Edge { link, node: edge.to.node, port: edge.to.port as u16 };
            routes[edge.from.node][edge.from.port].push(dest);
            slots[edge.to.node].links_in[edge.to.port] += 1;
        }
        for (output, endpoint) in graph.outputs.iter().enumerate() {
            routes[endpoint.port.node][endpoint.port.port].push(Dest::Output(output));
        }
        for endpoint in &graph.inputs {
            slots[endpoint.port.node].links_in[endpoint.port.port] += 1;
        }
        for slot in &mut slots {
            slot.open.copy_from_slice(&slot.links_in);
        }
        let exits = exits(&slots, &routes);
        let sources = (0..slots.len()).filter(|&n| slots[n].is_source).collect();
        Self {
            routes,
            exits,
            levels: graph.edges.iter().map(|e| Level::new(e.queue)).collect(),
            active: NodeSet::new(slots.len()),
            paused: NodeSet::new(slots.len()),
            blocked: NodeSet::new(slots.len()),
            sources,
            inputs: graph.inputs.iter().map(|i| (i.port.node, i.port.port as u16)).collect(),
            collector: Vec::new(),
            opened: Vec::new(),
            held_back: false,
            worked: false,
            leaving: VecDeque::new(),
            tickets: TicketDesk { mailbox, next: std::cell::Cell::new(TicketId::FIRST) },
            epoch: 0,
            seq: 0,
            current: 0,
            stamp: 0,
            tick: 0,
            timing: true,
            booked: false,
            timed: graph.timing,
            runs: 0,
            counts: vec![0; graph.edges.len()],
            nodes: slots,
        }
    }

    pub(crate) fn node_stats(&self) -> Vec<Arc<NodeStats>> {
        self.nodes.iter().map(|n| n.stats.clone()).collect()
    }

    /// Whether something was done since the last call, so that whoever waits should look again.
    pub(crate) fn take_worked(&mut self) -> bool {
        std::mem::take(&mut self.worked)
    }

    /// Works until `drive` is satisfied or nothing can go on.
    pub(crate) fn run(&mut self, shared: &Shared, drive: Drive) -> Result<()> {
        let mut taken = 0;
        self.runs = self.runs.wrapping_add(1);
        self.timing = match self.timed {
            Timing::All => true,
            Timing::Sampled => self.runs.is_multiple_of(16),
            Timing::None => false,
        };
        if self.tick == 0 && self.timing {
            self.tick = clock::now();
        }
        self.active.append(&mut self.blocked);
        loop {
            let (state, epoch) = shared.life.get();
            if state.is_terminal() {
                self.clear(shared, state);
                self.tick = 0;
                return Ok(());
            }
            if epoch != self.epoch {
                self.reset(shared, epoch);
            }
            if shared.mail.is_pending() {
                self.collect_mail(shared);
                self.commit(shared)?;
            } else if self.held_back {
                self.commit(shared)?;
            }
            if shared.live.is_pending() {
                self.take_changes(shared);
            }
            if let Some(node) = self.active.pop_first() {
                self.run_node(shared, node)?;
                continue;
            }
            self.flush(shared);
            if self.resume_paused(shared)? {
                continue;
            }
            if taken < FAIR_SHARE && self.take_input(shared) {
                taken += usize::from(drive == Drive::Pushed);
                continue;
            }
            let satisfied = match drive {
                Drive::Pushed => true,
                Drive::Until(which) => shared.has_output(which),
                Drive::All => false,
            };
            if satisfied || !self.drive_source(shared)? {
                break;
            }
        }
        self.publish(shared);
        self.tick = 0;
        Ok(())
    }

    /// Runs one node until its inbox is empty or it can't go on.
    fn run_node(&mut self, shared: &Shared, index: usize) -> Result<()> {
        if matches!(self.nodes[index].stage, Stage::Paused | Stage::Draining) {
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
            let now = clock::now();
            self.nodes[index].stats.time(now.wrapping_sub(self.tick));
            self.tick = now;
        }
    }

    fn work(&mut self, shared: &Shared, index: usize) -> Result<()> {
        while let Some(item) = self.nodes[index].inbox.front() {
            if item.packet.is_some() {
                self.stamp = item.stamp;
                let slot = &self.nodes[index];
                if slot.max_in_flight > 0
                    && (slot.waiting.len() >= slot.max_in_flight || !self.has_room(shared, index))
                {
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
                Step::Done | Step::Waits => {}
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
            let Some(&[Dest::Edge { link, node, port: to }]) =
                self.routes[index].get(*port).map(Vec::as_slice)
            else {
                break;
            };
            let slot = &mut self.nodes[node];
            if !slot.is_open_to(packet, usize::from(to)) || shared.wants_attention(self.epoch) {
                break;
            }
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
            if let Step::More = slot.pass(&mut desk, usize::from(to), packet)? {
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

    fn desk<'a>(&'a mut self, shared: &'a Shared, index: usize) -> (&'a mut NodeSlot, Desk<'a>) {
        let desk = Desk {
            out: &mut self.collector,
            opened: &mut self.opened,
            pool: &shared.pool,
            tickets: &self.tickets,
            links: &shared.links,
            levels: &mut self.levels,
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
                shared.live.settle(index, seq, applied);
                shared.event(Event::Params { seq, node: slot.id.clone(), outcome });
            }
        }
        if let Some((from, to)) = slot.format_change.take() {
            shared.event(Event::FormatChanged { node: slot.id.clone(), from, to });
        }
    }

    /// Gives what a node has emitted to whatever its ports are connected to.
    #[inline]
    fn dispatch(&mut self, shared: &Shared, index: usize) {
        if self.collector.is_empty() {
            return;
        }
        let mut collector = std::mem::take(&mut self.collector);
        self.nodes[index].stats.emitted.add(collector.len() as u64);
        for Emission { port, packet } in collector.drain(..) {
            if self.nodes[index].is_source
                && let Some(end) = packet.end()
            {
                let slot = &mut self.nodes[index];
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
            Dest::Output(output) => {
                let stamp = self.stamp;
                self.leaving.push_back(Leaving::Packet { output, packet, stamp });
            }
            Dest::Edge { link, node, port } => {
                let stats = &shared.links[link];
                if self.nodes[node].max_in_flight > 0 {
                    if !self.make_room(shared, link, node, &packet) {
                        return;
                    }
                    self.levels[link].add(&packet);
                }
                let inbox = &mut self.nodes[node].inbox;
                let (packet, stamp) = (Some(packet), self.stamp);
                inbox.push_back(Item { packet, port, link: link as u32, stamp, ns: 0 });
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

    /// Applies a lossy policy on a connection into a ticket node. False: the packet is dropped.
    fn make_room(&mut self, shared: &Shared, link: usize, node: usize, packet: &Packet) -> bool {
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
            let inbox = &mut self.nodes[node].inbox;
            let of_link = |item: &Item| item.link as usize == link;
            let oldest = inbox.iter().position(of_link);
            let Some(Item { packet: Some(packet), .. }) = oldest.and_then(|i| inbox.remove(i))
            else {
                break;
            };
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
                    Dest::Edge { node, port, .. } => {
                        self.nodes[node].inbox.push_back(Item::end(port));
                        self.active.insert(node);
                    }
                    Dest::Output(output) => self.leaving.push_back(Leaving::End { output }),
                }
            }
        }
        if self.nodes.iter().all(|n| n.stage == Stage::Ended) {
            self.flush(shared);
            shared.finished.store(true, Ordering::Release);
            shared.wait.notify();
        }
    }

    /// Whether every exit that the node's emissions can lead to takes more.
    #[inline]
    fn has_room(&self, shared: &Shared, index: usize) -> bool {
        self.exits[index].iter().all(|exit| match *exit {
            Dest::Output(output) => !shared.blocked[output].load(Ordering::Relaxed),
            Dest::Edge { link, .. } => !self.levels[link].blocks(),
        })
    }

    /// Whether the exit behind a node (itself, if it opens tickets) takes more.
    fn can_enter(&self, shared: &Shared, index: usize) -> bool {
        let slot = &self.nodes[index];
        if slot.max_in_flight > 0 { slot.inbox.is_empty() } else { self.has_room(shared, index) }
    }

    /// Resumes the last node that returned `More` and has room. Later nodes come first, so that
    /// what they hold is out before more comes.
    fn resume_paused(&mut self, shared: &Shared) -> Result<bool> {
        if self.paused.is_empty() {
            return Ok(false);
        }
        let mut from = self.nodes.len();
        while let Some(index) = self.paused.last_below(from) {
            if !self.has_room(shared, index) {
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
        self.time(index);
        self.dispatch(shared, index);
        match step {
            Step::Ended => self.end_outputs(shared, index),
            Step::Done => {
                self.paused.remove(index);
                self.active.insert(index);
            }
            _ => {}
        }
        Ok(())
    }

    /// Calls the source that lies furthest behind, if there is one that has room.
    fn drive_source(&mut self, shared: &Shared) -> Result<bool> {
        if shared.stopping.load(Ordering::Acquire) {
            return Ok(self.end_sources(shared));
        }
        let ready = |&n: &usize| self.nodes[n].stage != Stage::Ended && self.has_room(shared, n);
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

    /// Whether a packet of that input and epoch could be worked on now.
    pub(crate) fn can_take(&self, shared: &Shared, input: usize, epoch: Epoch) -> bool {
        self.epoch == epoch && self.can_enter(shared, self.inputs[input].0)
    }

    /// Takes a packet that comes straight from a push.
    pub(crate) fn take(&mut self, input: usize, packet: Packet, stamp: Ticks) {
        let (node, port) = self.inputs[input];
        self.nodes[node].stats.taken.add(1);
        self.nodes[node].inbox.push_back(Item::counted(packet, port, stamp));
        self.active.insert(node);
        self.tick = stamp;
    }

    /// Takes the packet (or end) that came first among those that have room ahead.
    fn take_input(&mut self, shared: &Shared) -> bool {
        if shared.backlog.load(Ordering::Acquire) == 0 {
            return false;
        }
        let mut next: Option<(u64, usize)> = None;
        for (index, &(node, _)) in self.inputs.iter().enumerate() {
            let input = shared.input_now(index);
            let seq = match input.queue.front() {
                Some(queued) if queued.epoch == self.epoch && self.can_enter(shared, node) => {
                    queued.seq
                }
                None if input.ended && !input.end_taken => 0,
                _ => continue,
            };
            if next.is_none_or(|(first, _)| seq < first) {
                next = Some((seq, index));
            }
        }
        let Some((_, index)) = next else { return false };
        let (node, port) = self.inputs[index];
        let mut input = shared.input_now(index);
        if input.epoch != self.epoch {
            // A reset came in between; the run that it asks for takes what is new.
            return false;
        }
        match input.queue.pop(&shared.links[shared.input_link(index)]) {
            Some(queued) => {
                let Queued { packet, stamp, .. } = queued;
                let item = Item::counted(packet, port, stamp);
                self.nodes[node].stats.taken.add(1);
                self.nodes[node].inbox.push_back(item);
            }
            None => {
                input.end_taken = true;
                self.nodes[node].inbox.push_back(Item::end(port));
            }
        }
        drop(input);
        shared.backlog.fetch_sub(1, Ordering::AcqRel);
        self.active.insert(node);
        self.worked = true;
        true
    }

    /// Puts what has left the nodes into the output queues; not once it is stale or the pipeline
    /// over, which the next look at its state deals with.
    #[inline]
    pub(super) fn flush(&mut self, shared: &Shared) {
        if self.leaving.is_empty() {
            return;
        }
        let mut held = shared.outputs();
        let (outputs, bin) = held.parts();
        // Read under the lock: who resets, closes or cancels goes through the outputs afterwards.
        let (state, epoch) = shared.life.get();
        if epoch != self.epoch || matches!(state, State::Closed | State::Cancelled) {
            return;
        }
        let closing = state == State::Closing;
        for leaving in self.leaving.drain(..) {
            match leaving {
                Leaving::Packet { output, packet, stamp } => {
                    let link = shared.output_link(output);
                    if self.timing {
                        let taken = self.tick.wrapping_sub(stamp);
                        shared.latency[output].get_or_init(Box::default).record(taken);
                    }
                    let queue = &mut outputs[output].queue;
                    if closing && queue.level.blocks() {
                        shared.links[link].enter(duration_ns(&packet));
                        shared.drop(link, DropReason::Closed, &packet);
                        bin.add(packet);
                        continue;
                    }
                    self.seq += 1;
                    let queued = Queued { packet, epoch: self.epoch, stamp, seq: self.seq };
                    if let Some(reason) = queue.push(queued, &shared.links[link], bin) {
                        shared.drop_event(link, reason, 1);
                    }
                    let blocks = !closing && queue.level.blocks();
                    shared.blocked[output].store(blocks, Ordering::Relaxed);
                }
                Leaving::End { output } => outputs[output].ended = true,
            }
        }
        drop(held);
        shared.wait.notify_waiting();
    }

    /// Notes the results that tickets have brought.
    fn collect_mail(&mut self, shared: &Shared) {
        self.worked = true;
        for (ticket, outcome) in shared.mail.take() {
            let waiting = self.nodes.iter_mut().flat_map(|n| n.waiting.iter_mut());
            // A ticket of an older epoch has no place any more.
            if let Some(waiting) = { waiting }.find(|w| w.ticket == Some(ticket)) {
                waiting.outcome = Some(outcome);
            }
        }
    }

    /// Commits what is complete at the head of each ticket node's line, in the order of the
    /// inputs, while there is room.
    fn commit(&mut self, shared: &Shared) -> Result<()> {
        self.held_back = false;
        for index in 0..self.nodes.len() {
            while self.nodes[index].waiting.front().is_some_and(|w| w.outcome.is_some()) {
                if !self.has_room(shared, index) {
                    self.held_back = true;
                    break;
                }
                let Some(Waiting { ticket, outcome, early, stamp, tail }) =
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
                        self.nodes[index].stats.failed.add(u64::from(!tail));
                        return Err(error.in_node(&*self.nodes[index].id));
                    }
                    None => {}
                }
                if ticket.is_some() && !tail {
                    self.nodes[index].stats.done.add(1);
                }
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

    fn take_changes(&mut self, shared: &Shared) {
        self.worked = true;
        for (index, change) in shared.live.take() {
            self.current = index;
            self.nodes[index].change(change);
            self.report(shared, index);
        }
    }

    /// Makes known how much waits on each connection, counted in the inboxes themselves.
    pub(super) fn publish(&mut self, shared: &Shared) {
        if self.blocked.is_empty()
            && self.paused.is_empty()
            && !shared.any_queued.load(Ordering::Relaxed)
        {
            return;
        }
        self.counts.fill(0);
        for slot in &self.nodes {
            for item in &slot.inbox {
                if item.link != NO_LINK {
                    self.counts[item.link as usize] += 1;
                }
            }
        }
        for (gauge, count) in shared.queued.iter().zip(&self.counts) {
            gauge.store(*count, Ordering::Relaxed);
        }
        let any = self.counts.iter().any(|&n| n > 0);
        shared.any_queued.store(any, Ordering::Relaxed);
    }

    /// Why nothing goes on.
    pub(crate) fn reason(&self, shared: &Shared, wanted: Option<usize>) -> Reason {
        let open = |n: &NodeSlot| n.waiting.iter().any(|w| w.outcome.is_none());
        if let Some(index) = self.nodes.iter().position(open) {
            return Reason::InFlight(index);
        }
        let full = (0..shared.blocked.len())
            .find(|&o| Some(o) != wanted && shared.blocked[o].load(Ordering::Relaxed));
        if let Some(output) = full {
            return Reason::Full(output);
        }
        let mut open = PortSet::default();
        for index in 0..self.inputs.len() {
            if !shared.input(index).ended {
                open.insert(index);
            }
        }
        Reason::Need(open)
    }

    /// Time that the sources have reached, for progress.
    pub(crate) fn position(&self) -> Option<MediaTime> {
        self.sources.iter().map(|&n| self.nodes[n].bound).min()
    }
}
