//! Nodes whose descriptor says `realtime` neither allocate nor free in `process` once they are warm.

#![allow(missing_docs, reason = "a test")]

use remotemedia_core::node::testing::{Harness, Random, cut};
use remotemedia_core::node::{Node, Params};
use remotemedia_core::nodes::{
    AudioAdapter, AudioChunker, AudioLevel, AudioResample, ChannelMixer, FormatConverter, Gain,
    Merge, Mixer, PassThrough, Router,
};
use remotemedia_core::packet::{Audio, MediaTime, Packet};
use serde_json::{Value as Json, json};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    /// Calls of the allocator by this thread, while it counts.
    static CALLS: Cell<Option<u64>> = const { Cell::new(None) };
}

struct Counting;

fn count() {
    // A thread that is ending has no counter any more, and needs none.
    let _ = CALLS.try_with(|calls| calls.set(calls.get().map(|n| n + 1)));
}

// SAFETY: every call goes to the system allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's contract is the same.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, data: *mut u8, layout: Layout) {
        count();
        // SAFETY: the caller's contract is the same.
        unsafe { System.dealloc(data, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn counted(work: impl FnOnce()) -> u64 {
    CALLS.set(Some(0));
    work();
    CALLS.replace(None).expect("set above")
}

/// Runs a second of 20 ms packets twice: to warm up, and under the counter.
fn check<N: Node>(params: Json, change: Option<Json>) {
    assert!(N::DESCRIPTOR.realtime, "{} should say that it is", N::DESCRIPTOR.name);
    let mut node = Harness::new::<N>(params.clone()).expect("the node can be made");
    let second = Random::new(1).noise(44_100, 2, 44_100);
    let packets = |from: i64| cut(&second, MediaTime::from_millis(from), || 882);
    let mut frames = 0;
    let mut push = |node: &mut Harness, packet: Packet| {
        node.push_each(packet, |_, out| frames += out.as_audio().map_or(0, Audio::frames))
            .expect("the node takes it");
    };
    packets(0).into_iter().for_each(|packet| push(&mut node, packet));
    if let Some(Json::Object(change)) = &change {
        node.set::<N>(N::Params::from_map(change));
    }
    let more = packets(1_000);
    let calls = counted(|| {
        for packet in &more {
            push(&mut node, packet.clone());
        }
    });
    assert!(frames > 0);
    assert_eq!(calls, 0, "{} with {params} called the allocator", N::DESCRIPTOR.name);
}

#[test]
fn warm_audio_nodes_never_call_the_allocator() {
    check::<PassThrough>(json!({}), None);
    for latency in ["low", "auto", "offline"] {
        check::<AudioResample>(json!({"target_rate": 16_000, "latency": latency}), None);
        check::<AudioResample>(json!({"target_rate": 48_001, "latency": latency}), None);
    }
    check::<FormatConverter>(json!({"format": "i16", "planar": true}), None);
    check::<ChannelMixer>(json!({"channels": 1}), None);
    check::<ChannelMixer>(json!({"matrix": [[1, 0.5], [0.5, 1], [1, 1]]}), None);
    check::<Gain>(json!({"gain_db": -3}), Some(json!({"gain_db": 3})));
    check::<AudioChunker>(json!({"chunk_size": 500}), None);
    check::<AudioLevel>(json!({"interval_ms": 7}), None);
    check::<Mixer>(json!({"gain_db": -3, "limit": "clip"}), Some(json!({"gain_db": 3})));
    check::<Merge>(json!({}), None);
    let rules = json!([{"to": "a", "field": "/x", "min": 1}, {"to": "b", "kind": "audio"}]);
    check::<Router>(json!({"rules": rules}), None);
    check::<AudioAdapter>(json!({"rates": [16_000], "channels": [1], "samples": ["i16"]}), None);
}

#[test]
fn a_warm_mixer_of_several_connections_never_calls_the_allocator() {
    let mut node = Harness::new::<Mixer>(json!({"limit": "clip"})).expect("the node can be made");
    let second = Random::new(1).noise(44_100, 2, 44_100);
    let packets = |from: i64| {
        // Three connections that begin at other times and are cut into other packets.
        let lane = |lane: usize| {
            let start = MediaTime::from_millis(from + 7 * lane as i64);
            cut(&second, start, || 882 + 100 * lane).into_iter().map(move |packet| (lane, packet))
        };
        let mut all: Vec<_> = (0..3).flat_map(lane).collect();
        all.sort_by_key(|(lane, packet)| (packet.pts(), *lane));
        all
    };
    let mut frames = 0;
    let mut push = |node: &mut Harness, lane, packet: Packet| {
        node.on(lane)
            .push_each(packet, |_, out| frames += out.as_audio().map_or(0, Audio::frames))
            .expect("the node takes it");
    };
    packets(0).into_iter().for_each(|(lane, packet)| push(&mut node, lane, packet));
    let more = packets(1_000);
    let calls = counted(|| {
        for (lane, packet) in &more {
            push(&mut node, *lane, packet.clone());
        }
    });
    assert!(frames > 87_000);
    assert_eq!(calls, 0, "the mixer called the allocator");
}

#[test]
fn the_counter_sees_an_allocation() {
    assert_eq!(counted(|| drop(std::hint::black_box(Box::new(7)))), 2);
}
