//! Descriptors: what a node type is, known without making one.

use super::MediaFormat;
use super::caps::Caps;
use super::join::Join;
use crate::error::{Error, Result, detail};
use crate::packet::Kind;

/// What a node type is.
///
/// Write it as a constant: `Descriptor { inputs: &[…], ..Descriptor::new("Gain", "…") }`.
#[derive(Debug)]
pub struct Descriptor {
    /// The type's name, as manifests give it.
    pub name: &'static str,
    /// Other names that manifests may give.
    pub aliases: &'static [&'static str],
    /// What it does, in one sentence.
    pub summary: &'static str,
    /// Group in the catalogue: `audio`, `video`, `speech`, `io`, `text`, `math`, `flow`.
    pub category: &'static str,
    /// Input ports; the first is the default port. None: the node is a source.
    pub inputs: &'static [Port],
    /// Output ports; the first is the default port.
    pub outputs: &'static [Port],
    /// After warm-up `process` neither allocates, nor locks, nor calls the system.
    pub realtime: bool,
    /// What goes in and what comes out last equally long (±1 sample from begin to end).
    pub keeps_time: bool,
    /// The same input gives the same output, bit for bit.
    pub determinate: bool,
    /// Reads or writes files; untrusted manifests may not use it.
    pub files: bool,
    /// Its calls may wait, e.g. for a file: on threads, it runs where that holds up nobody.
    pub blocking: bool,
    /// A call that fails leaves no trace in the node: the same call may be made again (`on_error:
    /// retry`).
    pub retry_safe: bool,
    /// Relies on something outside the process, e.g. a server: it can have a circuit breaker.
    pub external: bool,
    /// How packets of several connections come together.
    pub join: Join,
    /// Tickets that may be open at a time; at that number the engine gives no further input. Zero:
    /// the type opens none and is always done when a call returns.
    pub max_in_flight: usize,
}

impl Descriptor {
    /// A type of this name that has no ports yet, is determinate and promises nothing else.
    pub const fn new(name: &'static str, summary: &'static str) -> Self {
        Self {
            name,
            aliases: &[],
            summary,
            category: "other",
            inputs: &[],
            outputs: &[],
            realtime: false,
            keeps_time: false,
            determinate: true,
            files: false,
            blocking: false,
            retry_safe: false,
            external: false,
            join: Join::Any,
            max_in_flight: 0,
        }
    }
}

/// A named end of a node.
#[derive(Debug, Clone)]
pub struct Port {
    /// Its name; the default port is called `in` or `out`.
    pub name: &'static str,
    /// What it takes or gives.
    pub caps: Caps,
    /// Outputs only: where the caps leave something open, it is as at the first input.
    pub like_input: bool,
    /// Inputs only: takes several connections, in order of arrival.
    pub any: bool,
    /// What flows there.
    pub doc: &'static str,
}

impl Port {
    /// A port.
    pub const fn new(name: &'static str, caps: Caps, doc: &'static str) -> Self {
        Self { name, caps, like_input: false, any: false, doc }
    }

    /// An input port that takes several connections, in order of arrival.
    pub const fn any(name: &'static str, caps: Caps, doc: &'static str) -> Self {
        Self { name, caps, like_input: false, any: true, doc }
    }

    /// An output port that gives what the first input takes, as far as `caps` leave it open.
    pub const fn like_input(name: &'static str, caps: Caps, doc: &'static str) -> Self {
        Self { name, caps, like_input: true, any: false, doc }
    }
}

impl Port {
    /// Whether packets of that format may come.
    ///
    /// # Errors
    /// `format.kind` or `format.audio`: what it takes.
    pub fn check(&self, format: &MediaFormat) -> Result<()> {
        let (kind, fits) = match format {
            MediaFormat::Audio(audio) => (Kind::Audio, self.caps.audio.contains(audio)),
            MediaFormat::Video { .. } => (Kind::Video, true),
            MediaFormat::Other(kind) => (*kind, true),
        };
        if self.caps.kinds.contains(kind) && fits {
            return Ok(());
        }
        let detail = if fits { detail::FORMAT_KIND } else { detail::FORMAT_AUDIO };
        let message = format!("port '{}' takes {}, not {format}", self.name, self.caps);
        Err(Error::new(detail, message).at_port(self.name))
    }
}

/// The ports of one node, narrowed to what its params make of them.
#[derive(Debug, Clone)]
pub struct Ports {
    /// Input ports, as in the descriptor.
    pub inputs: Vec<Port>,
    /// Output ports, as in the descriptor.
    pub outputs: Vec<Port>,
    /// How packets of several connections come together.
    pub join: Join,
}

impl Ports {
    /// The ports of the descriptor as they stand.
    pub fn of(descriptor: &Descriptor) -> Self {
        Self {
            inputs: descriptor.inputs.to_vec(),
            outputs: descriptor.outputs.to_vec(),
            join: descriptor.join,
        }
    }
}
