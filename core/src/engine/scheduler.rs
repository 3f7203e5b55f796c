//! The scheduler: how segments that are not the callers' come to run, and who watches the time.

use super::shared::Shared;
use super::time::{Clock, Nanos};
use super::workers::Workers;
use crate::graph::Lane;
use std::sync::Arc;

/// Threads for work that waits, at most.
const MOST_BLOCKING: usize = 64;

/// What runs an engine's segments.
pub(crate) struct Scheduler {
    pub(crate) clock: Arc<Clock>,
    /// By lane.
    lanes: [Arc<Workers>; 3],
}

impl Scheduler {
    /// Real threads in real time. They are started when there is work.
    pub(crate) fn threads() -> Self {
        let clock = Arc::new(Clock::machine());
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let lane = |lane, most| Workers::new(lane, most, clock.clone());
        let lanes =
            [lane(Lane::Pool, cores), lane(Lane::Blocking, MOST_BLOCKING), lane(Lane::Realtime, 1)];
        Self { lanes, clock }
    }

    fn lane(&self, lane: Lane) -> &Arc<Workers> {
        &self.lanes[lane as usize - 1]
    }

    /// Makes sure that a lane has a thread.
    ///
    /// # Errors
    /// When the system gives none.
    pub(crate) fn start(&self, lane: Lane) -> std::io::Result<()> {
        self.lane(lane).start()
    }

    /// Queues a segment that the caller has asked for.
    pub(crate) fn queue(&self, lane: Lane, pipeline: Arc<Shared>, segment: usize) {
        self.lane(lane).queue(pipeline, segment);
    }

    /// Calls for help with what this worker of the lane has made ready.
    #[cold]
    pub(crate) fn help(&self, lane: Lane) {
        self.lane(lane).help();
    }

    /// Sets a timer of a segment, or of whoever waits for the pipeline.
    pub(crate) fn set_timer(&self, at: Nanos, pipeline: &Arc<Shared>, segment: Option<usize>) {
        self.lane(Lane::Pool).set_timer(at, pipeline, segment);
    }

    /// Threads there are, by lane.
    pub(crate) fn thread_counts(&self) -> [(Lane, usize); 3] {
        [Lane::Pool, Lane::Blocking, Lane::Realtime].map(|lane| (lane, self.lane(lane).threads()))
    }
}

impl std::fmt::Debug for Scheduler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.thread_counts()).finish()
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        self.lanes.iter().for_each(|lane| lane.close());
    }
}
