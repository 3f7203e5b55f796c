//! How packets that come by several connections find each other (rule S6): the pure logic, without
//! threads, clocks or nodes.
//!
//! Whoever drives it tells what comes on each lane ([`push`](Lanes::push), [`gap`](Lanes::gap),
//! [`end`](Lanes::end)) and then asks for what follows from it ([`next`](Lanes::next)) until that is
//! [`Ready::Wait`]. What comes out depends on what the lanes brought and not on how they raced, for
//! all but the joins that are by arrival.

mod lane;
#[cfg(test)]
mod tests;

use crate::node::Join;
use crate::packet::MediaTime;
use lane::{Lane, NEVER, Partner};

pub(crate) use lane::Timed;

/// What the node gets next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ready<T> {
    /// This one alone, from that lane.
    Packet(usize, T),
    /// The set, which has been filled.
    Set,
    /// It has found no partner and never will.
    Unmatched(usize, T),
    /// With [`Join::Ordered`]: nothing before that time will come. Told once, and not when the packet
    /// that comes next says it.
    Advance(MediaTime),
    /// No packet and no set will come. Told once; what is pushed afterwards is unmatched.
    Ended,
    /// It depends on what comes on the lanes that are waited for.
    Wait,
}

/// The lanes that lead to one node.
pub(crate) struct Lanes<T> {
    join: Join,
    lanes: Vec<Lane<T>>,
    /// How many have arrived.
    arrivals: u64,
    /// The node knows that nothing earlier will come.
    told: MediaTime,
    told_end: bool,
}

impl<T: Timed> Lanes<T> {
    pub(crate) fn new(join: Join, lanes: usize) -> Self {
        let lanes = (0..lanes).map(|_| Lane::new()).collect();
        Self { join, lanes, arrivals: 0, told: NEVER, told_end: false }
    }

    /// Something has come on a lane. It says that nothing earlier will. Without a time, or with one
    /// that lies before the lane's bound, it counts as at the bound: who wants it dropped as late
    /// asks for the [`bound`](Self::bound) first.
    pub(crate) fn push(&mut self, lane: usize, item: T) {
        self.lanes[lane].push(item, self.arrivals);
        self.arrivals += 1;
    }

    /// Takes the oldest that waits on a lane out of the way, for a lossy policy.
    pub(crate) fn drop_first(&mut self, lane: usize) -> Option<T> {
        self.lanes[lane].drop_first()
    }

    /// Nothing before `until` will come on a lane.
    pub(crate) fn gap(&mut self, lane: usize, until: MediaTime) {
        self.lanes[lane].raise(until);
    }

    /// Nothing at all will come on a lane.
    pub(crate) fn end(&mut self, lane: usize) {
        self.lanes[lane].end();
    }

    /// What follows from what has come. `set` is filled for [`Ready::Set`], with one of each lane,
    /// and is empty otherwise.
    pub(crate) fn next(&mut self, set: &mut Vec<Option<T>>) -> Ready<T> {
        set.clear();
        if let Some(unmatched) = self.drop_useless() {
            return unmatched;
        }
        if self.is_over() {
            return self.wind_up();
        }
        match self.join {
            Join::Any => self.next_to_arrive(),
            Join::Ordered => self.next_in_time(),
            Join::Nearest { tolerance } => self.next_with_nearest(tolerance, set),
            Join::LatestArrived => self.next_with_latest(set),
            Join::Exact | Join::Barrier => self.next_of_all(set),
        }
    }

    /// After [`Ready::Wait`]: the lanes whose silence keeps back what others have brought.
    pub(crate) fn waits_for(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.lanes.len()).filter(|lane| self.holds_up(*lane))
    }

    /// After [`Ready::Wait`]: the time of what waits longest, and the bound that the lanes that are
    /// waited for have to reach at least before it comes out. `None` where no bound helps.
    pub(crate) fn awaited(&self) -> Option<(MediaTime, MediaTime)> {
        self.waits_for().next()?;
        let (tolerance, first) = match self.join {
            Join::Ordered | Join::Exact => (MediaTime::ZERO, self.first_in_time()?.0),
            Join::Nearest { tolerance } => {
                let others = || self.lanes[1..].iter().filter_map(Lane::waiting_at).min();
                (tolerance, self.lanes[0].at().or_else(others)?)
            }
            Join::Any | Join::LatestArrived | Join::Barrier => return None,
        };
        Some((first, first + tolerance + MediaTime::from_nanos(1)))
    }

    /// Waits no longer: as if each lane that is waited for had said that nothing before `until` comes.
    pub(crate) fn force(&mut self, until: MediaTime) {
        for lane in 0..self.lanes.len() {
            if self.holds_up(lane) {
                self.lanes[lane].raise(until);
            }
        }
    }

    /// What waits, and was in no set.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.lanes.iter().flat_map(Lane::iter)
    }

    /// How many wait on a lane. What is kept only because it may serve again doesn't count. Of a lane
    /// of [`Join::LatestArrived`] other than the first at most one is left after [`Ready::Wait`], and
    /// gives way to the next: it is no reason to refuse that.
    pub(crate) fn len(&self, lane: usize) -> usize {
        self.lanes[lane].waiting()
    }

    /// Forgets everything but which lanes have ended. What still waited goes to `dropped`.
    pub(crate) fn clear(&mut self, mut dropped: impl FnMut(usize, T)) {
        for (index, lane) in self.lanes.iter_mut().enumerate() {
            while !lane.is_empty() {
                if let Some(item) = lane.discard() {
                    dropped(index, item);
                }
            }
            lane.forget_bound();
        }
        self.told = NEVER;
    }

    /// Begins anew for another run.
    pub(crate) fn rewind(&mut self, dropped: impl FnMut(usize, T)) {
        self.clear(dropped);
        self.lanes.iter_mut().for_each(Lane::reopen);
        self.told_end = false;
    }

    /// Whether no packet and no set can come any more.
    fn is_over(&self) -> bool {
        match self.join {
            Join::Any | Join::Ordered => self.lanes.iter().all(Lane::is_over),
            Join::LatestArrived => self.lanes.first().is_none_or(Lane::is_over),
            Join::Exact | Join::Nearest { .. } | Join::Barrier => {
                self.lanes.is_empty() || self.lanes.iter().any(Lane::is_over)
            }
        }
    }

    /// Drops what is left, and tells the end.
    fn wind_up(&mut self) -> Ready<T> {
        if let Some(unmatched) = self.drop_while(|_, _| true) {
            return unmatched;
        }
        if std::mem::replace(&mut self.told_end, true) { Ready::Wait } else { Ready::Ended }
    }

    /// Drops what can't find a partner any more.
    fn drop_useless(&mut self) -> Option<Ready<T>> {
        let first = self.lanes.first()?;
        match self.join {
            Join::Any | Join::Ordered | Join::Barrier => None,
            Join::Exact => {
                // Some lane brings nothing before this, so what lies before it has no partner there.
                let last = self.lanes.iter().map(Lane::floor).max()?;
                self.drop_while(|_, lane| lane.floor() < last)
            }
            Join::Nearest { tolerance } => {
                let from = first.floor();
                self.drop_while(|i, lane| i > 0 && lane.is_behind(from, tolerance))
            }
            Join::LatestArrived => {
                let since = first.arrival().unwrap_or(self.arrivals);
                self.drop_while(|i, lane| i > 0 && lane.is_replaced(since))
            }
        }
    }

    /// Discards the first of each lane as long as `useless` says so. Gives the first one that no set
    /// has had; the rest follows with the next call.
    fn drop_while(&mut self, useless: impl Fn(usize, &Lane<T>) -> bool) -> Option<Ready<T>> {
        for (index, lane) in self.lanes.iter_mut().enumerate() {
            while !lane.is_empty() && useless(index, lane) {
                if let Some(item) = lane.discard() {
                    return Some(Ready::Unmatched(index, item));
                }
            }
        }
        None
    }

    /// The first of that lane, alone.
    fn packet(&mut self, lane: usize) -> Ready<T> {
        self.lanes[lane].pop().map_or(Ready::Wait, |item| Ready::Packet(lane, item))
    }

    fn next_to_arrive(&mut self) -> Ready<T> {
        let heads =
            self.lanes.iter().enumerate().filter_map(|(i, lane)| Some((lane.arrival()?, i)));
        match heads.min() {
            Some((_, lane)) => self.packet(lane),
            None => Ready::Wait,
        }
    }

    fn next_in_time(&mut self) -> Ready<T> {
        if let Some(first @ (at, lane)) = self.first_in_time()
            && !(0..self.lanes.len()).any(|other| self.may_precede(other, first))
        {
            self.told = self.told.max(at);
            return self.packet(lane);
        }
        let open = self.lanes.iter().filter(|lane| !lane.is_over());
        match open.map(Lane::floor).min() {
            Some(floor) if floor > self.told => {
                self.told = floor;
                Ready::Advance(floor)
            }
            _ => Ready::Wait,
        }
    }

    fn next_of_all(&mut self, set: &mut Vec<Option<T>>) -> Ready<T> {
        if self.lanes.iter().any(Lane::is_empty) {
            return Ready::Wait;
        }
        set.extend(self.lanes.iter_mut().map(Lane::pop));
        Ready::Set
    }

    fn next_with_nearest(&mut self, tolerance: MediaTime, set: &mut Vec<Option<T>>) -> Ready<T> {
        let Some(at) = self.lanes[0].at() else { return Ready::Wait };
        let partners = || self.lanes[1..].iter().map(|lane| lane.partner(at, tolerance));
        if partners().any(|partner| partner == Partner::None) {
            return match self.lanes[0].pop() {
                Some(item) => Ready::Unmatched(0, item),
                None => Ready::Wait,
            };
        }
        if partners().any(|partner| partner == Partner::Open) {
            return Ready::Wait;
        }
        set.push(self.lanes[0].pop());
        set.extend(self.lanes[1..].iter_mut().map(Lane::serve));
        Ready::Set
    }

    fn next_with_latest(&mut self, set: &mut Vec<Option<T>>) -> Ready<T> {
        let Some(since) = self.lanes[0].arrival() else { return Ready::Wait };
        set.push(self.lanes[0].pop());
        set.extend(self.lanes[1..].iter_mut().map(|lane| {
            let came_before = lane.arrival().is_some_and(|arrival| arrival < since);
            if came_before { lane.serve() } else { None }
        }));
        Ready::Set
    }

    /// Time and lane of the first packet in the order of time; of equal times the first lane's.
    fn first_in_time(&self) -> Option<(MediaTime, usize)> {
        self.lanes.iter().enumerate().filter_map(|(i, lane)| Some((lane.at()?, i))).min()
    }

    /// Whether a lane on which nothing waits may still bring what comes before that in the order.
    fn may_precede(&self, lane: usize, first: (MediaTime, usize)) -> bool {
        let silent = &self.lanes[lane];
        silent.is_empty() && !silent.has_ended() && (silent.bound(), lane) < first
    }

    /// Whether others have to wait for what that lane will bring.
    fn holds_up(&self, lane: usize) -> bool {
        let silent = &self.lanes[lane];
        if silent.has_ended() || self.is_over() {
            return false;
        }
        match self.join {
            Join::Any | Join::LatestArrived => false,
            Join::Ordered => {
                self.first_in_time().is_some_and(|first| self.may_precede(lane, first))
            }
            Join::Exact | Join::Barrier => {
                silent.is_empty() && self.lanes.iter().any(|lane| !lane.is_empty())
            }
            Join::Nearest { tolerance } => match self.lanes[0].at() {
                Some(at) => lane > 0 && silent.partner(at, tolerance) == Partner::Open,
                None => lane == 0 && self.lanes[1..].iter().any(|lane| lane.waiting() > 0),
            },
        }
    }
}
