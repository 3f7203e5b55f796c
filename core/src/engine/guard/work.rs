//! The calls of a node that can fail, kept so that they can be made again.

use crate::error::{Error, Result};
use crate::node::{AnyNode, Context, Flow};
use crate::packet::{MediaTime, Packet};

/// A call of a node.
#[derive(Clone)]
pub(super) enum Work {
    Packet(Packet),
    Set(Vec<Option<Packet>>),
    Advance(MediaTime),
    Resume,
    Drain,
    Finish,
    /// One that is never made again, and so was not kept.
    Gone,
}

impl Work {
    /// Makes the call.
    pub(super) fn run(self, node: &mut dyn AnyNode, cx: &mut Context<'_>) -> Result<Flow> {
        match self {
            Self::Packet(packet) => node.process(cx, packet),
            Self::Set(mut set) => node.join(cx, &mut set),
            Self::Advance(until) => node.advance(cx, until),
            Self::Resume => node.resume(cx),
            Self::Drain => node.drain(cx),
            Self::Finish => node.finish(cx),
            Self::Gone => Ok(Flow::Done),
        }
    }

    /// Whether it brings something new into the node.
    pub(super) fn is_input(&self) -> bool {
        matches!(self, Self::Packet(_) | Self::Set(_))
    }

    /// Up to where it would have brought the stream.
    pub(super) fn end(&self) -> Option<MediaTime> {
        match self {
            Self::Packet(packet) => packet.end(),
            Self::Set(set) => set.iter().flatten().find_map(Packet::end),
            _ => None,
        }
    }
}

/// A call whose result is not out yet.
pub(super) struct Kept {
    pub(super) work: Work,
    pub(super) port: usize,
    pub(super) lane: usize,
    /// The call of a packet or set, not that of a tail or a rest.
    pub(super) input: bool,
    pub(super) end: Option<MediaTime>,
    /// Which node it went to.
    pub(super) who: Who,
    /// Tries after the first.
    pub(super) tries: u32,
    /// It shows whether the breaker may close.
    pub(super) probe: bool,
    /// The breaker refused it.
    pub(super) refused: bool,
    /// How often there had been a restart when it was made.
    pub(super) generation: u32,
    /// What the first node said, where the other one has it now.
    pub(super) error: Option<Error>,
}

/// One of the nodes behind a guard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    First,
    /// The one that stands in.
    Second,
}
