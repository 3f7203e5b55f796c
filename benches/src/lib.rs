//! What the benchmarks share: pipelines and packets, what a process costs, figures.

pub mod args;
pub mod figures;
pub mod numbered;
pub mod process;
pub mod soak;
pub mod voice;

pub use process::cpu_time;

use remotemedia::packet::{Audio, AudioFormat, Pool};
use remotemedia::{Manifest, Packet, Pipeline};
use serde_json::{Value, json};

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
    pipeline(chain_manifest(nodes))
}

/// The manifest of such a chain.
pub fn chain_manifest(nodes: &[(&str, Value)]) -> Value {
    let id = |n: usize| format!("n{n}");
    let list: Vec<_> = (0..)
        .zip(nodes)
        .map(|(n, (ty, params))| json!({"id": id(n), "node_type": ty, "params": params}))
        .collect();
    let connections: Vec<_> =
        (1..nodes.len()).map(|n| json!({"from": id(n - 1), "to": id(n)})).collect();
    json!({"version": "v1", "nodes": list, "connections": connections})
}

/// A chain of `n` PassThrough nodes.
pub fn pass_through(n: usize) -> Pipeline {
    chain(&vec![("PassThrough", json!({})); n])
}

/// The manifest's nodes, each the first of a segment of its own that workers run.
///
/// # Panics
/// If the manifest has none.
#[must_use]
pub fn on_threads(mut manifest: Value) -> Value {
    let nodes = manifest["nodes"].as_array_mut().expect("a manifest has nodes");
    nodes.iter_mut().for_each(|node| node["placement"] = json!("thread"));
    manifest
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
