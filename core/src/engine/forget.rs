//! How a runner lets go: of everything before a new epoch, and at the end of its life.

use super::event::{Event, ParamsOutcome};
use super::life::{Epoch, State};
use super::queue::duration_ns;
use super::runner::{Leaving, Runner};
use super::shared::Shared;
use super::slot::NO_LINK;
use super::stats::DropReason;
use std::sync::atomic::Ordering;

impl Runner {
    /// Forgets everything inside, for a new epoch.
    pub(super) fn reset(&mut self, shared: &Shared, epoch: Epoch) {
        self.worked = true;
        let mut discarded = self.drop_inboxes(shared, DropReason::Reset);
        discarded += shared.discarded.swap(0, Ordering::AcqRel);
        let rewind = shared.rewinding.swap(false, Ordering::AcqRel);
        for index in 0..self.nodes.len() {
            self.current = index;
            let slot = &mut self.nodes[index];
            discarded += slot.held() as u64;
            slot.stats.failed.add(slot.held() as u64);
            if rewind {
                slot.rewind()
            } else {
                slot.reset()
            }
            if !slot.inbox.is_empty() {
                // An end that waited behind what is forgotten now.
                self.active.insert(index);
            }
            self.report(shared, index);
        }
        self.paused.clear();
        self.held_back = false;
        self.epoch = epoch;
        shared.event(Event::Reset { epoch, discarded });
    }

    /// Lets go of everything, once the pipeline is over.
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
        self.drop_inboxes(shared, reason);
        self.paused.clear();
        for index in 0..self.nodes.len() {
            self.nodes[index].waiting.clear();
            self.nodes[index].discard_changes();
            self.report(shared, index);
        }
        if shared.live.is_pending() {
            for (index, change) in shared.live.take() {
                if change.again {
                    continue;
                }
                let (node, outcome) = (self.nodes[index].id.clone(), ParamsOutcome::Discarded);
                shared.event(Event::Params { seq: change.seq, node, outcome });
            }
        }
        for index in 0..self.inputs.len() {
            let link = shared.input_link(index);
            let mut held = shared.input(index);
            let (input, bin) = held.parts();
            let dropped = input.queue.clear(reason, &shared.links[link], bin);
            drop(held);
            shared.backlog.fetch_sub(dropped as usize, Ordering::AcqRel);
            if dropped > 0 {
                shared.drop_event(link, reason, dropped);
            }
        }
        self.publish(shared);
    }

    /// Drops what waits for nodes and what was about to leave, and says how many packets that was.
    /// Ends stay.
    pub(super) fn drop_inboxes(&mut self, shared: &Shared, reason: DropReason) -> u64 {
        let mut count = 0;
        self.collector.clear();
        // Outputs have one writer of their counters at a time: who holds their lock.
        let mut outputs = (!self.leaving.is_empty()).then(|| shared.outputs());
        for leaving in std::mem::take(&mut self.leaving) {
            match leaving {
                Leaving::Packet { output, packet, .. } => {
                    let link = shared.output_link(output);
                    shared.links[link].enter(duration_ns(&packet));
                    shared.lose(link, reason, duration_ns(&packet));
                    if let Some(outputs) = &mut outputs {
                        outputs.parts().1.add(packet);
                    }
                    count += 1;
                }
                Leaving::End { .. } => self.leaving.push_back(leaving),
            }
        }
        drop(outputs);
        for slot in &mut self.nodes {
            slot.inbox.retain(|item| {
                let Some(packet) = &item.packet else { return true };
                if item.link == NO_LINK {
                    // Its link counts it as taken, so it is the node that lost it.
                    slot.stats.failed.add(1);
                } else {
                    let link = item.link as usize;
                    if slot.max_in_flight > 0 {
                        self.levels[link].remove(packet);
                    }
                    shared.lose(link, reason, item.ns);
                }
                count += 1;
                false
            });
        }
        count
    }
}
