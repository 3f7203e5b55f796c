//! A graph as JSON, for people and for other languages.

use super::{Endpoint, Graph, GraphNode};
use crate::node::Caps;
use serde_json::{Map, Value as Json, json};

impl Graph {
    /// What one of the graph's inputs takes.
    pub fn takes(&self, input: &Endpoint) -> &Caps {
        &self.nodes[input.port.node].ports.inputs[input.port.port].caps
    }

    /// What one of the graph's outputs gives.
    pub fn gives(&self, output: &Endpoint) -> &Caps {
        &self.nodes[output.port.node].ports.outputs[output.port.port].caps
    }

    /// The nodes that the engine put there to make formats fit, as `id (Type)`.
    pub fn adapters(&self) -> impl Iterator<Item = String> {
        let adapters = self.nodes.iter().filter(|n| n.adapter);
        adapters.map(|n| format!("{} ({})", n.id, n.node_type.descriptor().name))
    }

    /// The graph as JSON: `{nodes: [{id, node_type}], inputs: {name: caps}, outputs: {name: caps},
    /// source_rates: {name: Hz}, adapters: […], determinate, indeterminate: [why]}`. Inputs and outputs
    /// are in the order of their indices.
    pub fn to_json(&self) -> Json {
        let node = |n: &GraphNode| json!({"id": n.id, "node_type": n.type_name});
        let nodes: Vec<Json> = self.nodes.iter().filter(|n| !n.adapter).map(node).collect();
        let inputs = self.inputs.iter().map(|i| named(i, self.takes(i))).collect::<Map<_, _>>();
        let outputs = self.outputs.iter().map(|o| named(o, self.gives(o))).collect::<Map<_, _>>();
        let rate = |i: &Endpoint| i.source_rate.map(|rate| (i.name.clone(), rate.into()));
        json!({
            "nodes": nodes,
            "inputs": inputs,
            "outputs": outputs,
            "source_rates": self.inputs.iter().filter_map(rate).collect::<Map<_, _>>(),
            "adapters": self.adapters().collect::<Vec<_>>(),
            "determinate": self.indeterminate.is_empty(),
            "indeterminate": self.indeterminate,
        })
    }
}

fn named(endpoint: &Endpoint, caps: &Caps) -> (String, Json) {
    (endpoint.name.clone(), caps.to_string().into())
}
