//! What all threads see of a pipeline, and how they run it.

use super::answer::{PortSet, Reason};
use super::clock::Nanos;
use super::entry::Entry;
use super::epochs::Settling;
use super::event::{Event, EventQueue};
use super::guard::Look;
use super::held::Held;
use super::inside;
use super::life::{Epochs, Life, State};
use super::live::LiveParams;
use super::log::Log;
use super::queue::{Queue, Queued};
use super::routes::Dest;
use super::runner::{Drive, Runner};
use super::scheduler::{By, Scheduler};
use super::segment::Segment;
use super::stats::{DropReason, Histogram, LinkStats, NodeStats};
use super::time::Instant;
use super::turn::Guard;
use super::wait::Wait;
use super::workers::Ready;
use crate::error::{Error, detail};
use crate::graph::{Graph, Lane};
use crate::packet::{MediaTime, Packet, Pool};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

#[repr(C)]
pub(crate) struct Output {
    pub(crate) queue: Queue,
    pub(crate) ended: bool,
    /// Whether interrupts hit it.
    pub(crate) hit: bool,
    /// Time of the last packet that was pulled.
    pub(crate) pulled: Option<MediaTime>,
    pub(crate) name: Arc<str>,
}

/// All outputs. They have one lock, which makes one order of what comes out.
pub(crate) struct Outputs {
    pub(crate) list: Vec<Output>,
    /// Packets that have come out.
    pub(crate) seq: u64,
}

/// What all threads see of a pipeline. What every packet needs comes first, so that it lies in few lines
/// of the cache.
#[repr(C, align(64))]
pub(crate) struct Shared {
    pub(crate) life: Life,
    pub(crate) memory_limit: u64,
    pub(crate) pool: Pool,
    pub(crate) scheduler: Arc<Scheduler>,
    pub(crate) wait: Arc<Wait>,
    pub(super) arrivals: AtomicU64,
    /// The segment that the calling threads run, if there is one.
    pub(super) inline: Option<usize>,
    pub(crate) segments: Box<[Segment]>,
    /// The pipeline's inputs, then the connections between segments.
    pub(super) entries: Box<[Mutex<Entry>]>,
    /// Per entry.
    pub(crate) ways: Box<[Way]>,
    /// Connections first, then inputs, then outputs.
    pub(crate) links: Box<[LinkStats]>,
    /// Outputs, then connections between segments: whether the queue holds back the work that leads
    /// to it.
    pub(crate) blocked: Box<[AtomicBool]>,
    /// Per output: from push to output, in ticks.
    pub(crate) latency: Box<[Histogram]>,
    pub(super) outputs: Mutex<Outputs>,
    pub(super) output_names: Box<[Arc<str>]>,
    /// Itself.
    pub(super) me: Weak<Self>,
    pub(super) has_joins: bool,
    /// There are events that nobody was told of.
    pub(super) news: AtomicBool,
    /// Sources that workers drive may begin.
    pub(crate) started: AtomicBool,
    /// Whether anybody waits in other ways than by a call.
    pub(super) watched: AtomicBool,
    /// Sources are to end before they are done.
    pub(crate) stopping: AtomicBool,
    pub(crate) finished: AtomicBool,
    pub(crate) live: LiveParams,
    pub(crate) graph: Graph,
    // From here on: what few packets need.
    pub(super) name: Arc<str>,
    pub(super) log: Arc<Log>,
    /// Per lane with workers.
    pub(super) ready: [Mutex<Ready>; 3],
    /// Per connection within a segment: packets that wait, as its runner last counted them.
    pub(crate) queued: Vec<AtomicU64>,
    pub(crate) nodes: Vec<Arc<NodeStats>>,
    pub(super) events: Mutex<EventQueue>,
    pub(super) error: OnceLock<Error>,
    /// Segments all of whose nodes have ended.
    pub(crate) ended: AtomicUsize,
    pub(super) settling: Mutex<Settling>,
    /// Segments that workers run or are to run.
    pub(crate) at_work: AtomicUsize,
    /// Time that workers have spent on it, in ticks.
    pub(crate) worked: AtomicU64,
    pub(crate) created: Instant,
}

/// Where an entry comes from and leads to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way {
    /// Index of its counters.
    pub(crate) link: usize,
    /// The segment that it leads from; `None`: from outside.
    pub(crate) from: Option<usize>,
    /// The segment that it leads into.
    pub(crate) to: usize,
    /// Connections between segments: index into `blocked`.
    pub(crate) exit: usize,
}

impl Shared {
    /// Makes it; `make` is given what it will know itself by.
    pub(super) fn new(make: impl FnOnce(Weak<Self>, [Mutex<Ready>; 3]) -> Self) -> Arc<Self> {
        Arc::new_cyclic(|me| make(me.clone(), Default::default()))
    }

    pub(crate) fn entry(&self, index: usize) -> Held<'_, Entry> {
        Held::new(lock(&self.entries[index]))
    }

    /// An entry in the current epoch: what is forgotten is dropped.
    pub(crate) fn entry_now(&self, index: usize) -> Held<'_, Entry> {
        let mut held = self.entry(index);
        let epochs = self.life.epochs();
        if held.epochs != epochs {
            self.bring(index, &mut held, epochs);
        }
        held
    }

    /// Brings an entry into an epoch.
    #[cold]
    fn bring(&self, index: usize, held: &mut Held<'_, Entry>, epochs: Epochs) {
        let (entry, bin) = held.parts();
        let way = self.ways[index];
        let count = entry.come(epochs, &self.links[way.link], bin);
        if count > 0 {
            self.segments[way.to].backlog.fetch_sub(count as usize, Ordering::AcqRel);
            self.freed(index, entry);
        }
    }

    /// Says that an entry has less in it than before: who leads into it may go on.
    pub(crate) fn freed(&self, index: usize, entry: &Entry) {
        let way = self.ways[index];
        if let Some(from) = way.from
            && !entry.queue.level.blocks()
            && self.blocked[way.exit].swap(false, Ordering::AcqRel)
        {
            self.wake_later(from);
        }
    }

    /// As [`wake`](Self::wake), where a lock is held: whoever waits is told afterwards.
    fn wake_later(&self, segment: usize) {
        match self.segments[segment].lane {
            Lane::Caller => self.news.store(true, Ordering::Release),
            _ => self.wake(segment),
        }
    }

    /// Sees to it that a segment is run: by a worker, or by whoever waits for the pipeline.
    pub(crate) fn wake(&self, segment: usize) {
        let Segment { lane, turn, .. } = &self.segments[segment];
        if *lane == Lane::Caller {
            self.wait.notify();
        } else if turn.ask()
            && let Some(me) = self.me.upgrade()
        {
            // Before it can run and rest again.
            self.at_work.fetch_add(1, Ordering::SeqCst);
            self.scheduler.queue(*lane, me, segment);
        }
    }

    /// As [`wake`](Self::wake), unless the calling threads run the segment.
    pub(crate) fn wake_worker(&self, segment: usize) {
        if self.segments[segment].lane != Lane::Caller {
            self.wake(segment);
        }
    }

    /// As [`wake`](Self::wake), every segment that workers run.
    pub(crate) fn wake_workers(&self) {
        (0..self.segments.len()).for_each(|segment| self.wake_worker(segment));
    }

    /// The segment that leads to an output.
    pub(super) fn feeder(&self, output: usize) -> usize {
        self.graph.nodes[self.graph.outputs[output].port.node].segment
    }

    /// Lets the sources begin that workers drive.
    #[cold]
    pub(super) fn start(&self) {
        if !self.started.swap(true, Ordering::AcqRel) {
            self.wake_workers();
        }
    }

    /// Queues a packet before a segment and counts it. Gives the drop that the policy led to.
    pub(super) fn enqueue(
        &self,
        index: usize,
        held: &mut Held<'_, Entry>,
        queued: Queued,
    ) -> Option<DropReason> {
        let (entry, bin) = held.parts();
        let Way { link, to, exit, .. } = self.ways[index];
        let waiting = entry.queue.len() + usize::from(entry.gap.take().is_some());
        let dropped = entry.queue.push(queued, &self.links[link], bin);
        // What a lossy policy dropped no longer waits.
        let more = entry.queue.len() as isize - waiting as isize;
        let backlog = &self.segments[to].backlog;
        if more >= 0 {
            backlog.fetch_add(more as usize, Ordering::AcqRel);
        } else {
            backlog.fetch_sub(more.unsigned_abs(), Ordering::AcqRel);
        }
        if let Some(blocked) = self.blocked.get(exit) {
            blocked.store(entry.queue.level.blocks(), Ordering::Release);
        }
        dropped
    }

    /// Its segments that are ready on a lane. Only who has the lane's lock may ask.
    pub(super) fn ready_on(&self, lane: Lane) -> MutexGuard<'_, Ready> {
        lock(&self.ready[lane as usize - 1])
    }

    pub(crate) fn outputs(&self) -> Held<'_, Outputs> {
        Held::new(lock(&self.outputs))
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
            Some(index) => !outputs.list[index].queue.is_empty(),
            None => outputs.list.iter().any(|o| !o.queue.is_empty()),
        }
    }

    /// Notes an event. Whoever waits is told by [`tell`](Self::tell), once no lock is held: being
    /// told may mean that a function of the program is called.
    pub(crate) fn event(&self, event: Event) {
        let note = lock(&self.events).push(event.clone());
        if note {
            self.log.event(&self.name, &event);
            self.news.store(true, Ordering::Release);
        }
    }

    /// Tells whoever waits of events that nobody was told of.
    pub(super) fn tell(&self) {
        if self.take_news() {
            self.wait.notify();
        }
    }

    /// Whether there is something that nobody was told of. Where there is nothing that is one load.
    #[inline]
    fn take_news(&self) -> bool {
        self.news.load(Ordering::Relaxed) && self.news.swap(false, Ordering::AcqRel)
    }

    pub(super) fn has_event(&self) -> bool {
        !lock(&self.events).is_empty()
    }

    /// Counts a dropped packet and tells of it.
    pub(crate) fn drop(&self, link: usize, reason: DropReason, packet: &Packet) {
        self.links[link].drop(reason, super::queue::duration_ns(packet));
        self.drop_event(link, reason, 1);
    }

    /// Counts a packet that is let go of with everything else. A reset is one event for all.
    pub(crate) fn lose(&self, link: usize, reason: DropReason, ns: u64) {
        self.links[link].drop(reason, ns);
        if !matches!(reason, DropReason::Reset | DropReason::Interrupted) {
            self.drop_event(link, reason, 1);
        }
    }

    /// As [`lose`](Self::lose), a packet that was just about to come to the link.
    pub(crate) fn lose_new(&self, link: usize, reason: DropReason, packet: &Packet) {
        let ns = super::queue::duration_ns(packet);
        self.links[link].enter(ns);
        self.lose(link, reason, ns);
    }

    /// Whether interrupts hit what is on its way there.
    pub(super) fn hits(&self, to: Dest) -> bool {
        let node = match to {
            Dest::Output(output) => self.graph.outputs[output].port.node,
            Dest::Border { entry, .. } => self.graph.edges[self.ways[entry].link].to.node,
            Dest::Edge { link, .. } => self.graph.edges[link].to.node,
        };
        self.graph.nodes[node].hit
    }

    pub(crate) fn drop_event(&self, link: usize, reason: DropReason, count: u64) {
        self.event(Event::Dropped { link: self.link_name(link).into(), reason, count });
    }

    /// Runs what the calling thread can run. False: another thread is at it and will look again.
    pub(super) fn run(&self, drive: Drive) -> bool {
        let Some(inline) = self.inline else { return true };
        match self.segments[inline].turn.enter() {
            None => false,
            Some(guard) => {
                self.run_with(guard, drive);
                true
            }
        }
    }

    /// As [`run`](Self::run), for who has the turn already.
    pub(super) fn run_with(&self, guard: Guard<'_, Runner>, drive: Drive) {
        inside::within(self, || {
            let mut guard = guard;
            let mut asked = false;
            loop {
                let (worked, _) = self.run_once(&mut guard, drive);
                match guard.finish() {
                    None => {
                        // Where nothing was done and nobody was sent away nothing has changed:
                        // telling of it would wake those who wait for a ticket, the caller first,
                        // without end.
                        let news = self.take_news();
                        if worked || asked || news {
                            self.wait.notify();
                        }
                        return;
                    }
                    Some(again) => (guard, asked) = (again, true),
                }
            }
        });
    }

    /// Runs a segment on a worker, for as long and so many packets as one turn may take.
    pub(crate) fn work(self: &Arc<Self>, segment: usize, packets: usize) {
        let begin = super::ticks::now();
        let until = begin.wrapping_add(super::ticks::millisecond());
        let drive = Drive::Worker { until, packets };
        let Segment { lane, turn, footprint, .. } = &self.segments[segment];
        footprint.call();
        let mut guard = turn.start();
        let more = inside::within(self, || {
            loop {
                let (_, more) = self.run_once(&mut guard, drive);
                if more {
                    guard.requeue();
                    return true;
                }
                match guard.finish() {
                    None => return false,
                    Some(again) => guard = again,
                }
            }
        });
        let spent = super::ticks::now().wrapping_sub(begin);
        self.worked.fetch_add(spent, Ordering::Relaxed);
        self.news.store(false, Ordering::Release);
        if !more {
            self.at_work.fetch_sub(1, Ordering::SeqCst);
        }
        // Also if nothing was done: who waits for the workers has to see that they rest.
        self.wait.notify();
        if more {
            self.scheduler.queue(*lane, self.clone(), segment);
        }
    }

    /// One run. Says whether something was done, and whether there is more.
    fn run_once(&self, guard: &mut Guard<'_, Runner>, drive: Drive) -> (bool, bool) {
        guard.with(|runner| {
            let done = catch_unwind(AssertUnwindSafe(|| runner.run(self, drive)));
            let (more, error) = match done {
                Ok(Ok(more)) => (more, None),
                Ok(Err(error)) => (false, Some(error)),
                Err(panic) => {
                    (false, Some(Error::of_panic(&*panic).in_node(&*runner.current_id())))
                }
            };
            if let Some(error) = error {
                // What was emitted before is pulled before the error.
                let _ = catch_unwind(AssertUnwindSafe(|| runner.flush(self)));
                self.fail(error);
                // Once more, to let go of everything.
                let _ = catch_unwind(AssertUnwindSafe(|| runner.run(self, drive)));
            }
            (runner.take_worked(), more)
        })
    }

    /// Sets the timer of a segment. Those of the calling threads' segment are for whoever waits in
    /// other ways than by a call: a call knows the time itself.
    pub(super) fn arm(&self, segment: usize, due: Nanos) {
        if let Some(before) = self.segments[segment].rest.arm(due)
            && let Some(me) = self.me.upgrade()
        {
            self.scheduler.set_timer(due, before, &me, segment);
        }
    }

    /// Looks after the call that a segment makes: if it is late, the pipeline is over, and the
    /// thread is left alone. What it gives when it comes back is dropped.
    pub(super) fn look_after(&self, segment: usize) {
        let Segment { lane, watch, .. } = &self.segments[segment];
        let Some(watch) = watch else { return };
        match watch.look(self.scheduler.clock.now()) {
            Look::Nothing => {}
            Look::At(time) => {
                if let Some(me) = self.me.upgrade() {
                    self.scheduler.watch(time, &me, segment);
                }
            }
            Look::Late(node, since) => {
                self.scheduler.count_out(*lane);
                let node: Arc<str> = self.graph.nodes[node].id.as_str().into();
                let since_ms = since / 1_000_000;
                self.event(Event::Hung { node: node.clone(), since_ms });
                let message = format!("a call of the node has not come back for {since_ms} ms");
                let hint = "the thread that is inside is left alone; raise the node's deadline_ms";
                let error = Error::new(detail::NODE_HUNG, message).with_hint(hint);
                self.fail(error.in_node(&*node));
            }
        }
    }

    /// Whether a call of the segment was found to hang.
    pub(super) fn is_hung(&self, segment: usize) -> bool {
        self.segments[segment].watch.as_ref().is_some_and(|watch| watch.is_hung())
    }

    /// Waits until something has changed since `seen`, or until the deadline (`None`: for ever).
    /// False when the deadline came first. Where time is virtual, what can run runs meanwhile.
    pub(super) fn wait_until(&self, seen: u64, deadline: Option<Nanos>) -> bool {
        let clock = &*self.scheduler.clock;
        // When the calling threads' own segment can go on is for them to know.
        let due = self.inline.and_then(|segment| self.segments[segment].rest.due());
        let until = deadline.into_iter().chain(due).min();
        match &self.scheduler.by {
            By::Threads(_) => {
                let instant = until.and_then(|at| clock.instant(at));
                self.wait.until(seen, instant) || (due.is_some() && until == due)
            }
            By::Simulation(simulation) => loop {
                if self.wait.seen() != seen {
                    return true;
                }
                if simulation.step() {
                    continue;
                }
                if self.segments.iter().any(|s| s.rest.is_timeless()) {
                    // Somebody outside has the ticket, in real time.
                    let real = deadline.map(|at| at.saturating_sub(clock.now()));
                    let real =
                        real.and_then(|d| Instant::now().checked_add(Duration::from_nanos(d)));
                    return self.wait.until(seen, real);
                }
                match until.into_iter().chain(simulation.next_timer()).min() {
                    // Nothing can come any more.
                    None => return false,
                    Some(at) => {
                        simulation.move_to(clock, at);
                        if until == Some(at) {
                            return self.wait.seen() != seen || due == until;
                        }
                    }
                }
            },
        }
    }

    /// Why nothing goes on, as the last runs have left it.
    pub(crate) fn reason(&self, wanted: Option<usize>) -> Reason {
        // One that wakes another is still at work then, so that this is never zero in between.
        if self.at_work.load(Ordering::SeqCst) > 0 {
            return Reason::Busy;
        }
        if let Some(node) = self.segments.iter().find_map(|s| s.rest.in_flight()) {
            return Reason::InFlight(node);
        }
        if let Some(due) = self.segments.iter().filter_map(|s| s.rest.due()).min() {
            return Reason::Due(Duration::from_nanos(
                due.saturating_sub(self.scheduler.clock.now()),
            ));
        }
        let outputs = self.output_names.len();
        let full =
            (0..outputs).find(|&o| Some(o) != wanted && self.blocked[o].load(Ordering::Relaxed));
        if let Some(output) = full {
            return Reason::Full(output);
        }
        let mut open = PortSet::default();
        for index in 0..self.graph.inputs.len() {
            if !self.entry(index).ended {
                open.insert(index);
            }
        }
        Reason::Need(open)
    }

    /// The pipeline is over: a node failed.
    #[cold]
    pub(super) fn fail(&self, error: Error) {
        // Who comes second must find the pipeline failed, so both try to make it so.
        let _ = self.error.set(error);
        if self.life.advance(State::Failed) {
            self.event(Event::Error(self.error.get().expect("it has just been set").clone()));
            self.event(Event::State(State::Failed));
            // Also what the calling threads run lets go of everything, in whichever thread: no call
            // need come any more.
            self.run(Drive::Control);
            self.wake_workers();
            self.wait.notify();
        }
    }

    /// Drops what waits at the outputs.
    pub(super) fn clear_outputs(&self, reason: DropReason) {
        let mut held = self.outputs();
        let (outputs, bin) = held.parts();
        for (index, output) in outputs.list.iter_mut().enumerate() {
            let link = self.output_link(index);
            let count = output.queue.clear(reason, &self.links[link], bin);
            self.blocked[index].store(false, Ordering::Relaxed);
            if count > 0 {
                self.drop_event(link, reason, count);
            }
        }
    }

    /// Why no call but a few has a meaning any more; `None` while there is a meaning.
    pub(super) fn over(&self, state: State) -> Option<Error> {
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

/// Locks; a panic elsewhere leaves nothing half-done behind these locks.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
