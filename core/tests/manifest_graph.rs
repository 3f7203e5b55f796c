//! Manifests that are right, and the graphs they become.

#![allow(clippy::unwrap_used, reason = "what a test needs is there, or the test fails")]

extern crate remotemedia_core as remotemedia;

mod support;

use remotemedia::graph::{Graph, Late, QueuePolicy};
use remotemedia::manifest::{Manifest, node_schema, schema};
use remotemedia::node::{Lookup, Registry};
use remotemedia::nodes::builtin;
use remotemedia::packet::MediaTime;
use serde_json::{Value as Json, json};

const CHAIN: &str = r#"{"version": "v1", "metadata": {"name": "chain"},
  "nodes": [{"id": "b", "node_type": "Echo"}, {"id": "a", "node_type": "PassThrough"}],
  "connections": [{"from": "a.out", "to": "b", "queue": {"items": 3, "policy": "drop_oldest"}}],
  "inputs": {"mic": "a.in"}}"#;

fn resolve_in(registry: &Registry, manifest: Json) -> Graph {
    Manifest::from_value(manifest).unwrap().resolve(registry).unwrap()
}

fn resolve(manifest: Json) -> Graph {
    resolve_in(&support::registry(), manifest)
}

fn ids(graph: &Graph) -> Vec<&str> {
    graph.nodes.iter().map(|n| n.id.as_str()).collect()
}

/// `a.out > b.in` for each edge.
fn edges(graph: &Graph) -> Vec<String> {
    let edge = |e: &remotemedia::graph::Edge| {
        let (from, to) = (&graph.nodes[e.from.node], &graph.nodes[e.to.node]);
        let (out, into) = (&from.ports.outputs[e.from.port], &to.ports.inputs[e.to.port]);
        format!("{}.{} > {}.{}", from.id, out.name, to.id, into.name)
    };
    graph.edges.iter().map(edge).collect()
}

fn ends(graph: &Graph, input: bool) -> Vec<String> {
    let ends = if input { &graph.inputs } else { &graph.outputs };
    let end = |e: &remotemedia::graph::Endpoint| {
        let node = &graph.nodes[e.port.node];
        let ports = if input { &node.ports.inputs } else { &node.ports.outputs };
        format!("{} = {}.{}", e.name, node.id, ports[e.port.port].name)
    };
    ends.iter().map(end).collect()
}

#[test]
fn a_chain_runs_in_the_order_of_its_connections() {
    let graph = Manifest::from_json(CHAIN).unwrap().resolve(&builtin()).unwrap();
    assert_eq!(graph.name, "chain");
    assert_eq!(ids(&graph), ["a", "b"]);
    assert_eq!(edges(&graph), ["a.out > b.in"]);
    assert_eq!(graph.nodes[1].type_name, "rmedia/PassThrough");
    assert_eq!(ends(&graph, true), ["mic = a.in"]);
    assert_eq!(ends(&graph, false), ["b = b.out"]);
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
    let manifest = Manifest::from_yaml(yaml).unwrap();
    assert_eq!(manifest, Manifest::from_json(CHAIN).unwrap());
    assert_eq!(manifest, Manifest::from_slice(yaml.as_bytes()).unwrap());
    assert_eq!(manifest, Manifest::from_slice(format!("\u{feff}\n {CHAIN}").as_bytes()).unwrap());
}

#[test]
fn yaml_scalars_follow_the_core_schema() {
    let yaml = "[~, null, '', yes, true, False, 12, -3, +4, 0x1F, 0o17, 012, 1.5, .5, 1e3, 12:30, \
                1_000, 18446744073709551615, 'true', \"12\", 0x, -x, 1.2.3, e5, 2026-01-01]";
    let json = json!([
        null,
        null,
        "",
        "yes",
        true,
        false,
        12,
        -3,
        4,
        31,
        15,
        12,
        1.5,
        0.5,
        1000.0,
        "12:30",
        "1_000",
        u64::MAX,
        "true",
        "12",
        "0x",
        "-x",
        "1.2.3",
        "e5",
        "2026-01-01",
    ]);
    assert_eq!(Manifest::from_yaml(yaml).unwrap().to_json(), json);
}

#[test]
fn positions_are_right_behind_windows_line_ends_and_wide_characters() {
    let yaml = "version: v1\r\nmetadata:\r\n  name: \"größer 𝄞\"\r\nnodes:\r\n  - id: a\r\n    \
                node_type: Echo\r\n    ünknown: {x: 1}\r\n";
    let json = "{\"version\": \"v1\",\r\n \"nodes\": [{\"id\": \"a\", \"node_type\": \"Echo\",\r\n \
                \"𝄞\": 1, \"ünknown\": 2}]}";
    for (text, read) in [(yaml, Manifest::from_yaml as fn(&str) -> _), (json, Manifest::from_json)]
    {
        let problems = read(text).unwrap().validate(&support::registry()).problems;
        let at = problems.last().unwrap().position.unwrap();
        let here = &text[at.offset..at.offset + at.len];
        assert_eq!(here.trim_matches('"'), "ünknown");
        let line = text.lines().nth(at.line - 1).unwrap();
        assert!(line.chars().skip(at.column - 1).collect::<String>().starts_with(here));
    }
}

#[test]
fn manifests_of_the_earlier_sdk_run_as_they_are() {
    let manifest = json!({
        "version": "v1",
        "metadata": {"name": "calculator", "created_at": "2025-10-01T00:00:00Z"},
        "runtime": {"target": "wasm32-wasi", "min_version": "0.2.0", "features": []},
        "nodes": [
            {"id": "a", "node_type": "PassThroughNode", "params": {}, "is_streaming": true,
             "capabilities": null, "host": null, "runtime_hint": "auto"},
            {"id": "b", "node_type": "Echo", "execution": {"placement": "prefer_local"}},
        ],
        "connections": [{"from": "a", "to": "b"}],
    });
    let report = Manifest::from_value(manifest).unwrap().validate(&support::registry());
    assert!(report.graph.is_some());
    assert!(report.problems.iter().all(|p| p.detail.id == "manifest.hint_ignored"));
}

#[test]
fn params_come_under_their_own_names_and_in_their_own_types() {
    let graph = resolve(json!({"version": "v1", "nodes": [{
        "id": "k", "node_type": "Knobs",
        "params": {"count": 3.0, "gainDb": -6, "quality": "BEST", "limit": null, "taps": [1.0, 2]},
    }]}));
    let params =
        json!({"count": 3, "gain_db": -6, "quality": "high", "limit": null, "taps": [1, 2]});
    assert_eq!(Json::Object(graph.nodes[0].params.clone()), params);
}

#[test]
fn queues_take_their_limits_from_the_nearest_place() {
    let graph = resolve(json!({
        "version": "v1",
        "queue": {"items": 7, "ms": 100},
        "nodes": [{"id": "a", "node_type": "Echo"}, {"id": "b", "node_type": "Echo"}],
        "connections": [{"from": "a", "to": "b", "queue": {"items": 8, "policy": "keep_latest"}}],
        "inputs": {"x": {"port": "a", "queue": {"bytes": 9}, "late": "clamp", "source_rate": 8000}},
    }));
    let edge = graph.edges[0].queue;
    assert_eq!((edge.items, edge.bytes, edge.time), (8, 64 << 20, MediaTime::from_millis(100)));
    assert_eq!(edge.policy, QueuePolicy::KeepLatest);
    let input = &graph.inputs[0];
    assert_eq!((input.queue.items, input.queue.bytes), (7, 9));
    assert_eq!((input.late, input.source_rate), (Late::Clamp, Some(8000)));
    assert_eq!(graph.outputs[0].queue.items, 7);
}

#[test]
fn inputs_and_outputs_are_what_nothing_is_connected_to() {
    let graph = resolve(json!({
        "version": "v1",
        "nodes": [
            {"id": "j", "node_type": "Join"},
            {"id": "r", "node_type": "Recognizer", "is_output_node": true},
            {"id": "p", "node_type": "Printer"},
            {"id": "t", "node_type": "Tone"},
            {"id": "s", "node_type": "Speaker"},
        ],
        "connections": [
            {"from": "j", "to": "r"}, {"from": "r", "to": "p"}, {"from": "t", "to": "s"},
        ],
        "outputs": {"loudness": "r.level"},
    }));
    assert_eq!(ends(&graph, true), ["j.left = j.left~adapter.in", "j.right = j.right~adapter.in"]);
    assert_eq!(ends(&graph, false), ["loudness = r.level", "r = r.out", "p = p.out"]);
}

#[test]
fn an_adapter_goes_where_two_ends_differ_and_nowhere_else() {
    let graph = resolve(json!({
        "version": "v1",
        "nodes": [
            {"id": "s", "node_type": "Speaker"},
            {"id": "t", "node_type": "Tone", "params": {"rate": 44100}},
            {"id": "x", "node_type": "Echo"},
            {"id": "y", "node_type": "Tone", "params": {"rate": 48000}},
            {"id": "z", "node_type": "Speaker"},
        ],
        "connections": [
            {"from": "t", "to": "x"},
            {"from": "x", "to": "s", "queue": {"items": 2}},
            {"from": "y", "to": "z"},
        ],
    }));
    assert_eq!(ids(&graph), ["t", "x", "s.in~adapter", "s", "y", "z"]);
    assert_eq!(
        edges(&graph),
        ["t.out > x.in", "x.out > s.in~adapter.in", "s.in~adapter.out > s.in", "y.out > z.in"]
    );
    let adapter = &graph.nodes[2];
    assert!(adapter.adapter && adapter.type_name == "rmedia/AudioAdapter");
    let params = json!({"rates": [48000], "channels": [2], "samples": ["f32"], "planar": false});
    assert_eq!(Json::Object(adapter.params.clone()), params);
    assert_eq!(graph.edges[1].queue.items, 2);
    // What flows through a node that passes everything is known behind it.
    assert_eq!(
        graph.nodes[1].ports.outputs[0].caps.to_string(),
        "audio (f32, 44100 Hz, 2 ch, interleaved)"
    );
}

#[test]
fn each_connection_into_a_shared_port_has_its_own_adapter() {
    let graph = resolve(json!({
        "version": "v1",
        "nodes": [
            {"id": "a", "node_type": "Echo"}, {"id": "b", "node_type": "Echo"},
            {"id": "t", "node_type": "Tone"}, {"id": "s", "node_type": "Sum"},
        ],
        "connections": [
            {"from": "a", "to": "s"}, {"from": "b", "to": "s"}, {"from": "t", "to": "s"},
        ],
        "inputs": {"more": "s"},
    }));
    assert_eq!(ids(&graph), ["a", "b", "t", "s.in~adapter", "s.in~adapter2", "s.in~adapter3", "s"]);
    assert_eq!(
        edges(&graph),
        [
            "a.out > s.in~adapter2.in",
            "s.in~adapter2.out > s.in",
            "b.out > s.in~adapter3.in",
            "s.in~adapter3.out > s.in",
            "t.out > s.in",
            "s.in~adapter.out > s.in",
        ]
    );
    assert_eq!(ends(&graph, true)[0], "more = s.in~adapter.in");
}

#[test]
fn pipeline_inputs_take_any_audio() {
    let manifest = json!({"version": "v1", "nodes": [{"id": "r", "node_type": "Recognizer"}]});
    let graph = resolve(manifest.clone());
    assert_eq!(ends(&graph, true), ["r = r.in~adapter.in"]);
    assert_eq!(edges(&graph), ["r.in~adapter.out > r.in"]);
    // Without an adapter it takes what fits; that shows at the push.
    let graph = resolve_in(&support::without_adapter(), manifest.clone());
    assert_eq!(ends(&graph, true), ["r = r.in"]);
    let mut manifest = manifest;
    manifest["metadata"] = json!({"auto_negotiate": false});
    assert_eq!(ends(&resolve(manifest), true), ["r = r.in"]);
}

#[test]
fn media_capabilities_narrow_what_flows() {
    let narrow = |constraint: Json| {
        let graph = resolve(json!({
            "version": "v1",
            "nodes": [{"id": "a", "node_type": "Echo",
                       "media_capabilities": {"inputs": {"default": constraint}}}],
        }));
        let node = graph.nodes.iter().find(|n| n.id == "a").unwrap();
        (node.ports.inputs[0].caps.to_string(), graph.nodes[0].params.clone())
    };
    let (caps, _) = narrow(json!({"type": "binary"}));
    assert_eq!(caps, "bytes");
    let (caps, adapter) = narrow(
        json!({"type": "audio", "sample_rate": {"min": 8000, "max": 48000}, "channels": [1, 2],
               "format": ["i16", "f32"]}),
    );
    assert_eq!(caps, "audio (f32 | i16, 8000…48000 Hz, 1 | 2 ch)");
    let params = json!({"rate_min": 8000, "rate_max": 48000, "channels": [1, 2],
                        "samples": ["f32", "i16"]});
    assert_eq!(Json::Object(adapter), params);
    let (caps, _) = narrow(json!({"type": "audio", "rate": {"min": 8000}}));
    assert_eq!(caps, "audio (8000…4294967295 Hz)");
}

#[test]
fn an_output_that_gives_what_comes_in_is_narrowed_at_the_input() {
    let constraint = json!({"type": "audio", "sample_rate": 44100, "channels": 2});
    let manifest = json!({
        "version": "v1",
        "nodes": [
            {"id": "p", "node_type": "PassThrough",
             "media_capabilities": {"outputs": {"out": constraint}}},
            // Its rate is its own: what comes in may have another.
            {"id": "r", "node_type": "AudioResample", "params": {"target_rate": 44100},
             "media_capabilities": {"outputs": {"out": constraint}}},
        ],
    });
    let graph = resolve_in(&builtin(), manifest);
    let input = |id: &str| {
        let node = graph.nodes.iter().find(|n| n.id == id).unwrap();
        node.ports.inputs[0].caps.to_string()
    };
    assert_eq!(input("p"), "audio (44100 Hz, 2 ch)");
    assert_eq!(input("r"), "audio (f32, 2 ch, interleaved)");
    assert_eq!(ids(&graph), ["p.in~adapter", "p", "r.in~adapter", "r"]);
}

#[test]
fn what_keeps_a_graph_from_being_determinate_is_said() {
    let graph = resolve(json!({
        "version": "v1",
        "nodes": [
            {"id": "d", "node_type": "Dice"}, {"id": "e", "node_type": "Echo"},
            {"id": "f", "node_type": "Funnel"},
        ],
        "connections": [
            {"from": "d", "to": "f"}, {"from": "e", "to": "f", "queue": {"policy": "drop_newest"}},
        ],
        "inputs": {"more": "f"},
        "outputs": {"o": {"port": "f", "queue": {"policy": "keep_latest"}}},
    }));
    assert_eq!(
        graph.indeterminate,
        [
            "'d' (Dice) may answer equal inputs differently",
            "'f.in' takes from 3 producers in order of arrival",
            "the queue e.out → f.in may drop packets",
            "the queue of 'o' may drop packets",
        ]
    );
    let graph = resolve(json!({"version": "v1", "nodes": [{"id": "a", "node_type": "Echo"}]}));
    assert!(graph.indeterminate.is_empty());
}

#[test]
fn a_join_with_what_has_arrived_last_is_not_determinate() {
    let graph = resolve(json!({"version": "v1", "nodes": [{"id": "l", "node_type": "Last"}]}));
    assert_eq!(graph.indeterminate, ["'l' joins whatever has arrived last"]);
}

#[test]
fn what_is_joined_by_time_is_determinate_and_what_is_joined_by_arrival_is_not() {
    let merged = |node: Json| {
        let manifest = json!({
            "version": "v1",
            "nodes": [{"id": "a", "node_type": "Gain"}, {"id": "b", "node_type": "Gain"}, node],
            "connections": [{"from": "a", "to": "m"}, {"from": "b", "to": "m"}],
        });
        resolve_in(&builtin(), manifest).indeterminate.len()
    };
    assert_eq!(merged(json!({"id": "m", "node_type": "Mixer"})), 0);
    assert_eq!(merged(json!({"id": "m", "node_type": "Merge"})), 1);
    assert_eq!(merged(json!({"id": "m", "node_type": "Merge", "params": {"order": "time"}})), 0);
}

#[test]
fn untrusted_manifests_may_use_what_the_list_allows_under_any_name() {
    let manifest = json!({"version": "v1", "nodes": [{"id": "a", "node_type": "Echo"}]});
    let manifest = Manifest::from_value(manifest).unwrap();
    let registry = support::registry();
    assert!(manifest.clone().untrusted().resolve(&registry).is_ok());
    assert!(manifest.clone().untrusted_only(["rmedia/PassThrough"]).resolve(&registry).is_ok());
    assert!(manifest.clone().untrusted_only(["Stt"]).resolve(&registry).is_err());
    assert!(manifest.untrusted_only(Vec::<String>::new()).resolve(&registry).is_err());
}

#[test]
fn the_schema_of_a_node_type_says_what_its_params_are() {
    let registry = support::registry();
    let Lookup::Found(_, knobs) = registry.find("Knobs") else { panic!("registered") };
    let schema = node_schema(knobs.as_ref());
    assert_eq!(
        schema["properties"]["gain_db"],
        json!({"type": "number", "minimum": -120.0, "maximum": 60.0, "default": 0.0,
               "description": "How loud. Unit: dB. Can be set while the pipeline runs."})
    );
    assert_eq!(schema["properties"]["gainDb"]["description"], "The same as `gain_db`.");
    assert_eq!(
        schema["properties"]["quality"]["enum"],
        json!(["low", "fast", "medium", "high", "best"])
    );
    assert_eq!(schema["allOf"], json!([{"anyOf": [{"required": ["count"]}]}]));
    assert_eq!(schema["additionalProperties"], false);
}

#[test]
fn every_reference_in_the_schema_leads_somewhere() {
    let schema = schema(&support::registry());
    let mut open = vec![&schema];
    let mut references = 0;
    while let Some(value) = open.pop() {
        match value {
            Json::Object(map) => {
                if let Some(Json::String(reference)) = map.get("$ref") {
                    let pointer = reference.strip_prefix('#').unwrap();
                    assert!(schema.pointer(pointer).is_some(), "{reference}");
                    references += 1;
                }
                open.extend(map.values());
            }
            Json::Array(list) => open.extend(list),
            _ => {}
        }
    }
    assert!(references > 20);
    let types = &schema["$defs"]["node"]["properties"]["node_type"]["enum"];
    let types: Vec<_> = types.as_array().unwrap().iter().filter_map(Json::as_str).collect();
    for name in ["Echo", "rmedia/Echo", "test/Stt", "one/Twin"] {
        assert!(types.contains(&name), "{name}");
    }
    assert!(!types.contains(&"Twin"), "the bare name is ambiguous");
}

#[test]
fn the_built_in_adapter_takes_what_a_graph_asks_of_it() {
    let constraint = json!({"type": "audio", "rate": {"min": 8000, "max": 48000},
                            "channels": {"max": 2}, "format": ["i16", "u8"]});
    let manifest = json!({
        "version": "v1",
        "nodes": [{"id": "a", "node_type": "Echo",
                   "media_capabilities": {"inputs": {"in": constraint}}}],
    });
    let graph = resolve_in(&builtin(), manifest);
    assert_eq!(ids(&graph), ["a.in~adapter", "a"]);
    let adapter = &graph.nodes[0];
    assert_eq!(
        Json::Object(adapter.params.clone()),
        json!({"rate_min": 8000, "rate_max": 48000, "channels_max": 2,
               "samples": ["i16", "u8"]})
    );
    assert!(adapter.node_type.create(&adapter.params).is_ok());
}
