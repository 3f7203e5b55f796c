//! Drives one node without a pipeline, for a node's own tests.

use super::params::{ParamSpec, Params};
use super::ticket::TicketId;
use super::{AnyNode, Context, Emission, Flow, MediaFormat, Node};
use crate::error::Result;
use crate::packet::{Packet, Pool};
use serde_json::{Map, Value as Json};

/// One node, called as the engine would call it. Breaks and format changes are the caller's to
/// signal, with [`drain`](Self::drain).
pub struct Harness {
    node: Box<dyn AnyNode>,
    pool: Pool,
    out: Vec<Emission>,
    format: Option<MediaFormat>,
    copied: u64,
    opened: Vec<TicketId>,
}

impl Harness {
    /// Makes a node with these params, an object under canonical names.
    ///
    /// # Errors
    /// What the node's `new` says.
    ///
    /// # Panics
    /// If `params` is no object or has a name or value that the node doesn't take.
    pub fn new<N: Node>(params: Json) -> Result<Self> {
        let Json::Object(params) = params else { panic!("params are an object") };
        check(N::Params::specs(), &params);
        let node = Box::new(N::new(N::Params::from_map(&params))?);
        let (pool, out, opened) = (Pool::new(), Vec::new(), Vec::new());
        Ok(Self { node, pool, out, format: None, copied: 0, opened })
    }

    /// Gives a packet to the default port and returns what comes out: (port, packet).
    ///
    /// # Errors
    /// What the node says.
    pub fn push(&mut self, packet: Packet) -> Result<Vec<(usize, Packet)>> {
        let format = MediaFormat::of(&packet);
        let fresh = self.format != Some(format);
        self.format = Some(format);
        self.call(|node, cx| {
            if fresh {
                node.configure(cx, 0, &format)?;
            }
            node.process(cx, packet)
        })
    }

    /// Delivers the tail.
    ///
    /// # Errors
    /// What the node says.
    pub fn drain(&mut self) -> Result<Vec<(usize, Packet)>> {
        self.call(|node, cx| node.drain(cx))
    }

    /// Ends the input.
    ///
    /// # Errors
    /// What the node says.
    pub fn finish(&mut self) -> Result<Vec<(usize, Packet)>> {
        self.call(|node, cx| node.finish(cx))
    }

    /// Runs a source to its end.
    ///
    /// # Errors
    /// What the node says.
    pub fn run_source(&mut self) -> Result<Vec<(usize, Packet)>> {
        self.call(|node, cx| node.resume(cx))
    }

    /// The node.
    pub fn node(&mut self) -> &mut dyn AnyNode {
        &mut *self.node
    }

    fn call(
        &mut self,
        first: impl FnOnce(&mut dyn AnyNode, &mut Context<'_>) -> Result<Flow>,
    ) -> Result<Vec<(usize, Packet)>> {
        let mut cx = Context {
            out: &mut self.out,
            pool: &self.pool,
            port: 0,
            copied_bytes: &mut self.copied,
            tickets: None,
            opened: &mut self.opened,
            format: self.format,
        };
        let mut flow = first(&mut *self.node, &mut cx)?;
        while flow == Flow::More {
            flow = self.node.resume(&mut cx)?;
        }
        Ok(self.out.drain(..).map(|e| (e.port, e.packet)).collect())
    }
}

fn check(specs: &[ParamSpec], params: &Map<String, Json>) {
    for name in params.keys() {
        assert!(specs.iter().any(|s| s.name == name), "the node has no param '{name}'");
    }
}
