//! What a join gives its node: sets of packets, and the news that nothing earlier comes.

use super::item::{AGAIN, Item};
use super::recover::Failed;
use super::slot::{Desk, NodeSlot, Stage, Step};
use crate::error::Result;
use crate::node::{Flow, MediaFormat};
use crate::packet::{MediaTime, Packet};

impl NodeSlot {
    /// Takes the news of a join that nothing earlier will come.
    #[inline(never)]
    pub(super) fn take_news(&mut self, desk: &mut Desk<'_>) -> Result<Step> {
        let Some(item) = self.inbox.pop_front() else { return Ok(Step::Blocked) };
        let until = MediaTime::from_nanos(item.ns as i64);
        self.reached = self.reached.max(Some(until));
        self.clean = false;
        let first = desk.out.len();
        let flow = match self.call(desk, 0, |node, cx| node.advance(cx, until)) {
            Ok(flow) => flow,
            Err(error) => return self.recover(desk, error, Failed::Rest),
        };
        let ticket = self.ticket_of(flow, desk)?;
        if ticket.is_some() || !self.waiting.is_empty() {
            self.await_tail(desk, ticket, first, self.reached);
            return Ok(Step::Waits);
        }
        if self.any_broken {
            self.mark(&mut desk.out[first..]);
        }
        if self.pauses(flow, desk) {
            self.stage = Stage::Paused;
            return Ok(Step::More);
        }
        Ok(Step::Done)
    }

    /// Takes the set that the join has put together.
    #[inline(never)]
    pub(super) fn step_set(&mut self, desk: &mut Desk<'_>) -> Result<Step> {
        for lane in 0..self.set.len() {
            let Some(packet) = self.set[lane].as_ref().and_then(|item| item.packet.as_ref()) else {
                continue;
            };
            let (port, discont) = (self.port_of(lane as u16), packet.is_discont());
            if discont || !self.formats[port].is_some_and(|known| known.is_of(packet)) {
                let format = MediaFormat::of(packet);
                if let Some(wait) = self.cross_border(desk, port, port, format, discont)? {
                    return Ok(wait);
                }
                if let Some(Some(item)) = self.set.get_mut(lane)
                    && let Some(packet) = &mut item.packet
                {
                    // The border is behind it, should the set have to wait for another one.
                    packet.set_discont(false);
                }
            }
        }
        self.take_set(desk)
    }

    pub(super) fn take_set(&mut self, desk: &mut Desk<'_>) -> Result<Step> {
        self.inbox.pop_front();
        let (mut counted, mut stamp) = (0, 0);
        self.taken.clear();
        for item in self.set.drain(..) {
            let Some(Item { packet: Some(packet), link, stamp: pushed, ns, .. }) = item else {
                self.taken.push(None);
                continue;
            };
            if link < AGAIN {
                let link = link as usize;
                desk.links[link].take(ns);
                desk.levels[link].remove(&packet);
                self.stats.taken.add(1);
            }
            counted += u64::from(link != AGAIN);
            stamp = if self.taken.is_empty() { pushed } else { stamp };
            self.taken.push(Some(packet));
        }
        self.weight = counted;
        let head = self.taken.iter().flatten().next();
        let (pts, end) = (head.and_then(Packet::pts), head.and_then(Packet::end));
        while let Some(change) =
            self.timed.pop_front_if(|c| c.at.is_none_or(|at| pts.is_some_and(|pts| at <= pts)))
        {
            self.apply(change, pts);
        }
        self.reached = end.or(self.reached);
        self.clean = false;
        let first = desk.out.len();
        let mut taken = std::mem::take(&mut self.taken);
        let flow = self.call(desk, 0, |node, cx| node.join(cx, &mut taken));
        taken.clear();
        self.taken = taken;
        let flow = match flow {
            Ok(flow) => flow,
            Err(error) => return self.call_failed(desk, error, stamp),
        };
        let ticket = self.ticket_of(flow, desk)?;
        if flow != Flow::Pending {
            self.stats.done.add(counted);
        }
        self.called(desk, flow, ticket, first, stamp)
    }

    /// What is to be told behind an output port: nothing before that will come. `None`: that is no
    /// news.
    pub(crate) fn news_of(&mut self, port: usize) -> Option<MediaTime> {
        let mut bound = self.advanced[port];
        if self.is_source && self.bound > MediaTime::ZERO {
            bound = bound.max(self.bound);
        }
        let come = if self.waiting.is_empty() { self.reached } else { self.committed };
        if let (true, Some(come)) = (self.keeps_time, come) {
            // Times of samples are rounded to the nanosecond.
            let audio = self.formats.iter().flatten().any(|format| format.audio().is_some());
            let rounding = MediaTime::from_nanos(i64::from(audio));
            bound = bound.max(come - self.node.latency() - rounding);
        }
        if bound <= self.told[port] {
            return None;
        }
        self.told[port] = bound;
        Some(bound)
    }

    /// Notes that nothing before that time will come; what is told of it follows from `reached`.
    pub(super) fn take_gap(&mut self, until: MediaTime) -> Result<Step> {
        self.inbox.pop_front();
        if let Some(last) = self.waiting.back_mut() {
            // It must not overtake a result.
            last.reached = last.reached.max(Some(until));
        } else {
            self.reached = self.reached.max(Some(until));
        }
        Ok(Step::Done)
    }
}
