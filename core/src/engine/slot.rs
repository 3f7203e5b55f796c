//! One node in a running pipeline: its inbox, its stage, its open tickets.

use super::clock::{Clock, Nanos};
use super::event::ParamsOutcome;
use super::item::{GAP, Item, NEWS, NO_LINK, SET};
use super::join::Lanes;
use super::live::Change;
use super::queue::{Level, take_first};
use super::recover::Failed;
use super::stats::{LinkStats, NodeStats};
use super::ticks::Ticks;
use crate::error::{Error, Result, detail};
use crate::graph::GraphNode;
use crate::node::{
    AnyNode, Context, Emission, Flow, MediaFormat, Opened, Outcome, Port, TicketDesk, TicketId,
};
use crate::packet::{MediaTime, Packet, Pool};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Before every time: nothing is known.
pub(super) const NEVER: MediaTime = MediaTime::from_nanos(i64::MIN);

/// Where a node stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It takes what comes.
    Ready,
    /// It returned `More` while it worked on a packet (or as a source): resume it.
    Paused,
    /// It returned `More` while it drained; the item that led to it is still at the inbox's head.
    Draining,
    /// A call failed and is to be made again: resume it.
    Retrying {
        /// That of a tail.
        tail: bool,
    },
    /// Its inputs have ended and its tail is out.
    Ended,
}

/// A result that is not committed yet.
pub(crate) struct Waiting {
    /// `None`: it was there at once, and waits for older ones.
    pub(crate) ticket: Option<Opened>,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) early: Vec<Emission>,
    pub(crate) stamp: Ticks,
    /// When the ticket is given up; by the engine's clock.
    pub(crate) until: Option<Nanos>,
    /// It is a tail, not the result of a packet.
    pub(crate) tail: bool,
    /// How far the input had come with it.
    pub(crate) reached: Option<MediaTime>,
    /// Packets that it counts for: those of a set together.
    pub(crate) weight: u64,
}

impl Waiting {
    /// Whether it is the result of that ticket.
    pub(super) fn is_for(&self, ticket: TicketId) -> bool {
        self.ticket.as_ref().is_some_and(|opened| opened.id == ticket)
    }
}

/// A node in a running pipeline. What every packet needs comes first, in three lines of the cache: with
/// thousands of pipelines, each line that a packet touches has to be fetched.
#[repr(C, align(64))]
pub(crate) struct NodeSlot {
    pub(crate) node: Box<dyn AnyNode>,
    pub(crate) stats: Arc<NodeStats>,
    pub(crate) inbox: VecDeque<Item>,
    /// The port of its first lane.
    pub(crate) port: u16,
    /// The lane whose packet the node works on.
    pub(crate) lane: u16,
    /// Connections that lead to it.
    pub(super) lanes_in: u16,
    pub(crate) stage: Stage,
    /// Per port, or, where all lanes of a port are on their own, per lane.
    pub(super) formats: Box<[Option<MediaFormat>]>,
    /// Per output port: nothing earlier will come out.
    pub(super) advanced: Box<[MediaTime]>,
    /// Nothing inside: nothing came since it was made, reset or drained.
    pub(crate) clean: bool,
    /// Packets may go straight to it: they never wait, and its errors need no care.
    pub(super) direct: bool,
    /// Packets may wait for it, though it runs in the segment of what feeds it.
    pub(crate) waits: bool,
    /// It may open tickets.
    pub(super) opens: bool,
    /// It has a guard, which knows what its errors do.
    pub(crate) guarded: bool,
    pub(super) ordered: bool,
    pub(crate) any_broken: bool,
    /// The packet being processed has another part to come.
    pub(super) partial: bool,
    /// There is something to tell besides `acks`.
    pub(crate) news: bool,
    /// Whether a join behind it wants to know that nothing earlier comes.
    pub(crate) tells: bool,
    pub(crate) is_source: bool,
    /// A packet was lost: once the old tail is out, there is a break.
    pub(super) gap: bool,
    /// It waits in the runner's blocked set because an exit had no room.
    pub(crate) no_room: bool,
    /// Whether interrupts hit it.
    pub(crate) hit: bool,
    pub(super) keeps_time: bool,
    /// `finish` was called; what it has left to emit comes by `resume`.
    pub(super) finishing: bool,
    /// Param changes that wait for their time, in order of time.
    pub(crate) timed: VecDeque<Change>,
    /// End of the last packet taken.
    pub(super) reached: Option<MediaTime>,
    /// Packets that the node's call counts for.
    pub(super) weight: u64,
    /// When that was pushed which is to be tried again.
    pub(super) stamp: Ticks,
    // From here on: what a packet needs that does not come straight from the node before.
    pub(crate) waiting: VecDeque<Waiting>,
    /// Where packets of several connections find each other.
    pub(crate) join: Option<Box<Lanes<Item>>>,
    /// What became of changes; the runner makes events of them.
    pub(crate) acks: Vec<(u64, ParamsOutcome)>,
    // From here on: what few packets need.
    /// Its place in the graph.
    pub(crate) index: usize,
    pub(crate) max_in_flight: usize,
    /// Not before then is it called again; by the engine's clock.
    pub(crate) wait: Option<Nanos>,
    pub(crate) id: Arc<str>,
    /// How long its tickets may take.
    pub(super) deadline: Option<Duration>,
    /// Tickets that were given up, or forgotten, and have not come back.
    pub(super) zombies: Vec<TicketId>,
    /// It has been warned of that they hold the node up.
    pub(super) warned: bool,
    /// Per input port: links that have not ended.
    pub(crate) open: Vec<usize>,
    /// Per input port: links in all.
    pub(crate) links_in: Vec<usize>,
    pub(super) inputs: Vec<Port>,
    /// Per connection that leads to it: its port.
    pub(crate) lanes: Vec<u16>,
    /// A set of packets that the node takes next.
    pub(crate) set: Vec<Option<Item>>,
    /// What of it the node is given.
    pub(super) taken: Vec<Option<Packet>>,
    pub(crate) max_wait: Option<Duration>,
    /// Times of packets that the join holds, and when they came; only if it does not wait for ever.
    pub(crate) arrived: VecDeque<(MediaTime, Nanos)>,
    /// When the join goes on without what it waits for, and which bound it waits for.
    pub(crate) patience: Option<(Nanos, MediaTime)>,
    /// Per output port: the last bound that was told.
    pub(super) told: Vec<MediaTime>,
    /// Per output port: mark the next packet as DISCONT.
    pub(super) broken: Vec<bool>,
    /// The last change of format that no event tells of yet.
    pub(crate) format_change: Option<(MediaFormat, MediaFormat)>,
    /// End of the last packet whose results are out.
    pub(crate) committed: Option<MediaTime>,
    /// Sources: time that they have reached.
    pub(crate) bound: MediaTime,
    /// Sources in real time: when their media time was that.
    pub(crate) pace: Pace,
}

const _: () = assert!(std::mem::offset_of!(NodeSlot, waiting) <= 3 * 64);

/// What a call of a node needs from the pipeline.
pub(crate) struct Desk<'a> {
    pub(crate) out: &'a mut Vec<Emission>,
    pub(crate) opened: &'a mut Vec<Opened>,
    pub(crate) pool: &'a Pool,
    pub(crate) tickets: &'a TicketDesk,
    pub(crate) links: &'a [LinkStats],
    pub(crate) levels: &'a mut [Level],
    pub(crate) clock: &'a Clock,
}

/// How fast a source may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// As fast as its packets are taken.
    Free,
    /// As its packets' times say, from the first one on.
    Waiting,
    /// The same: at that time of the clock, this was its media time.
    Since(Nanos, MediaTime),
}

/// What taking an item came to.
pub(crate) enum Step {
    /// The call is over; its emissions are in the collector.
    Done,
    /// As `Done`, and there is more: resume it when there is room.
    More,
    /// The result comes by ticket, or waits behind one.
    Waits,
    /// The inbox's head has to wait for the node's tickets.
    Blocked,
    /// All inputs have ended and the tail is out.
    Ended,
}

impl NodeSlot {
    pub(crate) fn new(index: usize, spec: &GraphNode, node: Box<dyn AnyNode>) -> Self {
        let descriptor = spec.node_type.descriptor();
        Self {
            index,
            id: spec.id.as_str().into(),
            node,
            stats: Arc::default(),
            inbox: VecDeque::new(),
            stage: Stage::Ready,
            clean: true,
            is_source: descriptor.inputs.is_empty(),
            hit: spec.hit,
            max_in_flight: spec.max_in_flight(),
            opens: spec.max_in_flight() > 0,
            waits: spec.waits(),
            guarded: !spec.on_error.is_plain(),
            direct: !spec.waits() && spec.on_error.is_plain(),
            weight: 1,
            stamp: 0,
            gap: false,
            news: false,
            deadline: spec.on_error.deadline,
            zombies: Vec::new(),
            warned: false,
            waiting: VecDeque::new(),
            open: vec![0; descriptor.inputs.len()],
            links_in: vec![0; descriptor.inputs.len()],
            inputs: spec.ports.inputs.clone(),
            port: 0,
            lanes: Vec::new(),
            lanes_in: 0,
            join: None,
            set: Vec::new(),
            taken: Vec::new(),
            max_wait: spec.max_wait,
            arrived: VecDeque::new(),
            patience: None,
            no_room: false,
            tells: spec.bounds,
            keeps_time: descriptor.keeps_time,
            told: vec![NEVER; descriptor.outputs.len()],
            lane: 0,
            advanced: vec![NEVER; descriptor.outputs.len()].into(),
            formats: vec![None; descriptor.inputs.len()].into(),
            ordered: false,
            broken: vec![false; descriptor.outputs.len()],
            any_broken: false,
            partial: false,
            finishing: false,
            format_change: None,
            timed: VecDeque::new(),
            acks: Vec::new(),
            reached: None,
            committed: None,
            bound: MediaTime::ZERO,
            wait: None,
            pace: if spec.realtime { Pace::Waiting } else { Pace::Free },
        }
    }

    /// Takes the inbox's head as far as it goes in one call of the node.
    pub(crate) fn step(&mut self, desk: &mut Desk<'_>) -> Result<Step> {
        let Some(item) = self.inbox.front() else { return Ok(Step::Blocked) };
        let port = self.port_of(item.lane);
        let Some(packet) = &item.packet else {
            return match item.link {
                GAP => {
                    let until = MediaTime::from_nanos(item.ns as i64);
                    self.take_gap(until)
                }
                NEWS => self.take_news(desk),
                SET => self.step_set(desk),
                _ => self.take_end(desk, port),
            };
        };
        // A break of one lane is none of what several make together by time.
        let discont = packet.is_discont() && !self.ordered;
        let place = if self.ordered { usize::from(item.lane) } else { port };
        if discont || !self.formats[place].is_some_and(|known| known.is_of(packet)) {
            let format = MediaFormat::of(packet);
            if let Some(wait) = self.cross_border(desk, port, place, format, discont)? {
                return Ok(wait);
            }
        }
        self.take(desk, port)
    }

    /// Keeps the lanes apart.
    pub(super) fn be_ordered(&mut self, lanes: usize) {
        self.ordered = true;
        self.formats = vec![None; lanes].into();
    }

    /// The port that a lane leads to.
    #[inline]
    pub(crate) fn port_of(&self, lane: u16) -> usize {
        match lane {
            0 => usize::from(self.port),
            lane => self.lanes.get(usize::from(lane)).copied().map_or(0, usize::from),
        }
    }

    /// Takes the end of a link; the last one finishes the node.
    pub(super) fn take_end(&mut self, desk: &mut Desk<'_>, port: usize) -> Result<Step> {
        let last = self.open[port] == 1 && self.open.iter().sum::<usize>() == 1;
        if last {
            if !self.waiting.is_empty() {
                return Ok(Step::Blocked);
            }
            if !std::mem::replace(&mut self.finishing, true) {
                match self.call_drain(desk, |node, cx| node.finish(cx))? {
                    Flow::Done => {}
                    Flow::More | Flow::Wait(_) => return Ok(Step::More),
                    Flow::Pending => return Ok(Step::Waits),
                }
            }
            self.stage = Stage::Ended;
        }
        self.open[port] -= 1;
        self.inbox.pop_front();
        Ok(if last { Step::Ended } else { Step::Done })
    }

    /// Makes the node ready for a stream that breaks or changes its format: the old tail goes out,
    /// then it is configured. Gives what to wait for, if the tail is not out yet.
    #[cold]
    pub(super) fn cross_border(
        &mut self,
        desk: &mut Desk<'_>,
        port: usize,
        place: usize,
        format: MediaFormat,
        discont: bool,
    ) -> Result<Option<Step>> {
        if !self.waiting.is_empty() {
            return Ok(Some(Step::Blocked));
        }
        let known = self.formats[place];
        if !(self.clean || (self.ordered && known.is_none())) {
            match self.call_drain(desk, |node, cx| node.drain(cx))? {
                Flow::Done => {}
                Flow::More | Flow::Wait(_) => return Ok(Some(Step::More)),
                Flow::Pending => return Ok(Some(Step::Waits)),
            }
        }
        let changed = known.is_some_and(|k| k != format);
        if discont || changed {
            self.broken.fill(true);
            self.any_broken = true;
        }
        if known != Some(format) {
            self.check(port, &format)?;
            self.formats[place] = Some(format);
            if let (true, Some(from)) = (changed, known) {
                self.format_change = Some((from, format));
                self.news = true;
            }
            self.call(desk, port, |node, cx| {
                node.configure(cx, port, &format).map(|()| Flow::Done)
            })?;
            self.stats.latency_ns.raise(self.node.latency().nanos().max(0) as u64);
        }
        Ok(None)
    }

    /// Processes the packet at the inbox's head, up to the next param change that is due in it.
    pub(super) fn take(&mut self, desk: &mut Desk<'_>, port: usize) -> Result<Step> {
        // Everything is read where the packet lies; moved out, it goes straight to the node.
        let Some(Item { packet: Some(packet), stamp, link, ns, .. }) = self.inbox.front_mut()
        else {
            unreachable!("the caller has seen a packet")
        };
        let stamp = *stamp;
        if *link != NO_LINK {
            let link = std::mem::replace(link, NO_LINK) as usize;
            desk.links[link].take(*ns);
            if self.waits {
                desk.levels[link].remove(packet);
            }
            self.stats.taken.add(1);
        }
        let mut end = packet.end();
        if !self.timed.is_empty() {
            // Not before the level has let go of all that was put on it.
            self.cut_for_changes();
            end = self.inbox.front().and_then(|item| item.packet.as_ref()?.end());
        }
        self.reached = end.or(self.reached);
        let Some(Item { packet: Some(packet), lane, .. }) = take_first(&mut self.inbox) else {
            unreachable!("it was there")
        };
        (self.lane, self.weight) = (lane, 1);
        self.clean = false;
        let first = desk.out.len();
        let flow = match self.call(desk, port, |node, cx| node.process(cx, packet)) {
            Ok(flow) => flow,
            Err(error) => return self.call_failed(desk, error, stamp),
        };
        let ticket = self.ticket_of(flow, desk)?;
        if flow != Flow::Pending && !std::mem::take(&mut self.partial) {
            self.stats.done.add(1);
        }
        self.called(desk, flow, ticket, first, stamp)
    }

    /// What the call of a packet or set has come to: its result is in the collector from `first` on,
    /// or comes with the ticket.
    #[inline]
    pub(super) fn called(
        &mut self,
        desk: &mut Desk<'_>,
        flow: Flow,
        ticket: Option<Opened>,
        first: usize,
        stamp: Ticks,
    ) -> Result<Step> {
        if ticket.is_some() || !self.waiting.is_empty() {
            let outcome = ticket.is_none().then(|| Ok(Vec::new()));
            let early = desk.out.drain(first..).collect();
            let (reached, until, weight) = (self.reached, self.until(desk), self.weight);
            let tail = false;
            let waiting = Waiting { ticket, outcome, early, stamp, until, tail, reached, weight };
            self.waiting.push_back(waiting);
            return Ok(Step::Waits);
        }
        if self.any_broken {
            self.mark(&mut desk.out[first..]);
        }
        if let Flow::More | Flow::Wait(_) = flow {
            self.pauses(flow, desk);
            self.stage = Stage::Paused;
            return Ok(Step::More);
        }
        Ok(Step::Done)
    }

    /// Whether a packet may go straight to the node: nothing waits, and nothing is to be done first.
    #[inline]
    pub(crate) fn is_open_to(&self, packet: &Packet, lane: u16) -> bool {
        let port = self.port_of(lane);
        self.inbox.is_empty()
            && self.stage == Stage::Ready
            && self.direct
            && self.timed.is_empty()
            && !self.any_broken
            && !packet.is_discont()
            && self.formats[port].is_some_and(|known| known.is_of(packet))
    }

    /// Processes a packet that comes straight from the node before; see `is_open_to`.
    #[inline]
    pub(crate) fn pass(&mut self, desk: &mut Desk<'_>, lane: u16, packet: Packet) -> Result<Step> {
        let port = self.port_of(lane);
        self.lane = lane;
        self.stats.taken.add(1);
        self.clean = false;
        let flow = match self.call(desk, port, |node, cx| node.process(cx, packet)) {
            Ok(flow) => flow,
            Err(error) => {
                self.stats.failed.add(1);
                return Err(error);
            }
        };
        self.stats.done.add(1);
        match flow {
            Flow::Done => Ok(Step::Done),
            Flow::More | Flow::Wait(_) => {
                self.pauses(flow, desk);
                self.stage = Stage::Paused;
                Ok(Step::More)
            }
            Flow::Pending => Err(self.broke_contract("returned Pending without a ticket")),
        }
    }

    /// Notes that the node's input has come to the end of a packet.
    #[inline]
    pub(crate) fn reach(&mut self, packet: &Packet) {
        self.reached = packet.end().or(self.reached);
    }

    /// Goes on with a node that returned `More`; drives a source.
    pub(crate) fn resume(&mut self, desk: &mut Desk<'_>) -> Result<Step> {
        if let Stage::Retrying { tail } = self.stage {
            return self.try_again(desk, tail);
        }
        let first = desk.out.len();
        let flow = match self.call(desk, 0, |node, cx| node.resume(cx)) {
            Ok(flow) => flow,
            Err(error) => return self.recover(desk, error, Failed::Rest),
        };
        if flow == Flow::Pending || !desk.opened.is_empty() {
            return Err(self.broke_contract("opened a ticket where it can't wait"));
        }
        if self.any_broken {
            self.mark(&mut desk.out[first..]);
        }
        if self.pauses(flow, desk) {
            return Ok(Step::More);
        }
        if self.is_source {
            self.stage = Stage::Ended;
            return Ok(Step::Ended);
        }
        if self.stage == Stage::Draining {
            self.clean = true;
            self.close_gap();
        }
        self.stage = Stage::Ready;
        Ok(Step::Done)
    }

    /// Whether the node is to be resumed; notes when.
    pub(super) fn pauses(&mut self, flow: Flow, desk: &Desk<'_>) -> bool {
        self.wait = match flow {
            Flow::Wait(time) => desk.clock.after(time),
            _ => None,
        };
        matches!(flow, Flow::More | Flow::Wait(_))
    }

    /// Not before then may a source go on; `None`: at once.
    pub(crate) fn source_due(&self) -> Option<Nanos> {
        let paced = match self.pace {
            Pace::Since(at, media) => {
                Some(at.saturating_add((self.bound - media).nanos().max(0) as Nanos))
            }
            Pace::Free | Pace::Waiting => None,
        };
        paced.max(self.wait)
    }

    pub(super) fn call_drain(
        &mut self,
        desk: &mut Desk<'_>,
        call: impl FnOnce(&mut dyn AnyNode, &mut Context<'_>) -> Result<Flow>,
    ) -> Result<Flow> {
        let first = desk.out.len();
        let flow = match self.call(desk, 0, call) {
            Ok(flow) => flow,
            Err(error) => return self.drain_failed(desk, error),
        };
        let ticket = self.ticket_of(flow, desk)?;
        if ticket.is_some() {
            // Nothing else waits: the tail is its own place in the line.
            self.await_tail(desk, ticket, first, None);
            self.clean = true;
            return Ok(flow);
        }
        if self.any_broken {
            // The tail may be all that came since the last break.
            self.mark(&mut desk.out[first..]);
        }
        match flow {
            Flow::More | Flow::Wait(_) => {
                self.pauses(flow, desk);
                self.stage = Stage::Draining;
            }
            Flow::Done | Flow::Pending => self.clean = true,
        }
        Ok(flow)
    }

    /// Puts what is the result of no packet into the line: what is in the collector from `first` on,
    /// and what the ticket brings.
    pub(super) fn await_tail(
        &mut self,
        desk: &mut Desk<'_>,
        ticket: Option<Opened>,
        first: usize,
        reached: Option<MediaTime>,
    ) {
        let outcome = ticket.is_none().then(|| Ok(Vec::new()));
        let early = desk.out.drain(first..).collect();
        let (stamp, until, tail, weight) = (0, self.until(desk), true, 0);
        let waiting = Waiting { ticket, outcome, early, stamp, until, tail, reached, weight };
        self.waiting.push_back(waiting);
    }

    pub(super) fn call(
        &mut self,
        desk: &mut Desk<'_>,
        port: usize,
        work: impl FnOnce(&mut dyn AnyNode, &mut Context<'_>) -> Result<Flow>,
    ) -> Result<Flow> {
        let mut copied_bytes = 0;
        let first = desk.out.len();
        let mut cx = Context {
            out: &mut *desk.out,
            pool: desk.pool,
            port,
            lane: usize::from(self.lane),
            lanes: usize::from(self.lanes_in),
            advanced: &mut self.advanced,
            copied_bytes: &mut copied_bytes,
            tickets: self.opens.then_some(desk.tickets),
            opened: &mut *desk.opened,
            format: match self.ordered {
                true => self.formats.get(usize::from(self.lane)).and_then(Option::as_ref),
                false => self.formats.get(port).and_then(Option::as_ref),
            },
            news: &mut self.news,
        };
        let flow = work(&mut *self.node, &mut cx).map_err(|e| {
            // What a failed call emitted does not count.
            desk.out.truncate(first);
            desk.opened.clear();
            e.in_node(&*self.id)
        })?;
        if copied_bytes > 0 {
            self.stats.copied_bytes.add(copied_bytes);
        }
        Ok(flow)
    }

    /// The ticket that a call has opened, which must go with what it returned.
    pub(super) fn ticket_of(&self, flow: Flow, desk: &mut Desk<'_>) -> Result<Option<Opened>> {
        match (flow, desk.opened.pop()) {
            (Flow::Pending, None) => Err(self.broke_contract("returned Pending without a ticket")),
            (Flow::Done | Flow::More | Flow::Wait(_), Some(_)) => {
                Err(self.broke_contract("opened a ticket and did not return Pending"))
            }
            (_, ticket) => Ok(ticket),
        }
    }

    pub(super) fn check(&self, port: usize, format: &MediaFormat) -> Result<()> {
        self.inputs[port].check(format).map_err(|e| e.in_node(&*self.id))
    }

    /// Marks the first packet after a break, on each output.
    #[cold]
    pub(crate) fn mark(&mut self, emissions: &mut [Emission]) {
        for Emission { port, packet } in emissions {
            if let Some(broken) = self.broken.get_mut(*port) {
                packet.set_discont(packet.is_discont() || *broken);
                *broken = false;
            }
        }
        self.any_broken = self.broken.contains(&true);
    }

    /// Forgets everything inside. Params, formats and ends stay.
    pub(crate) fn reset(&mut self) {
        self.node.reset();
        self.forget_tickets();
        self.told.fill(NEVER);
        self.advanced.fill(NEVER);
        self.patience = None;
        self.arrived.clear();
        self.clean = true;
        self.partial = false;
        self.gap = false;
        self.finishing = false;
        self.broken.fill(true);
        self.any_broken = !self.broken.is_empty();
        self.reached = None;
        self.committed = None;
        self.bound = MediaTime::ZERO;
        self.wait = None;
        if self.pace != Pace::Free {
            self.pace = Pace::Waiting;
        }
        if self.stage != Stage::Ended {
            self.stage = Stage::Ready;
        }
        self.discard_changes();
    }

    /// Begins anew for another run.
    pub(crate) fn rewind(&mut self) {
        self.reset();
        self.stage = Stage::Ready;
        self.broken.fill(false);
        self.any_broken = false;
        self.open.copy_from_slice(&self.links_in);
        if let Some(join) = &mut self.join {
            join.rewind(|_, _| ());
        }
    }

    #[cold]
    pub(super) fn broke_contract(&self, what: &str) -> Error {
        Error::new(detail::NODE_CONTRACT, format!("the node {what}")).in_node(&*self.id)
    }
}
