//! Paths through a pipeline: by how much media lags behind where it leaves.

use super::shared::Shared;
use serde_json::{Map, Value as Json, json};

/// For each output the path to it on which media lags most: its nodes, and the sum of what they
/// declare (`Node::latency`, known once a node has its format), in milliseconds.
pub(super) fn to_json(shared: &Shared) -> Json {
    let (graph, mut paths) = (&shared.graph, Map::new());
    let own = |node: usize| shared.nodes[node].latency_ns.get();
    // Nodes stand in topological order.
    let mut lag: Vec<u64> = (0..graph.nodes.len()).map(own).collect();
    let mut before = vec![None; graph.nodes.len()];
    for node in 0..graph.nodes.len() {
        for from in graph.edges.iter().filter(|e| e.to.node == node).map(|e| e.from.node) {
            if before[node].is_none() || lag[from] + own(node) > lag[node] {
                (lag[node], before[node]) = (lag[from] + own(node), Some(from));
            }
        }
    }
    for output in &graph.outputs {
        let last = output.port.node;
        let mut nodes: Vec<_> = std::iter::successors(Some(last), |&n| before[n])
            .map(|n| &*graph.nodes[n].id)
            .collect();
        nodes.reverse();
        let declared_ms = lag[last] as f64 / 1e6;
        paths.insert(output.name.clone(), json!({"nodes": nodes, "declared_ms": declared_ms}));
    }
    paths.into()
}
