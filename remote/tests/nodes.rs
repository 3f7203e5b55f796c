//! Nodes on a server give what they give here, bit for bit.

mod common;

use common::{Out, Running, engine, pipeline, placed, run, speech};
use remotemedia::error::{Status, detail};
use remotemedia::{Manifest, Packet};
use serde_json::json;

fn voice() -> serde_json::Value {
    json!({
        "version": "v1",
        "nodes": [
            {"id": "resample", "node_type": "AudioResample", "params": {"target_rate": 48000}},
            {"id": "gain", "node_type": "Gain", "params": {"gain_db": -6}},
            {"id": "chunk", "node_type": "AudioChunker", "params": {"chunk_ms": 30}},
            {"id": "vad", "node_type": "VAD"},
            {"id": "level", "node_type": "AudioLevel", "is_output_node": true},
        ],
        "connections": [
            {"from": "resample", "to": "gain"},
            {"from": "gain", "to": "chunk"},
            {"from": "chunk", "to": "vad"},
            {"from": "chunk", "to": "level"},
        ],
    })
}

#[test]
fn a_chain_on_a_server_gives_the_bits_that_it_gives_here() {
    let (engine, speech) = (engine(), speech());
    let here = run(&pipeline(&engine, &voice()), &speech);
    assert!(here.len() > 500, "{}", here.len());
    let folder = std::env::temp_dir().join(format!("rmedia-{}.sock", std::process::id()));
    for listen in ["127.0.0.1:0", &format!("unix:{}", folder.display())] {
        let server = Running::at(listen);
        let there = run(&pipeline(&engine, &placed(&voice(), &server.endpoint)), &speech);
        // Which of several outputs comes first is another matter.
        for output in ["vad", "level"] {
            let of =
                |all: &[Out]| all.iter().filter(|o| o.0 == output).cloned().collect::<Vec<_>>();
            let (here, there) = (of(&here), of(&there));
            assert!(!here.is_empty() && here == there, "{listen}: {output} differs");
        }
    }
    assert!(!folder.exists(), "the socket goes with the server");
}

#[test]
fn a_mixer_and_joins_on_a_server_give_what_they_give_here() {
    let manifest = json!({
        "version": "v1",
        "nodes": [
            {"id": "in", "node_type": "PassThrough"},
            {"id": "slow", "node_type": "AudioChunker", "params": {"chunk_ms": 100}},
            {"id": "quiet", "node_type": "Gain", "params": {"gain_db": -12}},
            {"id": "mix", "node_type": "Mixer"},
        ],
        "connections": [
            {"from": "in", "to": "slow"},
            {"from": "in", "to": "quiet"},
            {"from": "slow", "to": "mix"},
            {"from": "quiet", "to": "mix"},
        ],
    });
    let (engine, speech, server) = (engine(), speech(), Running::at("127.0.0.1:0"));
    let here = run(&pipeline(&engine, &manifest), &speech);
    let there = run(&pipeline(&engine, &placed(&manifest, &server.endpoint)), &speech);
    let joined =
        |all: &[Out]| all.iter().flat_map(|(_, _, bytes)| bytes.clone()).collect::<Vec<u8>>();
    assert!(joined(&here).len() > 100_000);
    assert!(joined(&here) == joined(&there), "other samples");
}

#[test]
fn what_cannot_be_placed_says_why_and_where() {
    let engine = engine();
    for (node, detail, pointer) in [
        (
            json!({"id": "n", "node_type": "Gain", "placement": "remote"}),
            detail::REMOTE_ENDPOINT,
            "/nodes/0/placement",
        ),
        (
            json!({"id": "n", "node_type": "Gain", "placement": "remote", "host": "nowhere"}),
            detail::REMOTE_ENDPOINT,
            "/nodes/0/host",
        ),
        (
            json!({"id": "n", "node_type": "Gain", "remote": {"endpoint": "a:1"}}),
            detail::MANIFEST_WRONG_VALUE,
            "/nodes/0/remote",
        ),
        (
            json!({"id": "n", "node_type": "MediaReaderNode", "params": {"path": "x.wav"},
                   "placement": "remote", "remote": {"endpoint": "a:1"}}),
            detail::MANIFEST_NOT_SUPPORTED,
            "/nodes/0/remote",
        ),
    ] {
        let manifest =
            Manifest::from_value(json!({"version": "v1", "nodes": [node]})).expect("one");
        let error = engine.pipeline(&manifest).expect_err("it is refused");
        assert_eq!((error.detail(), error.pointer()), (detail, Some(pointer)), "{error:?}");
    }
    let manifest = json!({"version": "v1", "nodes": [
        {"id": "n", "node_type": "Gain", "placement": "remote", "remote": {"endpoint": "a:1"}}]});
    let manifest = Manifest::from_value(manifest).expect("a document").untrusted();
    let error = engine.pipeline(&manifest).expect_err("it is refused");
    assert_eq!(error.detail(), detail::MANIFEST_UNTRUSTED);
}

#[test]
fn an_error_of_a_node_on_a_server_is_the_error_that_it_has_here() {
    let manifest = json!({"version": "v1", "nodes": [
        {"id": "sum", "node_type": "CalculatorNode"}]});
    let (engine, server) = (engine(), Running::at("127.0.0.1:0"));
    let fails = |manifest: &serde_json::Value| {
        let pipeline = pipeline(&engine, manifest);
        pipeline.push(Packet::json(json!({"operation": "divide", "operands": [1, 0]}))).ok();
        pipeline.pull(common::PATIENCE).expect_err("it fails")
    };
    let here = fails(&manifest);
    let there = fails(&placed(&manifest, &server.endpoint));
    assert_eq!(here.to_json(), there.to_json());
    assert_eq!((there.status(), there.node()), (Status::Format, Some("sum")));
}

#[test]
fn a_server_that_is_not_there_is_an_error_that_names_it() {
    let engine = engine();
    let mut manifest = placed(
        &json!({"version": "v1", "nodes": [{"id": "n", "node_type": "PassThrough"}]}),
        "127.0.0.1:1",
    );
    manifest["nodes"][0]["remote"]["connect_ms"] = json!(300);
    let pipeline = pipeline(&engine, &manifest);
    pipeline.push("hello").expect("it is taken");
    let error = pipeline.pull(common::PATIENCE).expect_err("nobody is there");
    assert_eq!(
        (error.detail(), error.node()),
        (detail::REMOTE_UNREACHABLE, Some("n")),
        "{error:?}"
    );
    assert!(error.message().contains("127.0.0.1:1"), "{error:?}");
}
