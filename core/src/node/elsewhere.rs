//! Nodes that run elsewhere: what `placement: remote` needs of whoever knows the way.

use super::NodeType;
use crate::error::Result;
use serde_json::{Map, Value as Json};
use std::sync::Arc;

/// A node that is to run elsewhere, as its manifest has it.
pub struct Placed<'a> {
    /// Its id.
    pub id: &'a str,
    /// Full name of its type.
    pub type_name: &'a str,
    /// Its type.
    pub node_type: &'a Arc<dyn NodeType>,
    /// What the manifest says under `remote`.
    pub remote: &'a Map<String, Json>,
}

/// Brings nodes to other machines. Set with [`Registry::set_remote`](super::Registry::set_remote).
pub trait Elsewhere: Send + Sync {
    /// The node's type as it is to be used here: the same ports and params, and nodes whose work is
    /// done elsewhere. Called when a manifest is validated: it neither connects nor waits.
    ///
    /// # Errors
    /// What keeps the node from running elsewhere, e.g. that no server is named.
    fn place(&self, node: &Placed<'_>) -> Result<Arc<dyn NodeType>>;
}
