//! The seeded scheduler (rule S23): the segments of threaded pipelines on one thread, in an order
//! that a seed gives, in a time that moves only when nothing can run.

use super::clock::{Clock, Nanos};
use super::shared::Shared;
use super::timers::{Timers, What};
use crate::node::testing::Random;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Most packets that a segment takes in one turn; how many is up to the seed.
const MOST_PACKETS: usize = 4;

/// What runs the segments of a simulated engine: whoever waits for something.
pub(crate) struct Simulation {
    state: Mutex<State>,
}

struct State {
    random: Random,
    ready: Vec<(Arc<Shared>, usize)>,
    timers: Timers,
}

impl Simulation {
    pub(crate) fn new(seed: u64) -> Self {
        let state =
            State { random: Random::new(seed), ready: Vec::new(), timers: Timers::default() };
        Self { state: Mutex::new(state) }
    }

    /// A number that belongs to its seed.
    pub(crate) fn seed(&self) -> u64 {
        self.lock().random.below(1 << 30) as u64
    }

    pub(crate) fn queue(&self, pipeline: Arc<Shared>, segment: usize) {
        self.lock().ready.push((pipeline.clone(), segment));
        // Who waits for what comes from outside is the one to run it.
        pipeline.wait.notify();
    }

    pub(crate) fn set_timer(
        &self,
        at: Nanos,
        before: Option<Nanos>,
        pipeline: &Arc<Shared>,
        segment: usize,
    ) {
        self.lock().timers.set(at, before, pipeline, segment, What::Wake);
    }

    /// Gives one of the segments that are ready its turn. False: there is none.
    pub(crate) fn step(&self) -> bool {
        let (pipeline, segment, packets) = {
            let mut state = self.lock();
            let State { random, ready, .. } = &mut *state;
            if ready.is_empty() {
                return false;
            }
            let (pipeline, segment) = ready.swap_remove(random.below(ready.len()));
            (pipeline, segment, 1 + random.below(MOST_PACKETS))
        };
        pipeline.work(segment, packets);
        true
    }

    /// When the next timer comes.
    pub(crate) fn next_timer(&self) -> Option<Nanos> {
        self.lock().timers.first()
    }

    /// Moves the time on and wakes those whose timers have come.
    pub(crate) fn move_to(&self, clock: &Clock, at: Nanos) {
        clock.move_to(at);
        let due = self.lock().timers.take_due(at);
        due.into_iter().for_each(|timer| timer.fire());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
