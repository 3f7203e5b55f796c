//! Starvation (rule S7): a join waits for a lane, and what would come on it is stuck behind a lane of a
//! join that is full, its own or another that waits for it in turn. Then that queue gets more room.
//!
//! It is looked at when everything rests: nothing runs, no ticket is open, no timer set. So it is
//! also the watchdog for deadlocks, and costs nothing while things go on.

use super::event::Event;
use super::queue::Level;
use super::runner::Runner;
use super::shared::{Shared, Way, lock};
use super::slot::{NodeSlot, Stage};
use crate::error::{Error, detail};
use crate::graph::Graph;
use std::sync::atomic::Ordering;

/// How the nodes of a segment stand while it rests, where there are joins. Nodes and links are those
/// of the graph.
#[derive(Default)]
pub(crate) struct Standing {
    /// Nodes that have something to do and did not get to it; not the joins that wait for more.
    stuck: Vec<usize>,
    /// Joins that hold packets, and the links that they wait for.
    awaited: Vec<(usize, usize)>,
    /// Joins, and those of their links that may be full while they wait for others.
    full: Vec<Full>,
}

#[derive(Clone, Copy)]
struct Full {
    join: usize,
    link: usize,
    /// Packets that its queue takes.
    items: usize,
}

impl Runner {
    /// Makes known which joins wait, and what has something to do.
    pub(super) fn tell_standing(&self, shared: &Shared) {
        let mut standing = lock(&shared.segments[self.segment].standing);
        let Standing { stuck, awaited, full } = &mut *standing;
        stuck.clear();
        awaited.clear();
        full.clear();
        for (place, slot) in self.nodes.iter().enumerate() {
            let holds = slot.join.as_ref().is_some_and(|join| join.iter().next().is_some());
            let source = slot.is_source && slot.stage != Stage::Ended;
            if source || !slot.inbox.is_empty() || slot.stage == Stage::Paused {
                stuck.push(slot.index);
            }
            if holds {
                self.tell_lanes(shared, slot, place, awaited, full);
            }
        }
    }

    fn tell_lanes(
        &self,
        shared: &Shared,
        slot: &NodeSlot,
        place: usize,
        awaited: &mut Vec<(usize, usize)>,
        full: &mut Vec<Full>,
    ) {
        let (join, Some(lanes)) = (slot.index, &slot.join) else { return };
        for (lane, &link) in self.feeders[place].iter().enumerate() {
            if lanes.waits_for().any(|l| l == lane) {
                awaited.push((join, link));
            } else if self.may_be_full(shared, link) {
                let items = self.levels.get(link).map_or(0, |level| level.limits.items);
                full.push(Full { join, link, items });
            }
        }
    }

    /// Whether the queue of a connection holds back what leads to it. Inputs of the pipeline hold
    /// back nobody but who pushes.
    fn may_be_full(&self, shared: &Shared, link: usize) -> bool {
        match shared.ways.iter().find(|way| way.link == link) {
            Some(way) => shared.blocked.get(way.exit).is_some_and(|b| b.load(Ordering::Relaxed)),
            None => self.levels.get(link).is_some_and(Level::blocks),
        }
    }

    /// Takes the room that has been given to its queues.
    pub(super) fn take_room(&mut self, shared: &Shared) {
        let room = &shared.segments[self.segment].room;
        if room.any() {
            for link in room.take() {
                self.levels[link].grow();
            }
        }
    }
}

impl Shared {
    /// Gives more room to a queue that starves a join. Call it when everything rests. True: something
    /// goes on.
    pub(super) fn relieve(&self) -> bool {
        if !self.has_joins {
            return false;
        }
        let mut full = Vec::new();
        for segment in &self.segments {
            full.extend(lock(&segment.standing).full.iter().filter(|f| self.is_full(f.link)));
        }
        let starves = |f: &Full| Some((*f, Search::new(self, &full, f.join).run()?));
        let Some((found, awaited)) = full.iter().find_map(starves) else { return false };
        self.give_room(found, awaited)
    }

    fn is_full(&self, link: usize) -> bool {
        let entry = self.ways.iter().position(|way| way.link == link);
        entry.is_none_or(|entry| self.entry(entry).queue.level.blocks())
    }

    fn is_stuck(&self, node: usize) -> bool {
        let segment = &self.segments[self.graph.nodes[node].segment];
        let fed = |way: &&Way| match self.graph.edges.get(way.link) {
            Some(edge) => edge.to.node == node,
            None => self.graph.inputs[way.link - self.graph.edges.len()].port.node == node,
        };
        let mut entries = (0..).zip(&self.ways).filter(|(_, way)| fed(way)).map(|(index, _)| index);
        lock(&segment.standing).stuck.contains(&node)
            || entries.any(|index| {
                let entry = self.entry(index);
                !entry.queue.is_empty() || (entry.ended && !entry.end_taken)
            })
    }

    fn give_room(&self, Full { join, link: full, items }: Full, awaited: usize) -> bool {
        let segment = self.graph.nodes[join].segment;
        if self.pool.live_bytes() > self.memory_limit {
            let (full, awaited) = (self.link_name(full), self.link_name(awaited));
            let limit = self.memory_limit;
            let message = format!(
                "'{full}' is full and keeps back what the join waits for on '{awaited}', and packets \
                 hold more than the engine's memory limit of {limit} bytes"
            );
            self.fail(
                Error::new(detail::FLOW_STARVED, message)
                    .with_hint("raise the memory limit, or shorten what holds back the one branch"),
            );
            return true;
        }
        let items = match self.ways.iter().position(|way| way.link == full) {
            Some(index) => {
                let mut entry = self.entry(index);
                entry.queue.level.grow();
                self.freed(index, &entry);
                entry.queue.level.limits.items
            }
            None => {
                self.segments[segment].room.leave(full);
                items.saturating_mul(2)
            }
        };
        self.event(Event::QueueGrown { link: self.link_name(full).into(), items });
        self.wake(segment);
        self.tell();
        true
    }
}

/// A search for a join that waits for itself: from what it waits for, over whoever would have to do
/// something before that comes, back to the join.
struct Search<'a> {
    shared: &'a Shared,
    full: &'a [Full],
    join: usize,
    seen: Vec<bool>,
}

impl<'a> Search<'a> {
    fn new(shared: &'a Shared, full: &'a [Full], join: usize) -> Self {
        Self { shared, full, join, seen: vec![false; shared.graph.nodes.len()] }
    }

    /// Gives the link that the join waits for in vain.
    fn run(mut self) -> Option<usize> {
        self.awaited(self.join).into_iter().find(|&link| self.waits_for_join(link))
    }

    fn awaited(&self, join: usize) -> Vec<usize> {
        let standing = lock(&self.shared.segments[self.shared.graph.nodes[join].segment].standing);
        standing.awaited.iter().filter(|(node, _)| *node == join).map(|(_, link)| *link).collect()
    }

    /// Whether nothing comes by a link before the join goes on. By an input of the pipeline it may.
    fn waits_for_join(&mut self, link: usize) -> bool {
        let Some(edge) = self.shared.graph.edges.get(link) else { return false };
        let mut open = vec![edge.from.node];
        while let Some(node) = open.pop() {
            if node == self.join {
                return true;
            }
            if std::mem::replace(&mut self.seen[node], true) {
                continue;
            }
            let graph = &self.shared.graph;
            let (awaited, stuck) = (self.awaited(node), self.shared.is_stuck(node));
            if stuck {
                let behind = |full: &&Full| leads_to(graph, node, full.link);
                open.extend(self.full.iter().filter(behind).map(|full| full.join));
            }
            if awaited.is_empty() && !stuck {
                let before = graph.edges.iter().filter(|edge| edge.to.node == node);
                open.extend(before.map(|edge| edge.from.node));
            }
            open.extend(awaited.iter().filter_map(|l| Some(graph.edges.get(*l)?.from.node)));
        }
        false
    }
}

/// Whether what a node gives can come by a link.
fn leads_to(graph: &Graph, node: usize, link: usize) -> bool {
    let mut seen = vec![false; graph.nodes.len()];
    let mut open: Vec<usize> =
        graph.edges.get(link).map(|edge| edge.from.node).into_iter().collect();
    while let Some(next) = open.pop() {
        if !std::mem::replace(&mut seen[next], true) {
            open.extend(graph.edges.iter().filter(|e| e.to.node == next).map(|e| e.from.node));
        }
    }
    seen[node]
}

impl Level {
    /// Doubles the limits.
    fn grow(&mut self) {
        let limits = &mut self.limits;
        limits.items = limits.items.saturating_mul(2);
        limits.bytes = limits.bytes.saturating_mul(2);
        limits.time = limits.time + limits.time;
    }
}
