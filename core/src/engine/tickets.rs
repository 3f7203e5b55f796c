//! What comes to a segment from other threads: results of tickets, changes of params.

use super::mail::Mail;
use super::runner::Runner;
use super::shared::Shared;
use super::slot::{NodeSlot, Step, Waiting};
use crate::error::Result;

impl Runner {
    /// Notes the results that tickets have brought.
    #[inline(never)]
    pub(super) fn collect_mail(&mut self, mail: &Mail) {
        self.worked = true;
        for (ticket, outcome, trip) in mail.take() {
            // A ticket of an older epoch has no place any more, nor has one that was given up.
            let wanted = |w: &&mut Waiting| w.is_for(ticket) && w.outcome.is_none();
            let waiting = self.nodes.iter_mut().find_map(|node| {
                let waiting = node.waiting.iter_mut().find(wanted)?;
                Some((waiting, &node.stats))
            });
            if let Some((waiting, stats)) = waiting {
                waiting.outcome = Some(outcome);
                if let Some(trip) = trip {
                    stats.trips.get_or_init(Box::default).record(trip);
                }
            } else {
                let given_up = |n: &NodeSlot| n.zombies.contains(&ticket);
                let Some(index) = self.nodes.iter().position(given_up) else { continue };
                self.nodes[index].zombies.retain(|zombie| *zombie != ticket);
                self.nodes[index].warned = false;
                // What it had to hold up may be all that there is to do.
                self.blocked.remove(index);
                self.active.insert(index);
            }
        }
    }

    /// Commits what is complete at the head of each ticket node's line, in the order of the
    /// inputs, while there is room.
    #[inline(never)]
    pub(super) fn commit(&mut self, shared: &Shared) -> Result<()> {
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
    #[inline(never)]
    pub(super) fn give_up_late(&mut self, shared: &Shared) -> Result<()> {
        let now = shared.scheduler.clock.now();
        let late: usize = self.nodes.iter_mut().map(|slot| slot.give_up_late(now)).sum();
        if late > 0 { self.commit(shared) } else { Ok(()) }
    }

    #[inline(never)]
    pub(super) fn take_changes(&mut self, shared: &Shared) {
        self.worked = true;
        for (node, change) in shared.live.take(self.segment) {
            let index = self.places[node];
            self.current = index;
            self.nodes[index].change(change);
            self.report(shared, index);
        }
    }
}
