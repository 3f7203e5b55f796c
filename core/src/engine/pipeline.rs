//! The pipeline: packets in, packets out, on the caller's thread.

use super::Engine;
use super::event::{Event, EventQueue, ParamsOutcome};
use super::input::{Input, Placed};
use super::life::{Epoch, Life, State};
use super::live::LiveParams;
use super::mail::Mail;
use super::queue::{Queue, Queued};
use super::runner::{Drive, Runner};
use super::stats::{DropReason, Histogram, LinkStats, NodeStats};
use super::turn::{Guard, Turn};
use super::wait::Wait;
use super::{clock, inside};
use crate::error::{Error, Result, detail};
use crate::graph::Graph;
use crate::packet::{MediaTime, Packet, Pool};
use serde_json::{Map, Value as Json};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// A running pipeline.
///
/// Everything runs on the threads that call it: `push` works a packet through the nodes, `pull`
/// also drives sources. All calls may come from any thread at any time; nobody waits for another
/// caller's work except in a `pull` or `close` with a timeout. Dropping it cancels it.
pub struct Pipeline {
    pub(crate) shared: Arc<Shared>,
}

/// What a pull came to.
#[derive(Debug)]
pub enum Pull<'a> {
    /// A packet, and the name of the output that it came from.
    Packet(&'a str, Packet),
    /// Everything was pulled, nothing more will come.
    End,
    /// There is nothing now, and waiting longer would not help: this is what to do.
    Idle(Reason),
}

impl Pull<'_> {
    /// The packet, if there is one.
    pub fn packet(self) -> Option<Packet> {
        match self {
            Self::Packet(_, packet) => Some(packet),
            _ => None,
        }
    }
}

/// Why nothing goes on (rule S3). With no ticket open, some push or some pull then succeeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// These inputs want packets, or their end. Empty: nothing does.
    Need(PortSet),
    /// This output is full (index into [`Pipeline::outputs`]): pull it.
    Full(usize),
    /// This node (index into the graph's nodes) has work under way elsewhere; it will wake us.
    InFlight(usize),
    /// Another thread is running the pipeline.
    Busy,
}

/// A few ports by index. Those above 63 share one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PortSet(u64);

impl PortSet {
    pub(crate) fn insert(&mut self, port: usize) {
        self.0 |= 1 << port.min(63);
    }

    /// Whether it holds that port.
    pub fn contains(self, port: usize) -> bool {
        self.0 & (1 << port.min(63)) != 0
    }

    /// Whether it holds none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The ports, in order.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..64).filter(move |p| self.contains(*p))
    }
}

/// Why a packet was not taken, and the packet.
#[derive(Debug)]
pub enum PushError {
    /// The input's queue is full. Pull, then push again.
    Full(Packet),
    /// The packet or the call is not right; it stays with the caller.
    Refused(Packet, Error),
    /// The packet was taken, and while it was worked on the pipeline failed.
    Failed(Error),
}

impl PushError {
    /// The packet, unless it was taken.
    pub fn into_packet(self) -> Option<Packet> {
        match self {
            Self::Full(packet) | Self::Refused(packet, _) => Some(packet),
            Self::Failed(_) => None,
        }
    }
}

impl From<PushError> for Error {
    fn from(error: PushError) -> Self {
        match error {
            PushError::Full(_) => Error::new(detail::FLOW_FULL, "the input's queue is full")
                .with_hint("pull results, then push again"),
            PushError::Refused(_, error) | PushError::Failed(error) => error,
        }
    }
}

impl std::fmt::Display for PushError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Full(_) => f.write_str("the input's queue is full"),
            Self::Refused(_, error) | Self::Failed(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for PushError {}

/// How a `close` went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// Every node has delivered its tail.
    Drained,
    /// The deadline came first; what was left is dropped.
    Cut,
}

pub(crate) struct Output {
    pub(crate) name: Arc<str>,
    pub(crate) queue: Queue,
    pub(crate) ended: bool,
}

/// What all threads see of a pipeline.
pub(crate) struct Shared {
    pub(crate) graph: Graph,
    pub(crate) pool: Pool,
    pub(crate) memory_limit: u64,
    pub(crate) life: Life,
    turn: Turn<Runner>,
    inputs: Vec<Mutex<Input>>,
    /// Packets and ends that wait at the inputs.
    pub(crate) backlog: AtomicUsize,
    arrivals: AtomicU64,
    outputs: Mutex<Vec<Output>>,
    output_names: Vec<Arc<str>>,
    /// Per output: whether its queue holds back the work that leads to it.
    pub(crate) blocked: Vec<AtomicBool>,
    /// Per output: from push to output, in ticks.
    pub(crate) latency: Vec<OnceLock<Box<Histogram>>>,
    /// Edges first, then inputs, then outputs.
    pub(crate) links: Vec<LinkStats>,
    /// Per edge: packets that wait, as the runner last counted them.
    pub(crate) queued: Vec<AtomicU64>,
    pub(crate) any_queued: AtomicBool,
    pub(crate) nodes: Vec<Arc<NodeStats>>,
    pub(crate) mail: Arc<Mail>,
    pub(crate) live: LiveParams,
    events: Mutex<EventQueue>,
    error: OnceLock<Error>,
    pub(crate) finished: AtomicBool,
    pub(crate) rewinding: AtomicBool,
    /// Sources are to end before they are done.
    pub(crate) stopping: AtomicBool,
    pub(crate) wait: Arc<Wait>,
    pub(crate) created: Instant,
}

impl Shared {
    pub(crate) fn input(&self, index: usize) -> MutexGuard<'_, Input> {
        lock(&self.inputs[index])
    }

    /// An input in the current epoch: what a reset has made stale is dropped.
    pub(crate) fn input_now(&self, index: usize) -> MutexGuard<'_, Input> {
        let mut input = self.input(index);
        let epoch = self.life.epoch();
        if input.epoch != epoch {
            let count = input.begin(epoch, &self.links[self.input_link(index)]);
            self.backlog.fetch_sub(count as usize, Ordering::AcqRel);
        }
        input
    }

    pub(crate) fn outputs(&self) -> MutexGuard<'_, Vec<Output>> {
        lock(&self.outputs)
    }

    pub(crate) fn input_link(&self, input: usize) -> usize {
        self.graph.edges.len() + input
    }

    pub(crate) fn output_link(&self, output: usize) -> usize {
        self.graph.edges.len() + self.graph.inputs.len() + output
    }

    /// Name of a link in metrics and events.
    pub(crate) fn link_name(&self, link: usize) -> String {
        let end = |node: usize, port: &str| format!("{}.{port}", self.graph.nodes[node].id);
        if let Some(edge) = self.graph.edges.get(link) {
            let from = &self.graph.nodes[edge.from.node].ports.outputs[edge.from.port];
            let to = &self.graph.nodes[edge.to.node].ports.inputs[edge.to.port];
            return format!("{} → {}", end(edge.from.node, from.name), end(edge.to.node, to.name));
        }
        let rest = link - self.graph.edges.len();
        match self.graph.inputs.get(rest) {
            Some(input) => format!("input {}", input.name),
            None => format!("output {}", self.graph.outputs[rest - self.graph.inputs.len()].name),
        }
    }

    pub(crate) fn has_output(&self, which: Option<usize>) -> bool {
        let outputs = self.outputs();
        match which {
            Some(index) => !outputs[index].queue.is_empty(),
            None => outputs.iter().any(|o| !o.queue.is_empty()),
        }
    }

    /// Whether something has come that the runner must see before it goes on.
    #[inline]
    pub(crate) fn wants_attention(&self, epoch: Epoch) -> bool {
        let (state, current) = self.life.get();
        state.is_terminal() || current != epoch || self.mail.is_pending() || self.live.is_pending()
    }

    pub(crate) fn event(&self, event: Event) {
        lock(&self.events).push(event);
    }

    /// Counts a dropped packet and tells of it.
    pub(crate) fn drop(&self, link: usize, reason: DropReason, packet: &Packet) {
        self.links[link].drop(reason, super::queue::duration_ns(packet));
        self.drop_event(link, reason, 1);
    }

    pub(crate) fn drop_event(&self, link: usize, reason: DropReason, count: u64) {
        self.event(Event::Dropped { link: self.link_name(link).into(), reason, count });
    }

    /// Runs what can run. `None`: another thread is at it and will look again. When it came to a
    /// stop, `after` looks at the runner before the turn is given back.
    fn run<R>(&self, drive: Drive, after: impl Fn(&mut Runner) -> R) -> Option<R> {
        Some(self.run_with(self.turn.enter()?, drive, after))
    }

    /// As [`run`](Self::run), for who has the turn already.
    fn run_with<R>(
        &self,
        mut guard: Guard<'_, Runner>,
        drive: Drive,
        after: impl Fn(&mut Runner) -> R,
    ) -> R {
        let _inside = inside::enter(self);
        let mut asked = false;
        loop {
            let (result, worked) = guard.with(|runner| {
                let done = catch_unwind(AssertUnwindSafe(|| runner.run(self, drive)));
                let error = match done {
                    Ok(Ok(())) => None,
                    Ok(Err(error)) => Some(error),
                    Err(panic) => {
                        let id = &self.graph.nodes[runner.current].id;
                        Some(panic_error(&*panic).in_node(id.as_str()))
                    }
                };
                if let Some(error) = error {
                    self.fail(error);
                    // Once more, to let go of everything.
                    let _ = catch_unwind(AssertUnwindSafe(|| runner.run(self, drive)));
                }
                (after(runner), runner.take_worked())
            });
            match guard.finish() {
                None => {
                    // Where nothing was done and nobody was sent away nothing has changed: telling
                    // of it would wake those who wait for a ticket, the caller first, without end.
                    if worked || asked {
                        self.wait.notify();
                    }
                    return result;
                }
                Some(again) => (guard, asked) = (again, true),
            }
        }
    }

    /// The pipeline is over: a node failed.
    fn fail(&self, error: Error) {
        if self.error.set(error.clone()).is_ok() && self.life.advance(State::Failed) {
            self.event(Event::Error(error));
            self.event(Event::State(State::Failed));
            self.wait.notify();
        }
    }

    /// Drops what waits at the outputs.
    fn clear_outputs(&self, reason: DropReason) {
        let mut outputs = self.outputs();
        for (index, output) in outputs.iter_mut().enumerate() {
            let link = self.output_link(index);
            let count = output.queue.clear(reason, &self.links[link]);
            self.blocked[index].store(false, Ordering::Relaxed);
            if count > 0 && reason != DropReason::Reset {
                self.drop_event(link, reason, count);
            }
        }
    }

    /// Why no call but a few has a meaning any more; `None` while there is a meaning.
    fn over(&self, state: State) -> Option<Error> {
        match state {
            State::Running | State::Closing => None,
            State::Closed => Some(Error::new(detail::STATE_CLOSED, "the pipeline is closed")),
            State::Cancelled => {
                Some(Error::new(detail::STATE_CANCELLED, "the pipeline was cancelled"))
            }
            State::Failed => Some(match self.error.get() {
                Some(error) => error.clone(),
                None => Error::new(detail::STATE_FAILED, "the pipeline has failed"),
            }),
        }
    }
}

impl Pipeline {
    /// Makes a pipeline: its nodes are created here.
    ///
    /// # Errors
    /// What keeps a node from being made, e.g. a file that isn't there.
    pub fn new(engine: &Engine, graph: Graph) -> Result<Self> {
        let nodes = graph
            .nodes
            .iter()
            .map(|n| n.node_type.create(&n.params).map_err(|e| e.in_node(n.id.as_str())));
        let nodes = nodes.collect::<Result<Vec<_>>>()?;
        let wait = Arc::new(Wait::default());
        let mail = Arc::new(Mail::new(wait.clone()));
        let runner = Runner::new(&graph, nodes, mail.clone());
        let inputs = graph.inputs.iter().map(|endpoint| {
            let caps = &graph.nodes[endpoint.port.node].ports.inputs[endpoint.port.port].caps;
            Mutex::new(Input::new(endpoint, caps.clone()))
        });
        let outputs: Vec<Output> = graph
            .outputs
            .iter()
            .map(|endpoint| Output {
                name: endpoint.name.as_str().into(),
                queue: Queue::new(endpoint.queue),
                ended: false,
            })
            .collect();
        let links = graph.edges.len() + graph.inputs.len() + outputs.len();
        let shared = Shared {
            pool: engine.pool().clone(),
            memory_limit: engine.memory_limit(),
            life: Life::new(),
            nodes: runner.node_stats(),
            turn: Turn::new(runner),
            inputs: inputs.collect(),
            backlog: AtomicUsize::new(0),
            arrivals: AtomicU64::new(1),
            output_names: outputs.iter().map(|o| o.name.clone()).collect(),
            blocked: outputs.iter().map(|_| AtomicBool::new(false)).collect(),
            latency: outputs.iter().map(|_| OnceLock::new()).collect(),
            outputs: Mutex::new(outputs),
            links: (0..links).map(|_| LinkStats::default()).collect(),
            queued: graph.edges.iter().map(|_| AtomicU64::new(0)).collect(),
            any_queued: AtomicBool::new(false),
            mail,
            live: LiveParams::new(&graph),
            events: Mutex::new(EventQueue::default()),
            error: OnceLock::new(),
            finished: AtomicBool::new(false),
            rewinding: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            wait,
            created: Instant::now(),
            graph,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The graph that it runs.
    pub fn graph(&self) -> &Graph {
        &self.shared.graph
    }

    /// Names of the inputs.
    pub fn inputs(&self) -> impl ExactSizeIterator<Item = &str> {
        self.shared.graph.inputs.iter().map(|i| i.name.as_str())
    }

    /// Names of the outputs.
    pub fn outputs(&self) -> impl ExactSizeIterator<Item = &str> {
        self.shared.output_names.iter().map(|name| &**name)
    }

    /// Pushes a packet into the only input.
    ///
    /// # Errors
    /// As [`push_to`](Self::push_to).
    pub fn push(&self, packet: impl Into<Packet>) -> Result<(), PushError> {
        let packet = packet.into();
        match self.only_input() {
            Ok(index) => self.push_index(index, packet),
            Err(error) => Err(PushError::Refused(packet, error)),
        }
    }

    /// Pushes a packet into an input and works it through the nodes as far as the outputs have
    /// room. Never waits: a full input refuses the packet at once (`try_push` is the same call).
    ///
    /// # Errors
    /// [`PushError`]; the packet comes back unless it was taken.
    ///
    /// # Real-time
    /// rt-safe after warm-up if all nodes are, except where another thread holds the input's or
    /// outputs' lock for the moment of handing over a packet.
    pub fn push_to(&self, input: &str, packet: impl Into<Packet>) -> Result<(), PushError> {
        let packet = packet.into();
        match self.input_index(input) {
            Ok(index) => self.push_index(index, packet),
            Err(error) => Err(PushError::Refused(packet, error)),
        }
    }

    /// The same as [`push`](Self::push), which never waits.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn try_push(&self, packet: impl Into<Packet>) -> Result<(), PushError> {
        self.push(packet)
    }

    fn push_index(&self, index: usize, mut packet: Packet) -> Result<(), PushError> {
        let shared = &*self.shared;
        if let Err(error) = inside::check(shared) {
            return Err(PushError::Refused(packet, error));
        }
        let mut made_room = false;
        let mut input = loop {
            if let Some(error) = shared.over(shared.life.state()) {
                return Err(PushError::Refused(packet, error));
            }
            let input = shared.input_now(index);
            if input.ended {
                let message = format!("input '{}' has ended", input.name);
                let error = Error::new(detail::STATE_ENDED, message).at_port(&*input.name);
                return Err(PushError::Refused(packet, error));
            }
            if !input.queue.level.blocks() {
                break input;
            }
            drop(input);
            if made_room {
                return Err(PushError::Full(packet));
            }
            made_room = true;
            shared.run(Drive::Pushed, |_| ());
        };
        if shared.pool.live_bytes() > shared.memory_limit {
            let limit = shared.memory_limit;
            let error = Error::new(
                detail::LIMIT_MEMORY,
                format!("packets hold more than the engine's memory limit of {limit} bytes"),
            )
            .with_hint("release results, or raise the engine's memory limit");
            return Err(PushError::Refused(packet, error));
        }
        let link = shared.input_link(index);
        match input.admit(&mut packet, &shared.links[link]) {
            Ok(Placed::InTime) => {}
            Ok(Placed::Jump(expected, found)) => {
                let input = input.name.clone();
                shared.event(Event::Discontinuity { input, expected, found });
            }
            Ok(Placed::Dropped) => {
                shared.drop_event(link, DropReason::Late, 1);
                return Ok(());
            }
            Err(error) => return Err(PushError::Refused(packet, error)),
        }
        let (stamp, epoch) = (clock::now(), input.epoch);
        // The direct way: nothing waits here and nobody has the turn, so the packet need not queue.
        if input.queue.is_empty()
            && let Some(mut guard) = shared.turn.enter()
        {
            if guard.with(|runner| runner.can_take(shared, index, epoch)) {
                input.queue.pass(&packet, &shared.links[link]);
                drop(input);
                guard.with(|runner| runner.take(index, packet, stamp));
                shared.run_with(guard, Drive::Pushed, |_| ());
                return self.pushed();
            }
            // What others asked for in between is done by the run below.
            drop(guard);
        }
        let queued =
            Queued { packet, epoch, stamp, seq: shared.arrivals.fetch_add(1, Ordering::Relaxed) };
        let waiting = input.queue.len();
        let dropped = input.queue.push(queued, &shared.links[link]);
        // What a lossy policy dropped no longer waits.
        let more = input.queue.len() as isize - waiting as isize;
        if more >= 0 {
            shared.backlog.fetch_add(more as usize, Ordering::AcqRel);
        } else {
            shared.backlog.fetch_sub(more.unsigned_abs(), Ordering::AcqRel);
        }
        drop(input);
        if let Some(reason) = dropped {
            shared.drop_event(link, reason, 1);
        }
        shared.run(Drive::Pushed, |_| ());
        self.pushed()
    }

    /// What a push came to whose packet was taken.
    fn pushed(&self) -> Result<(), PushError> {
        match self.shared.life.state() {
            State::Failed => {
                let error = self.shared.over(State::Failed);
                Err(PushError::Failed(error.expect("a failed pipeline has an error")))
            }
            _ => Ok(()),
        }
    }

    /// Pulls the next packet of any output, in the order in which they were emitted. Waits up to
    /// `timeout` where something other than the caller can still bring one: a ticket, or another
    /// thread that runs the pipeline.
    ///
    /// # Errors
    /// Once the pipeline is over: why. After a failure the packets from before it come first.
    pub fn pull(&self, timeout: Duration) -> Result<Pull<'_>> {
        self.pull_until(None, Some(timeout))
    }

    /// As [`pull`](Self::pull), from one output.
    ///
    /// # Errors
    /// As `pull`; also when there is no such output.
    pub fn pull_from(&self, output: &str, timeout: Duration) -> Result<Pull<'_>> {
        self.pull_until(Some(self.output_index(output)?), Some(timeout))
    }

    /// Pulls without waiting.
    ///
    /// # Errors
    /// As [`pull`](Self::pull).
    pub fn try_pull(&self) -> Result<Pull<'_>> {
        self.pull(Duration::ZERO)
    }

    fn pull_until(&self, which: Option<usize>, timeout: Option<Duration>) -> Result<Pull<'_>> {
        let mut deadline = None;
        loop {
            let seen = self.shared.wait.seen();
            match self.pull_now(which)? {
                Pull::Idle(reason @ (Reason::InFlight(_) | Reason::Busy)) => {
                    if timeout == Some(Duration::ZERO) {
                        return Ok(Pull::Idle(reason));
                    }
                    // The clock is read only once there is something to wait for.
                    let begin = |t| Instant::now().checked_add(t);
                    deadline = deadline.or_else(|| timeout.and_then(begin));
                    if !self.shared.wait.until(seen, deadline) {
                        return Ok(Pull::Idle(reason));
                    }
                }
                pulled => return Ok(pulled),
            }
        }
    }

    /// Pulls without waiting, from the output of that index or any.
    pub(crate) fn pull_now(&self, which: Option<usize>) -> Result<Pull<'_>> {
        let shared = &*self.shared;
        inside::check(shared)?;
        if let Some(pull) = self.take_output(which) {
            return Ok(pull);
        }
        let reason = match shared.over(shared.life.state()) {
            None => shared.run(Drive::Until(which), |runner| runner.reason(shared, which)),
            Some(_) => None,
        };
        if let Some(pull) = self.take_output(which) {
            return Ok(pull);
        }
        if let Some(error) = shared.over(shared.life.state()) {
            return Err(error);
        }
        let outputs = shared.outputs();
        let ended = match which {
            Some(index) => outputs[index].ended,
            None => shared.finished.load(Ordering::Acquire),
        };
        Ok(if ended { Pull::End } else { Pull::Idle(reason.unwrap_or(Reason::Busy)) })
    }

    fn take_output(&self, which: Option<usize>) -> Option<Pull<'_>> {
        let shared = &*self.shared;
        let epoch = shared.life.epoch();
        let mut outputs = shared.outputs();
        let mut next = None;
        for (index, output) in outputs.iter_mut().enumerate() {
            if which.is_some_and(|w| w != index) {
                continue;
            }
            if output.queue.front().is_some_and(|q| q.epoch < epoch) {
                let link = &shared.links[shared.output_link(index)];
                output.queue.drop_before(epoch, DropReason::Reset, link);
            }
            if let Some(front) = output.queue.front()
                && next.is_none_or(|(seq, _)| front.seq < seq)
            {
                next = Some((front.seq, index));
            }
        }
        let (_, index) = next?;
        let queue = &mut outputs[index].queue;
        let queued = queue.pop(&shared.links[shared.output_link(index)])?;
        let blocks = queue.level.blocks();
        let freed = !blocks && shared.blocked[index].swap(blocks, Ordering::Relaxed);
        drop(outputs);
        if freed {
            shared.wait.notify();
        }
        Some(Pull::Packet(&shared.output_names[index], queued.packet))
    }

    /// Runs whatever can run, sources included, until the outputs are full or there is nothing
    /// left to do. Pulls nothing. Says why it stopped.
    ///
    /// # Errors
    /// Once the pipeline is over: why.
    pub fn advance(&self) -> Result<Reason> {
        let shared = &*self.shared;
        inside::check(shared)?;
        let reason = shared.run(Drive::All, |runner| runner.reason(shared, None));
        match shared.over(shared.life.state()) {
            Some(error) => Err(error),
            None => Ok(reason.unwrap_or(Reason::Busy)),
        }
    }

    /// Ends all inputs, pulls everything to the end and hands it to `each`, with the output's name.
    ///
    /// # Errors
    /// Why the pipeline failed, or the error that `each` gave; the pipeline then stays as it is.
    pub fn run(&self, mut each: impl FnMut(&str, Packet) -> Result<()>) -> Result<()> {
        self.end()?;
        loop {
            match self.pull_until(None, None)? {
                Pull::Packet(output, packet) => each(output, packet)?,
                Pull::End => return Ok(()),
                // Not reached: all inputs have ended and no output is left unpulled.
                Pull::Idle(_) => {}
            }
        }
    }

    /// Ends all inputs: nothing more will be pushed. The tails come with the next pulls, then the
    /// end.
    ///
    /// # Errors
    /// Once the pipeline is over: why.
    pub fn end(&self) -> Result<()> {
        inside::check(&self.shared)?;
        (0..self.shared.inputs.len()).for_each(|index| self.end_index(index));
        self.settle()
    }

    /// As [`end`](Self::end), and ends the sources too, wherever they are: a run that is to stop
    /// early, with everything that has come so far delivered.
    ///
    /// # Errors
    /// Once the pipeline is over: why.
    pub fn stop(&self) -> Result<()> {
        inside::check(&self.shared)?;
        self.shared.stopping.store(true, Ordering::Release);
        self.end()
    }

    /// Ends one input. Ending it again does nothing.
    ///
    /// # Errors
    /// When there is no such input; once the pipeline is over: why.
    pub fn end_input(&self, input: &str) -> Result<()> {
        let index = self.input_index(input)?;
        inside::check(&self.shared)?;
        self.end_index(index);
        self.settle()
    }

    fn end_index(&self, index: usize) {
        let mut input = self.shared.input(index);
        if !input.ended {
            input.ended = true;
            self.shared.backlog.fetch_add(1, Ordering::AcqRel);
        }
    }

    fn settle(&self) -> Result<()> {
        let shared = &*self.shared;
        if let Some(error) = shared.over(shared.life.state()) {
            return Err(error);
        }
        shared.run(Drive::Pushed, |_| ());
        match shared.life.state() {
            State::Failed => Err(shared.over(State::Failed).expect("it has an error")),
            _ => Ok(()),
        }
    }

    /// Ends all inputs and works everything off, waiting for open tickets up to `timeout`. From
    /// now on a full output drops what comes (`closed`), so that writers on other branches finish.
    /// To get every result: `end`, pull to the end, then `close`.
    ///
    /// # Errors
    /// Once the pipeline is over: why.
    pub fn close(&self, timeout: Duration) -> Result<Closed> {
        let shared = &*self.shared;
        inside::check(shared)?;
        if let Some(closed) = self.closed() {
            return closed;
        }
        if shared.life.advance(State::Closing) {
            shared.event(Event::State(State::Closing));
        }
        {
            // Under the lock, so that the runner does not block an output again that it has looked
            // at before.
            let _outputs = shared.outputs();
            shared.blocked.iter().for_each(|b| b.store(false, Ordering::Relaxed));
        }
        (0..shared.inputs.len()).for_each(|index| self.end_index(index));
        let deadline = Instant::now().checked_add(timeout);
        let outcome = loop {
            let seen = shared.wait.seen();
            shared.run(Drive::All, |_| ());
            if let Some(closed) = self.closed() {
                return closed;
            }
            if shared.finished.load(Ordering::Acquire) {
                break Closed::Drained;
            }
            if !shared.wait.until(seen, deadline) {
                break Closed::Cut;
            }
        };
        if shared.life.advance(State::Closed) {
            shared.run(Drive::Pushed, |_| ());
            shared.clear_outputs(DropReason::Closed);
            shared.event(Event::State(State::Closed));
            shared.wait.notify();
        }
        Ok(outcome)
    }

    /// What a `close` comes to that finds the pipeline over.
    fn closed(&self) -> Option<Result<Closed>> {
        let shared = &*self.shared;
        let error = shared.over(shared.life.state())?;
        Some(match shared.life.state() {
            State::Closed if self.is_finished() => Ok(Closed::Drained),
            State::Closed => Ok(Closed::Cut),
            _ => Err(error),
        })
    }

    /// Stops at once. Never waits: a node that runs on another thread finishes its call, and that
    /// thread lets go of everything.
    pub fn cancel(&self) {
        let shared = &*self.shared;
        if shared.life.advance(State::Cancelled) {
            shared.event(Event::State(State::Cancelled));
            shared.clear_outputs(DropReason::Cancelled);
            if inside::check(shared).is_ok() {
                shared.run(Drive::Pushed, |_| ());
            }
            shared.wait.notify();
        }
    }

    /// Forgets everything inside, at once: queues, the nodes' state, open tickets. Params, ends
    /// and formats stay; sources begin again. Gives the epoch that begins. Never waits: what was
    /// emitted before is never pulled, and a push after it belongs to the new epoch.
    ///
    /// # Errors
    /// Once the pipeline is over: why.
    pub fn reset(&self) -> Result<u32> {
        self.begin_epoch(false)
    }

    fn begin_epoch(&self, rewind: bool) -> Result<u32> {
        let shared = &*self.shared;
        inside::check(shared)?;
        let Some(epoch) = shared.life.next_epoch() else {
            let state = shared.life.state();
            return Err(shared.over(state).expect("only terminal states have no next epoch"));
        };
        for index in 0..shared.inputs.len() {
            let mut input = shared.input_now(index);
            if rewind {
                (input.ended, input.end_taken) = (false, false);
            }
        }
        {
            let mut outputs = shared.outputs();
            for (index, output) in outputs.iter_mut().enumerate() {
                let link = &shared.links[shared.output_link(index)];
                output.queue.drop_before(epoch, DropReason::Reset, link);
                shared.blocked[index].store(output.queue.level.blocks(), Ordering::Relaxed);
            }
        }
        shared.run(Drive::Pushed, |_| ());
        shared.wait.notify();
        Ok(epoch)
    }

    /// Makes a finished pipeline ready for another run: inputs are open again, sources begin at
    /// their start.
    ///
    /// # Errors
    /// `state.not_finished` while it still runs; once the pipeline is over: why.
    pub fn rewind(&self) -> Result<()> {
        let shared = &*self.shared;
        inside::check(shared)?;
        if let Some(error) = shared.over(shared.life.state()) {
            return Err(error);
        }
        if !shared.finished.swap(false, Ordering::AcqRel) {
            let message = "only a pipeline that has come to its end can be rewound";
            return Err(Error::new(detail::STATE_NOT_FINISHED, message)
                .with_hint("end its inputs and pull to the end first"));
        }
        shared.outputs().iter_mut().for_each(|output| output.ended = false);
        shared.stopping.store(false, Ordering::Release);
        shared.rewinding.store(true, Ordering::Release);
        // The inputs open in the new epoch: what comes before it would meet nodes that have ended.
        self.begin_epoch(true).map(|_| ())
    }

    /// Sets live params of a node, at the next border between two packets. `values` is an object
    /// of those that change. Gives a number; exactly one [`Event::Params`] with it will say what
    /// became of it.
    ///
    /// # Errors
    /// When there is no such node, or a value is not one that can be set now; nothing is set then.
    pub fn set_params(&self, node: &str, values: &Map<String, Json>) -> Result<u64> {
        self.change(node, values, None)
    }

    /// As [`set_params`](Self::set_params), in force from the sample at `at` of the node's input
    /// on: audio is cut there, so that it does not matter how it is chunked.
    ///
    /// # Errors
    /// As `set_params`.
    pub fn set_params_at(
        &self,
        node: &str,
        values: &Map<String, Json>,
        at: MediaTime,
    ) -> Result<u64> {
        self.change(node, values, Some(at))
    }

    fn change(&self, node: &str, values: &Map<String, Json>, at: Option<MediaTime>) -> Result<u64> {
        let shared = &*self.shared;
        inside::check(shared)?;
        let nodes = &shared.graph.nodes;
        let Some(index) = nodes.iter().position(|n| n.id == node) else {
            let ids: Vec<_> = nodes.iter().map(|n| n.id.as_str()).collect();
            let message = format!("there is no node '{node}'");
            return Err(Error::new(detail::ARGUMENT_UNKNOWN_NODE, message)
                .with_hint(format!("the nodes are {}", ids.join(", "))));
        };
        let (seq, superseded) = shared.live.set(&nodes[index], index, values, at)?;
        let id: Arc<str> = node.into();
        for seq in superseded {
            let outcome = ParamsOutcome::Superseded;
            shared.event(Event::Params { seq, node: id.clone(), outcome });
        }
        shared.run(Drive::Pushed, |_| ());
        Ok(seq)
    }

    /// The next event, oldest first.
    pub fn event(&self) -> Option<Event> {
        lock(&self.shared.events).pop()
    }

    /// What it is doing.
    pub fn state(&self) -> State {
        self.shared.life.state()
    }

    /// Whether all inputs have ended, all sources are done and every node has delivered its tail.
    /// Results may still wait to be pulled.
    pub fn is_finished(&self) -> bool {
        self.shared.finished.load(Ordering::Acquire)
    }

    /// Media time that the sources have reached; `None` without sources, and while another thread
    /// runs the pipeline.
    pub fn position(&self) -> Option<MediaTime> {
        if inside::check(&self.shared).is_err() {
            return None;
        }
        self.shared.run(Drive::Pushed, |runner| runner.position()).flatten()
    }

    fn only_input(&self) -> Result<usize> {
        match self.shared.inputs.len() {
            1 => Ok(0),
            n => {
                let names: Vec<_> = self.inputs().collect();
                let message = format!("the pipeline has {n} inputs: {}", names.join(", "));
                Err(Error::new(detail::ARGUMENT_AMBIGUOUS_PORT, message)
                    .with_hint("name the input"))
            }
        }
    }

    fn input_index(&self, name: &str) -> Result<usize> {
        self.inputs()
            .position(|n| n == name)
            .ok_or_else(|| unknown_port("input", name, &self.inputs().collect::<Vec<_>>()))
    }

    pub(crate) fn output_index(&self, name: &str) -> Result<usize> {
        self.outputs()
            .position(|n| n == name)
            .ok_or_else(|| unknown_port("output", name, &self.outputs().collect::<Vec<_>>()))
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        self.cancel();
    }
}

impl std::fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pipeline({:?}, {})", self.shared.graph.name, self.state().name())
    }
}

fn unknown_port(what: &str, name: &str, names: &[&str]) -> Error {
    let hint = match names {
        [] => format!("the pipeline has no {what}"),
        names => format!("its {what}s are {}", names.join(", ")),
    };
    Error::new(detail::ARGUMENT_UNKNOWN_PORT, format!("there is no {what} '{name}'"))
        .at_port(name)
        .with_hint(hint)
}

fn panic_error(panic: &(dyn std::any::Any + Send)) -> Error {
    let text = panic
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    Error::new(detail::NODE_PANICKED, format!("the node panicked: {text}"))
}

/// Locks; a panic elsewhere leaves nothing half-done behind these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
