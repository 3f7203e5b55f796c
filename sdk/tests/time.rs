//! Time: sources in real time, virtual time, the seeded scheduler (rules S3, S14, S23).
#![allow(clippy::unwrap_used, reason = "what a test needs is there, or the test fails")]
#![cfg(feature = "media")]

mod common;

use common::{chain, on};
use remotemedia::engine::Engine;
use remotemedia::node::{Caps, Context, Descriptor, Flow, NoParams, Node, Port, Ticket};
use remotemedia::nodes::builtin;
use remotemedia::{MediaTime, Packet, Pipeline, Pull, Reason, Result};
use serde_json::{Value, json};
use std::sync::Mutex;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../media/speech-16k.wav");

fn reader(placement: &str) -> Value {
    json!({
        "version": "v1",
        "nodes": [{
            "id": "file", "node_type": "MediaReader", "params": {"path": FILE}, "pace": "realtime",
            "placement": placement,
        }],
    })
}

/// Pulls to the end; gives the frames and the virtual time at which each packet came.
fn listen(engine: &Engine, pipeline: &Pipeline) -> Vec<(f64, f64)> {
    let mut came = Vec::new();
    loop {
        match pipeline.pull(HOUR).expect("it runs") {
            Pull::Packet(_, packet) => {
                let media = packet.pts().expect("a time").nanos() as f64 / 1e9;
                came.push((media, engine.now().as_secs_f64()));
            }
            Pull::End => return came,
            Pull::Idle(reason) => panic!("nothing goes on: {reason:?}"),
        }
    }
}

#[test]
fn a_source_in_real_time_gives_each_packet_at_its_time() {
    for placement in ["inline", "thread"] {
        let engine = Engine::simulated(builtin(), 1);
        let run = on(&engine, reader(placement));
        // A reset takes it back to its beginning, and that is now.
        for _ in 0..5 {
            assert!(matches!(run.pull(HOUR), Ok(Pull::Packet(..))));
        }
        run.reset().expect("it runs");
        let begin = engine.now().as_secs_f64();
        assert!(begin > 0.1, "{placement}: the file has gone on until {begin} s");
        let came = listen(&engine, &run);
        assert!(came.len() > 10, "{placement}: {} packets", came.len());
        for (media, clock) in came {
            let clock = clock - begin;
            assert!((media - clock).abs() < 1e-6, "{placement}: {media} s came at {clock} s");
        }
    }
}

#[test]
fn until_then_a_pull_that_does_not_wait_says_when() {
    let engine = Engine::simulated(builtin(), 1);
    let run = on(&engine, reader("inline"));
    assert!(matches!(run.try_pull(), Ok(Pull::Packet(..))));
    let Ok(Pull::Idle(Reason::Due(time))) = run.try_pull() else { panic!("it must say when") };
    assert!(time > Duration::ZERO && time < Duration::from_secs(1), "{time:?}");
}

#[test]
fn a_pull_that_only_a_push_can_help_answers_at_once() {
    for placement in ["inline", "thread"] {
        let engine = Engine::simulated(builtin(), 1);
        let mut manifest = chain(&[("PassThrough", json!({}))]);
        manifest["nodes"][0]["placement"] = json!(placement);
        let run = on(&engine, manifest);
        assert!(matches!(run.pull(HOUR), Ok(Pull::Idle(Reason::Need(_)))), "{placement}");
        assert_eq!(engine.now(), Duration::ZERO, "{placement}: it waited in vain");
    }
}

/// Two nodes that nothing connects.
fn beside(first: Value, second: Value) -> Value {
    json!({"version": "v1", "nodes": [first, second]})
}

#[test]
fn no_push_drives_a_source() {
    let file = json!({"id": "file", "node_type": "MediaReader", "params": {"path": FILE}});
    let run = on(&Engine::new(builtin()), beside(file, json!({"id": "a", "node_type": "Echo"})));
    let given = || run.metrics()["node_metrics"][0]["emitted"].clone();
    for n in 0..10 {
        run.push(json!(n)).expect("room");
    }
    assert_eq!(given(), 0);
    assert!(matches!(run.pull_from("file", Duration::ZERO), Ok(Pull::Packet(..))));
    assert_eq!(given(), 1, "a pull drives it, as far as it has to");
}

#[test]
fn of_two_sources_the_one_that_lies_behind_goes_first_also_after_a_reset() {
    let file = |id| json!({"id": id, "node_type": "MediaReader", "params": {"path": FILE}});
    let run = on(&Engine::new(builtin()), beside(file("a"), file("b")));
    for resets in [true, false] {
        let (mut times, mut outputs) = (Vec::new(), [0; 2]);
        while let Pull::Packet(output, packet) = run.pull(HOUR).expect("it runs") {
            times.push(packet.pts().expect("a time"));
            outputs[usize::from(output == "b")] += 1;
            if resets && times.len() == 8 {
                run.reset().expect("it runs");
                break;
            }
        }
        assert!(times.is_sorted() && times[0] == MediaTime::ZERO, "{times:?}");
        assert!(outputs[0] == outputs[1], "{outputs:?}");
    }
}

/// Keeps its tickets open.
struct Elsewhere;

static TICKETS: Mutex<Vec<(Ticket, Packet)>> = Mutex::new(Vec::new());

impl Node for Elsewhere {
    type Params = NoParams;
    const DESCRIPTOR: Descriptor = Descriptor {
        inputs: &[Port::new("in", Caps::ANY, "Anything.")],
        outputs: &[Port::new("out", Caps::ANY, "The same, later.")],
        max_in_flight: 1,
        ..Descriptor::new("Elsewhere", "Gives its packets back by ticket.")
    };
    fn new(NoParams: NoParams) -> Result<Self> {
        Ok(Self)
    }
    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        TICKETS.lock().unwrap().push((cx.ticket(), packet));
        Ok(Flow::Pending)
    }
}

#[test]
fn no_virtual_time_passes_while_somebody_outside_has_a_ticket() {
    let mut registry = builtin();
    registry.add::<Elsewhere>("test").expect("free");
    let engine = Engine::simulated(registry, 1);
    let mut manifest = chain(&[("Elsewhere", json!({})), ("PassThrough", json!({}))]);
    manifest["nodes"][1]["placement"] = json!("thread");
    let run = on(&engine, manifest);
    run.push(json!(1)).expect("room");
    // So long in the time of whoever has the ticket.
    let pull = run.pull(Duration::from_millis(5));
    assert!(matches!(pull, Ok(Pull::Idle(Reason::InFlight(0)))), "{pull:?}");
    assert_eq!(engine.now(), Duration::ZERO);
    let (ticket, packet) = TICKETS.lock().unwrap().pop().expect("it was opened");
    ticket.complete([(0, packet)]);
    assert!(matches!(run.pull(HOUR), Ok(Pull::Packet(..))));
    assert_eq!(engine.now(), Duration::ZERO);
}
