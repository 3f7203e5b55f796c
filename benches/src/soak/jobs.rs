//! The kinds of pipelines, each with its nodes placed at random.

use remotemedia::node::testing::Random;
use serde_json::{Map, Value, json};

/// What a pipeline is, and what can be done to it.
pub(super) struct Job {
    /// Which kind.
    pub kind: &'static str,
    pub manifest: Value,
    /// Live params that it has: node, param, lowest and highest value.
    pub live: &'static [(&'static str, &'static str, f64, f64)],
    /// Some of its calls end it.
    pub may_fail: bool,
}

/// Kinds there are.
const KINDS: [&str; 8] = ["voice", "mix", "join", "tickets", "shaky", "branch", "file", "paced"];

const GAIN: &[(&str, &str, f64, f64)] = &[("gain", "gain_db", -20.0, 20.0)];

impl Job {
    /// One of them.
    pub(super) fn random(random: &mut Random) -> Self {
        let kind = KINDS[random.below(KINDS.len())];
        let (mut live, mut may_fail) = (GAIN, false);
        let manifest = match kind {
            "voice" => voice(random),
            "mix" => mix(random),
            "join" => join(random),
            "tickets" => tickets(random),
            "shaky" => {
                live = &[("shaky", "every", 0.0, 400.0), ("gain", "gain_db", -20.0, 20.0)];
                let policy = ["skip", "retry", "restart", "fallback", "fail"][random.below(5)];
                // Tried again, it may fail as often as it may be tried.
                may_fail = matches!(policy, "retry" | "restart" | "fail");
                shaky(random, policy)
            }
            "branch" => branch(random),
            "file" => file(random, "free"),
            _ => file(random, "realtime"),
        };
        Self { kind, manifest: placed(manifest, random), live, may_fail }
    }
}

fn node(id: &str, ty: &str, params: Value) -> Value {
    json!({"id": id, "node_type": ty, "params": params})
}

fn gain() -> Value {
    node("gain", "Gain", json!({"gain_db": 1.0}))
}

/// `connections` are pairs of ends.
fn manifest(nodes: &[Value], connections: &[(&str, &str)], random: &mut Random) -> Value {
    let connection = |(from, to): &(&str, &str)| json!({"from": from, "to": to});
    let connections: Vec<_> = connections.iter().map(connection).collect();
    let items = [1, 2, 4, 16, 64][random.below(5)];
    json!({
        "version": "v1", "nodes": nodes, "connections": connections, "queue": {"items": items},
    })
}

/// Says of each node where it runs.
fn placed(mut manifest: Value, random: &mut Random) -> Value {
    for node in manifest["nodes"].as_array_mut().into_iter().flatten() {
        match random.below(4) {
            0 => node["placement"] = json!("inline"),
            1 | 2 => node["placement"] = json!("thread"),
            _ => {}
        }
        if node["placement"] == "thread" && random.below(8) == 0 {
            node["lane"] = json!("blocking");
        }
    }
    if random.below(3) == 0 {
        let nodes = manifest["nodes"].as_array().map_or(0, Vec::len);
        manifest["interrupt"] = json!({"from": [manifest["nodes"][random.below(nodes)]["id"]]});
    }
    manifest
}

fn voice(random: &mut Random) -> Value {
    let nodes = [
        node("resample", "AudioResample", json!({"target_rate": 16_000})),
        node("vad", "VAD", json!({"report": "changes"})),
        gain(),
    ];
    let mut manifest = manifest(&nodes, &[("resample", "vad"), ("vad", "gain")], random);
    manifest["outputs"] = json!({"audio": "gain.out", "speech": "vad.vad"});
    manifest
}

fn mix(random: &mut Random) -> Value {
    let mut mixer = node("mix", "Mixer", json!({}));
    if random.below(2) == 0 {
        mixer["max_wait_ms"] = json!(1 + random.below(50));
    }
    let nodes = [
        node("a", "PassThrough", json!({})),
        node("b", "PassThrough", json!({})),
        node("c", "AudioChunker", json!({"chunk_size": 480})),
        mixer,
        gain(),
    ];
    manifest(&nodes, &[("a", "mix"), ("b", "mix"), ("c", "mix"), ("mix", "gain")], random)
}

/// A branch that holds packets back beside one that doesn't.
fn join(random: &mut Random) -> Value {
    let nodes = [
        gain(),
        node("chunk", "AudioChunker", json!({"chunk_size": 4800})),
        node("both", "Both", json!({})),
    ];
    let ends = [("gain", "chunk"), ("chunk", "both.in"), ("gain", "both.other")];
    manifest(&nodes, &ends, random)
}

fn tickets(random: &mut Random) -> Value {
    let mut elsewhere = node("elsewhere", "Elsewhere", json!({}));
    elsewhere["on_error"] = json!("skip");
    let ends = [("ear", "elsewhere"), ("elsewhere", "gain")];
    manifest(&[node("ear", "PassThrough", json!({})), elsewhere, gain()], &ends, random)
}

fn shaky(random: &mut Random, policy: &str) -> Value {
    let mut params = Map::new();
    params.insert("every".into(), json!(2 + random.below(300)));
    params.insert("panics".into(), json!(policy != "retry" && random.below(2) == 0));
    let mut shaky = node("shaky", "Shaky", json!(params));
    shaky["on_error"] = json!(policy);
    match policy {
        "retry" => shaky["retry"] = json!({"base_ms": 0.1, "max_ms": 1.0}),
        "fallback" => shaky["fallback"] = json!("PassThrough"),
        _ => {}
    }
    if matches!(policy, "retry" | "fallback") {
        shaky["breaker"] = json!({"failures": 2, "reset_ms": 5.0});
    }
    let nodes = [node("level", "AudioLevel", json!({})), shaky, gain()];
    manifest(&nodes, &[("level", "shaky"), ("shaky", "gain")], random)
}

/// A side branch that may lose packets.
fn branch(random: &mut Random) -> Value {
    let nodes = [
        node("in", "FormatConverter", json!({"format": "i16"})),
        node("segment", "SpeechSegmenterNode", json!({})),
        gain(),
    ];
    let mut manifest = manifest(&nodes, &[("in", "segment"), ("in", "gain")], random);
    let policy = ["drop_oldest", "drop_newest", "keep_latest"][random.below(3)];
    manifest["connections"][0]["queue"] = json!({"items": 1 + random.below(4), "policy": policy});
    manifest
}

fn file(random: &mut Random, pace: &str) -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../media/speech-16k.wav");
    let mut reader = node("file", "MediaReader", json!({"path": path}));
    reader["pace"] = json!(pace);
    let nodes = [reader, node("resample", "AudioResample", json!({"target_rate": 24_000})), gain()];
    manifest(&nodes, &[("file", "resample"), ("resample", "gain")], random)
}
