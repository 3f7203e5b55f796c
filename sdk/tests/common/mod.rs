//! What the engine's tests share.
#![allow(dead_code, reason = "each test file uses its own part")]

use remotemedia::node::Ticket;
use remotemedia::node::testing::Random;
use remotemedia::{Audio, Engine, Event, Manifest, Packet, Pipeline, Pull, PushError, Reason};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A pipeline on the default engine.
pub(crate) fn pipeline(manifest: Value) -> Pipeline {
    on(&Engine::default(), manifest)
}

/// A pipeline on that engine.
pub(crate) fn on(engine: &Engine, manifest: Value) -> Pipeline {
    let manifest = Manifest::from_value(manifest).expect("the test's manifest parses");
    engine.pipeline(&manifest).expect("the test's manifest is valid")
}

/// A chain of nodes, each (type, params), with ids n0, n1, …
pub(crate) fn chain(nodes: &[(&str, Value)]) -> Value {
    let list: Vec<_> = (0..)
        .zip(nodes)
        .map(|(n, (ty, params))| json!({"id": format!("n{n}"), "node_type": ty, "params": params}))
        .collect();
    let connections: Vec<_> = (1..nodes.len())
        .map(|n| json!({"from": format!("n{}", n - 1), "to": format!("n{n}")}))
        .collect();
    json!({"version": "v1", "nodes": list, "connections": connections})
}

/// Everything that can be pulled now.
pub(crate) fn pull_all(pipeline: &Pipeline) -> Vec<Packet> {
    std::iter::from_fn(|| pipeline.try_pull().expect("it runs").packet()).collect()
}

/// All events that wait.
pub(crate) fn events(pipeline: &Pipeline) -> Vec<Event> {
    std::iter::from_fn(|| pipeline.event()).collect()
}

/// JSON values of packets.
pub(crate) fn values(packets: &[Packet]) -> Vec<Value> {
    packets.iter().map(|p| p.as_json().expect("JSON").clone()).collect()
}

/// A mono 48 kHz packet.
pub(crate) fn mono(samples: &[f32]) -> Packet {
    Packet::audio(Audio::from_f32(samples.to_vec(), 48_000, 1).expect("a good block"))
}

/// Pushes all packets, ends, and pulls to the end, doing only what the last answer asks for: after
/// `Full` it pulls, after `Need` it pushes (or ends). Panics if the engine asks for something that
/// does not help, which is the law of rule S3.
pub(crate) fn drive(pipeline: &Pipeline, packets: Vec<Packet>) -> Vec<(String, Packet)> {
    let mut out = Vec::new();
    let mut left = packets.into_iter();
    let mut next = left.next();
    let mut ended = false;
    loop {
        if let Some(packet) = next.take() {
            match pipeline.push(packet) {
                Ok(()) => {
                    next = left.next();
                    continue;
                }
                Err(PushError::Full(packet)) => next = Some(packet),
                Err(error) => panic!("push: {error}"),
            }
        } else if !ended {
            pipeline.end().expect("ends");
            ended = true;
        }
        // The input is full, or there is nothing more to push: some pull must give something.
        match pipeline.try_pull().expect("it runs") {
            Pull::Packet(output, packet) => out.push((output.to_owned(), packet)),
            Pull::End => {
                assert!(ended && next.is_none(), "it ended before its inputs did");
                return out;
            }
            Pull::Idle(reason) => {
                assert!(
                    matches!(reason, Reason::Need(_)) && next.is_none() && !ended,
                    "nothing goes on: {reason:?}"
                );
            }
        }
    }
}

/// Checks `in = taken + dropped + queued` on every link and `taken = done + failed + held` on every
/// node of a pipeline that rests.
pub(crate) fn assert_conserved(pipeline: &Pipeline) {
    if let Some(what) = pipeline.unbalanced() {
        panic!("not conserved: {what}");
    }
}

/// As [`assert_conserved`], of a pipeline that is over, as soon as the workers have let go of it.
pub(crate) fn assert_conserved_soon(pipeline: &Pipeline) {
    // Looked at once each time: they may still be at it.
    let end = Instant::now() + Duration::from_secs(60);
    while let Some(what) = pipeline.unbalanced() {
        assert!(Instant::now() < end, "not conserved: {what}");
        std::thread::yield_now();
    }
}

/// Keeps panics with that message out of the test's output.
pub(crate) fn expect_panics(message: &'static str) {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if panic.payload_as_str() != Some(message) {
            print(panic);
        }
    }));
}

/// Completes the tickets that wait on a desk, with their packets, late and in an order of its own, from
/// a thread of its own, until it is dropped.
pub(crate) struct Elf {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Elf {
    /// One with that order and desk.
    pub(crate) fn new(seed: u64, desk: &'static Mutex<Vec<(Ticket, Packet)>>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let work = move || {
            let mut random = Random::new(seed);
            while !stopped.load(Ordering::Relaxed) {
                let next = {
                    let mut tickets = desk.lock().expect("who holds it does not panic");
                    let count = tickets.len();
                    (count > 0).then(|| tickets.swap_remove(random.below(count)))
                };
                match next {
                    Some((ticket, packet)) => ticket.complete([(0, packet)]),
                    None => std::thread::yield_now(),
                }
            }
        };
        Self { stop, thread: Some(std::thread::spawn(work)) }
    }
}

impl Drop for Elf {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("it does not panic");
        }
    }
}
