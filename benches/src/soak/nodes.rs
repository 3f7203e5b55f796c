//! Nodes that do to a pipeline what the built-in ones don't: fail, answer later, join by time.

use remotemedia::error::detail;
use remotemedia::node::testing::Random;
use remotemedia::node::{
    Caps, Context, Descriptor, Flow, Join, NoParams, Node, Params, Port, Registry, Ticket,
};
use remotemedia::nodes::builtin;
use remotemedia::{Error, Packet, Result};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Once, OnceLock};
use std::thread;
use std::time::Duration;

/// What errors of these nodes say.
pub(super) const TOLD: &str = "told to fail";

const IN: Port = Port::new("in", Caps::ANY, "Anything.");
const OTHER: Port = Port::new("other", Caps::ANY, "Anything.");
const OUT: Port = Port::new("out", Caps::ANY, "The same.");

/// The built-in types and these.
pub(super) fn registry() -> Registry {
    let mut registry = builtin();
    let added = [
        registry.add::<Shaky>("soak"),
        registry.add::<Elsewhere>("soak"),
        registry.add::<Both>("soak"),
    ];
    added.into_iter().collect::<Result<()>>().expect("no other types have these names");
    registry
}

#[derive(Clone, Params)]
struct ShakyParams {
    /// Every so many calls one fails, the next that tries the same does not. 0: none.
    #[param(default = 0, live)]
    every: i64,
    /// It fails by a panic.
    #[param(default = false)]
    panics: bool,
}

/// Hands packets on, and fails now and then.
struct Shaky {
    params: ShakyParams,
    calls: i64,
}

impl Node for Shaky {
    type Params = ShakyParams;
    const DESCRIPTOR: Descriptor = Descriptor {
        inputs: &[IN],
        outputs: &[OUT],
        retry_safe: true,
        external: true,
        ..Descriptor::new("Shaky", "Hands packets on, and fails now and then.")
    };
    fn new(params: ShakyParams) -> Result<Self> {
        Ok(Self { params, calls: 0 })
    }
    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        self.calls += 1;
        cx.emit(0, packet);
        if self.params.every > 0 && self.calls % self.params.every == 0 {
            assert!(!self.params.panics, "{TOLD}");
            return Err(Error::new(detail::NODE_FAILED, TOLD));
        }
        Ok(Flow::Done)
    }
    fn set_params(&mut self, params: ShakyParams) {
        self.params = params;
    }
}

/// Gives its packets back by ticket.
struct Elsewhere;

impl Node for Elsewhere {
    type Params = NoParams;
    const DESCRIPTOR: Descriptor = Descriptor {
        inputs: &[IN],
        outputs: &[OUT],
        max_in_flight: 3,
        ..Descriptor::new("Elsewhere", "Gives its packets back by ticket.")
    };
    fn new(_: NoParams) -> Result<Self> {
        Ok(Self)
    }
    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        // There is one as long as the process runs.
        let _ = clerk().send((cx.ticket(), packet));
        Ok(Flow::Pending)
    }
}

/// Who completes the tickets, each some time later, in an order of its own; one in five hundred fails,
/// and one in five hundred is dropped.
fn clerk() -> &'static Sender<(Ticket, Packet)> {
    static CLERK: OnceLock<Sender<(Ticket, Packet)>> = OnceLock::new();
    CLERK.get_or_init(|| {
        let (sender, receiver) = channel();
        thread::spawn(move || work(&receiver));
        sender
    })
}

fn work(desk: &Receiver<(Ticket, Packet)>) {
    let mut random = Random::new(5);
    let mut open = Vec::new();
    loop {
        match desk.recv_timeout(Duration::from_millis(1)) {
            Ok(one) => open.push(one),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        open.extend(desk.try_iter());
        for _ in 0..random.below(open.len() + 1) {
            let (ticket, packet) = open.swap_remove(random.below(open.len()));
            match random.below(1000) {
                0 | 1 => ticket.fail(Error::new(detail::NODE_FAILED, TOLD)),
                2 | 3 => drop(ticket),
                _ => ticket.complete([(0, packet)]),
            }
        }
    }
}

/// Joins packets of the same time; the first goes on.
struct Both;

impl Node for Both {
    type Params = NoParams;
    const DESCRIPTOR: Descriptor = Descriptor {
        inputs: &[IN, OTHER],
        outputs: &[OUT],
        join: Join::Exact,
        ..Descriptor::new("Both", "Joins packets of the same time.")
    };
    fn new(_: NoParams) -> Result<Self> {
        Ok(Self)
    }
    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        cx.emit(0, packet);
        Ok(Flow::Done)
    }
    fn join(&mut self, cx: &mut Context<'_>, set: &mut [Option<Packet>]) -> Result<Flow> {
        if let Some(packet) = set[0].take() {
            cx.emit(0, packet);
        }
        Ok(Flow::Done)
    }
}

/// Keeps the panics that were asked for out of the output.
pub(super) fn expect_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if panic.payload_as_str() != Some(TOLD) {
                print(panic);
            }
        }));
    });
}
