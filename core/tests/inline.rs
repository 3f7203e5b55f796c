//! The inline engine, from outside: what goes in comes out, in order, and what stops says why.

use remotemedia_core::engine::{Pipeline, Pull};
use remotemedia_core::manifest::Manifest;
use remotemedia_core::packet::{Audio, Packet};
use serde_json::json;
use std::time::Duration;

fn chain(n: usize) -> Pipeline {
    let nodes: Vec<_> =
        (0..n).map(|i| json!({"id": format!("n{i}"), "node_type": "PassThrough"})).collect();
    let connections: Vec<_> =
        (1..n).map(|i| json!({"from": format!("n{}", i - 1), "to": format!("n{i}")})).collect();
    let manifest = json!({"version": "v1", "nodes": nodes, "connections": connections});
    Pipeline::from_manifest(&Manifest::from_value(manifest).expect("parses")).expect("valid")
}

#[test]
fn packets_come_out_in_order_and_then_the_end() {
    let pipeline = chain(3);
    for n in 0..10 {
        pipeline.push(json!(n)).expect("room");
    }
    pipeline.end().expect("ends");
    for n in 0..10 {
        let pulled = pipeline.pull(Duration::ZERO).expect("runs").packet().expect("a packet");
        assert_eq!(pulled.as_json(), Some(&json!(n)));
    }
    assert!(matches!(pipeline.try_pull(), Ok(Pull::End)));
}

#[test]
fn audio_gets_its_time_from_the_count() {
    let pipeline = chain(1);
    for _ in 0..5 {
        pipeline.push(Audio::from_f32(vec![0.5; 960], 48_000, 1).expect("good")).expect("room");
    }
    let times: Vec<i64> = std::iter::from_fn(|| pipeline.try_pull().expect("runs").packet())
        .map(|p: Packet| p.pts().expect("a time").nanos() / 1_000_000)
        .collect();
    assert_eq!(times, [0, 20, 40, 60, 80]);
}

#[cfg(feature = "media")]
#[test]
fn a_stopped_source_gives_no_more_and_everything_after_it_ends() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../media/speech-16k.wav");
    let manifest = json!({
        "version": "v1",
        "nodes": [
            {"id": "reader", "node_type": "MediaReader", "params": {"path": path}},
            {"id": "pass", "node_type": "PassThrough"},
        ],
        "connections": [{"from": "reader", "to": "pass"}],
    });
    let manifest = Manifest::from_value(manifest).expect("parses");
    let pipeline = Pipeline::from_manifest(&manifest).expect("valid");
    let first = pipeline.try_pull().expect("runs").packet().expect("a packet");
    pipeline.stop().expect("stops");
    let frames = |p: &Packet| p.as_audio().expect("audio").frames();
    let mut stopped = frames(&first);
    while let Some(packet) = pipeline.try_pull().expect("runs").packet() {
        stopped += frames(&packet);
    }
    assert!(matches!(pipeline.try_pull(), Ok(Pull::End)));
    assert!(stopped < 246_240, "the source went on to its end");
    pipeline.rewind().expect("it has ended");
    let mut whole = 0;
    while let Some(packet) = pipeline.try_pull().expect("runs").packet() {
        whole += frames(&packet);
    }
    assert_eq!(whole, 246_240, "after a rewind it runs to the end again");
}
