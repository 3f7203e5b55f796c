//! The type of guarded nodes: that of the node, except that it makes guards.

use super::{Guard, Watch};
use crate::engine::clock::{Clock, Nanos};
use crate::error::Result;
use crate::graph::OnError;
use crate::node::params::ParamSpec;
use crate::node::{AnyNode, Descriptor, NodeType, Ports};
use serde_json::{Map, Value as Json};
use std::any::Any;
use std::sync::Arc;

/// A node type whose nodes are guarded.
pub(super) struct Guarded {
    pub(super) inner: Arc<dyn NodeType>,
    pub(super) on_error: OnError,
    pub(super) clock: Arc<Clock>,
    pub(super) seed: u64,
    /// The watch over its calls, its place in the graph, and how long a call may take.
    pub(super) watched: Option<(Arc<Watch>, usize, Nanos)>,
}

/// Live params for a guard: prepared for the node, and as they are, for those that come after it.
pub(super) struct Prepared {
    pub(super) params: Map<String, Json>,
    pub(super) inner: Box<dyn Any + Send>,
}

impl NodeType for Guarded {
    fn descriptor(&self) -> &'static Descriptor {
        self.inner.descriptor()
    }
    fn params(&self) -> &'static [ParamSpec] {
        self.inner.params()
    }
    fn ports(&self, params: &Map<String, Json>) -> Result<Ports> {
        self.inner.ports(params)
    }
    fn create(&self, params: &Map<String, Json>) -> Result<Box<dyn AnyNode>> {
        Ok(Box::new(Guard::new(self, params)?))
    }
    fn prepare(&self, params: &Map<String, Json>) -> Box<dyn Any + Send> {
        Box::new(Prepared { params: params.clone(), inner: self.inner.prepare(params) })
    }
}
