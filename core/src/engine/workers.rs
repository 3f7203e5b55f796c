//! Workers: the threads of one lane, shared by all pipelines of an engine (rule S22).
//!
//! What is to be run waits in one queue, in which each pipeline stands once however many of its
//! segments are ready: so pipelines get their turns one after the other, and each turn is short
//! (64 packets or a millisecond). Threads are started when there is work and none rests, up to the
//! lane's number; a lock and a condition variable are all there is between them.
//!
//! A worker that makes a segment ready goes on with it itself as soon as it is done with its own, so
//! that a packet passes through a chain of segments without waking anybody. Only if it has more to do
//! first does it call for help.

use super::clock::{Clock, Nanos};
use super::log::{Log, LogLevel};
use super::priority;
use super::shared::Shared;
use super::timers::{Timers, What};
use crate::graph::Lane;
use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Packets that a segment may take in one turn.
const MOST_PACKETS: usize = 64;

/// A lane's thread that has rested so long ends, except where they are as many as cores.
const LINGER: Duration = Duration::from_secs(10);

/// The threads of a lane.
pub(crate) struct Workers {
    lane: Lane,
    most: usize,
    clock: Arc<Clock>,
    log: Arc<Log>,
    state: Mutex<State>,
    /// Wakes a worker that rests.
    work: Condvar,
    /// Wakes the one that also watches the timers.
    watch: Condvar,
}

#[derive(Default)]
struct State {
    /// Pipelines with segments that are ready, each once.
    queue: VecDeque<Arc<Shared>>,
    timers: Timers,
    threads: usize,
    /// Threads that wait for `work`.
    resting: usize,
    /// Whether a thread waits for `watch`.
    watching: bool,
    /// Whether threads are to end once nothing is left.
    closing: bool,
}

/// Segments of one pipeline that are ready on one lane. Only who has the lane's lock touches it.
#[derive(Default)]
pub(crate) struct Ready {
    segments: VecDeque<usize>,
    /// Whether the pipeline stands in the lane's queue.
    listed: bool,
}

thread_local! {
    /// Address of the lane whose worker this thread is. Compared, never followed.
    static WORKER: Cell<usize> = const { Cell::new(0) };
    /// This worker has made something ready and told nobody.
    static UNTOLD: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread, a worker, should call for help before it goes on.
#[inline]
pub(crate) fn owes_help() -> bool {
    UNTOLD.get()
}

impl Workers {
    pub(crate) fn new(lane: Lane, most: usize, clock: Arc<Clock>, log: Arc<Log>) -> Arc<Self> {
        Arc::new(Self {
            lane,
            most,
            clock,
            log,
            state: Mutex::default(),
            work: Condvar::new(),
            watch: Condvar::new(),
        })
    }

    /// Puts a segment at the end of the queue. Whoever does so has asked for it first.
    pub(crate) fn queue(self: &Arc<Self>, pipeline: Arc<Shared>, segment: usize) {
        let mut state = self.lock();
        state.list(pipeline, segment, self.lane);
        if WORKER.get() == Arc::as_ptr(self).addr() {
            UNTOLD.set(true);
        } else {
            self.call(state);
        }
    }

    /// Calls for help with what this thread, a worker of the lane, has made ready.
    pub(crate) fn help(self: &Arc<Self>) {
        if UNTOLD.replace(false) {
            let state = self.lock();
            if !state.queue.is_empty() {
                self.call(state);
            }
        }
    }

    /// Sets the timer of a segment, in place of that which was set for `before`: at that time the
    /// segment is asked for, or whoever waits for the pipeline woken, or its call looked after.
    pub(crate) fn set_timer(
        self: &Arc<Self>,
        at: Nanos,
        before: Option<Nanos>,
        pipeline: &Arc<Shared>,
        segment: usize,
        what: What,
    ) {
        let mut state = self.lock();
        if state.timers.set(at, before, pipeline, segment, what) {
            if state.watching {
                drop(state);
                self.watch.notify_one();
            } else {
                self.call(state);
            }
        }
    }

    pub(crate) fn lane(&self) -> Lane {
        self.lane
    }

    /// Makes sure that there is a thread.
    ///
    /// # Errors
    /// When the system gives none.
    pub(crate) fn start(self: &Arc<Self>) -> std::io::Result<()> {
        let mut state = self.lock();
        if state.threads > 0 {
            return Ok(());
        }
        state.threads = 1;
        drop(state);
        self.spawn()
    }

    /// Starts a thread that is counted already.
    fn spawn(self: &Arc<Self>) -> std::io::Result<()> {
        let workers = self.clone();
        let thread = std::thread::Builder::new().name(format!("rmedia-{}", self.lane.name()));
        let started = thread.spawn(move || workers.work());
        if started.is_err() {
            self.lock().threads -= 1;
        }
        started.map(|_| ())
    }

    /// Wakes a thread that has nothing to do. What is given back: there is none.
    fn rouse<'a>(&self, state: MutexGuard<'a, State>) -> Option<MutexGuard<'a, State>> {
        let idle = if state.resting > 0 {
            &self.work
        } else if state.watching {
            &self.watch
        } else {
            return Some(state);
        };
        // Unlocked: a thread that is woken takes the lock before all else.
        drop(state);
        idle.notify_one();
        None
    }

    /// Wakes or starts a thread.
    fn call(self: &Arc<Self>, state: MutexGuard<'_, State>) {
        if let Some(mut state) = self.rouse(state)
            && state.threads < self.most
        {
            state.threads += 1;
            drop(state);
            // There is one at least, since the pipeline was made: without more it takes longer.
            let _ = self.spawn();
        }
    }

    /// Ends the threads once nothing is left to do. Waits for nobody: the caller may be one of them.
    pub(crate) fn close(&self) {
        self.lock().closing = true;
        self.work.notify_all();
        self.watch.notify_all();
    }

    /// Threads there are.
    pub(crate) fn threads(&self) -> usize {
        self.lock().threads
    }

    /// The life of a thread.
    fn work(self: &Arc<Self>) {
        WORKER.set(Arc::as_ptr(self).addr());
        if self.lane == Lane::Realtime
            && let Err(error) = priority::raise()
        {
            let message = format!("the real-time lane has no real-time priority: {error}");
            self.log.add(LogLevel::Warning, &Arc::from(""), message);
        }
        while let Some((pipeline, segment)) = self.next() {
            pipeline.work(segment, MOST_PACKETS);
            if pipeline.is_hung(segment) {
                // It was counted out while it hung.
                return;
            }
        }
    }

    /// Does without a thread that hangs: another one takes its place if there is work.
    pub(crate) fn count_out(self: &Arc<Self>) {
        let mut state = self.lock();
        state.threads -= 1;
        if !state.queue.is_empty() || state.timers.first().is_some() {
            self.call(state);
        }
    }

    /// What to run next; `None`: this thread is to end.
    fn next(self: &Arc<Self>) -> Option<(Arc<Shared>, usize)> {
        UNTOLD.set(false);
        let mut state = self.lock();
        loop {
            if state.timers.first().is_some_and(|at| at <= self.clock.now()) {
                let due = state.timers.take_due(self.clock.now());
                drop(state);
                due.into_iter().for_each(|timer| timer.fire());
                UNTOLD.set(false);
                state = self.lock();
                continue;
            }
            if let Some(next) = state.take(self.lane) {
                if self.lane == Lane::Blocking && state.timers.first().is_some() && !state.watching
                {
                    // A call may hang here, so that somebody else has to look at the time.
                    self.call(state);
                } else if !state.queue.is_empty() {
                    // There is work for one more.
                    drop(self.rouse(state));
                }
                return Some(next);
            }
            if state.closing {
                state.threads -= 1;
                return None;
            }
            let first = state.timers.first();
            let wait = |guard, on: &Condvar, time: Duration| {
                on.wait_timeout(guard, time).unwrap_or_else(PoisonError::into_inner)
            };
            if let Some(at) = first
                && !state.watching
            {
                state.watching = true;
                let time = Duration::from_nanos(at.saturating_sub(self.clock.now()));
                state = wait(state, &self.watch, time).0;
                state.watching = false;
            } else {
                state.resting += 1;
                let (back, timeout) = wait(state, &self.work, LINGER);
                state = back;
                state.resting -= 1;
                if timeout.timed_out()
                    && state.queue.is_empty()
                    && self.lane != Lane::Pool
                    && state.threads > 1
                {
                    state.threads -= 1;
                    return None;
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Whole at every step: nothing that can panic happens under it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn list(&mut self, pipeline: Arc<Shared>, segment: usize, lane: Lane) {
        let mut ready = pipeline.ready_on(lane);
        ready.segments.push_back(segment);
        if !std::mem::replace(&mut ready.listed, true) {
            drop(ready);
            self.queue.push_back(pipeline);
        }
    }

    fn take(&mut self, lane: Lane) -> Option<(Arc<Shared>, usize)> {
        let pipeline = self.queue.pop_front()?;
        let mut ready = pipeline.ready_on(lane);
        let segment = ready.segments.pop_front();
        ready.listed = !ready.segments.is_empty();
        if ready.listed {
            self.queue.push_back(pipeline.clone());
        }
        drop(ready);
        segment.map(|segment| (pipeline, segment))
    }
}
