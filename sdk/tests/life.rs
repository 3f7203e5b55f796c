//! The life of a pipeline: end, close, cancel, reset, rewind, failures, tickets
//! (rules S1, S3, S5, S9, S11, S13).

mod common;

use common::{assert_conserved, chain, events, mono, on, pipeline, pull_all, values};
use remotemedia::engine::{DropReason, State};
use remotemedia::error::detail;
use remotemedia::node::{Caps, Context, Descriptor, Flow, NoParams, Node, Params, Port, Ticket};
use remotemedia::packet::{Kind, SampleFormat};
use remotemedia::{
    Audio, AudioFormat, Closed, Engine, Error, Event, MediaTime, Packet, Pipeline, Pull, PushError,
    Reason, Result,
};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

const NOW: Duration = Duration::ZERO;

/// Fails, or panics, on a number; passes all else.
struct Picky {
    params: PickyParams,
}

/// Params of the test node.
#[derive(Clone, Params)]
struct PickyParams {
    /// The number that it fails on.
    #[param(default = -1)]
    fail_on: i64,
    /// The number that it panics on.
    #[param(default = -1)]
    panic_on: i64,
}

impl Node for Picky {
    type Params = PickyParams;
    const DESCRIPTOR: Descriptor = Descriptor {
        inputs: &[Port::new("in", Caps::ANY, "Numbers.")],
        outputs: &[Port::new("out", Caps::ANY, "The same.")],
        ..Descriptor::new("Picky", "Fails on a number.")
    };
    fn new(params: PickyParams) -> Result<Self> {
        Ok(Self { params })
    }
    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        let n = packet.as_json().and_then(Value::as_i64);
        cx.emit(0, packet);
        assert_ne!(n, Some(self.params.panic_on), "told to");
        if n == Some(self.params.fail_on) {
            return Err(Error::new(detail::NODE_FAILED, "told to fail"));
        }
        Ok(Flow::Done)
    }
}

/// Hands its tickets to the test.
struct Later;

static TICKETS: Mutex<Vec<(Ticket, Packet)>> = Mutex::new(Vec::new());

impl Node for Later {
    type Params = NoParams;
    const DESCRIPTOR: Descriptor = Descriptor {
        inputs: &[Port::new("in", Caps::ANY, "Anything.")],
        outputs: &[Port::new("out", Caps::ANY, "The same, later.")],
        max_in_flight: 3,
        ..Descriptor::new("Later", "Gives its packets back by ticket.")
    };
    fn new(NoParams: NoParams) -> Result<Self> {
        Ok(Self)
    }
    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        TICKETS.lock().expect("no test panics while it holds it").push((cx.ticket(), packet));
        Ok(Flow::Pending)
    }
}

/// Calls its own pipeline from inside.
struct Nosy;

static OWN: OnceLock<Weak<Pipeline>> = OnceLock::new();

impl Node for Nosy {
    type Params = NoParams;
    const DESCRIPTOR: Descriptor = Descriptor {
        inputs: &[Port::new("in", Caps::ANY, "Anything.")],
        outputs: &[Port::new("out", Caps::ANY, "What its pipeline said.")],
        ..Descriptor::new("Nosy", "Calls its own pipeline.")
    };
    fn new(NoParams: NoParams) -> Result<Self> {
        Ok(Self)
    }
    fn process(&mut self, cx: &mut Context<'_>, _: Packet) -> Result<Flow> {
        let own = OWN.get().and_then(Weak::upgrade).expect("the test has set it");
        let push = own.push(json!(1)).map_err(Error::from).expect_err("must not work");
        let pull = own.try_pull().expect_err("must not work");
        cx.emit(0, json!([push.detail().id, pull.detail().id]));
        Ok(Flow::Done)
    }
}

fn engine() -> Engine {
    let mut registry = remotemedia::nodes::builtin();
    registry.add::<Picky>("test").expect("free");
    registry.add::<Later>("test").expect("free");
    registry.add::<Nosy>("test").expect("free");
    Engine::new(registry)
}

#[test]
fn after_the_end_an_input_takes_no_more_and_the_tails_come() {
    let pipeline = pipeline(chain(&[("AudioChunker", json!({"chunk_size": 1000}))]));
    pipeline.push(mono(&[0.5; 1500])).expect("room");
    assert_eq!(pull_all(&pipeline).len(), 1);
    pipeline.end().expect("ends");
    let Err(PushError::Refused(packet, error)) = pipeline.push(mono(&[0.0; 10])) else {
        panic!("it took a packet after the end")
    };
    assert_eq!((error.detail(), packet.size()), (detail::STATE_ENDED, 40));
    let tail = pull_all(&pipeline);
    assert_eq!(tail[0].as_audio().map(Audio::frames), Some(500));
    assert!(matches!(pipeline.try_pull(), Ok(Pull::End)) && pipeline.is_finished());
}

#[test]
fn a_full_pipeline_refuses_and_goes_on_after_a_pull() {
    let mut manifest = chain(&[("PassThrough", json!({}))]);
    manifest["queue"] = json!({"items": 2});
    let pipeline = pipeline(manifest);
    let mut taken = 0;
    let refused = loop {
        match pipeline.push(json!(taken)) {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(&refused, PushError::Full(p) if p.as_json() == Some(&json!(taken))));
    assert_eq!(taken, 4, "two wait at the output and two at the input");
    assert!(matches!(pipeline.advance(), Ok(Reason::Full(0))));
    assert_eq!(
        pipeline.try_pull().expect("runs").packet().expect("one").as_json(),
        Some(&json!(0))
    );
    pipeline.push(refused.into_packet().expect("it came back")).expect("there is room again");
    assert_eq!(values(&pull_all(&pipeline)), (1..=taken).map(Value::from).collect::<Vec<_>>());
    assert_conserved(&pipeline);
}

#[test]
fn an_output_that_a_manifest_names_replaces_its_nodes_default_output() {
    let mut manifest = chain(&[("AudioLevel", json!({}))]);
    assert_eq!(pipeline(manifest.clone()).outputs().collect::<Vec<_>>(), ["n0"]);
    manifest["outputs"] = json!({"levels": "n0.levels"});
    let pipeline = pipeline(manifest);
    assert_eq!(pipeline.outputs().collect::<Vec<_>>(), ["levels"]);
    // The audio that nobody named holds nothing back.
    for _ in 0..1000 {
        pipeline.push(mono(&[0.1; 480])).expect("room");
        pull_all(&pipeline);
    }
    let metrics = pipeline.metrics();
    let mut nodes = metrics["node_metrics"].as_array().expect("nodes").iter();
    let level = nodes.find(|n| n["node_id"] == "n0").expect("the node");
    assert_eq!(level["unconnected"], 1000);
}

#[test]
fn packets_of_several_outputs_are_pulled_in_the_order_of_emission() {
    let mut manifest = chain(&[("PassThrough", json!({})), ("PassThrough", json!({}))]);
    manifest["outputs"] = json!({"second": "n1.out", "first": "n0.out"});
    let pipeline = pipeline(manifest);
    (0..3).for_each(|n| pipeline.push(json!(n)).expect("room"));
    for n in 0..3 {
        for output in ["first", "second"] {
            let Pull::Packet(from, packet) = pipeline.try_pull().expect("runs") else {
                panic!("nothing came")
            };
            assert_eq!((from, packet.as_json()), (output, Some(&json!(n))));
        }
    }
}

#[test]
fn a_lossy_output_drops_by_its_policy_and_says_so() {
    let mut manifest = chain(&[("PassThrough", json!({}))]);
    manifest["outputs"] =
        json!({"out": {"port": "n0.out", "queue": {"items": 2, "policy": "drop_oldest"}}});
    let pipeline = pipeline(manifest);
    (0..5).for_each(|n| pipeline.push(json!(n)).expect("never full"));
    assert_eq!(values(&pull_all(&pipeline)), [json!(3), json!(4)]);
    let dropped =
        Event::Dropped { link: "output out".into(), reason: DropReason::DropOldest, count: 3 };
    assert!(events(&pipeline).contains(&dropped));
    assert_conserved(&pipeline);
}

#[test]
fn what_came_before_a_failure_is_still_pulled_and_then_the_error_for_ever() {
    let pipeline = on(&engine(), chain(&[("Picky", json!({"fail_on": 2}))]));
    pipeline.push(json!(0)).expect("passes");
    pipeline.push(json!(1)).expect("passes");
    let Err(PushError::Failed(error)) = pipeline.push(json!(2)) else { panic!("it passed") };
    assert_eq!((error.detail(), error.node()), (detail::NODE_FAILED, Some("n0")));
    assert!(matches!(pipeline.push(json!(3)), Err(PushError::Refused(..))));
    for n in 0..2 {
        assert_eq!(
            pipeline.try_pull().expect("before").packet().expect("one").as_json(),
            Some(&json!(n))
        );
    }
    for _ in 0..3 {
        assert_eq!(pipeline.try_pull().expect_err("failed").detail(), detail::NODE_FAILED);
    }
    assert_eq!(pipeline.state(), State::Failed);
    assert!(events(&pipeline).contains(&Event::Error(error)));
    assert_conserved(&pipeline);
}

#[test]
fn a_panic_is_the_nodes_error_and_other_pipelines_go_on() {
    let engine = engine();
    let broken = on(&engine, chain(&[("Picky", json!({"panic_on": 1}))]));
    let other = on(&engine, chain(&[("Picky", json!({}))]));
    let Err(PushError::Failed(error)) = broken.push(json!(1)) else { panic!("it passed") };
    assert_eq!(error.detail(), detail::NODE_PANICKED);
    assert!(error.message().contains("told to"), "{error}");
    other.push(json!(1)).expect("not concerned");
    assert_eq!(values(&pull_all(&other)), [json!(1)]);
}

#[test]
fn cancel_wins_at_once_and_sticks() {
    let pipeline = pipeline(chain(&[("PassThrough", json!({}))]));
    pipeline.push(json!(1)).expect("room");
    pipeline.cancel();
    pipeline.cancel();
    assert_eq!(pipeline.try_pull().expect_err("over").detail(), detail::STATE_CANCELLED);
    assert_eq!(pipeline.close(NOW).expect_err("over").detail(), detail::STATE_CANCELLED);
    assert_eq!(pipeline.reset().expect_err("over").detail(), detail::STATE_CANCELLED);
    assert_eq!(pipeline.state(), State::Cancelled);
    assert_conserved(&pipeline);
}

#[test]
fn close_drains_and_drops_what_nobody_pulls() {
    let mut manifest = chain(&[("AudioChunker", json!({"chunk_size": 100}))]);
    manifest["queue"] = json!({"items": 1});
    let pipeline = pipeline(manifest);
    let pushed = (0..).take_while(|_| pipeline.push(mono(&[0.0; 1000])).is_ok()).count();
    assert!(pushed > 1, "some wait for room at the output");
    assert_eq!(pipeline.close(NOW).expect("closes"), Closed::Drained);
    assert_eq!(pipeline.close(NOW).expect("again"), Closed::Drained);
    assert_eq!(pipeline.try_pull().expect_err("closed").detail(), detail::STATE_CLOSED);
    assert_conserved(&pipeline);
    let node = &pipeline.metrics()["node_metrics"][0];
    assert_eq!(node["emitted"], 10 * pushed);
}

#[test]
fn reset_forgets_everything_and_the_next_output_is_a_break() {
    let pipeline = pipeline(chain(&[("AudioChunker", json!({"chunk_size": 1000}))]));
    pipeline.push(mono(&[0.1; 1999])).expect("room");
    assert_eq!(pipeline.reset().expect("resets"), 1);
    assert!(matches!(pipeline.try_pull(), Ok(Pull::Idle(Reason::Need(_)))), "nothing stale");
    pipeline.push(mono(&[0.2; 1000])).expect("room");
    let out = pull_all(&pipeline);
    assert_eq!(out.len(), 1);
    assert!(out[0].is_discont() && out[0].pts() == Some(MediaTime::ZERO));
    assert!(out[0].as_audio().and_then(Audio::f32).expect("f32").iter().all(|s| *s == 0.2));
    let reset = Event::Reset { epoch: 1, discarded: 1 };
    assert!(events(&pipeline).contains(&reset), "the chunk that waited at the output");
    assert_conserved(&pipeline);
}

#[test]
fn a_finished_pipeline_can_be_rewound_and_gives_the_same_again() {
    let pipeline = pipeline(chain(&[("AudioResample", json!({"target_rate": 16_000}))]));
    let signal: Vec<f32> = (0..4800).map(|n| (n as f32 * 0.05).sin()).collect();
    let run = || {
        let mut samples = Vec::new();
        pipeline.push(mono(&signal)).expect("room");
        pipeline
            .run(|_, packet| {
                samples.extend_from_slice(packet.as_audio().and_then(Audio::f32).expect("f32"));
                Ok(())
            })
            .expect("runs");
        samples
    };
    let first = run();
    assert_eq!(first.len(), 1600);
    pipeline.rewind().expect("it is finished");
    assert!(matches!(pipeline.pull_from("n0", NOW), Ok(Pull::Idle(Reason::Need(_)))), "no end yet");
    assert_eq!(pipeline.rewind().expect_err("it runs").detail(), detail::STATE_NOT_FINISHED);
    assert_eq!(run(), first);
}

#[test]
fn sources_are_driven_by_pull_and_never_by_push() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../media/speech-8k.wav");
    let pipeline = pipeline(chain(&[
        ("MediaReader", json!({"path": path})),
        ("AudioChunker", json!({"chunk_size": 800})),
    ]));
    assert_eq!(pipeline.metrics()["total_executions"], 0);
    let first = pipeline.pull(NOW).expect("runs").packet().expect("a chunk");
    assert_eq!(first.as_audio().map(Audio::frames), Some(800));
    let mut frames = 800;
    pipeline
        .run(|_, p| {
            frames += p.as_audio().map_or(0, Audio::frames);
            Ok(())
        })
        .expect("runs");
    assert_eq!(frames, 48_400);
    assert_conserved(&pipeline);
}

/// The tests that share `TICKETS` take turns.
static TICKET_TESTS: Mutex<()> = Mutex::new(());

fn ticket(index: usize) -> (Ticket, Packet) {
    TICKETS.lock().expect("no test panics while it holds it").remove(index)
}

#[test]
fn tickets_commit_in_the_order_of_the_inputs_whatever_completes_first() {
    let _turn = TICKET_TESTS.lock().unwrap_or_else(|e| e.into_inner());
    let pipeline = on(&engine(), chain(&[("Later", json!({}))]));
    (0..5).for_each(|n| pipeline.push(json!(n)).expect("room"));
    assert_eq!(TICKETS.lock().expect("free").len(), 3, "no more than may be in flight");
    assert!(matches!(pipeline.try_pull(), Ok(Pull::Idle(Reason::InFlight(0)))));
    for index in [2, 0, 0] {
        let (ticket, packet) = ticket(index);
        std::thread::spawn(move || ticket.complete([(0, packet)])).join().expect("completes");
    }
    assert_eq!(values(&pull_all(&pipeline)), [json!(0), json!(1), json!(2)]);
    pipeline.end().expect("ends");
    assert!(matches!(pipeline.try_pull(), Ok(Pull::Idle(Reason::InFlight(0)))));
    let waiter = std::thread::scope(|scope| {
        let waiter = scope.spawn(|| pipeline.pull(Duration::from_secs(60)).map(|p| p.packet()));
        let (ticket, packet) = ticket(0);
        ticket.complete([(0, packet)]);
        waiter.join().expect("no panic")
    });
    assert_eq!(waiter.expect("runs").expect("a packet").as_json(), Some(&json!(3)));
    let (ticket, packet) = ticket(0);
    ticket.complete([(0, packet)]);
    assert_eq!(values(&pull_all(&pipeline)), [json!(4)]);
    assert!(matches!(pipeline.try_pull(), Ok(Pull::End)));
    assert_conserved(&pipeline);
}

#[test]
fn a_dropped_ticket_fails_its_node_and_a_stale_one_is_nothing() {
    let _turn = TICKET_TESTS.lock().unwrap_or_else(|e| e.into_inner());
    let pipeline = on(&engine(), chain(&[("Later", json!({}))]));
    pipeline.push(json!("old")).expect("room");
    pipeline.reset().expect("resets");
    let (stale, packet) = ticket(0);
    stale.complete([(0, packet)]);
    assert!(matches!(pipeline.try_pull(), Ok(Pull::Idle(Reason::Need(_)))), "nothing stale");
    pipeline.push(json!("new")).expect("room");
    drop(ticket(0));
    let error = pipeline.try_pull().expect_err("fails");
    assert_eq!((error.detail(), error.node()), (detail::NODE_TICKET_DROPPED, Some("n0")));
    assert_conserved(&pipeline);
}

#[test]
fn an_async_pull_is_woken_by_the_ticket() {
    let _turn = TICKET_TESTS.lock().unwrap_or_else(|e| e.into_inner());
    let pipeline = on(&engine(), chain(&[("Later", json!({}))]));
    pipeline.push(json!(7)).expect("room");
    let (ticket, packet) = ticket(0);
    let pulled = futures_lite::future::block_on(async {
        let pull = pipeline.pull_async();
        let thread = std::thread::spawn(move || ticket.complete([(0, packet)]));
        let pulled = pull.await;
        thread.join().expect("completes");
        pulled
    });
    assert_eq!(pulled.expect("runs").packet().expect("one").as_json(), Some(&json!(7)));
}

#[test]
fn a_node_that_calls_its_own_pipeline_gets_an_error() {
    let pipeline = Arc::new(on(&engine(), chain(&[("Nosy", json!({}))])));
    OWN.set(Arc::downgrade(&pipeline)).expect("set once");
    pipeline.push(json!(0)).expect("room");
    assert_eq!(values(&pull_all(&pipeline)), [json!(["state.reentrant", "state.reentrant"])]);
}

#[test]
fn eight_threads_push_and_nothing_is_left_after_one_advance() {
    let mut manifest = chain(&[("PassThrough", json!({})), ("PassThrough", json!({}))]);
    manifest["queue"] = json!({"items": 100_000});
    let pipeline = pipeline(manifest);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let pipeline = &pipeline;
            scope.spawn(move || {
                (0..2_000).for_each(|n| pipeline.push(json!([thread, n])).expect("room"));
            });
        }
    });
    pipeline.advance().expect("runs");
    let got = values(&pull_all(&pipeline));
    assert_eq!(got.len(), 16_000);
    for thread in 0..8 {
        let own: Vec<_> = got.iter().filter(|v| v[0] == thread).map(|v| v[1].clone()).collect();
        assert_eq!(own, (0..2_000).map(Value::from).collect::<Vec<_>>(), "FIFO per pusher");
    }
    assert_conserved(&pipeline);
}

#[test]
fn histories_of_eight_threads_end_in_one_terminal_state() {
    for round in 0..200 {
        let pipeline = pipeline(chain(&[("PassThrough", json!({}))]));
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let pipeline = &pipeline;
                scope.spawn(move || match (thread + round) % 8 {
                    0 => pipeline.cancel(),
                    1 => drop(pipeline.close(Duration::from_millis(1))),
                    2 => drop(pipeline.reset()),
                    3 => drop(pipeline.end()),
                    _ => (0..20).for_each(|n| {
                        let _ = pipeline.push(json!(n));
                        let _ = pipeline.try_pull();
                    }),
                });
            }
        });
        let state = pipeline.state();
        assert!(matches!(state, State::Closed | State::Cancelled), "{state:?}");
        let ends = events(&pipeline);
        let terminal =
            ends.iter().filter(|e| matches!(e, Event::State(s) if s.is_terminal())).count();
        assert_eq!(terminal, 1, "{ends:?}");
        assert_conserved(&pipeline);
    }
}

#[test]
fn a_change_of_format_drains_configures_and_marks_the_break() {
    // An adapter before the node would mark the break for it.
    for adapters in [true, false] {
        let mut manifest = chain(&[("AudioResample", json!({"target_rate": 16_000}))]);
        manifest["metadata"] = json!({"auto_negotiate": adapters});
        let pipeline = pipeline(manifest);
        let block = |rate, frames| Audio::from_f32(vec![0.1; frames], rate, 1).expect("good");
        pipeline.push(block(48_000, 4800)).expect("room");
        pipeline.push(block(32_000, 3200)).expect("room");
        pipeline.end().expect("ends");
        let out = pull_all(&pipeline);
        let frames: usize = out.iter().filter_map(Packet::as_audio).map(Audio::frames).sum();
        assert_eq!(frames, 3200, "both tails came, adapters: {adapters}");
        assert_eq!(out.iter().filter(|p| p.is_discont()).count(), 1);
        let changed = |e: &Event| matches!(e, Event::FormatChanged { node, .. } if &**node == "n0");
        assert_eq!(events(&pipeline).iter().filter(|e| changed(e)).count(), 1);
    }
}

#[test]
fn a_format_that_an_input_does_not_take_is_refused_and_the_packet_comes_back() {
    let mut manifest = chain(&[("Gain", json!({}))]);
    manifest["metadata"] = json!({"auto_negotiate": false});
    let pipeline = pipeline(manifest);
    let format = AudioFormat { sample: SampleFormat::I16, ..AudioFormat::f32(48_000, 1) };
    let audio = Audio::from_pool(Engine::default().pool(), format, 480).expect("good");
    let Err(PushError::Refused(packet, error)) = pipeline.push(Packet::audio(audio)) else {
        panic!("it took what its node can't work with")
    };
    assert_eq!((error.detail(), packet.kind()), (detail::FORMAT_AUDIO, Kind::Audio));
    assert_eq!(
        pipeline.push(json!(1)).map_err(|e| Error::from(e).detail()),
        Err(detail::FORMAT_KIND)
    );
    pipeline.push(mono(&[0.1; 480])).expect("it goes on");
    assert_eq!(pull_all(&pipeline).len(), 1);
}

#[test]
fn packets_over_the_memory_limit_are_refused_and_come_back() {
    let engine = Engine::with_memory_limit(remotemedia::nodes::builtin(), 100_000);
    let pipeline = on(&engine, chain(&[("PassThrough", json!({}))]));
    let big = |n| {
        let format = AudioFormat::f32(48_000, 1);
        Packet::audio(Audio::from_pool(engine.pool(), format, n).expect("good"))
    };
    pipeline.push(big(1000)).expect("small");
    let Err(PushError::Refused(packet, error)) = pipeline.push(big(40_000)) else {
        panic!("it took too much")
    };
    assert_eq!(error.detail(), detail::LIMIT_MEMORY);
    drop(packet);
    pipeline.push(big(1000)).expect("there is room again");
    let held: Vec<_> = (0..30).map(|_| big(1000)).collect();
    let error = pipeline.push(big(1000)).expect_err("all that live count together");
    assert_eq!(Error::from(error).detail(), detail::LIMIT_MEMORY);
    drop(held);
    pipeline.push(big(1000)).expect("there is room again");
}
