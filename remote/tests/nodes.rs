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

#[test]
fn an_error_that_quotes_much_is_the_servers_and_not_one_of_the_connection() {
    let (engine, server) = (engine(), Running::at("127.0.0.1:0"));
    for bytes in [100, 10_000, 100_000, 5_000_000] {
        let node_type = "X".repeat(bytes);
        let manifest = json!({"version": "v1", "nodes": [{
            "id": "n", "node_type": "RemoteExecutionNode",
            "params": {"endpoint": server.endpoint, "node_type": node_type}}]});
        let pipeline = pipeline(&engine, &manifest);
        pipeline.push("hello").expect("it is taken");
        let error = pipeline.pull(common::PATIENCE).expect_err("there is no such type");
        assert_eq!(error.node(), Some("n"), "{error:?}");
        assert!(error.detail().id.starts_with("manifest."), "{bytes}: {error:?}");
    }
}

#[test]
fn live_params_reach_a_node_on_a_server_between_the_packets_that_they_are_between_here() {
    let manifest = json!({"version": "v1", "nodes": [
        {"id": "gain", "node_type": "Gain", "params": {"ramp_ms": 0}}]});
    let (engine, speech, server) = (engine(), speech(), Running::at("127.0.0.1:0"));
    let play = |manifest: &serde_json::Value| {
        let pipeline = pipeline(&engine, manifest);
        let mut out = Vec::new();
        for (index, packet) in speech.iter().take(60).enumerate() {
            if index % 20 == 10 {
                let params = json!({"gain_db": -(index as i64)});
                let params = params.as_object().expect("an object");
                pipeline.set_params("gain", params).expect("it is live");
            }
            pipeline.push(packet.clone()).expect("there is room");
            let pulled = pipeline.pull(common::PATIENCE).expect("no error").packet();
            let packet = pulled.expect("a packet");
            out.push(packet.as_audio().expect("audio").buffer().as_slice().to_vec());
        }
        out
    };
    assert!(play(&manifest) == play(&placed(&manifest, &server.endpoint)));
}

#[test]
fn once_an_interrupt_has_returned_nothing_older_comes_from_a_server() {
    let manifest = json!({"version": "v1", "nodes": [
        {"id": "n", "node_type": "PassThrough"}]});
    let (engine, server) = (engine(), Running::at("127.0.0.1:0"));
    let pipeline = pipeline(&engine, &placed(&manifest, &server.endpoint));
    let mut random = remotemedia::node::testing::Random::new(7);
    let (mut epoch, mut pulled) = (0, 0);
    for n in 0..3_000_u32 {
        if random.below(150) == 0 {
            epoch = pipeline.interrupt().expect("it goes on");
        }
        let _ = pipeline.push(Packet::json(json!([epoch, n])));
        for _ in 0..random.below(3) {
            if let Some(packet) = pipeline.try_pull().expect("no error").packet() {
                assert_eq!(packet.as_json().expect("JSON")[0], json!(epoch), "nothing stale");
                pulled += 1;
            }
        }
    }
    pipeline.end().expect("it ends");
    while let Some(packet) = pipeline.pull(common::PATIENCE).expect("no error").packet() {
        assert_eq!(packet.as_json().expect("JSON")[0], json!(epoch), "nothing stale");
        pulled += 1;
    }
    assert!(pulled > 100, "{pulled}");
}

#[test]
fn a_pipeline_that_is_rewound_runs_again_on_the_same_session() {
    let manifest = json!({"version": "v1", "nodes": [
        {"id": "chunk", "node_type": "AudioChunker", "params": {"chunk_ms": 30}}]});
    let (engine, speech, server) = (engine(), speech(), Running::at("127.0.0.1:0"));
    let pipeline = pipeline(&engine, &placed(&manifest, &server.endpoint));
    let first = run(&pipeline, &speech[..50]);
    pipeline.rewind().expect("it is over");
    let second = run(&pipeline, &speech[..50]);
    assert!(first.len() > 30 && first == second, "{} and {}", first.len(), second.len());
}

#[test]
fn a_whole_pipeline_on_a_server_is_one_node() {
    let manifest = json!({
        "version": "v1",
        "nodes": [
            {"id": "half", "node_type": "AudioResample", "params": {"target_rate": 8000},
             "placement": "thread"},
            {"id": "gain", "node_type": "Gain", "params": {"gain_db": -6}},
        ],
        "connections": [{"from": "half", "to": "gain"}],
    });
    let (engine, speech, server) = (engine(), speech(), Running::at("127.0.0.1:0"));
    let bytes = |out: Vec<Out>| out.into_iter().flat_map(|(_, _, b)| b).collect::<Vec<u8>>();
    let here = bytes(run(&pipeline(&engine, &manifest), &speech));
    let node = json!({"id": "there", "node_type": "RemotePipelineNode",
                      "params": {"manifest": manifest, "endpoint": server.endpoint}});
    let whole = json!({"version": "v1", "nodes": [node]});
    let there = bytes(run(&pipeline(&engine, &whole), &speech));
    assert!(here.len() > 100_000 && here == there, "{} and {}", here.len(), there.len());

    // A server reaches no other server, itself neither.
    let mut circle = whole;
    circle["nodes"][0]["params"]["manifest"] = circle.clone();
    let pipeline = pipeline(&engine, &circle);
    // The server may have said so before the push is over.
    let pushed = pipeline.push(speech[0].clone()).map_err(remotemedia::Error::from);
    let error = match pushed {
        Ok(()) => pipeline.pull(common::PATIENCE).expect_err("it is refused"),
        Err(error) => error,
    };
    assert_eq!(error.detail(), detail::MANIFEST_UNTRUSTED, "{error:?}");
}

#[test]
fn a_merge_on_a_server_gives_all_that_it_gives_here() {
    let manifest = json!({"version": "v1", "nodes": [
        {"id": "sum", "node_type": "AddNode", "params": {"addend": 1}},
        {"id": "double", "node_type": "MultiplyNode", "params": {"multiplier": 2}},
        {"id": "merge", "node_type": "MergeNode"}],
        "connections": [{"from": "sum", "to": "merge"}, {"from": "double", "to": "merge"}]});
    let (engine, server) = (engine(), Running::at("127.0.0.1:0"));
    let play = |manifest: &serde_json::Value| {
        let pipeline = pipeline(&engine, manifest);
        let mut got = Vec::new();
        for n in 0..100_i64 {
            for input in ["sum", "double"] {
                pipeline.push_to(input, Packet::json(json!(n))).unwrap_or_else(|e| panic!("{e:?}"));
            }
            while let Some(packet) = pipeline.try_pull().expect("no error").packet() {
                got.push(packet.as_json().expect("JSON").as_i64().expect("a number"));
            }
        }
        pipeline.end().expect("it ends");
        while let Some(packet) = pipeline.pull(common::PATIENCE).expect("no error").packet() {
            got.push(packet.as_json().expect("JSON").as_i64().expect("a number"));
        }
        got.sort_unstable();
        got
    };
    assert_eq!(play(&manifest), play(&placed(&manifest, &server.endpoint)));
}
