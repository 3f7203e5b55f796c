//! Tails that come by ticket: what a node in another thread or language has left at a break and at
//! the end.

use remotemedia::node::{Caps, Context, Descriptor, Flow, NoParams, Node, Port, Ticket};
use remotemedia::{Engine, Manifest, Packet, Pipeline, Pull, Reason, Result};
use serde_json::{Value as Json, json};
use std::sync::Mutex;

/// Keeps what it gets and gives all of it at a break or at the end, when the test says so.
struct Keeper {
    kept: Vec<Packet>,
}

static TAILS: Mutex<Vec<(Ticket, Vec<Packet>)>> = Mutex::new(Vec::new());

impl Node for Keeper {
    type Params = NoParams;
    const DESCRIPTOR: Descriptor = Descriptor {
        inputs: &[Port::new("in", Caps::ANY, "Anything.")],
        outputs: &[Port::new("out", Caps::ANY, "The same, as a tail.")],
        max_in_flight: 1,
        ..Descriptor::new("Keeper", "Keeps everything for its tail.")
    };
    fn new(NoParams: NoParams) -> Result<Self> {
        Ok(Self { kept: Vec::new() })
    }
    fn process(&mut self, _: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        self.kept.push(packet);
        Ok(Flow::Done)
    }
    fn drain(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
        let kept = std::mem::take(&mut self.kept);
        TAILS.lock().expect("no test panics while it holds it").push((cx.ticket(), kept));
        Ok(Flow::Pending)
    }
}

fn deliver() {
    let (ticket, kept) = TAILS.lock().expect("free").pop().expect("a tail is asked for");
    ticket.complete(kept.into_iter().map(|packet| (0, packet)));
}

fn pulled(pipeline: &Pipeline) -> Vec<Json> {
    let mut values = Vec::new();
    while let Ok(Pull::Packet(_, packet)) = pipeline.try_pull() {
        values.push(packet.as_json().cloned().unwrap_or_default());
    }
    values
}

#[test]
fn a_tail_by_ticket_comes_before_what_follows_a_break_and_before_the_end() {
    let mut registry = remotemedia::nodes::builtin();
    registry.add::<Keeper>("test").expect("free");
    let manifest = Manifest::from_value(json!({
        "version": "v1",
        "nodes": [{"id": "keep", "node_type": "test/Keeper"}],
    }));
    let pipeline = Engine::new(registry).pipeline(&manifest.expect("good")).expect("good");
    pipeline.push(json!(1)).expect("room");
    pipeline.push(json!(2)).expect("room");
    assert!(pulled(&pipeline).is_empty());

    let mut broken = Packet::json(json!(3));
    broken.set_discont(true);
    pipeline.push(broken).expect("room");
    assert!(matches!(pipeline.try_pull(), Ok(Pull::Idle(Reason::InFlight(0)))));
    deliver();
    assert_eq!(pulled(&pipeline), [json!(1), json!(2)]);

    pipeline.end().expect("it runs");
    assert!(matches!(pipeline.try_pull(), Ok(Pull::Idle(Reason::InFlight(0)))));
    assert!(!pipeline.is_finished());
    deliver();
    assert_eq!(pulled(&pipeline), [json!(3)]);
    assert!(matches!(pipeline.try_pull(), Ok(Pull::End)));
    let metrics = pipeline.metrics();
    let node = &metrics["node_metrics"][0];
    assert_eq!((&node["taken"], &node["success_count"]), (&json!(3), &json!(3)));
}
