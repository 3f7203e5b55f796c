//! The pipeline: packets in, packets out, on the caller's thread.

use super::Engine;
use super::answer::{Pull, PushError, Reason, interrupted};
use super::entry::Entry;
use super::event::{Event, EventQueue};
use super::input::{Input, Placed};
use super::life::{Life, State};
use super::live::LiveParams;
use super::mail::Mail;
use super::queue::{Queue, Queued};
use super::runner::{Drive, Runner};
use super::segment::Segment;
use super::shared::{Output, Outputs, Shared, Way, panic_error};
use super::stats::{DropReason, LinkStats};
use super::time::Instant;
use super::{guard, inside, ticks};
use crate::error::{Error, Result, detail};
use crate::graph::{Graph, GraphNode, Lane};
use crate::node::{AnyNode, Join};
use crate::packet::{MediaTime, Packet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

/// A running pipeline.
///
/// Everything runs on the threads that call it: `push` works a packet through the nodes, `pull`
/// also drives sources. All calls may come from any thread at any time; nobody waits for another
/// caller's work except in a `pull` or `close` with a timeout. Dropping it cancels it.
pub struct Pipeline {
    pub(crate) shared: Arc<Shared>,
}

impl Pipeline {
    /// Makes a pipeline: its nodes are created here.
    ///
    /// # Errors
    /// What keeps a node from being made, e.g. a file that isn't there.
    pub fn new(engine: &Engine, mut graph: Graph) -> Result<Self> {
        let scheduler = engine.inner.scheduler.clone();
        let watches = guard::put(&mut graph, &scheduler.clock, || scheduler.seed());
        let watchers = watches.iter().flatten().map(|_| Lane::Blocking);
        let lanes = graph.segments.iter().copied().filter(|lane| *lane != Lane::Caller);
        for lane in lanes.chain(watchers) {
            scheduler.start(lane).map_err(|e| no_thread(lane, &e))?;
        }
        let mut nodes: Vec<Vec<_>> = graph.segments.iter().map(|_| Vec::new()).collect();
        for node in &graph.nodes {
            nodes[node.segment].push(create(node)?);
        }
        let mut stats: Vec<_> = graph.nodes.iter().map(|_| Arc::default()).collect();
        let segment = |(index, nodes)| {
            let mail = Arc::new(Mail::new());
            let runner = Runner::new(&graph, index, nodes, mail.clone());
            runner.tell_stats(&mut stats);
            Segment::new(graph.segments[index], runner, mail, watches[index].clone())
        };
        let segments: Vec<Segment> = nodes.into_iter().enumerate().map(segment).collect();
        let (entries, ways) = entries(&graph);
        let outputs: Vec<Output> = graph
            .outputs
            .iter()
            .map(|endpoint| Output {
                name: endpoint.name.as_str().into(),
                queue: Queue::new(endpoint.queue),
                ended: false,
                hit: graph.nodes[endpoint.port.node].hit,
                pulled: None,
            })
            .collect();
        let links = graph.edges.len() + graph.inputs.len() + outputs.len();
        let borders = entries.len() - graph.inputs.len();
        let shared = Shared::new(|me, ready| Shared {
            me,
            ready,
            name: graph.name.as_str().into(),
            log: engine.inner.log.clone(),
            pool: engine.pool().clone(),
            memory_limit: engine.memory_limit(),
            scheduler,
            life: Life::new(),
            inline: graph.segments.iter().position(|lane| *lane == Lane::Caller),
            segments,
            nodes: stats,
            entries,
            ways,
            arrivals: AtomicU64::new(1),
            output_names: outputs.iter().map(|o| o.name.clone()).collect(),
            blocked: (0..outputs.len() + borders).map(|_| AtomicBool::new(false)).collect(),
            latency: outputs.iter().map(|_| OnceLock::new()).collect(),
            outputs: Mutex::new(Outputs { list: outputs, seq: 0 }),
            links: (0..links).map(|_| LinkStats::default()).collect(),
            queued: graph.edges.iter().map(|_| AtomicU64::new(0)).collect(),
            live: LiveParams::new(&graph),
            events: Mutex::new(EventQueue::default()),
            news: AtomicBool::new(false),
            error: OnceLock::new(),
            finished: AtomicBool::new(false),
            ended: AtomicUsize::new(0),
            settling: Mutex::default(),
            has_joins: graph.nodes.iter().any(|n| n.ports.join != Join::Any),
            started: AtomicBool::new(false),
            watched: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            at_work: AtomicUsize::new(0),
            worked: AtomicU64::new(0),
            wait: Arc::default(),
            created: Instant::now(),
            graph,
        });
        for (index, segment) in shared.segments.iter().enumerate() {
            segment.mail.belongs_to(Arc::downgrade(&shared), index);
            if let Some(watch) = &segment.watch {
                watch.belongs_to(Arc::downgrade(&shared), index);
            }
        }
        Ok(Self { shared })
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

    /// As [`push_to`](Self::push_to), into the input of that index.
    ///
    /// # Errors
    /// As `push_to`.
    pub fn push_at(&self, input: usize, packet: Packet) -> Result<(), PushError> {
        match self.shared.graph.inputs.len() {
            inputs if input < inputs => self.push_index(input, packet),
            _ => Err(PushError::Refused(packet, self.no_port("input", input))),
        }
    }

    /// As [`push_at`](Self::push_at), and waits up to `timeout` for room, where something other than
    /// the caller can still make it: workers, a ticket, a timer.
    ///
    /// # Errors
    /// As `push_at`; `Interrupted` when an interrupt or reset came meanwhile that hits the input.
    pub fn push_within(
        &self,
        input: usize,
        packet: Packet,
        timeout: Duration,
    ) -> Result<(), PushError> {
        let deadline = self.shared.scheduler.clock.after(timeout);
        let (epoch, mut packet) = (self.epoch(), packet);
        loop {
            let seen = self.shared.wait.seen();
            packet = match self.push_at(input, packet) {
                Err(PushError::Full(packet)) => packet,
                pushed => return pushed,
            };
            if self.has_forgotten(input, epoch) {
                return Err(PushError::Interrupted(packet));
            }
            let helps =
                matches!(self.why_full(), Ok(Reason::InFlight(_) | Reason::Due(_) | Reason::Busy));
            if !helps || !self.shared.wait_until(seen, deadline) {
                return Err(PushError::Full(packet));
            }
        }
    }

    /// The epoch: how many resets and interrupts there have been.
    pub fn epoch(&self) -> u32 {
        self.shared.life.epochs().now
    }

    /// Whether an interrupt or reset since that epoch has made the pipeline forget what came to an
    /// input.
    pub fn has_forgotten(&self, input: usize, epoch: u32) -> bool {
        let graph = &self.shared.graph;
        let hit = graph.inputs.get(input).is_some_and(|i| graph.nodes[i.port.node].hit);
        self.shared.life.epochs().forget(epoch, hit)
    }

    fn push_index(&self, index: usize, mut packet: Packet) -> Result<(), PushError> {
        let shared = &*self.shared;
        if let Err(error) = inside::check(shared) {
            return Err(PushError::Refused(packet, error));
        }
        let way = shared.ways[index];
        let mut made_room = shared.inline != Some(way.to);
        let mut entry = loop {
            if let Some(error) = shared.over(shared.life.state()) {
                return Err(PushError::Refused(packet, error));
            }
            let entry = shared.entry_now(index);
            if entry.ended {
                let name = &*shared.graph.inputs[index].name;
                return Err(PushError::Refused(packet, ended(name)));
            }
            if !entry.queue.level.blocks() {
                break entry;
            }
            drop(entry);
            if made_room {
                return Err(PushError::Full(packet));
            }
            made_room = true;
            shared.run(Drive::Pushed);
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
        let stats = &shared.links[way.link];
        let placed = match &mut entry.input {
            Some(input) => input.admit(&mut packet, stats),
            None => Ok(Placed::InTime),
        };
        match placed {
            Ok(Placed::InTime) => {}
            Ok(Placed::Jump(expected, found)) => {
                let input = shared.graph.inputs[index].name.as_str().into();
                shared.event(Event::Discontinuity { input, expected, found });
            }
            Ok(Placed::Dropped) => {
                drop(entry);
                shared.drop_event(way.link, DropReason::Late, 1);
                shared.tell();
                return Ok(());
            }
            Err(error) => return Err(PushError::Refused(packet, error)),
        }
        let (stamp, epochs) = (ticks::now(), entry.epochs);
        // The direct way: nothing waits here and nobody has the turn, so the packet need not queue.
        if shared.inline == Some(way.to)
            && entry.queue.is_empty()
            && let Some(mut guard) = shared.segments[way.to].turn.enter()
        {
            if guard.with(|runner| runner.can_take(shared, index, epochs)) {
                entry.queue.pass(&packet, stats);
                drop(entry);
                guard.with(|runner| runner.take(shared, index, packet, stamp));
                shared.run_with(guard, Drive::Pushed);
                return self.pushed();
            }
            // What others asked for in between is done by the run below.
            drop(guard);
        }
        let seq = shared.arrivals.fetch_add(1, Ordering::Relaxed);
        let queued = Queued { packet, epoch: epochs.now, stamp, seq };
        let dropped = shared.enqueue(index, &mut entry, queued);
        drop(entry);
        if let Some(reason) = dropped {
            shared.drop_event(way.link, reason, 1);
        }
        if shared.inline == Some(way.to) {
            shared.run(Drive::Pushed);
        } else {
            shared.wake(way.to);
        }
        self.pushed()
    }

    /// What a push came to whose packet was taken.
    fn pushed(&self) -> Result<(), PushError> {
        self.shared.tell();
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

    /// As [`pull`](Self::pull), from the output of that index.
    ///
    /// # Errors
    /// As `pull`; also when there is no such output.
    pub fn pull_at(&self, output: usize, timeout: Duration) -> Result<Pull<'_>> {
        if output >= self.shared.output_names.len() {
            return Err(self.no_port("output", output));
        }
        self.pull_until(Some(output), Some(timeout))
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
                Pull::Idle(reason @ (Reason::InFlight(_) | Reason::Due(_) | Reason::Busy)) => {
                    if timeout == Some(Duration::ZERO) {
                        return Ok(Pull::Idle(reason));
                    }
                    // The clock is read only once there is something to wait for.
                    let begin = |time| self.shared.scheduler.clock.after(time);
                    deadline = deadline.or_else(|| timeout.and_then(begin));
                    if !self.shared.wait_until(seen, deadline) {
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
        let state = shared.life.state();
        let reason = match shared.over(state) {
            None => self.drive(Drive::Until(which), which),
            Some(_) => Reason::Busy,
        };
        if let Some(pull) = self.take_output(which) {
            return Ok(pull);
        }
        if let Some(error) = shared.over(shared.life.state()) {
            return Err(error);
        }
        let outputs = shared.outputs();
        let ended = match which {
            Some(index) => outputs.list[index].ended && outputs.list[index].queue.is_empty(),
            None => {
                shared.finished.load(Ordering::Acquire)
                    && outputs.list.iter().all(|o| o.queue.is_empty())
            }
        };
        Ok(if ended { Pull::End } else { Pull::Idle(reason) })
    }

    /// Runs what can run on this thread, lets sources run that workers drive, and says why nothing
    /// goes on.
    pub(super) fn drive(&self, drive: Drive, which: Option<usize>) -> Reason {
        let shared = &*self.shared;
        if !shared.started.load(Ordering::Relaxed) {
            shared.start();
        }
        loop {
            let seen = shared.wait.seen();
            if !shared.run(drive) {
                return Reason::Busy;
            }
            match shared.reason(which) {
                Reason::Busy => return Reason::Busy,
                // A worker may have left something for this thread after it had looked.
                reason if shared.segments.len() > 1 && shared.wait.seen() != seen => {
                    if shared.has_output(which) {
                        return reason;
                    }
                }
                Reason::Need(_) | Reason::Full(_) if shared.relieve() => {}
                reason => return reason,
            }
        }
    }

    /// Says that nothing before `until` will come into an input: what waits for it at a join goes on.
    /// A packet that is pushed afterwards without a time begins there, after a break.
    ///
    /// # Errors
    /// When there is no such input, or it has ended; once the pipeline is over: why.
    pub fn gap(&self, input: &str, until: MediaTime) -> Result<()> {
        let index = self.input_index(input)?;
        let shared = &*self.shared;
        inside::check(shared)?;
        if let Some(error) = shared.over(shared.life.state()) {
            return Err(error);
        }
        let mut entry = shared.entry_now(index);
        if entry.ended {
            return Err(ended(input));
        }
        if !entry.input.as_mut().is_some_and(|input| input.advance(until)) {
            return Ok(());
        }
        let to = shared.ways[index].to;
        let new = entry.gap.replace(until).is_none();
        shared.segments[to].backlog.fetch_add(usize::from(new), Ordering::AcqRel);
        drop(entry);
        match shared.inline == Some(to) {
            true => _ = shared.run(Drive::Pushed),
            false => shared.wake(to),
        }
        shared.tell();
        match shared.life.state() {
            State::Failed => Err(shared.over(State::Failed).expect("it has an error")),
            _ => Ok(()),
        }
    }

    fn take_output(&self, which: Option<usize>) -> Option<Pull<'_>> {
        let shared = &*self.shared;
        let mut held = shared.outputs();
        // Read under the lock: who begins an epoch goes through the outputs afterwards.
        let epochs = shared.life.epochs();
        let (outputs, bin) = held.parts();
        let mut next = None;
        for (index, output) in outputs.list.iter_mut().enumerate() {
            if which.is_some_and(|w| w != index) {
                continue;
            }
            if output.queue.front().is_some_and(|q| epochs.forget(q.epoch, output.hit)) {
                let link = &shared.links[shared.output_link(index)];
                output.queue.forget(epochs, output.hit, link, bin);
            }
            if let Some(front) = output.queue.front()
                && next.is_none_or(|(seq, _)| front.seq < seq)
            {
                next = Some((front.seq, index));
            }
        }
        let (_, index) = next?;
        let output = &mut outputs.list[index];
        let queued = output.queue.pop(&shared.links[shared.output_link(index)])?;
        output.pulled = queued.packet.pts().or(output.pulled);
        let blocks = output.queue.level.blocks();
        let freed = !blocks && shared.blocked[index].swap(blocks, Ordering::Relaxed);
        drop(held);
        if freed {
            shared.wake(shared.feeder(index));
        }
        Some(Pull::Packet(&shared.output_names[index], queued.packet))
    }

    /// Why an input stays full: what would make room. Drives no sources.
    ///
    /// # Errors
    /// When called from inside a node.
    pub fn why_full(&self) -> Result<Reason> {
        let shared = &*self.shared;
        inside::check(shared)?;
        Ok(match shared.run(Drive::Pushed) {
            true => shared.reason(None),
            false => Reason::Busy,
        })
    }

    /// Runs whatever can run, sources included, until the outputs are full or there is nothing
    /// left to do. Pulls nothing. Says why it stopped: `Busy` while workers run. A simulated engine
    /// runs what is ready on all its pipelines; its time does not move.
    ///
    /// # Errors
    /// Once the pipeline is over: why.
    pub fn advance(&self) -> Result<Reason> {
        let shared = &*self.shared;
        inside::check(shared)?;
        let mut reason = self.drive(Drive::All, None);
        while shared.scheduler.step() {
            reason = self.drive(Drive::All, None);
        }
        match shared.over(shared.life.state()) {
            Some(error) => Err(error),
            None => Ok(reason),
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
                Pull::Idle(reason) => return Err(interrupted(reason)),
            }
        }
    }

    /// Index of the only input.
    ///
    /// # Errors
    /// `argument.ambiguous_port` when there is not just one.
    pub fn only_input(&self) -> Result<usize> {
        match self.shared.graph.inputs.len() {
            1 => Ok(0),
            n => {
                let names: Vec<_> = self.inputs().collect();
                let message = format!("the pipeline has {n} inputs: {}", names.join(", "));
                Err(Error::new(detail::ARGUMENT_AMBIGUOUS_PORT, message)
                    .with_hint("name the input"))
            }
        }
    }

    pub(super) fn no_port(&self, what: &str, index: usize) -> Error {
        let names: Vec<_> =
            if what == "input" { self.inputs().collect() } else { self.outputs().collect() };
        unknown_port(what, &index.to_string(), &names)
    }

    /// Index of an input.
    ///
    /// # Errors
    /// When there is no such input.
    pub fn input_index(&self, name: &str) -> Result<usize> {
        self.inputs()
            .position(|n| n == name)
            .ok_or_else(|| unknown_port("input", name, &self.inputs().collect::<Vec<_>>()))
    }

    /// Index of an output.
    ///
    /// # Errors
    /// When there is no such output.
    pub fn output_index(&self, name: &str) -> Result<usize> {
        self.outputs()
            .position(|n| n == name)
            .ok_or_else(|| unknown_port("output", name, &self.outputs().collect::<Vec<_>>()))
    }
}

/// What leads into the segments: the inputs, then the connections between segments.
fn entries(graph: &Graph) -> (Vec<Mutex<Entry>>, Vec<Way>) {
    let (mut entries, mut ways) = (Vec::new(), Vec::new());
    for (index, endpoint) in graph.inputs.iter().enumerate() {
        let node = &graph.nodes[endpoint.port.node];
        let input = Input::new(endpoint, node.ports.inputs[endpoint.port.port].caps.clone());
        let queue = Queue::new(endpoint.queue);
        entries.push(Mutex::new(Entry::new(queue, node.hit, Some(input))));
        let link = graph.edges.len() + index;
        ways.push(Way { link, from: None, to: node.segment, exit: usize::MAX });
    }
    for (link, edge) in graph.edges.iter().enumerate().filter(|(_, edge)| graph.is_border(edge)) {
        let (from, to) = (&graph.nodes[edge.from.node], &graph.nodes[edge.to.node]);
        let exit = graph.outputs.len() + entries.len() - graph.inputs.len();
        entries.push(Mutex::new(Entry::new(Queue::new(edge.queue), to.hit, None)));
        ways.push(Way { link, from: Some(from.segment), to: to.segment, exit });
    }
    (entries, ways)
}

fn ended(input: &str) -> Error {
    Error::new(detail::STATE_ENDED, format!("input '{input}' has ended")).at_port(input)
}

fn no_thread(lane: Lane, error: &std::io::Error) -> Error {
    let message = format!("the system gives no thread for the lane '{}': {error}", lane.name());
    Error::new(detail::LIMIT_THREADS, message)
        .with_hint("place the nodes inline, or raise the limit of threads")
}

/// Makes one node. A panic in it is that node's error.
fn create(spec: &GraphNode) -> Result<Box<dyn AnyNode>> {
    catch_unwind(AssertUnwindSafe(|| spec.node_type.create(&spec.params)))
        .unwrap_or_else(|panic| Err(panic_error(&*panic)))
        .map_err(|e| e.in_node(spec.id.as_str()))
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
