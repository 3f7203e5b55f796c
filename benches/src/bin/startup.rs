//! What a pipeline costs to have: time from manifest to first output, memory of idle ones, and
//! whether anything is left of ten thousand. One JSON line each.
#![allow(clippy::print_stdout, reason = "its output is what it is for")]

use remotemedia::{Engine, Manifest, Packet, Pipeline};
use remotemedia_benches::figures::median;
use remotemedia_benches::packet;
use remotemedia_benches::process::{descriptors, resident, threads};
use serde_json::{Value, json};
use std::time::Instant;

/// Six nodes, as a voice agent has them.
fn voice() -> Value {
    json!({
        "version": "v1",
        "nodes": [
            {"id": "mono", "node_type": "ChannelMixer", "params": {"channels": 1}},
            {"id": "resample", "node_type": "AudioResample", "params": {"target_rate": 16000}},
            {"id": "gain", "node_type": "Gain", "params": {"gain_db": 3}},
            {"id": "vad", "node_type": "VAD"},
            {"id": "chunk", "node_type": "AudioChunker", "params": {"chunk_size": 160}},
            {"id": "pcm", "node_type": "FormatConverter", "params": {"format": "i16"}},
        ],
        "connections": [
            {"from": "mono", "to": "resample"}, {"from": "resample", "to": "gain"},
            {"from": "gain", "to": "vad"}, {"from": "vad", "to": "chunk"},
            {"from": "chunk", "to": "pcm"},
        ],
        "outputs": {"audio": "pcm.out", "speech": "vad.vad"},
    })
}

fn main() {
    let text = voice().to_string();
    first_output(&text);
    idle(&text);
    ten_thousand(&text);
}

fn make(text: &str) -> Pipeline {
    let manifest = Manifest::from_json(text).expect("the manifest is right");
    Pipeline::from_manifest(&manifest).expect("the manifest is right")
}

/// Pushes until the first result is there.
fn until_first(pipeline: &Pipeline, packet: &Packet) {
    loop {
        pipeline.push(packet.clone()).expect("there is room");
        if pipeline.try_pull().expect("it runs").packet().is_some() {
            return;
        }
    }
}

fn first_output(text: &str) {
    let packet = packet(Engine::default().pool(), 0.1);
    let engine = Engine::default();
    let mut beyond = Vec::new();
    let mut whole = Vec::new();
    for _ in 0..300 {
        let begin = Instant::now();
        let pipeline = make(text);
        until_first(&pipeline, &packet);
        let total = begin.elapsed().as_nanos() as f64 / 1000.0;
        // The nodes' own part: making them, and the time inside their calls.
        let nodes = &pipeline.graph().nodes;
        let begin = Instant::now();
        for node in nodes {
            drop(node.node_type.create(&node.params).expect("it was made before"));
        }
        let making = begin.elapsed().as_nanos() as f64 / 1000.0;
        let inside = pipeline.metrics()["total_duration_us"].as_f64().expect("a time");
        whole.push(total);
        beyond.push(total - making - inside);
    }
    drop(engine);
    println!(
        "{}",
        json!({"bench": "first_output", "nodes": 6, "whole_us_p50": median(&mut whole),
               "beyond_nodes_us_p50": median(&mut beyond)})
    );
}

fn idle(text: &str) {
    drop(make(text));
    let (rss, before, files) = (resident(), threads(), descriptors());
    let pipelines: Vec<_> = (0..1000).map(|_| make(text)).collect();
    let each = (resident() - rss) as f64 / 1000.0 / 1024.0;
    println!(
        "{}",
        json!({"bench": "idle", "pipelines": pipelines.len(), "kib_each": each,
               "threads_more": threads() - before, "descriptors_more": descriptors() - files})
    );
}

fn ten_thousand(text: &str) {
    let packet = packet(Engine::default().pool(), 0.1);
    let mut resident_mib = Vec::new();
    for round in 0..10 {
        for _ in 0..1000 {
            let pipeline = make(text);
            until_first(&pipeline, &packet);
            pipeline.run(|_, _| Ok(())).expect("it runs");
        }
        if round > 0 {
            resident_mib.push(resident() as f64 / 1024.0 / 1024.0);
        }
    }
    let pool = Engine::default().pool().stats();
    println!(
        "{}",
        json!({"bench": "ten_thousand", "rss_mib": resident_mib, "live_blocks": pool.live_blocks})
    );
}
