//! What the calls of a pipeline answer.

use crate::error::{Error, detail};
use crate::packet::Packet;
use std::time::Duration;

/// What a pull came to.
#[derive(Debug)]
pub enum Pull<'a> {
    /// A packet, and the name of the output that it came from.
    Packet(&'a str, Packet),
    /// Everything was pulled, nothing more will come.
    End,
    /// There is nothing now, and waiting longer would not help: this is what to do.
    Idle(Reason),
}

impl Pull<'_> {
    /// The packet, if there is one.
    pub fn packet(self) -> Option<Packet> {
        match self {
            Self::Packet(_, packet) => Some(packet),
            _ => None,
        }
    }
}

/// Why nothing goes on (rule S3). With no ticket or timer open, some push or some pull
/// then succeeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// These inputs want packets, or their end. Empty: nothing does.
    Need(PortSet),
    /// This output is full (index into [`Pipeline::outputs`](super::Pipeline::outputs)): pull it.
    Full(usize),
    /// This node (index into the graph's nodes) has work under way elsewhere; it will wake us.
    InFlight(usize),
    /// In so long, a node goes on by itself: a source in real time, or a call that is tried again.
    Due(Duration),
    /// Another thread is running the pipeline.
    Busy,
}

/// A few ports by index. Those above 63 share one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PortSet(u64);

impl PortSet {
    pub(crate) fn insert(&mut self, port: usize) {
        self.0 |= 1 << port.min(63);
    }

    /// Whether it holds that port.
    pub fn contains(self, port: usize) -> bool {
        self.0 & (1 << port.min(63)) != 0
    }

    /// Whether it holds none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The ports, in order.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..64).filter(move |p| self.contains(*p))
    }
}

/// Why a packet was not taken, and the packet.
#[derive(Debug)]
pub enum PushError {
    /// The input's queue is full. Pull, then push again.
    Full(Packet),
    /// While it waited for room, an interrupt or reset made the pipeline forget what it belongs to.
    Interrupted(Packet),
    /// The packet or the call is not right; it stays with the caller.
    Refused(Packet, Error),
    /// The packet was taken, and while it was worked on the pipeline failed.
    Failed(Error),
}

impl PushError {
    /// The packet, unless it was taken.
    pub fn into_packet(self) -> Option<Packet> {
        match self {
            Self::Full(packet) | Self::Interrupted(packet) | Self::Refused(packet, _) => {
                Some(packet)
            }
            Self::Failed(_) => None,
        }
    }
}

impl From<PushError> for Error {
    fn from(error: PushError) -> Self {
        match error {
            PushError::Full(_) => Error::new(detail::FLOW_FULL, "the input's queue is full")
                .with_hint("pull results, then push again"),
            PushError::Interrupted(_) => {
                Error::new(detail::FLOW_INTERRUPTED, "an interrupt came while the push waited")
                    .with_hint("push the packet again if it is still wanted")
            }
            PushError::Refused(_, error) | PushError::Failed(error) => error,
        }
    }
}

impl std::fmt::Display for PushError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Full(_) => f.write_str("the input's queue is full"),
            Self::Interrupted(_) => f.write_str("an interrupt came while the push waited"),
            Self::Refused(_, error) | Self::Failed(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for PushError {}

/// How a `close` went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// Every node has delivered its tail.
    Drained,
    /// The deadline came first; what was left is dropped.
    Cut,
}

/// How far a close has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    /// It is over.
    Over(Closed),
    /// It waits for this.
    Waits(Reason),
}

/// Why a run to the end can't go on: somebody else has rewound or fed the pipeline meanwhile.
pub(super) fn interrupted(reason: Reason) -> Error {
    let message = format!("the pipeline was changed while it ran to its end: {reason:?}");
    Error::new(detail::STATE_NOT_FINISHED, message)
        .with_hint("let one caller at a time run it to the end")
}
