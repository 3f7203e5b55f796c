//! Property tests on random determinate graphs: conservation, order, chunking invariance, and the
//! driver that only reacts to the reason (rules S2, S3, S16, S18, S19).

mod common;

use common::{assert_conserved, drive, pipeline};
use proptest::prelude::*;
use remotemedia::node::testing::Random;
use remotemedia::{Audio, Packet, Payload};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Nodes that a random graph is made of; each takes and gives mono f32 audio on its default ports.
fn node(kind: usize, id: usize) -> Value {
    let (ty, params) = match kind {
        0 => ("PassThrough", json!({})),
        1 => ("Gain", json!({"gain_db": -6.0})),
        2 => ("AudioChunker", json!({"chunk_size": 300})),
        3 => ("AudioResample", json!({"target_rate": 16_000})),
        4 => ("AudioResample", json!({"target_rate": 44_100, "latency": "low"})),
        5 => ("FormatConverter", json!({"format": "i16"})),
        6 => ("ChannelMixer", json!({"channels": 2})),
        7 => ("AudioLevel", json!({})),
        8 => ("VAD", json!({"report": "frames"})),
        _ => ("SpeechSegmenter", json!({})),
    };
    json!({"id": format!("n{id}"), "node_type": ty, "params": params})
}

/// A tree: every node but the first hangs on an earlier one.
fn graph(kinds: &[usize], parents: &[usize], items: usize) -> Value {
    let nodes: Vec<_> = kinds.iter().enumerate().map(|(id, kind)| node(*kind, id)).collect();
    let connections: Vec<_> = (1..kinds.len())
        .map(|n| json!({"from": format!("n{}", parents[n] % n), "to": format!("n{n}")}))
        .collect();
    json!({
        "version": "v1", "nodes": nodes, "connections": connections, "queue": {"items": items},
    })
}

/// One second of speech-like noise: bursts and pauses.
fn signal() -> Vec<f32> {
    let mut random = Random::new(7);
    (0..48_000)
        .map(|n| {
            let loud = if (n / 9_600) % 2 == 0 { 0.3 } else { 0.001 };
            loud * (random.below(20_001) as f32 / 10_000.0 - 1.0)
        })
        .collect()
}

fn chunks(signal: &[f32], size: Option<usize>) -> Vec<Packet> {
    let mut random = Random::new(3);
    let (mut out, mut rest) = (Vec::new(), signal);
    while !rest.is_empty() {
        // Empty packets come in between, too.
        let size = size.unwrap_or_else(|| random.below(3_000)).min(rest.len());
        let (now, later) = rest.split_at(size);
        out.push(common::mono(now));
        rest = later;
        if size == 0 || out.len() % 5 == 0 {
            out.push(common::mono(&[]));
        }
    }
    out
}

/// What an output gave, without how it was cut into packets: bytes of audio with its first time,
/// and findings one by one.
#[derive(Debug, PartialEq, Default)]
struct Stream {
    bytes: Vec<u8>,
    first: Option<i64>,
    findings: Vec<String>,
}

fn merge(outputs: Vec<(String, Packet)>) -> BTreeMap<String, Stream> {
    let mut streams: BTreeMap<String, Stream> = BTreeMap::new();
    let mut last: BTreeMap<String, i64> = BTreeMap::new();
    for (output, packet) in outputs {
        if let Some(pts) = packet.pts().map(|t| t.nanos()) {
            let before = last.insert(output.clone(), pts);
            assert!(before.is_none_or(|b| b <= pts), "output {output} goes back in time");
        }
        let stream = streams.entry(output).or_default();
        match packet.payload() {
            Payload::Audio(audio) if audio.frames() > 0 => {
                stream.first = stream.first.or(packet.pts().map(|t| t.nanos()));
                stream.bytes.extend(audio.plane(0));
            }
            Payload::Audio(_) => {}
            other => stream.findings.push(format!("{:?} {other:?}", packet.pts())),
        }
    }
    streams
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn chunking_does_not_matter_and_nothing_is_lost(
        kinds in prop::collection::vec(0usize..10, 1..7),
        parents in prop::collection::vec(0usize..100, 7),
        items in 1usize..5,
    ) {
        let signal = signal();
        let manifest = graph(&kinds, &parents, items);
        let mut reference: Option<BTreeMap<String, Stream>> = None;
        for size in [Some(960), Some(7), Some(160), Some(4801), None] {
            let run = pipeline(manifest.clone());
            let streams = merge(drive(&run, chunks(&signal, size)));
            assert_conserved(&run);
            prop_assert!(run.graph().indeterminate.is_empty(), "{:?}", run.graph().indeterminate);
            if let Some(reference) = &reference {
                prop_assert_eq!(reference, &streams, "chunks of {:?}", size);
            }
            reference = Some(streams);
        }
    }
}

#[test]
fn single_samples_make_the_same_stream_too() {
    let signal = &signal()[..3000];
    let manifest = graph(&[0, 2, 3, 5, 8, 7], &[0, 0, 1, 2, 2, 3], 3);
    let run = |size| merge(drive(&pipeline(manifest.clone()), chunks(signal, size)));
    assert_eq!(run(Some(1)), run(Some(960)));
}

#[test]
fn time_keeping_nodes_give_as_much_time_as_they_take() {
    let signal = signal();
    for kind in 0..9 {
        if kind == 8 {
            continue; // the VAD's default output keeps time, its records have none
        }
        let run = pipeline(graph(&[kind], &[0], 64));
        let frames: f64 = drive(&run, chunks(&signal, Some(1234)))
            .iter()
            .filter_map(|(_, p)| p.as_audio())
            .map(|a: &Audio| a.frames() as f64 / f64::from(a.format().rate))
            .sum();
        assert!((frames - 1.0).abs() <= 1.0 / 16_000.0, "kind {kind}: {frames} s");
    }
}
