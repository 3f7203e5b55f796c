//! How a runner lets go: of everything before a new epoch, and at the end of its life.

use super::event::{Event, ParamsOutcome};
use super::item::Item;
use super::life::{Epochs, State};
use super::routes::Dest;
use super::runner::{Leaving, Runner};
use super::shared::Shared;
use super::stats::DropReason;
use std::sync::atomic::Ordering;

impl Runner {
    /// Comes into new epochs: forgets what they forget, everywhere or where interrupts hit.
    #[cold]
    pub(super) fn come(&mut self, shared: &Shared, epochs: Epochs) {
        self.worked = true;
        let (before, reset) = (self.epochs, epochs.reset_since(self.epochs));
        for way in &self.entries {
            drop(shared.entry_now(way.entry));
        }
        let mut lost = self.drop_inside(shared, DropReason::forgotten(epochs), reset);
        let rewinding = &shared.segments[self.segment].rewinding;
        let rewind = reset && rewinding.swap(false, Ordering::AcqRel);
        let current = self.current;
        for index in 0..self.nodes.len() {
            let slot = &mut self.nodes[index];
            if !(reset || slot.hit) {
                continue;
            }
            self.current = index;
            let held = slot.held();
            lost += held;
            slot.stats.failed.add(held);
            if rewind {
                slot.rewind()
            } else {
                slot.reset()
            }
            self.paused.remove(index);
            if !slot.inbox.is_empty() || slot.join.is_some() {
                // An end that waited behind what is forgotten now.
                self.active.insert(index);
            }
            self.report(shared, index);
        }
        self.current = current;
        self.ended &= !rewind;
        self.epochs = epochs;
        shared.settle(before.now, epochs.now, lost);
    }

    /// Lets go of everything, once the pipeline is over.
    #[cold]
    pub(super) fn clear(&mut self, shared: &Shared, state: State) {
        let reason = match state {
            State::Cancelled => DropReason::Cancelled,
            State::Closed => DropReason::Closed,
            _ => {
                // What was emitted before the failure is still pulled.
                self.flush(shared);
                DropReason::Failed
            }
        };
        self.held_back = false;
        self.collector.clear();
        self.opened.clear();
        self.drop_inside(shared, reason, true);
        self.paused.clear();
        for index in 0..self.nodes.len() {
            self.nodes[index].let_go();
            self.nodes[index].discard_changes();
            self.report(shared, index);
        }
        if shared.live.is_pending(self.segment) {
            for (index, change) in shared.live.take(self.segment) {
                if change.again {
                    continue;
                }
                let slot = &self.nodes[self.places[index]];
                let (node, outcome) = (slot.id.clone(), ParamsOutcome::Discarded);
                shared.event(Event::Params { seq: change.seq, node, outcome });
            }
        }
        for way in &self.entries {
            let link = shared.ways[way.entry].link;
            let mut held = shared.entry(way.entry);
            let (entry, bin) = held.parts();
            let dropped = entry.queue.clear(reason, &shared.links[link], bin);
            let gap = usize::from(entry.gap.take().is_some());
            drop(held);
            let backlog = &shared.segments[self.segment].backlog;
            backlog.fetch_sub(dropped as usize + gap, Ordering::AcqRel);
            if dropped > 0 {
                shared.drop_event(link, reason, dropped);
            }
        }
    }

    /// Drops what waits for nodes and what was about to leave: all of it, or what interrupts hit.
    /// Says how many packets were lost in nodes. Ends stay.
    fn drop_inside(&mut self, shared: &Shared, reason: DropReason, all: bool) -> u64 {
        let mut lost = 0;
        for leaving in std::mem::take(&mut self.leaving) {
            let (to, packet) = match leaving {
                Leaving::Packet { to, packet, .. } if all || shared.hits(to) => (to, packet),
                stays => {
                    self.leaving.push_back(stays);
                    continue;
                }
            };
            // A link has one writer of its counters at a time: who holds the lock of its queue.
            match to {
                Dest::Output(output) => {
                    let mut held = shared.outputs();
                    shared.lose_new(shared.output_link(output), reason, &packet);
                    held.parts().1.add(packet);
                }
                Dest::Border { entry, .. } => {
                    let mut held = shared.entry(entry);
                    shared.lose_new(shared.ways[entry].link, reason, &packet);
                    held.parts().1.add(packet);
                }
                Dest::Edge { .. } => {}
            }
        }
        for slot in &mut self.nodes {
            if !(all || slot.hit) {
                continue;
            }
            let holds = slot.waits;
            let mut lose = |item: &Item| {
                let Some(packet) = &item.packet else { return };
                if item.has_link() {
                    let link = item.link as usize;
                    if holds {
                        self.levels[link].remove(packet);
                    }
                    shared.lose(link, reason, item.ns);
                } else if item.is_counted() {
                    // Its link counts it as taken, so it is the node that lost it.
                    slot.stats.failed.add(1);
                    lost += 1;
                }
            };
            slot.inbox.retain(|item| {
                lose(item);
                item.is_end()
            });
            slot.set.drain(..).flatten().for_each(|item| lose(&item));
            if let Some(join) = &mut slot.join {
                join.clear(|_, item| lose(&item));
            }
        }
        lost
    }
}
