//! Corners of the engine where a wait, an end, a break or a result could get lost (rules S2, S3,
//! S5, S9, S11, S12).

mod common;

use common::{assert_conserved, chain, mono, on, pipeline, pull_all, values};
use remotemedia::engine::State;
use remotemedia::error::detail;
use remotemedia::node::{Caps, Context, Descriptor, Flow, NoParams, Node, Params, Port, Ticket};
use remotemedia::{
    Audio, Closed, Engine, Error, MediaTime, Packet, Pipeline, Pull, PushError, Reason, Result,
};
use serde_json::{Value, json};
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};
use std::task::{Context as TaskContext, Poll, Wake, Waker};
use std::time::Duration;

const NOW: Duration = Duration::ZERO;

/// Gives out the numbers below the one that it gets, one a call.
struct Count(i64, i64);

impl Node for Count {
    type Params = NoParams;
    const DESCRIPTOR: Descriptor = Descriptor {
        inputs: &[Port::new("in", Caps::ANY, "A number.")],
        outputs: &[Port::new("out", Caps::ANY, "The numbers below it.")],
        ..Descriptor::new("Count", "Counts, one number a call.")
    };
    fn new(NoParams: NoParams) -> Result<Self> {
        Ok(Self(0, 0))
    }
    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        *self = Self(0, packet.as_json().and_then(Value::as_i64).unwrap_or(0));
        self.resume(cx)
    }
    fn resume(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
        cx.emit(0, json!(self.0));
        self.0 += 1;
        Ok(if self.0 < self.1 { Flow::More } else { Flow::Done })
    }
    fn reset(&mut self) {
        *self = Self(0, 0);
    }
}

/// Does what its params say.
struct Touchy(TouchyParams);

/// Params of the test node.
#[derive(Clone, Params)]
struct TouchyParams {
    /// The number that it fails on; at 0 on audio, too.
    #[param(default = -1, live)]
    fail_on: i64,
    /// Whether it panics when it is to forget.
    #[param(default = false)]
    panic_on_reset: bool,
}

impl Node for Touchy {
    type Params = TouchyParams;
    const DESCRIPTOR: Descriptor = Descriptor {
        inputs: &[Port::new("in", Caps::ANY, "Anything.")],
        outputs: &[Port::new("out", Caps::ANY, "The same.")],
        ..Descriptor::new("Touchy", "Fails as it is told.")
    };
    fn new(params: TouchyParams) -> Result<Self> {
        Ok(Self(params))
    }
    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        let audio = packet.as_audio().is_some() && self.0.fail_on == 0;
        if audio || packet.as_json() == Some(&json!(self.0.fail_on)) {
            return Err(Error::new(detail::NODE_FAILED, "told to fail"));
        }
        cx.emit(0, packet);
        Ok(Flow::Done)
    }
    fn reset(&mut self) {
        assert!(!self.0.panic_on_reset, "told to panic");
    }
}

/// Opens a ticket for what is text and passes numbers at once.
struct Later;

static TICKETS: Mutex<Vec<(Ticket, Packet)>> = Mutex::new(Vec::new());
static TICKET_TESTS: Mutex<()> = Mutex::new(());

impl Node for Later {
    type Params = NoParams;
    const DESCRIPTOR: Descriptor = Descriptor {
        inputs: &[Port::new("in", Caps::ANY, "Anything.")],
        outputs: &[Port::new("out", Caps::ANY, "The same, text later.")],
        max_in_flight: 3,
        ..Descriptor::new("Later", "Gives text back by ticket.")
    };
    fn new(NoParams: NoParams) -> Result<Self> {
        Ok(Self)
    }
    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        if packet.as_json().is_some_and(Value::is_number) {
            cx.emit(0, packet);
            return Ok(Flow::Done);
        }
        TICKETS.lock().expect("no test panics while it holds it").push((cx.ticket(), packet));
        Ok(Flow::Pending)
    }
}

/// Takes the turn of the tests that use tickets.
fn ticket_test() -> MutexGuard<'static, ()> {
    let turn = TICKET_TESTS.lock().unwrap_or_else(|e| e.into_inner());
    let left = std::mem::take(&mut *TICKETS.lock().unwrap_or_else(|e| e.into_inner()));
    drop(left);
    turn
}

fn complete_all() -> usize {
    let open = std::mem::take(&mut *TICKETS.lock().expect("no test panics while it holds it"));
    let count = open.len();
    open.into_iter().for_each(|(ticket, packet)| ticket.complete([(0, packet)]));
    count
}

/// Ends its own pipeline from inside.
struct Ender;

static OWN: OnceLock<Weak<Pipeline>> = OnceLock::new();

impl Node for Ender {
    type Params = NoParams;
    const DESCRIPTOR: Descriptor = Descriptor {
        inputs: &[Port::new("in", Caps::ANY, "Anything.")],
        outputs: &[Port::new("out", Caps::ANY, "What its pipeline said.")],
        ..Descriptor::new("Ender", "Ends its own pipeline.")
    };
    fn new(NoParams: NoParams) -> Result<Self> {
        Ok(Self)
    }
    fn process(&mut self, cx: &mut Context<'_>, _: Packet) -> Result<Flow> {
        let own = OWN.get().and_then(Weak::upgrade).expect("the test has set it");
        for result in [own.end(), own.stop(), own.end_input("n0")] {
            cx.emit(0, json!(result.expect_err("must not work").detail().id));
        }
        Ok(Flow::Done)
    }
}

fn engine() -> Engine {
    let mut registry = remotemedia::nodes::builtin();
    registry.add::<Count>("test").expect("free");
    registry.add::<Touchy>("test").expect("free");
    registry.add::<Later>("test").expect("free");
    registry.add::<Ender>("test").expect("free");
    Engine::new(registry)
}

fn narrow(nodes: &[(&str, Value)]) -> Pipeline {
    let mut manifest = chain(nodes);
    manifest["queue"] = json!({"items": 1});
    on(&engine(), manifest)
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn who_waits_for_a_ticket_is_woken_by_the_ticket_and_not_by_itself() {
    let _turn = ticket_test();
    let pipeline = on(&engine(), chain(&[("Later", json!({}))]));
    pipeline.push("a").expect("room");
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(wakes.clone());
    let mut cx = TaskContext::from_waker(&waker);
    let mut pull = pin!(pipeline.pull_async());
    for _ in 0..3 {
        assert!(pull.as_mut().poll(&mut cx).is_pending());
        assert_eq!(wakes.0.load(Ordering::SeqCst), 0, "it would poll without end");
    }
    complete_all();
    assert_eq!(wakes.0.load(Ordering::SeqCst), 1);
    assert!(matches!(pull.as_mut().poll(&mut cx), Poll::Ready(Ok(Pull::Packet(..)))));
}

#[test]
fn results_that_waited_for_room_come_once_there_is_room() {
    let _turn = ticket_test();
    let pipeline = narrow(&[("Later", json!({}))]);
    ["a", "b", "c"].into_iter().for_each(|text| pipeline.push(text).expect("room"));
    assert_eq!(complete_all(), 3);
    pipeline.end().expect("ends");
    let texts: Vec<_> =
        pull_all(&pipeline).iter().filter_map(|p| p.as_text().map(str::to_owned)).collect();
    assert_eq!(texts, ["a", "b", "c"]);
    assert!(matches!(pipeline.try_pull(), Ok(Pull::End)));
    assert_conserved(&pipeline);
}

#[test]
fn what_waits_behind_a_ticket_is_bounded() {
    let _turn = ticket_test();
    let pipeline = on(&engine(), chain(&[("Later", json!({}))]));
    pipeline.push(json!("first")).expect("room");
    let taken = (0..1000).take_while(|n| pipeline.push(json!(n)).is_ok()).count();
    assert!(taken < 100, "{taken} packets wait behind one ticket");
    complete_all();
    assert_eq!(pull_all(&pipeline).len(), taken + 1);
    assert_conserved(&pipeline);
}

#[test]
fn what_is_done_at_once_waits_for_the_tickets_before_it() {
    let _turn = ticket_test();
    let pipeline = on(&engine(), chain(&[("Later", json!({}))]));
    let pushed = [json!("a"), json!(1), json!("b"), json!(2)];
    pushed.iter().for_each(|value| pipeline.push(value.clone()).expect("room"));
    assert!(pull_all(&pipeline).is_empty(), "the first is not done");
    assert_eq!(complete_all(), 2);
    assert_eq!(values(&pull_all(&pipeline)), pushed);
    assert_conserved(&pipeline);
}

#[test]
fn the_break_is_marked_on_what_comes_first_whatever_was_done_first() {
    let _turn = ticket_test();
    let pipeline = on(&engine(), chain(&[("Later", json!({}))]));
    pipeline.reset().expect("runs");
    pipeline.push(json!("late")).expect("room");
    pipeline.push(json!(1)).expect("room");
    complete_all();
    let breaks: Vec<_> = pull_all(&pipeline).iter().map(Packet::is_discont).collect();
    assert_eq!(breaks, [true, false]);
}

#[test]
fn an_end_that_waits_in_a_node_survives_a_reset() {
    let pipeline = narrow(&[("Count", json!({}))]);
    pipeline.push(json!(10)).expect("room");
    pipeline.end().expect("ends");
    assert!(matches!(pipeline.advance(), Ok(Reason::Full(0))), "the node has more to give");
    pipeline.reset().expect("resets");
    assert!(matches!(pipeline.try_pull(), Ok(Pull::End)), "nothing is left but the end");
    assert!(pipeline.is_finished());
}

#[test]
fn what_a_node_gave_before_a_later_node_failed_is_pulled() {
    let pipeline = on(&engine(), chain(&[("Count", json!({})), ("Touchy", json!({"fail_on": 3}))]));
    assert!(matches!(pipeline.push(json!(10)), Err(PushError::Failed(_))));
    for n in 0..3 {
        let pull = pipeline.try_pull().expect("it was given before the failure");
        assert_eq!(pull.packet().expect("one").as_json(), Some(&json!(n)));
    }
    assert_eq!(pipeline.try_pull().expect_err("failed").detail(), detail::NODE_FAILED);
    assert_conserved(&pipeline);
}

#[test]
fn what_a_node_gave_in_the_very_call_that_led_to_a_failure_is_pulled() {
    let pipeline = on(
        &engine(),
        chain(&[("AudioChunker", json!({"chunk_size": 100})), ("Touchy", json!({}))]),
    );
    pipeline.push(mono(&[0.1; 1000])).expect("room");
    assert_eq!(pull_all(&pipeline).len(), 10);
    let mut manifest = chain(&[("PassThrough", json!({})), ("Touchy", json!({"fail_on": 3}))]);
    manifest["outputs"] = json!({"early": "n0.out", "late": "n1.out"});
    let pipeline = on(&engine(), manifest);
    assert!(matches!(pipeline.push(json!(3)), Err(PushError::Failed(_))));
    let pull = pipeline.try_pull().expect("the first node's call was good");
    assert!(matches!(pull, Pull::Packet("early", _)));
    assert_conserved(&pipeline);
}

#[test]
fn a_tail_that_is_the_first_output_after_a_break_is_marked() {
    let pipeline = pipeline(chain(&[("AudioChunker", json!({"chunk_size": 1000}))]));
    pipeline.push(mono(&[0.1; 100])).expect("room");
    pipeline.reset().expect("resets");
    pipeline.push(mono(&[0.2; 500])).expect("room");
    pipeline.end().expect("ends");
    let out = pull_all(&pipeline);
    assert_eq!(out.iter().map(Packet::is_discont).collect::<Vec<_>>(), [true]);
}

#[test]
fn a_change_just_after_a_packets_begin_does_not_wait_for_the_next_packet() {
    for (micros, first) in [(0, 0), (5, 1), (25, 2), (99_990, 4800)] {
        for size in [4800, 480, 1] {
            let pipeline = pipeline(chain(&[("Gain", json!({"ramp_ms": 0}))]));
            let Value::Object(values) = json!({"gain_db": 20.0}) else { unreachable!() };
            let at = MediaTime::from_nanos(micros * 1000);
            pipeline.set_params_at("n0", &values, at).expect("valid");
            let mut out = Vec::new();
            for chunk in vec![0.01f32; 9600].chunks(size) {
                pipeline.push(mono(chunk)).expect("room");
                pull_all(&pipeline).iter().for_each(|p| {
                    out.extend_from_slice(p.as_audio().and_then(Audio::f32).expect("f32"))
                });
            }
            let switch = out.iter().position(|s| *s > 0.05);
            assert_eq!((out.len(), switch), (9600, Some(first)), "{micros} us in chunks of {size}");
        }
    }
}

#[test]
fn a_node_that_ends_its_own_pipeline_gets_an_error_and_changes_nothing() {
    let pipeline = Arc::new(on(&engine(), chain(&[("Ender", json!({}))])));
    OWN.set(Arc::downgrade(&pipeline)).expect("set once");
    for _ in 0..2 {
        pipeline.push(json!(0)).expect("nothing has ended");
        assert_eq!(values(&pull_all(&pipeline)), vec![json!("state.reentrant"); 3]);
    }
}

#[test]
fn a_close_that_was_cut_says_so_again() {
    let _turn = ticket_test();
    let pipeline = on(&engine(), chain(&[("Later", json!({}))]));
    pipeline.push("a").expect("room");
    assert_eq!(pipeline.close(NOW).expect("closes"), Closed::Cut);
    assert_eq!(pipeline.close(NOW).expect("is closed"), Closed::Cut);
    assert_eq!(pipeline.state(), State::Closed);
    complete_all();
    assert_conserved(&pipeline);
}

#[test]
fn a_panic_while_forgetting_names_the_node_that_panicked() {
    let nodes = [
        ("Touchy", json!({})),
        ("Touchy", json!({"panic_on_reset": true})),
        ("PassThrough", json!({})),
    ];
    let pipeline = on(&engine(), chain(&nodes));
    pipeline.push(json!(1)).expect("room");
    let _ = pipeline.reset();
    let error = pipeline.try_pull().expect_err("it failed");
    assert_eq!((error.detail(), error.node()), (detail::NODE_PANICKED, Some("n1")));
}

#[test]
fn threads_that_push_pull_and_reset_lose_nothing_uncounted_and_the_end_still_comes() {
    let pipeline = narrow(&[("Count", json!({})), ("PassThrough", json!({}))]);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..2000).for_each(|_| drop(pipeline.push(json!(3)))));
            scope.spawn(|| (0..4000).for_each(|_| drop(pipeline.try_pull())));
        }
        scope.spawn(|| {
            for _ in 0..300 {
                pipeline.reset().expect("it runs");
                std::thread::yield_now();
            }
        });
    });
    pipeline.push(json!(2)).or_else(|_| pipeline.reset().map(drop)).expect("it runs");
    pipeline.end().expect("ends");
    pull_all(&pipeline);
    assert!(matches!(pipeline.try_pull(), Ok(Pull::End)));
    assert_conserved(&pipeline);
}

#[test]
fn a_packet_that_is_cut_for_a_change_fails_once() {
    let pipeline = on(&engine(), chain(&[("Touchy", json!({"fail_on": 0}))]));
    let Value::Object(values) = json!({"fail_on": 1}) else { unreachable!() };
    pipeline.set_params_at("n0", &values, MediaTime::from_millis(5)).expect("valid");
    assert!(matches!(pipeline.push(mono(&[0.1; 480])), Err(PushError::Failed(_))));
    assert_eq!(pipeline.metrics()["node_metrics"][0]["error_count"], 1);
    assert_conserved(&pipeline);
}

/// Tells a test of its params, and has another thread set one in the middle of a packet.
struct Asked(AskedParams);

/// Params of the test node.
#[derive(Clone, Params)]
struct AskedParams {
    /// Set by a timed change, and at once.
    #[param(default = 0, live)]
    a: i64,
    /// Set at the end.
    #[param(default = 0, live)]
    b: i64,
}

static ASKED: OnceLock<Weak<Pipeline>> = OnceLock::new();
static LAST: Mutex<(i64, i64)> = Mutex::new((0, 0));

impl Node for Asked {
    type Params = AskedParams;
    const DESCRIPTOR: Descriptor = Descriptor {
        inputs: &[Port::new("in", Caps::AUDIO_F32, "Audio.")],
        outputs: &[Port::like_input("out", Caps::AUDIO_F32, "The same.")],
        ..Descriptor::new("Asked", "Has its params set while it works.")
    };
    fn new(params: AskedParams) -> Result<Self> {
        Ok(Self(params))
    }
    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        if self.0.a == 5 {
            let pipeline = ASKED.get().and_then(Weak::upgrade).expect("the test has set it");
            let other = std::thread::spawn(move || set(&pipeline, json!({"a": 3}), None));
            other.join().expect("it is set");
        }
        cx.emit(0, packet);
        Ok(Flow::Done)
    }
    fn set_params(&mut self, params: AskedParams) {
        *LAST.lock().expect("free") = (params.a, params.b);
        self.0 = params;
    }
}

fn set(pipeline: &Pipeline, values: Value, at: Option<MediaTime>) {
    let Value::Object(map) = values else { unreachable!("an object") };
    match at {
        Some(at) => pipeline.set_params_at("n0", &map, at).expect("good"),
        None => pipeline.set_params("n0", &map).expect("good"),
    };
}

#[test]
fn a_param_set_at_once_is_not_undone_by_a_timed_one_that_came_before_it() {
    let mut registry = remotemedia::nodes::builtin();
    registry.add::<Asked>("test").expect("free");
    let pipeline = Arc::new(on(&Engine::new(registry), chain(&[("test/Asked", json!({}))])));
    ASKED.set(Arc::downgrade(&pipeline)).expect("once");
    set(&pipeline, json!({"a": 5}), Some(MediaTime::from_millis(10)));
    pipeline.push(mono(&[0.5; 960])).expect("room");
    pull_all(&pipeline);
    set(&pipeline, json!({"b": 1}), None);
    assert_eq!(*LAST.lock().expect("free"), (3, 1));
}
