//! One node behind a guard: made anew where it has to be, and told the formats then.

use super::work::Work;
use crate::error::{Error, Result};
use crate::node::{AnyNode, Context, Flow, MediaFormat, NodeType};
use crate::packet::MediaTime;
use serde_json::{Map, Value as Json};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// A node of a type with its params, at most one at a time.
pub(super) struct Instance {
    node_type: Arc<dyn NodeType>,
    /// All params as they are in force.
    pub(super) params: Map<String, Json>,
    node: Option<Box<dyn AnyNode>>,
    /// Per input port: it knows the format.
    knows: Vec<bool>,
    /// It panicked while it was made: there will be no other.
    pub(super) hopeless: bool,
}

impl Instance {
    /// Makes it.
    ///
    /// # Errors
    /// What keeps it from being made.
    pub(super) fn new(node_type: Arc<dyn NodeType>, params: Map<String, Json>) -> Result<Self> {
        let node = Some(node_type.create(&params)?);
        let knows = vec![false; node_type.descriptor().inputs.len()];
        Ok(Self { node_type, params, node, knows, hopeless: false })
    }

    /// Lets go of the node; the next call makes a new one.
    pub(super) fn drop_node(&mut self) {
        let node = self.node.take();
        // It may be broken.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(node)));
        self.knows.fill(false);
    }

    /// The format at a port is another one now.
    pub(super) fn forget_format(&mut self, port: usize) {
        self.knows[port] = false;
    }

    /// Whether there is a node.
    pub(super) fn is_there(&self) -> bool {
        self.node.is_some()
    }

    /// Calls the node, made and configured before where that is needed. After a panic it is gone.
    pub(super) fn call(
        &mut self,
        cx: &mut Context<'_>,
        formats: &[Option<MediaFormat>],
        work: Work,
    ) -> Result<Flow> {
        self.be_ready(cx, formats)?;
        self.safely(|node| work.run(node, cx)).unwrap_or(Ok(Flow::Done))
    }

    /// Makes the node where there is none, and tells it the formats that it doesn't know.
    pub(super) fn be_ready(
        &mut self,
        cx: &mut Context<'_>,
        formats: &[Option<MediaFormat>],
    ) -> Result<()> {
        if self.node.is_none() {
            let made = catch_unwind(AssertUnwindSafe(|| self.node_type.create(&self.params)));
            self.hopeless = made.is_err();
            self.node = Some(made.unwrap_or_else(|panic| Err(Error::of_panic(&*panic)))?);
        }
        for (port, format) in formats.iter().enumerate() {
            let (Some(format), false) = (format, self.knows[port]) else { continue };
            self.safely(|node| node.configure(cx, port, format)).unwrap_or(Ok(()))?;
            self.knows[port] = true;
        }
        Ok(())
    }

    /// Calls the node if there is one. A panic is an error and the end of that node.
    fn safely<T>(&mut self, call: impl FnOnce(&mut dyn AnyNode) -> Result<T>) -> Option<Result<T>> {
        let node = self.node.as_mut()?;
        let result = catch_unwind(AssertUnwindSafe(|| call(&mut **node)));
        Some(result.unwrap_or_else(|panic| {
            self.drop_node();
            Err(Error::of_panic(&*panic))
        }))
    }

    /// Forgets everything inside.
    pub(super) fn reset(&mut self) {
        self.safely(|node| {
            node.reset();
            Ok(())
        });
    }

    /// Takes new params, which are in force for every node to come, too.
    pub(super) fn set_params(
        &mut self,
        params: Map<String, Json>,
        prepared: Box<dyn std::any::Any + Send>,
    ) {
        self.params = params;
        self.safely(|node| {
            node.set_params(prepared);
            Ok(())
        });
    }

    pub(super) fn latency(&self) -> MediaTime {
        self.node.as_ref().map_or(MediaTime::ZERO, |node| node.latency())
    }
}
