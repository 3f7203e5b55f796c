//! The graph: a validated manifest, resolved to what the engine runs.
//!
//! Pure: no threads, no clock, no files. `manifest` makes it, `engine` runs it.

mod assemble;
mod build;
mod describe;
mod ends;
mod failure;
mod lanes;
mod negotiate;
mod nodes;
mod order;
mod segments;

pub(crate) use build::build;
pub use failure::{Breaker, Fallback, OnError, Policy, Retry};
pub(crate) use lanes::Lanes;

use crate::node::{Join, NodeType, Ports};
use crate::packet::MediaTime;
use serde_json::{Map, Value as Json};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A pipeline's nodes and how they are connected. Every index in it is valid, and it has no cycle.
#[derive(Debug, Clone)]
pub struct Graph {
    /// Name from the manifest's metadata; may be empty.
    pub name: String,
    /// In the order in which they run: topological, ties by place in the manifest.
    pub nodes: Vec<GraphNode>,
    /// Connections between nodes.
    pub edges: Vec<Edge>,
    /// Parts that run on their own, each by one thread at a time; [`GraphNode::segment`] says
    /// which nodes are in which.
    pub segments: Vec<Lane>,
    /// Where packets are pushed in, in the manifest's order.
    pub inputs: Vec<Endpoint>,
    /// Where packets are pulled out, in the manifest's order.
    pub outputs: Vec<Endpoint>,
    /// Which runs of the nodes are timed.
    pub timing: Timing,
    /// Why equal inputs may not give equal bytes; empty: they do (rule S18).
    pub indeterminate: Vec<String>,
}

/// One node of a graph.
#[derive(Clone)]
pub struct GraphNode {
    /// Its id; adapters are called `node.port~adapter`, further ones `node.port~adapter2`….
    pub id: String,
    /// Full name of its type.
    pub type_name: String,
    /// Its type.
    pub node_type: Arc<dyn NodeType>,
    /// Its params: validated, under canonical names, those given in the manifest.
    pub params: Map<String, Json>,
    /// Its ports, with the caps that its params make of them.
    pub ports: Ports,
    /// Whether the engine put it there to make formats fit.
    pub adapter: bool,
    /// Where it runs: index into [`Graph::segments`].
    pub segment: usize,
    /// Sources: whether it gives its packets out as their times come, and not as fast as they are
    /// taken.
    pub realtime: bool,
    /// Whether a join by time lies behind it, so that it is worth saying that nothing earlier comes.
    pub bounds: bool,
    /// How long its join waits for a lane that is silent; `None`: as long as it takes.
    pub max_wait: Option<Duration>,
    /// Whether an interrupt makes it forget (rule S9).
    pub hit: bool,
    /// What an error of it does (rule S13).
    pub on_error: OnError,
}

/// Which threads run a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lane {
    /// Those that call the pipeline.
    Caller,
    /// The engine's workers, one for each core.
    Pool,
    /// Threads for work that waits, e.g. for files.
    Blocking,
    /// A thread with real-time priority, where the system permits one.
    Realtime,
}

impl Lane {
    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Pool => "pool",
            Self::Blocking => "blocking",
            Self::Realtime => "realtime",
        }
    }
}

/// Where a manifest wants a node to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Placement {
    /// Where what feeds its first port runs.
    #[default]
    Inherit,
    /// On the threads that call the pipeline.
    Inline,
    /// In a segment that begins with it, on that lane or, if none is given, on the one that its
    /// nodes ask for.
    Thread(Option<Lane>),
}

impl Graph {
    /// Whether a connection leads from one segment into another.
    pub fn is_border(&self, edge: &Edge) -> bool {
        self.nodes[edge.from.node].segment != self.nodes[edge.to.node].segment
    }
}

impl GraphNode {
    /// Whether packets can wait for it though it runs in the segment of what feeds it.
    pub fn waits(&self) -> bool {
        self.max_in_flight() > 0
            || self.ports.join != Join::Any
            || matches!(self.on_error.policy, Policy::Retry(_))
    }

    /// Its type, and that of the node that stands in for it.
    pub(crate) fn types(&self) -> impl Iterator<Item = &dyn NodeType> {
        let other = match &self.on_error.policy {
            Policy::Fallback(other) => Some(other.node_type.as_ref()),
            _ => None,
        };
        std::iter::once(self.node_type.as_ref()).chain(other)
    }

    /// Tickets of it that may be open at a time; zero: it opens none.
    pub fn max_in_flight(&self) -> usize {
        let own = self.node_type.descriptor().max_in_flight;
        match &self.on_error.policy {
            // Of the two that take turns the one that can do less counts.
            Policy::Fallback(other) => match other.node_type.descriptor().max_in_flight {
                0 => own,
                most => own.min(most),
            },
            _ => own,
        }
    }
}

impl fmt::Debug for GraphNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.id, self.type_name)
    }
}

/// A port of a node, by index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PortRef {
    /// Index into [`Graph::nodes`].
    pub node: usize,
    /// Index into the node's inputs or outputs.
    pub port: usize,
}

/// A connection.
#[derive(Debug, Clone)]
pub struct Edge {
    /// The output port that packets come from.
    pub from: PortRef,
    /// The input port that they go to.
    pub to: PortRef,
    /// How much may wait on it.
    pub queue: QueueLimits,
}

/// An input or output of the whole pipeline.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Its name.
    pub name: String,
    /// The node's port behind it: an input port for inputs, an output port for outputs.
    pub port: PortRef,
    /// How much may wait there.
    pub queue: QueueLimits,
    /// Inputs: what to do with packets that come before the port's bound.
    pub late: Late,
    /// Inputs: rate of audio that comes without one, in Hz.
    pub source_rate: Option<u32>,
}

/// How much may wait in a queue, and what happens when it is full. One packet is always admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueLimits {
    /// Packets.
    pub items: usize,
    /// Bytes of media.
    pub bytes: usize,
    /// Media time, where packets have durations.
    pub time: MediaTime,
    /// What happens when a limit is reached.
    pub policy: QueuePolicy,
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self {
            items: 64,
            bytes: 64 << 20,
            time: MediaTime::from_millis(2000),
            policy: QueuePolicy::Block,
        }
    }
}

/// What a full queue does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum QueuePolicy {
    /// It holds back who feeds it; nothing is lost.
    #[default]
    Block,
    /// It drops its oldest packet.
    DropOldest,
    /// It drops the packet that comes.
    DropNewest,
    /// It holds the newest packet alone.
    KeepLatest,
}

impl QueuePolicy {
    /// Its name in manifests and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::DropOldest => "drop_oldest",
            Self::DropNewest => "drop_newest",
            Self::KeepLatest => "keep_latest",
        }
    }
}

/// Which runs of a pipeline's nodes are timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Timing {
    /// All of them.
    #[default]
    All,
    /// One in sixteen.
    Sampled,
    /// None; counters count all the same.
    None,
}

/// What an input does with a packet whose pts lies before what it has already passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Late {
    /// It refuses it; the packet stays with the caller.
    #[default]
    Error,
    /// It moves the pts to the bound.
    Clamp,
    /// It drops it, counted.
    Drop,
}
