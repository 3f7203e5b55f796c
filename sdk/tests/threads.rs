//! Pipelines whose nodes run on the engine's workers (rules S1, S2, S9, S11, S22).
#![allow(clippy::unwrap_used, reason = "what a test needs is there, or the test fails")]

mod common;

use common::{assert_conserved, assert_conserved_soon, pipeline};
use remotemedia::engine::State;
use remotemedia::node::{Caps, Context, Descriptor, Flow, NoParams, Node, Port};
use remotemedia::{Audio, Engine, Packet, Pipeline, Pull, PushError, Result};
use serde_json::{Value, json};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

/// So many Add nodes in a row, each in a segment of its own; each adds one.
fn adders(count: usize, items: usize) -> Value {
    let nodes: Vec<_> = (0..count)
        .map(|n| {
            json!({"id": format!("n{n}"), "node_type": "AddNode", "params": {"addend": 1},
                   "placement": "thread"})
        })
        .collect();
    let connections: Vec<_> =
        (1..count).map(|n| json!({"from": format!("n{}", n - 1), "to": format!("n{n}")})).collect();
    json!({"version": "v1", "nodes": nodes, "connections": connections, "queue": {"items": items}})
}

/// Pushes the numbers from another thread and pulls them to the end.
fn pass(pipeline: &Pipeline, count: i64) -> Vec<i64> {
    let mut out = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..count {
                let mut packet: Packet = json!(n).into();
                while let Err(PushError::Full(back)) = pipeline.push(packet) {
                    packet = back;
                    std::thread::yield_now();
                }
            }
            pipeline.end().expect("it ends");
        });
        loop {
            match pipeline.pull(LONG).expect("it runs") {
                Pull::Packet(_, packet) => out.push(packet.as_json().unwrap().as_i64().unwrap()),
                Pull::End => break,
                Pull::Idle(_) => std::thread::yield_now(),
            }
        }
    });
    out
}

#[test]
fn a_chain_of_segments_gives_everything_in_order() {
    for segments in [1, 3, 10] {
        let run = pipeline(adders(segments, 4));
        let want: Vec<_> = (0..5000).map(|n| n + segments as i64).collect();
        assert_eq!(pass(&run, 5000), want);
        assert_conserved(&run);
        for link in run.metrics()["links"].as_array().unwrap() {
            assert!(link["high_water"].as_u64().unwrap() <= 5, "{link}");
        }
        assert_eq!(run.close(LONG).unwrap(), remotemedia::Closed::Drained);
    }
}

#[test]
fn a_pull_waits_for_the_workers() {
    let run = pipeline(adders(3, 64));
    run.push(json!(1)).unwrap();
    let Pull::Packet(_, packet) = run.pull(LONG).unwrap() else { panic!("nothing came") };
    assert_eq!(packet.as_json(), Some(&json!(4)));
    assert!(matches!(run.pull(LONG).unwrap(), Pull::Idle(remotemedia::Reason::Need(_))));
}

#[test]
fn a_push_that_waits_is_not_refused_where_workers_make_room() {
    let mut manifest = adders(2, 1);
    manifest["outputs"] = json!({"out": {"port": "n1.out", "queue": {"policy": "keep_latest"}}});
    let run = pipeline(manifest);
    for n in 0..20_000 {
        block_on(run.push_async(json!(n))).expect("only the workers hold it up");
    }
    for n in 0..20_000 {
        run.push_within(0, json!(n).into(), LONG).expect("only the workers hold it up");
    }
    assert_conserved_soon(&run);
}

#[test]
fn no_time_that_is_told_of_is_longer_than_the_pipeline_has_been_there() {
    let nodes = json!([{"id": "n", "node_type": "PassThrough"}]);
    let outputs = json!({"out": {"port": "n.out", "queue": {"policy": "keep_latest"}}});
    let run = pipeline(json!({"version": "v1", "nodes": nodes, "outputs": outputs}));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..5000).for_each(|n| _ = run.push(json!(n))));
        }
    });
    let metrics = run.metrics();
    let waits = metrics["links"].as_array().unwrap().iter().map(|link| &link["wait_us"]);
    for times in waits.chain([&metrics["latency_us"]["out"]]).filter(|times| !times.is_null()) {
        assert!(times["max"].as_f64() <= metrics["uptime_us"].as_f64(), "{times}");
    }
}

#[test]
fn who_waits_is_told_when_a_node_has_kept_a_packet() {
    let nodes = json!([{"id": "n", "node_type": "Buffer", "params": {"buffer_size": 1000}}]);
    let run = pipeline(json!({"version": "v1", "nodes": nodes}));
    for _ in 0..3 {
        let before = run.changes();
        run.push(Audio::from_f32(vec![0.0; 10], 16_000, 1).unwrap()).expect("there is room");
        assert!(run.changes() != before);
    }
}

/// Polls a future on this thread, which sleeps until it is woken.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut TaskContext::from_waker(&waker)) {
            return value;
        }
        std::thread::park();
    }
}

#[test]
fn cancelled_under_load_it_is_over_at_once() {
    for _ in 0..200 {
        let run = pipeline(adders(4, 8));
        std::thread::scope(|scope| {
            scope.spawn(|| while run.push(json!(1)).is_ok() {});
            scope.spawn(|| while run.pull(LONG).is_ok() {});
            run.cancel();
        });
        assert_eq!(run.state(), State::Cancelled);
    }
}

#[test]
fn ten_thousand_idle_pipelines_share_the_engines_threads() {
    let engine = remotemedia::Engine::new(remotemedia::nodes::builtin());
    let manifest = adders(2, 4);
    let runs: Vec<_> = (0..10_000).map(|_| common::on(&engine, manifest.clone())).collect();
    for run in runs.iter().step_by(1000) {
        run.push(json!(1)).unwrap();
        let Pull::Packet(_, packet) = run.pull(LONG).unwrap() else { panic!("nothing came") };
        assert_eq!(packet.as_json(), Some(&json!(3)));
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads: usize = engine.threads().iter().map(|(_, count)| count).sum();
    assert!(threads <= cores, "{threads} threads on {cores} cores");
}

#[test]
fn a_thousand_busy_pipelines_share_the_engines_threads_too() {
    let engine = Engine::new(remotemedia::nodes::builtin());
    let runs: Vec<_> = (0..1_000).map(|_| common::on(&engine, adders(2, 4))).collect();
    runs.iter().for_each(|run| run.push(json!(1)).unwrap());
    for run in &runs {
        assert!(matches!(run.pull(LONG), Ok(Pull::Packet(..))));
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads: usize = engine.threads().iter().map(|(_, count)| count).sum();
    assert!(threads <= cores, "{threads} threads on {cores} cores");
}

/// A source that never comes to an end.
struct Endless;

impl Node for Endless {
    type Params = NoParams;
    const DESCRIPTOR: Descriptor = Descriptor {
        inputs: &[],
        outputs: &[Port::new("out", Caps::ANY, "Numbers.")],
        ..Descriptor::new("Endless", "Gives the same number without end.")
    };
    fn new(NoParams: NoParams) -> Result<Self> {
        Ok(Self)
    }
    fn process(&mut self, _: &mut Context<'_>, _: Packet) -> Result<Flow> {
        Ok(Flow::Done)
    }
    fn resume(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
        cx.emit(0, json!(1));
        Ok(Flow::More)
    }
}

#[test]
fn pipelines_that_never_rest_leave_others_their_turn() {
    let mut registry = remotemedia::nodes::builtin();
    registry.add::<Endless>("test").unwrap();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    for engine in [Engine::new(registry.clone()), Engine::simulated(registry, 1)] {
        let endless = json!({
            "version": "v1",
            "nodes": [{"id": "n", "node_type": "Endless", "placement": "thread"}],
            "outputs": {"out": {"port": "n.out", "queue": {"policy": "keep_latest"}}},
        });
        let busy: Vec<_> = (0..=cores).map(|_| common::on(&engine, endless.clone())).collect();
        for run in &busy {
            assert!(matches!(run.pull(LONG), Ok(Pull::Packet(..))));
        }
        let run = common::on(&engine, adders(3, 4));
        run.push(json!(1)).unwrap();
        assert!(matches!(run.pull(LONG), Ok(Pull::Packet(..))));
        busy.iter().for_each(Pipeline::cancel);
    }
}

#[test]
fn a_segment_of_the_realtime_lane_runs_with_or_without_the_priority() {
    let engine = remotemedia::Engine::new(remotemedia::nodes::builtin());
    let run = common::on(
        &engine,
        json!({"version": "v1", "nodes": [
            {"id": "gain", "node_type": "Gain", "placement": "thread", "lane": "realtime"},
        ]}),
    );
    run.push(common::mono(&[0.5; 480])).unwrap();
    assert!(matches!(run.pull(LONG), Ok(Pull::Packet(..))));
    // Where the system does not permit it, the log says so.
    let line = engine.log_line();
    assert!(line.is_none_or(|l| l.message.contains("no real-time priority")));
}
