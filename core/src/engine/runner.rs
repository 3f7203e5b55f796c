//! The runner: works packets through the nodes of a segment, on the thread that holds its turn.
//!
//! It takes a packet from an entry only if every exit that the packet can lead to has room
//! (rule S2), and works it to the end: node after node in topological order. Exits are the
//! pipeline's outputs, the connections to other segments and those into nodes that open tickets;
//! nothing waits anywhere else.

use super::event::{Event, ParamsOutcome};
use super::life::Epochs;
use super::queue::{Level, duration_ns};
use super::routes::{Dest, Exits, Inside, NodeSet, Routes};
use super::shared::Shared;
use super::slot::{Desk, NodeSlot, Stage, Step};
use super::stats::NodeStats;
use super::ticks::{self, Ticks};
use super::workers;
use crate::error::Result;
use crate::graph::{Lane, Timing};
use crate::node::{Emission, Opened, TicketDesk};
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

impl Leaving {
    #[inline]
    pub(super) fn to(&self) -> Dest {
        let (Self::Packet { to, .. } | Self::Gap { to, .. } | Self::End { to }) = self;
        *to
    }
}

/// The part of a segment that only the holder of its turn touches. Nodes go by their place in it. What
/// every packet needs comes first, so that it lies in few lines of the cache.
#[repr(C)]
pub(crate) struct Runner {
    pub(super) epochs: Epochs,
    /// When the clock was last read; zero: not in this run.
    pub(super) tick: Ticks,
    /// When what is being worked on was pushed.
    pub(super) stamp: Ticks,
    /// Came straight from a push, and where it leads to.
    pub(super) coming: Option<(Way, Packet)>,
    pub(super) nodes: Box<[NodeSlot]>,
    /// What leads into the segment.
    pub(super) entries: Box<[Way]>,
    /// Which segment it is.
    pub(super) segment: usize,
    /// The node that is being called, for the report of a panic.
    pub(super) current: usize,
    pub(super) runs: u32,
    pub(super) lane: Lane,
    pub(super) timed: Timing,
    pub(super) timing: bool,
    /// The time of the current call is booked already.
    pub(super) booked: bool,
    /// Something was done since `take_worked` was called.
    pub(super) worked: bool,
    /// A result that is complete waits in a node for room.
    pub(super) held_back: bool,
    /// Whether interrupts hit some of its nodes and others not.
    pub(super) parted: bool,
    /// Whether some nodes join.
    pub(super) has_joins: bool,
    /// Whether some join waits only for a time.
    pub(super) has_patience: bool,
    /// Whether some of its nodes open tickets, and whether some of these have to be in time.
    pub(super) has_tickets: bool,
    pub(super) has_deadlines: bool,
    /// Whether all nodes have ended, and that is known.
    pub(super) ended: bool,
    /// Whether there is anything to tell about how a run leaves the segment.
    pub(super) reports: bool,
    /// Whether `publish` has said that something waits.
    pub(super) any_queued: bool,
    /// Nodes with something in their inbox that may be able to go on.
    pub(super) active: NodeSet,
    /// Nodes that returned `More`.
    pub(super) paused: NodeSet,
    /// Nodes whose inbox waits for a ticket or for room.
    pub(super) blocked: NodeSet,
    pub(super) collector: Vec<Emission>,
    pub(super) leaving: VecDeque<Leaving>,
    pub(super) opened: Vec<Opened>,
    pub(super) routes: Routes,
    pub(super) exits: Exits,
    /// Per edge that is an exit: how full it is. Links of other edges have a level, too, unused.
    pub(super) levels: Box<[Level]>,
    pub(super) tickets: TicketDesk,
    pub(super) sources: Vec<usize>,
    // From here on: what few packets need.
    /// Per node, per lane: the link that it comes by.
    pub(super) feeders: Vec<Vec<usize>>,
    /// Per node of the graph: its place here.
    pub(super) places: Vec<usize>,
    /// Scratch of `publish`, per connection.
    pub(super) counts: Vec<u64>,
}

/// An entry of the segment, and the node and lane that it leads to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way {
    pub(super) entry: usize,
    pub(super) node: usize,
    pub(super) lane: u16,
    /// Packets that its queue takes.
    pub(super) items: usize,
}

impl Runner {
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
        if !self.blocked.is_empty() {
            self.active.append(&mut self.blocked);
        }
        if self.has_joins {
            self.take_room(shared);
        }
        if self.has_patience {
            self.lose_patience(shared);
        }
        self.take_coming(shared)?;
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
            if !self.blocked.is_empty() && self.unblock(shared) {
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
        self.note_footprint(shared);
        self.tick = 0;
        Ok(more)
    }

    /// Runs one node until its inbox is empty or it can't go on.
    pub(super) fn run_node(&mut self, shared: &Shared, index: usize) -> Result<()> {
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
    pub(super) fn time(&mut self, index: usize) {
        if self.timing {
            let now = ticks::now();
            self.nodes[index].stats.time(now.wrapping_sub(self.tick));
            self.tick = now;
        }
    }

    pub(super) fn work(&mut self, shared: &Shared, index: usize) -> Result<()> {
        loop {
            let slot = &self.nodes[index];
            let Some(item) = slot.inbox.front() else {
                if slot.join.is_some() && self.release(shared, index) {
                    continue;
                }
                break;
            };
            if item.packet.is_some() {
                self.stamp = item.stamp;
            }
            if slot.waits && (item.is_work() || slot.join.is_some()) {
                let no_room = !self.has_room(shared, index);
                if no_room || (slot.is_full() && item.is_work()) {
                    if let Some(warning) = self.nodes[index].warn_of_zombies() {
                        shared.event(warning);
                    }
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
    /// as each has one follower that is ready, and out of the segment: what chains consist of.
    /// Whatever is not as simple as that goes the general way, by `dispatch`.
    pub(super) fn express(&mut self, shared: &Shared, mut index: usize) -> Result<()> {
        while let [Emission { port, packet }] = self.collector.as_slice() {
            let &[dest] = self.routes.of(index, *port) else { break };
            let Dest::Edge { link, node, lane: to } = dest else {
                if self.parted {
                    break;
                }
                let Some(Emission { packet, .. }) = self.collector.pop() else { break };
                self.nodes[index].stats.emitted.add(1);
                self.send(shared, dest, packet);
                break;
            };
            if self.nodes[index].tells
                || !self.nodes[node].is_open_to(packet, to)
                || self.wants_attention(shared)
            {
                break;
            }
            let (ns, stats) = (duration_ns(packet), &shared.links[link]);
            stats.enter(ns);
            stats.take(ns);
            stats.high_water.raise(1);
            self.nodes[index].stats.emitted.add(1);
            self.time(index);
            self.booked = true;
            let Some(Emission { packet, .. }) = self.collector.pop() else { break };
            index = node;
            if !self.pass(shared, node, to, packet)? {
                break;
            }
        }
        self.dispatch(shared, index);
        if self.booked {
            self.time(index);
        }
        Ok(())
    }

    /// Calls a node with a packet that it is open to. False: it has more to come, and is paused.
    #[inline]
    pub(super) fn pass(
        &mut self,
        shared: &Shared,
        node: usize,
        lane: u16,
        packet: Packet,
    ) -> Result<bool> {
        self.current = node;
        let (slot, mut desk) = self.desk(shared, node);
        slot.reach(&packet);
        let done = !matches!(slot.pass(&mut desk, lane, packet)?, Step::More);
        if !done {
            self.paused.insert(node);
        }
        Ok(done)
    }

    /// Whether something has come that has to be seen before the next packet.
    #[inline]
    pub(super) fn wants_attention(&self, shared: &Shared) -> bool {
        let (state, epochs) = shared.life.get();
        let segment = &shared.segments[self.segment];
        state.is_terminal()
            || epochs != self.epochs
            || segment.mail.is_pending()
            || shared.live.is_pending(self.segment)
    }

    pub(super) fn desk<'a>(
        &'a mut self,
        shared: &'a Shared,
        index: usize,
    ) -> (&'a mut NodeSlot, Desk<'a>) {
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

    /// Whether every exit that the node's emissions can lead to takes more.
    #[inline]
    pub(super) fn has_room(&self, shared: &Shared, index: usize) -> bool {
        let inside = self.exits.inside(index);
        let open = |&exit: &usize| !shared.blocked[exit].load(Ordering::Relaxed);
        self.exits.outside(index).iter().all(open)
            && (inside.is_empty() || self.has_room_inside(inside))
    }

    #[inline(never)]
    fn has_room_inside(&self, inside: &[Inside]) -> bool {
        inside.iter().all(|&Inside { link, node, lane }| {
            !self.levels[link].blocks() || self.awaits(node, usize::from(lane))
        })
    }

    /// Resumes the last node that returned `More` and has room. Later nodes come first, so that
    /// what they hold is out before more comes.
    pub(super) fn resume_paused(&mut self, shared: &Shared) -> Result<bool> {
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

    pub(super) fn resume(&mut self, shared: &Shared, index: usize) -> Result<()> {
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

    /// Lets nodes go on that waited for room which those behind them have made meanwhile.
    #[inline(never)]
    pub(super) fn unblock(&mut self, shared: &Shared) -> bool {
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
    pub(super) fn drive_source(&mut self, shared: &Shared) -> Result<bool> {
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
    pub(super) fn end_sources(&mut self, shared: &Shared) -> bool {
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
}
