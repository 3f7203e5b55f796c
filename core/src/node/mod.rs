//! Nodes: the steps of a pipeline.
//!
//! A node implements [`Node`]. The engine calls it under a turn, never from two threads at once,
//! with one packet at a time; what it emits goes on to the nodes that are connected to it. Nodes
//! never see the engine.
//!
//! What the engine does, so that nodes need not:
//! * It makes sure that packets fit the caps of the port, with an adapter where that is needed.
//! * It calls [`configure`](Node::configure) before the first packet and when the format changes.
//! * At a break (DISCONT) and a format change it calls [`drain`](Node::drain), at the end
//!   [`finish`](Node::finish), and marks the first packet after a break as DISCONT.

pub mod caps;
mod catalogue;
mod context;
mod declare;
mod descriptor;
mod elsewhere;
mod join;
pub mod params;
mod registry;
pub mod testing;
mod ticket;

pub use caps::Caps;
pub use catalogue::describe;
pub use context::{Context, Emission};
pub use declare::Declaration;
pub use descriptor::{Descriptor, Port, Ports};
pub use elsewhere::{Elsewhere, Placed};
pub use join::Join;
pub use params::{Choice, NoParams, Params};
pub use registry::{BUILTIN, Lookup, NodeType, Registry, typed};
pub(crate) use ticket::Opened;
pub use ticket::{Ticket, TicketId, Trip};

pub(crate) use context::TicketDesk;
pub(crate) use ticket::{Mailbox, Outcome};

use crate::error::{Error, Result, detail};
use crate::packet::{AudioFormat, Kind, MediaTime, Packet, Payload, PixelFormat};
use std::any::Any;
use std::fmt;
use std::time::Duration;

/// What a call of a node came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// All of it is done. From a source: there is nothing more to come.
    Done,
    /// There is more to emit: call [`Node::resume`] when the exits have room again.
    More,
    /// As `More`, but not before so long a time: a source that has nothing yet, a call that is to be
    /// tried again.
    Wait(Duration),
    /// The result comes with the ticket that the call opened.
    Pending,
}

/// A step of a pipeline.
///
/// # Real-time
/// A type whose descriptor says `realtime` must neither allocate nor lock nor call the system in
/// `process`, once it has seen its largest packet.
pub trait Node: Send + Sized + 'static {
    /// What it can be told; [`NoParams`] for nothing.
    type Params: Params;

    /// What it is.
    const DESCRIPTOR: Descriptor;

    /// Narrows the ports to what the params make of them (e.g. an output of a fixed rate) and
    /// checks the params against each other. Called when a manifest is validated, before `new`.
    ///
    /// # Errors
    /// When the params contradict each other.
    fn ports(params: &Self::Params, ports: &mut Ports) -> Result<()> {
        let _ = (params, ports);
        Ok(())
    }

    /// Makes the node. Params fit their schema.
    ///
    /// # Errors
    /// Whatever keeps it from being made, e.g. a file that isn't there.
    fn new(params: Self::Params) -> Result<Self>;

    /// The format of what comes to an input port: before its first packet, and again when it
    /// changes (after a `drain`). May allocate.
    ///
    /// # Errors
    /// When the node can't work with the format.
    fn configure(&mut self, cx: &mut Context<'_>, port: usize, format: &MediaFormat) -> Result<()> {
        let _ = (cx, port, format);
        Ok(())
    }

    /// Takes one packet from the port `cx.port()`. A source's is never called.
    ///
    /// # Errors
    /// When the packet can't be processed; nothing that the call emitted then counts.
    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow>;

    /// Takes a set of packets that belong together, in place of `process`: one for each lane, in
    /// the order of the ports. Called only for a [`Join`] of sets; `None` only with
    /// [`Join::LatestArrived`], where nothing has come on a lane. What is left in the set is dropped.
    ///
    /// # Errors
    /// As `process`.
    fn join(&mut self, cx: &mut Context<'_>, set: &mut [Option<Packet>]) -> Result<Flow> {
        let _ = (cx, set);
        Err(no_sets())
    }

    /// Nothing that lies before `until` will come to the node any more. Called only for
    /// [`Join::Ordered`], when that is news and no packet says it.
    ///
    /// # Errors
    /// As `process`.
    fn advance(&mut self, cx: &mut Context<'_>, until: MediaTime) -> Result<Flow> {
        let _ = (cx, until);
        Ok(Flow::Done)
    }

    /// Goes on after [`Flow::More`]. For a source: gives out the next packets.
    ///
    /// # Errors
    /// As `process`.
    fn resume(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
        let _ = cx;
        Ok(Flow::Done)
    }

    /// Delivers what is still inside (a filter's tail, an unfinished chunk). Afterwards the node
    /// is as after `reset`. Called at breaks, before a format change, and at the end by `finish`.
    /// It may open a ticket and return [`Flow::Pending`]: the tail then comes with the ticket.
    ///
    /// # Errors
    /// As `process`.
    fn drain(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
        let _ = cx;
        Ok(Flow::Done)
    }

    /// Called at the end of all inputs, in place of `drain`. What is not only a tail but bound to
    /// the end itself (closing a file) belongs here; all others leave it as it is.
    ///
    /// # Errors
    /// As `process`.
    fn finish(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
        self.drain(cx)
    }

    /// Forgets everything inside without delivering it. Params and format stay. A source begins
    /// again at its start.
    fn reset(&mut self) {}

    /// Takes new values for its live params, between two packets. All others are as before.
    fn set_params(&mut self, params: Self::Params) {
        let _ = params;
    }

    /// By how much outputs lag behind inputs in media time, once configured: what a live
    /// pipeline has to wait. In nanoseconds of media time.
    fn latency(&self) -> MediaTime {
        MediaTime::ZERO
    }
}

/// A [`Node`] without its Rust type. Implemented for every `Node`.
pub trait AnyNode: Any + Send {
    /// See [`Node::configure`].
    ///
    /// # Errors
    /// As there.
    fn configure(&mut self, cx: &mut Context<'_>, port: usize, format: &MediaFormat) -> Result<()>;
    /// See [`Node::process`].
    ///
    /// # Errors
    /// As there.
    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow>;
    /// See [`Node::join`].
    ///
    /// # Errors
    /// As there.
    fn join(&mut self, cx: &mut Context<'_>, set: &mut [Option<Packet>]) -> Result<Flow> {
        let _ = (cx, set);
        Err(no_sets())
    }
    /// See [`Node::advance`].
    ///
    /// # Errors
    /// As there.
    fn advance(&mut self, cx: &mut Context<'_>, until: MediaTime) -> Result<Flow> {
        let _ = (cx, until);
        Ok(Flow::Done)
    }
    /// See [`Node::resume`].
    ///
    /// # Errors
    /// As there.
    fn resume(&mut self, cx: &mut Context<'_>) -> Result<Flow>;
    /// See [`Node::drain`].
    ///
    /// # Errors
    /// As there.
    fn drain(&mut self, cx: &mut Context<'_>) -> Result<Flow>;
    /// See [`Node::finish`].
    ///
    /// # Errors
    /// As there.
    fn finish(&mut self, cx: &mut Context<'_>) -> Result<Flow>;
    /// See [`Node::reset`].
    fn reset(&mut self);
    /// See [`Node::set_params`]; takes what [`NodeType::prepare`] made.
    fn set_params(&mut self, prepared: Box<dyn Any + Send>);
    /// See [`Node::latency`].
    fn latency(&self) -> MediaTime;
}

impl<N: Node> AnyNode for N {
    fn configure(&mut self, cx: &mut Context<'_>, port: usize, format: &MediaFormat) -> Result<()> {
        Node::configure(self, cx, port, format)
    }
    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        Node::process(self, cx, packet)
    }
    fn join(&mut self, cx: &mut Context<'_>, set: &mut [Option<Packet>]) -> Result<Flow> {
        Node::join(self, cx, set)
    }
    fn advance(&mut self, cx: &mut Context<'_>, until: MediaTime) -> Result<Flow> {
        Node::advance(self, cx, until)
    }
    fn resume(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
        Node::resume(self, cx)
    }
    fn drain(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
        Node::drain(self, cx)
    }
    fn finish(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
        Node::finish(self, cx)
    }
    fn reset(&mut self) {
        Node::reset(self);
    }
    fn set_params(&mut self, prepared: Box<dyn Any + Send>) {
        if let Ok(params) = prepared.downcast::<N::Params>() {
            Node::set_params(self, *params);
        }
    }
    fn latency(&self) -> MediaTime {
        Node::latency(self)
    }
}

fn no_sets() -> Error {
    Error::new(detail::NODE_CONTRACT, "the node's type joins sets of packets, but takes none")
}

/// What a stream of packets is made of. It changes only at a border between two packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MediaFormat {
    /// Audio of one format.
    Audio(AudioFormat),
    /// Pictures of one format and size.
    Video {
        /// Pixel format.
        format: PixelFormat,
        /// Pixels a row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// Any other kind.
    Other(Kind),
}

impl MediaFormat {
    /// The format of a packet.
    pub fn of(packet: &Packet) -> Self {
        match packet.payload() {
            Payload::Audio(audio) => Self::Audio(audio.format()),
            Payload::Video(v) => Self::Video { format: v.format, width: v.width, height: v.height },
            _ => Self::Other(packet.kind()),
        }
    }

    /// Whether a packet is of this format.
    #[inline]
    pub fn is_of(&self, packet: &Packet) -> bool {
        match (self, packet.payload()) {
            (Self::Audio(format), Payload::Audio(audio)) => *format == audio.format(),
            _ => *self == Self::of(packet),
        }
    }

    /// The audio format, if it is audio.
    pub fn audio(&self) -> Option<AudioFormat> {
        match self {
            Self::Audio(format) => Some(*format),
            _ => None,
        }
    }
}

impl fmt::Display for MediaFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Audio(format) => write!(f, "audio {format}"),
            Self::Video { format, width, height } => write!(f, "video {format:?} {width}×{height}"),
            Self::Other(kind) => write!(f, "{kind}"),
        }
    }
}
