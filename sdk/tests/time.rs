//! Time: sources in real time, virtual time, the seeded scheduler (rules S3, S14, S23).
#![allow(clippy::unwrap_used, reason = "what a test needs is there, or the test fails")]
#![cfg(feature = "media")]

mod common;

use common::on;
use remotemedia::engine::Engine;
use remotemedia::nodes::builtin;
use remotemedia::{Pipeline, Pull, Reason};
use serde_json::{Value, json};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

fn reader(placement: &str) -> Value {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../media/speech-16k.wav");
    json!({
        "version": "v1",
        "nodes": [{
            "id": "file", "node_type": "MediaReader", "params": {"path": file}, "pace": "realtime",
            "placement": placement,
        }],
    })
}

/// Pulls to the end; gives the frames and the virtual time at which each packet came.
fn listen(engine: &Engine, pipeline: &Pipeline) -> Vec<(f64, f64)> {
    let mut came = Vec::new();
    loop {
        match pipeline.pull(HOUR).expect("it runs") {
            Pull::Packet(_, packet) => {
                let media = packet.pts().expect("a time").nanos() as f64 / 1e9;
                came.push((media, engine.now().as_secs_f64()));
            }
            Pull::End => return came,
            Pull::Idle(reason) => panic!("nothing goes on: {reason:?}"),
        }
    }
}

#[test]
fn a_source_in_real_time_gives_each_packet_at_its_time() {
    for placement in ["inline", "thread"] {
        let engine = Engine::simulated(builtin(), 1);
        let run = on(&engine, reader(placement));
        let came = listen(&engine, &run);
        assert!(came.len() > 10, "{placement}: {} packets", came.len());
        for (media, clock) in came {
            assert!((media - clock).abs() < 1e-6, "{placement}: {media} s came at {clock} s");
        }
    }
}

#[test]
fn until_then_a_pull_that_does_not_wait_says_when() {
    let engine = Engine::simulated(builtin(), 1);
    let run = on(&engine, reader("inline"));
    assert!(matches!(run.try_pull(), Ok(Pull::Packet(..))));
    let Ok(Pull::Idle(Reason::Due(time))) = run.try_pull() else { panic!("it must say when") };
    assert!(time > Duration::ZERO && time < Duration::from_secs(1), "{time:?}");
}
