//! The engine: runs graphs.
//!
//! | file | idea |
//! |---|---|
//! | `pipeline`, `push`, `pull` | what a program holds: packets in, packets out |
//! | `control` | ends, close, cancel, interrupt, reset, rewind, live params |
//! | `answer` | what these calls answer |
//! | `shared` | what all threads see of a pipeline |
//! | `segment`, `layout` | nodes that run together, by one thread at a time |
//! | `runner` | works packets through the nodes of a segment |
//! | `intake`, `deliver`, `routes`, `rest` | how they come in and go out; how a run leaves its segment |
//! | `slot`, `item`, `change`, `set` | one node in it: what waits for it, what changes its params |
//! | `join`, `gather`, `relief` | how packets of several connections find each other |
//! | `recover`, `guard` | what a node's error does |
//! | `forget` | how a runner lets go |
//! | `turn` | who may run nodes: one atomic word |
//! | `footprint` | the memory that a packet needs, asked for at once |
//! | `life`, `epochs` | state and epochs: one atomic word; what became of an interrupt |
//! | `entry`, `input`, `queue`, `held` | the borders: times, limits, policies; what is dropped there |
//! | `scheduler`, `workers`, `priority`, `simulation` | the threads that run segments, or one that plays them |
//! | `clock`, `timers`, `ticks` | what they go by; the cheapest clock |
//! | `time` | what the target has of clocks and waiting |
//! | `mail`, `letters`, `tickets` | what comes from other threads |
//! | `live` | params that change while it runs |
//! | `stats`, `metrics`, `paths`, `prometheus`, `event`, `log` | what it tells about itself |
//! | `wait`, `asynchronous` | waiting, by thread or by waker |

mod answer;
mod asynchronous;
mod change;
mod clock;
mod control;
mod deliver;
mod entry;
mod epochs;
mod event;
mod footprint;
mod forget;
mod gather;
mod guard;
mod held;
mod input;
mod inside;
mod intake;
mod item;
mod join;
mod layout;
mod letters;
mod life;
mod live;
mod log;
mod mail;
mod metrics;
mod paths;
mod pipeline;
mod priority;
mod prometheus;
mod pull;
mod push;
mod queue;
mod recover;
mod relief;
mod rest;
mod routes;
mod runner;
mod scheduler;
mod segment;
mod set;
mod shared;
mod simulation;
mod slot;
mod stats;
mod tickets;
mod ticks;
mod time;
mod timers;
mod turn;
mod wait;
mod workers;

pub use answer::{Closed, Closing, PortSet, Pull, PushError, Reason};
pub use event::{BreakerState, Event, ParamsOutcome, Recovery};
pub use life::State;
pub use log::{LogLevel, LogLine};
pub use pipeline::Pipeline;
pub use stats::DropReason;
pub use time::Instant;

use crate::error::Result;
use crate::graph::Lane;
use crate::node::{Elsewhere, NodeType, Registry};
use crate::packet::Pool;
use log::Log;
use scheduler::Scheduler;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// What pipelines share: node types, memory, limits. Cloning gives another handle to the same one.
#[derive(Debug, Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Replaced as a whole, so that who resolves a manifest holds no lock.
    registry: RwLock<Arc<Registry>>,
    pool: Pool,
    memory_limit: u64,
    log: Arc<Log>,
    scheduler: Arc<Scheduler>,
}

impl Engine {
    /// An engine with these node types.
    pub fn new(registry: Registry) -> Self {
        Self::with_memory_limit(registry, 4 << 30)
    }

    /// An engine that refuses packets while packets from its pool hold more than so many bytes.
    pub fn with_memory_limit(registry: Registry, bytes: u64) -> Self {
        let log = Arc::default();
        let scheduler = Scheduler::threads(&log);
        Self::on(registry, bytes, scheduler, log)
    }

    fn on(registry: Registry, bytes: u64, scheduler: Scheduler, log: Arc<Log>) -> Self {
        let inner = Inner {
            registry: RwLock::new(Arc::new(registry)),
            pool: Pool::new(),
            memory_limit: bytes,
            log,
            scheduler: Arc::new(scheduler),
        };
        Self { inner: Arc::new(inner) }
    }

    /// An engine for tests: what would run on workers runs on the thread that waits for it, in an
    /// order that the seed gives, and time stands still until nothing else can happen. An hour of a
    /// call takes as long as its work does, and the same seed gives the same run again.
    pub fn simulated(registry: Registry, seed: u64) -> Self {
        Self::on(registry, 4 << 30, Scheduler::simulated(seed), Arc::default())
    }

    /// Its time: since it was made, or, simulated, since the beginning of the simulation.
    pub fn now(&self) -> Duration {
        Duration::from_nanos(self.inner.scheduler.clock.now())
    }

    /// Threads that it has started, by lane.
    pub fn threads(&self) -> Vec<(Lane, usize)> {
        self.inner.scheduler.thread_counts()
    }

    /// Its node types, as they are now.
    pub fn registry(&self) -> Arc<Registry> {
        self.inner.registry.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Adds a node type for the pipelines to come.
    ///
    /// # Errors
    /// `registry.duplicate` when the namespace has that name or alias already.
    pub fn add_type(&self, namespace: &str, node_type: Arc<dyn NodeType>) -> Result<()> {
        self.change_registry(|registry| registry.add_type(namespace, node_type))
    }

    /// Says who runs nodes with `placement: remote`, for the manifests to come. Without it they are
    /// refused.
    pub fn set_remote(&self, remote: Arc<dyn Elsewhere>) {
        self.change_registry(|registry| registry.set_remote(remote));
    }

    /// Changes a copy, which then takes the registry's place: who has the old one goes on with it.
    fn change_registry<T>(&self, change: impl FnOnce(&mut Registry) -> T) -> T {
        let mut registry = self.inner.registry.write().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut registry))
    }

    /// The oldest line of its log that nobody has taken.
    pub fn log_line(&self) -> Option<LogLine> {
        self.inner.log.take()
    }

    /// Its memory pool; packets made from it cost no allocation.
    pub fn pool(&self) -> &Pool {
        &self.inner.pool
    }

    /// Bytes that packets of the pool may hold.
    pub fn memory_limit(&self) -> u64 {
        self.inner.memory_limit
    }
}
