//! Chains of PassThrough nodes on 20 ms packets: one JSON line per chain, in the form that the
//! peers in `peers/` print, too. A packet is made and filled for each push, as there.
#![allow(clippy::print_stdout, reason = "its output is what it is for")]

use remotemedia::{Audio, Engine, Packet, Pipeline, Pull};
use remotemedia_benches::{cpu_time, packet, pass_through};
use serde_json::json;
use std::hint::black_box;
use std::time::{Duration, Instant};

const PACKETS: usize = 400_000;
const PINGS: usize = 100_000;

fn main() {
    for n in [1, 3, 10] {
        let pipeline = pass_through(n);
        let pool = Engine::default().pool().clone();
        let mut ok = true;
        let mut round = |value: f32| {
            pipeline.push(packet(&pool, value)).expect("there is room");
            ok &= first_sample(&pipeline) == Some(value);
        };
        (0..10_000u16).for_each(|i| round(f32::from(i)));
        let begin = cpu_time();
        (0..PACKETS).for_each(|i| round((i % 1000) as f32));
        let cpu_us = (cpu_time() - begin).as_secs_f64() * 1e6 / PACKETS as f64;
        // The engine alone: the same packet again and again.
        let shared = packet(&pool, 1.0);
        let begin = cpu_time();
        for _ in 0..PACKETS {
            pipeline.push(shared.clone()).expect("there is room");
            black_box(first_sample(&pipeline));
        }
        let engine_us = (cpu_time() - begin).as_secs_f64() * 1e6 / PACKETS as f64;
        let mut pings: Vec<u64> = (0..PINGS)
            .map(|i| {
                let packet = packet(&pool, i as f32);
                let begin = Instant::now();
                pipeline.push(packet).expect("there is room");
                let pulled = pipeline.try_pull();
                let nanos = begin.elapsed().as_nanos() as u64;
                ok &= matches!(pulled, Ok(Pull::Packet(..)));
                nanos
            })
            .collect();
        pings.sort_unstable();
        let micros = |q: f64| pings[(PINGS as f64 * q) as usize] as f64 / 1000.0;
        println!(
            "{}",
            json!({
                "peer": "remotemedia", "n": n, "packets": PACKETS, "ok": ok,
                "cpu_us_per_packet": cpu_us, "engine_us_per_packet": engine_us,
                "p50_us": micros(0.5), "p99_us": micros(0.99),
                "clock": pipeline.metrics()["clock"],
            })
        );
    }
}

fn first_sample(pipeline: &Pipeline) -> Option<f32> {
    match pipeline.pull(Duration::ZERO) {
        Ok(Pull::Packet(_, packet)) => sample(&packet),
        _ => None,
    }
}

fn sample(packet: &Packet) -> Option<f32> {
    packet.as_audio().and_then(Audio::f32).and_then(|s| s.first().copied())
}
