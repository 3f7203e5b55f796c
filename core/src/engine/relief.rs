//! Starvation (rule S7): a join waits for a lane, and what would come on it is stuck behind another
//! lane of the same join that is full. Then that queue gets more room.
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
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

/// A lane of a join that may be full, and those that the join waits for.
pub(crate) struct Starving {
    full: usize,
    /// Packets that it takes.
    items: usize,
    awaited: Vec<usize>,
}

impl Runner {
    /// Makes known which joins wait while others of their lanes are full.
    pub(super) fn tell_starving(&self, shared: &Shared) {
        let mut starving = Vec::new();
        for (index, slot) in self.nodes.iter().enumerate() {
            let Some(join) = &slot.join else { continue };
            for (lane, &full) in self.feeders[index].iter().enumerate() {
                if !self.may_be_full(shared, full) || join.waits_for().any(|l| l == lane) {
                    continue;
                }
                let awaited: Vec<usize> =
                    join.waits_for().map(|lane| self.feeders[index][lane]).collect();
                if !awaited.is_empty() {
                    let items = self.levels.get(full).map_or(0, |level| level.limits.items);
                    starving.push(Starving { full, items, awaited });
                }
            }
        }
        let has_work = |slot: &&NodeSlot| {
            let holds = slot.join.as_ref().is_some_and(|join| join.iter().next().is_some());
            let source = slot.is_source && slot.stage != Stage::Ended;
            holds || source || !slot.inbox.is_empty() || slot.stage == Stage::Paused
        };
        let stuck = self.nodes.iter().filter(has_work).map(|slot| slot.index).collect();
        let segment = &shared.segments[self.segment];
        *lock(&segment.starving) = starving;
        *lock(&segment.stuck) = stuck;
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
        for segment in 0..self.segments.len() {
            for Starving { full, items, awaited } in &*lock(&self.segments[segment].starving) {
                if self.is_full(*full)
                    && let Some(stuck) =
                        awaited.iter().find(|link| self.hangs_behind(**link, *full))
                {
                    return self.give_room(segment, *full, *items, *stuck);
                }
            }
        }
        false
    }

    fn is_full(&self, link: usize) -> bool {
        let entry = self.ways.iter().position(|way| way.link == link);
        entry.is_none_or(|entry| self.entry(entry).queue.level.blocks())
    }

    /// Whether what would come by one link is stuck because another is full: both hang on a node that
    /// has something to do and does not get to it.
    fn hangs_behind(&self, awaited: usize, full: usize) -> bool {
        let (one, other) = (ancestors(&self.graph, awaited), ancestors(&self.graph, full));
        one.intersection(&other).any(|node| self.is_stuck(*node))
    }

    fn is_stuck(&self, node: usize) -> bool {
        let segment = &self.segments[self.graph.nodes[node].segment];
        let fed = |way: &&Way| match self.graph.edges.get(way.link) {
            Some(edge) => edge.to.node == node,
            None => self.graph.inputs[way.link - self.graph.edges.len()].port.node == node,
        };
        let mut entries = (0..).zip(&self.ways).filter(|(_, way)| fed(way)).map(|(index, _)| index);
        lock(&segment.stuck).contains(&node)
            || entries.any(|index| {
                let entry = self.entry(index);
                !entry.queue.is_empty() || (entry.ended && !entry.end_taken)
            })
    }

    fn give_room(&self, segment: usize, full: usize, items: usize, awaited: usize) -> bool {
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

/// The nodes that what comes by a link has come through.
fn ancestors(graph: &Graph, link: usize) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let mut open: Vec<usize> =
        graph.edges.get(link).map(|edge| edge.from.node).into_iter().collect();
    while let Some(node) = open.pop() {
        if found.insert(node) {
            open.extend(graph.edges.iter().filter(|e| e.to.node == node).map(|e| e.from.node));
        }
    }
    found
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
