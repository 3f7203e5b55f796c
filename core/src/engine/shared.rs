//! What all threads see of a pipeline, and how they run it.

use super::event::{Event, EventQueue};
use super::held::Held;
use super::input::Input;
use super::inside;
use super::life::{Epoch, Life, State};
use super::live::LiveParams;
use super::log::Log;
use super::mail::Mail;
use super::queue::Queue;
use super::runner::{Drive, Runner};
use super::stats::{DropReason, Histogram, LinkStats, NodeStats};
use super::time::Instant;
use super::turn::{Guard, Turn};
use super::wait::Wait;
use crate::error::{Error, detail};
use crate::graph::Graph;
use crate::packet::{Packet, Pool};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

pub(crate) struct Output {
    pub(crate) name: Arc<str>,
    pub(crate) queue: Queue,
    pub(crate) ended: bool,
}

/// What all threads see of a pipeline.
pub(crate) struct Shared {
    pub(crate) graph: Graph,
    pub(super) name: Arc<str>,
    pub(super) log: Arc<Log>,
    pub(crate) pool: Pool,
    pub(crate) memory_limit: u64,
    pub(crate) life: Life,
    pub(super) turn: Turn<Runner>,
    pub(super) inputs: Vec<Mutex<Input>>,
    /// Packets and ends that wait at the inputs.
    pub(crate) backlog: AtomicUsize,
    pub(super) arrivals: AtomicU64,
    pub(super) outputs: Mutex<Vec<Output>>,
    pub(super) output_names: Vec<Arc<str>>,
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
    pub(super) events: Mutex<EventQueue>,
    /// There are events that nobody was told of.
    pub(super) news: AtomicBool,
    pub(super) error: OnceLock<Error>,
    pub(crate) finished: AtomicBool,
    pub(crate) rewinding: AtomicBool,
    /// Packets that a reset dropped at the borders; the runner tells of them.
    pub(crate) discarded: AtomicU64,
    /// Sources are to end before they are done.
    pub(crate) stopping: AtomicBool,
    pub(crate) wait: Arc<Wait>,
    pub(crate) created: Instant,
}

impl Shared {
    pub(crate) fn input(&self, index: usize) -> Held<'_, Input> {
        Held::new(lock(&self.inputs[index]))
    }

    /// An input in the current epoch: what a reset has made stale is dropped.
    pub(crate) fn input_now(&self, index: usize) -> Held<'_, Input> {
        let mut held = self.input(index);
        let epoch = self.life.epoch();
        if held.epoch != epoch {
            let (input, bin) = held.parts();
            let count = input.begin(epoch, &self.links[self.input_link(index)], bin);
            self.backlog.fetch_sub(count as usize, Ordering::AcqRel);
            self.discarded.fetch_add(count, Ordering::AcqRel);
        }
        held
    }

    pub(crate) fn outputs(&self) -> Held<'_, Vec<Output>> {
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
        if self.news.load(Ordering::Relaxed) && self.news.swap(false, Ordering::AcqRel) {
            self.wait.notify();
        }
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
        if reason != DropReason::Reset {
            self.drop_event(link, reason, 1);
        }
    }

    pub(crate) fn drop_event(&self, link: usize, reason: DropReason, count: u64) {
        self.event(Event::Dropped { link: self.link_name(link).into(), reason, count });
    }

    /// Runs what can run. `None`: another thread is at it and will look again. When it came to a
    /// stop, `after` looks at the runner before the turn is given back.
    pub(super) fn run<R>(&self, drive: Drive, after: impl Fn(&mut Runner) -> R) -> Option<R> {
        Some(self.run_with(self.turn.enter()?, drive, after))
    }

    /// As [`run`](Self::run), for who has the turn already.
    pub(super) fn run_with<R>(
        &self,
        guard: Guard<'_, Runner>,
        drive: Drive,
        after: impl Fn(&mut Runner) -> R,
    ) -> R {
        inside::within(self, || self.run_inside(guard, drive, after))
    }

    fn run_inside<R>(
        &self,
        mut guard: Guard<'_, Runner>,
        drive: Drive,
        after: impl Fn(&mut Runner) -> R,
    ) -> R {
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
                    let news = self.news.swap(false, Ordering::AcqRel);
                    if worked || asked || news {
                        self.wait.notify();
                    }
                    return result;
                }
                Some(again) => (guard, asked) = (again, true),
            }
        }
    }

    /// The pipeline is over: a node failed.
    pub(super) fn fail(&self, error: Error) {
        if self.error.set(error.clone()).is_ok() && self.life.advance(State::Failed) {
            self.event(Event::Error(error));
            self.event(Event::State(State::Failed));
            self.wait.notify();
        }
    }

    /// Drops what waits at the outputs.
    pub(super) fn clear_outputs(&self, reason: DropReason) {
        let mut held = self.outputs();
        let (outputs, bin) = held.parts();
        for (index, output) in outputs.iter_mut().enumerate() {
            let link = self.output_link(index);
            let count = output.queue.clear(reason, &self.links[link], bin);
            self.blocked[index].store(false, Ordering::Relaxed);
            if count > 0 && reason != DropReason::Reset {
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

pub(super) fn panic_error(panic: &(dyn std::any::Any + Send)) -> Error {
    let text = panic
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    Error::new(detail::NODE_PANICKED, format!("the node panicked: {text}"))
}

/// Locks; a panic elsewhere leaves nothing half-done behind these locks.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
