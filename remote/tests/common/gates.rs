//! Nodes that hold what comes until a test opens their gate.

use super::PATIENCE;
use remotemedia::node::{Caps, Context, Descriptor, Flow, MediaFormat, Node, Params, Port};
use remotemedia::{Engine, Packet, Result};
use std::collections::{HashMap, HashSet};
use std::sync::{Condvar, LazyLock, Mutex};

/// What is known of the gates, by their names.
#[derive(Default)]
struct Known {
    open: HashSet<String>,
    /// Packets that have come to them.
    came: HashMap<String, usize>,
}

static GATES: LazyLock<(Mutex<Known>, Condvar)> = LazyLock::new(Default::default);

/// A gate; when this goes it is open, since a server waits for its calls also when a test fails.
pub(crate) struct Gate(pub(crate) &'static str);

impl Gate {
    pub(crate) fn open(&self) {
        GATES.0.lock().expect("the gates").open.insert(self.0.to_owned());
        GATES.1.notify_all();
    }

    /// Waits until so many packets have come to it. For tests with several threads.
    pub(crate) fn reached_by(&self, packets: usize) {
        tokio::task::block_in_place(|| {
            let known = GATES.0.lock().expect("the gates");
            let too_few = |known: &mut Known| known.came.get(self.0).copied() < Some(packets);
            let waited = GATES.1.wait_timeout_while(known, PATIENCE, too_few);
            assert!(!waited.expect("the gates").1.timed_out(), "they don't come");
        });
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.open();
    }
}

fn wait_at(name: &str) {
    let mut known = GATES.0.lock().expect("the gates");
    *known.came.entry(name.to_owned()).or_default() += 1;
    GATES.1.notify_all();
    drop(GATES.1.wait_while(known, |known| !known.open.contains(name)).expect("the gates"));
}

/// The gate of a node.
#[derive(Debug, Clone, Params)]
pub(crate) struct GateParams {
    /// Its name.
    gate: String,
}

const BASE: Descriptor = Descriptor {
    inputs: &[Port::new("in", Caps::ANY, "Anything.")],
    outputs: &[Port::new("out", Caps::ANY, "The same.")],
    ..Descriptor::new("Gate", "Holds what comes.")
};

macro_rules! gate {
    ($name:ident, $descriptor:expr, |$cx:ident, $packet:ident, $gate:ident| $hold:expr) => {
        struct $name(GateParams);

        impl Node for $name {
            type Params = GateParams;
            const DESCRIPTOR: Descriptor = $descriptor;

            fn new(params: GateParams) -> Result<Self> {
                Ok(Self(params))
            }

            fn configure(&mut self, _: &mut Context<'_>, _: usize, _: &MediaFormat) -> Result<()> {
                Ok(())
            }

            fn process(&mut self, $cx: &mut Context<'_>, $packet: Packet) -> Result<Flow> {
                let $gate = self.0.gate.clone();
                $hold
            }
        }
    };
}

// On a thread for what may take long.
gate!(Blocking, Descriptor { name: "Gate", blocking: true, ..BASE }, |cx, packet, gate| {
    wait_at(&gate);
    cx.emit(0, packet);
    Ok(Flow::Done)
});

// On the thread that runs the pipeline.
gate!(Here, Descriptor { name: "GateHere", ..BASE }, |cx, packet, gate| {
    wait_at(&gate);
    cx.emit(0, packet);
    Ok(Flow::Done)
});

// By a ticket.
gate!(Later, Descriptor { name: "LaterGate", max_in_flight: 4, ..BASE }, |cx, packet, gate| {
    let ticket = cx.ticket();
    std::thread::spawn(move || {
        wait_at(&gate);
        ticket.complete([(0, packet)]);
    });
    Ok(Flow::Pending)
});

/// An engine that has them: `Gate`, `GateHere` and `LaterGate`.
pub(crate) fn engine() -> Engine {
    let mut registry = remotemedia::nodes::builtin();
    registry.add::<Blocking>("test").expect("a type");
    registry.add::<Here>("test").expect("a type");
    registry.add::<Later>("test").expect("a type");
    Engine::new(registry)
}
