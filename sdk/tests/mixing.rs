//! Mixer, Merge and Router in running pipelines (rules S6, S14).
#![allow(clippy::unwrap_used, reason = "what a test needs is there, or the test fails")]
#![cfg(feature = "media")]

mod common;

use common::{assert_conserved, on};
use remotemedia::nodes::builtin;
use remotemedia::{Audio, Engine, MediaTime, Packet, Pipeline, Pull, PushError, Reason};
use serde_json::{Value, json};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(3600);

fn speech() -> String {
    concat!(env!("CARGO_MANIFEST_DIR"), "/../media/speech-16k.wav").to_owned()
}

/// All samples that come until the end, while `push` is asked for what inputs want.
fn listen(run: &Pipeline, mut push: impl FnMut(&Pipeline) -> bool) -> Vec<f32> {
    let mut out = Vec::new();
    loop {
        match run.pull(LONG).unwrap() {
            Pull::Packet(_, packet) => {
                out.extend_from_slice(packet.as_audio().expect("audio").f32().expect("f32"));
            }
            Pull::End => return out,
            Pull::Idle(Reason::Need(_)) => assert!(push(run), "nothing goes on"),
            Pull::Idle(reason) => panic!("nothing goes on: {reason:?}"),
        }
    }
}

/// A file and a microphone into a mixer.
fn call(placement: &str) -> Value {
    json!({
        "version": "v1",
        "nodes": [
            {"id": "file", "node_type": "MediaReader", "params": {"path": speech()},
             "placement": placement},
            {"id": "mic", "node_type": "Gain", "params": {"gain_db": -6.0}, "placement": placement},
            {"id": "mix", "node_type": "Mixer", "placement": placement},
        ],
        "connections": [{"from": "file", "to": "mix"}, {"from": "mic", "to": "mix"}],
    })
}

#[test]
fn a_file_and_a_pushed_microphone_mix_to_the_sum_of_both_however_it_runs() {
    let reader = |params: Value| {
        json!({"version": "v1", "nodes": [
            {"id": "file", "node_type": "MediaReader", "params": params},
            {"id": "convert", "node_type": "FormatConverter", "params": {"format": "f32"}},
        ], "connections": [{"from": "file", "to": "convert"}]})
    };
    let engine = Engine::new(builtin());
    let file = listen(&on(&engine, reader(json!({"path": speech()}))), |_| false);
    let mic: Vec<f32> = file.iter().rev().copied().collect();
    let quiet = on(
        &engine,
        json!({"version": "v1", "nodes": [
        {"id": "mic", "node_type": "Gain", "params": {"gain_db": -6.0}}]}),
    );
    quiet.push(Packet::audio(Audio::from_f32(mic.clone(), 16_000, 1).unwrap())).unwrap();
    quiet.end().unwrap();
    let quiet = listen(&quiet, |_| false);
    let want: Vec<f32> = file.iter().zip(&quiet).map(|(a, b)| a + b).collect();
    let simulated = (0..6).map(|seed| (Engine::simulated(builtin(), seed), "thread"));
    let real = [(engine.clone(), "inline"), (engine.clone(), "thread")];
    for (way, (engine, placement)) in real.into_iter().chain(simulated).enumerate() {
        let run = on(&engine, call(placement));
        let chunk = [160, 77, 1024][way % 3];
        let mut left = mic.chunks(chunk);
        let mut waiting: Option<Packet> = None;
        let out = listen(&run, |run| {
            let next = waiting.take().or_else(|| {
                let audio = Audio::from_f32(left.next()?.to_vec(), 16_000, 1).unwrap();
                Some(Packet::audio(audio))
            });
            match next {
                None => run.end().unwrap(),
                Some(packet) => match run.push(packet) {
                    Ok(()) => {}
                    Err(PushError::Full(packet)) => waiting = Some(packet),
                    Err(error) => panic!("{error}"),
                },
            }
            true
        });
        assert_eq!(out.len(), want.len(), "{placement}");
        let wrong = out.iter().zip(&want).position(|(a, b)| a != b);
        assert_eq!(wrong, None, "{placement}: the first sample that differs");
        assert_conserved(&run);
        assert!(run.graph().indeterminate.is_empty(), "{:?}", run.graph().indeterminate);
    }
}

#[test]
fn a_router_sends_each_packet_one_way_and_a_merge_by_time_brings_them_back_in_order() {
    for engine in [Engine::new(builtin()), Engine::simulated(builtin(), 3)] {
        let run = on(
            &engine,
            json!({
                "version": "v1",
                "nodes": [
                    {"id": "route", "node_type": "Router", "placement": "thread", "params": {"rules": [
                        {"to": "a", "field": "/n", "min": 5},
                        {"to": "b", "field": "/n", "equals": 3},
                    ]}},
                    {"id": "high", "node_type": "PassThrough", "placement": "thread"},
                    {"id": "three", "node_type": "PassThrough", "placement": "thread"},
                    {"id": "merge", "node_type": "Merge", "params": {"order": "time"}},
                ],
                "connections": [
                    {"from": "route.a", "to": "high"}, {"from": "route.b", "to": "three"},
                    {"from": "high", "to": "merge"}, {"from": "three", "to": "merge"},
                    {"from": "route", "to": "merge"},
                ],
            }),
        );
        for n in 0..10 {
            let packet = Packet::from(json!({"n": n})).at(MediaTime::from_millis(n));
            run.push(packet).unwrap();
        }
        run.end().unwrap();
        let mut out = Vec::new();
        while let Pull::Packet(_, packet) = run.pull(LONG).unwrap() {
            out.push(packet.as_json().unwrap()["n"].as_i64().unwrap());
        }
        assert_eq!(out, (0..10).collect::<Vec<_>>());
    }
}

#[test]
fn a_merge_by_arrival_gives_what_has_waited_in_the_order_in_which_it_came() {
    for seed in 0..10 {
        let run = on(
            &Engine::simulated(builtin(), seed),
            json!({
                "version": "v1",
                "nodes": [
                    {"id": "a", "node_type": "PassThrough"},
                    {"id": "b", "node_type": "PassThrough"},
                    {"id": "merge", "node_type": "Merge", "placement": "thread"},
                ],
                "connections": [{"from": "a", "to": "merge"}, {"from": "b", "to": "merge"}],
            }),
        );
        // The merge does not run before somebody waits.
        for (n, input) in ["a", "b", "b", "a", "a", "b"].into_iter().enumerate() {
            run.push_to(input, json!(n)).unwrap();
        }
        run.end().unwrap();
        let mut out = Vec::new();
        while let Pull::Packet(_, packet) = run.pull(LONG).unwrap() {
            out.push(packet.as_json().unwrap().as_i64().unwrap());
        }
        assert_eq!(out, [0, 1, 2, 3, 4, 5], "seed {seed}");
        assert_conserved(&run);
    }
}
