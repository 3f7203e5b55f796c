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
//! | `input`, `queue` | the borders: times, limits, policies |
//! | `mail` | results that come from other threads |
//! | `live` | params that change while it runs |
//! | `stats`, `metrics`, `event` | what it tells about itself |
//! | `wait`, `asynchronous` | waiting, by thread or by waker |

mod answer;
mod asynchronous;
mod clock;
mod control;
mod event;
mod forget;
mod input;
mod inside;
mod life;
mod live;
mod mail;
mod metrics;
mod pipeline;
mod queue;
mod routes;
mod runner;
mod shared;
mod slot;
mod stats;
mod turn;
mod wait;

pub use answer::{Closed, PortSet, Pull, PushError, Reason};
pub use event::{Event, ParamsOutcome};
pub use life::State;
pub use pipeline::Pipeline;
pub use stats::DropReason;

use crate::node::Registry;
use crate::packet::Pool;
use std::sync::Arc;

/// What pipelines share: node types, memory, limits. Cloning gives another handle to the same one.
#[derive(Debug, Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    registry: Registry,
    pool: Pool,
    memory_limit: u64,
}

impl Engine {
    /// An engine with these node types.
    pub fn new(registry: Registry) -> Self {
        Self::with_memory_limit(registry, 4 << 30)
    }

    /// An engine that refuses packets while packets from its pool hold more than so many bytes.
    pub fn with_memory_limit(registry: Registry, bytes: u64) -> Self {
        Self { inner: Arc::new(Inner { registry, pool: Pool::new(), memory_limit: bytes }) }
    }

    /// Its node types.
    pub fn registry(&self) -> &Registry {
        &self.inner.registry
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
