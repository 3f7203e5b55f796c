//! What a node's error does in a running pipeline (rule S13): the guard decides, this does it.

use super::clock::Nanos;
use super::event::Event;
use super::guard::{Guard, Note, Verdict};
use super::shared::Shared;
use super::slot::{Desk, NodeSlot, Stage, Step, Waiting};
use super::ticks::Ticks;
use crate::error::{Error, Result, detail};
use crate::node::{AnyNode, Flow};
use std::any::Any;

/// Tickets of a node that were given up, in terms of those that it may open.
const ZOMBIES: usize = 4;

/// What failed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Failed {
    /// The call of a packet, or its ticket.
    Packet,
    /// The call that delivers a tail, or its ticket.
    Tail,
    /// What came after `More`.
    Rest,
}

impl NodeSlot {
    /// The node's guard, if it has one.
    pub(super) fn guard(&mut self) -> Option<&mut Guard> {
        let node: &mut dyn AnyNode = &mut *self.node;
        let node: &mut dyn Any = node;
        node.downcast_mut()
    }

    /// The call of the packet that was just taken has failed.
    #[cold]
    pub(super) fn call_failed(
        &mut self,
        desk: &mut Desk<'_>,
        error: Error,
        stamp: Ticks,
    ) -> Result<Step> {
        if self.guarded && !self.waiting.is_empty() {
            // Its turn comes when all that was before it is out.
            let (ticket, outcome, early) = (None, Some(Err(error)), Vec::new());
            let (until, tail, reached, weight) = (None, false, self.reached, self.weight);
            let waiting = Waiting { ticket, outcome, early, stamp, until, tail, reached, weight };
            self.waiting.push_back(waiting);
            return Ok(Step::Waits);
        }
        self.stamp = stamp;
        self.recover(desk, error, Failed::Packet)
    }

    /// The call that delivers a tail has failed.
    #[cold]
    pub(super) fn drain_failed(&mut self, desk: &mut Desk<'_>, error: Error) -> Result<Flow> {
        self.recover(desk, error, Failed::Tail).map(|step| match step {
            Step::More => Flow::More,
            _ => Flow::Done,
        })
    }

    /// Does what the guard says about a failure; without one it is the end.
    #[cold]
    pub(super) fn recover(
        &mut self,
        desk: &mut Desk<'_>,
        error: Error,
        failed: Failed,
    ) -> Result<Step> {
        let verdict = self.guard().map(|guard| guard.recover(error.clone()));
        self.news = true;
        match verdict {
            None => Err(self.lose(error, failed)),
            Some(Verdict::Fail(error)) => Err(self.lose(error, failed)),
            Some(Verdict::Again(wait)) => {
                match failed {
                    Failed::Packet => self.stage = Stage::Retrying { tail: false },
                    Failed::Tail => self.stage = Stage::Retrying { tail: true },
                    // It is resumed as before.
                    Failed::Rest => {}
                }
                self.pauses(Flow::Wait(wait), desk);
                Ok(Step::More)
            }
            Some(Verdict::Lose { anew, until }) => {
                self.lose(error, failed);
                self.clean |= anew || failed == Failed::Tail || self.stage == Stage::Draining;
                (self.stage, self.wait) = (Stage::Ready, None);
                self.gap = true;
                if !self.clean && self.max_in_flight == 0 {
                    // What came before the break is whole.
                    match self.call_drain(desk, |node, cx| node.drain(cx))? {
                        Flow::Done | Flow::Pending => {}
                        Flow::More | Flow::Wait(_) => return Ok(Step::More),
                    }
                }
                self.close_gap();
                // The gap (rule S6): what was lost is not to be waited for.
                if let Some(until) = until {
                    self.advanced.iter_mut().for_each(|bound| *bound = until.max(*bound));
                }
                Ok(Step::Done)
            }
        }
    }

    /// Counts what is lost by a failure.
    fn lose(&mut self, error: Error, failed: Failed) -> Error {
        if matches!(self.stage, Stage::Retrying { .. }) {
            self.stage = Stage::Ready;
        }
        if failed == Failed::Packet {
            self.stats.failed.add(self.weight);
            if std::mem::take(&mut self.partial) {
                // Its rest failed with it; the two count as one.
                self.inbox.pop_front();
            }
        }
        error.in_node(&*self.id)
    }

    /// Where a packet was lost: what comes next is a break.
    pub(super) fn close_gap(&mut self) {
        if std::mem::take(&mut self.gap) {
            self.broken.fill(true);
            self.any_broken = !self.broken.is_empty();
        }
    }

    /// Makes a call again that has failed.
    pub(super) fn try_again(&mut self, desk: &mut Desk<'_>, tail: bool) -> Result<Step> {
        let first = desk.out.len();
        let flow = match self.call(desk, 0, |node, cx| node.resume(cx)) {
            Ok(flow) => flow,
            Err(error) if tail => return self.recover(desk, error, Failed::Tail),
            Err(error) => return self.recover(desk, error, Failed::Packet),
        };
        let ticket = self.ticket_of(flow, desk)?;
        self.stage = Stage::Ready;
        if ticket.is_some() {
            let early = desk.out.drain(first..).collect();
            let (outcome, stamp, until) = (None, self.stamp, self.until(desk));
            self.clean |= tail;
            // Nothing has passed it.
            let (reached, weight) = (self.reached, self.weight);
            let waiting = Waiting { ticket, outcome, early, stamp, until, tail, reached, weight };
            self.waiting.push_front(waiting);
            return Ok(Step::Waits);
        }
        if !tail && !std::mem::take(&mut self.partial) {
            self.stats.done.add(self.weight);
        }
        if self.any_broken {
            self.mark(&mut desk.out[first..]);
        }
        if self.pauses(flow, desk) {
            self.stage = if tail { Stage::Draining } else { Stage::Paused };
            return Ok(Step::More);
        }
        if tail {
            self.clean = true;
            self.close_gap();
        }
        Ok(Step::Done)
    }

    /// The result of a ticket at the head of the line is an error.
    #[cold]
    pub(super) fn ticket_failed(
        &mut self,
        desk: &mut Desk<'_>,
        error: Error,
        stamp: Ticks,
        tail: bool,
        weight: u64,
    ) -> Result<Step> {
        (self.stamp, self.weight) = (stamp, weight);
        let failed = if tail { Failed::Tail } else { Failed::Packet };
        self.recover(desk, error, failed)
    }

    /// The result of a ticket at the head of the line is good.
    pub(super) fn ticket_done(&mut self) {
        if let Some(guard) = self.guard() {
            guard.commit();
            self.news = true;
        }
    }

    /// When a ticket that is opened now is given up.
    pub(super) fn until(&self, desk: &Desk<'_>) -> Option<Nanos> {
        self.deadline.and_then(|time| desk.clock.after(time))
    }

    /// Gives up tickets whose time is over. Says how many there were.
    pub(super) fn give_up_late(&mut self, now: Nanos) -> usize {
        let mut count = 0;
        for waiting in &mut self.waiting {
            let late = waiting.outcome.is_none() && waiting.until.is_some_and(|at| at <= now);
            if late && let Some(ticket) = &waiting.ticket {
                ticket.cancel();
                let ms = self.deadline.map_or(0, |time| time.as_millis());
                let message = format!("the result of the node did not come within {ms} ms");
                waiting.outcome = Some(Err(Error::new(detail::NODE_DEADLINE, message)));
                self.zombies.push(ticket.id);
                self.stats.zombies.add(1);
                count += 1;
            }
        }
        count
    }

    /// Forgets all results that are to come. The work is still done somewhere.
    pub(super) fn forget_tickets(&mut self) {
        for waiting in self.waiting.drain(..) {
            if let (Some(ticket), None) = (&waiting.ticket, &waiting.outcome) {
                self.zombies.push(ticket.id);
                self.stats.zombies.add(1);
            }
        }
    }

    /// Whether so many tickets were given up and not come back that the node gets nothing.
    pub(super) fn has_too_many_zombies(&self) -> bool {
        !self.zombies.is_empty() && self.zombies.len() >= ZOMBIES * self.max_in_flight
    }

    /// The warning that they hold the node up, once until some have come back.
    #[cold]
    pub(super) fn warn_of_zombies(&mut self) -> Option<Event> {
        if !self.has_too_many_zombies() || std::mem::replace(&mut self.warned, true) {
            return None;
        }
        let count = self.zombies.len();
        let message =
            format!("the node gets nothing: {count} tickets were given up and have not come back");
        let error = Error::new(detail::NODE_ZOMBIES, message).in_node(&*self.id);
        Some(Event::Warning(
            error.with_hint("end work whose ticket is cancelled (Ticket::is_cancelled)"),
        ))
    }

    /// Whether it may open no further ticket.
    pub(super) fn is_full(&self) -> bool {
        self.opens && (self.waiting.len() >= self.max_in_flight || self.has_too_many_zombies())
    }

    /// Whether results of tickets may go out.
    pub(super) fn may_commit(&self) -> bool {
        !matches!(self.stage, Stage::Retrying { .. })
            && self.waiting.front().is_some_and(|w| w.outcome.is_some())
    }

    /// Packets that it has taken and not finished.
    pub(crate) fn held(&self) -> u64 {
        let is_over = |w: &Waiting| w.ticket.is_none() && !matches!(w.outcome, Some(Err(_)));
        let waiting = self.waiting.iter().filter(|w| !w.tail && !is_over(w));
        let waiting: u64 = waiting.map(|w| w.weight).sum();
        // Of a packet that was cut the rest counts for both parts.
        let again = self.stage == Stage::Retrying { tail: false } && !self.partial;
        waiting + if again { self.weight } else { 0 }
    }

    /// Makes events of what it and its guard have noted.
    #[cold]
    pub(super) fn tell(&mut self, shared: &Shared) {
        let node = self.id.clone();
        if let Some((from, to)) = self.format_change.take() {
            shared.event(Event::FormatChanged { node: node.clone(), from, to });
        }
        let notes = self.guard().map(Guard::take_notes);
        for note in notes.into_iter().flatten() {
            let node = node.clone();
            match note {
                Note::Breaker(state) => {
                    self.stats.breaker.set(state as u64);
                    shared.event(Event::Breaker { node, state });
                }
                Note::Recovered(action, error) => {
                    self.stats.recovered[action as usize].add(1);
                    if let Some(error) = error {
                        let error = error.in_node(&*node);
                        shared.event(Event::Recovered { node, action, error });
                    }
                }
            }
        }
    }

    /// Lets go of everything, as the pipeline is over.
    pub(crate) fn let_go(&mut self) {
        self.stats.failed.add(self.held());
        self.waiting.clear();
        if self.stage != Stage::Ended {
            self.stage = Stage::Ready;
        }
    }
}
