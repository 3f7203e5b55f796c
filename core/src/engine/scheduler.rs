//! The scheduler: how segments that are not the callers' come to run, and who watches the time.

use super::clock::{Clock, Nanos};
use super::log::Log;
use super::shared::Shared;
use super::simulation::Simulation;
use super::time::since_1970;
use super::timers::What;
use super::workers::Workers;
use crate::graph::Lane;
use std::sync::Arc;

/// Threads for work that waits, at most.
const MOST_BLOCKING: usize = 64;

/// What runs an engine's segments.
pub(crate) struct Scheduler {
    pub(crate) clock: Arc<Clock>,
    pub(super) by: By,
}

/// Who runs them.
pub(super) enum By {
    /// Threads, by lane.
    Threads([Arc<Workers>; 3]),
    /// Whoever waits, in an order that a seed gives.
    Simulation(Simulation),
}

impl Scheduler {
    /// Real threads in real time. They are started when there is work.
    pub(crate) fn threads(log: &Arc<Log>) -> Self {
        let clock = Arc::new(Clock::machine());
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let lane = |lane, most| Workers::new(lane, most, clock.clone(), log.clone());
        let lanes =
            [lane(Lane::Pool, cores), lane(Lane::Blocking, MOST_BLOCKING), lane(Lane::Realtime, 1)];
        Self { clock, by: By::Threads(lanes) }
    }

    /// One thread, virtual time.
    pub(crate) fn simulated(seed: u64) -> Self {
        Self { clock: Arc::new(Clock::still()), by: By::Simulation(Simulation::new(seed)) }
    }

    /// A number to begin random numbers with; the same in the same simulation.
    pub(crate) fn seed(&self) -> u64 {
        match &self.by {
            By::Threads(_) => since_1970().as_nanos() as u64,
            By::Simulation(simulation) => simulation.seed(),
        }
    }

    /// Makes sure that a lane has a thread.
    ///
    /// # Errors
    /// When the system gives none.
    pub(crate) fn start(&self, lane: Lane) -> std::io::Result<()> {
        match &self.by {
            By::Threads(lanes) => lanes[of(lane)].start(),
            By::Simulation(_) => Ok(()),
        }
    }

    /// Queues a segment that the caller has asked for.
    pub(crate) fn queue(&self, lane: Lane, pipeline: Arc<Shared>, segment: usize) {
        match &self.by {
            By::Threads(lanes) => lanes[of(lane)].queue(pipeline, segment),
            By::Simulation(simulation) => simulation.queue(pipeline, segment),
        }
    }

    /// Calls for help with what this worker of the lane has made ready.
    #[cold]
    pub(crate) fn help(&self, lane: Lane) {
        if let By::Threads(lanes) = &self.by {
            lanes[of(lane)].help();
        }
    }

    /// Gives a segment of a simulated engine its turn. False: none is ready, or threads do that.
    pub(crate) fn step(&self) -> bool {
        match &self.by {
            By::Threads(_) => false,
            By::Simulation(simulation) => simulation.step(),
        }
    }

    /// Sets the timer of a segment, in place of that which was set for `before`.
    pub(crate) fn set_timer(
        &self,
        at: Nanos,
        before: Option<Nanos>,
        pipeline: &Arc<Shared>,
        segment: usize,
    ) {
        match &self.by {
            By::Threads(lanes) => {
                lanes[of(Lane::Pool)].set_timer(at, before, pipeline, segment, What::Wake);
            }
            By::Simulation(simulation) => simulation.set_timer(at, before, pipeline, segment),
        }
    }

    /// Sees to it that somebody looks after a segment's call at that time. Those threads do it of
    /// which there are always more: all others may hang. In virtual time nobody does.
    pub(crate) fn watch(&self, at: Nanos, pipeline: &Arc<Shared>, segment: usize) {
        if let By::Threads(lanes) = &self.by {
            lanes[of(Lane::Blocking)].set_timer(at, None, pipeline, segment, What::Watch);
        }
    }

    /// Does without a thread of the lane, which hangs.
    pub(crate) fn count_out(&self, lane: Lane) {
        if let (By::Threads(lanes), true) = (&self.by, lane != Lane::Caller) {
            lanes[of(lane)].count_out();
        }
    }

    /// Threads there are, by lane.
    pub(crate) fn thread_counts(&self) -> Vec<(Lane, usize)> {
        match &self.by {
            By::Threads(lanes) => lanes.iter().map(|lane| (lane.lane(), lane.threads())).collect(),
            By::Simulation(_) => Vec::new(),
        }
    }
}

fn of(lane: Lane) -> usize {
    match lane {
        Lane::Caller | Lane::Pool => 0,
        Lane::Blocking => 1,
        Lane::Realtime => 2,
    }
}

impl std::fmt::Debug for Scheduler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.thread_counts()).finish()
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        if let By::Threads(lanes) = &self.by {
            lanes.iter().for_each(|lane| lane.close());
        }
    }
}
