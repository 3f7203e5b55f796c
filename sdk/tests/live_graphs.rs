//! Random graphs, inline, on threads and simulated: nothing hangs, nothing is lost uncounted, order
//! holds, and determinate graphs give the same everywhere, also with calls that fail; and with
//! interrupts, resets, params and failures in between what has to hold then (rules S1, S2, S3, S6, S7,
//! S9, S12, S13, S18, S19).
//!
//! `LIVE_GRAPHS=100000 cargo test --release -p remotemedia --test live_graphs` tries so many.
#![allow(clippy::unwrap_used, reason = "what a test needs is there, or the test fails")]

mod common;

use common::{Elf, assert_conserved, assert_conserved_soon, expect_panics, on};
use remotemedia::engine::{Event, State};
use remotemedia::error::detail;
use remotemedia::node::testing::Random;
use remotemedia::node::{
    Caps, Context, Descriptor, Flow, Join, Node, Params, Port, Ports, Registry, Ticket,
};
use remotemedia::nodes::builtin;
use remotemedia::{Engine, Error, MediaTime, Packet, Pipeline, Pull, PushError, Reason, Result};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(10);

/// What the nodes of these graphs do with numbers that have times.
#[derive(Clone, Params)]
struct WorkParams {
    /// Added to each number.
    #[param(default = 0, live)]
    add: i64,
    /// Every so many it lets none through.
    #[param(default = 0)]
    drop: i64,
    /// It gives each packet so many times.
    #[param(default = 1)]
    times: i64,
    /// It keeps so many back.
    #[param(default = 0)]
    hold: i64,
    /// Of numbers that it divides, the first call fails.
    #[param(default = 0)]
    fail: i64,
    /// They fail by a panic.
    #[param(default = false)]
    panics: bool,
    /// Which join.
    #[param(default = "any".to_owned())]
    join: String,
}

const IN: Port = Port::new("in", Caps::ANY, "Numbers.");
const OTHER: Port = Port::new("other", Caps::ANY, "Numbers.");
const OUT: Port = Port::new("out", Caps::ANY, "Numbers.");

/// Works on numbers one by one.
struct Work {
    params: WorkParams,
    seen: i64,
    held: Vec<Packet>,
    /// What is to be given again, and how often.
    again: Option<(Packet, i64)>,
    /// The call of that number has failed.
    failed: Option<i64>,
}

impl Work {
    fn may_fail(&mut self, packet: &Packet) -> Result<()> {
        let number = packet.as_json().and_then(Value::as_i64);
        let fails = number.is_some_and(|n| self.params.fail > 0 && n % self.params.fail == 0);
        if !fails || std::mem::replace(&mut self.failed, number) == number {
            return Ok(());
        }
        assert!(!self.params.panics, "told to panic");
        Err(Error::new(detail::NODE_FAILED, "told to fail"))
    }

    fn give(&mut self, cx: &mut Context<'_>, packet: &Packet) {
        let number = packet.as_json().and_then(Value::as_i64).unwrap_or(-1);
        let mut out = Packet::from(json!(number + self.params.add));
        out.set_pts(packet.pts());
        cx.emit(0, out);
    }
}

impl Node for Work {
    type Params = WorkParams;
    const DESCRIPTOR: Descriptor = Descriptor {
        inputs: &[IN],
        outputs: &[OUT],
        retry_safe: true,
        ..Descriptor::new("Work", "Works on numbers one by one.")
    };
    fn new(params: WorkParams) -> Result<Self> {
        Ok(Self { params, seen: 0, held: Vec::new(), again: None, failed: None })
    }
    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        self.may_fail(&packet)?;
        self.seen += 1;
        if self.params.drop > 0 && self.seen % self.params.drop == 0 {
            if let Some(pts) = packet.pts() {
                cx.advance(0, pts);
            }
            return Ok(Flow::Done);
        }
        if self.params.hold > 0 {
            self.held.push(packet);
            if self.held.len() as i64 > self.params.hold {
                let held = std::mem::take(&mut self.held);
                held.iter().for_each(|p| self.give(cx, p));
            }
            return Ok(Flow::Done);
        }
        self.give(cx, &packet);
        if self.params.times > 1 {
            self.again = Some((packet, self.params.times - 1));
            return Ok(Flow::More);
        }
        Ok(Flow::Done)
    }
    fn resume(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
        let Some((packet, left)) = self.again.take() else { return Ok(Flow::Done) };
        self.give(cx, &packet);
        if left > 1 {
            self.again = Some((packet, left - 1));
            return Ok(Flow::More);
        }
        Ok(Flow::Done)
    }
    fn drain(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
        let held = std::mem::take(&mut self.held);
        held.iter().for_each(|p| self.give(cx, p));
        Ok(Flow::Done)
    }
    fn reset(&mut self) {
        (self.seen, self.again, self.failed) = (0, None, None);
        self.held.clear();
    }
    fn set_params(&mut self, params: WorkParams) {
        self.params = params;
    }
}

/// Joins two streams of numbers.
struct Both;

impl Node for Both {
    type Params = WorkParams;
    const DESCRIPTOR: Descriptor = Descriptor {
        inputs: &[IN, OTHER],
        outputs: &[OUT],
        join: Join::Exact,
        ..Descriptor::new("Both", "Joins two streams of numbers.")
    };
    fn ports(params: &WorkParams, ports: &mut Ports) -> Result<()> {
        ports.join = match params.join.as_str() {
            "exact" => Join::Exact,
            "nearest" => Join::Nearest { tolerance: MediaTime::from_millis(25) },
            "barrier" => Join::Barrier,
            _ => Join::Ordered,
        };
        Ok(())
    }
    fn new(_: WorkParams) -> Result<Self> {
        Ok(Self)
    }
    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        cx.emit(0, packet);
        Ok(Flow::Done)
    }
    fn join(&mut self, cx: &mut Context<'_>, set: &mut [Option<Packet>]) -> Result<Flow> {
        let numbers = set.iter().flatten().filter_map(|p| p.as_json()?.as_i64());
        let mut out = Packet::from(json!(numbers.fold(0i64, |a, b| a.wrapping_mul(3) + b)));
        out.set_pts(set[0].as_ref().and_then(Packet::pts));
        cx.emit(0, out);
        Ok(Flow::Done)
    }
}

/// Hands its packets to whoever completes tickets here.
struct Elsewhere;

static TICKETS: Mutex<Vec<(Ticket, Packet)>> = Mutex::new(Vec::new());

impl Node for Elsewhere {
    type Params = WorkParams;
    const DESCRIPTOR: Descriptor = Descriptor {
        inputs: &[IN],
        outputs: &[OUT],
        max_in_flight: 3,
        ..Descriptor::new("Elsewhere", "Gives its packets back by ticket.")
    };
    fn new(_: WorkParams) -> Result<Self> {
        Ok(Self)
    }
    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        TICKETS.lock().unwrap().push((cx.ticket(), packet));
        Ok(Flow::Pending)
    }
}

fn registry() -> Registry {
    let mut registry = builtin();
    registry.add::<Work>("test").unwrap();
    registry.add::<Both>("test").unwrap();
    registry.add::<Elsewhere>("test").unwrap();
    registry
}

/// What becomes of calls that fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Faults {
    /// The stream goes on, and what comes out is determined.
    Survived,
    /// Some end the pipeline.
    Any,
}

impl Faults {
    /// Lets a node fail; `set` gives it a param.
    fn add(self, random: &mut Random, mut set: impl FnMut(&str, Value), node: &mut Value) {
        let policies = match self {
            Self::Survived => 2,
            Self::Any => 5,
        };
        let policy = ["skip", "retry", "restart", "fallback", "fail"][random.below(policies)];
        set("fail", json!(2 + random.below(15)));
        // After a panic the node is a new one, which knows nothing of the call that failed before.
        set("panics", json!(policy != "retry" && random.below(2) == 0));
        node["on_error"] = json!(policy);
        match policy {
            "retry" => node["retry"] = json!({"base_ms": 0.001, "max_ms": 0.001}),
            "fallback" => node["fallback"] = json!("PassThrough"),
            _ => {}
        }
    }
}

/// A random graph; `placed` says where its nodes run.
fn graph(
    random: &mut Random,
    tickets: bool,
    faults: Faults,
    mut placed: impl FnMut() -> Option<&'static str>,
) -> Value {
    let count = 1 + random.below(8);
    let (mut nodes, mut connections) = (Vec::new(), Vec::new());
    for n in 0..count {
        let kind = random.below(if tickets { 9 } else { 8 });
        let mut params = Map::new();
        let mut set = |name: &str, value: Value| params.insert(name.to_owned(), value);
        let mut ty = "Work";
        match kind {
            0 => _ = set("add", json!(1)),
            1 => _ = set("drop", json!(2 + random.below(4))),
            2 => _ = set("times", json!(2 + random.below(3))),
            3 => _ = set("hold", json!(1 + random.below(12))),
            4..=7 if n > 0 => {
                ty = "Both";
                let join = ["exact", "nearest", "barrier", "ordered"][kind - 4];
                set("join", json!(join));
            }
            8 => ty = "Elsewhere",
            _ => {}
        }
        let from = |random: &mut Random| format!("n{}", random.below(n.max(1)));
        if n > 0 {
            connections.push(json!({"from": from(random), "to": format!("n{n}.in")}));
            if ty == "Both" && random.below(8) > 0 {
                connections.push(json!({"from": from(random), "to": format!("n{n}.other")}));
            }
        }
        let mut node = json!({"id": format!("n{n}"), "node_type": ty});
        if ty == "Work" && random.below(4) == 0 {
            let set = |name: &str, value| _ = params.insert(name.to_owned(), value);
            faults.add(random, set, &mut node);
        }
        node["params"] = json!(params);
        if let Some(placement) = placed() {
            node["placement"] = json!(placement);
        }
        nodes.push(node);
    }
    let items = [1, 2, 3, 8, 64][random.below(5)];
    json!({
        "version": "v1", "nodes": nodes, "connections": connections, "queue": {"items": items},
    })
}

/// What a packet is for the comparison.
fn seen(packet: &Packet) -> (Option<i64>, i64) {
    let number = packet.as_json().and_then(Value::as_i64).unwrap_or(-1);
    (packet.pts().map(MediaTime::nanos), number)
}

type Streams = BTreeMap<String, Vec<(Option<i64>, i64)>>;

fn packet(n: usize) -> Packet {
    Packet::from(json!(n)).at(MediaTime::from_millis(10 * n as i64))
}

/// Pushes so many numbers into every input and pulls everything, doing what the answers say.
fn drive(run: &Pipeline, count: usize) -> Streams {
    let mut streams = Streams::new();
    let inputs: Vec<String> = run.inputs().map(str::to_owned).collect();
    let mut next = vec![0; inputs.len()];
    let mut idle = 0;
    loop {
        let mut pushed = false;
        for (input, next) in inputs.iter().zip(&mut next) {
            if *next < count {
                match run.push_to(input, packet(*next)) {
                    Ok(()) => (*next, pushed) = (*next + 1, true),
                    Err(PushError::Full(_)) => {}
                    Err(error) => panic!("{error}"),
                }
                if *next == count {
                    run.end_input(input).unwrap();
                }
            }
        }
        match run.pull(if pushed { Duration::ZERO } else { LONG }).unwrap() {
            Pull::Packet(output, packet) => {
                streams.entry(output.to_owned()).or_default().push(seen(&packet));
                idle = 0;
            }
            Pull::End => return streams,
            Pull::Idle(Reason::Need(ports)) => {
                let wanted = (0..inputs.len()).any(|i| ports.contains(i) && next[i] < count);
                idle += 1;
                assert!(wanted && idle < 1000, "nothing helps: {}", told(run));
            }
            Pull::Idle(reason) => {
                assert!(pushed, "it waited in vain: {reason:?} {}", told(run));
            }
        }
    }
}

/// What a pipeline looks like, for a failed test.
fn told(run: &Pipeline) -> String {
    let mut out = format!("{:?} {} tickets\n", run.graph().nodes, TICKETS.lock().unwrap().len());
    let metrics = run.metrics();
    for counters in
        ["links", "node_metrics"].iter().flat_map(|key| metrics[key].as_array().unwrap())
    {
        out += &format!("{counters}\n");
    }
    for node in run.graph().nodes.iter() {
        let (segment, params, join) = (node.segment, &node.params, node.ports.join);
        out += &format!("{}: {segment} {params:?} {join:?}\n", node.id);
    }
    out
}

/// As many as the test is to try.
fn tries(default: u64) -> u64 {
    std::env::var("LIVE_GRAPHS").ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

/// The seed to begin with.
fn first() -> u64 {
    std::env::var("LIVE_GRAPHS_FROM").ok().and_then(|n| n.parse().ok()).unwrap_or(0)
}

fn quiet(run: &Pipeline) {
    // What is pulled may be ahead of the last worker's last counters.
    while !matches!(run.advance(), Ok(Reason::Need(_)) | Err(_)) {
        std::thread::yield_now();
    }
}

/// Every packet that a node has taken is done, failed or unmatched; the nodes hold none any more.
fn assert_settled(run: &Pipeline) {
    quiet(run);
    assert_conserved(run);
    for node in run.metrics()["node_metrics"].as_array().unwrap() {
        let n = |key: &str| node[key].as_u64().unwrap();
        assert_eq!(n("taken"), n("success_count") + n("error_count") + n("unmatched"), "{node}");
    }
}

#[test]
fn determinate_graphs_give_the_same_inline_on_threads_and_simulated() {
    let _elf = Elf::new(11, &TICKETS);
    expect_panics("told to panic");
    let threads = Engine::new(registry());
    for seed in first()..tries(400) {
        let tickets = seed % 4 == 0;
        let count = 1 + Random::new(seed ^ 0xABCD).below(60);
        let inline = graph(&mut Random::new(seed), tickets, Faults::Survived, || None);
        let reference = {
            let run = on(&threads, inline.clone());
            let streams = drive(&run, count);
            assert_settled(&run);
            assert!(run.graph().indeterminate.is_empty());
            streams
        };
        for way in 0..3 {
            let mut places = Random::new(seed + way);
            let place = || match way {
                0 => Some("thread"),
                _ => [None, Some("thread"), Some("inline")][places.below(3)],
            };
            let manifest = graph(&mut Random::new(seed), tickets, Faults::Survived, place);
            let engine = match way {
                2 => &Engine::simulated(registry(), seed),
                _ => &threads,
            };
            let run = on(engine, manifest.clone());
            let _shown = Shown(seed);
            let streams = drive(&run, count);
            assert_settled(&run);
            assert_eq!(streams, reference, "seed {seed}, way {way}, {count} packets: {manifest:#}");
        }
    }
}

/// As `drive`, with resets, interrupts and params in between; gives what came. Some pipelines fail.
fn disturb(run: &Pipeline, random: &mut Random, nodes: usize) -> Streams {
    let mut streams = Streams::new();
    let mut keep = |output: &str, packet: &Packet| {
        streams.entry(output.to_owned()).or_default().push(seen(packet));
    };
    let inputs: Vec<String> = run.inputs().map(str::to_owned).collect();
    let mut next = 0;
    for _ in 0..150 {
        match random.below(20) {
            0 => may_fail(run, run.interrupt().map(|_| ())),
            1 => may_fail(run, run.reset().map(|_| ())),
            2 => {
                let node = format!("n{}", random.below(nodes));
                let values = json!({"add": random.below(5)});
                let values = values.as_object().unwrap();
                let at = MediaTime::from_millis(10 * (next + random.below(20)) as i64);
                // Not every type has it.
                let _ = match random.below(2) {
                    0 => run.set_params(&node, values),
                    _ => run.set_params_at(&node, values, at),
                };
            }
            3..12 => {
                for input in &inputs {
                    match run.push_to(input, packet(next)) {
                        Ok(()) | Err(PushError::Full(_)) => {}
                        Err(error) => may_fail(run, Err(error.into())),
                    }
                }
                next += 1;
            }
            _ => match run.try_pull() {
                Ok(Pull::Packet(output, packet)) => keep(output, &packet),
                Ok(_) => {}
                Err(error) => may_fail(run, Err(error)),
            },
        }
    }
    may_fail(run, run.end());
    loop {
        match run.pull(LONG) {
            Ok(Pull::Packet(output, packet)) => keep(output, &packet),
            Ok(Pull::End) => return streams,
            Ok(Pull::Idle(reason)) => panic!("it waited in vain: {reason:?} {}", told(run)),
            Err(error) => {
                may_fail(run, Err(error));
                return streams;
            }
        }
    }
}

/// A call may come back with an error once a node has failed, for that very reason.
fn may_fail(run: &Pipeline, result: Result<()>) {
    let Err(error) = result else { return };
    assert_eq!(run.state(), State::Failed, "{error}");
    assert!(error.to_string().contains("told to"), "{error}");
}

/// Names the seed of a test that fails.
struct Shown(u64);

impl Drop for Shown {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}", self.0);
        }
    }
}

#[test]
fn interrupts_resets_and_params_in_between_lose_nothing_uncounted() {
    let _elf = Elf::new(11, &TICKETS);
    expect_panics("told to panic");
    let threads = Engine::new(registry());
    for seed in first()..tries(300) {
        let tickets = seed % 3 == 0;
        let mut places = Random::new(seed);
        let place = || [None, Some("thread"), Some("inline")][places.below(3)];
        let mut manifest = graph(&mut Random::new(seed), tickets, Faults::Any, place);
        let nodes = manifest["nodes"].as_array().unwrap().len();
        let mut random = Random::new(seed + 1);
        if random.below(2) == 0 {
            manifest["interrupt"] = json!({"from": [format!("n{}", random.below(nodes))]});
        }
        let engine = match seed % 2 {
            0 => &Engine::simulated(registry(), seed),
            _ => &threads,
        };
        let run = on(engine, manifest.clone());
        let (mut epochs, mut sets) = (0, 0);
        let _shown = Shown(seed);
        let streams = disturb(&run, &mut random, nodes);
        quiet(&run);
        while let Some(event) = run.event() {
            epochs += u64::from(matches!(event, Event::Interrupted { .. } | Event::Reset { .. }));
            sets += u64::from(matches!(event, Event::Params { .. }));
        }
        let asked = run.changes() > 0;
        assert!(asked && epochs <= 150 && sets <= 150);
        for (output, stream) in streams {
            let times: Vec<_> = stream.iter().filter_map(|(pts, _)| *pts).collect();
            assert!(times.is_sorted(), "seed {seed}: {output} goes back in time: {manifest:#}");
        }
        match run.state() {
            // The call that failed may have taken its packet with it.
            State::Failed => assert_conserved_soon(&run),
            _ => assert_settled(&run),
        }
    }
}
