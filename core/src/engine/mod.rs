//! The engine: runs graphs.
//!
//! | file | idea |
//! |---|---|
//! | `pipeline` | push and pull |
//! | `control` | ends, close, cancel, reset, rewind, live params |
//! | `answer` | what these calls answer |
//! | `shared` | what all threads see of a pipeline |
//! | `runner`, `routes`, `forget` | works packets through the nodes, and lets go of them |
//! | `slot` | one node in it |
//! | `turn` | who may run nodes: one atomic word |
//! | `life` | state and epoch: one atomic word |
//! | `input`, `queue`, `held` | the borders: times, limits, policies; what is dropped there |
//! | `mail` | results that come from other threads |
//! | `live` | params that change while it runs |
//! | `stats`, `metrics`, `event`, `log` | what it tells about itself |
//! | `wait`, `asynchronous` | waiting, by thread or by waker |
//! | `time`, `clock` | what the target has of clocks and waiting; the cheapest clock |

mod answer;
mod asynchronous;
mod clock;
mod control;
mod event;
mod forget;
mod held;
mod input;
mod inside;
mod life;
mod live;
mod log;
mod mail;
mod metrics;
mod pipeline;
mod queue;
mod routes;
mod runner;
mod shared;
mod slot;
mod stats;
mod time;
mod turn;
mod wait;

pub use answer::{Closed, Closing, PortSet, Pull, PushError, Reason};
pub use event::{Event, ParamsOutcome};
pub use life::State;
pub use log::{LogLevel, LogLine};
pub use pipeline::Pipeline;
pub use stats::DropReason;
pub use time::Instant;

use crate::error::Result;
use crate::node::{NodeType, Registry};
use crate::packet::Pool;
use log::Log;
use std::sync::{Arc, PoisonError, RwLock};

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
}

impl Engine {
    /// An engine with these node types.
    pub fn new(registry: Registry) -> Self {
        Self::with_memory_limit(registry, 4 << 30)
    }

    /// An engine that refuses packets while packets from its pool hold more than so many bytes.
    pub fn with_memory_limit(registry: Registry, bytes: u64) -> Self {
        let inner = Inner {
            registry: RwLock::new(Arc::new(registry)),
            pool: Pool::new(),
            memory_limit: bytes,
            log: Arc::default(),
        };
        Self { inner: Arc::new(inner) }
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
        let mut registry = self.inner.registry.write().unwrap_or_else(PoisonError::into_inner);
        let mut more = Registry::clone(&registry);
        more.add_type(namespace, node_type)?;
        *registry = Arc::new(more);
        Ok(())
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
