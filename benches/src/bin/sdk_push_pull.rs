//! What the SDK costs for the job of `capi/push_pull.c`: the other side of what the C API adds.
#![allow(clippy::print_stdout, reason = "its output is what it is for")]

use remotemedia::{Audio, Engine, Packet, Pipeline, Pull};
use remotemedia_benches::{cpu_time, packet, pass_through};
use serde_json::json;
use std::hint::black_box;

const ROUNDS: u32 = 400_000;
const CALLS: u32 = 2_000_000;

fn main() {
    let pipeline = pass_through(1);
    let pool = Engine::default().pool().clone();
    let mut ok = true;
    let mut whole = |value: f32| {
        pipeline.push(packet(&pool, value)).expect("there is room");
        let pulled = pull(&pipeline);
        let samples = pulled.as_audio().and_then(Audio::f32).expect("it is audio");
        ok &= samples[0] == value;
    };
    (0..10_000u16).for_each(|i| whole(f32::from(i)));
    let whole_ns = time(ROUNDS, |i| whole((i % 1000) as f32));
    let mut again = Some(packet(&pool, 1.0));
    let push_pull_ns = time(ROUNDS, |_| {
        pipeline.push(again.take().expect("pulled")).expect("there is room");
        again = Some(pull(&pipeline));
    });
    let shared = packet(&pool, 1.0);
    let share_release_ns = time(CALLS, |_| drop(black_box(shared.clone())));
    println!(
        "{}",
        json!({
            "side": "sdk", "ok": ok, "whole_ns": whole_ns, "push_pull_ns": push_pull_ns,
            "share_release_ns": share_release_ns,
        })
    );
}

fn pull(pipeline: &Pipeline) -> Packet {
    match pipeline.try_pull() {
        Ok(Pull::Packet(_, packet)) => packet,
        other => panic!("no packet but {other:?}"),
    }
}

/// CPU nanoseconds of each of `times` calls.
fn time(times: u32, mut work: impl FnMut(u32)) -> f64 {
    let begin = cpu_time();
    (0..times).for_each(&mut work);
    (cpu_time() - begin).as_secs_f64() * 1e9 / f64::from(times)
}
