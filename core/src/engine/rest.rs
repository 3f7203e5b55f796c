//! How a run leaves its segment: what waits, and what would have to come before it goes on.

use super::clock::Nanos;
use super::item::Item;
use super::runner::Runner;
use super::shared::Shared;
use super::slot::{NodeSlot, Stage};
use crate::graph::Lane;
use std::sync::atomic::Ordering;

impl Runner {
    /// When something in the segment goes on by itself.
    pub(super) fn due(&self, shared: &Shared) -> Option<Nanos> {
        let timed = self.has_deadlines || self.has_patience || !self.sources.is_empty();
        if !timed && self.paused.is_empty() {
            return None;
        }
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
    #[inline]
    pub(super) fn publish(&mut self, shared: &Shared) {
        let holds = self.has_joins || !self.blocked.is_empty() || !self.paused.is_empty();
        let queued = holds || self.any_queued;
        if self.reports || shared.has_joins || queued {
            self.tell_all(shared, queued);
        }
    }

    #[inline(never)]
    fn tell_all(&mut self, shared: &Shared, queued: bool) {
        // Where nothing waits for it, tickets that were given up hold up nothing.
        let held_up = |n: &NodeSlot| n.has_too_many_zombies() && n.inbox.iter().any(Item::is_work);
        let open = |n: &NodeSlot| held_up(n) || n.waiting.iter().any(|w| w.outcome.is_none());
        let waits = self.has_tickets.then(|| self.nodes.iter().find(|n| open(n))).flatten();
        let in_flight = waits.map(|n| n.index);
        let due = self.due(shared);
        let rest = &shared.segments[self.segment].rest;
        if self.reports || due.is_some() {
            let position = self.sources.iter().map(|&n| self.nodes[n].bound.nanos()).min();
            rest.set(in_flight, due, position);
            // Once more, to take back that something is due.
            self.reports = self.has_tickets || !self.sources.is_empty() || due.is_some();
        }
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
            self.tell_standing(shared);
        }
        if !queued {
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
