//! Nodes that fail at the calls that a test names, for the tests of what errors do.
#![allow(dead_code, reason = "each test file uses its own part")]

use super::on;
use remotemedia::engine::{Event, Recovery};
use remotemedia::error::detail;
use remotemedia::node::{Caps, Context, Descriptor, Flow, Node, Params, Port};
use remotemedia::{Engine, Error, MediaTime, Packet, Pipeline, Pull, PushError, Result};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

pub(crate) const LONG: Duration = Duration::from_secs(3600);

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Error,
    Panic,
}

/// What happens to the calls of the nodes of one test, whichever node it is.
#[derive(Debug, Default)]
struct Script {
    calls: usize,
    faults: BTreeMap<usize, Fault>,
}

static SCRIPTS: Mutex<BTreeMap<i64, Script>> = Mutex::new(BTreeMap::new());
static NEXT: AtomicI64 = AtomicI64::new(1);

/// A new script: which calls fail. Its number goes to the nodes' params.
pub(crate) fn script(faults: &[(usize, Fault)]) -> i64 {
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    let script = Script { calls: 0, faults: faults.iter().copied().collect() };
    SCRIPTS.lock().expect("nothing panics under it").insert(id, script);
    id
}

/// Notes a call, and does what its script says about it.
pub(crate) fn call(script: i64) -> Result<()> {
    let fault = {
        let mut scripts = SCRIPTS.lock().expect("nothing panics under it");
        let script = scripts.entry(script).or_default();
        script.calls += 1;
        script.faults.get(&(script.calls - 1)).copied()
    };
    assert!(fault != Some(Fault::Panic), "told to panic");
    match fault {
        None => Ok(()),
        Some(_) => Err(Error::new(detail::NODE_FAILED, "told to fail")),
    }
}

/// Calls that a script has seen.
pub(crate) fn calls(script: i64) -> usize {
    SCRIPTS.lock().expect("nothing panics under it").get(&script).map_or(0, |s| s.calls)
}

/// Params of the test nodes.
#[derive(Clone, Params)]
pub(crate) struct FaultyParams {
    /// Its script; 0: it never fails.
    #[param(default = 0)]
    script: i64,
    /// What it adds to numbers.
    #[param(default = 0, live)]
    add: i64,
}

fn number(packet: &Packet) -> i64 {
    packet.as_json().and_then(Value::as_i64).expect("the tests push numbers")
}

/// Gives each packet out when the next one comes: a node with a state and a tail.
pub(crate) struct Late {
    params: FaultyParams,
    held: Option<Packet>,
}

impl Node for Late {
    type Params = FaultyParams;
    const DESCRIPTOR: Descriptor = Descriptor {
        inputs: &[Port::new("in", Caps::ANY, "Numbers.")],
        outputs: &[Port::new("out", Caps::ANY, "The same, one packet late.")],
        retry_safe: true,
        ..Descriptor::new("Late", "Holds back one packet.")
    };
    fn new(params: FaultyParams) -> Result<Self> {
        Ok(Self { params, held: None })
    }
    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        // What a failed call emits must not count.
        self.held.clone().into_iter().for_each(|packet| cx.emit(0, packet));
        call(self.params.script)?;
        self.held = Some(packet);
        Ok(Flow::Done)
    }
    fn drain(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
        self.held.clone().into_iter().for_each(|packet| cx.emit(0, packet));
        call(self.params.script)?;
        self.held = None;
        Ok(Flow::Done)
    }
    fn reset(&mut self) {
        self.held = None;
    }
}

/// Asks something outside; adds to numbers.
pub(crate) struct Remote(FaultyParams);

impl Node for Remote {
    type Params = FaultyParams;
    const DESCRIPTOR: Descriptor = Descriptor {
        inputs: &[Port::new("in", Caps::ANY, "Numbers.")],
        outputs: &[Port::new("out", Caps::ANY, "The sums.")],
        retry_safe: true,
        external: true,
        ..Descriptor::new("Remote", "Adds, elsewhere.")
    };
    fn new(params: FaultyParams) -> Result<Self> {
        Ok(Self(params))
    }
    fn process(&mut self, cx: &mut Context<'_>, mut packet: Packet) -> Result<Flow> {
        call(self.0.script)?;
        *packet.payload_mut() = Packet::from(json!(number(&packet) + self.0.add)).payload().clone();
        cx.emit(0, packet);
        Ok(Flow::Done)
    }
    fn set_params(&mut self, params: FaultyParams) {
        self.0 = params;
    }
}

/// A source of the numbers below five.
struct Numbers(FaultyParams, i64);

impl Node for Numbers {
    type Params = FaultyParams;
    const DESCRIPTOR: Descriptor = Descriptor {
        outputs: &[Port::new("out", Caps::ANY, "Numbers.")],
        retry_safe: true,
        external: true,
        ..Descriptor::new("Numbers", "Gives out the numbers below five.")
    };
    fn new(params: FaultyParams) -> Result<Self> {
        Ok(Self(params, 0))
    }
    fn process(&mut self, _: &mut Context<'_>, _: Packet) -> Result<Flow> {
        Ok(Flow::Done)
    }
    fn resume(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
        cx.emit(0, packet(self.1));
        call(self.0.script)?;
        self.1 += 1;
        Ok(if self.1 < 5 { Flow::More } else { Flow::Done })
    }
}

/// Gives each number out three times, one a call.
struct Thrice(FaultyParams, Vec<Packet>);

impl Node for Thrice {
    type Params = FaultyParams;
    const DESCRIPTOR: Descriptor = Descriptor {
        inputs: &[Port::new("in", Caps::ANY, "Numbers.")],
        outputs: &[Port::new("out", Caps::ANY, "Each three times.")],
        retry_safe: true,
        ..Descriptor::new("Thrice", "Gives everything out three times.")
    };
    fn new(params: FaultyParams) -> Result<Self> {
        Ok(Self(params, Vec::new()))
    }
    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        call(self.0.script)?;
        self.1 = vec![packet; 2];
        cx.emit(0, self.1[0].clone());
        Ok(Flow::More)
    }
    fn resume(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
        call(self.0.script)?;
        self.1.pop().into_iter().for_each(|packet| cx.emit(0, packet));
        Ok(if self.1.is_empty() { Flow::Done } else { Flow::More })
    }
    fn reset(&mut self) {
        self.1.clear();
    }
}

/// Params of the test source.
#[derive(Clone, Params)]
pub(crate) struct SleepParams {
    /// How long.
    #[param(default = 0)]
    ms: i64,
}

/// A source that ends after a while.
struct Sleep(Option<i64>);

impl Node for Sleep {
    type Params = SleepParams;
    const DESCRIPTOR: Descriptor = Descriptor {
        outputs: &[Port::new("out", Caps::ANY, "Nothing.")],
        ..Descriptor::new("Sleep", "Ends after a while.")
    };
    fn new(params: SleepParams) -> Result<Self> {
        Ok(Self(Some(params.ms)))
    }
    fn process(&mut self, _: &mut Context<'_>, _: Packet) -> Result<Flow> {
        Ok(Flow::Done)
    }
    fn resume(&mut self, _: &mut Context<'_>) -> Result<Flow> {
        Ok(match self.0.take() {
            Some(ms) => Flow::Wait(Duration::from_millis(ms as u64)),
            None => Flow::Done,
        })
    }
}

fn registry() -> remotemedia::node::Registry {
    let mut registry = remotemedia::nodes::builtin();
    registry.add::<Late>("test").expect("free");
    registry.add::<Remote>("test").expect("free");
    registry.add::<Sleep>("test").expect("free");
    registry.add::<Numbers>("test").expect("free");
    registry.add::<Thrice>("test").expect("free");
    registry
}

/// An engine with the test nodes.
pub(crate) fn engine() -> Engine {
    Engine::new(registry())
}

/// The same, simulated.
pub(crate) fn simulated(seed: u64) -> Engine {
    Engine::simulated(registry(), seed)
}

/// Lets time pass on a simulated engine.
pub(crate) fn sleep(engine: &Engine, ms: i64) {
    let node = json!({"id": "sleep", "node_type": "Sleep", "params": {"ms": ms}});
    let run = on(engine, json!({"version": "v1", "nodes": [node]}));
    while !matches!(run.pull(LONG).expect("it runs"), Pull::End) {}
}

/// A manifest of one node with these further fields.
pub(crate) fn node(node_type: &str, params: Value, fields: Value) -> Value {
    let mut node = json!({"id": "n", "node_type": node_type, "params": params});
    let Value::Object(fields) = fields else { unreachable!("tests give objects") };
    node.as_object_mut().expect("an object").extend(fields);
    json!({"version": "v1", "nodes": [node]})
}

/// A numbered packet; the number says its time, too.
pub(crate) fn packet(n: i64) -> Packet {
    Packet::from(json!(n)).at(MediaTime::from_millis(10 * n))
}

/// What a run came to.
#[derive(Debug, PartialEq)]
pub(crate) struct Run {
    pub(crate) out: Vec<i64>,
    /// Packets that the node failed on.
    pub(crate) failed: u64,
    /// Whether the pipeline failed.
    pub(crate) over: bool,
}

/// Pushes the numbers, ends, pulls to the end, and checks what is true whatever happens.
pub(crate) fn play(pipeline: &Pipeline, count: i64) -> Run {
    let mut packets = Vec::new();
    for n in 0..count {
        match pipeline.push(packet(n)) {
            Ok(()) => {}
            Err(PushError::Failed(_) | PushError::Refused(..)) => break,
            Err(error) => panic!("{error}"),
        }
        if n % 2 == 0 {
            let pulled = pipeline.try_pull().ok().and_then(Pull::packet);
            packets.extend(pulled);
        }
    }
    // It may have failed.
    let _ = pipeline.end();
    let over = loop {
        match pipeline.pull(LONG) {
            Ok(Pull::Packet(_, packet)) => packets.push(packet),
            Ok(Pull::End) => break false,
            Ok(Pull::Idle(reason)) => panic!("nothing goes on: {reason:?}"),
            Err(error) => {
                assert_eq!(error.node(), Some("n"), "{error}");
                break true;
            }
        }
    };
    let mut last = -1;
    for packet in &packets {
        let n = number(packet);
        assert!(n > last, "{n} after {last}");
        assert_eq!(packet.pts(), Some(MediaTime::from_millis(10 * n)));
        assert!(
            n == last + 1 || last < 0 || packet.is_discont(),
            "no break before {n}: {packets:?}"
        );
        last = n;
    }
    let metrics = pipeline.metrics();
    let node = &metrics["node_metrics"][0];
    let count = |key: &str| node[key].as_u64().expect("a count");
    let ended = count("success_count") + count("error_count");
    // A panic that nobody guards against takes its packet with it.
    assert!(count("taken") == ended || (over && count("taken") == ended + 1), "{node}");
    let events: Vec<_> = std::iter::from_fn(|| pipeline.event()).collect();
    for what in Recovery::ALL {
        let is = |e: &&Event| matches!(e, Event::Recovered { action, .. } if *action == what);
        let told = events.iter().filter(is).count() as u64;
        assert_eq!(node["recovered"][what.name()], told, "{}", what.name());
    }
    assert_eq!(events.iter().any(|e| matches!(e, Event::Error(_))), over);
    let out = packets.iter().map(number).collect();
    Run { out, failed: count("error_count"), over }
}
