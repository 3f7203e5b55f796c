//! Calls that wait elsewhere. Here nobody could end the wait, so they have to answer at once.

use remotemedia::node::{Caps, Context, Descriptor, Flow, NoParams, Node, Port, Registry, Ticket};
use remotemedia::{Closed, Engine, Manifest, Packet, Pull, Reason, Result};
use serde_json::{Value as Json, json};
use std::time::Duration;

/// Opens a ticket for each packet and never completes it.
struct Silent(Vec<Ticket>);

impl Node for Silent {
    type Params = NoParams;

    const DESCRIPTOR: Descriptor = Descriptor {
        inputs: &[Port::new("in", Caps::ANY, "Anything.")],
        outputs: &[Port::new("out", Caps::ANY, "Nothing.")],
        max_in_flight: 1,
        ..Descriptor::new("Silent", "Never answers.")
    };

    fn new(NoParams: NoParams) -> Result<Self> {
        Ok(Self(Vec::new()))
    }

    fn process(&mut self, cx: &mut Context<'_>, _: Packet) -> Result<Flow> {
        self.0.push(cx.ticket());
        Ok(Flow::Pending)
    }
}

/// What the calls say while a ticket is open.
///
/// # Errors
/// None, unless the engine is broken.
pub(crate) fn answers() -> Result<Json> {
    let mut registry = Registry::empty();
    registry.add::<Silent>("test")?;
    let manifest = Manifest::from_value(json!({
        "version": "v1",
        "nodes": [{"id": "silent", "node_type": "test/Silent"}],
    }))?;
    let pipeline = Engine::new(registry).pipeline(&manifest)?;
    pipeline.push(json!(1))?;
    let pulled = match pipeline.pull(Duration::from_secs(3600))? {
        Pull::Idle(Reason::InFlight(_)) => "in_flight",
        _ => "something else",
    };
    let changed = pipeline.wait_for_change(pipeline.changes(), None);
    let closed = match pipeline.close(Duration::from_secs(3600))? {
        Closed::Cut => "cut",
        Closed::Drained => "drained",
    };
    Ok(json!({"pull": pulled, "changed": changed, "close": closed}))
}
