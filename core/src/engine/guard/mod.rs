//! The guard: what stands between the engine and a node whose errors do something else than end the
//! pipeline (rule S13). Retry, restart, fallback, breaker and panics are all here.
//!
//! To the engine a guard is a node. It passes calls on, and keeps those that can be made again until
//! their results are out. When a call fails, or the result of a ticket is an error, the engine asks
//! [`Guard::recover`] what to do: the packet is lost, or the call is to be made again after a while,
//! by `resume`, or it is the end. The engine counts and tells, and lets nothing pass meanwhile.

mod breaker;
mod decide;
mod instance;
mod kind;
mod watch;
mod work;

use super::clock::{Clock, Nanos};
use super::event::{BreakerState, Recovery};
use crate::error::{Error, Result, detail};
use crate::graph::{Graph, Policy};
use crate::node::testing::Random;
use crate::node::{AnyNode, Context, Emission, Flow, MediaFormat};
use crate::packet::{MediaTime, Packet};
use breaker::{Breaker, Gate};
use instance::Instance;
use kind::{Guarded, Prepared};
use serde_json::{Map, Value as Json};
use std::any::Any;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use watch::Watched;
pub(crate) use watch::{Look, Watch};
use work::{Kept, Who, Work};

/// Puts guards around those nodes of a graph that ask for them. Gives, per segment, the watch over
/// its calls, where any has to be back in time.
pub(crate) fn put(
    graph: &mut Graph,
    clock: &Arc<Clock>,
    seed: impl Fn() -> u64,
) -> Vec<Option<Arc<Watch>>> {
    let mut watches = vec![None; graph.segments.len()];
    for (index, node) in graph.nodes.iter_mut().enumerate() {
        if node.on_error.is_plain() {
            continue;
        }
        let deadline = node.on_error.deadline.filter(|_| matches!(**clock, Clock::Machine(_)));
        let watched = deadline.map(|time| {
            let watch = watches[node.segment].get_or_insert_with(|| Arc::new(Watch::new()));
            (Arc::clone(watch), index, Nanos::try_from(time.as_nanos()).unwrap_or(Nanos::MAX))
        });
        node.node_type = Arc::new(Guarded {
            inner: Arc::clone(&node.node_type),
            on_error: node.on_error.clone(),
            clock: Arc::clone(clock),
            seed: seed(),
            watched,
        });
    }
    watches
}

/// What a failure comes to.
pub(crate) enum Verdict {
    /// It is the end of the pipeline.
    Fail(Error),
    /// The packet is lost; the stream goes on with a break.
    Lose {
        /// The node begins anew: nothing is inside.
        anew: bool,
        /// Up to where nothing will come.
        until: Option<MediaTime>,
    },
    /// The call is to be made again, by `resume`, after so long a time.
    Again(Duration),
}

/// What a guard has to tell.
pub(crate) enum Note {
    /// What it did about an error; without one, the other node has taken a packet as the breaker is
    /// open.
    Recovered(Recovery, Option<Error>),
    Breaker(BreakerState),
}

/// A guarded node.
pub(crate) struct Guard {
    policy: Policy,
    retry_safe: bool,
    /// Results come later.
    tickets: bool,
    first: Instance,
    second: Option<Instance>,
    breaker: Option<Breaker>,
    /// Per input port, the format of the stream.
    formats: Vec<Option<MediaFormat>>,
    /// What the last `configure` said. It is the error of the packet that comes with the format.
    unready: Option<Error>,
    /// Calls whose results are not out, in the order of the inputs. That of a failed call stays until
    /// `recover`.
    line: VecDeque<Kept>,
    /// The first of the line has failed and is to be made again.
    again: bool,
    /// The node that has the stream: whose tail comes at a break.
    active: Who,
    /// The node that was called last: the one to be resumed.
    last: Who,
    /// Output ports whose next packet is a break, as bits.
    broken: u64,
    restarts: VecDeque<Nanos>,
    generation: u32,
    clock: Arc<Clock>,
    watched: Option<Watched>,
    random: Random,
    notes: Vec<Note>,
}

impl Guard {
    fn new(spec: &Guarded, params: &Map<String, Json>) -> Result<Self> {
        let descriptor = spec.inner.descriptor();
        let second = match &spec.on_error.policy {
            Policy::Fallback(other) => {
                Some(Instance::new(Arc::clone(&other.node_type), other.params.clone())?)
            }
            _ => None,
        };
        Ok(Self {
            policy: spec.on_error.policy.clone(),
            retry_safe: descriptor.retry_safe,
            tickets: descriptor.max_in_flight > 0,
            first: Instance::new(Arc::clone(&spec.inner), params.clone())?,
            second,
            breaker: spec.on_error.breaker.map(Breaker::new),
            formats: vec![None; descriptor.inputs.len()],
            unready: None,
            line: VecDeque::new(),
            again: false,
            active: Who::First,
            last: Who::First,
            broken: 0,
            restarts: VecDeque::new(),
            generation: 0,
            clock: Arc::clone(&spec.clock),
            watched: spec.watched.clone().map(|(watch, node, time)| Watched { watch, node, time }),
            random: Random::new(spec.seed),
            notes: Vec::new(),
        })
    }

    /// What it has to tell, in order.
    pub(crate) fn take_notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.notes)
    }

    /// The result of the ticket at the head of the line is out, and good.
    pub(crate) fn commit(&mut self) {
        if let Some(kept) = self.line.pop_front() {
            self.succeeded(kept.who, kept.probe);
        }
    }

    fn of(&mut self, who: Who) -> &mut Instance {
        match (who, &mut self.second) {
            (Who::Second, Some(second)) => second,
            _ => &mut self.first,
        }
    }

    /// Changes the breaker, if there is one, and notes what that does.
    fn with_breaker<T>(&mut self, change: impl FnOnce(&mut Breaker) -> T) -> Option<T> {
        let breaker = self.breaker.as_mut()?;
        let before = breaker.state();
        let result = change(breaker);
        if breaker.state() != before {
            self.notes.push(Note::Breaker(breaker.state()));
        }
        Some(result)
    }

    fn is_source(&self) -> bool {
        self.formats.is_empty()
    }

    fn succeeded(&mut self, who: Who, probe: bool) {
        if who == Who::First {
            self.with_breaker(|breaker| breaker.succeeded(probe));
        }
    }

    /// Makes a call for the first time.
    fn begin(&mut self, cx: &mut Context<'_>, work: Work) -> Result<Flow> {
        let keep = match &self.policy {
            Policy::Retry(_) => work.clone(),
            Policy::Fallback(_) if work.is_input() => work.clone(),
            _ => Work::Gone,
        };
        let who = match work {
            Work::Packet(_) | Work::Set(_) => Who::First,
            Work::Resume => self.last,
            _ => self.active,
        };
        let kept = Kept {
            work: keep,
            port: cx.port,
            lane: cx.lane,
            input: work.is_input(),
            end: work.end(),
            who,
            tries: 0,
            probe: false,
            refused: false,
            generation: self.generation,
            error: None,
        };
        self.make(cx, kept, work, false)
    }

    /// Delivers the tail. A node that is yet to be made has none.
    fn tail(&mut self, cx: &mut Context<'_>, work: Work) -> Result<Flow> {
        if !self.of(self.active).is_there() {
            return Ok(Flow::Done);
        }
        self.begin(cx, work)
    }

    /// Makes a call. It joins the line, at its head or end, unless it is over and good.
    fn make(
        &mut self,
        cx: &mut Context<'_>,
        mut kept: Kept,
        work: Work,
        head: bool,
    ) -> Result<Flow> {
        let result = self.pass(cx, &mut kept, work);
        *cx.news |= !self.notes.is_empty();
        if matches!(result, Ok(flow) if flow != Flow::Pending) {
            return result;
        }
        match head {
            true => self.line.push_front(kept),
            false => self.line.push_back(kept),
        }
        result
    }

    /// Calls a node, if the breaker lets it; at the break between the two nodes it sees to their
    /// tails.
    fn pass(&mut self, cx: &mut Context<'_>, kept: &mut Kept, work: Work) -> Result<Flow> {
        let unready = self.unready.take();
        if kept.who == Who::First && (kept.input || self.is_source()) {
            self.ask_breaker(kept)?;
        }
        if kept.who == Who::First
            && let Some(error) = unready
        {
            return Err(error);
        }
        self.last = kept.who;
        if kept.who == Who::Second && self.active == Who::First && !self.tickets {
            // What was inside when it failed is lost.
            self.first.reset();
            (self.active, self.broken) = (Who::Second, u64::MAX);
        }
        let (start, gone) = (cx.out.len(), !self.of(kept.who).is_there());
        self.begin_watch();
        let Self { first, second, formats, .. } = self;
        let instance = match (kept.who, second) {
            (Who::Second, Some(second)) => second,
            _ => first,
        };
        let format = formats.get(kept.port).and_then(Option::as_ref);
        let mut at = Context {
            out: &mut *cx.out,
            pool: cx.pool,
            port: kept.port,
            lane: kept.lane,
            lanes: cx.lanes,
            advanced: &mut *cx.advanced,
            copied_bytes: &mut *cx.copied_bytes,
            tickets: cx.tickets,
            opened: &mut *cx.opened,
            format,
            news: &mut *cx.news,
        };
        let result = instance.call(&mut at, formats, work);
        if gone {
            self.broken = u64::MAX;
        }
        self.end_watch()?;
        let flow = result?;
        if flow != Flow::Pending {
            self.succeeded(kept.who, kept.probe);
        }
        if kept.who == Who::First && self.active == Who::Second && !self.tickets {
            self.come_back(cx, start);
        }
        if self.broken != 0 {
            self.mark(&mut cx.out[start..]);
        }
        Ok(flow)
    }

    /// A call begins that may have to be back in time.
    fn begin_watch(&self) {
        if let Some(Watched { watch, node, time }) = &self.watched {
            watch.begin(&self.clock, *node, *time);
        }
    }

    /// It is over.
    ///
    /// # Errors
    /// It is too late: the pipeline has failed meanwhile.
    fn end_watch(&self) -> Result<()> {
        match &self.watched {
            Some(watched) if !watched.watch.end() => {
                Err(Error::new(detail::NODE_HUNG, "the call came back after its deadline"))
            }
            _ => Ok(()),
        }
    }

    /// Whether the first node may be called; if not, the other one is.
    fn ask_breaker(&mut self, kept: &mut Kept) -> Result<()> {
        let clock = self.clock.clone();
        match self.with_breaker(|breaker| breaker.ask(|| clock.now())) {
            None | Some(Gate::Open) => {}
            Some(Gate::Probe) => kept.probe = true,
            Some(Gate::Shut(_)) if self.second.is_some() => {
                kept.who = Who::Second;
                self.notes.push(Note::Recovered(Recovery::FellBack, None));
            }
            Some(Gate::Shut(_)) => {
                kept.refused = true;
                let message = "the node has failed too often and is left alone for a while";
                return Err(Error::new(detail::NODE_BREAKER_OPEN, message));
            }
        }
        Ok(())
    }

    /// The first node has the stream again: the tail of the one that stood in goes out before what
    /// it has just given.
    fn come_back(&mut self, cx: &mut Context<'_>, start: usize) {
        (self.active, self.broken) = (Who::First, u64::MAX);
        let given = cx.out.split_off(start);
        let Some(second) = &mut self.second else { return };
        let mut work = Work::Drain;
        loop {
            match second.call(cx, &self.formats, work) {
                Ok(Flow::More | Flow::Wait(_)) => work = Work::Resume,
                Ok(_) => break,
                Err(_) => {
                    cx.out.truncate(start);
                    second.reset();
                    break;
                }
            }
        }
        let tail = cx.out.len();
        cx.out.extend(given);
        self.mark(&mut cx.out[tail..]);
    }

    /// Marks the first packet after a break, on each output.
    fn mark(&mut self, emissions: &mut [Emission]) {
        for Emission { port, packet } in emissions {
            let bit = 1u64.checked_shl(*port as u32).unwrap_or(0);
            if self.broken & bit != 0 {
                packet.set_discont(true);
                self.broken &= !bit;
            }
        }
    }
}

impl AnyNode for Guard {
    fn configure(&mut self, cx: &mut Context<'_>, port: usize, format: &MediaFormat) -> Result<()> {
        self.formats[port] = Some(*format);
        self.first.forget_format(port);
        self.second.iter_mut().for_each(|second| second.forget_format(port));
        if self.first.is_there() {
            self.begin_watch();
            self.unready = self.first.be_ready(cx, &self.formats).err();
            self.end_watch()?;
        }
        Ok(())
    }

    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        self.begin(cx, Work::Packet(packet))
    }

    fn join(&mut self, cx: &mut Context<'_>, set: &mut [Option<Packet>]) -> Result<Flow> {
        let set = set.iter_mut().map(Option::take).collect();
        self.begin(cx, Work::Set(set))
    }

    fn advance(&mut self, cx: &mut Context<'_>, until: MediaTime) -> Result<Flow> {
        self.begin(cx, Work::Advance(until))
    }

    fn resume(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
        if !std::mem::take(&mut self.again) {
            return self.begin(cx, Work::Resume);
        }
        let Some(mut kept) = self.line.pop_front() else { return Ok(Flow::Done) };
        kept.generation = self.generation;
        let work = kept.work.clone();
        self.make(cx, kept, work, true)
    }

    fn drain(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
        self.tail(cx, Work::Drain)
    }

    fn finish(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
        // The one that does not have the stream has nothing to give, but may have something to close.
        let other = match (self.active, &mut self.second) {
            (Who::First, Some(second)) => second,
            (Who::First, None) => return self.tail(cx, Work::Finish),
            (Who::Second, _) => &mut self.first,
        };
        let start = cx.out.len();
        if other.is_there() {
            // Its errors concern nobody.
            let _ = other.call(cx, &self.formats, Work::Finish);
            cx.out.truncate(start);
            cx.opened.clear();
        }
        self.tail(cx, Work::Finish)
    }

    fn reset(&mut self) {
        self.first.reset();
        self.second.iter_mut().for_each(Instance::reset);
        self.line.clear();
        self.again = false;
        (self.active, self.last) = (Who::First, Who::First);
        self.broken = 0;
        self.with_breaker(Breaker::forget);
    }

    fn set_params(&mut self, prepared: Box<dyn Any + Send>) {
        if let Ok(prepared) = prepared.downcast::<Prepared>() {
            self.first.set_params(prepared.params, prepared.inner);
        }
    }

    fn latency(&self) -> MediaTime {
        let second = self.second.as_ref().map_or(MediaTime::ZERO, Instance::latency);
        self.first.latency().max(second)
    }
}
