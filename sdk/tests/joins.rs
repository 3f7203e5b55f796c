//! Joins in a running pipeline: partners by time, bounds, starvation, patience (rules S6, S7).
#![allow(clippy::unwrap_used, reason = "what a test needs is there, or the test fails")]

mod common;

use common::{assert_conserved, events, on};
use remotemedia::engine::Event;
use remotemedia::error::detail;
use remotemedia::node::{
    Caps, Context, Descriptor, Flow, Join, NoParams, Node, Params, Port, Ports, Registry,
};
use remotemedia::nodes::builtin;
use remotemedia::packet::Kind;
use remotemedia::{Engine, MediaTime, Packet, Pipeline, Pull, Reason, Result};
use serde_json::{Value, json};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

/// Gives each pair that its join makes as a JSON list.
struct Pair;

#[derive(Clone, Params)]
struct PairParams {
    /// Which join.
    #[param(default = "exact".to_owned())]
    join: String,
}

const A: Port = Port::new("a", Caps::ANY, "Anything.");
const B: Port = Port::new("b", Caps::ANY, "Anything.");

impl Node for Pair {
    type Params = PairParams;
    const DESCRIPTOR: Descriptor = Descriptor {
        inputs: &[A, B],
        outputs: &[Port::new("out", Caps::kind(Kind::Json), "Pairs.")],
        join: Join::Exact,
        ..Descriptor::new("Pair", "Pairs what belongs together.")
    };
    fn ports(params: &PairParams, ports: &mut Ports) -> Result<()> {
        ports.join = match params.join.as_str() {
            "exact" => Join::Exact,
            "nearest" => Join::Nearest { tolerance: MediaTime::from_millis(15) },
            "barrier" => Join::Barrier,
            "ordered" => Join::Ordered,
            other => panic!("no such join in this test: {other}"),
        };
        Ok(())
    }
    fn new(_: PairParams) -> Result<Self> {
        Ok(Self)
    }
    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        let lane = cx.lane();
        cx.emit(0, json!([lane, ms(&packet)]));
        Ok(Flow::Done)
    }
    fn join(&mut self, cx: &mut Context<'_>, set: &mut [Option<Packet>]) -> Result<Flow> {
        let times: Vec<_> = set.iter().map(|p| p.as_ref().map(ms)).collect();
        cx.emit(0, json!(times));
        Ok(Flow::Done)
    }
}

fn ms(packet: &Packet) -> i64 {
    packet.pts().map_or(-1, |t| t.nanos() / 1_000_000)
}

/// Lets nothing through, and says how far it has come if it keeps time.
struct Gate;

impl Node for Gate {
    type Params = NoParams;
    const DESCRIPTOR: Descriptor = Descriptor {
        inputs: &[Port::new("in", Caps::ANY, "Anything.")],
        outputs: &[Port::new("out", Caps::ANY, "Nothing.")],
        keeps_time: true,
        ..Descriptor::new("Gate", "Lets nothing through.")
    };
    fn new(NoParams: NoParams) -> Result<Self> {
        Ok(Self)
    }
    fn process(&mut self, _: &mut Context<'_>, _: Packet) -> Result<Flow> {
        Ok(Flow::Done)
    }
}

/// Lets every other packet through, and says of the others that they do not come.
struct Sometimes(bool);

impl Node for Sometimes {
    type Params = NoParams;
    const DESCRIPTOR: Descriptor = Descriptor {
        inputs: &[Port::new("in", Caps::ANY, "Anything.")],
        outputs: &[Port::new("out", Caps::ANY, "Every other.")],
        ..Descriptor::new("Sometimes", "Lets every other packet through.")
    };
    fn new(NoParams: NoParams) -> Result<Self> {
        Ok(Self(true))
    }
    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        match self.0 {
            true => cx.emit(0, packet),
            false => cx.advance(0, packet.pts().unwrap_or_default()),
        }
        self.0 = !self.0;
        Ok(Flow::Done)
    }
    fn reset(&mut self) {
        self.0 = true;
    }
}

/// Lets nothing through and tells nobody.
struct Mute;

impl Node for Mute {
    type Params = NoParams;
    const DESCRIPTOR: Descriptor = Descriptor {
        inputs: &[Port::new("in", Caps::ANY, "Anything.")],
        outputs: &[Port::new("out", Caps::ANY, "Nothing.")],
        ..Descriptor::new("Mute", "Lets nothing through.")
    };
    fn new(NoParams: NoParams) -> Result<Self> {
        Ok(Self)
    }
    fn process(&mut self, _: &mut Context<'_>, _: Packet) -> Result<Flow> {
        Ok(Flow::Done)
    }
}

/// Keeps so many packets back before it gives out all of them.
struct Hold(Vec<Packet>, usize);

#[derive(Clone, Params)]
struct HoldParams {
    /// How many.
    #[param(default = 10)]
    count: i64,
}

impl Node for Hold {
    type Params = HoldParams;
    const DESCRIPTOR: Descriptor = Descriptor {
        inputs: &[Port::new("in", Caps::ANY, "Anything.")],
        outputs: &[Port::new("out", Caps::ANY, "The same.")],
        ..Descriptor::new("Hold", "Gives packets by the dozen.")
    };
    fn new(params: HoldParams) -> Result<Self> {
        Ok(Self(Vec::new(), params.count as usize))
    }
    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        self.0.push(packet);
        if self.0.len() >= self.1 {
            self.0.drain(..).for_each(|p| cx.emit(0, p));
        }
        Ok(Flow::Done)
    }
    fn drain(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
        self.0.drain(..).for_each(|p| cx.emit(0, p));
        Ok(Flow::Done)
    }
    fn reset(&mut self) {
        self.0.clear();
    }
}

fn registry() -> Registry {
    let mut registry = builtin();
    registry.add::<Pair>("test").unwrap();
    registry.add::<Gate>("test").unwrap();
    registry.add::<Mute>("test").unwrap();
    registry.add::<Sometimes>("test").unwrap();
    registry.add::<Hold>("test").unwrap();
    registry
}

/// The ways in which a pipeline can run: an engine, and where its nodes are placed.
fn ways() -> Vec<(Engine, &'static str)> {
    let simulated = (0..8).map(|seed| (Engine::simulated(registry(), seed), "thread"));
    let real = [(Engine::new(registry()), "inline"), (Engine::new(registry()), "thread")];
    real.into_iter().chain(simulated).collect()
}

fn at(ms: i64) -> Packet {
    Packet::from(json!(ms)).at(MediaTime::from_millis(ms))
}

/// Everything that comes until the end.
fn rest(pipeline: &Pipeline) -> Vec<Value> {
    let mut out = Vec::new();
    loop {
        match pipeline.pull(HOUR).unwrap() {
            Pull::Packet(_, packet) => out.push(packet.as_json().unwrap().clone()),
            Pull::End => return out,
            Pull::Idle(reason) => {
                panic!("nothing goes on: {reason:?}\n{:#}", pipeline.metrics()["links"])
            }
        }
    }
}

/// Two inputs into a pair.
fn pair(join: &str, placement: &str) -> Value {
    json!({
        "version": "v1",
        "nodes": [{"id": "pair", "node_type": "Pair", "params": {"join": join},
                   "placement": placement}],
        "inputs": {"a": "pair.a", "b": "pair.b"},
    })
}

#[test]
fn a_partner_that_comes_before_anybody_has_given_up_is_one_however_long_it_took() {
    let mut manifest = pair("exact", "inline");
    manifest["nodes"][0]["max_wait_ms"] = json!(1);
    let run = on(&Engine::new(registry()), manifest);
    for t in [10, 20, 30] {
        run.push_to("a", at(t)).unwrap();
        // Nobody runs the pipeline meanwhile.
        std::thread::sleep(Duration::from_millis(5));
        run.push_to("b", at(t)).unwrap();
    }
    run.end().unwrap();
    assert_eq!(rest(&run), [json!([10, 10]), json!([20, 20]), json!([30, 30])]);
    assert_conserved(&run);
}

#[test]
fn partners_are_found_by_time_wherever_the_join_runs() {
    for (engine, placement) in ways() {
        for (join, a, b, want) in [
            ("exact", vec![0, 10, 20], vec![10, 15, 20, 30], json!([[10, 10], [20, 20]])),
            ("nearest", vec![0, 33, 66], vec![5, 40, 90], json!([[0, 5], [33, 40]])),
            ("barrier", vec![1, 2], vec![7, 8, 9], json!([[1, 7], [2, 8]])),
            ("ordered", vec![1, 5], vec![2, 5], json!([[0, 1], [1, 2], [0, 5], [1, 5]])),
        ] {
            let run = on(&engine, pair(join, placement));
            // The second lane comes first.
            b.iter().for_each(|t| run.push_to("b", at(*t)).unwrap());
            a.iter().for_each(|t| run.push_to("a", at(*t)).unwrap());
            run.end().unwrap();
            assert_eq!(json!(rest(&run)), want, "{join}, {placement}");
            assert_conserved(&run);
        }
    }
}

/// One input that goes straight and through a node to a pair.
fn fork(node: &str, params: Value, join: &str, items: usize, placement: &str) -> Value {
    json!({
        "version": "v1",
        "nodes": [
            {"id": "fork", "node_type": "PassThrough", "placement": placement},
            {"id": "slow", "node_type": node, "params": params, "placement": placement},
            {"id": "pair", "node_type": "Pair", "params": {"join": join}, "placement": placement},
        ],
        "connections": [
            {"from": "fork", "to": "pair.a"},
            {"from": "fork", "to": "slow"},
            {"from": "slow", "to": "pair.b"},
        ],
        "queue": {"items": items},
    })
}

#[test]
fn a_branch_that_holds_packets_back_starves_no_join_whatever_the_limits() {
    for items in [1, 2, 3, 8, 64] {
        for (engine, placement) in ways() {
            let run = on(&engine, fork("Hold", json!({"count": 10}), "exact", items, placement));
            let mut out = Vec::new();
            for t in 0..40 {
                let mut packet = at(t);
                while let Err(remotemedia::PushError::Full(back)) = run.push(packet) {
                    packet = back;
                    match run.pull(HOUR).unwrap() {
                        Pull::Packet(_, p) => out.push(p.as_json().unwrap().clone()),
                        Pull::Idle(Reason::Need(_)) => {}
                        other => panic!("{items} {placement}: {other:?}"),
                    }
                }
            }
            run.end().unwrap();
            out.extend(rest(&run));
            let want: Vec<_> = (0..40).map(|t| json!([t, t])).collect();
            assert_eq!(out, want, "{items} {placement}");
            let grown = events(&run).iter().any(|e| matches!(e, Event::QueueGrown { .. }));
            assert_eq!(grown, items < 10, "{items} {placement}");
            assert_conserved(&run);
        }
    }
}

#[test]
fn a_queue_that_memory_keeps_from_growing_is_the_end_and_both_connections_are_named() {
    let engine = Engine::with_memory_limit(registry(), 10_000);
    let run = on(&engine, fork("Hold", json!({"count": 10}), "exact", 1, "inline"));
    while run.push(at(0)).is_ok() {}
    let held = engine.pool().buffer(20_000);
    let error = run.pull(HOUR).unwrap_err();
    drop(held);
    assert_eq!(error.detail(), detail::FLOW_STARVED);
    for link in ["fork.out → pair.a", "slow.out → pair.b"] {
        assert!(error.message().contains(link), "{error}");
    }
    assert_conserved(&run);
}

/// Pushes into both inputs what they take, pulling whenever one is full.
fn push_both(run: &Pipeline, count: i64) -> Vec<(String, Value)> {
    let (mut out, mut next, mut idle) = (Vec::new(), [0; 2], 0);
    while next != [count; 2] {
        let mut pushed = false;
        for (input, next) in next.iter_mut().enumerate().filter(|(_, next)| **next < count) {
            if run.push_at(input, at(*next)).is_ok() {
                (*next, pushed, idle) = (*next + 1, true, 0);
            }
        }
        idle += 1;
        assert!(idle < 100, "it waits in vain: {next:?}");
        match run.pull(if pushed { Duration::ZERO } else { HOUR }).unwrap() {
            Pull::Packet(output, p) => {
                out.push((output.to_owned(), p.as_json().unwrap().clone()));
                idle = 0;
            }
            Pull::Idle(_) => {}
            Pull::End => panic!("it ended"),
        }
    }
    out
}

#[test]
fn two_joins_each_of_which_waits_for_what_the_other_holds_up_both_go_on() {
    for items in [1, 2, 8] {
        for (engine, placement) in ways() {
            let hold = json!({"count": 10});
            let node = |id: &str, ty: &str, params: &Value| json!({"id": id, "node_type": ty, "params": params, "placement": placement});
            let edge = |from: &str, to: &str| json!({"from": from, "to": to});
            let none = json!({});
            let run = on(
                &engine,
                json!({
                    "version": "v1",
                    "queue": {"items": items},
                    "nodes": [
                        node("x", "PassThrough", &none), node("y", "PassThrough", &none),
                        node("late_x", "Hold", &hold), node("late_y", "Hold", &hold),
                        node("one", "Pair", &none), node("two", "Pair", &none),
                    ],
                    "connections": [
                        edge("x", "one.a"), edge("x", "late_x"), edge("late_x", "two.b"),
                        edge("y", "two.a"), edge("y", "late_y"), edge("late_y", "one.b"),
                    ],
                }),
            );
            let mut out = push_both(&run, 40);
            run.end().unwrap();
            while let Pull::Packet(output, p) = run.pull(HOUR).unwrap() {
                out.push((output.to_owned(), p.as_json().unwrap().clone()));
            }
            let want: Vec<_> = (0..40).map(|t| json!([t, t])).collect();
            for join in ["one", "two"] {
                let of_join = out.iter().filter(|(output, _)| output.starts_with(join));
                let values: Vec<_> = of_join.map(|(_, value)| value.clone()).collect();
                assert_eq!(values, want, "{join} {items} {placement}");
            }
            assert_conserved(&run);
        }
    }
}

#[test]
fn a_gate_that_never_opens_holds_up_nothing_because_it_keeps_time() {
    for (engine, placement) in ways() {
        let run = on(&engine, fork("Gate", json!({}), "ordered", 2, placement));
        for t in 0..100 {
            run.push(at(t)).unwrap();
            let Pull::Packet(_, packet) = run.pull(HOUR).unwrap() else {
                panic!("{placement}: nothing came at {t}")
            };
            // What comes at a time is out as soon as the other branch is past it.
            if t == 0 {
                assert_eq!(packet.as_json(), Some(&json!([0, 0])));
            }
        }
    }
}

#[test]
fn a_reset_forgets_how_far_branches_have_come() {
    for node in ["Gate", "Sometimes"] {
        for (engine, placement) in ways() {
            let run = on(&engine, fork(node, json!({}), "ordered", 64, placement));
            let mut outs = Vec::new();
            for _ in 0..2 {
                (0..20).for_each(|t| run.push(at(t)).unwrap());
                let mut out = Vec::new();
                while let Pull::Packet(_, packet) = run.pull(HOUR).unwrap() {
                    out.push(packet.as_json().unwrap().clone());
                }
                outs.push(out);
                run.reset().unwrap();
            }
            assert!(outs[0].len() >= 19, "{node}, {placement}: {outs:?}");
            assert_eq!(outs[0], outs[1], "{node}, {placement}");
        }
    }
}

#[test]
fn a_silent_branch_holds_up_a_join_no_longer_than_it_may() {
    for seed in 0..20 {
        for placement in ["inline", "thread"] {
            let engine = Engine::simulated(registry(), seed);
            let mut manifest = fork("Mute", json!({}), "ordered", 4, placement);
            manifest["nodes"][2]["max_wait_ms"] = json!(200);
            let run = on(&engine, manifest);
            run.push(at(0)).unwrap();
            run.push(at(10)).unwrap();
            let before = engine.now();
            for t in [0, 10] {
                let Pull::Packet(_, packet) = run.pull(HOUR).unwrap() else {
                    panic!("nothing came")
                };
                assert_eq!(packet.as_json(), Some(&json!([0, t])));
                // Both have waited equally long.
                assert_eq!(engine.now() - before, Duration::from_millis(200));
            }
            run.push(at(20)).unwrap();
            assert!(matches!(run.pull(HOUR), Ok(Pull::Packet(..))));
            assert_eq!(engine.now() - before, Duration::from_millis(400));
            let gaps = events(&run).iter().filter(|e| matches!(e, Event::JoinGap { .. })).count();
            assert_eq!(gaps, 3);
        }
    }
}

#[test]
fn each_packet_waits_for_a_silent_branch_as_long_as_it_may() {
    for placement in ["inline", "thread"] {
        let engine = Engine::simulated(registry(), 1);
        let mut manifest = fork("Mute", json!({}), "ordered", 4, placement);
        manifest["nodes"][2]["max_wait_ms"] = json!(200);
        let run = on(&engine, manifest);
        run.push(at(0)).unwrap();
        assert!(matches!(run.pull(Duration::from_millis(150)), Ok(Pull::Idle(Reason::Due(_)))));
        run.push(at(10)).unwrap();
        for (t, came) in [(0, 200), (10, 350)] {
            let Pull::Packet(_, packet) = run.pull(HOUR).unwrap() else { panic!("nothing came") };
            assert_eq!(packet.as_json(), Some(&json!([0, t])), "{placement}");
            assert_eq!(engine.now(), Duration::from_millis(came), "{placement}");
        }
    }
}

#[test]
fn who_pushes_can_say_that_nothing_comes() {
    for (engine, placement) in ways() {
        let run = on(&engine, pair("ordered", placement));
        run.push_to("b", at(50)).unwrap();
        assert!(matches!(run.pull(HOUR), Ok(Pull::Idle(Reason::Need(_)))), "a may bring more");
        run.gap("a", MediaTime::from_millis(60)).unwrap();
        let Pull::Packet(_, packet) = run.pull(HOUR).unwrap() else { panic!("nothing came") };
        assert_eq!(packet.as_json(), Some(&json!([1, 50])));
        let error = run.push_to("a", at(10)).unwrap_err();
        assert!(error.to_string().contains("60"), "{error}");
    }
}

#[test]
fn a_reset_forgets_what_waits_for_partners() {
    for (engine, placement) in ways() {
        let run = on(&engine, pair("exact", placement));
        run.push_to("a", at(10)).unwrap();
        run.reset().unwrap();
        run.push_to("b", at(10)).unwrap();
        run.push_to("a", at(20)).unwrap();
        run.push_to("b", at(20)).unwrap();
        run.end().unwrap();
        assert_eq!(rest(&run), [json!([20, 20])], "{placement}");
        assert_conserved(&run);
    }
}
