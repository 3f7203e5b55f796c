//! What the metrics cost on the voice job (resample → VAD → chunk, 20 ms packets at 48 kHz): the
//! same pipeline with all runs timed and with none, in turn. One JSON line.
#![allow(clippy::print_stdout, reason = "its output is what it is for")]

use remotemedia::{Engine, Packet, Pipeline};
use remotemedia_benches::pipeline;
use remotemedia_benches::voice::signal;
use serde_json::json;
use std::hint::black_box;
use std::time::Instant;

const PACKETS: usize = 5_000;
const ROUNDS: usize = 41;

fn job(timing: &str) -> Pipeline {
    pipeline(json!({
        "version": "v1",
        "timing": timing,
        "nodes": [
            {"id": "resample", "node_type": "AudioResample", "params": {"target_rate": 16000}},
            {"id": "vad", "node_type": "VAD"},
            {"id": "chunk", "node_type": "AudioChunker", "params": {"chunk_size": 512}},
        ],
        "connections": [{"from": "resample", "to": "vad"}, {"from": "vad", "to": "chunk"}],
    }))
}

fn run(pipeline: &Pipeline, packets: &[Packet]) -> f64 {
    let begin = Instant::now();
    for n in 0..PACKETS {
        pipeline.push(packets[n % packets.len()].clone()).expect("there is room");
        while let Some(packet) = pipeline.try_pull().expect("it runs").packet() {
            black_box(packet);
        }
    }
    begin.elapsed().as_nanos() as f64 / 1000.0 / PACKETS as f64
}

fn main() {
    let packets = signal(Engine::default().pool());
    let (timed, untimed) = (job("all"), job("none"));
    let (mut with, mut without, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    run(&timed, &packets);
    run(&untimed, &packets);
    for _ in 0..ROUNDS {
        let (a, b) = (run(&timed, &packets), run(&untimed, &packets));
        with.push(a);
        without.push(b);
        ratios.push(a / b);
    }
    for values in [&mut with, &mut without, &mut ratios] {
        values.sort_by(f64::total_cmp);
    }
    let middle = ROUNDS / 2;
    println!(
        "{}",
        json!({
            "bench": "voice_job", "us_per_packet_timed": with[middle],
            "us_per_packet_untimed": without[middle],
            "metrics_cost_percent": (ratios[middle] - 1.0) * 100.0,
            "least_cost_percent": (with[0] / without[0] - 1.0) * 100.0,
        })
    );
}
