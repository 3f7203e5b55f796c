//! Manifests that are right, and the graphs they become.

use remotemedia_core::manifest::Manifest;
use remotemedia_core::nodes::builtin;

const CHAIN: &str = r#"{"version": "v1", "metadata": {"name": "chain"},
  "nodes": [{"id": "b", "node_type": "Echo"}, {"id": "a", "node_type": "PassThrough"}],
  "connections": [{"from": "a.out", "to": "b", "queue": {"items": 3, "policy": "drop_oldest"}}],
  "inputs": {"mic": "a.in"}}"#;

#[test]
fn a_chain_runs_in_the_order_of_its_connections() {
    let graph = Manifest::from_json(CHAIN).unwrap().resolve(&builtin()).unwrap();
    assert_eq!(graph.name, "chain");
    let ids: Vec<_> = graph.nodes.iter().map(|n| n.id.as_str()).collect();
    assert_eq!(ids, ["a", "b"]);
    assert_eq!((graph.edges[0].from.node, graph.edges[0].to.node), (0, 1));
    assert_eq!(graph.edges[0].queue.items, 3);
    assert_eq!(graph.edges[0].queue.bytes, 64 << 20);
    assert_eq!((graph.inputs[0].name.as_str(), graph.outputs[0].name.as_str()), ("mic", "b"));
    assert_eq!(graph.indeterminate, ["the queue a.out → b.in may drop packets"]);
}

#[test]
fn yaml_says_the_same_as_json() {
    let yaml = "
version: v1
metadata: {name: chain}
nodes:
  - id: b
    node_type: Echo
  - {id: a, node_type: PassThrough}
connections:
  - from: a.out
    to: b
    queue: {items: 3, policy: drop_oldest}
inputs:
  mic: a.in
";
    assert_eq!(Manifest::from_yaml(yaml).unwrap(), Manifest::from_json(CHAIN).unwrap());
}
