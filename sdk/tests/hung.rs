//! Calls that do not come back: the node is named, and everything else goes on (rule S13).

mod common;

use common::on;
use remotemedia::engine::{Event, State};
use remotemedia::error::detail;
use remotemedia::graph::Lane;
use remotemedia::node::{Caps, Context, Descriptor, Flow, NoParams, Node, Port};
use remotemedia::{Engine, Error, Packet, Pipeline, Pull, Result};
use serde_json::json;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(600);

/// Where a call waits.
struct Door {
    /// The call is there.
    inside: Sender<()>,
    /// Lets it go.
    go: Receiver<()>,
}

/// There is one for each node, in the order in which they are made.
static DOORS: Mutex<Vec<Door>> = Mutex::new(Vec::new());
static TESTS: Mutex<()> = Mutex::new(());

/// Waits on text until it is let go; passes all else.
struct Stuck(Option<Door>);

impl Node for Stuck {
    type Params = NoParams;
    const DESCRIPTOR: Descriptor = Descriptor {
        inputs: &[Port::new("in", Caps::ANY, "Anything.")],
        outputs: &[Port::new("out", Caps::ANY, "The same.")],
        ..Descriptor::new("Stuck", "Does not come back.")
    };
    fn new(NoParams: NoParams) -> Result<Self> {
        Ok(Self(DOORS.lock().expect("nothing panics under it").pop()))
    }
    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        if packet.as_text().is_some()
            && let Some(door) = &self.0
        {
            // The test drops the other ends, or is there.
            let _ = door.inside.send(());
            let _ = door.go.recv();
        }
        cx.emit(0, packet);
        Ok(Flow::Done)
    }
}

fn engine() -> (Engine, MutexGuard<'static, ()>) {
    let turn = TESTS.lock().unwrap_or_else(|e| e.into_inner());
    let mut registry = remotemedia::nodes::builtin();
    registry.add::<Stuck>("test").expect("free");
    (Engine::new(registry), turn)
}

/// A pipeline with a node that can hang, what lets it go, and what tells that it hangs.
fn stuck(engine: &Engine, placement: &str, on_error: &str) -> (Pipeline, Sender<()>, Receiver<()>) {
    let (let_go, go) = channel();
    let (inside, hangs) = channel();
    DOORS.lock().expect("nothing panics under it").push(Door { inside, go });
    let node = json!({"id": "stuck", "node_type": "Stuck", "placement": placement,
                      "deadline_ms": 200, "on_error": on_error});
    let last = json!({"id": "last", "node_type": "PassThrough"});
    let connections = json!([{"from": "stuck", "to": "last"}]);
    let manifest = json!({"version": "v1", "nodes": [node, last], "connections": connections});
    (on(engine, manifest), let_go, hangs)
}

fn works(engine: &Engine) {
    let node = json!({"id": "n", "node_type": "PassThrough", "placement": "thread"});
    let run = on(engine, json!({"version": "v1", "nodes": [node]}));
    run.push(json!(1)).expect("room");
    assert!(run.pull(LONG).expect("runs").packet().is_some());
}

fn assert_names_it(run: &Pipeline, error: &Error) {
    assert_eq!((error.detail(), error.node()), (detail::NODE_HUNG, Some("stuck")), "{error}");
    assert_eq!(run.state(), State::Failed);
    let events: Vec<_> = std::iter::from_fn(|| run.event()).collect();
    let hung =
        events.iter().filter(|e| matches!(e, Event::Hung { node, .. } if &**node == "stuck"));
    assert_eq!(hung.count(), 1, "{events:?}");
}

#[test]
fn workers_that_hang_are_named_and_replaced() {
    let (engine, _turn) = engine();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut hung = Vec::new();
    for n in 0..2 * cores {
        let (run, door, _) = stuck(&engine, "thread", ["fail", "skip", "restart"][n % 3]);
        run.push(json!(0)).expect("room");
        assert!(run.pull(LONG).expect("runs").packet().is_some(), "what is in time passes");
        run.push(Packet::text("stay")).expect("room");
        let error = run.pull(LONG).expect_err("it hangs");
        assert_names_it(&run, &error);
        works(&engine);
        hung.push((run, door));
    }
    let pool = |(lane, threads)| (lane == Lane::Pool).then_some(threads);
    let threads: usize = engine.threads().into_iter().filter_map(pool).sum();
    assert!(threads <= cores, "those that hang do not count: {threads}");
    for (run, door) in hung {
        door.send(()).expect("it waits");
        // What it gives is dropped: the node goes to another packet never more.
        assert_eq!(run.pull(LONG).expect_err("for ever").detail(), detail::NODE_HUNG);
        drop(run);
    }
    works(&engine);
}

#[test]
fn a_caller_that_hangs_is_alone_with_it() {
    let (engine, _turn) = engine();
    let (run, door, hangs) = stuck(&engine, "inline", "fail");
    std::thread::scope(|scope| {
        let inside = scope.spawn(|| run.push(Packet::text("stay")));
        // A pull before would run the node itself.
        hangs.recv().expect("it comes there");
        let error = loop {
            match run.pull(LONG) {
                Err(error) => break error,
                Ok(Pull::Idle(_)) => std::thread::yield_now(),
                Ok(other) => panic!("{other:?}"),
            }
        };
        assert_names_it(&run, &error);
        assert!(run.push(json!(1)).is_err() && run.close(LONG).is_err());
        works(&engine);
        door.send(()).expect("it waits");
        assert!(inside.join().expect("no panic").is_err(), "the push says so, too");
    });
    let node = &run.metrics()["node_metrics"][0];
    assert_eq!(
        (&node["taken"], &node["error_count"], &node["emitted"]),
        (&json!(1), &json!(1), &json!(0))
    );
}
