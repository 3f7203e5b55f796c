//! What the benchmarks share: pipelines and packets.

use remotemedia::packet::{Audio, AudioFormat, Pool};
use remotemedia::{Manifest, Packet, Pipeline};
use serde_json::{Value, json};
use std::time::Duration;

/// Frames of a 20 ms packet at 48 kHz.
pub const FRAMES: usize = 960;

/// A pipeline from a manifest that is known to be right.
///
/// # Panics
/// If it isn't.
pub fn pipeline(manifest: Value) -> Pipeline {
    let manifest = Manifest::from_value(manifest).expect("the benchmark's manifest is right");
    Pipeline::from_manifest(&manifest).expect("the benchmark's manifest is right")
}

/// A chain of nodes, each given as (type, params).
///
/// # Panics
/// If a type or param doesn't exist.
pub fn chain(nodes: &[(&str, Value)]) -> Pipeline {
    let id = |n: usize| format!("n{n}");
    let list: Vec<_> = (0..)
        .zip(nodes)
        .map(|(n, (ty, params))| json!({"id": id(n), "node_type": ty, "params": params}))
        .collect();
    let connections: Vec<_> =
        (1..nodes.len()).map(|n| json!({"from": id(n - 1), "to": id(n)})).collect();
    pipeline(json!({"version": "v1", "nodes": list, "connections": connections}))
}

/// A chain of `n` PassThrough nodes.
pub fn pass_through(n: usize) -> Pipeline {
    chain(&vec![("PassThrough", json!({})); n])
}

/// A 20 ms packet of 48 kHz mono f32 from the pool, filled with `value`.
///
/// # Panics
/// If memory runs out.
pub fn packet(pool: &Pool, value: f32) -> Packet {
    let mut audio =
        Audio::from_pool(pool, AudioFormat::f32(48_000, 1), FRAMES).expect("a good format");
    audio.f32_mut().expect("fresh memory is not shared").fill(value);
    Packet::audio(audio)
}

/// CPU time of this process so far: user and system, from the kernel's own accounting.
pub fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanos = stat.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0);
    Duration::from_nanos(nanos)
}
